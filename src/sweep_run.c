/*
 * sweep_run.c
 *	  sweep(), run_sweeps() and the record of what they did.
 *
 * The function is one transaction and answers; the procedure is for a
 * scheduler: it commits after every batch, goes on for as long as it was
 * told, gives way to another one at work, and puts no table's trouble before
 * another's sweep.  A sweep leaves a row in a bounded table, not in the
 * ledger: there is one every minute.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_extension.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "errors.h"
#include "ledger.h"
#include "lock.h"
#include "progress.h"
#include "spi_util.h"
#include "subxact.h"
#include "sweep.h"
#include "tell.h"

#define PASS_EVERY_MS	5000
#define MAX_SECONDS		3600

/* one table's part of a call, over all its passes */
typedef struct SweepLog
{
	char	   *name;
	int64		id;				/* of its row, 0 before there is one */
	int64		passes;
	SweepCounts total;
	char	   *last_error;
	int64		told;			/* dead letters that listeners know of */
} SweepLog;

PG_FUNCTION_INFO_V1(migmgr_sweep);
PG_FUNCTION_INFO_V1(migmgr_run_sweeps);

static ErrorData *sweep_one(SweepLog *log, Oid relid, TimestampTz now, bool dry_run, bool commit);
static bool sweep_named(SweepLog *log, const WatchName *name, TimestampTz now, bool dry_run, bool commit);
static ErrorData *copy_error(const ErrorData *error);
static void add_counts(SweepCounts *total, const SweepCounts *counts);
static void write_log(SweepLog *log, const SweepCounts *underway);
static void tell_growth(SweepLog *log);
static void return_log(FunctionCallInfo fcinfo, const SweepLog *log);
static char *run_passes(int seconds);
static SweepLog *find_log(List **logs, const char *name);
static void wait_until(TimestampTz until);

/*
 * migmgr.sweep(job_table, now_at, dry_run): one pass over one table, or over
 * all; the whole of it in the caller's transaction.  A table that cannot be
 * swept is an error when it was named, else a row with errors.
 */
Datum
migmgr_sweep(PG_FUNCTION_ARGS)
{
	bool		dry_run = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	TimestampTz now = PG_ARGISNULL(1) ? GetCurrentTransactionStartTimestamp() : PG_GETARG_TIMESTAMPTZ(1);
	SweepLog   *log;
	ErrorData  *error;
	List	   *watches;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	if (!dry_run)
		PreventCommandIfReadOnly("migmgr.sweep()");

	if (!PG_ARGISNULL(0))
	{
		log = palloc0(sizeof(SweepLog));
		log->name = watch_qualified(PG_GETARG_OID(0));
		error = sweep_one(log, PG_GETARG_OID(0), now, dry_run, false);
		if (error != NULL)
			ReThrowError(error);
		return_log(fcinfo, log);
		return (Datum) 0;
	}

	watches = watch_list();
	foreach(lc, watches)
	{
		WatchName  *name = lfirst(lc);

		log = palloc0(sizeof(SweepLog));
		log->name = name->name;
		(void) sweep_named(log, name, now, dry_run, false);
		return_log(fcinfo, log);
	}
	if (watches == NIL)
	{
		log = palloc0(sizeof(SweepLog));
		log->name = "(no table is watched)";
		return_log(fcinfo, log);
	}
	return (Datum) 0;
}

/*
 * One pass over one table; returns what ended it, or NULL.  With commit every
 * batch is committed together with the record of it, so that the record is
 * true whatever ends the session.
 */
