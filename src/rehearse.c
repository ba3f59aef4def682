/*
 * rehearse.c
 *	  rehearse(): runs a script for real, measures it, and undoes it.
 *
 * The same way as an apply, dry: one result set, a summary first and then one
 * row per statement, so that it reads in psql as in a SQL editor.  What policy
 * asks about or denies runs all the same, since it is undone, and the rows say
 * what apply() would have said.  Two limits protect a server at work: a short
 * lock budget, and the size of the tables that a statement may read or write
 * as a whole.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"

#include "errors.h"
#include "facts.h"
#include "guc.h"
#include "inverse.h"
#include "ledger.h"
#include "lock.h"
#include "measure.h"
#include "run.h"

#define NUM_COLUMNS 18
#define LOCK_TIMEOUT_MS 500		/* unless told */
#define MAX_LOCKS 5				/* of a statement that are named */
#define MAX_OBJECTS 10

/* a row of the result, and what the summary is made of */
typedef struct RehearsedRow
{
	int			statement;		/* 0: the summary */
	int			line;
	const char *command;
	const char *object;
	const char *class;
	LOCKMODE	lock;
	const char *action;
	const char *reason;
	const char *rule;
	bool		blocks_reads;
	bool		blocks_writes;
	bool		rewrites;
	bool		scans;
	const char *hint;
	double		ms;
	int64		rows;			/* -1: none to count */
	const char *locks;
	const char *detail;
} RehearsedRow;

PG_FUNCTION_INFO_V1(migmgr_rehearse);

static void put_summary(ReturnSetInfo *result, const Run *run, const ErrorData *error);
static void put_statement(ReturnSetInfo *result, const Run *run, const RunStatement *done);
static void put_failed(ReturnSetInfo *result, const Run *run, const ErrorData *error);
static void put_row(ReturnSetInfo *result, const RehearsedRow *row);
static const char *verdict_of(const Tolerated *worst, const ErrorData *error);
static char *reason_of(const RunStatement *done, const Tolerated *said);
static char *notes_of(const Run *run, const RunStatement *done);
static void say_objects(StringInfo text, const Run *run, int statement);
static void say_way_back(StringInfo into, const Run *run);
static void say_some(StringInfo text, const Run *run, int statement, const char *action);

/* migmgr.rehearse(sql, options) */
Datum
migmgr_rehearse(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RunRequest	request = {.action = RUN_APPLY,.dry_run = true,.rehearse = true};
	ErrorData  *error;
	Run		   *run;
	ListCell   *lc;

	run_begin("migmgr.rehearse()");
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("the script has no SQL: it is null")));
	request.up = script_up("the script", script_canonical(text_to_cstring(PG_GETARG_TEXT_PP(0))));
	request.text = request.up;
	run_options_default(&request.options);
	request.options.lock_timeout = Min(LOCK_TIMEOUT_MS, guc_lock_timeout);
	request.options.max_retries = 0;
	request.options.max_size = guc_rehearse_limit;
	run_options_read(&request.options, PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1));

	own_lock(LOCK_APPLY, guc_apply_wait);
	run = run_tries(&request, &error);
	if (error != NULL)
	{
		run_explain(run, error);
		if (!request.options.report || error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
			error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
			ReThrowError(error);
	}

	InitMaterializedSRF(fcinfo, 0);
	put_summary(result, run, error);
	foreach(lc, run->done)
		put_statement(result, run, lfirst(lc));
	if (error != NULL && run->current != NULL)
		put_failed(result, run, error);
	return (Datum) 0;
}

/*
 * Raises MG231 when a statement would read or write more of a table than a
 * rehearsal may.
 */
void
rehearse_check_size(const Run *run, const Verdict *verdict)
{
	int64		bytes;
	double		rows;
	RelFacts	rel;

	if ((verdict->rewrites == TRI_NO && verdict->scans == TRI_NO) || !fact_relation(verdict->relid, &rel) ||
		rel.is_new || !fact_size(verdict->relid, &bytes, &rows) ||
		bytes / 1024 <= run->request->options.max_size)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_MG_TOO_LARGE),
			 errmsg("statement %d of the rehearsal, line %d, would %s %s of %s", verdict->statement, verdict->line,
					verdict->rewrites == TRI_NO ? "read" : "write again",
					measure_size(bytes), rel.name),
			 errdetail("A rehearsal takes the locks of the real run, for as long.  The limit is %s.",
					   measure_size(run->request->options.max_size * INT64CONST(1024))),
			 errhint("Ask SELECT * FROM migmgr.plan(...), which runs nothing; or rehearse on a copy; or allow it here: options => '{\"max_size\": \"%dMB\"}'.",
					 (int) (bytes / (1024 * 1024)) + 1)));
}

