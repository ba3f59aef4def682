/*
 * watch_define.c
 *	  watch() and unwatch(): which job tables are looked after, and how.
 *
 * Everything that could go wrong in a sweep at three in the morning is
 * checked here, while somebody is looking: columns, types, states, rights,
 * row security.  The caller's rights are what counts, because the sweep will
 * run with its caller's; only the row of the watch is written as the owner.
 */
#include "postgres.h"

#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "ledger.h"
#include "migmgr.h"
#include "policy.h"
#include "spi_util.h"
#include "subxact.h"
#include "watch.h"

#define MIN_STALE_US	USECS_PER_SEC
#define MAX_STALE_US	(30 * USECS_PER_DAY)
#define MAX_BATCH		10000

/* positions of watch()'s arguments */
enum
{
	ARG_JOB_TABLE, ARG_STALE_AFTER, ARG_DLQ_TABLE, ARG_JOB_TYPE, ARG_COLUMNS,
	ARG_STATUSES, ARG_MAX_RETRIES, ARG_BATCH_SIZE, ARG_COUNT_ATTEMPTS
};

/* what watch() was asked for, checked step by step */
typedef struct Request
{
	Oid			relid;
	Oid			dlq_relid;
	char	   *name;
	char	   *column[NUM_JOB_COLUMNS];
	bool		explicit[NUM_JOB_COLUMNS];
	char	   *state[NUM_JOB_STATES];
	StringInfoData notes;		/* worth knowing, for the caller's row */
} Request;

/* a literal to try against a column's type */
typedef struct Literal
{
	Oid			typid;
	int32		typmod;
	char	   *text;
} Literal;

PG_FUNCTION_INFO_V1(migmgr_watch);
PG_FUNCTION_INFO_V1(migmgr_unwatch);

static void check_arguments(FunctionCallInfo fcinfo);
static void check_stale_after(const Interval *interval);
static void check_table(Oid relid, bool dlq);
static void read_columns(Request *request, const char *json);
static void read_statuses(Request *request, const char *json);
static void check_columns(Request *request);
static void check_states(const Request *request);
static bool literal_fits(void *arg);
static char *mapping_json(const char *const *keys, char *const *values, int n);
static const char *store_watch(FunctionCallInfo fcinfo, const Request *request);
static void append_advice(Request *request);
static void return_row(FunctionCallInfo fcinfo, const char *job_table, const char *dlq_table,
					   int64 stale_ms, const char *status, const char *detail);

/*
 * migmgr.watch(job_table, stale_after, dlq_table, job_type, columns, statuses,
 * max_retries, batch_size, count_attempts): see the comment on the function.
 */
Datum
migmgr_watch(PG_FUNCTION_ARGS)
{
	Request    *request = palloc0(sizeof(Request));
	Interval   *stale_after;
	const char *dlq_name;
	const char *status;
	int64		stale_ms;
	Dlq			dlq;

	check_arguments(fcinfo);
	request->relid = PG_GETARG_OID(ARG_JOB_TABLE);
	request->dlq_relid = PG_GETARG_OID(ARG_DLQ_TABLE);
	stale_after = PG_GETARG_INTERVAL_P(ARG_STALE_AFTER);
	initStringInfo(&request->notes);

	check_stale_after(stale_after);
	check_table(request->relid, false);
	check_table(request->dlq_relid, true);
	request->name = watch_qualified(request->relid);
	dlq_name = watch_qualified(request->dlq_relid);
	if (request->relid == request->dlq_relid)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_JOB_TABLE),
				 errmsg("table %s cannot be its own dead-letter queue", request->name),
				 errhint("Leave dlq_table away to use migmgr.job_dlq.")));

	SPI_connect();
	read_columns(request, DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(ARG_COLUMNS))));
	read_statuses(request, DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(ARG_STATUSES))));
	check_columns(request);
	check_states(request);
	dlq_describe(request->dlq_relid, &dlq);

	watch_check_rights(request->relid, ACL_SELECT | ACL_UPDATE, "sweep its stale jobs");
	watch_check_rls(request->relid, "sweep its stale jobs");
	watch_check_rights(request->dlq_relid, ACL_SELECT | ACL_INSERT | ACL_UPDATE, "keep its dead letters");
	watch_check_rls(request->dlq_relid, "keep its dead letters");

	status = store_watch(fcinfo, request);
	append_advice(request);
	SPI_finish();

	stale_ms = (stale_after->time + stale_after->day * USECS_PER_DAY) / 1000;
	return_row(fcinfo, request->name, dlq_name, stale_ms, status,
			   request->notes.len > 0 ? request->notes.data : NULL);
	return (Datum) 0;
}

