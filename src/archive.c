/*
 * archive.c
 *	  Data that a rollback takes away and keeps, and how it comes back.
 *
 * What would be lost is known only when the way back has run, and then it is
 * too late.  So it runs twice: once to see what it drops, which is undone, then
 * the data is put away, and then it runs in earnest and finds empty tables.
 * The SQL of it is in sql/55_archive.sql.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "archive.h"
#include "budget.h"
#include "errors.h"
#include "facts.h"
#include "guc.h"
#include "ledger.h"
#include "lock.h"
#include "migmgr.h"
#include "notices.h"
#include "own_table.h"
#include "spi_util.h"
#include "subxact.h"

PG_FUNCTION_INFO_V1(migmgr_purge_archive);

/* how one table or column comes back */
typedef struct BringBack
{
	ArchivePart *part;
	char	   *archive;		/* seq of the entry that was undone */
	char	   *n;
	Oid			relid;
	int			attnum;
	Oid			owner;
	char	   *before;
	char	   *fill;
	char	   *after;
	bool		done;
} BringBack;

static bool archive_trial(void *arg);
static char *dropped_json(const List *objects);
static bool kept(const Archive *archive, const GuardObject *object);
static List *bring_back_plan(const Run *run, Archive *archive);
static void bring_back_one(BringBack *step);
static void bring_back_close(Archive *archive, const List *steps);
static void run_sql(const char *sql);
static int64 fill_as_owner(const BringBack *step);
static char *keep_text(MemoryContext context, uint64 row, const char *column);

static char *
keep_text(MemoryContext context, uint64 row, const char *column)
{
	char	   *text = spi_text(row, column);

	return text == NULL ? NULL : MemoryContextStrdup(context, text);
}

/* Runs the way back to see what it drops; always undone. */
static bool
archive_trial(void *arg)
{
	Run		   *run = arg;

	run_watched(run);
	guard_end();
	return false;
}

/* See archive.h.  In the subtransaction of the run, nothing watched yet. */
void
archive_store(Run *run)
{
	MemoryContext context = CurrentMemoryContext;
	Archive    *archive = palloc0(sizeof(Archive));
	ErrorData  *error = subxact_run(archive_trial, run);
	RecordScope scope;
	const char *args[3];

	guard_end();
	if (error != NULL)
		ReThrowError(error);
	archive->dropped = run->effect->objects;
	run->done = NIL;
	run->class = CLASS_NONE;

	args[0] = psprintf(INT64_FORMAT, run->request->undoes);
	args[1] = run->request->version;
	args[2] = dropped_json(archive->dropped);
	archive->schema = psprintf("migmgr_archive_%s", args[0]);
	SPI_connect();
	record_begin(&scope);
	notices_begin(GetMemoryChunkContext(run));
	budget_begin(run->request->options.lock_timeout);
	budget_statement();
	spi_exec("SELECT s.kind, s.identity, s.row_count"
			 " FROM migmgr_internal.archive_store($1::pg_catalog.int8, $2, $3::pg_catalog.jsonb) AS s",
			 SPI_OK_SELECT, 3, args);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		ArchivePart *part = palloc0(sizeof(ArchivePart));

		part->kind = keep_text(context, i, "kind");
		part->identity = keep_text(context, i, "identity");
		part->rows = spi_int64(i, "row_count", -1);
		archive->parts = lappend(archive->parts, part);
		MemoryContextSwitchTo(old);
	}
	record_end(&scope);
	SPI_finish();
	run->archive = archive;
}

/* What was dropped, for archive_store() to choose from. */
static char *
dropped_json(const List *objects)
{
	StringInfoData json;
	ListCell   *lc;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	foreach(lc, objects)
	{
		const GuardObject *object = lfirst(lc);

		if (strcmp(object->action, "dropped") != 0)
			continue;
		appendStringInfo(&json, "%s{\"classid\": %u, \"objid\": %u, \"objsubid\": %d, \"rows\": " INT64_FORMAT "}",
						 json.len > 1 ? ", " : "", object->classid, object->objid,
						 object->objsubid, object->data_count);
	}
	appendStringInfoChar(&json, ']');
	return json.data;
}