static ErrorData *
sweep_one(SweepLog *log, Oid relid, TimestampTz now, bool dry_run, bool commit)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;
	Sweep	   *sweep;
	instr_time	start,
				duration;

	INSTR_TIME_SET_CURRENT(start);
	own_show();
	progress_state(psprintf("sweep of %s", log->name), "looks for stale jobs");
	SPI_connect_ext(commit ? SPI_OPT_NONATOMIC : 0);
	sweep = sweep_start(relid, now, dry_run, commit);
	PG_TRY();
	{
		while (sweep_step(sweep))
		{
			progress_state(psprintf("sweep of %s", log->name),
						   psprintf(INT64_FORMAT " jobs moved so far",
									sweep->counts.dead_lettered + sweep->counts.requeued));
			if (!commit)
				continue;
			write_log(log, &sweep->counts);
			SPI_commit();
		}
		sweep_finish(sweep);
	}
	PG_FINALLY();
	{
		sweep_end(sweep);
		progress_end();
	}
	PG_END_TRY();

	INSTR_TIME_SET_CURRENT(duration);
	INSTR_TIME_SUBTRACT(duration, start);
	sweep->counts.ms = INSTR_TIME_GET_MILLISEC(duration);
	log->passes++;
	add_counts(&log->total, &sweep->counts);
	MemoryContextSwitchTo(context);
	if (sweep->last_error != NULL)
		log->last_error = pstrdup(sweep->last_error);
	if (sweep->error != NULL)
	{
		error = copy_error(sweep->error);
		log->last_error = pstrdup(error->message);
		log->total.errors++;
	}
	if (!dry_run)
		write_log(log, NULL);
	if (commit)
		SPI_commit();
	SPI_finish();
	return error;
}

/*
 * The same for one of many: its trouble is warned of and recorded, and the
 * next one has its turn.  Only a cancel or a shutdown is raised.  Returns
 * whether it could be swept.
 */
static bool
sweep_named(SweepLog *log, const WatchName *name, TimestampTz now, bool dry_run, bool commit)
{
	ErrorData  *error;

	if (!OidIsValid(name->relid))
	{
		log->total.errors++;
		log->last_error = psprintf("watched table %s does not exist", name->name);
		if (!dry_run)
			write_log(log, NULL);
		ereport(WARNING,
				(errcode(ERRCODE_MG_BAD_JOB_TABLE),
				 errmsg("watched table %s does not exist", name->name),
				 errdetail("A watch goes by name: was the table renamed?"),
				 errhint("Watch it under its new name, and SELECT * FROM migmgr.unwatch('%s');", name->name)));
		return false;
	}

	error = sweep_one(log, name->relid, now, dry_run, commit);
	if (error == NULL)
		return true;
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION))
		ReThrowError(error);
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("could not sweep %s: %s", name->name, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0));
	return false;
}

/* A copy in the current context of what a caller needs to raise it again. */
static ErrorData *
copy_error(const ErrorData *error)
{
	ErrorData  *copy = palloc0(sizeof(ErrorData));

	copy->elevel = error->elevel;
	copy->sqlerrcode = error->sqlerrcode;
	copy->domain = error->domain;
	copy->context_domain = error->context_domain;
	copy->message_id = error->message_id;
	copy->filename = error->filename;
	copy->lineno = error->lineno;
	copy->funcname = error->funcname;
	copy->message = error->message ? pstrdup(error->message) : NULL;
	copy->detail = error->detail ? pstrdup(error->detail) : NULL;
	copy->hint = error->hint ? pstrdup(error->hint) : NULL;
	copy->context = error->context ? pstrdup(error->context) : NULL;
	copy->output_to_server = error->output_to_server;
	copy->output_to_client = error->output_to_client;
	copy->assoc_context = CurrentMemoryContext;
	return copy;
}

static void
add_counts(SweepCounts *total, const SweepCounts *counts)
{
	total->running = counts->running;
	total->unjudged = counts->unjudged;
	total->stale += counts->stale;
	total->dead_lettered += counts->dead_lettered;
	total->requeued += counts->requeued;
	total->skipped += counts->skipped;
	total->errors += counts->errors;
	total->ms += counts->ms;
}

/*
 * Writes or renews the row of a call: what it did before, and what is under
 * way.  Rows beyond the newest 5,000 go, a few at a time, and never waiting
 * for another session that removes the same ones.
 */
