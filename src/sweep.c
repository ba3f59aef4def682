/*
 * sweep.c
 *	  One pass over a watched job table.
 *
 * The running jobs are looked at once; the addresses of the stale ones are
 * kept, in physical order, and moved batch by batch.  Each batch is one
 * statement that locks with SKIP LOCKED and judges again what it locked, so
 * the addresses are hints only: a job that moved, was finished or came back
 * to life in between is not touched, and any number of sweeps may run.
 *
 * A batch that fails is undone and halved, until the row that refuses is
 * alone; it is counted and logged, and all the others go their way.
 *
 * Everything on the user's tables runs with the caller's rights.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/itemptr.h"
#include "storage/proc.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "errors.h"
#include "flag.h"
#include "guc.h"
#include "mode.h"
#include "spi_util.h"
#include "subxact.h"
#include "sweep.h"

#define MAX_ROW_LOGS 10

/*
 * Of the runbooks: no dead letters before the first is on, and no judging by
 * heartbeats before the workers send them.
 */
const char *const sweep_flags[2] = {"DLQ_ENABLED", "JOB_HEARTBEAT"};

/* a part of the candidates, on its way through a subtransaction */
typedef struct Batch
{
	Sweep	   *sweep;
	ItemPointer tids;
	int			ntids;
	int64		dead;
	int64		again;
} Batch;

static bool held_back(void);
static bool sweep_look(void *arg);
static void sweep_collect(Sweep *sweep, Datum array);
static void sweep_check_rights(const Watch *watch);
static int64 running_estimate(Sweep *sweep);
static bool sweep_preview(void *arg);
static void sweep_part(Sweep *sweep, ItemPointer tids, int ntids);
static bool sweep_batch(void *arg);
static bool sweep_settle(void *arg);
static bool concerns_row(const ErrorData *error);
static bool passes_by(const ErrorData *error);
static void row_error(Sweep *sweep, ItemPointer tid, const ErrorData *error);
static bool row_id(void *arg);
static SPIPlanPtr sweep_prepare(const char *sql, int nargs, Oid *types);
static void sweep_execute(SPIPlanPtr plan, Datum *values);
static void sweep_ask(Sweep *sweep, const char *sql, int nargs, Oid *types, Datum *values);
static int	sweep_settings(void);
static Datum new_ids(int n);
static Datum tid_array(ItemPointer tids, int ntids);
static int	compare_tids(const void *a, const void *b);

/*
 * Looks for stale jobs.  Connected to SPI; the result lives in the current
 * memory context and is given back with sweep_end, also when it has an error:
 * MG401 to MG403 say that the table cannot be swept at all.
 */
Sweep *
sweep_start(Oid relid, TimestampTz now, bool dry_run, bool commit)
{
	Sweep	   *sweep = palloc0(sizeof(Sweep));

	if (TIMESTAMP_NOT_FINITE(now))
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("now_at must be a point in time")));
	sweep->relid = relid;
	sweep->now = now;
	sweep->dry_run = dry_run;
	sweep->commit = commit;
	sweep->error = subxact_run(sweep_look, sweep);
	if (sweep->error == NULL && dry_run)
		sweep->error = subxact_run(sweep_preview, sweep);
	return sweep;
}

/* Moves the next batch; false when there is none left. */
bool
sweep_step(Sweep *sweep)
{
	int			n;

	if (sweep->error != NULL || sweep->dry_run || sweep->ntids == 0)
		return false;
	CHECK_FOR_INTERRUPTS();
	n = (int) Min(sweep->ntids, sweep->watch->batch_size);
	sweep_part(sweep, sweep->tids, n);
	sweep->tids += n;
	sweep->ntids -= n;
	return sweep->error == NULL;
}

/* After the last batch: dead letters whose retried job has ended. */
void
sweep_finish(Sweep *sweep)
{
	SweepCounts *counts = &sweep->counts;
	ErrorData  *error;

	if (sweep->error != NULL || sweep->dry_run)
		return;
	counts->skipped = counts->stale - counts->dead_lettered - counts->requeued - counts->errors;
	error = subxact_run(sweep_settle, sweep);
	if (error == NULL || passes_by(error))
		return;
	if (!concerns_row(error))
		sweep->error = error;
	else
	{
		counts->errors++;
		sweep->last_error = psprintf("settling retried dead letters: %s", error->message);
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("migmgr sweep of %s: %s", sweep->watch->name, sweep->last_error)));
	}
}