/* Is the data of a dropped object in the archive, by itself or with its table? */
static bool
kept(const Archive *archive, const GuardObject *object)
{
	ListCell   *lc;

	foreach(lc, archive->parts)
	{
		const ArchivePart *part = lfirst(lc);
		size_t		length = strlen(part->identity);

		if (strncmp(object->identity, part->identity, length) == 0 &&
			(object->identity[length] == '\0' || object->identity[length] == '.'))
			return true;
	}
	return false;
}

/*
 * See archive.h.  What the trial has dropped is what this rollback drops: the
 * stand-ins of archived tables are new, so the guard has not noted them.
 */
void
archive_check(Run *run)
{
	Archive    *archive = run->archive;
	const char *args[1] = {psprintf(INT64_FORMAT, run->request->undoes)};
	RecordScope scope;
	char	   *users;
	ListCell   *lc;

	foreach(lc, run->effect->objects)
	{
		const GuardObject *object = lfirst(lc);

		if (strcmp(object->action, "dropped") == 0 && object->data_count > 0 && !kept(archive, object))
			ereport(ERROR,
					(errcode(ERRCODE_MG_ROLLBACK_DATA),
					 errmsg("cannot roll back \"%s\": %s %s got data while its archive was made",
							run->request->version, object->type, object->identity),
					 errhint("Try again.")));
	}
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT migmgr_internal.archive_users($1::pg_catalog.int8) AS users", SPI_OK_SELECT, 1, args);
	users = spi_text(0, "users");
	if (users != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_ROLLBACK_DEPENDS),
				 errmsg("cannot archive the data of \"%s\": something else still needs it", run->request->version),
				 errdetail("%s", users),
				 errhint("Drop it first, or let the way back drop it.")));
	record_end(&scope);
	SPI_finish();

	run->effect->objects = archive->dropped;
	foreach(lc, run->effect->objects)
	{
		GuardObject *object = lfirst(lc);

		if (kept(archive, object))
			object->data_count = 0;
	}
}

/* See archive.h.  Most versions have no archive: one look at an index tells. */
void
archive_bring_back(Run *run)
{
	Archive    *archive;
	List	   *steps;
	ListCell   *lc;

	run->archive = NULL;
	if (!own_any(MIGMGR_INTERNAL, "archive", "archive_kept", BTEqualStrategyNumber,
				 CStringGetTextDatum(run->request->version)))
		return;
	archive = palloc0(sizeof(Archive));
	steps = bring_back_plan(run, archive);
	foreach(lc, steps)
		bring_back_one(lfirst(lc));
	if (steps != NIL)
	{
		bring_back_close(archive, steps);
		run->archive = archive;
	}
}

/*
 * The steps, in the order in which foreign keys want them.  Only what this
 * script has made is filled: another table may have the old name by now.
 */
static List *
bring_back_plan(const Run *run, Archive *archive)
{
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;
	List	   *steps = NIL;
	const char *args[2] = {run->request->version, run->request->checksum};

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT p.archive, p.n, p.kind, p.identity, p.relid, p.attnum, p.owner, p.before, p.fill, p.after"
			 " FROM migmgr_internal.archive_plan($1, $2) AS p",
			 SPI_OK_SELECT, 2, args);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		BringBack  *step = palloc0(sizeof(BringBack));

		step->part = palloc0(sizeof(ArchivePart));
		step->part->kind = keep_text(context, i, "kind");
		step->part->identity = keep_text(context, i, "identity");
		step->archive = keep_text(context, i, "archive");
		step->n = keep_text(context, i, "n");
		step->relid = spi_int64(i, "relid", 0);
		step->attnum = spi_int64(i, "attnum", 0);
		step->owner = spi_int64(i, "owner", 0);
		step->before = keep_text(context, i, "before");
		step->fill = keep_text(context, i, "fill");
		step->after = keep_text(context, i, "after");
		if (step->fill != NULL && fresh_is_new(RelationRelationId, step->relid, step->attnum))
		{
			steps = lappend(steps, step);
			archive->parts = lappend(archive->parts, step->part);
			archive->schema = psprintf("migmgr_archive_%s", step->archive);
		}
		MemoryContextSwitchTo(old);
	}
	record_end(&scope);
	SPI_finish();
	return steps;
}

