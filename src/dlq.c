/*
 * dlq.c
 *	  Dead letters: add one, find one, close one, clear away old ones, count.
 *
 * A queue is migmgr.job_dlq or a table of the user's with the same columns;
 * all work is done with the caller's rights, row security included: an id
 * that the caller cannot see does not exist.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "dlq.h"
#include "errors.h"
#include "guc.h"
#include "migmgr.h"
#include "policy.h"
#include "spi_util.h"
#include "sweep.h"

/* positions of dlq_add()'s arguments */
enum
{
	ADD_JOB_ID, ADD_JOB_TYPE, ADD_REASON, ADD_CODE, ADD_PAYLOAD, ADD_STACK,
	ADD_JOB_TABLE, ADD_ORGANISATION, ADD_MAX_RETRIES, ADD_METADATA, ADD_DLQ_TABLE
};

PG_FUNCTION_INFO_V1(migmgr_current_organisation);
PG_FUNCTION_INFO_V1(migmgr_dlq_add);
PG_FUNCTION_INFO_V1(migmgr_dlq_purge);
PG_FUNCTION_INFO_V1(migmgr_dlq_resolve);
PG_FUNCTION_INFO_V1(migmgr_dlq_statistics);

static char *text_arg(FunctionCallInfo fcinfo, int n);
static void add_from_watch(FunctionCallInfo fcinfo, Watch *watch, const char **args);
static char *add_letter(const Dlq *dlq, const char **args);
static char *add_reopened(const Dlq *dlq, const char **args);
static Oid	own_queue(void);

/* migmgr.current_organisation() */
Datum
migmgr_current_organisation(PG_FUNCTION_ARGS)
{
	if (guc_organisation_id == NULL || guc_organisation_id[0] == '\0')
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(guc_organisation_id));
}

static Oid
own_queue(void)
{
	return get_relname_relid("job_dlq", get_namespace_oid(MIGMGR_SCHEMA, false));
}

/* See dlq.h.  In the current memory context. */
List *
dlq_queues(FunctionCallInfo fcinfo, int argument, AclMode mode)
{
	List	   *relids = list_make1_oid(own_queue());
	List	   *queues = NIL;
	ListCell   *lc;
	bool		named = !PG_ARGISNULL(argument);

	if (named)
		relids = list_make1_oid(PG_GETARG_OID(argument));
	else
	{
		foreach(lc, watch_list())
		{
			WatchName  *watch = lfirst(lc);

			if (OidIsValid(watch->dlq_relid))
				relids = list_append_unique_oid(relids, watch->dlq_relid);
		}
	}

	foreach(lc, relids)
	{
		Dlq		   *dlq;

		if (!named && (pg_class_aclmask(lfirst_oid(lc), GetUserId(), mode, ACLMASK_ALL) != mode))
			continue;
		watch_check_rights(lfirst_oid(lc), mode, "work on its dead letters");
		dlq = palloc0(sizeof(Dlq));
		dlq_describe(lfirst_oid(lc), dlq);
		queues = lappend(queues, dlq);
	}
	if (queues == NIL)
		watch_check_rights(own_queue(), mode, "work on its dead letters");
	return queues;
}

/* See dlq.h.  Connected to SPI. */
Letter *
dlq_letter(List *queues, const char *id, bool dry_run)
{
	const char *args[1];
	StringInfoData names;
	ListCell   *lc;

	initStringInfo(&names);
	args[0] = id;
	foreach(lc, queues)
	{
		Dlq		   *dlq = lfirst(lc);

		dlq_execute(psprintf("SELECT %s FROM %s AS d WHERE d.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid%s",
							 dlq_letter_columns(), dlq->name, dry_run ? "" : " FOR NO KEY UPDATE"),
					SPI_OK_SELECT, 1, args);
		if (SPI_processed > 0)
			return dlq_letter_row(dlq, 0);
		appendStringInfo(&names, "%s%s", names.len ? ", " : "", dlq->name);
	}
	ereport(ERROR,
			(errcode(ERRCODE_MG_DLQ),
			 errmsg("there is no dead letter with id %s", id),
			 errdetail("Looked in %s, at the rows that role \"%s\" may see.", names.data,
					   GetUserNameFromId(GetUserId(), false)),
			 errhint("SELECT * FROM migmgr.dlq_stats; shows the queues, and dlq_table => '...' names one.")));
}

char *
dlq_letter_columns(void)
{
	return "d.id, d.job_id, d.job_type, d.status, d.attempt_count, d.max_retries,"
		" d.metadata OPERATOR(pg_catalog.->>) 'job_table' AS job_table";
}

