/*
 * sweep_sql.c
 *	  The statements of a sweep, written for one job table and one queue.
 *
 * They run with the caller's search_path (the tables' triggers are the
 * user's), so every name and operator is qualified.  States are literals and
 * not parameters: a partial index is usable only for what the planner sees.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "flag.h"
#include "sweep.h"

#define EQ	"OPERATOR(pg_catalog.=)"
#define LT	"OPERATOR(pg_catalog.<)"
#define ADD	"OPERATOR(pg_catalog.+)"
#define CAT	"OPERATOR(pg_catalog.||)"

static char *last_sign(const Watch *watch, const char *alias);
static char *running(const Watch *watch, const char *alias);
static char *attempts_left(const Watch *watch, const char *alias);
static char *utc(const char *expression);
static void append_flags(StringInfo sql, const Watch *watch);
static void append_stale(StringInfo sql, const Watch *watch);
static void append_gone(StringInfo sql, const Watch *watch);
static void append_added(StringInfo sql, const Watch *watch);

/* latest sign of life of a job: NULL when it gave none */
static char *
last_sign(const Watch *watch, const char *alias)
{
	if (watch->column[JOB_STARTED] == NULL)
		return psprintf("%s.%s", alias, watch->column[JOB_HEARTBEAT]);
	return psprintf("GREATEST(%s.%s, %s.%s)", alias, watch->column[JOB_HEARTBEAT],
					alias, watch->column[JOB_STARTED]);
}

static char *
running(const Watch *watch, const char *alias)
{
	return psprintf("%s.%s " EQ " %s", alias, watch->column[JOB_STATUS], watch->state[JOB_RUNNING]);
}

/* may the job be tried again instead of being dead-lettered? */
static char *
attempts_left(const Watch *watch, const char *alias)
{
	if (watch->column[JOB_ATTEMPTS] == NULL || watch->column[JOB_MAX_ATTEMPTS] == NULL)
		return "false";
	return psprintf("COALESCE(%s.%s, 0) " LT " COALESCE(%s.%s, 0)", alias, watch->column[JOB_ATTEMPTS],
					alias, watch->column[JOB_MAX_ATTEMPTS]);
}

static char *
utc(const char *expression)
{
	return psprintf("pg_catalog.to_char(pg_catalog.timezone('UTC', %s), 'YYYY-MM-DD HH24:MI:SS')", expression);
}

/* Feature flags that exist decide job by job whether it may be moved. */
static void
append_flags(StringInfo sql, const Watch *watch)
{
	for (int i = 0; i < lengthof(sweep_flags); i++)
	{
		if (flag_percent(sweep_flags[i]) >= 0)
			appendStringInfo(sql, " AND migmgr.flag_enabled('%s', j.%s::pg_catalog.text)",
							 sweep_flags[i], watch->column[JOB_ID]);
	}
}

/*
 * $1 cutoff.  One row: tids and late (addresses of stale jobs, or NULL),
 * running, unjudged.  Where an index leads to the oldest heartbeats only
 * those are read, and the count stops at the cap; else all running jobs are
 * read, once.
 */
