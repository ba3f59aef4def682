/*
 * check.c
 *	  Running named checks: as another role, for a bounded time, always undone.
 *
 * A check is a stranger's SQL.  It runs in a subtransaction that is undone
 * whatever happens, under SECURITY_LOCAL_USERID_CHANGE (no way back to the
 * caller's role) and SECURITY_RESTRICTED_OPERATION (nothing is left in the
 * session), with the search_path its adder had, and in production read-only.
 * What goes wrong in it is its result; only a cancel of the caller's is raised.
 *
 * What a subtransaction does not undo is not undone here either: sequences,
 * session-level advisory locks, and what leaves the database.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parse_func.h"
#include "portability/instr_time.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timeout.h"

#include "check.h"
#include "compat.h"
#include "errors.h"
#include "guard.h"
#include "guc.h"
#include "ledger.h"
#include "migmgr.h"
#include "own_table.h"
#include "script.h"
#include "spi_util.h"
#include "subxact.h"

#define MAX_ROWS 1000			/* that are looked at where none is expected */
#define MAX_TAP_ROWS 100000
#define MAX_SHOWN 200			/* bytes of a row in a message */

/* one check while it runs */
typedef struct CheckRun
{
	CheckResult *result;
	bool		read_only;
	MemoryContext context;		/* of the result */
} CheckRun;

PG_FUNCTION_INFO_V1(migmgr_run_checks);

static TimeoutId timer = MAX_TIMEOUTS;
static volatile sig_atomic_t timed_out = false;

static List *load_checks(const char *run_at, PolicyEnvironment environment);
static CheckResult *run_check(const Check *check, bool read_only);
static bool check_in_subxact(void *arg);
static void set_identity(const Check *check);
static void set_setting(const char *name, const char *value);
static bool is_tap_plan(const ScriptStatement *statement);
static void run_statement(const CheckRun *run, const ScriptStatement *statement, CheckRows *rows);
static char *row_text(int row);
static void check_failed(CheckResult *result, ErrorData *error);
static void start_timeout(void);
static bool stop_timeout(void);
static void timeout_handler(void);

/* See check.h.  Nothing is written, so a standby can do it. */
List *
checks_run(const char *run_at, PolicyEnvironment environment)
{
	List	   *results = NIL;
	ListCell   *lc;

	if (!own_any(MIGMGR_SCHEMA, "ledger", "ledger_event", BTEqualStrategyNumber,
				 CStringGetTextDatum("check")))
		return NIL;
	foreach(lc, load_checks(run_at, environment))
	{
		CHECK_FOR_INTERRUPTS();
		results = lappend(results, run_check(lfirst(lc), environment == ENV_PRODUCTION));
	}
	return results;
}

/* The definitions in force for a moment and an environment, by name. */
static List *
load_checks(const char *run_at, PolicyEnvironment environment)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *checks = NIL;
	const char *args[2];
	RecordScope scope;

	args[0] = run_at;
	args[1] = policy_environment_name(environment);
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT c.name, c.sql, c.expect, c.run_as, c.adder, c.search_path,"
			 " (SELECT r.status IN ('ok', 'failed') FROM migmgr_internal.check_result AS r WHERE r.check_name = c.name"
			 "   ORDER BY r.id DESC LIMIT 1) AS seen"
			 " FROM migmgr_internal.check_definition AS c"
			 " WHERE ($1 IS NULL OR $1 = ANY (c.run_at)) AND (c.environments IS NULL OR $2 = ANY (c.environments))"
			 " ORDER BY c.name COLLATE pg_catalog.\"C\"",
			 SPI_OK_SELECT, 2, args);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		Check	   *check = palloc0(sizeof(Check));

		check->name = pstrdup(spi_text(row, "name"));
		check->sql = pstrdup(spi_text(row, "sql"));
		check->expect = pstrdup(spi_text(row, "expect"));
		check->run_as = pstrdup(spi_text(row, "run_as"));
		check->adder = pstrdup(spi_text(row, "adder"));
		check->search_path = pstrdup(spi_text(row, "search_path"));
		check->seen = spi_bool(row, "seen", false);
		checks = lappend(checks, check);
		MemoryContextSwitchTo(old);
	}
	record_end(&scope);
	SPI_finish();
	return checks;
}

