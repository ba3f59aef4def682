/*
 * describe_fingerprint.c
 *	  One hash over the definitions of everything in the schema.
 *
 * The order of the catalogs must not show.  To sort all definitions would take
 * as much memory as the schema has text; so each whole is hashed by itself as
 * it comes, its parts sorted, and the hashes are sorted, which is as good an
 * order as any: the names are in them.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "describe.h"

typedef uint8 Fingerprint[PG_SHA256_DIGEST_LENGTH];

typedef struct FingerprintState
{
	List	   *excluded;		/* of char *: quoted names of schemas */
	pg_cryptohash_ctx *hash;
	StringInfoData text;		/* of a whole */
	Fingerprint *wholes;		/* their hashes */
	int			count;
	int			size;
} FingerprintState;

PG_FUNCTION_INFO_V1(migmgr_schema_fingerprint);

static void begin(FingerprintState *state, List *exclude);
static void hash_whole(Describer *d);
static bool is_excluded(const FingerprintState *state, const DescribeRow *row);
static bool is_of_schema(const DescribeRow *row, const char *schema);
static const char *without_kind(const char *text);
static void append_utf8(StringInfo out, const char *text, int length);
static void compute(FingerprintState *state, const void *bytes, Size length, uint8 *result);
static int	compare_rows(const ListCell *a, const ListCell *b);
static int	compare_hashes(const void *a, const void *b);

/* schema_fingerprint(exclude text[]): see sql/53_snapshot.sql. */
Datum
migmgr_schema_fingerprint(PG_FUNCTION_ARGS)
{
	Describer	d;
	FingerprintState state = {0};
	Fingerprint result;
	char		hex[2 * PG_SHA256_DIGEST_LENGTH + 1];

	begin(&state, PG_ARGISNULL(0) ? NIL : array_texts(PG_GETARG_DATUM(0)));
	describe_begin(&d, true, false);
	d.sink = hash_whole;
	d.sink_state = &state;
	describe_everything(&d);
	describe_end(&d);

	qsort(state.wholes, state.count, sizeof(Fingerprint), compare_hashes);
	compute(&state, state.wholes, state.count * sizeof(Fingerprint), result);
	pg_cryptohash_free(state.hash);
	hex[hex_encode((char *) result, sizeof(Fingerprint), hex)] = '\0';
	PG_RETURN_TEXT_P(cstring_to_text(hex));
}

static void
begin(FingerprintState *state, List *exclude)
{
	ListCell   *lc;

	foreach(lc, exclude)
		state->excluded = lappend(state->excluded, unconstify(char *, quote_identifier(lfirst(lc))));
	state->hash = pg_cryptohash_create(PG_SHA256);
	initStringInfo(&state->text);
	state->size = 1024;
	state->wholes = palloc(state->size * sizeof(Fingerprint));
}

/* Takes the rows of a whole. */
static void
hash_whole(Describer *d)
{
	FingerprintState *state = d->sink_state;
	ListCell   *lc;

	if (is_excluded(state, linitial(d->rows)))
		return;
	list_sort(d->rows, compare_rows);
	resetStringInfo(&state->text);
	foreach(lc, d->rows)
	{
		DescribeRow *row = lfirst(lc);

		append_utf8(&state->text, row->kind, strlen(row->kind));
		append_utf8(&state->text, row->identity, strlen(row->identity));
		append_utf8(&state->text, row->definition.data, row->definition.len);
	}
	if (state->count == state->size)
	{
		state->size *= 2;
		state->wholes = repalloc_huge(state->wholes, state->size * sizeof(Fingerprint));
	}
	compute(state, state->text.data, state->text.len, state->wholes[state->count++]);
}

/* Is a row about a schema of the list, or something in it? */
static bool
is_excluded(const FingerprintState *state, const DescribeRow *row)
{
	ListCell   *lc;

	foreach(lc, state->excluded)
		if (is_of_schema(row, lfirst(lc)))
		return true;
	return false;
}

/* The same as in_schemas() of sql/53_snapshot.sql for one schema, quoted. */
static bool
is_of_schema(const DescribeRow *row, const char *schema)
{
	const char *text = without_kind(row->parent != NULL ? row->parent : row->identity);
	Size		length = strlen(schema);

	if (strncmp(text, schema, length) != 0)
		return false;
	return text[length] == '.' ||
		(text[length] == '\0' && (strcmp(row->kind, "schema") == 0 ||
								  (row->parent != NULL && strncmp(row->parent, "schema ", strlen("schema ")) == 0)));
}

/* The identity in 'kind identity', of the kinds that have parts. */
static const char *
without_kind(const char *text)
{
	static const char *const kinds[] = {"table ", "view ", "materialized view ", "foreign table ", "type ", "schema "};

	for (int i = 0; i < lengthof(kinds); i++)
		if (strncmp(text, kinds[i], strlen(kinds[i])) == 0)
			return text +strlen(kinds[i]);
	return text;
}

/* A text behind its length, so that two lists of texts never read the same. */
static void
append_utf8(StringInfo out, const char *text, int length)
{
	char	   *converted = pg_server_to_any(text, length, PG_UTF8);
	uint32		prefix;

	if (converted != text)
		length = strlen(converted);
	prefix = pg_hton32(length);
	appendBinaryStringInfo(out, (char *) &prefix, sizeof(prefix));
	appendBinaryStringInfo(out, converted, length);
}

static void
compute(FingerprintState *state, const void *bytes, Size length, uint8 *result)
{
	if (pg_cryptohash_init(state->hash) < 0 || pg_cryptohash_update(state->hash, bytes, length) < 0 ||
		pg_cryptohash_final(state->hash, result, sizeof(Fingerprint)) < 0)
		elog(ERROR, "could not compute a fingerprint: %s", pg_cryptohash_error(state->hash));
}

static int
compare_rows(const ListCell *a, const ListCell *b)
{
	const DescribeRow *x = lfirst(a);
	const DescribeRow *y = lfirst(b);
	int			order = strcmp(x->kind, y->kind);

	return order != 0 ? order : strcmp(x->identity, y->identity);
}

static int
compare_hashes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(Fingerprint));
}