/* No argument but job_type may be null; numbers within their bounds. */
static void
check_arguments(FunctionCallInfo fcinfo)
{
	static const char *const names[] = {
		"job_table", "stale_after", "dlq_table", NULL, "columns", "statuses",
		"max_retries", "batch_size", "count_attempts",
	};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (names[i] != NULL && PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", names[i])));
	}
	if (PG_GETARG_INT32(ARG_MAX_RETRIES) < 0 || PG_GETARG_INT32(ARG_MAX_RETRIES) > 1000)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("max_retries must be between 0 and 1000")));
	if (PG_GETARG_INT32(ARG_BATCH_SIZE) < 1 || PG_GETARG_INT32(ARG_BATCH_SIZE) > MAX_BATCH)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("batch_size must be between 1 and %d", MAX_BATCH)));
}

/* Less than a second is no limit, more than a month no watchdog. */
static void
check_stale_after(const Interval *interval)
{
	int64		us = interval->time + interval->day * USECS_PER_DAY;

	if (interval->month != 0 || us < MIN_STALE_US || us > MAX_STALE_US)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("stale_after must be between 1 second and 30 days"),
				 errdetail("It is %s.", DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(interval)))),
				 errhint("Four times the interval between two heartbeats is a good value: '2 minutes' for one every 30 seconds.")));
}

/* Is it a table that can be swept, or a dead-letter queue? */
static void
check_table(Oid relid, bool dlq)
{
	char		relkind = get_rel_relkind(relid);
	Oid			namespace = get_rel_namespace(relid);
	char	   *schema;

	if (relkind == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_JOB_TABLE),
				 errmsg("%s is not a table", watch_qualified(relid)),
				 errhint("Name the table itself, not a view or an index of it.")));
	if (get_rel_persistence(relid) == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_JOB_TABLE),
				 errmsg("%s is a temporary table", watch_qualified(relid)),
				 errdetail("Other sessions, the one that sweeps among them, do not see its rows.")));

	schema = get_namespace_name(namespace);
	if (dlq && strcmp(schema, MIGMGR_SCHEMA) == 0 && strcmp(get_rel_name(relid), "job_dlq") == 0)
		return;
	if (IsCatalogNamespace(namespace) || strcmp(schema, MIGMGR_SCHEMA) == 0 ||
		strcmp(schema, MIGMGR_INTERNAL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_JOB_TABLE),
				 errmsg("%s cannot be %s", watch_qualified(relid), dlq ? "a dead-letter queue" : "watched"),
				 errdetail("It is a table of %s.", IsCatalogNamespace(namespace) ? "the system" : "migmgr")));
}

/* The caller's mapping of columns; null says that there is none. */
static void
read_columns(Request *request, const char *json)
{
	const char *args[1];

	args[0] = json;
	spi_exec("SELECT e.key, e.value #>> '{}' AS value, pg_catalog.jsonb_typeof(e.value) AS type"
			 " FROM pg_catalog.jsonb_each(CASE pg_catalog.jsonb_typeof($1::pg_catalog.jsonb) WHEN 'object' THEN $1::pg_catalog.jsonb"
			 " ELSE pg_catalog.jsonb_build_object('', $1::pg_catalog.jsonb) END) AS e",
			 SPI_OK_SELECT, 1, args);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *key = spi_text(i, "key");
		char	   *type = spi_text(i, "type");
		int			column = 0;

		while (column < NUM_JOB_COLUMNS && strcmp(watch_columns[column].key, key) != 0)
			column++;
		if (column == NUM_JOB_COLUMNS || (strcmp(type, "string") != 0 && strcmp(type, "null") != 0))
			ereport(ERROR,
					(errcode(ERRCODE_MG_BAD_OPTION),
					 column == NUM_JOB_COLUMNS
					 ? errmsg("unknown key \"%s\" in columns", key)
					 : errmsg("columns: \"%s\" must be the name of a column, or null", key),
					 errdetail("Keys are id, status, last_heartbeat_at, started_at, organisation_id, error_message, completed_at, attempts, max_attempts and progress."),
					 errhint("For example columns => '{\"last_heartbeat_at\": \"beat_at\", \"error_message\": null}'.")));
		request->column[column] = spi_text(i, "value");
		request->explicit[column] = true;
	}
}