/* Runs one check; the result is in the current context. */
static CheckResult *
run_check(const Check *check, bool read_only)
{
	CheckResult *result = palloc0(sizeof(CheckResult));
	CheckRun	run = {.result = result,.read_only = read_only,.context = CurrentMemoryContext};
	instr_time	start,
				duration;
	ErrorData  *error;

	result->check = check;
	INSTR_TIME_SET_CURRENT(start);
	start_timeout();
	error = subxact_run(check_in_subxact, &run);
	if (stop_timeout() && (error == NULL || error->sqlerrcode == ERRCODE_QUERY_CANCELED))
	{
		result->status = "error";
		result->detail = psprintf("stopped: it ran longer than %d ms (migmgr.check_timeout)", guc_check_timeout);
	}
	else if (error != NULL)
		check_failed(result, error);
	INSTR_TIME_SET_CURRENT(duration);
	INSTR_TIME_SUBTRACT(duration, start);
	result->ms = INSTR_TIME_GET_MILLISEC(duration);
	return result;
}

/* What an error of a check's own means; raises those that are not its own. */
static void
check_failed(CheckResult *result, ErrorData *error)
{
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN ||
		error->sqlerrcode == ERRCODE_CRASH_SHUTDOWN)
		ReThrowError(error);
	result->value = NULL;
	if (error->sqlerrcode == ERRCODE_UNDEFINED_TABLE)
	{
		result->status = "table missing";
		result->detail = error->message;
	}
	else
	{
		result->status = "error";
		result->detail = psprintf("%s (%s)", error->message, unpack_sql_state(error->sqlerrcode));
	}
}

/* subxact_fn: everything of the check's, undone. */
static bool
check_in_subxact(void *arg)
{
	CheckRun   *run = arg;
	const Check *check = run->result->check;
	Script	   *script = script_parse(check->sql, psprintf("check \"%s\"", check->name));
	CheckRows	rows = {.planned = -1};
	Oid			user;
	int			context;
	ListCell   *lc = list_head(script->statements);

	if (guard_active())
		guard_statement(NULL);
	set_setting("search_path", check->search_path);
	set_setting("lock_timeout", "1s");
	set_setting("row_security", "on");
	set_setting("check_function_bodies", "on");
	set_identity(check);

	/* pgTAP keeps its counts in temporary tables, which it makes first */
	for (; lc != NULL && expect_is_tap(check->expect); lc = lnext(script->statements, lc))
	{
		const ScriptStatement *statement = lfirst(lc);

		if (!IsA(statement->raw->stmt, VariableSetStmt) && !is_tap_plan(statement))
			break;
		run_statement(run, statement, &rows);
	}
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(user, context | SECURITY_RESTRICTED_OPERATION);
	if (run->read_only)
		XactReadOnly = true;	/* the subtransaction's end gives it back */

	for_each_cell(lc, script->statements, lc)
	{
		CHECK_FOR_INTERRUPTS();
		run_statement(run, lfirst(lc), &rows);
	}
	check_judge(run->result, &rows);
	return false;
}

/* Becomes the role of the check, which its adder must still be able to do. */
static void
set_identity(const Check *check)
{
	Oid			adder = get_role_oid(check->adder, true);
	Oid			role = get_role_oid(check->run_as, true);
	Oid			user;
	int			context;

	if (!OidIsValid(adder) || !OidIsValid(role))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" does not exist any more", OidIsValid(adder) ? check->run_as : check->adder)));
	if (!mg_member_can_set_role(adder, role))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\", who added it, may not become \"%s\" any more", check->adder, check->run_as)));
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(role, (context & ~SECURITY_NOFORCE_RLS) | SECURITY_LOCAL_USERID_CHANGE);
}

