/*
 * schedule.c
 *	  schedule() and unschedule(): migmgr's recurring tasks through pg_cron.
 *
 * pg_cron lives in one database of a server, runs a job as whoever scheduled
 * it, and hides it from everybody else.  So it is found in the catalog and
 * called with the caller's rights, and migmgr keeps a row of its own about
 * what was scheduled.  A command is one bare CALL or SELECT, because a
 * procedure cannot commit behind another statement.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "compat.h"
#include "errors.h"
#include "ledger.h"
#include "policy.h"
#include "spi_util.h"
#include "subxact.h"

#define CRON_EXTENSION	"pg_cron"
#define MAX_SECONDS		55

/* what can be scheduled */
typedef struct Task
{
	const char *name;
	const char *command;
} Task;

static const Task tasks[] = {
	{"sweep", "CALL migmgr.run_sweeps()"},
	{"verify", "SELECT * FROM migmgr.verify()"},
	{"purge", "SELECT * FROM migmgr.dlq_purge()"},
	{"seal", "SELECT migmgr.seal()"},
	{"checks", "SELECT * FROM migmgr.run_checks('schedule')"},
};

/* a call of cron.schedule, through a subtransaction */
typedef struct CronCall
{
	const char *args[3];
	int64		jobid;
} CronCall;

PG_FUNCTION_INFO_V1(migmgr_schedule);
PG_FUNCTION_INFO_V1(migmgr_unschedule);

static const Task *find_task(FunctionCallInfo fcinfo);
static void check_cron(const Task *task, const char *schedule, const char *command);
static void check_schedule(const Task *task, const char *schedule);
static void drop_other(const Task *task, const char *name);
static char *record_schedule(const Task *task, const char *schedule, const char *command, int64 jobid);
static bool cron_schedule(void *arg);
static bool cron_has_job(const char *name, int64 *jobid);
static void return_row(FunctionCallInfo fcinfo, const char *task, const char *schedule,
					   const char *command, int64 jobid, const char *status);

/*
 * migmgr.schedule(task, schedule, seconds): one schedule per task, replaced
 * by the next call.  seconds is for sweep: how long each run goes on.
 */
Datum
migmgr_schedule(PG_FUNCTION_ARGS)
{
	const Task *task = find_task(fcinfo);
	const char *command = task->command;
	CronCall	call = {{NULL}};
	LedgerEntry entry = {.event = "schedule"};
	ErrorData  *error;
	char	   *schedule;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("schedule must not be null"),
				 errhint("SELECT * FROM migmgr.schedule('%s', '* * * * *'); runs it every minute.", task->name)));
	schedule = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (!PG_ARGISNULL(2))
	{
		int			seconds = PG_GETARG_INT32(2);

		if (strcmp(task->name, "sweep") != 0 || seconds < 0 || seconds > MAX_SECONDS)
			ereport(ERROR,
					(errcode(ERRCODE_MG_BAD_OPTION),
					 errmsg("seconds is for the task sweep, and between 0 and %d", MAX_SECONDS)));
		command = psprintf("CALL migmgr.run_sweeps(%d)", seconds);
	}

	check_cron(task, schedule, command);
	check_schedule(task, schedule);

	SPI_connect();
	call.args[0] = psprintf("migmgr_%s", task->name);
	call.args[1] = schedule;
	call.args[2] = command;
	drop_other(task, call.args[0]);
	error = subxact_run(cron_schedule, &call);
	if (error != NULL)
		ereport(ERROR,
				(errcode(error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE
						 ? ERRCODE_MG_JOB_PRIVILEGE : ERRCODE_MG_BAD_OPTION),
				 errmsg("pg_cron did not take the schedule \"%s\" for task %s", schedule, task->name),
				 errdetail_internal("%s.", error->message),
				 errhint("A schedule has five fields: minute, hour, day, month, day of the week; '* * * * *' is every minute.")));
	entry.detail = record_schedule(task, schedule, command, call.jobid);
	ledger_append(&entry);
	return_row(fcinfo, task->name, schedule, command, call.jobid, "scheduled");
	SPI_finish();
	return (Datum) 0;
}

/* The named task; raises MG006 with the list of them. */
static const Task *
find_task(FunctionCallInfo fcinfo)
{
	char	   *name = PG_ARGISNULL(0) ? "NULL" : text_to_cstring(PG_GETARG_TEXT_PP(0));

	for (int i = 0; i < lengthof(tasks); i++)
	{
		if (strcmp(tasks[i].name, name) == 0)
			return &tasks[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_MG_BAD_OPTION),
			 errmsg("there is no task \"%s\"", name),
			 errhint("Tasks are sweep, verify, purge, seal and checks.")));
}

/*
 * Is pg_cron here, and may the caller use it?  Its schema is asked for by
 * privilege and not by name resolution, which raises.
 */