/* The caller's names for the four states. */
static void
read_statuses(Request *request, const char *json)
{
	const char *args[1];

	for (int i = 0; i < NUM_JOB_STATES; i++)
		request->state[i] = pstrdup(watch_states[i]);
	args[0] = json;
	spi_exec("SELECT e.key, e.value #>> '{}' AS value, pg_catalog.jsonb_typeof(e.value) AS type"
			 " FROM pg_catalog.jsonb_each(CASE pg_catalog.jsonb_typeof($1::pg_catalog.jsonb) WHEN 'object' THEN $1::pg_catalog.jsonb"
			 " ELSE pg_catalog.jsonb_build_object('', $1::pg_catalog.jsonb) END) AS e",
			 SPI_OK_SELECT, 1, args);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *key = spi_text(i, "key");
		int			state = 0;

		while (state < NUM_JOB_STATES && strcmp(watch_states[state], key) != 0)
			state++;
		if (state == NUM_JOB_STATES || strcmp(spi_text(i, "type"), "string") != 0)
			ereport(ERROR,
					(errcode(ERRCODE_MG_BAD_OPTION),
					 state == NUM_JOB_STATES
					 ? errmsg("unknown key \"%s\" in statuses", key)
					 : errmsg("statuses: \"%s\" must be a value of the status column", key),
					 errdetail("Keys are running, failed, pending and completed."),
					 errhint("For example statuses => '{\"running\": \"in_progress\"}'.")));
		request->state[state] = spi_text(i, "value");
	}
	for (int i = 0; i < NUM_JOB_STATES; i++)
	{
		for (int j = 0; j < i; j++)
		{
			if (strcmp(request->state[i], request->state[j]) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_MG_BAD_OPTION),
						 errmsg("statuses: %s and %s are both \"%s\"", watch_states[j], watch_states[i], request->state[i])));
		}
	}
}

/*
 * Every required column and every one that was named must be there and of a
 * usable type; others are used where they fit and left out where not.
 */
static void
check_columns(Request *request)
{
	StringInfoData problems;
	const char *first = NULL;

	initStringInfo(&problems);
	for (int i = 0; i < NUM_JOB_COLUMNS; i++)
	{
		const WatchColumn *wanted = &watch_columns[i];
		bool		must = wanted->required || (request->explicit[i] && request->column[i] != NULL);
		AttrNumber	attnum;
		Oid			typid;

		if (!request->explicit[i] && wanted->automatic)
			request->column[i] = pstrdup(wanted->key);
		if (request->column[i] == NULL && !must)
			continue;
		attnum = request->column[i] == NULL ? InvalidAttrNumber : get_attnum(request->relid, request->column[i]);
		typid = attnum > 0 ? get_atttype(request->relid, attnum) : InvalidOid;
		if (attnum > 0 && watch_type_ok(wanted->kind, typid))
			continue;

		if (must)
		{
			appendStringInfo(&problems, "%s%s: ", problems.len ? "; " : "", wanted->key);
			if (request->column[i] == NULL)
				appendStringInfoString(&problems, "must not be null");
			else if (attnum <= 0)
				appendStringInfo(&problems, "there is no column \"%s\"", request->column[i]);
			else
				appendStringInfo(&problems, "column \"%s\" is of type %s, and %s is needed", request->column[i],
								 format_type_be(typid), watch_kind_name(wanted->kind));
			if (first == NULL)
				first = wanted->key;
		}
		else if (attnum > 0)
			appendStringInfo(&request->notes, "%scolumn %s is not used: its type is %s",
							 request->notes.len ? "; " : "", request->column[i], format_type_be(typid));
		request->column[i] = NULL;
	}
	if (problems.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_JOB_TABLE),
				 errmsg("table %s cannot be watched: it has not the columns that are needed", request->name),
				 errdetail_internal("%s.", problems.data),
				 errhint("Say which column it is: SELECT * FROM migmgr.watch('%s', columns => '{\"%s\": \"your_column\"}');",
						 request->name, first)));
}

/* The status column must accept the states that a sweep writes. */
static void
check_states(const Request *request)
{
	AttrNumber	attnum = get_attnum(request->relid, request->column[JOB_STATUS]);
	Literal		literal;
	Oid			collation;

	get_atttypetypmodcoll(request->relid, attnum, &literal.typid, &literal.typmod, &collation);
	for (int i = 0; i < NUM_JOB_STATES; i++)
	{
		ErrorData  *error;

		if (i == JOB_DONE)
			continue;			/* only ever compared, as text */
		literal.text = request->state[i];
		error = subxact_run(literal_fits, &literal);
		if (error != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_MG_BAD_JOB_TABLE),
					 errmsg("column \"%s\" of table %s does not accept \"%s\"", request->column[JOB_STATUS],
							request->name, request->state[i]),
					 errdetail_internal("%s.", error->message),
					 errhint("Say what the state %s is called there: statuses => '{\"%s\": \"...\"}'.",
							 watch_states[i], watch_states[i])));
	}
}