Letter *
dlq_letter_row(Dlq *dlq, uint64 row)
{
	Letter	   *letter = palloc0(sizeof(Letter));

	letter->dlq = dlq;
	letter->id = spi_text(row, "id");
	letter->job_id = spi_text(row, "job_id");
	letter->job_type = spi_text(row, "job_type");
	letter->status = spi_text(row, "status");
	letter->job_table = spi_text(row, "job_table");
	letter->attempt_count = spi_int64(row, "attempt_count", 0);
	letter->max_retries = spi_int64(row, "max_retries", 0);
	return letter;
}

void
dlq_execute(const char *sql, int expect, int nargs, const char *const *args)
{
	Oid			types[16];
	Datum		values[16];
	char		nulls[16] = {0};
	int			result;

	Assert(nargs <= lengthof(types));
	for (int i = 0; i < nargs; i++)
	{
		types[i] = TEXTOID;
		nulls[i] = args[i] == NULL ? 'n' : ' ';
		values[i] = args[i] == NULL ? (Datum) 0 : CStringGetTextDatum(args[i]);
	}
	result = SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0);
	if (result != expect)
		elog(ERROR, "SPI returned %s for: %s", SPI_result_code_string(result), sql);
}

/* A text argument, or NULL. */
static char *
text_arg(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/*
 * migmgr.dlq_add(...): a dead letter by hand, or by a worker that gives up.
 * With a watched job_table the job leaves running in the same transaction.
 */
Datum
migmgr_dlq_add(PG_FUNCTION_ARGS)
{
	const char *args[10] = {0};
	Watch	   *volatile watch = NULL;
	Dlq			dlq = {0};
	MemoryContext context = CurrentMemoryContext;
	char	   *volatile id = NULL;
	Oid			relid;

	if (PG_ARGISNULL(ADD_JOB_ID) || PG_ARGISNULL(ADD_REASON) ||
		(PG_ARGISNULL(ADD_JOB_TYPE) && PG_ARGISNULL(ADD_JOB_TABLE)))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(ADD_JOB_ID) ? "job_id" :
						PG_ARGISNULL(ADD_REASON) ? "failure_reason" : "job_type")));
	args[0] = text_arg(fcinfo, ADD_JOB_ID);
	args[1] = text_arg(fcinfo, ADD_JOB_TYPE);
	args[2] = text_arg(fcinfo, ADD_REASON);
	args[3] = PG_ARGISNULL(ADD_CODE) ? "MANUAL" : text_arg(fcinfo, ADD_CODE);
	args[4] = PG_ARGISNULL(ADD_PAYLOAD) ? NULL :
		DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(ADD_PAYLOAD)));
	args[5] = text_arg(fcinfo, ADD_STACK);
	args[6] = text_arg(fcinfo, ADD_ORGANISATION);
	args[7] = PG_ARGISNULL(ADD_MAX_RETRIES) ? NULL : psprintf("%d", PG_GETARG_INT32(ADD_MAX_RETRIES));
	args[8] = PG_ARGISNULL(ADD_METADATA) ? "{}" :
		DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(ADD_METADATA)));
	if (args[7] != NULL && PG_GETARG_INT32(ADD_MAX_RETRIES) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("max_retries must not be negative")));

	if (!PG_ARGISNULL(ADD_JOB_TABLE))
		watch = watch_pin(PG_GETARG_OID(ADD_JOB_TABLE));
	relid = !PG_ARGISNULL(ADD_DLQ_TABLE) ? PG_GETARG_OID(ADD_DLQ_TABLE) :
		watch != NULL ? watch->dlq.relid : own_queue();

	PG_TRY();
	{
		watch_check_rights(relid, watch ? ACL_SELECT | ACL_INSERT | ACL_UPDATE : ACL_SELECT | ACL_INSERT,
						   "add a dead letter");
		dlq_describe(relid, &dlq);
		SPI_connect();
		if (watch != NULL)
		{
			add_from_watch(fcinfo, watch, args);
			id = add_reopened(&dlq, args);
		}
		if (id == NULL)
			id = add_letter(&dlq, args);
		id = MemoryContextStrdup(context, id);
		SPI_finish();
	}
	PG_FINALLY();
	{
		if (watch != NULL)
			watch_unpin(watch);
	}
	PG_END_TRY();

	PG_RETURN_DATUM(DirectFunctionCall1(uuid_in, CStringGetDatum(id)));
}

