/*
 * blockers.c
 *	  blockers(): who would be in the way of a script now.
 *
 * The locks that a script would take are known from its plan, and those that
 * others hold or queue for from the lock table; nothing is locked to find out.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "storage/lock.h"
#include "utils/builtins.h"

#include "errors.h"
#include "ledger.h"
#include "plan.h"
#include "spi_util.h"

#define NUM_COLUMNS 10

PG_FUNCTION_INFO_V1(migmgr_blockers);

static char *locks_json(const List *locks);
static void put_summary(ReturnSetInfo *result, int sessions, int statements, const List *locks);
static void put_blocker(ReturnSetInfo *result, uint64 row);

/*
 * migmgr.blockers(sql): a summary, then one row per session that holds, or
 * queues for, a lock that conflicts with one of the script's.
 */
Datum
migmgr_blockers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *args[1];
	RecordScope scope;
	List	   *locks;
	int			statements;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("the script has no SQL: it is null")));
	locks = plan_locks(text_to_cstring(PG_GETARG_TEXT_PP(0)), &statements);
	args[0] = locks_json(locks);
	InitMaterializedSRF(fcinfo, 0);

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT DISTINCT ON (b.pid, b.relid) b.statement, b.relid::pg_catalog.regclass AS relation, b.mode, b.pid,"
			 " a.usename, a.application_name, COALESCE(a.state, 'prepared transaction') AS state,"
			 " CASE WHEN b.granted THEN b.holds ELSE pg_catalog.concat('waits for ', b.holds) END AS holds,"
			 " (EXTRACT(epoch FROM pg_catalog.clock_timestamp() - a.xact_start) * 1000)::pg_catalog.int8 AS open_ms,"
			 " pg_catalog.count(*) FILTER (WHERE b.first) OVER () AS sessions,"
			 " CASE WHEN a.query ~* 'password' THEN 'a statement with a password'"
			 "      ELSE pg_catalog.left(pg_catalog.rtrim(pg_catalog.regexp_replace(a.query, '\\s+', ' ', 'g'), '; '), 200) END AS query"
			 " FROM (SELECT w.*, l.pid, l.mode AS holds, l.granted,"
			 "     pg_catalog.row_number() OVER (PARTITION BY l.pid) = 1 AS first"
			 "   FROM pg_catalog.jsonb_to_recordset($1::pg_catalog.jsonb)"
			 "     AS w (statement pg_catalog.int4, relid pg_catalog.oid, mode pg_catalog.text, against pg_catalog.jsonb)"
			 "   JOIN pg_catalog.pg_locks AS l ON l.locktype = 'relation' AND l.relation = w.relid"
			 "     AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())"
			 "     AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() AND pg_catalog.jsonb_exists(w.against, l.mode)) AS b"
			 " LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = b.pid"
			 " ORDER BY b.pid, b.relid, b.granted DESC, b.statement",
			 SPI_OK_SELECT, 1, args);
	put_summary(result, SPI_processed > 0 ? (int) spi_int64(0, "sessions", 0) : 0, statements, locks);
	for (uint64 row = 0; row < SPI_processed; row++)
		put_blocker(result, row);
	record_end(&scope);
	SPI_finish();
	return (Datum) 0;
}

/* The locks, each with the modes that conflict with it. */
static char *
locks_json(const List *locks)
{
	StringInfoData json;
	ListCell   *lc;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	foreach(lc, locks)
	{
		const PlanLock *lock = lfirst(lc);
		const char *comma = "";

		appendStringInfo(&json, "%s{\"statement\": %d, \"relid\": %u, \"mode\": \"%s\", \"against\": [",
						 json.len > 1 ? ", " : "", lock->statement, lock->relid,
						 GetLockmodeName(DEFAULT_LOCKMETHOD, lock->mode));
		for (LOCKMODE mode = AccessShareLock; mode <= AccessExclusiveLock; mode++)
		{
			if (!DoLockModesConflict(lock->mode, mode))
				continue;
			appendStringInfo(&json, "%s\"%s\"", comma, GetLockmodeName(DEFAULT_LOCKMETHOD, mode));
			comma = ", ";
		}
		appendStringInfoString(&json, "]}");
	}
	appendStringInfoChar(&json, ']');
	return json.data;
}

static void
put_summary(ReturnSetInfo *result, int sessions, int statements, const List *locks)
{
	Datum		values[NUM_COLUMNS] = {0};
	bool		nulls[NUM_COLUMNS];
	List	   *relids = NIL;
	ListCell   *lc;

	foreach(lc, locks)
		relids = list_append_unique_oid(relids, ((PlanLock *) lfirst(lc))->relid);
	memset(nulls, true, sizeof(nulls));
	nulls[9] = false;
	values[9] = CStringGetTextDatum(psprintf("%s; statements: %d, relations to lock: %d",
											 sessions == 0 ? "nobody is in the way" :
											 sessions == 1 ? "1 session is in the way" :
											 psprintf("%d sessions are in the way", sessions),
											 statements, list_length(relids)));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_blocker(ReturnSetInfo *result, uint64 row)
{
	static const char *const texts[] = {NULL, "relation", "mode", NULL, "usename", "application_name", "state", "holds", NULL, "query"};
	Datum		values[NUM_COLUMNS];
	bool		nulls[NUM_COLUMNS] = {0};

	values[0] = Int32GetDatum((int32) spi_int64(row, "statement", 0));
	values[3] = Int32GetDatum((int32) spi_int64(row, "pid", 0));
	nulls[3] = spi_text(row, "pid") == NULL;
	values[8] = Int64GetDatum(spi_int64(row, "open_ms", 0));
	nulls[8] = spi_text(row, "open_ms") == NULL;
	for (int i = 0; i < NUM_COLUMNS; i++)
	{
		char	   *text = texts[i] == NULL ? NULL : spi_text(row, texts[i]);

		if (texts[i] == NULL)
			continue;
		nulls[i] = text == NULL;

		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(text);
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}