char *
sweep_scan_sql(const Watch *watch)
{
	const char *beat = watch->column[JOB_HEARTBEAT];
	const char *started = watch->column[JOB_STARTED];
	char	   *is_running = running(watch, "j");

	if (!watch->beat_index)
		return psprintf("SELECT pg_catalog.array_agg(j.ctid) FILTER (WHERE %s " LT " $1) AS tids,"
						" NULL::pg_catalog.tid[] AS late, pg_catalog.count(*) AS running,"
						" pg_catalog.count(*) FILTER (WHERE %s IS NULL) AS unjudged FROM %s AS j WHERE %s",
						last_sign(watch, "j"), last_sign(watch, "j"), watch->name, is_running);

	return psprintf("SELECT a.tids, b.late, c.running, b.unjudged FROM"
					" (SELECT pg_catalog.array_agg(j.ctid) AS tids FROM %s AS j"
					"  WHERE %s AND j.%s " LT " $1%s) AS a,"
					" (SELECT pg_catalog.array_agg(j.ctid) FILTER (WHERE %s) AS late,"
					"  pg_catalog.count(*) FILTER (WHERE %s IS NULL) AS unjudged FROM %s AS j"
					"  WHERE %s AND j.%s IS NULL) AS b,"
					" (SELECT pg_catalog.count(*) AS running FROM (SELECT FROM %s AS j WHERE %s LIMIT %d) AS l) AS c",
					watch->name, is_running, beat,
					started ? psprintf(" AND (j.%s IS NULL OR j.%s " LT " $1)", started, started) : "",
					started ? psprintf("j.%s " LT " $1", started) : "false",
					last_sign(watch, "j"), watch->name, is_running, beat,
					watch->name, is_running, SWEEP_COUNT_CAP + 1);
}

/* The exact number of running jobs. */
char *
sweep_count_sql(const Watch *watch)
{
	return psprintf("SELECT pg_catalog.count(*) AS running FROM %s AS j WHERE %s",
					watch->name, running(watch, "j"));
}

/* $1 tids, $2 cutoff.  What a batch would do, without a lock: again, dead. */
char *
sweep_preview_sql(const Watch *watch)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT pg_catalog.count(*) FILTER (WHERE %s) AS again,"
					 " pg_catalog.count(*) FILTER (WHERE NOT (%s)) AS dead"
					 " FROM %s AS j WHERE j.ctid " EQ " ANY ($1) AND %s AND %s " LT " $2",
					 attempts_left(watch, "j"), attempts_left(watch, "j"), watch->name,
					 running(watch, "j"), last_sign(watch, "j"));
	append_flags(&sql, watch);
	return sql.data;
}

/*
 * $1 tids, $2 cutoff, $3 now, $4 metadata, $5 new ids, $6 whether there
 * are open letters at all.  One row of counts.
 *
 * gone locks what is still stale in its newest version and free, and moves it
 * out of running; reopened and added give each dead job its row of the queue,
 * in the same statement.  A job that a heartbeat or a completion reached first
 * is not among them, because the lock re-checks the newest version.
 */
char *
sweep_batch_sql(const Watch *watch)
{
	const Dlq  *dlq = &watch->dlq;
	StringInfoData sql;

	initStringInfo(&sql);
	append_gone(&sql, watch);
	appendStringInfo(&sql, ", reopened AS (UPDATE %s AS d SET ", dlq->name);
	dlq_reopen_sql(&sql, dlq, "$3", "g.code", "g.reason", "g.payload");
	appendStringInfo(&sql, " FROM gone AS g WHERE g.dead AND g.letter IS NOT NULL AND d.ctid " EQ " g.letter"
					 " AND pg_catalog.concat(d.job_id) " EQ " pg_catalog.concat(g.id::pg_catalog.text::%s) RETURNING 1)",
					 dlq->type[DLQ_JOB_ID]);
	append_added(&sql, watch);

	appendStringInfoString(&sql, " SELECT pg_catalog.count(*) FILTER (WHERE g.dead) AS dead,"
						   " pg_catalog.count(*) FILTER (WHERE g.again) AS again,"
						   " pg_catalog.count(*) FILTER (WHERE g.kept) AS kept,"
						   " (SELECT pg_catalog.count(*) FROM added) AS added,"
						   " (SELECT pg_catalog.count(*) FROM reopened) AS reopened"
						   " FROM gone AS g");
	return sql.data;
}

/* Are there letters that a second failure could belong to?  One row: open. */
char *
sweep_open_sql(const Watch *watch)
{
	return psprintf("SELECT EXISTS (SELECT FROM %s AS d WHERE d.status " EQ " ANY (ARRAY['pending', 'retrying']::%s[])) AS open",
					watch->dlq.name, watch->dlq.type[DLQ_STATUS]);
}