/* Runs migmgr's own statements; connected to SPI, recording. */
static void
run_sql(const char *sql)
{
	if (sql[0] != '\0' && SPI_execute(sql, false, 0) < 0)
		elog(ERROR, "SPI failed: %s", sql);
}

/* Brings back one table or column, and counts what is missing afterwards. */
static void
bring_back_one(BringBack *step)
{
	const char *args[4] = {step->archive, step->n, psprintf("%u", step->relid)};
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	run_sql(step->before);
	record_end(&scope);

	step->part->rows = fill_as_owner(step);

	record_begin(&scope);
	run_sql(step->after);
	args[3] = psprintf(INT64_FORMAT, step->part->rows);
	spi_exec("SELECT CASE WHEN a.kind = 'column' THEN pg_catalog.int8mi(a.row_count, $4::pg_catalog.int8)"
			 " ELSE migmgr_internal.archive_missing(a.seq, a.n, $3::pg_catalog.oid) END AS missing"
			 " FROM migmgr_internal.archive AS a WHERE a.seq = $1::pg_catalog.int8 AND a.n = $2::pg_catalog.int4",
			 SPI_OK_SELECT, 4, args);
	step->part->missing = spi_int64(0, "missing", 0);
	step->done = step->part->missing == 0;
	record_end(&scope);
	SPI_finish();
}

/*
 * Fills as the owner of the table and fenced in: constraints, expressions and
 * types of that owner's are evaluated.
 */
static int64
fill_as_owner(const BringBack *step)
{
	Oid			user;
	int			context;
	int			nestlevel = NewGUCNestLevel();
	int64		rows;

	GetUserIdAndSecContext(&user, &context);
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	SetUserIdAndSecContext(step->owner, context | SECURITY_RESTRICTED_OPERATION | SECURITY_NOFORCE_RLS);
	run_sql(step->fill);
	rows = (int64) SPI_processed;
	SetUserIdAndSecContext(user, context);
	AtEOXact_GUC(true, nestlevel);
	return rows;
}

/* Sequences go on; what came back in full is not archived any more. */
static void
bring_back_close(Archive *archive, const List *steps)
{
	StringInfoData done;
	RecordScope scope;
	const char *args[2];
	ListCell   *lc;

	initStringInfo(&done);
	appendStringInfoChar(&done, '{');
	foreach(lc, steps)
	{
		const BringBack *step = lfirst(lc);

		if (step->done)
			appendStringInfo(&done, "%s%s", done.len > 1 ? "," : "", step->n);
	}
	appendStringInfoChar(&done, '}');
	args[0] = ((BringBack *) linitial(steps))->archive;
	args[1] = done.data;
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT migmgr_internal.archive_close($1::pg_catalog.int8, $2::pg_catalog._int4)",
			 SPI_OK_SELECT, 2, args);
	record_end(&scope);
	SPI_finish();
}

/* See archive.h. */
char *
archive_words(const Archive *archive)
{
	StringInfoData words;
	ListCell   *lc;

	if (archive == NULL || archive->parts == NIL)
		return NULL;
	initStringInfo(&words);
	foreach(lc, archive->parts)
	{
		const ArchivePart *part = lfirst(lc);

		appendStringInfoString(&words, words.len > 0 ? ", " : "");
		if (part->rows < 0)
			appendStringInfoString(&words, "all");
		else
			appendStringInfo(&words, INT64_FORMAT, part->rows);
		appendStringInfo(&words, " %s%s of %s %s", strcmp(part->kind, "column") == 0 ? "value" : "row",
						 part->rows == 1 ? "" : "s", part->kind, part->identity);
		if (part->missing > 0)
			appendStringInfo(&words, " (" INT64_FORMAT " %s in %s)", part->missing,
							 part->missing == 1 ? "stays" : "stay", archive->schema);
	}
	return words.data;
}

