/*
 * repeatable.c
 *	  apply_repeatable() and apply_repeatables(): views, functions and the like,
 *	  whose text is the whole truth and runs again when it changes.
 *
 * A repeatable has a name instead of a version, and comes after all versions
 * that are known.  It runs like a migration: judged, in the caller's
 * transaction, with verify SQL.  What it needs of other repeatables its text
 * says: -- migmgr:requires NAME.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "errors.h"
#include "guc.h"
#include "ledger.h"
#include "lock.h"
#include "run.h"
#include "spi_util.h"

#define MAX_NAME 200

/* one of several */
typedef struct Repeatable
{
	char	   *name;
	char	   *text;
	List	   *requires;		/* of char * */
	bool		placed;			/* it has its place in the order */
	bool		ran;			/* its text was new, or that of one it
								 * requires */
} Repeatable;

/* what the ledger says about a name */
typedef struct Repeated
{
	char	   *checksum;		/* of what ran last; NULL: nothing did */
	char	   *at;
	char	   *role;
} Repeated;

PG_FUNCTION_INFO_V1(migmgr_apply_repeatable);
PG_FUNCTION_INFO_V1(migmgr_apply_repeatables);

static char *text_arg(FunctionCallInfo fcinfo, int arg);
static void check_repeatable_name(const char *name);
static ScriptFile *take_apart(const char *name, const char *text);
static RunRow *run_repeatable(const char *name, const char *sql, const char *note, Jsonb *options, bool again);
static Repeated last_run(const char *name);
static void check_versions_done(const char *name);
static void check_required(const char *name, const List *requires);
static List *repeatables_of(Jsonb *json);
static List *in_order(List *repeatables);
static Repeatable *named(List *repeatables, const char *name);
static int	by_name(const ListCell *a, const ListCell *b);

static char *
text_arg(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

/* apply_repeatable(name, sql, note, options): one row. */
Datum
migmgr_apply_repeatable(PG_FUNCTION_ARGS)
{
	char	   *name = text_arg(fcinfo, 0);
	char	   *sql = text_arg(fcinfo, 1);

	run_begin("migmgr.apply_repeatable()");
	check_repeatable_name(name);
	own_lock(LOCK_APPLY, guc_apply_wait);
	ledger_check_snapshot();
	return run_return(fcinfo, run_repeatable(name, sql, text_arg(fcinfo, 2),
											 PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3), false));
}

/*
 * apply_repeatables(scripts, note, options): those of an object {name: text},
 * in the order of what they require; a row for each.  What requires one that
 * ran runs again, too.
 */
Datum
migmgr_apply_repeatables(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	List	   *order;
	ListCell   *lc;

	run_begin("migmgr.apply_repeatables()");
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("apply_repeatables() needs an object of names and texts"),
				 errhint("SELECT * FROM migmgr.apply_repeatables(jsonb_object(ARRAY['name', 'CREATE OR REPLACE ...']));")));
	order = in_order(repeatables_of(PG_GETARG_JSONB_P(0)));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	own_lock(LOCK_APPLY, guc_apply_wait);
	ledger_check_snapshot();

	foreach(lc, order)
	{
		Repeatable *repeatable = lfirst(lc);
		Datum		values[RUN_COLUMNS];
		bool		nulls[RUN_COLUMNS];
		bool		again = false;
		RunRow	   *row;
		ListCell   *lr;

		foreach(lr, repeatable->requires)
		{
			const Repeatable *required = named(order, lfirst(lr));

			again |= required != NULL && required->ran;
		}
		row = run_repeatable(repeatable->name, repeatable->text, text_arg(fcinfo, 1),
							 PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2), again);
		repeatable->ran = strcmp(row->status, "applied") == 0;
		run_row_values(row, values, nulls);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		if (strcmp(row->status, "failed") == 0)
			break;
	}
	return (Datum) 0;
}