/*
 * What is stale, locked, with all that its letter will say.
 *
 * A second failure belongs to the letter that the first one made.  It is
 * looked up job by job and updated by its address, because whatever the
 * planner could choose from, it would at times choose to read all letters for
 * each job: the statistics of a queue are those of another hour.  concat()
 * hides the status from an index for the same reason.
 */
static void
append_stale(StringInfo sql, const Watch *watch)
{
	const Dlq  *dlq = &watch->dlq;
	const char *organisation = watch->column[JOB_ORGANISATION];
	const char *beat = watch->column[JOB_HEARTBEAT];

	appendStringInfo(sql, "(SELECT j.ctid AS tid, j.tableoid AS part, j.%s AS id,"
					 " pg_catalog.to_jsonb(j) AS payload, %s AS sign, %s AS again, %s%s AS organisation,"
					 " j.%s IS NULL AS never, pg_catalog.concat('no heartbeat since ',"
					 " CASE WHEN j.%s IS NULL THEN 'it started at ' END, %s, ' UTC (limit ', %s, ')') AS reason,",
					 watch->column[JOB_ID], last_sign(watch, "j"), attempts_left(watch, "j"),
					 organisation ? "j." : "", organisation ? organisation : "NULL::pg_catalog.text",
					 beat, beat, utc(last_sign(watch, "j")), quote_literal_cstr(watch->stale_text));
	appendStringInfo(sql, " CASE WHEN $6 THEN (SELECT o.ctid FROM %s AS o WHERE o.job_id " EQ
					 " j.%s::pg_catalog.text::%s AND pg_catalog.concat(o.status) " EQ " ANY (ARRAY['pending', 'retrying'])"
					 " AND COALESCE(o.metadata OPERATOR(pg_catalog.->>) 'job_table', %s) " EQ " %s LIMIT 1) END AS letter",
					 dlq->name, watch->column[JOB_ID], dlq->type[DLQ_JOB_ID],
					 quote_literal_cstr(watch->name), quote_literal_cstr(watch->name));
	appendStringInfo(sql, " FROM %s AS j WHERE j.ctid " EQ " ANY ($1) AND %s AND %s " LT " $2",
					 watch->name, running(watch, "j"), last_sign(watch, "j"));
	append_flags(sql, watch);
	appendStringInfoString(sql, " FOR NO KEY UPDATE OF j SKIP LOCKED)");
}

/* gone: the jobs that this statement took out of running */
static void
append_gone(StringInfo sql, const Watch *watch)
{
	const char *state = watch->type[JOB_STATUS];
	bool		requeue = watch->column[JOB_ATTEMPTS] && watch->column[JOB_MAX_ATTEMPTS];

	appendStringInfo(sql, "WITH gone AS (UPDATE %s AS j SET %s = ", watch->name, watch->column[JOB_STATUS]);
	if (requeue)
		appendStringInfo(sql, "CASE WHEN s.again THEN %s::%s ELSE %s::%s END",
						 watch->state[JOB_PENDING], state, watch->state[JOB_FAILED], state);
	else
		appendStringInfo(sql, "%s", watch->state[JOB_FAILED]);
	if (watch->column[JOB_COMPLETED])
		appendStringInfo(sql, ", %s = CASE WHEN NOT s.again THEN $3 END", watch->column[JOB_COMPLETED]);
	if (watch->column[JOB_ERROR])
		appendStringInfo(sql, ", %s = CASE WHEN s.again THEN j.%s ELSE s.reason::%s END",
						 watch->column[JOB_ERROR], watch->column[JOB_ERROR], watch->type[JOB_ERROR]);
	if (requeue)
	{
		/* the next worker must not inherit the silence of the last one */
		if (bms_is_member(JOB_HEARTBEAT, watch->nullable))
			appendStringInfo(sql, ", %s = CASE WHEN NOT s.again THEN j.%s END",
							 watch->column[JOB_HEARTBEAT], watch->column[JOB_HEARTBEAT]);
		if (watch->column[JOB_STARTED] && bms_is_member(JOB_STARTED, watch->nullable))
			appendStringInfo(sql, ", %s = CASE WHEN NOT s.again THEN j.%s END",
							 watch->column[JOB_STARTED], watch->column[JOB_STARTED]);
		if (watch->count_attempts)
			appendStringInfo(sql, ", %s = COALESCE(j.%s, 0) " ADD " CASE WHEN s.again THEN 1 ELSE 0 END",
							 watch->column[JOB_ATTEMPTS], watch->column[JOB_ATTEMPTS]);
	}
	appendStringInfoString(sql, " FROM ");
	append_stale(sql, watch);
	appendStringInfo(sql, " AS s WHERE j.ctid " EQ " s.tid AND j.tableoid " EQ " s.part AND %s"
					 " RETURNING s.id, s.payload, s.sign, s.again, s.organisation, s.reason, s.letter, NOT s.again AS dead,"
					 " CASE WHEN s.never THEN 'NEVER_BEAT' ELSE 'HEARTBEAT_TIMEOUT' END AS code,"
					 " j.%s " EQ " CASE WHEN s.again THEN %s::%s ELSE %s::%s END AS kept)",
					 running(watch, "j"), watch->column[JOB_STATUS],
					 watch->state[JOB_PENDING], state, watch->state[JOB_FAILED], state);
}