/* Gives back plans and watch, however the pass ended. */
void
sweep_end(Sweep *sweep)
{
	if (sweep->scan)
		SPI_freeplan(sweep->scan);
	if (sweep->batch)
		SPI_freeplan(sweep->batch);
	if (sweep->settle)
		SPI_freeplan(sweep->settle);
	if (sweep->other)
		SPI_freeplan(sweep->other);
	sweep->scan = sweep->batch = sweep->settle = sweep->other = NULL;
	if (sweep->watch)
		watch_unpin(sweep->watch);
	sweep->watch = NULL;
}

/* subxact_fn: watch, rights, plans, candidates. */
static bool
sweep_look(void *arg)
{
	static Oid	scan_types[] = {TIMESTAMPTZOID};
	static Oid	batch_types[] = {TIDARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID, JSONBOID, UUIDARRAYOID, BOOLOID};
	Sweep	   *sweep = arg;
	Watch	   *watch = sweep->watch = watch_pin(sweep->relid);
	Datum		values[1];
	Datum		metadata;
	const char *args[2];
	bool		isnull;

	sweep->cutoff = sweep->now - watch->stale_us;
	values[0] = TimestampTzGetDatum(sweep->cutoff);
	sweep_check_rights(watch);
	sweep->scan = sweep_prepare(sweep_scan_sql(watch), 1, scan_types);
	sweep_execute(sweep->scan, values);
	sweep->counts.running = spi_int64(0, "running", 0);
	sweep->counts.unjudged = spi_int64(0, "unjudged", 0);

	for (int i = 1; i <= 2; i++)
	{
		Datum		array = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i, &isnull);

		if (!isnull)
			sweep_collect(sweep, array);
	}
	SPI_freetuptable(SPI_tuptable);
	sweep->counts.stale = sweep->ntids;
	if (sweep->ntids > 1)
		qsort(sweep->tids, sweep->ntids, sizeof(ItemPointerData), compare_tids);
	if (watch->beat_index && sweep->counts.running > SWEEP_COUNT_CAP)
		sweep->counts.running = running_estimate(sweep);

	if (held_back() || mode_excuses_silence(watch->stale_us))
		sweep->ntids = 0;
	if (sweep->ntids > 0 && !sweep->dry_run)
	{
		sweep_ask(sweep, sweep_open_sql(watch), 0, NULL, NULL);
		sweep->open_letters = spi_bool(0, "open", true);
		sweep->batch = sweep_prepare(sweep_batch_sql(watch), 6, batch_types);
		args[0] = watch->name;
		args[1] = timestamptz_to_str(sweep->now);
		spi_exec("SELECT pg_catalog.jsonb_build_object('job_table', $1, 'detected_by', 'sweep', 'swept_at', $2::pg_catalog.timestamptz)",
				 SPI_OK_SELECT, 2, args);
		metadata = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
		sweep->metadata = PointerGetDatum(DatumGetJsonbPCopy(metadata));
	}
	if (!sweep->dry_run)
		sweep->settle = sweep_prepare(sweep_settle_sql(watch), 1, scan_types);
	return true;
}

/* Is a flag of the watchdog off, so that no job is to be moved? */
static bool
held_back(void)
{
	for (int i = 0; i < lengthof(sweep_flags); i++)
	{
		if (flag_percent(sweep_flags[i]) == 0)
			return true;
	}
	return false;
}

/* Appends an array of addresses to the candidates. */
static void
sweep_collect(Sweep *sweep, Datum datum)
{
	ArrayType  *array = DatumGetArrayTypeP(datum);
	Datum	   *elements;
	int			n;

	deconstruct_array(array, TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT, &elements, NULL, &n);
	if (sweep->tids == NULL)
		sweep->tids = MemoryContextAllocHuge(CurrentMemoryContext, (Size) n * sizeof(ItemPointerData));
	else
		sweep->tids = repalloc_huge(sweep->tids, (Size) (sweep->ntids + n) * sizeof(ItemPointerData));
	for (int i = 0; i < n; i++)
		ItemPointerCopy((ItemPointer) DatumGetPointer(elements[i]), &sweep->tids[sweep->ntids++]);
	pfree(elements);
}

/*
 * The rights that the statements will need.  Asked beforehand, so that the
 * answer is a sentence, and a row security policy is an error and not a
 * smaller result.
 */
