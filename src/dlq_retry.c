/*
 * dlq_retry.c
 *	  Dead letters go back to work.
 *
 * Retrying arms the job itself again (failed becomes pending, in the job's
 * own table) and marks the letter, in one transaction.  The letter stays: the
 * sweep closes it when the job completes, and opens it again when it fails.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "dlq.h"
#include "errors.h"
#include "policy.h"
#include "spi_util.h"
#include "subxact.h"

/* positions of dlq_retry_all()'s arguments */
enum
{
	ALL_FAILURE_CODE, ALL_JOB_TYPE, ALL_JOB_TABLE, ALL_DLQ_TABLE, ALL_MAX_ROWS,
	ALL_FORCE, ALL_DRY_RUN, ALL_NOW_AT
};

typedef enum Outcome
{
	RETRY_ARMED,				/* the job is pending again */
	RETRY_ABANDONED,			/* no retry left: the letter is abandoned now */
	RETRY_REFUSED				/* nothing changed; detail and hint say why */
} Outcome;

/* one retry, through a subtransaction where there are many */
typedef struct Retry
{
	Letter	   *letter;
	bool		force;
	bool		dry_run;
	const char *now;
	Outcome		outcome;
	char	   *job_table;
	char	   *detail;
	char	   *hint;
} Retry;

/* sums of dlq_retry_all for one queue */
typedef struct RetrySums
{
	int64		matched;
	int64		retried;
	int64		abandoned;
	int64		skipped;
	char	   *detail;			/* the first reason for skipping */
} RetrySums;

PG_FUNCTION_INFO_V1(migmgr_dlq_retry);
PG_FUNCTION_INFO_V1(migmgr_dlq_retry_all);

static bool retry_letter(void *arg);
static bool may_retry(Retry *retry);
static Oid	retry_job_table(Retry *retry);
static void retry_arm(Retry *retry, const Watch *watch);
static void retry_mark(Retry *retry, const Watch *watch);
static char *arm_job_sql(const Watch *watch);
static void retry_queue(FunctionCallInfo fcinfo, Dlq *dlq, const char *now, RetrySums *sums);
static List *due_letters(FunctionCallInfo fcinfo, Dlq *dlq, const char *now);

/* migmgr.dlq_retry(id, force, dry_run, dlq_table) */
Datum
migmgr_dlq_retry(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Retry		retry = {0};
	Datum		values[7];
	bool		nulls[7] = {0};
	List	   *queues;
	char	   *id;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("id must not be null")));
	InitMaterializedSRF(fcinfo, 0);

	SPI_connect();
	id = DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(0)));
	retry.force = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	retry.dry_run = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	retry.now = pstrdup(timestamptz_to_str(GetCurrentTransactionStartTimestamp()));
	queues = dlq_queues(fcinfo, 3, retry.dry_run ? ACL_SELECT : ACL_SELECT | ACL_UPDATE);
	retry.letter = dlq_letter(queues, id, retry.dry_run);
	(void) retry_letter(&retry);
	if (retry.outcome == RETRY_REFUSED)
		ereport(ERROR,
				(errcode(ERRCODE_MG_DLQ),
				 errmsg("cannot retry dead letter %s", id),
				 errdetail_internal("%s", retry.detail),
				 errhint("%s", retry.hint)));

	values[0] = PG_GETARG_DATUM(0);
	values[1] = CStringGetTextDatum(retry.letter->job_id);
	values[2] = retry.job_table ? CStringGetTextDatum(retry.job_table) : (Datum) 0;
	nulls[2] = retry.job_table == NULL;
	values[3] = CStringGetTextDatum(retry.dry_run ? "dry run" :
									retry.outcome == RETRY_ARMED ? "retrying" : "abandoned");
	values[4] = Int64GetDatum(retry.letter->attempt_count);
	values[5] = CStringGetTextDatum(policy_environment_name(policy_environment()));
	values[6] = CStringGetTextDatum(retry.detail);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	SPI_finish();
	return (Datum) 0;
}

/*
 * migmgr.dlq_retry_all(failure_code, job_type, job_table, dlq_table, max_rows,
 * force, dry_run, now_at): what is pending and due, oldest first.  One that
 * cannot be retried is counted and left as it is.
 */