static void
write_log(SweepLog *log, const SweepCounts *underway)
{
	SweepCounts sum = log->total;
	const char *args[14];
	RecordScope scope;

	if (underway != NULL)
		add_counts(&sum, underway);
	args[0] = log->id ? psprintf(INT64_FORMAT, log->id) : NULL;
	args[1] = log->name;
	args[2] = psprintf(INT64_FORMAT, sum.running);
	args[3] = psprintf(INT64_FORMAT, sum.stale);
	args[4] = psprintf(INT64_FORMAT, sum.dead_lettered);
	args[5] = psprintf(INT64_FORMAT, sum.requeued);
	args[6] = psprintf(INT64_FORMAT, sum.skipped);
	args[7] = psprintf(INT64_FORMAT, sum.errors);
	args[8] = psprintf(INT64_FORMAT, sum.unjudged);
	args[9] = psprintf(INT64_FORMAT, log->passes);
	args[10] = psprintf("%.0f", sum.ms);
	args[11] = log->last_error;
	args[12] = GetUserNameFromId(GetUserId(), false);
	args[13] = underway ? "false" : "true";

	SPI_connect();
	record_begin(&scope);
	if (log->id == 0)
	{
		spi_exec("INSERT INTO migmgr_internal.sweep AS s (started_at, finished_at, job_table, running, stale, dead_lettered,"
				 " requeued, skipped, errors, unjudged, passes, ms, last_error, role)"
				 " SELECT pg_catalog.clock_timestamp(), CASE WHEN $14::pg_catalog.bool AND $1 IS NULL THEN pg_catalog.clock_timestamp() END,"
				 " $2, $3::pg_catalog.int8, $4::pg_catalog.int8, $5::pg_catalog.int8, $6::pg_catalog.int8, $7::pg_catalog.int8,"
				 " $8::pg_catalog.int8, $9::pg_catalog.int8, $10::pg_catalog.int8, $11::pg_catalog.int8, $12, $13 RETURNING s.id",
				 SPI_OK_INSERT_RETURNING, 14, args);
		log->id = spi_int64(0, "id", 0);
		args[0] = psprintf(INT64_FORMAT, log->id - 5000);
		spi_exec("DELETE FROM migmgr_internal.sweep AS s WHERE s.id IN (SELECT o.id FROM migmgr_internal.sweep AS o"
				 " WHERE o.id <= $1::pg_catalog.int8 ORDER BY o.id LIMIT 100 FOR UPDATE SKIP LOCKED)",
				 SPI_OK_DELETE, 1, args);
	}
	else
		spi_exec("UPDATE migmgr_internal.sweep AS s SET finished_at = CASE WHEN $14::pg_catalog.bool THEN pg_catalog.clock_timestamp() END,"
				 " running = $3::pg_catalog.int8, stale = $4::pg_catalog.int8, dead_lettered = $5::pg_catalog.int8,"
				 " requeued = $6::pg_catalog.int8, skipped = $7::pg_catalog.int8, errors = $8::pg_catalog.int8,"
				 " unjudged = $9::pg_catalog.int8, passes = $10::pg_catalog.int8, ms = $11::pg_catalog.int8,"
				 " last_error = $12, role = $13 WHERE s.id = $1::pg_catalog.int8 AND s.job_table = $2",
				 SPI_OK_UPDATE, 14, args);
	if (underway == NULL && log->total.dead_lettered > log->told)
		tell_growth(log);
	record_end(&scope);
	SPI_finish();
}

/*
 * Tells who listens when the dead letters of an hour reach 10, 100, 1,000 and
 * so on: that the queue grows, not each letter.  Connected to SPI, recording.
 */
static void
tell_growth(SweepLog *log)
{
	const char *args[2];
	int64		before;
	int64		after;
	int64		threshold = 10;

	args[0] = log->name;
	args[1] = psprintf(INT64_FORMAT, log->id);
	spi_exec("SELECT pg_catalog.sum(s.dead_lettered)::pg_catalog.int8 AS letters FROM migmgr_internal.sweep AS s"
			 " WHERE s.job_table = $1 AND s.started_at > pg_catalog.clock_timestamp() - '1 hour'::pg_catalog.interval"
			 " AND s.id <> $2::pg_catalog.int8",
			 SPI_OK_SELECT, 2, args);
	before = spi_int64(0, "letters", 0) + log->told;
	after = before - log->told + log->total.dead_lettered;
	log->told = log->total.dead_lettered;
	while (threshold <= before)
		threshold *= 10;
	if (after >= threshold)
	{
		StringInfoData json;

		initStringInfo(&json);
		appendStringInfoString(&json, "{\"job_table\": ");
		escape_json(&json, log->name);
		appendStringInfo(&json, ", \"letters\": " INT64_FORMAT ", \"within\": \"1 hour\"}", after);
		tell_event("dead letters growing", NULL, json.data);
	}
}