static void
sweep_check_rights(const Watch *watch)
{
	const char *purpose = psprintf("sweep %s", watch->name);

	watch_check_rights(watch->relid, ACL_SELECT | ACL_UPDATE, purpose);
	watch_check_rls(watch->relid, purpose);
	watch_check_rights(watch->dlq.relid, ACL_SELECT | ACL_INSERT | ACL_UPDATE, purpose);
	watch_check_rls(watch->dlq.relid, purpose);
}

/*
 * How many jobs run, where counting them would be the dearest part of a
 * sweep: what the last VACUUM or ANALYZE found in the index of the running
 * ones.  Without such an index they are counted.
 */
static int64
running_estimate(Sweep *sweep)
{
	const char *args[2];
	int64		estimate;

	args[0] = psprintf("%u", sweep->watch->relid);
	args[1] = psprintf("%d", (int) get_attnum(sweep->watch->relid, sweep->watch->plain_status));
	spi_exec("SELECT c.reltuples::pg_catalog.int8 AS n FROM pg_catalog.pg_index AS i"
			 " JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid"
			 " JOIN pg_catalog.pg_depend AS d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass"
			 "  AND d.objid OPERATOR(pg_catalog.=) i.indexrelid AND d.refobjid OPERATOR(pg_catalog.=) i.indrelid"
			 "  AND d.refobjsubid OPERATOR(pg_catalog.=) $2::pg_catalog.int4"
			 " WHERE i.indrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid AND i.indisvalid AND i.indpred IS NOT NULL"
			 " ORDER BY c.reltuples DESC LIMIT 1",
			 SPI_OK_SELECT, 2, args);
	estimate = SPI_processed > 0 ? spi_int64(0, "n", -1) : -1;
	if (estimate <= SWEEP_COUNT_CAP)
	{
		sweep_ask(sweep, sweep_count_sql(sweep->watch), 0, NULL, NULL);
		estimate = spi_int64(0, "running", 0);
	}
	return Max(estimate, sweep->counts.stale);
}

/* subxact_fn: what a dry run says would happen. */
static bool
sweep_preview(void *arg)
{
	static Oid	types[] = {TIDARRAYOID, TIMESTAMPTZOID};
	Sweep	   *sweep = arg;
	SweepCounts *counts = &sweep->counts;
	Datum		values[2];

	counts->dead_lettered = sweep->ntids;
	counts->skipped = counts->stale - counts->dead_lettered;
	if (sweep->ntids == 0 ||
		(sweep->watch->column[JOB_ATTEMPTS] == NULL &&
		 flag_percent(sweep_flags[0]) < 0 && flag_percent(sweep_flags[1]) < 0))
		return true;
	values[0] = tid_array(sweep->tids, sweep->ntids);
	values[1] = TimestampTzGetDatum(sweep->cutoff);
	sweep_ask(sweep, sweep_preview_sql(sweep->watch), 2, types, values);
	counts->dead_lettered = spi_int64(0, "dead", 0);
	counts->requeued = spi_int64(0, "again", 0);
	counts->skipped = counts->stale - counts->dead_lettered - counts->requeued;
	return true;
}

/*
 * Moves some candidates: at once if they all can, else in halves.  Stops at
 * what is no fault of a row: a cancel, a full disk, a read-only transaction.
 */
static void
sweep_part(Sweep *sweep, ItemPointer tids, int ntids)
{
	Batch		batch = {.sweep = sweep,.tids = tids,.ntids = ntids};
	ErrorData  *error = subxact_run(sweep_batch, &batch);

	if (error == NULL)
	{
		sweep->counts.dead_lettered += batch.dead;
		sweep->counts.requeued += batch.again;
		return;
	}
	if (!concerns_row(error) && !passes_by(error))
	{
		sweep->error = error;
		return;
	}

	CHECK_FOR_INTERRUPTS();
	if (ntids > 1)
	{
		sweep_part(sweep, tids, ntids / 2);
		if (sweep->error == NULL)
			sweep_part(sweep, tids + ntids / 2, ntids - ntids / 2);
	}
	else if (concerns_row(error))
	{
		sweep->counts.errors++;
		row_error(sweep, tids, error);
	}
	FreeErrorData(error);
}

