/*
 * flag.c
 *	  Feature flags: for whom is what a migration made already there?
 *
 * A flag is what the newest entry about it in the ledger says, and nothing
 * else, so it is chained, dumped and restored like the rest of history.
 * Applications ask once per row, so all flags are kept until the ledger says
 * that an entry about a setting was appended by anyone; asking then costs a
 * comparison of names and a hash.
 *
 * Whether a subject is in is a hash of flag and subject: the same answer in
 * every session, and whoever is in stays in when the percentage is raised.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "flag.h"
#include "invalidation.h"
#include "ledger.h"
#include "migmgr.h"
#include "own_table.h"
#include "tell.h"

typedef struct Flag
{
	char	   *name;
	int			length;			/* of name */
	int			percent;
	uint64		seed;			/* tells its subjects from those of others */
} Flag;

/* what a call site asked for last */
typedef struct FlagCall
{
	uint64		generation;
	const Flag *flag;
} FlagCall;

PG_FUNCTION_INFO_V1(migmgr_flag_enabled);

static MemoryContext cache = NULL;
static List *flags = NIL;		/* of Flag * */
static Oid	flags_relid = InvalidOid;	/* the ledger that was read */
static bool flags_valid = false;
static bool flags_borrowed = false; /* read with the snapshot of a parallel
									 * query, which may be an older one */
static uint64 generation = 0;	/* of the cache: older pointers are no good */

static void flag_relcache_callback(Datum arg, Oid relid);
static inline void flag_refresh(void);
static void flag_read(void);
static const Flag *flag_find(const char *name, int length);
static void flag_append(const char *flag, const char *version, int percent, const char *reason);
static List *flags_of_entry(int64 seq);

void
flag_init(void)
{
	invalidation_register(flag_relcache_callback);
}

static void
flag_relcache_callback(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == flags_relid)
		flags_valid = false;
}

/* While somebody keeps the ledger locked, what is known will do. */
static inline void
flag_refresh(void)
{
	if ((!flags_valid || flags_relid != ledger_relid() || (flags_borrowed && !IsInParallelMode())) &&
		ledger_readable())
		flag_read();
}

/*
 * flag_enabled(flag, subject): is it on, for this subject?  Without a subject
 * only at 100 %.  A flag that nobody has made is off.
 */
Datum
migmgr_flag_enabled(PG_FUNCTION_ARGS)
{
	FlagCall   *call = fcinfo->flinfo->fn_extra;
	text	   *name;
	text	   *subject;
	const Flag *flag;

	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(false);
	name = PG_GETARG_TEXT_PP(0);
	flag_refresh();
	if (call == NULL)
		call = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(FlagCall));

	flag = call->generation == generation ? call->flag : NULL;
	if (flag == NULL || flag->length != VARSIZE_ANY_EXHDR(name) ||
		memcmp(flag->name, VARDATA_ANY(name), flag->length) != 0)
	{
		flag = flag_find(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
		call->flag = flag;
		call->generation = generation;
	}
	if (flag == NULL || flag->percent <= 0)
		PG_RETURN_BOOL(false);
	if (flag->percent >= 100)
		PG_RETURN_BOOL(true);
	if (PG_ARGISNULL(1))
		PG_RETURN_BOOL(false);
	subject = PG_GETARG_TEXT_PP(1);
	PG_RETURN_BOOL(hash_bytes_extended((const unsigned char *) VARDATA_ANY(subject),
									   VARSIZE_ANY_EXHDR(subject), flag->seed) % 100 < flag->percent);
}

/* See flag.h. */
int
flag_percent(const char *name)
{
	const Flag *flag;

	flag_refresh();
	flag = flag_find(name, strlen(name));
	return flag == NULL ? -1 : flag->percent;
}

static const Flag *
flag_find(const char *name, int length)
{
	ListCell   *lc;

	foreach(lc, flags)
	{
		const Flag *flag = lfirst(lc);

		if (flag->length == length && memcmp(flag->name, name, length) == 0)
			return flag;
	}
	return NULL;
}