Datum
migmgr_dlq_retry_all(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		dry_run = !PG_ARGISNULL(ALL_DRY_RUN) && PG_GETARG_BOOL(ALL_DRY_RUN);
	TimestampTz now = PG_ARGISNULL(ALL_NOW_AT) ? GetCurrentTransactionStartTimestamp()
		: PG_GETARG_TIMESTAMPTZ(ALL_NOW_AT);
	char	   *now_text = pstrdup(timestamptz_to_str(now));
	ListCell   *lc;

	if (!PG_ARGISNULL(ALL_MAX_ROWS) && PG_GETARG_INT32(ALL_MAX_ROWS) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("max_rows must be positive")));
	InitMaterializedSRF(fcinfo, 0);

	SPI_connect();
	foreach(lc, dlq_queues(fcinfo, ALL_DLQ_TABLE, dry_run ? ACL_SELECT : ACL_SELECT | ACL_UPDATE))
	{
		Dlq		   *dlq = lfirst(lc);
		RetrySums	sums = {0};
		Datum		values[7];
		bool		nulls[7] = {0};

		retry_queue(fcinfo, dlq, now_text, &sums);
		values[0] = CStringGetTextDatum(dlq->name);
		values[1] = Int64GetDatum(sums.matched);
		values[2] = Int64GetDatum(sums.retried);
		values[3] = Int64GetDatum(sums.abandoned);
		values[4] = Int64GetDatum(sums.skipped);
		values[5] = CStringGetTextDatum(policy_environment_name(policy_environment()));
		values[6] = CStringGetTextDatum(sums.detail != NULL ? psprintf("skipped: %s", sums.detail) :
										sums.matched == 0 ? "none matches and is due; force => true takes those that are not due, too" :
										dry_run ? "dry run: nothing was changed" : "pending ones that were due");
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}

/* The letters of one queue, each in a subtransaction of its own. */
static void
retry_queue(FunctionCallInfo fcinfo, Dlq *dlq, const char *now, RetrySums *sums)
{
	ListCell   *lc;

	foreach(lc, due_letters(fcinfo, dlq, now))
	{
		Retry		retry = {.letter = lfirst(lc),.now = now};
		ErrorData  *error;

		CHECK_FOR_INTERRUPTS();
		retry.force = !PG_ARGISNULL(ALL_FORCE) && PG_GETARG_BOOL(ALL_FORCE);
		retry.dry_run = !PG_ARGISNULL(ALL_DRY_RUN) && PG_GETARG_BOOL(ALL_DRY_RUN);
		sums->matched++;
		error = subxact_run(retry_letter, &retry);
		if (error != NULL &&
			ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION))
			ReThrowError(error);
		if (error == NULL && retry.outcome == RETRY_ARMED)
			sums->retried++;
		else if (error == NULL && retry.outcome == RETRY_ABANDONED)
			sums->abandoned++;
		else
		{
			sums->skipped++;
			if (sums->detail == NULL)
				sums->detail = psprintf("%s", error ? error->message : retry.detail);
		}
	}
}

/* Pending letters that match, locked unless it is a dry run. */
static List *
due_letters(FunctionCallInfo fcinfo, Dlq *dlq, const char *now)
{
	bool		dry_run = !PG_ARGISNULL(ALL_DRY_RUN) && PG_GETARG_BOOL(ALL_DRY_RUN);
	bool		force = !PG_ARGISNULL(ALL_FORCE) && PG_GETARG_BOOL(ALL_FORCE);
	const char *args[5];
	List	   *letters = NIL;

	args[0] = now;
	args[1] = PG_ARGISNULL(ALL_FAILURE_CODE) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(ALL_FAILURE_CODE));
	args[2] = PG_ARGISNULL(ALL_JOB_TYPE) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(ALL_JOB_TYPE));
	args[3] = PG_ARGISNULL(ALL_JOB_TABLE) ? NULL : watch_qualified(PG_GETARG_OID(ALL_JOB_TABLE));
	args[4] = PG_ARGISNULL(ALL_MAX_ROWS) ? NULL : psprintf("%d", PG_GETARG_INT32(ALL_MAX_ROWS));
	dlq_execute(psprintf("SELECT %s FROM %s AS d WHERE d.status OPERATOR(pg_catalog.=) 'pending'"
						 " AND ($2 IS NULL OR d.failure_code::pg_catalog.text OPERATOR(pg_catalog.=) $2)"
						 " AND ($3 IS NULL OR d.job_type::pg_catalog.text OPERATOR(pg_catalog.=) $3)"
						 " AND ($4 IS NULL OR d.metadata OPERATOR(pg_catalog.->>) 'job_table' OPERATOR(pg_catalog.=) $4)"
						 "%s ORDER BY d.created_at, d.id LIMIT $5::pg_catalog.int8%s",
						 dlq_letter_columns(), dlq->name,
						 force ? "" : " AND (d.next_retry_at IS NULL OR d.next_retry_at OPERATOR(pg_catalog.<=) $1::pg_catalog.timestamptz)",
						 dry_run ? "" : " FOR NO KEY UPDATE SKIP LOCKED"),
				SPI_OK_SELECT, 5, args);
	for (uint64 i = 0; i < SPI_processed; i++)
		letters = lappend(letters, dlq_letter_row(dlq, i));
	return letters;
}