static void
check_cron(const Task *task, const char *schedule, const char *command)
{
	const char *home;
	char	   *database = get_database_name(MyDatabaseId);
	char	   *role = GetUserNameFromId(GetUserId(), false);
	Oid			cron;

	if (OidIsValid(get_extension_oid(CRON_EXTENSION, true)))
	{
		cron = get_namespace_oid("cron", true);
		if (OidIsValid(cron) && mg_namespace_aclcheck(cron, GetUserId(), ACL_USAGE) == ACLCHECK_OK)
			return;
		ereport(ERROR,
				(errcode(ERRCODE_MG_JOB_PRIVILEGE),
				 errmsg("role \"%s\" may not use pg_cron", role),
				 errdetail("It needs the USAGE privilege on schema cron."),
				 errhint("GRANT USAGE ON SCHEMA cron TO %s;", quote_identifier(role))));
	}

	home = GetConfigOption("cron.database_name", true, false);
	if (home == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_NO_CRON),
				 errmsg("pg_cron is not installed on this server"),
				 errhint("Add pg_cron to shared_preload_libraries and CREATE EXTENSION pg_cron; or let any scheduler run: psql -d %s -c \"%s\"",
						 quote_identifier(database), command)));
	if (strcmp(home, database) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_NO_CRON),
				 errmsg("extension pg_cron is not created in this database"),
				 errdetail("The server has it loaded, and cron.database_name names this database."),
				 errhint("CREATE EXTENSION pg_cron;")));
	ereport(ERROR,
			(errcode(ERRCODE_MG_CRON_ELSEWHERE),
			 errmsg("pg_cron runs from database \"%s\", and can be told only there", home),
			 errdetail("This is database \"%s\".", database),
			 errhint("As a superuser in database %s: SELECT cron.schedule_in_database(%s, %s, %s, %s, %s);", home,
					 quote_literal_cstr(psprintf("migmgr_%s_%s", task->name, database)), quote_literal_cstr(schedule),
					 quote_literal_cstr(command), quote_literal_cstr(database), quote_literal_cstr(role))));
}

/* Intervals of seconds came with pg_cron 1.5. */
static void
check_schedule(const Task *task, const char *schedule)
{
	const char *args[1];
	bool		seconds,
				supported;

	args[0] = schedule;
	SPI_connect();
	spi_exec("SELECT pg_catalog.lower($1) OPERATOR(pg_catalog.~) '^\\s*[0-9]+\\s+seconds?\\s*$' AS seconds,"
			 " pg_catalog.string_to_array(pg_catalog.substring(e.extversion, '^[0-9]+[.][0-9]+'), '.')::pg_catalog.int4[]"
			 "  OPERATOR(pg_catalog.>=) ARRAY[1, 5] AS supported, e.extversion"
			 " FROM pg_catalog.pg_extension AS e WHERE e.extname OPERATOR(pg_catalog.=) 'pg_cron'",
			 SPI_OK_SELECT, 1, args);
	seconds = spi_bool(0, "seconds", false);
	supported = spi_bool(0, "supported", false);
	if (seconds && !supported)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("pg_cron %s has no intervals of seconds", spi_text(0, "extversion")),
				 errdetail("They came with version 1.5."),
				 strcmp(task->name, "sweep") == 0
				 ? errhint("SELECT * FROM migmgr.schedule('sweep', '* * * * *', seconds => %d); starts every minute and sweeps every five seconds.", MAX_SECONDS)
				 : errhint("'* * * * *' is every minute.")));
	SPI_finish();
}

/*
 * A job of that name that another role scheduled would go on beside the new
 * one.  A superuser takes it away; others are told whose it is.
 */
static void
drop_other(const Task *task, const char *name)
{
	const char *args[2];
	RecordScope scope;
	char	   *owner = NULL;
	char	   *jobid = NULL;

	args[0] = name;
	args[1] = GetUserNameFromId(GetUserId(), false);
	record_begin(&scope);
	spi_exec("SELECT j.username, j.jobid FROM cron.job AS j WHERE j.jobname = $1 AND j.username <> $2"
			 " AND j.database = pg_catalog.current_database() LIMIT 1", SPI_OK_SELECT, 2, args);
	if (SPI_processed > 0)
	{
		owner = spi_text(0, "username");
		jobid = spi_text(0, "jobid");
	}
	record_end(&scope);
	if (owner == NULL)
		return;
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_MG_JOB_PRIVILEGE),
				 errmsg("task %s is scheduled by role \"%s\"", task->name, owner),
				 errhint("As that role or a superuser: SELECT * FROM migmgr.unschedule('%s');", task->name)));
	args[0] = jobid;
	spi_exec("SELECT cron.unschedule($1::pg_catalog.int8)", SPI_OK_SELECT, 1, args);
}

