/*
 * describe_fingerprint.c
 *	  One hash over the definitions of everything in the schema.
 *
 * The order of the catalogs must not show, so wholes are sorted by kind and
 * identity, and so are the parts within each.  To hold all definitions until
 * then would take as much memory as the schema has text; so each whole is
 * hashed by itself as it comes, and the list that is sorted has the names and
 * the hashes.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "describe.h"

/* a whole object */
typedef struct Fingerprint
{
	uint8		hash[PG_SHA256_DIGEST_LENGTH];
	char		name[FLEXIBLE_ARRAY_MEMBER];	/* kind and identity */
} Fingerprint;

typedef struct FingerprintState
{
	List	   *excluded;		/* of char *: quoted names of schemas */
	pg_cryptohash_ctx *hash;
	MemoryContext context;		/* of the list */
	Fingerprint **wholes;
	int64		count;
	int64		size;
} FingerprintState;

PG_FUNCTION_INFO_V1(migmgr_schema_fingerprint);

static void hash_whole(Describer *d);
static bool is_excluded(const FingerprintState *state, const DescribeRow *row);
static const char *without_kind(const char *text);
static void add(pg_cryptohash_ctx *hash, const void *data, Size length);
static void add_text(pg_cryptohash_ctx *hash, const char *text);
static void end(pg_cryptohash_ctx *hash, uint8 *result);
static int	compare_rows(const ListCell *a, const ListCell *b);
static int	compare_wholes(const void *a, const void *b);

/* schema_fingerprint(exclude text[]): see sql/53_snapshot.sql. */
Datum
migmgr_schema_fingerprint(PG_FUNCTION_ARGS)
{
	Describer	d;
	FingerprintState state = {0};
	uint8		result[PG_SHA256_DIGEST_LENGTH];
	char		hex[2 * PG_SHA256_DIGEST_LENGTH + 1];

	state.excluded = quoted(PG_GETARG_ARRAYTYPE_P(0));
	state.context = AllocSetContextCreate(CurrentMemoryContext, "migmgr fingerprint", ALLOCSET_DEFAULT_SIZES);
	state.hash = pg_cryptohash_create(PG_SHA256);
	describe_begin(&d, true, false);
	d.sink = hash_whole;
	d.sink_state = &state;
	describe_everything(&d);
	describe_end(&d);

	qsort(state.wholes, state.count, sizeof(Fingerprint *), compare_wholes);
	begin(state.hash);
	for (int64 i = 0; i < state.count; i++)
	{
		add_text(state.hash, state.wholes[i]->name);
		add(state.hash, state.wholes[i]->hash, PG_SHA256_DIGEST_LENGTH);
	}
	end(state.hash, result);
	pg_cryptohash_free(state.hash);
	hex[hex_encode((char *) result, PG_SHA256_DIGEST_LENGTH, hex)] = '\0';
	PG_RETURN_TEXT_P(cstring_to_text(hex));
}