/* All of it in one row. */
static void
put_summary(ReturnSetInfo *result, const Run *run, const ErrorData *error)
{
	const Tolerated *worst = measure_tolerated(0);
	RehearsedRow row = {.command = "REHEARSAL",.rows = 0,.ms = run->ms};
	List	   *locks = NIL;
	StringInfoData detail;
	int64		written = 0;
	double		read = 0;
	bool		stays = false;
	int			statements = run->script == NULL ? 0 : list_length(run->script->statements);
	ListCell   *lc;

	foreach(lc, run->done)
	{
		const RunStatement *done = lfirst(lc);
		const Measured *measured = done->measured;

		locks = list_concat(locks, list_copy(measured->locks));
		written += measured->written;
		read += measured->read;
		row.rewrites |= measured->rewrites;
		row.scans |= measured->scans;
		row.rows += Max(done->rows, 0);
		stays |= measured->stays;
	}
	row.class = class_name(worst == NULL ? run->class : Max(run->class, worst->class));
	row.lock = measure_strongest(locks);
	row.blocks_reads = measure_blocks(locks, true);
	row.blocks_writes = measure_blocks(locks, false);
	row.action = policy_action_name(worst == NULL ? ACTION_ALLOW : worst->action);
	row.reason = verdict_of(worst, error);
	row.rule = worst == NULL ? NULL : worst->rule;
	row.hint = worst == NULL || worst->action == ACTION_ALLOW ? NULL : worst->hint;
	row.locks = measure_locks(locks, MAX_LOCKS, true);

	initStringInfo(&detail);
	appendStringInfo(&detail, "%d of %d %s ran; nothing was kept", list_length(run->done), statements,
					 statements == 1 ? "statement" : "statements");
	if (stays)
		appendStringInfoString(&detail, ", but for what is not undone: see below");
	if (written > 0)
		appendStringInfo(&detail, "; wrote again %s",
						 measure_size(written));
	if (read > 0)
		appendStringInfo(&detail, "; read %.0f rows in scans", read);
	say_objects(&detail, run, 0);
	say_way_back(&detail, run);
	row.detail = detail.data;
	put_row(result, &row);
}

/* What apply() would do. */
static const char *
verdict_of(const Tolerated *worst, const ErrorData *error)
{
	if (error != NULL)
		return psprintf("%s (%s)", error->message, unpack_sql_state(error->sqlerrcode));
	if (worst == NULL || worst->action == ACTION_ALLOW)
		return "apply() would run it";
	if (worst->action == ACTION_WARN)
		return psprintf("apply() would run it with a warning: statement %d is %s", worst->statement, class_name(worst->class));
	return psprintf("apply() would refuse it: statement %d would %s, which is %s in %s", worst->statement,
					worst->deed ? worst->deed : "run", class_name(worst->class),
					policy_environment_name(policy_environment()));
}

/* What a statement (0: all of them) made, changed and dropped. */
static void
say_objects(StringInfo text, const Run *run, int statement)
{
	static const char *const actions[] = {"created", "replaced", "changed", "dropped"};

	for (int i = 0; run->effect != NULL && i < lengthof(actions); i++)
		say_some(text, run, statement, actions[i]);
}

/* The way back that apply() would keep, and whether it leads back. */
static void
say_way_back(StringInfo into, const Run *run)
{
	const char *script = run->inverse == NULL ? NULL : run->inverse->script;

	if (run->reversible == NULL)
		return;
	appendStringInfo(into, "; way back: %s", run->reversible);
	if (script == NULL || *script == '\0')
		return;
	appendStringInfoString(into, ": ");
	for (const char *p = script; *p; p++)
		appendStringInfoChar(into, *p == '\n' ? ' ' : *p);
	while (into->len > 0 && into->data[into->len - 1] == ' ')
		into->data[--into->len] = '\0';
}