/* See archive.h: `"schema": "...", "rows": {...}` inside of an object. */
void
archive_json(StringInfo json, const Archive *archive)
{
	ListCell   *lc;

	appendStringInfoString(json, "{\"schema\": ");
	escape_json(json, archive->schema);
	appendStringInfoString(json, ", \"rows\": {");
	foreach(lc, archive->parts)
	{
		const ArchivePart *part = lfirst(lc);

		appendStringInfoString(json, lc == list_head(archive->parts) ? "" : ", ");
		escape_json(json, part->identity);
		if (part->rows < 0)
			appendStringInfoString(json, ": null");
		else
			appendStringInfo(json, ": " INT64_FORMAT, part->rows);
	}
	appendStringInfoString(json, "}}");
}

/* purge_archive(archive, older_than, reason): one row for each that went. */
Datum
migmgr_purge_archive(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *args[2] = {
		PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0)),
		PG_ARGISNULL(1) ? NULL : DatumGetCString(DirectFunctionCall1(interval_out, PG_GETARG_DATUM(1))),
	};
	const char *reason = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	Datum		values[3];
	bool		nulls[3] = {false, false, false};
	RecordScope scope;
	SPITupleTable *found;
	uint64		count;

	run_begin("migmgr.purge_archive()");
	if (args[0] == NULL && args[1] == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("purge_archive() needs the name of an archive or an age"),
				 errhint("SELECT * FROM migmgr.archives; then for example SELECT * FROM migmgr.purge_archive(older_than => '90 days');")));
	own_lock(LOCK_APPLY, guc_apply_wait);
	ledger_check_home();
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT a.seq, a.version, pg_catalog.concat('migmgr_archive_', a.seq) AS schema FROM migmgr_internal.archive AS a"
			 " WHERE a.state = 'kept' AND ($1 IS NULL OR $1 = pg_catalog.concat('migmgr_archive_', a.seq))"
			 " GROUP BY a.seq, a.version HAVING $2 IS NULL OR"
			 "  pg_catalog.max(a.at) <= pg_catalog.clock_timestamp() - $2::pg_catalog.interval ORDER BY a.seq",
			 SPI_OK_SELECT, 2, args);
	found = SPI_tuptable;
	count = SPI_processed;
	if (count == 0 && args[0] != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no archive \"%s\" to purge", args[0]),
				 errhint("SELECT archive, version, object, age, state FROM migmgr.archives;")));
	for (uint64 i = 0; i < count; i++)
	{
		LedgerEntry entry = {.event = "archive purged"};
		StringInfoData detail;
		const char *seq = SPI_getvalue(found->vals[i], found->tupdesc, 1);
		const char *schema = SPI_getvalue(found->vals[i], found->tupdesc, 3);
		char	   *what;

		spi_exec("SELECT migmgr_internal.archive_purge($1::pg_catalog.int8) AS what", SPI_OK_SELECT, 1, &seq);
		what = spi_text(0, "what");
		entry.version = SPI_getvalue(found->vals[i], found->tupdesc, 2);
		initStringInfo(&detail);
		appendStringInfoString(&detail, "{\"archive\": ");
		escape_json(&detail, schema);
		appendStringInfoString(&detail, ", \"what\": ");
		escape_json(&detail, what ? what : "");
		if (reason != NULL)
		{
			appendStringInfoString(&detail, ", \"reason\": ");
			escape_json(&detail, reason);
		}
		appendStringInfoChar(&detail, '}');
		entry.detail = detail.data;
		ledger_append(&entry);
		values[0] = CStringGetTextDatum(schema);
		values[1] = CStringGetTextDatum("purged");
		values[2] = CStringGetTextDatum(what ? what : "");
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	record_end(&scope);
	SPI_finish();
	if (count == 0)
	{
		nulls[0] = true;
		values[1] = CStringGetTextDatum("nothing to do");
		values[2] = CStringGetTextDatum(psprintf("no archive is older than %s", args[1]));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