/* Until the end of the subtransaction. */
static void
set_setting(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Is this SELECT plan(...) or SELECT no_plan(), and the function pgTAP's own? */
static bool
is_tap_plan(const ScriptStatement *statement)
{
	SelectStmt *select = (SelectStmt *) statement->raw->stmt;
	FuncCall   *call;
	Oid			types[] = {INT4OID};
	Oid			function;

	if (!IsA(select, SelectStmt) || list_length(select->targetList) != 1 || select->fromClause != NIL ||
		select->whereClause != NULL || select->withClause != NULL)
		return false;
	call = (FuncCall *) linitial_node(ResTarget, select->targetList)->val;
	if (!IsA(call, FuncCall) || call->agg_filter != NULL || list_length(call->args) > 1)
		return false;
	if (call->args != NIL && (!IsA(linitial(call->args), A_Const) ||
							  !IsA(&((A_Const *) linitial(call->args))->val, Integer)))
		return false;
	if (strcmp(strVal(llast(call->funcname)), "plan") != 0 &&
		strcmp(strVal(llast(call->funcname)), "no_plan") != 0)
		return false;
	function = LookupFuncName(call->funcname, list_length(call->args), types, true);
	return OidIsValid(function) &&
		getExtensionOfObject(ProcedureRelationId, function) == get_extension_oid("pgtap", true);
}

/* Runs one statement and takes in what it returns. */
static void
run_statement(const CheckRun *run, const ScriptStatement *statement, CheckRows *rows)
{
	const char *expect = run->result->check->expect;
	bool		tap = expect_is_tap(expect);
	bool		none = pg_strcasecmp(expect, "no rows") == 0;
	int			result;

	SPI_connect();
	result = SPI_execute(statement->text, false, tap ? MAX_TAP_ROWS : none ? MAX_ROWS + 1 : 2);
	if (result < 0)
		elog(ERROR, "SPI returned %s for: %s", SPI_result_code_string(result), statement->text);
	if (SPI_tuptable == NULL || (tap && SPI_processed == 0))
	{
		SPI_finish();
		return;
	}
	for (uint64 row = 0; tap && row < SPI_processed; row++)
	{
		char	   *line = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1);
		MemoryContext old = MemoryContextSwitchTo(run->context);

		if (line != NULL)
			check_tap(rows, line);
		MemoryContextSwitchTo(old);
	}
	rows->columns = SPI_tuptable->tupdesc->natts;
	rows->count = Min(SPI_processed, MAX_ROWS);
	rows->more = SPI_processed > MAX_ROWS;
	rows->single = false;
	rows->first = NULL;
	if (!tap && SPI_processed > 0)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
		char	   *first = row_text(0);
		MemoryContext old = MemoryContextSwitchTo(run->context);

		rows->first = pstrdup(first);
		rows->type = SPI_gettypeid(SPI_tuptable->tupdesc, 1);
		rows->single = !isnull && rows->columns == 1;
		if (rows->single)
			rows->value = datumCopy(value, get_typbyval(rows->type), get_typlen(rows->type));
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
}

/* A row of SPI_tuptable for a message. */
static char *
row_text(int row)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 1; i <= desc->natts && text.len < MAX_SHOWN; i++)
	{
		char	   *value = SPI_getvalue(SPI_tuptable->vals[row], desc, i);

		appendStringInfo(&text, "%s%s", i > 1 ? ", " : "", value == NULL ? "null" : value);
	}
	if (text.len > MAX_SHOWN)
	{
		text.		len = pg_mbcliplen(text.data, text.len, MAX_SHOWN);
		text.		data[text.len] = '\0';

		appendStringInfoString(&text, "...");
	}
	return text.data;
}

/* Called in a signal handler: the same way out as for a cancel. */
static void
timeout_handler(void)
{
	timed_out = true;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
}

/*
 * The server arms statement_timeout only when a statement comes from the
 * client, so a check has a timer of its own.
 */
static void
start_timeout(void)
{
	if (timer == MAX_TIMEOUTS)
		timer = RegisterTimeout(USER_TIMEOUT, timeout_handler);
	timed_out = false;
	enable_timeout_after(timer, guc_check_timeout);
}