/* Takes the job out of running and fills in what its row knows. */
static void
add_from_watch(FunctionCallInfo fcinfo, Watch *watch, const char **args)
{
	const char *organisation = watch->column[JOB_ORGANISATION];
	const char *job[3];
	char	   *status;
	StringInfoData sql;

	watch_check_rights(watch->relid, ACL_SELECT | ACL_UPDATE, "add a dead letter of one of its jobs");
	job[0] = args[0];
	dlq_execute(psprintf("SELECT pg_catalog.to_jsonb(j)::pg_catalog.text AS payload, j.%s::pg_catalog.text AS status,"
						 " j.%s::pg_catalog.text AS id, %s%s::pg_catalog.text AS organisation,"
						 " j.%s OPERATOR(pg_catalog.=) %s AS running, j.%s OPERATOR(pg_catalog.=) %s AS failed"
						 " FROM %s AS j WHERE j.%s OPERATOR(pg_catalog.=) $1::%s FOR NO KEY UPDATE",
						 watch->column[JOB_STATUS], watch->column[JOB_ID],
						 organisation ? "j." : "", organisation ? organisation : "NULL",
						 watch->column[JOB_STATUS], watch->state[JOB_RUNNING],
						 watch->column[JOB_STATUS], watch->state[JOB_FAILED],
						 watch->name, watch->column[JOB_ID], watch->type[JOB_ID]),
				SPI_OK_SELECT, 1, job);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_DLQ),
				 errmsg("there is no job %s in %s", args[0], watch->name),
				 errhint("Leave job_table away to add a dead letter of a job that is kept elsewhere.")));
	status = spi_text(0, "status");
	if (!spi_bool(0, "running", false) && !spi_bool(0, "failed", false))
		ereport(ERROR,
				(errcode(ERRCODE_MG_DLQ),
				 errmsg("job %s of %s is \"%s\": it is neither running nor failed", args[0], watch->name, status ? status : ""),
				 errhint("Somebody else has it now; do nothing.")));

	args[0] = spi_text(0, "id");
	if (args[1] == NULL)
		args[1] = watch->job_type;
	if (args[4] == NULL)
		args[4] = spi_text(0, "payload");
	if (args[6] == NULL)
		args[6] = spi_text(0, "organisation");
	if (args[7] == NULL)
		args[7] = psprintf("%d", watch->max_retries);
	args[9] = watch->name;
	if (spi_bool(0, "failed", false))
		return;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s AS j SET %s = %s", watch->name, watch->column[JOB_STATUS], watch->state[JOB_FAILED]);
	if (watch->column[JOB_COMPLETED])
		appendStringInfo(&sql, ", %s = pg_catalog.now()", watch->column[JOB_COMPLETED]);
	if (watch->column[JOB_ERROR])
		appendStringInfo(&sql, ", %s = $2::%s", watch->column[JOB_ERROR], watch->type[JOB_ERROR]);
	appendStringInfo(&sql, " WHERE j.%s OPERATOR(pg_catalog.=) $1::%s",
					 watch->column[JOB_ID], watch->type[JOB_ID]);
	job[0] = args[0];
	job[1] = args[2];
	dlq_execute(sql.data, SPI_OK_UPDATE, 2, job);
}

/* An open letter of the same job is opened again; its id, or NULL. */
static char *
add_reopened(const Dlq *dlq, const char **args)
{
	const char *values[5] = {args[0], args[3], args[2], args[4], args[9]};
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s AS d SET ", dlq->name);
	dlq_reopen_sql(&sql, dlq, "pg_catalog.now()", "$2", "$3", "$4::pg_catalog.jsonb");
	appendStringInfo(&sql, " WHERE d.job_id OPERATOR(pg_catalog.=) $1::%s AND d.status OPERATOR(pg_catalog.=) ANY (ARRAY['pending', 'retrying']::%s[])"
					 " AND COALESCE(d.metadata OPERATOR(pg_catalog.->>) 'job_table', $5) OPERATOR(pg_catalog.=) $5 RETURNING d.id",
					 dlq->type[DLQ_JOB_ID], dlq->type[DLQ_STATUS]);
	dlq_execute(sql.data, SPI_OK_UPDATE_RETURNING, 5, values);
	return SPI_processed > 0 ? spi_text(0, "id") : NULL;
}