/*
 * Reads all flags, the newest entry of each.  Runs no SQL, so that a parallel
 * worker can do it.
 */
static void
flag_read(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "migmgr flags", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	OwnTable   *table;

	/* set first: an invalidation while we read makes it false again */
	flags_relid = ledger_relid();
	flags_valid = true;
	flags_borrowed = IsInParallelMode();
	flags = NIL;
	generation++;

	PG_TRY();
	{
		table = own_open(MIGMGR_SCHEMA, "ledger", AccessShareLock);
		own_scan(table, "ledger_event", BackwardScanDirection, BTEqualStrategyNumber,
				 CStringGetTextDatum("flag"));
		while (own_next(table))
		{
			char	   *detail = own_text(table, "detail");
			char	   *name = ledger_field(detail, "flag");
			char	   *percent = ledger_field(detail, "percent");
			Flag	   *flag;

			if (name == NULL || percent == NULL || flag_find(name, strlen(name)) != NULL)
				continue;
			flag = palloc(sizeof(Flag));
			flag->name = name;
			flag->length = strlen(name);
			flag->percent = atoi(percent);
			flag->seed = hash_bytes_extended((const unsigned char *) name, flag->length, 0);
			flags = lappend(flags, flag);
		}
		own_close(table);
	}
	PG_CATCH();
	{
		flags = NIL;
		flags_valid = false;
		PG_RE_THROW();
	}
	PG_END_TRY();

	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, CacheMemoryContext);
	if (cache != NULL)
		MemoryContextDelete(cache);
	cache = context;
}

/* One entry about a flag. */
static void
flag_append(const char *flag, const char *version, int percent, const char *reason)
{
	StringInfoData json;
	LedgerEntry entry = {.event = "flag",.version = version};

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"flag\": ");
	escape_json(&json, flag);
	appendStringInfo(&json, ", \"percent\": %d, \"reason\": ", percent);
	escape_json(&json, reason);
	appendStringInfoChar(&json, '}');
	entry.detail = json.data;
	ledger_append(&entry);
	tell_event("flag", version, json.data);
}

/*
 * See flag.h.  What is on stays on: a later migration for the same feature
 * does not end it, but raising it further waits for that one, too.
 */
void
flag_applied(const char *version, const List *names)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		const char *name = lfirst(lc);

		flag_append(name, version, Max(flag_percent(name), 0),
					psprintf("migration %s was applied", version));
	}
}

/* See flag.h. */
void
flag_rolled_back(const char *version, int64 undoes)
{
	ListCell   *lc;

	foreach(lc, flags_of_entry(undoes))
	{
		const char *name = lfirst(lc);

		if (flag_percent(name) > 0)
			flag_append(name, version, 0, psprintf("migration %s is rolled back", version));
	}
}

/* The flags that an applied entry names: List of char *. */
static List *
flags_of_entry(int64 seq)
{
	OwnTable   *table = own_open(MIGMGR_SCHEMA, "ledger", AccessShareLock);
	char	   *detail = NULL;
	List	   *result = NIL;
	JsonbValue *array;
	JsonbValue	key = {.type = jbvString};
	Jsonb	   *json;
	JsonbIterator *it;
	JsonbValue	value;
	JsonbIteratorToken token;

	own_scan(table, "ledger_pkey", ForwardScanDirection, BTEqualStrategyNumber, Int64GetDatum(seq));
	if (own_next(table))
		detail = own_text(table, "detail");
	own_close(table);
	if (detail == NULL)
		return NIL;

	json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(detail)));
	key.val.string.val = "flags";
	key.val.string.len = strlen("flags");
	array = findJsonbValueFromContainer(&json->root, JB_FOBJECT, &key);
	if (array == NULL || array->type != jbvBinary)
		return NIL;
	it = JsonbIteratorInit(array->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM && value.type == jbvString)
			result = lappend(result, pnstrdup(value.val.string.val, value.val.string.len));
	}
	return result;
}