/* subxact_fn: does the type's input function take the text? */
static bool
literal_fits(void *arg)
{
	Literal    *literal = arg;
	Oid			input,
				param;

	getTypeInputInfo(literal->typid, &input, &param);
	(void) OidInputFunctionCall(input, literal->text, param, literal->typmod);
	return true;
}

/* {"key": "value", ...} of those that have a value */
static char *
mapping_json(const char *const *keys, char *const *values, int n)
{
	StringInfoData json;

	initStringInfo(&json);
	for (int i = 0; i < n; i++)
	{
		if (values[i] == NULL)
			continue;
		appendStringInfoString(&json, json.len ? ", " : "{");
		escape_json(&json, keys[i]);
		appendStringInfoString(&json, ": ");
		escape_json(&json, values[i]);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

/*
 * Writes row and ledger entry, unless the same watch is there already.
 * Returns what happened, in a word.
 */
static const char *
store_watch(FunctionCallInfo fcinfo, const Request *request)
{
	const char *keys[NUM_JOB_COLUMNS];
	const char *args[12];
	LedgerEntry entry = {.event = "watch"};
	const char *status;
	RecordScope scope;

	for (int i = 0; i < NUM_JOB_COLUMNS; i++)
		keys[i] = watch_columns[i].key;
	args[0] = get_namespace_name(get_rel_namespace(request->relid));
	args[1] = get_rel_name(request->relid);
	args[2] = get_namespace_name(get_rel_namespace(request->dlq_relid));
	args[3] = get_rel_name(request->dlq_relid);
	args[4] = DatumGetCString(DirectFunctionCall1(interval_out, PG_GETARG_DATUM(ARG_STALE_AFTER)));
	args[5] = PG_ARGISNULL(ARG_JOB_TYPE) ? args[1] : text_to_cstring(PG_GETARG_TEXT_PP(ARG_JOB_TYPE));
	args[6] = mapping_json(keys, request->column, NUM_JOB_COLUMNS);
	args[7] = mapping_json(watch_states, request->state, NUM_JOB_STATES);
	args[8] = psprintf("%d", PG_GETARG_INT32(ARG_MAX_RETRIES));
	args[9] = psprintf("%d", PG_GETARG_INT32(ARG_BATCH_SIZE));
	args[10] = PG_GETARG_BOOL(ARG_COUNT_ATTEMPTS) ? "true" : "false";
	args[11] = GetUserNameFromId(GetUserId(), false);

	record_begin(&scope);
	spi_exec("WITH new AS (SELECT $1 AS job_schema, $2 AS job_table, $3 AS dlq_schema, $4 AS dlq_table,"
			 "  $5::pg_catalog.interval AS stale_after, $6 AS job_type, $7::pg_catalog.jsonb AS columns,"
			 "  $8::pg_catalog.jsonb AS statuses, $9::pg_catalog.int4 AS max_retries,"
			 "  $10::pg_catalog.int4 AS batch_size, $11::pg_catalog.bool AS count_attempts),"
			 " old AS (SELECT w.* FROM migmgr_internal.watch AS w WHERE w.job_schema = $1 AND w.job_table = $2),"
			 " put AS (INSERT INTO migmgr_internal.watch AS w (job_schema, job_table, dlq_schema, dlq_table, stale_after,"
			 "  job_type, columns, statuses, max_retries, batch_size, count_attempts, watched_at, watched_by)"
			 "  SELECT new.*, pg_catalog.now(), $12 FROM new"
			 "  WHERE NOT EXISTS (SELECT FROM old WHERE (pg_catalog.to_jsonb(old) - 'watched_at') - 'watched_by' = pg_catalog.to_jsonb(new))"
			 "  ON CONFLICT (job_schema, job_table) DO UPDATE SET dlq_schema = EXCLUDED.dlq_schema,"
			 "  dlq_table = EXCLUDED.dlq_table, stale_after = EXCLUDED.stale_after, job_type = EXCLUDED.job_type,"
			 "  columns = EXCLUDED.columns, statuses = EXCLUDED.statuses, max_retries = EXCLUDED.max_retries,"
			 "  batch_size = EXCLUDED.batch_size, count_attempts = EXCLUDED.count_attempts,"
			 "  watched_at = EXCLUDED.watched_at, watched_by = EXCLUDED.watched_by RETURNING true)"
			 " SELECT CASE WHEN NOT EXISTS (SELECT FROM put) THEN 'already watched'"
			 "  WHEN EXISTS (SELECT FROM old) THEN 'changed' ELSE 'watched' END AS status,"
			 "  pg_catalog.to_jsonb(new)::pg_catalog.text AS detail FROM new",
			 SPI_OK_SELECT, 12, args);
	status = spi_text(0, "status");
	entry.detail = spi_text(0, "detail");
	record_end(&scope);

	if (strcmp(status, "already watched") != 0)
		ledger_append(&entry);
	return status;
}

/* What would make heartbeats or sweeps cheaper. */
static void
append_advice(Request *request)
{
	const char *args[2];
	RecordScope scope;

	args[0] = get_namespace_name(get_rel_namespace(request->relid));
	args[1] = get_rel_name(request->relid);
	record_begin(&scope);
	spi_exec("SELECT a.advice FROM migmgr_internal.watch_advice($1, $2) AS a", SPI_OK_SELECT, 2, args);
	for (uint64 i = 0; i < SPI_processed; i++)
		appendStringInfo(&request->notes, "%s%s", request->notes.len ? "; " : "", spi_text(i, "advice"));
	record_end(&scope);
}

/*
 * migmgr.unwatch(job_table): by name, so that the watch on a table that is
 * gone can be ended too.
 */
Datum
migmgr_unwatch(PG_FUNCTION_ARGS)
{
	const char *args[1];
	LedgerEntry entry = {.event = "unwatch"};
	RecordScope scope;
	char	   *name,
			   *dlq;
	Oid			relid;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("job_table must not be null")));
	args[0] = text_to_cstring(PG_GETARG_TEXT_PP(0));

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT pg_catalog.format('%I.%I', w.job_schema, w.job_table) AS name,"
			 " pg_catalog.format('%I.%I', w.dlq_schema, w.dlq_table) AS dlq"
			 " FROM migmgr_internal.watch AS w WHERE $1 IN (w.job_table, pg_catalog.format('%I', w.job_table),"
			 " pg_catalog.concat(w.job_schema, '.', w.job_table), pg_catalog.format('%I.%I', w.job_schema, w.job_table))",
			 SPI_OK_SELECT, 1, args);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_MG_NOT_WATCHED),
				 SPI_processed == 0
				 ? errmsg("table %s is not watched", args[0])
				 : errmsg("more than one watched table is called %s", args[0]),
				 errhint("SELECT job_table FROM migmgr.watches; shows them, each with its schema.")));
	name = spi_text(0, "name");
	dlq = spi_text(0, "dlq");
	record_end(&scope);

	relid = watch_table_relid(name);
	if (OidIsValid(relid))
		watch_check_rights(relid, ACL_UPDATE, "end its watch");

	args[0] = name;
	record_begin(&scope);
	spi_exec("DELETE FROM migmgr_internal.watch AS w WHERE pg_catalog.format('%I.%I', w.job_schema, w.job_table) = $1"
			 " RETURNING (pg_catalog.to_jsonb(w) - 'watched_at' - 'watched_by')::pg_catalog.text AS detail",
			 SPI_OK_DELETE_RETURNING, 1, args);
	entry.detail = spi_text(0, "detail");
	record_end(&scope);
	ledger_append(&entry);
	return_row(fcinfo, name, dlq, -1, "not watched any more",
			   "its dead letters stay where they are");
	SPI_finish();
	return (Datum) 0;
}

/* The one row of watch() and unwatch(). */
static void
return_row(FunctionCallInfo fcinfo, const char *job_table, const char *dlq_table,
		   int64 stale_ms, const char *status, const char *detail)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[6];
	bool		nulls[6] = {0};

	InitMaterializedSRF(fcinfo, 0);
	values[0] = CStringGetTextDatum(job_table);
	values[1] = CStringGetTextDatum(dlq_table);
	values[2] = Int64GetDatum(stale_ms);
	nulls[2] = stale_ms < 0;
	values[3] = CStringGetTextDatum(status);
	values[4] = CStringGetTextDatum(policy_environment_name(policy_environment()));
	values[5] = detail ? CStringGetTextDatum(detail) : (Datum) 0;
	nulls[5] = detail == NULL;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}