/*
 * subxact_fn: one letter.  A refusal is an outcome, not an error; an error is
 * what the tables themselves raise.
 */
static bool
retry_letter(void *arg)
{
	Retry	   *retry = arg;
	Watch	   *watch;
	Oid			relid;

	if (!may_retry(retry))
		return true;
	relid = retry_job_table(retry);
	if (!OidIsValid(relid))
		return true;

	watch = watch_pin(relid);
	PG_TRY();
	{
		retry->job_table = pstrdup(watch->name);
		watch_check_rights(relid, retry->dry_run ? ACL_SELECT : ACL_SELECT | ACL_UPDATE, "arm one of its jobs again");
		retry_arm(retry, watch);
		if (retry->outcome == RETRY_ARMED && !retry->dry_run)
			retry_mark(retry, watch);
	}
	PG_FINALLY();
	{
		watch_unpin(watch);
	}
	PG_END_TRY();
	return true;
}

/* By the letter alone; one without a retry left is abandoned here. */
static bool
may_retry(Retry *retry)
{
	Letter	   *letter = retry->letter;
	const char *args[2];

	retry->outcome = RETRY_REFUSED;
	retry->hint = "force => true retries it all the same.";
	if (strcmp(letter->status, "pending") != 0 && !retry->force)
	{
		retry->detail = psprintf("It is %s, in %s.", letter->status, letter->dlq->name);
		if (strcmp(letter->status, "retrying") == 0)
			retry->hint = "Its job was armed already; the next sweep after the job ends closes it, or opens it again.";
		return false;
	}
	if (letter->attempt_count <= letter->max_retries || retry->force)
		return true;

	retry->outcome = RETRY_ABANDONED;
	retry->detail = psprintf("failed " INT64_FORMAT " times, and max_retries is " INT64_FORMAT "; force => true retries it all the same",
							 letter->attempt_count, letter->max_retries);
	if (!retry->dry_run)
	{
		args[0] = letter->id;
		args[1] = retry->now;
		dlq_execute(psprintf("UPDATE %s AS d SET status = 'abandoned', next_retry_at = NULL, updated_at = $2::pg_catalog.timestamptz"
							 " WHERE d.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid", letter->dlq->name),
					SPI_OK_UPDATE, 2, args);
	}
	return false;
}

/*
 * Where its job is: what the letter says, or the only watch of this queue
 * with its job_type.  An id alone could be that of somebody else's job.
 */
static Oid
retry_job_table(Retry *retry)
{
	Letter	   *letter = retry->letter;
	volatile Oid found = InvalidOid;
	int			n = 0;
	ListCell   *lc;

	foreach(lc, watch_list())
	{
		WatchName  *name = lfirst(lc);

		if (letter->job_table != NULL ? strcmp(name->name, letter->job_table) != 0
			: name->dlq_relid != letter->dlq->relid || letter->job_type == NULL ||
			strcmp(name->job_type, letter->job_type) != 0)
			continue;
		found = name->relid;
		n++;
	}
	if (n == 1 && OidIsValid(found))
		return found;

	retry->outcome = RETRY_REFUSED;
	if (letter->job_table != NULL)
	{
		retry->detail = psprintf("Its job table %s is %s.", letter->job_table, n == 0 ? "not watched" : "gone");
		retry->hint = psprintf("SELECT * FROM migmgr.watch('%s'); or resolve it: SELECT * FROM migmgr.dlq_resolve('%s');",
							   letter->job_table, letter->id);
	}
	else
	{
		retry->detail = psprintf("It does not say which table job %s is in, and %d watched tables have job_type %s in %s.",
								 letter->job_id, n, letter->job_type ? letter->job_type : "NULL", letter->dlq->name);
		retry->hint = psprintf("Start the job again yourself, then SELECT * FROM migmgr.dlq_resolve('%s');", letter->id);
	}
	return InvalidOid;
}