/* One row of sweep(). */
static void
return_log(FunctionCallInfo fcinfo, const SweepLog *log)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const SweepCounts *total = &log->total;
	Datum		values[8];
	bool		nulls[8] = {0};

	values[0] = CStringGetTextDatum(log->name);
	values[1] = Int64GetDatum(total->running);
	values[2] = Int64GetDatum(total->stale);
	values[3] = Int64GetDatum(total->dead_lettered);
	values[4] = Int64GetDatum(total->requeued);
	values[5] = Int64GetDatum(total->skipped);
	values[6] = Int64GetDatum(total->errors);
	values[7] = Int64GetDatum((int64) total->ms);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * CALL migmgr.run_sweeps(seconds): for a scheduler.  Raises, at its very end
 * and with everything committed, when a table could not be swept at all, so
 * that the scheduler's own log shows it.
 */
Datum
migmgr_run_sweeps(PG_FUNCTION_ARGS)
{
	volatile int seconds = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0);
	bool		atomic = fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic;
	char	   *volatile failed = NULL;
	LOCKTAG		tag;

	if (atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("run_sweeps() commits, and cannot do so here"),
				 errdetail("It was called in a transaction block, from a function, or behind another statement."),
				 errhint("Use CALL migmgr.run_sweeps() by itself, or SELECT * FROM migmgr.sweep();")));
	if (seconds < 0 || seconds > MAX_SECONDS)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("seconds must be between 0 and %d", MAX_SECONDS)));
	PreventCommandIfReadOnly("migmgr.run_sweeps()");
	PreventCommandDuringRecovery("migmgr.run_sweeps()");

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId, ledger_extension(), LOCK_SWEEP);
	if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
	{
		ereport(NOTICE, (errmsg("another session is running sweeps in this database")));
		PG_RETURN_VOID();
	}

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	PG_TRY();
	{
		failed = run_passes(seconds);
	}
	PG_FINALLY();
	{
		LockRelease(&tag, ExclusiveLock, true);
	}
	PG_END_TRY();

	if (failed != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_JOB_TABLE),
				 errmsg("could not sweep %s", failed),
				 errdetail("What could be swept was, and is committed."),
				 errhint("SELECT job_table, last_error FROM migmgr.sweeps;")));
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * Passes over all tables, one every five seconds until the time is over (one
 * in any case).  Between them nothing is held: no snapshot, no lock but the
 * one that keeps other callers away.  Returns the tables of the last pass
 * that could not be swept, or NULL.
 */
static char *
run_passes(int seconds)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), seconds * (int64) 1000);
	List	   *logs = NIL;

	for (;;)
	{
		TimestampTz start = GetCurrentTimestamp();
		TimestampTz next = TimestampTzPlusMilliseconds(start, PASS_EVERY_MS);
		StringInfoData failed;
		ListCell   *lc;

		initStringInfo(&failed);
		foreach(lc, watch_list())
		{
			WatchName  *name = lfirst(lc);

			if (!sweep_named(find_log(&logs, name->name), name, start, false, true))
				appendStringInfo(&failed, "%s%s", failed.len ? ", " : "", name->name);
		}
		SPI_commit();
		if (next > end)
			return failed.len > 0 ? failed.data : NULL;
		wait_until(next);
	}
}

/* The record of a table within this call. */
static SweepLog *
find_log(List **logs, const char *name)
{
	SweepLog   *log;
	ListCell   *lc;

	foreach(lc, *logs)
	{
		log = lfirst(lc);
		if (strcmp(log->name, name) == 0)
			return log;
	}
	log = palloc0(sizeof(SweepLog));
	log->name = pstrdup(name);
	*logs = lappend(*logs, log);
	return log;
}

/* Sleeps, interruptibly. */
static void
wait_until(TimestampTz until)
{
	for (;;)
	{
		long		ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);

		CHECK_FOR_INTERRUPTS();
		if (ms <= 0)
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}