/* subxact_fn: one batch, one statement; all of it or nothing. */
static bool
sweep_batch(void *arg)
{
	Batch	   *batch = arg;
	Sweep	   *sweep = batch->sweep;
	Datum		values[6];
	int64		kept;
	int64		rows;

	values[0] = tid_array(batch->tids, batch->ntids);
	values[1] = TimestampTzGetDatum(sweep->cutoff);
	values[2] = TimestampTzGetDatum(sweep->now);
	values[3] = sweep->metadata;
	values[4] = new_ids(batch->ntids);
	values[5] = BoolGetDatum(sweep->open_letters);
	sweep_execute(sweep->batch, values);

	batch->dead = spi_int64(0, "dead", 0);
	batch->again = spi_int64(0, "again", 0);
	kept = spi_int64(0, "kept", 0);
	rows = spi_int64(0, "added", 0) + spi_int64(0, "reopened", 0);
	SPI_freetuptable(SPI_tuptable);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[4]));

	/* what is deferred must fail here, where it costs one job, not all */
	if (sweep->commit && SPI_execute("SET CONSTRAINTS ALL IMMEDIATE", false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not set constraints");

	/* a trigger or a rule can have swallowed either half of the move */
	if (rows != batch->dead)
		ereport(ERROR,
				(errcode(ERRCODE_MG_DLQ),
				 errmsg("table %s did not keep the dead letter of a job of %s", sweep->watch->dlq.name, sweep->watch->name),
				 errdetail(INT64_FORMAT " jobs were to leave, " INT64_FORMAT " rows were written.", batch->dead, rows),
				 errhint("Look for a trigger or a rule on %s.", sweep->watch->dlq.name)));
	if (kept != batch->dead + batch->again)
		ereport(ERROR,
				(errcode(ERRCODE_MG_DLQ),
				 errmsg("a trigger on table %s did not keep the status of a stale job", sweep->watch->name)));
	return true;
}

/* subxact_fn */
static bool
sweep_settle(void *arg)
{
	Sweep	   *sweep = arg;
	Datum		values[1] = {TimestampTzGetDatum(sweep->now)};

	sweep_execute(sweep->settle, values);
	SPI_freetuptable(SPI_tuptable);
	return true;
}

/*
 * May the error come from one row's contents?  Not so what says that the
 * session is to stop (57), that the server lacks something (53, 58), or that
 * this transaction may not write (25).
 */
static bool
concerns_row(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return !passes_by(error) &&
		category != ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION) &&
		category != ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES) &&
		category != ERRCODE_TO_CATEGORY(ERRCODE_SYSTEM_ERROR) &&
		category != ERRCODE_TO_CATEGORY(ERRCODE_INVALID_TRANSACTION_STATE);
}

/* Did somebody else just hold or change the row?  The next sweep will see. */
static bool
passes_by(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE;
}

/* Keeps and logs why one job could not be moved. */
static void
row_error(Sweep *sweep, ItemPointer tid, const ErrorData *error)
{
	Batch		batch = {.sweep = sweep,.tids = tid,.ntids = 1};
	char	   *id = NULL;
	ErrorData  *lookup = subxact_run(row_id, &batch);

	if (lookup != NULL && !concerns_row(lookup) && !passes_by(lookup))
		sweep->error = lookup;
	if (lookup == NULL && SPI_processed > 0)
		id = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);

	sweep->last_error = psprintf("job %s: %s", id ? id : "?", error->message);
	if (sweep->logged++ < MAX_ROW_LOGS)
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("migmgr sweep of %s could not move job %s: %s", sweep->watch->name, id ? id : "?", error->message),
				 error->detail ? errdetail_internal("%s", error->detail) : 0));
}