/* Raises MG001 unless the name is one word. */
static void
check_repeatable_name(const char *name)
{
	if (name == NULL || *name == '\0' || strlen(name) > MAX_NAME ||
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != strlen(name))
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_VERSION),
				 errmsg("\"%s\" is not the name of a repeatable", name ? name : "null"),
				 errdetail("It has letters, digits, underscores, dots and dashes, %d at most.", MAX_NAME)));
}

/* The sections of a text; its name stands where a file has its own. */
static ScriptFile *
take_apart(const char *name, const char *text)
{
	ScriptFile *parts = script_file(psprintf("0_%s.sql", name), text);

	if (parts->online || script_needs_online(parts->up))
		ereport(ERROR,
				(errcode(ERRCODE_MG_NEEDS_WORKER),
				 errmsg("repeatable \"%s\" cannot run online", name),
				 errhint("Put what refuses a transaction block into a migration.")));
	if (parts->down != NULL || parts->replaces != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("repeatable \"%s\" has a section that only a migration has", name),
				 errdetail("The way back of a repeatable is its former text.")));
	return parts;
}

/* Runs a repeatable if its text is new, or again is true; under APPLY. */
static RunRow *
run_repeatable(const char *name, const char *sql, const char *note, Jsonb *options, bool again)
{
	RunRequest	request = {.action = RUN_APPLY,.repeatable = true};
	Repeated	last = last_run(name);
	ScriptFile *parts;
	RunRow	   *row;

	if (sql == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("repeatable \"%s\" has no SQL: it is null", name)));
	request.version = psprintf("R__%s", name);
	request.name = name;
	request.sent = sql;
	request.text = script_canonical(sql);
	request.checksum = script_checksum(request.text);
	parts = take_apart(name, request.text);
	request.up = parts->up;
	request.verify = parts->verify;
	request.requires = parts->requires;
	request.flags = parts->flags;
	request.note = note;
	run_options(&request.options, options);
	request.options.derive = false;
	if (parts->lock_timeout != NULL)
		run_option(&request.options, "lock_timeout", parts->lock_timeout);

	if (last.checksum != NULL && strcmp(last.checksum, request.checksum) == 0 && !again)
	{
		row = palloc0(sizeof(RunRow));
		row->version = request.version;
		row->name = name;
		row->status = "unchanged";
		row->environment = policy_environment_name(policy_environment());
		row->detail = psprintf("applied %s by %s; nothing was done", last.at, last.role);
		return row;
	}
	if (!request.options.skip_failed)
		check_versions_done(name);
	check_required(name, parts->requires);
	return run_request(&request);
}

/* What ran last under this name. */
static Repeated
last_run(const char *name)
{
	MemoryContext context = CurrentMemoryContext;
	const char *version = psprintf("R__%s", name);
	Repeated	last = {0};
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT l.checksum, l.role, pg_catalog.to_char(l.at, 'YYYY-MM-DD HH24:MI:SS TZ') AS at"
			 " FROM migmgr.ledger AS l WHERE l.version = $1 AND l.event = 'repeated' ORDER BY l.seq DESC LIMIT 1",
			 SPI_OK_SELECT, 1, &version);
	if (SPI_processed > 0)
	{
		last.checksum = MemoryContextStrdup(context, spi_text(0, "checksum"));
		last.role = MemoryContextStrdup(context, spi_text(0, "role"));
		last.at = MemoryContextStrdup(context, spi_text(0, "at"));
	}
	record_end(&scope);
	SPI_finish();
	return last;
}

/* Raises MG203 while a version is known that is not applied. */
static void
check_versions_done(const char *name)
{
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;
	char	   *version = NULL;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT k.version FROM (SELECT p.version FROM migmgr.pending AS p UNION ALL"
			 " SELECT f.version FROM migmgr_internal.remembered_files() AS f WHERE f.version IS NOT NULL AND NOT EXISTS"
			 "   (SELECT FROM migmgr.history AS h WHERE h.version = f.version AND h.status IN (" DONE_EVENTS "))) AS k"
			 " ORDER BY migmgr_internal.version_key(k.version) COLLATE pg_catalog.\"C\" LIMIT 1",
			 SPI_OK_SELECT, 0, NULL);
	if (SPI_processed > 0)
		version = MemoryContextStrdup(context, spi_text(0, "version"));
	record_end(&scope);
	SPI_finish();
	if (version != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_EARLIER_FAILED),
				 errmsg("cannot apply repeatable \"%s\": version \"%s\" is still to be applied", name, version),
				 errdetail("Repeatables come after all versions."),
				 errhint("Apply \"%s\" first, or pass options => '{\"skip_failed\": true}'.", version)));
}

