/*
 * heartbeat.c
 *	  A worker says that it is alive, and learns whether the job is still its.
 *
 * One UPDATE with a plan kept per job table; nothing is looked up but the
 * table's name.  The time is the clock's, not the transaction's: a worker in
 * a long transaction would otherwise report the moment it began.  It runs
 * with the caller's rights and search_path, because the table's triggers are
 * the user's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "errors.h"
#include "spi_util.h"
#include "watch.h"

PG_FUNCTION_INFO_V1(migmgr_heartbeat);
PG_FUNCTION_INFO_V1(migmgr_heartbeat_many);

static SPIPlanPtr beat_plan(Watch *watch, bool progress, bool attempt);
static SPIPlanPtr beat_many_plan(Watch *watch);
static Datum job_id(Watch *watch, Oid argtype, Datum value);
static void require_column(const Watch *watch, JobColumn column, const char *argument);
static SPIPlanPtr keep_plan(const char *sql, int nargs, Oid *types);

/*
 * migmgr.heartbeat(job_table, job_id, progress, attempt) for an id of type
 * text, uuid or bigint.  False: no running job of that id (and attempt).
 */
Datum
migmgr_heartbeat(PG_FUNCTION_ARGS)
{
	bool		progress = !PG_ARGISNULL(2);
	bool		attempt = !PG_ARGISNULL(3);
	Datum		values[3] = {0};
	Watch	   *watch;
	volatile bool alive = false;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("job_table must not be null")));
	watch = watch_pin(PG_GETARG_OID(0));

	PG_TRY();
	{
		if (progress)
			require_column(watch, JOB_PROGRESS, "progress");
		if (attempt)
			require_column(watch, JOB_ATTEMPTS, "attempt");
		if (!PG_ARGISNULL(1))
		{
			SPIPlanPtr	plan = beat_plan(watch, progress, attempt);

			values[0] = job_id(watch, get_fn_expr_argtype(fcinfo->flinfo, 1), PG_GETARG_DATUM(1));
			if (progress)
				values[1] = PG_GETARG_DATUM(2);
			if (attempt)
				values[progress ? 2 : 1] = PG_GETARG_DATUM(3);

			SPI_connect();
			if (SPI_execute_plan(plan, values, NULL, false, 0) != SPI_OK_UPDATE)
				elog(ERROR, "heartbeat was not an update");
			alive = SPI_processed > 0;
			SPI_finish();
		}
	}
	PG_FINALLY();
	{
		watch_unpin(watch);
	}
	PG_END_TRY();

	PG_RETURN_BOOL(alive);
}

/* migmgr.heartbeat_many(job_table, job_ids): the ids that are lost, as text. */
Datum
migmgr_heartbeat_many(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		values[1];
	Watch	   *watch;
	volatile Datum lost = (Datum) 0;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(0) ? "job_table" : "job_ids")));
	values[0] = PG_GETARG_DATUM(1);
	watch = watch_pin(PG_GETARG_OID(0));

	PG_TRY();
	{
		bool		isnull;

		SPI_connect();
		if (SPI_execute_plan(beat_many_plan(watch), values, NULL, false, 0) != SPI_OK_SELECT ||
			SPI_processed != 1)
			elog(ERROR, "heartbeats returned no row");
		lost = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
		MemoryContextSwitchTo(context);
		lost = PointerGetDatum(DatumGetArrayTypePCopy(lost));
		SPI_finish();
	}
	PG_FINALLY();
	{
		watch_unpin(watch);
	}
	PG_END_TRY();

	PG_RETURN_DATUM(lost);
}