/* A new letter; its id. */
static char *
add_letter(const Dlq *dlq, const char **args)
{
	dlq_execute(psprintf("INSERT INTO %s AS d (%sjob_id, job_type, failure_reason, failure_code, payload, failure_stack,"
						 " organisation_id, attempt_count, max_retries, last_attempt_at, next_retry_at, status, metadata,"
						 " created_at, updated_at) SELECT %s%s, %s, %s, %s, %s, %s, %s, 1, COALESCE($8::pg_catalog.int4, 3),"
						 " pg_catalog.now(), pg_catalog.now() OPERATOR(pg_catalog.+) '2 minutes'::pg_catalog.interval, 'pending',"
						 " (pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('detected_by', 'dlq_add', 'job_table', $10))"
						 " OPERATOR(pg_catalog.||) $9::pg_catalog.jsonb)::%s, pg_catalog.now(), pg_catalog.now() RETURNING d.id",
						 dlq->name, dlq->id_default ? "" : "id, ", dlq->id_default ? "" : "pg_catalog.gen_random_uuid(), ",
						 dlq_value(dlq, DLQ_JOB_ID, "$1"), dlq_value(dlq, DLQ_JOB_TYPE, "$2"),
						 dlq_value(dlq, DLQ_FAILURE_REASON, "$3"), dlq_value(dlq, DLQ_FAILURE_CODE, "$4"),
						 dlq_value(dlq, DLQ_PAYLOAD, "COALESCE($5::pg_catalog.jsonb, '{}')"),
						 dlq_value(dlq, DLQ_FAILURE_STACK, "$6"), dlq_value(dlq, DLQ_ORGANISATION_ID, "$7"),
						 dlq->type[DLQ_METADATA]),
				SPI_OK_INSERT_RETURNING, 10, args);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_MG_DLQ),
				 errmsg("table %s did not keep the dead letter", dlq->name),
				 errhint("Look for a trigger or a rule on it.")));
	return spi_text(0, "id");
}

/* migmgr.dlq_resolve(id, status, notes, resolved_by, dlq_table) */
Datum
migmgr_dlq_resolve(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *args[5];
	char	   *status = text_arg(fcinfo, 1);
	Datum		values[5];
	bool		nulls[5] = {0};
	Letter	   *letter;
	const char *by;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("id must not be null")));
	if (status == NULL || (strcmp(status, "resolved") != 0 && strcmp(status, "abandoned") != 0))
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("a dead letter cannot be closed as \"%s\"", status ? status : "NULL"),
				 errhint("Use 'resolved' or 'abandoned'; migmgr.dlq_retry() arms its job again.")));
	InitMaterializedSRF(fcinfo, 0);

	SPI_connect();
	args[0] = DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(0)));
	letter = dlq_letter(dlq_queues(fcinfo, 4, ACL_SELECT | ACL_UPDATE), args[0], false);
	if (strcmp(letter->status, status) == 0 || strcmp(letter->status, "resolved") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_DLQ),
				 errmsg("dead letter %s is %s already", args[0], letter->status),
				 errdetail("It is in %s, of job %s.", letter->dlq->name, letter->job_id)));

	/* who it was: in the column if that takes a role name, always beside it */
	args[1] = status;
	args[2] = text_arg(fcinfo, 2);
	args[3] = text_arg(fcinfo, 3);
	args[4] = GetUserNameFromId(GetUserId(), false);
	by = strstr(letter->dlq->type[DLQ_RESOLVED_BY], "uuid") != NULL ||
		strstr(letter->dlq->type[DLQ_RESOLVED_BY], "int") != NULL ? "$4" : "COALESCE($4, $5)";
	dlq_execute(psprintf("UPDATE %s AS d SET status = $2::%s, resolved_at = pg_catalog.now(), resolution_notes = %s,"
						 " resolved_by = %s, next_retry_at = NULL, updated_at = pg_catalog.now(),"
						 " metadata = (COALESCE(d.metadata::pg_catalog.jsonb, '{}') OPERATOR(pg_catalog.||)"
						 " pg_catalog.jsonb_build_object('resolved_by_role', $5))::%s"
						 " WHERE d.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid",
						 letter->dlq->name, letter->dlq->type[DLQ_STATUS],
						 dlq_value(letter->dlq, DLQ_RESOLUTION_NOTES, "$3"),
						 dlq_value(letter->dlq, DLQ_RESOLVED_BY, by), letter->dlq->type[DLQ_METADATA]),
				SPI_OK_UPDATE, 5, args);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_MG_DLQ),
				 errmsg("table %s did not keep the change of dead letter %s", letter->dlq->name, args[0]),
				 errhint("Look for a trigger or a policy on it.")));

	values[0] = PG_GETARG_DATUM(0);
	values[1] = CStringGetTextDatum(letter->job_id);
	values[2] = CStringGetTextDatum(status);
	values[3] = CStringGetTextDatum(policy_environment_name(policy_environment()));
	values[4] = CStringGetTextDatum(psprintf("was %s, in %s", letter->status, letter->dlq->name));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	SPI_finish();
	return (Datum) 0;
}