/*
 * added: the new rows of the queue.  In a partitioned table an address is one
 * in each partition, so there may be more rows than addresses and ids.
 */
static void
append_added(StringInfo sql, const Watch *watch)
{
	const Dlq  *dlq = &watch->dlq;

	appendStringInfo(sql, ", added AS (INSERT INTO %s (id, job_id, job_type, payload, failure_reason, failure_code,"
					 " attempt_count, max_retries, last_attempt_at, next_retry_at, status, metadata,"
					 " organisation_id, created_at, updated_at)"
					 " SELECT COALESCE(($5)[pg_catalog.row_number() OVER ()], pg_catalog.gen_random_uuid()), ",
					 dlq->name);
	appendStringInfo(sql, "%s, %s, %s, %s, %s, 1, %d, g.sign, $3 " ADD " '2 minutes'::pg_catalog.interval, 'pending', %s, %s, $3, $3",
					 dlq_value(dlq, DLQ_JOB_ID, "g.id"),
					 dlq_value(dlq, DLQ_JOB_TYPE, psprintf("%s::pg_catalog.text", quote_literal_cstr(watch->job_type))),
					 dlq_value(dlq, DLQ_PAYLOAD, "g.payload"),
					 dlq_value(dlq, DLQ_FAILURE_REASON, "g.reason"),
					 dlq_value(dlq, DLQ_FAILURE_CODE, "g.code"),
					 watch->max_retries,
					 dlq_value(dlq, DLQ_METADATA, "$4"),
					 dlq_value(dlq, DLQ_ORGANISATION_ID, "g.organisation"));
	appendStringInfoString(sql, " FROM gone AS g WHERE g.dead AND g.letter IS NULL RETURNING 1)");
}

/* An expression as a value of a column, by way of text where types differ. */
char *
dlq_value(const Dlq *dlq, DlqColumn column, const char *expression)
{
	switch (column)
	{
		case DLQ_PAYLOAD:
		case DLQ_METADATA:
			return psprintf("%s::%s", expression, dlq->type[column]);
		default:
			return psprintf("(%s)::pg_catalog.text::%s", expression, dlq->type[column]);
	}
}

/*
 * SET list for a dead letter d whose job has failed again: what was known
 * goes to the history in its metadata, attempts count up, and when no retry
 * is left it is abandoned.  The wait doubles, from two minutes to an hour.
 * The arguments are expressions: a timestamptz, two texts, a jsonb.
 */