/* "; created table public.a, index public.a_pkey" */
static void
say_some(StringInfo text, const Run *run, int statement, const char *action)
{
	int			count = 0;
	ListCell   *lc;

	foreach(lc, run->effect->objects)
	{
		const GuardObject *object = lfirst(lc);

		if (strcmp(object->action, action) != 0 || (statement != 0 && object->statement != statement))
			continue;
		if (count == 0)
			appendStringInfo(text, "%s%s ", text->len > 0 ? "; " : "", action);
		if (count++ < MAX_OBJECTS)
			appendStringInfo(text, "%s%s %s", count > 1 ? ", " : "", object->type, object->identity);
	}
	if (count > MAX_OBJECTS)
		appendStringInfo(text, " and %d more", count - MAX_OBJECTS);
}

static void
put_statement(ReturnSetInfo *result, const Run *run, const RunStatement *done)
{
	const Tolerated *said = measure_tolerated(done->number);
	const Measured *measured = done->measured;
	RehearsedRow row = {
		.statement = done->number,
		.line = done->line,
		.command = done->command,
		.object = done->object,
		.class = said != NULL ? class_name(said->class) : done->class,
		.lock = measure_strongest(measured->locks),
		.action = policy_action_name(said == NULL ? ACTION_ALLOW : said->action),
		.reason = reason_of(done, said),
		.rule = said != NULL ? said->rule : done->rule,
		.blocks_reads = measure_blocks(measured->locks, true),
		.blocks_writes = measure_blocks(measured->locks, false),
		.rewrites = measured->rewrites,
		.scans = measured->scans,
		.hint = said != NULL && said->action >= ACTION_WARN ? said->hint : NULL,
		.ms = done->ms,
		.rows = done->rows,
		.locks = measure_locks(measured->locks, MAX_LOCKS, true),
		.detail = notes_of(run, done),
	};

	put_row(result, &row);
}

/* The statement that failed: what is known of it is its error. */
static void
put_failed(ReturnSetInfo *result, const Run *run, const ErrorData *error)
{
	RehearsedRow row = {
		.statement = run->current->number,
		.line = run->current->line,
		.action = "failed",
		.reason = error->message,
		.hint = error->hint,
		.rows = -1,
		.detail = error->detail,
	};

	put_row(result, &row);
}

/* Why policy says what it says, else what the statement is. */
static char *
reason_of(const RunStatement *done, const Tolerated *said)
{
	if (said == NULL || said->action == ACTION_ALLOW)
		return NULL;
	if (said->deed == NULL || said->reason == NULL)
		return pstrdup(said->reason ? said->reason : said->rule);
	return psprintf("would %s: %s", said->deed, said->reason);
}

/* What else a statement did, in one line; NULL for nothing. */
static char *
notes_of(const Run *run, const RunStatement *done)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, done->measured->notes)
		appendStringInfo(&text, "%s%s", text.len > 0 ? "; " : "", (char *) lfirst(lc));
	say_objects(&text, run, done->number);
	return text.len > 0 ? text.data : NULL;
}

static void
put_row(ReturnSetInfo *result, const RehearsedRow *row)
{
	const char *texts[NUM_COLUMNS] = {
		[2] = row->command,[3] = row->object,[4] = row->class,
		[5] = row->lock == NoLock ? NULL : GetLockmodeName(DEFAULT_LOCKMETHOD, row->lock),
		[6] = row->action,[7] = row->reason,[8] = row->rule,[13] = row->hint,[16] = row->locks,[17] = row->detail
	};
	Datum		values[NUM_COLUMNS];
	bool		nulls[NUM_COLUMNS];

	for (int i = 0; i < NUM_COLUMNS; i++)
	{
		nulls[i] = texts[i] == NULL;
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i]);
	}
	values[0] = Int32GetDatum(row->statement);
	nulls[0] = row->statement == 0;
	values[1] = Int32GetDatum(row->line);
	nulls[1] = row->line == 0;
	values[9] = BoolGetDatum(row->blocks_reads);
	values[10] = BoolGetDatum(row->blocks_writes);
	values[11] = BoolGetDatum(row->rewrites);
	values[12] = BoolGetDatum(row->scans);
	values[14] = Int64GetDatum((int64) row->ms);
	values[15] = Int64GetDatum(row->rows);
	nulls[9] = nulls[10] = nulls[11] = nulls[12] = nulls[14] = false;
	nulls[15] = row->rows < 0;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}