/* Did it go off?  A cancel that it asked for and nobody took is forgotten. */
static bool
stop_timeout(void)
{
	disable_timeout(timer, false);
	if (!timed_out)
		return false;
	QueryCancelPending = false;
	return true;
}

/*
 * Results are rows that only this code writes.  Of each check the newest are
 * kept.
 */
void
checks_record(const List *results, const char *run_at, const char *version)
{
	RecordScope scope;
	ListCell   *lc;

	if (results == NIL)
		return;
	SPI_connect();
	record_begin(&scope);
	foreach(lc, results)
	{
		const CheckResult *result = lfirst(lc);
		const char *args[7];

		args[0] = result->check->name;
		args[1] = run_at;
		args[2] = version;
		args[3] = result->status;
		args[4] = result->value;
		args[5] = result->detail;
		args[6] = psprintf("%.3f", result->ms);
		spi_exec("INSERT INTO migmgr_internal.check_result (at, check_name, run_at, version, status, value, detail, ms)"
				 " VALUES (pg_catalog.clock_timestamp(), $1, $2, $3, $4, $5, $6, $7::pg_catalog.numeric)",
				 SPI_OK_INSERT, 7, args);
		spi_exec("DELETE FROM migmgr_internal.check_result AS r WHERE r.id IN"
				 " (SELECT o.id FROM migmgr_internal.check_result AS o"
				 " WHERE o.check_name = $1 ORDER BY o.id DESC OFFSET 1000)", SPI_OK_DELETE, 1, args);
	}
	record_end(&scope);
	SPI_finish();
}

/* See check.h. */
char *
checks_failures(const List *results)
{
	StringInfoData lines;
	ListCell   *lc;

	initStringInfo(&lines);
	foreach(lc, results)
	{
		const CheckResult *result = lfirst(lc);

		if (strcmp(result->status, "ok") == 0 ||
			(strcmp(result->status, "table missing") == 0 && !result->check->seen))
			continue;
		appendStringInfo(&lines, "%scheck \"%s\": %s", lines.len > 0 ? "\n" : "",
						 result->check->name, result->detail);
	}
	return lines.len == 0 ? NULL : lines.data;
}

/*
 * What must be true once a migration has run, still inside its transaction.
 * A table that a check has not found the last time either is no failure: its
 * migration may be still to come.  A rollback is the way out, and is only told.
 */
void
checks_after(const char *version, bool forward, PolicyEnvironment environment)
{
	List	   *results = checks_run("after", environment);
	char	   *failures = checks_failures(results);

	if (failures != NULL && (!forward || policy_waives("checks", version)))
		ereport(WARNING,
				(errmsg("a check fails after %s \"%s\"", forward ? "migration" : "the rollback of", version),
				 errdetail_internal("This was not as expected:\n%s", failures)));
	else if (failures != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_CHECK_FAILED),
				 errmsg("migration \"%s\" was undone: a check failed after it", version),
				 errdetail_internal("This was not as expected:\n%s", failures),
				 errhint("SELECT name, sql, expect FROM migmgr.checks; shows what is checked."
						 "  To let it pass for an hour: SELECT migmgr.waive('checks', 'reason');")));
	checks_record(results, "after", version);
}

/* migmgr_internal.run_checks(run_at, record): a row for each. */
Datum
migmgr_run_checks(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *run_at = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	List	   *results;
	ListCell   *lc;

	results = checks_run(run_at, policy_environment());
	if (PG_GETARG_BOOL(1))
		checks_record(results, run_at == NULL ? "all" : run_at, NULL);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	foreach(lc, results)
	{
		const CheckResult *result = lfirst(lc);
		const char *texts[] = {
			result->check->name, result->status, result->value, result->check->expect, result->detail
		};
		Datum		values[6] = {0};
		bool		nulls[6] = {0};

		for (int i = 0; i < lengthof(texts); i++)
		{
			nulls[i] = texts[i] == NULL;
			values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i]);
		}
		values[5] = Int64GetDatum((int64) result->ms);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