/* The plan of a single heartbeat, made on first use. */
static SPIPlanPtr
beat_plan(Watch *watch, bool progress, bool attempt)
{
	SPIPlanPtr *plan = &watch->beat_plan[progress][attempt];
	Oid			types[3];
	StringInfoData sql;
	int			nargs = 0;

	if (*plan != NULL)
		return *plan;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s AS j SET %s = pg_catalog.clock_timestamp()",
					 watch->name, watch->column[JOB_HEARTBEAT]);
	types[nargs++] = watch->typid[JOB_ID];
	if (progress)
	{
		types[nargs++] = JSONBOID;
		if (watch_type_ok("json", watch->typid[JOB_PROGRESS]))
			appendStringInfo(&sql, ", %s = $%d::%s", watch->column[JOB_PROGRESS], nargs, watch->type[JOB_PROGRESS]);
		else
			appendStringInfo(&sql, ", %s = ($%d OPERATOR(pg_catalog.#>>) '{}')::%s",
							 watch->column[JOB_PROGRESS], nargs, watch->type[JOB_PROGRESS]);
	}
	appendStringInfo(&sql, " WHERE j.%s OPERATOR(pg_catalog.=) $1 AND j.%s OPERATOR(pg_catalog.=) %s",
					 watch->column[JOB_ID], watch->column[JOB_STATUS], watch->state[JOB_RUNNING]);
	if (attempt)
	{
		types[nargs++] = INT4OID;
		appendStringInfo(&sql, " AND j.%s OPERATOR(pg_catalog.=) $%d", watch->column[JOB_ATTEMPTS], nargs);
	}
	*plan = keep_plan(sql.data, nargs, types);
	return *plan;
}

/* The plan of heartbeat_many, made on first use. */
static SPIPlanPtr
beat_many_plan(Watch *watch)
{
	Oid			types[1] = {TEXTARRAYOID};

	if (watch->beat_many_plan == NULL)
		watch->beat_many_plan =
			keep_plan(psprintf("WITH beat AS (UPDATE %s AS j SET %s = pg_catalog.clock_timestamp()"
							   " WHERE j.%s OPERATOR(pg_catalog.=) ANY ($1::%s[]) AND j.%s OPERATOR(pg_catalog.=) %s"
							   " RETURNING j.%s AS id)"
							   " SELECT ARRAY(SELECT g.id FROM pg_catalog.unnest($1) AS g(id) WHERE g.id IS NOT NULL"
							   " AND g.id::%s OPERATOR(pg_catalog.<>) ALL (ARRAY(SELECT b.id FROM beat AS b)))",
							   watch->name, watch->column[JOB_HEARTBEAT], watch->column[JOB_ID], watch->type[JOB_ID],
							   watch->column[JOB_STATUS], watch->state[JOB_RUNNING], watch->column[JOB_ID],
							   watch->type[JOB_ID]),
					  1, types);
	return watch->beat_many_plan;
}

/* The id as the column has it; a text is read as the column's type. */
static Datum
job_id(Watch *watch, Oid argtype, Datum value)
{
	Oid			output,
				input,
				param;
	bool		varlena;

	if (argtype == getBaseType(watch->typid[JOB_ID]))
		return value;
	getTypeOutputInfo(argtype, &output, &varlena);
	getTypeInputInfo(watch->typid[JOB_ID], &input, &param);
	return OidInputFunctionCall(input, OidOutputFunctionCall(output, value), param, -1);
}

static void
require_column(const Watch *watch, JobColumn column, const char *argument)
{
	if (watch->column[column] == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_JOB_TABLE),
				 errmsg("cannot record %s of a job of %s", argument, watch->name),
				 errdetail("Its watch maps no column to %s.", watch_columns[column].key),
				 errhint("SELECT * FROM migmgr.watch('%s', columns => '{\"%s\": \"your_column\"}');",
						 watch->name, watch_columns[column].key)));
}

/* Prepares and keeps; the cache of watches owns the result. */
static SPIPlanPtr
keep_plan(const char *sql, int nargs, Oid *types)
{
	SPIPlanPtr	plan;

	SPI_connect();
	plan = SPI_prepare(sql, nargs, types);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI could not prepare (%s): %s", SPI_result_code_string(SPI_result), sql);
	SPI_finish();
	return plan;
}