/* Raises MG203 when something that the text requires has never been applied. */
static void
check_required(const char *name, const List *requires)
{
	ListCell   *lc;

	foreach(lc, requires)
	{
		const char *required = lfirst(lc);

		if (last_run(required).checksum == NULL && !version_state(required)->done)
			ereport(ERROR,
					(errcode(ERRCODE_MG_EARLIER_FAILED),
					 errmsg("cannot apply repeatable \"%s\": it requires \"%s\", which is not applied", name, required),
					 errhint("Apply \"%s\" first, or hand both to migmgr.apply_repeatables().", required)));
	}
}

/* The members of an object: a List of Repeatable *, by name. */
static List *
repeatables_of(Jsonb *json)
{
	JsonbIterator *it = JsonbIteratorInit(&json->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	Repeatable *repeatable = NULL;
	List	   *result = NIL;

	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("apply_repeatables() needs an object of names and texts"),
				 errdetail("It got %s.", JB_ROOT_IS_SCALAR(json) ? "a single value" : "an array")));
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			repeatable = palloc0(sizeof(Repeatable));
			repeatable->name = pnstrdup(value.val.string.val, value.val.string.len);
			check_repeatable_name(repeatable->name);
		}
		else if (token == WJB_VALUE && value.type == jbvString)
		{
			repeatable->text = pnstrdup(value.val.string.val, value.val.string.len);
			repeatable->requires = take_apart(repeatable->name, script_canonical(repeatable->text))->requires;
			result = lappend(result, repeatable);
		}
		else if (token == WJB_VALUE)
			ereport(ERROR,
					(errcode(ERRCODE_MG_BAD_SCRIPT),
					 errmsg("the text of repeatable \"%s\" is no string", repeatable->name)));
	}
	list_sort(result, by_name);
	return result;
}

/* What is required comes first; raises MG002 where that goes in a circle. */
static List *
in_order(List *repeatables)
{
	List	   *result = NIL;

	while (list_length(result) < list_length(repeatables))
	{
		int			before = list_length(result);
		ListCell   *lc;

		foreach(lc, repeatables)
		{
			Repeatable *repeatable = lfirst(lc);
			bool		ready = !repeatable->placed;
			ListCell   *lr;

			foreach(lr, repeatable->requires)
			{
				const Repeatable *required = named(repeatables, lfirst(lr));

				ready = ready && (required == NULL || required->placed);
			}
			if (!ready)
				continue;
			repeatable->placed = true;
			result = lappend(result, repeatable);
		}
		if (list_length(result) > before)
			continue;
		foreach(lc, repeatables)
		{
			const Repeatable *repeatable = lfirst(lc);

			if (!repeatable->placed)
				ereport(ERROR,
						(errcode(ERRCODE_MG_BAD_SCRIPT),
						 errmsg("repeatable \"%s\" requires itself by way of others", repeatable->name),
						 errhint("Take one of the -- migmgr:requires lines out.")));
		}
	}
	return result;
}

/* The repeatable of this name, or NULL. */
static Repeatable *
named(List *repeatables, const char *name)
{
	ListCell   *lc;

	foreach(lc, repeatables)
	{
		Repeatable *repeatable = lfirst(lc);

		if (strcmp(repeatable->name, name) == 0)
			return repeatable;
	}
	return NULL;
}

static int
by_name(const ListCell *a, const ListCell *b)
{
	return strcmp(((const Repeatable *) lfirst(a))->name, ((const Repeatable *) lfirst(b))->name);
}