void
dlq_reopen_sql(StringInfo sql, const Dlq *dlq, const char *now, const char *code,
			   const char *reason, const char *payload)
{
	const char *left = "COALESCE(d.attempt_count, 0) " LT " COALESCE(d.max_retries, 0)";

	appendStringInfo(sql, "attempt_count = COALESCE(d.attempt_count, 0) " ADD " 1,"
					 " status = CASE WHEN %s THEN 'pending'::%s ELSE 'abandoned'::%s END,"
					 " next_retry_at = CASE WHEN %s THEN %s " ADD " pg_catalog.make_interval(mins => LEAST(60, 1"
					 " OPERATOR(pg_catalog.<<) LEAST(COALESCE(d.attempt_count, 0)::pg_catalog.int4 " ADD " 1, 6))) END,",
					 left, dlq->type[DLQ_STATUS], dlq->type[DLQ_STATUS], left, now);
	appendStringInfo(sql, " failure_code = %s, failure_reason = %s, payload = %s, last_attempt_at = %s, updated_at = %s,",
					 dlq_value(dlq, DLQ_FAILURE_CODE, code), dlq_value(dlq, DLQ_FAILURE_REASON, reason),
					 dlq_value(dlq, DLQ_PAYLOAD, payload), now, now);
	appendStringInfo(sql, " metadata = (COALESCE(d.metadata::pg_catalog.jsonb, '{}') " CAT " pg_catalog.jsonb_build_object('history',"
					 " COALESCE(d.metadata::pg_catalog.jsonb OPERATOR(pg_catalog.->) 'history', '[]') " CAT
					 " pg_catalog.jsonb_build_object('attempt', d.attempt_count, 'failure_code', d.failure_code,"
					 " 'failure_reason', d.failure_reason, 'last_attempt_at', d.last_attempt_at)))::%s",
					 dlq->type[DLQ_METADATA]);
}

/*
 * $1 now.  Dead letters that were retried and whose job has ended since:
 * completed closes them, failed opens them again.
 */
char *
sweep_settle_sql(const Watch *watch)
{
	const Dlq  *dlq = &watch->dlq;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "WITH ended AS MATERIALIZED (SELECT d.id, j.%s " EQ " %s AS failed, pg_catalog.to_jsonb(j) AS payload, %s AS reason"
					 " FROM %s AS d JOIN %s AS j ON j.%s " EQ " d.job_id::pg_catalog.text::%s"
					 " WHERE d.status " EQ " 'retrying' AND d.metadata OPERATOR(pg_catalog.->>) 'job_table' " EQ " %s"
					 " AND (j.%s " EQ " %s OR j.%s::pg_catalog.text " EQ " %s) FOR NO KEY UPDATE OF d SKIP LOCKED),",
					 watch->column[JOB_STATUS], watch->state[JOB_FAILED],
					 watch->column[JOB_ERROR]
					 ? psprintf("COALESCE(j.%s::pg_catalog.text, 'the retried job failed')", watch->column[JOB_ERROR])
					 : "'the retried job failed'",
					 dlq->name, watch->name, watch->column[JOB_ID], watch->type[JOB_ID],
					 quote_literal_cstr(watch->name),
					 watch->column[JOB_STATUS], watch->state[JOB_FAILED],
					 watch->column[JOB_STATUS], watch->state[JOB_DONE]);
	appendStringInfo(&sql, " again AS (UPDATE %s AS d SET ", dlq->name);
	dlq_reopen_sql(&sql, dlq, "$1", "'RETRY_FAILED'", "e.reason", "e.payload");
	appendStringInfo(&sql, " FROM ended AS e WHERE d.id " EQ " e.id AND e.failed RETURNING 1),"
					 " done AS (UPDATE %s AS d SET status = 'resolved', resolved_at = $1, next_retry_at = NULL,"
					 " resolution_notes = 'the retried job completed', updated_at = $1"
					 " FROM ended AS e WHERE d.id " EQ " e.id AND NOT e.failed RETURNING 1)"
					 " SELECT (SELECT pg_catalog.count(*) FROM again) AS again, (SELECT pg_catalog.count(*) FROM done) AS done",
					 dlq->name);
	return sql.data;
}