/* subxact_fn: the id of the job at an address */
static bool
row_id(void *arg)
{
	static Oid	types[] = {TIDOID};
	Batch	   *batch = arg;
	Watch	   *watch = batch->sweep->watch;
	Datum		values[1] = {PointerGetDatum(batch->tids)};
	char	   *sql = psprintf("SELECT j.%s::pg_catalog.text FROM %s AS j WHERE j.ctid OPERATOR(pg_catalog.=) $1",
							   watch->column[JOB_ID], watch->name);

	if (SPI_execute_with_args(sql, 1, types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the id of a job");
	return true;
}

/* A kept plan: unsaved ones would not notice a change of the table. */
static SPIPlanPtr
sweep_prepare(const char *sql, int nargs, Oid *types)
{
	int			settings = sweep_settings();
	SPIPlanPtr	plan = SPI_prepare_cursor(sql, nargs, types, CURSOR_OPT_GENERIC_PLAN);

	AtEOXact_GUC(true, settings);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI could not prepare (%s): %s", SPI_result_code_string(SPI_result), sql);
	return plan;
}

/*
 * Runs a statement that returns one row.  It is planned with the ways of
 * access that suit a batch (by address, by index, row by row), whatever the
 * statistics of a queue table say at the moment; those settings end before
 * it runs, because the user's triggers plan their own statements.
 */
static void
sweep_execute(SPIPlanPtr plan, Datum *values)
{
	static const char *const off[] = {
		"enable_hashjoin", "enable_mergejoin", "enable_seqscan", "jit",
	};
	int			settings = sweep_settings();
	int			planning = NewGUCNestLevel();
	CachedPlan *cached;

	for (int i = 0; i < lengthof(off); i++)
		(void) set_config_option(off[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	PushActiveSnapshot(GetTransactionSnapshot());
	cached = SPI_plan_get_cached_plan(plan);
	PopActiveSnapshot();
	AtEOXact_GUC(true, planning);
	if (cached != NULL)
		ReleaseCachedPlan(cached, CurrentResourceOwner);

	if (SPI_execute_plan(plan, values, NULL, false, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "sweep statement returned no row");
	AtEOXact_GUC(true, settings);
}

/* A question asked once; the answer is in SPI_tuptable. */
static void
sweep_ask(Sweep *sweep, const char *sql, int nargs, Oid *types, Datum *values)
{
	if (sweep->other)
		SPI_freeplan(sweep->other);
	sweep->other = NULL;
	sweep->other = sweep_prepare(sql, nargs, types);
	sweep_execute(sweep->other, values);
}

/*
 * While a sweep's statement runs: never wait long for a lock, and let row
 * security (which was found not to apply, or to show everything) not raise.
 * Returns the nest level to end.
 */
static int
sweep_settings(void)
{
	int			nestlevel = NewGUCNestLevel();

	(void) set_config_option("row_security", "on", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (LockTimeout == 0 || LockTimeout > guc_lock_timeout)
		(void) set_config_option("lock_timeout", psprintf("%d", guc_lock_timeout),
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return nestlevel;
}

/*
 * Ids for the letters of a batch, as version 7 uuids: time and chance, which
 * are the same for all of them, and a number that counts up.  They cost less
 * to make than random ones, and much less to put into the primary key.
 */
static Datum
new_ids(int n)
{
	int64		ms = GetCurrentTimestamp() / 1000 + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * INT64CONST(86400000);
	pg_uuid_t  *ids = palloc(n * sizeof(pg_uuid_t));
	Datum	   *elements = palloc(n * sizeof(Datum));
	pg_uuid_t	first;
	ArrayType  *array;

	if (!pg_strong_random(first.data, UUID_LEN))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	for (int i = 0; i < 6; i++)
		first.data[i] = (uint8) (ms >> (8 * (5 - i)));
	first.data[6] = (first.data[6] & 0x0f) | 0x70;
	first.data[8] = (first.data[8] & 0x3f) | 0x80;
	for (int i = 0; i < n; i++)
	{
		ids[i] = first;
		ids[i].data[12] = (uint8) (i >> 24);
		ids[i].data[13] = (uint8) (i >> 16);
		ids[i].data[14] = (uint8) (i >> 8);
		ids[i].data[15] = (uint8) i;
		elements[i] = UUIDPGetDatum(&ids[i]);
	}
	array = construct_array(elements, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
	pfree(elements);
	pfree(ids);
	return PointerGetDatum(array);
}

static Datum
tid_array(ItemPointer tids, int ntids)
{
	Datum	   *elements = palloc_extended((Size) ntids * sizeof(Datum), MCXT_ALLOC_HUGE);
	ArrayType  *array;

	for (int i = 0; i < ntids; i++)
		elements[i] = PointerGetDatum(&tids[i]);
	array = construct_array(elements, ntids, TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT);
	pfree(elements);
	return PointerGetDatum(array);
}

static int
compare_tids(const void *a, const void *b)
{
	return ItemPointerCompare((ItemPointer) unconstify(void *, a), (ItemPointer) unconstify(void *, b));
}