/* subxact_fn: with the caller's rights */
static bool
cron_schedule(void *arg)
{
	CronCall   *call = arg;

	spi_exec("SELECT cron.schedule($1, $2, $3) AS jobid", SPI_OK_SELECT, 3, call->args);
	call->jobid = spi_int64(0, "jobid", 0);
	return true;
}

/* Our own row; returns the ledger entry's detail. */
static char *
record_schedule(const Task *task, const char *schedule, const char *command, int64 jobid)
{
	const char *args[5];
	RecordScope scope;
	char	   *detail;

	args[0] = task->name;
	args[1] = schedule;
	args[2] = command;
	args[3] = GetUserNameFromId(GetUserId(), false);
	args[4] = psprintf(INT64_FORMAT, jobid);
	record_begin(&scope);
	spi_exec("INSERT INTO migmgr_internal.schedule AS s (task, schedule, command, role, jobid, scheduled_at)"
			 " VALUES ($1, $2, $3, $4, $5::pg_catalog.int8, pg_catalog.now())"
			 " ON CONFLICT (task) DO UPDATE SET schedule = EXCLUDED.schedule, command = EXCLUDED.command,"
			 " role = EXCLUDED.role, jobid = EXCLUDED.jobid, scheduled_at = EXCLUDED.scheduled_at"
			 " RETURNING (pg_catalog.to_jsonb(s) - 'scheduled_at')::pg_catalog.text AS detail",
			 SPI_OK_INSERT_RETURNING, 5, args);
	detail = spi_text(0, "detail");
	record_end(&scope);
	return detail;
}

/* migmgr.unschedule(task) */
Datum
migmgr_unschedule(PG_FUNCTION_ARGS)
{
	const Task *task = find_task(fcinfo);
	char	   *name = psprintf("migmgr_%s", task->name);
	LedgerEntry entry = {.event = "unschedule"};
	const char *args[1];
	RecordScope scope;
	int64		jobid = 0;
	bool		in_cron = OidIsValid(get_extension_oid(CRON_EXTENSION, true));
	bool		recorded;

	SPI_connect();
	if (in_cron && cron_has_job(name, &jobid))
	{
		check_cron(task, "", "");
		args[0] = psprintf(INT64_FORMAT, jobid);
		spi_exec("SELECT cron.unschedule($1::pg_catalog.int8) AS done", SPI_OK_SELECT, 1, args);
	}

	args[0] = task->name;
	record_begin(&scope);
	spi_exec("DELETE FROM migmgr_internal.schedule AS s WHERE s.task = $1"
			 " RETURNING (pg_catalog.to_jsonb(s) - 'scheduled_at')::pg_catalog.text AS detail",
			 SPI_OK_DELETE_RETURNING, 1, args);
	recorded = SPI_processed > 0;
	if (recorded)
		entry.detail = spi_text(0, "detail");
	record_end(&scope);

	if (!recorded && jobid == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_NO_CRON),
				 errmsg("task %s is not scheduled", task->name),
				 errhint("SELECT * FROM migmgr.schedules; shows what is.")));
	if (!recorded)
		entry.detail = psprintf("{\"task\": \"%s\"}", task->name);
	ledger_append(&entry);
	return_row(fcinfo, task->name, NULL, NULL, jobid, "not scheduled any more");
	SPI_finish();
	return (Datum) 0;
}

/* Looked up as the owner: pg_cron shows a role its own jobs only. */
static bool
cron_has_job(const char *name, int64 *jobid)
{
	const char *args[2];
	RecordScope scope;
	bool		found;

	args[0] = name;
	args[1] = GetUserNameFromId(GetUserId(), false);
	record_begin(&scope);
	spi_exec("SELECT j.jobid FROM cron.job AS j WHERE j.jobname = $1 AND j.database = pg_catalog.current_database()"
			 " ORDER BY (j.username = $2) DESC LIMIT 1", SPI_OK_SELECT, 2, args);
	found = SPI_processed > 0;
	if (found)
		*jobid = spi_int64(0, "jobid", 0);
	record_end(&scope);
	return found;
}

static void
return_row(FunctionCallInfo fcinfo, const char *task, const char *schedule,
		   const char *command, int64 jobid, const char *status)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[6];
	bool		nulls[6] = {0};

	InitMaterializedSRF(fcinfo, 0);
	values[0] = CStringGetTextDatum(task);
	values[1] = schedule ? CStringGetTextDatum(schedule) : (Datum) 0;
	nulls[1] = schedule == NULL;
	values[2] = command ? CStringGetTextDatum(command) : (Datum) 0;
	nulls[2] = command == NULL;
	values[3] = Int64GetDatum(jobid);
	nulls[3] = jobid == 0;
	values[4] = CStringGetTextDatum(status);
	values[5] = CStringGetTextDatum(policy_environment_name(policy_environment()));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}