/* migmgr.dlq_purge(older_than, dlq_table, dry_run, now_at): closed ones only. */
Datum
migmgr_dlq_purge(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		dry_run = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	TimestampTz now = PG_ARGISNULL(3) ? GetCurrentTransactionStartTimestamp() : PG_GETARG_TIMESTAMPTZ(3);
	Interval   *older_than = PG_ARGISNULL(0) ? NULL : PG_GETARG_INTERVAL_P(0);
	const char *args[2];
	ListCell   *lc;

	if (older_than == NULL || older_than->month < 0 || older_than->day < 0 || older_than->time < 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("older_than must be an interval of zero or more")));
	InitMaterializedSRF(fcinfo, 0);
	args[0] = pstrdup(timestamptz_to_str(now));
	args[1] = DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(older_than)));

	SPI_connect();
	foreach(lc, dlq_queues(fcinfo, 1, dry_run ? ACL_SELECT : ACL_SELECT | ACL_DELETE))
	{
		Dlq		   *dlq = lfirst(lc);
		Datum		values[5];
		bool		nulls[5] = {0};
		char	   *closed = psprintf("d.status OPERATOR(pg_catalog.=) ANY (ARRAY['resolved', 'abandoned']::%s[])"
									  " AND COALESCE(d.resolved_at, d.updated_at, d.created_at) OPERATOR(pg_catalog.<=)"
									  " ($1::pg_catalog.timestamptz OPERATOR(pg_catalog.-) $2::pg_catalog.interval)",
									  dlq->type[DLQ_STATUS]);
		int64		purged;

		if (dry_run)
		{
			dlq_execute(psprintf("SELECT pg_catalog.count(*) AS n FROM %s AS d WHERE %s", dlq->name, closed),
						SPI_OK_SELECT, 2, args);
			purged = spi_int64(0, "n", 0);
		}
		else
		{
			dlq_execute(psprintf("DELETE FROM %s AS d WHERE %s", dlq->name, closed), SPI_OK_DELETE, 2, args);
			purged = (int64) SPI_processed;
		}
		dlq_execute(psprintf("SELECT pg_catalog.count(*) AS n FROM %s AS d", dlq->name), SPI_OK_SELECT, 0, NULL);

		values[0] = CStringGetTextDatum(dlq->name);
		values[1] = Int64GetDatum(purged);
		values[2] = Int64GetDatum(spi_int64(0, "n", 0) - (dry_run ? purged : 0));
		values[3] = CStringGetTextDatum(policy_environment_name(policy_environment()));
		values[4] = CStringGetTextDatum(dry_run ? "dry run: nothing was deleted" : "resolved and abandoned ones only");
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}

/*
 * migmgr_internal.dlq_statistics(): for each queue the caller may read one
 * row with the total, then one per status and failure code.
 */
Datum
migmgr_dlq_statistics(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	foreach(lc, dlq_queues(fcinfo, 0, ACL_SELECT))
	{
		Dlq		   *dlq = lfirst(lc);

		dlq_execute(psprintf("SELECT %s::pg_catalog.text, CASE WHEN g.total THEN 'total' ELSE g.status END, g.code, g.n, g.due,"
							 " g.oldest, g.newest FROM (SELECT GROUPING(d.status) OPERATOR(pg_catalog.=) 1 AS total,"
							 " d.status::pg_catalog.text AS status, d.failure_code::pg_catalog.text AS code, pg_catalog.count(*) AS n,"
							 " pg_catalog.count(*) FILTER (WHERE d.status OPERATOR(pg_catalog.=) 'pending' AND"
							 "  (d.next_retry_at IS NULL OR d.next_retry_at OPERATOR(pg_catalog.<=) pg_catalog.now())) AS due,"
							 " pg_catalog.min(d.created_at)::pg_catalog.timestamptz AS oldest,"
							 " pg_catalog.max(d.created_at)::pg_catalog.timestamptz AS newest"
							 " FROM %s AS d GROUP BY GROUPING SETS ((), (d.status, d.failure_code))) AS g"
							 " ORDER BY g.total DESC, pg_catalog.array_position(ARRAY['abandoned', 'pending', 'retrying', 'resolved'], g.status),"
							 " g.n DESC, g.code",
							 quote_literal_cstr(dlq->name), dlq->name),
					SPI_OK_SELECT, 0, NULL);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			Datum		values[7];
			bool		nulls[7];

			heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values, nulls);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
	}
	SPI_finish();
	return (Datum) 0;
}