/* The job: failed becomes pending, and nothing else does. */
static void
retry_arm(Retry *retry, const Watch *watch)
{
	const char *args[1];
	char	   *status;

	args[0] = retry->letter->job_id;
	if (!retry->dry_run)
	{
		dlq_execute(arm_job_sql(watch), SPI_OK_UPDATE, 1, args);
		if (SPI_processed > 0)
		{
			retry->outcome = RETRY_ARMED;
			retry->detail = psprintf("job %s of %s is pending again", retry->letter->job_id, watch->name);
			return;
		}
	}

	dlq_execute(psprintf("SELECT j.%s::pg_catalog.text AS status, j.%s OPERATOR(pg_catalog.=) %s AS failed FROM %s AS j"
						 " WHERE j.%s OPERATOR(pg_catalog.=) $1::%s",
						 watch->column[JOB_STATUS], watch->column[JOB_STATUS], watch->state[JOB_FAILED], watch->name,
						 watch->column[JOB_ID], watch->type[JOB_ID]),
				SPI_OK_SELECT, 1, args);
	if (retry->dry_run && SPI_processed > 0 && spi_bool(0, "failed", false))
	{
		retry->outcome = RETRY_ARMED;
		retry->detail = psprintf("job %s of %s would be pending again", retry->letter->job_id, watch->name);
		return;
	}
	retry->outcome = RETRY_REFUSED;
	if (SPI_processed == 0)
	{
		retry->detail = psprintf("Job %s is not in %s any more.", retry->letter->job_id, watch->name);
		retry->hint = psprintf("Its row is in payload; put it back, or SELECT * FROM migmgr.dlq_resolve('%s', 'abandoned');",
							   retry->letter->id);
		return;
	}
	status = spi_text(0, "status");
	retry->detail = psprintf("Job %s of %s is %s, and only a failed one (%s) is armed again.", retry->letter->job_id,
							 watch->name, status ? status : "without status", watch->state[JOB_FAILED]);
	retry->hint = psprintf("If the job is done: SELECT * FROM migmgr.dlq_resolve('%s');", retry->letter->id);
}

/*
 * $1 id.  What the dead attempt left is cleared, so that the next one is not
 * judged by it; one more attempt is granted where the job counts them.
 */
static char *
arm_job_sql(const Watch *watch)
{
	static const JobColumn cleared[] = {JOB_HEARTBEAT, JOB_STARTED, JOB_COMPLETED, JOB_ERROR};
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s AS j SET %s = %s", watch->name, watch->column[JOB_STATUS], watch->state[JOB_PENDING]);
	for (int i = 0; i < lengthof(cleared); i++)
	{
		if (watch->column[cleared[i]] != NULL && bms_is_member(cleared[i], watch->nullable))
			appendStringInfo(&sql, ", %s = NULL", watch->column[cleared[i]]);
	}
	if (watch->column[JOB_ATTEMPTS] != NULL && watch->column[JOB_MAX_ATTEMPTS] != NULL)
		appendStringInfo(&sql, ", %s = GREATEST(j.%s, COALESCE(j.%s, 0) OPERATOR(pg_catalog.+) 1)",
						 watch->column[JOB_MAX_ATTEMPTS], watch->column[JOB_MAX_ATTEMPTS], watch->column[JOB_ATTEMPTS]);
	appendStringInfo(&sql, " WHERE j.%s OPERATOR(pg_catalog.=) $1::%s AND j.%s OPERATOR(pg_catalog.=) %s",
					 watch->column[JOB_ID], watch->type[JOB_ID], watch->column[JOB_STATUS], watch->state[JOB_FAILED]);
	return sql.data;
}

/* The letter: retrying, and it knows where its job is. */
static void
retry_mark(Retry *retry, const Watch *watch)
{
	Letter	   *letter = retry->letter;
	const char *args[4];

	args[0] = letter->id;
	args[1] = retry->now;
	args[2] = watch->name;
	args[3] = GetUserNameFromId(GetUserId(), false);
	dlq_execute(psprintf("UPDATE %s AS d SET status = 'retrying', next_retry_at = NULL, last_attempt_at = $2::pg_catalog.timestamptz,"
						 " resolved_at = NULL, resolved_by = NULL, resolution_notes = NULL, updated_at = $2::pg_catalog.timestamptz,"
						 " metadata = (COALESCE(d.metadata::pg_catalog.jsonb, '{}') OPERATOR(pg_catalog.||)"
						 " pg_catalog.jsonb_build_object('job_table', $3, 'retried_at', $2::pg_catalog.timestamptz, 'retried_by', $4))::%s"
						 " WHERE d.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid",
						 letter->dlq->name, letter->dlq->type[DLQ_METADATA]),
				SPI_OK_UPDATE, 4, args);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_MG_DLQ),
				 errmsg("table %s did not keep the change of dead letter %s", letter->dlq->name, letter->id),
				 errhint("Look for a trigger or a policy on it.")));
}
