/*
 * running.c
 *	  How many jobs run in the watched tables, for preflight().
 *
 * With the caller's rights, as a sweep: a job table is somebody's, and so are
 * the policies on it.  What cannot be counted is told and raises nothing.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "spi_util.h"
#include "subxact.h"
#include "sweep.h"

PG_FUNCTION_INFO_V1(migmgr_running_jobs);

/* one watched table */
typedef struct RunningJobs
{
	Oid			relid;
	int64		count;
} RunningJobs;

static bool count_running(void *arg);

/* migmgr_internal.running_jobs(): table, jobs that run, or why that is not known. */
Datum
migmgr_running_jobs(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, watch_list())
	{
		const WatchName *name = lfirst(lc);
		RunningJobs jobs = {.relid = name->relid};
		ErrorData  *error = NULL;
		Datum		values[3] = {CStringGetTextDatum(name->name)};
		bool		nulls[3] = {false, true, true};

		CHECK_FOR_INTERRUPTS();
		if (OidIsValid(name->relid))
			error = subxact_run(count_running, &jobs);
		if (error != NULL &&
			ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION))
			ReThrowError(error);
		nulls[1] = !OidIsValid(name->relid) || error != NULL;
		nulls[2] = !nulls[1];
		if (nulls[2])
			values[1] = Int64GetDatum(jobs.count);
		else
			values[2] = CStringGetTextDatum(error != NULL ? error->message : "there is no such table");
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* subxact_fn */
static bool
count_running(void *arg)
{
	RunningJobs *jobs = arg;
	Watch	   *watch = watch_pin(jobs->relid);

	PG_TRY();
	{
		char	   *sql = sweep_count_sql(watch);

		watch_check_rights(jobs->relid, ACL_SELECT, "count its running jobs");
		watch_check_rls(jobs->relid, "count those that run");
		SPI_connect();
		if (SPI_execute(sql, true, 0) != SPI_OK_SELECT)
			elog(ERROR, "running jobs were not counted");
		jobs->count = spi_int64(0, "running", 0);
		SPI_finish();
	}
	PG_FINALLY();
	{
		watch_unpin(watch);
	}
	PG_END_TRY();
	return false;
}
