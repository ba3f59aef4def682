/*
 * ddl_log.c
 *	  Who changed the schema outside of migmgr: rows of ddl_log.
 *
 * Rows are kept in memory and written by one INSERT before the transaction
 * commits: a statement costs nothing then but a few copied words, and a CREATE
 * INDEX CONCURRENTLY is never kept from being the first in its transaction.
 * The write runs in a subtransaction; if it fails, the DDL stays and a warning
 * says so.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "guard_state.h"
#include "ledger.h"
#include "script.h"
#include "spi_util.h"
#include "subxact.h"

/* longer SQL is cut: the log tells what happened, it is no archive */
#define MAX_SQL_LENGTH 16384

#define NUM_FIELDS 9

typedef struct LogRow
{
	SubTransactionId subid;
	TimestampTz at;
	char	   *fields[NUM_FIELDS]; /* in the order of insert_sql, NULL for
									 * null */
} LogRow;

static const char *const insert_sql =
"INSERT INTO migmgr_internal.ddl_log (at, session_role, role, application, command,"
" object, class, rule, action, sql, client)"
" SELECT r.*, pg_catalog.host(pg_catalog.inet_client_addr()) FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
" pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7),"
" pg_catalog.unnest($8), pg_catalog.unnest($9), pg_catalog.unnest($10)) AS r";

static List *rows = NIL;		/* of LogRow *, in TopTransactionContext */

static void ddl_log_xact_callback(XactEvent event, void *arg);
static void ddl_log_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
									 SubTransactionId parentSubid, void *arg);
static void write_all(void);
static bool write_rows(void *arg);
static SPIPlanPtr insert_plan(void);
static Datum field_array(int field);
static char *statement_text(void);

void
ddl_log_init(void)
{
	RegisterXactCallback(ddl_log_xact_callback, NULL);
	RegisterSubXactCallback(ddl_log_subxact_callback, NULL);
}

/* Keeps one row about a statement that ran; written before the commit. */
void
ddl_log_add(const Verdict *verdict, PolicyAction action)
{
	ddl_log_note(verdict, policy_action_name(action));
}

/* The same about what no policy decided: action says what was done about it. */
void
ddl_log_note(const Verdict *verdict, const char *action)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	LogRow	   *row = palloc0(sizeof(LogRow));
	int			i = 0;

	row->subid = GetCurrentSubTransactionId();
	row->at = GetCurrentTimestamp();
	row->fields[i++] = GetUserNameFromId(GetSessionUserId(), true);
	row->fields[i++] = GetUserNameFromId(GetUserId(), true);
	row->fields[i++] = application_name != NULL && application_name[0] != '\0' ? pstrdup(application_name) : NULL;
	row->fields[i++] = pstrdup(verdict->command);
	row->fields[i++] = verdict->object != NULL ? pstrdup(verdict->object) : NULL;
	row->fields[i++] = pstrdup(class_name(verdict->class));
	row->fields[i++] = pstrdup(verdict->rule);
	row->fields[i++] = pstrdup(action);
	row->fields[i++] = statement_text();
	Assert(i == NUM_FIELDS);
	rows = lappend(rows, row);
	MemoryContextSwitchTo(old);
}

/* The client's SQL, without passwords, cut to a reasonable length. */
static char *
statement_text(void)
{
	bool		redacted;
	char	   *text;

	if (debug_query_string == NULL)
		return NULL;
	text = script_redact(debug_query_string, &redacted);

	if (strlen(text) > MAX_SQL_LENGTH)
		text[		pg_mbcliplen(text, strlen(text), MAX_SQL_LENGTH)] = '\0';
	return text;
}

static void
ddl_log_xact_callback(XactEvent event, void *arg)
{
	if ((event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE) && rows != NIL)
		write_all();
	else if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		rows = NIL;
}

static void
ddl_log_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
						 SubTransactionId parentSubid, void *arg)
{
	ListCell   *lc;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	foreach(lc, rows)
	{
		LogRow	   *row = lfirst(lc);

		if (row->subid != mySubid)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			row->subid = parentSubid;
		else
			rows = foreach_delete_current(rows, lc);
	}
}

/* Writes what was kept; a failure costs the log its rows, not the user his DDL. */
static void
write_all(void)
{
	ErrorData  *error;

	if (OidIsValid(ledger_relid()))
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		error = subxact_run(write_rows, NULL);
		PopActiveSnapshot();
		if (error != NULL)
			ereport(WARNING,
					(errmsg("migmgr could not write to its DDL log: %s", error->message),
					 errdetail("The statements themselves are not affected.")));
	}
	rows = NIL;
}

static bool
write_rows(void *arg)
{
	RecordScope scope;
	Datum		values[NUM_FIELDS + 1];
	Datum	   *times = palloc(sizeof(Datum) * list_length(rows));
	ListCell   *lc;

	foreach(lc, rows)
		times[foreach_current_index(lc)] = TimestampTzGetDatum(((LogRow *) lfirst(lc))->at);
	values[0] = PointerGetDatum(construct_array(times, list_length(rows), TIMESTAMPTZOID,
												sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	for (int i = 0; i < NUM_FIELDS; i++)
		values[i + 1] = field_array(i);

	SPI_connect();
	record_begin(&scope);
	if (SPI_execute_plan(insert_plan(), values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not write to the DDL log");
	record_end(&scope);
	SPI_finish();
	return true;
}

/* The kept plan of the insert; made while recording, so that names resolve. */
static SPIPlanPtr
insert_plan(void)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[NUM_FIELDS + 1];

	if (plan != NULL)
		return plan;
	types[0] = TIMESTAMPTZARRAYOID;
	for (int i = 1; i <= NUM_FIELDS; i++)
		types[i] = TEXTARRAYOID;
	plan = SPI_prepare(insert_sql, NUM_FIELDS + 1, types);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare the insert into the DDL log: %s",
			 SPI_result_code_string(SPI_result));
	return plan;
}

/* One column of all rows, as an array of text. */
static Datum
field_array(int field)
{
	int			count = list_length(rows);
	Datum	   *values = palloc(sizeof(Datum) * count);
	bool	   *nulls = palloc(sizeof(bool) * count);
	int			lower = 1;
	ListCell   *lc;

	foreach(lc, rows)
	{
		int			i = foreach_current_index(lc);
		const char *text = ((LogRow *) lfirst(lc))->fields[field];

		nulls[i] = text == NULL;
		values[i] = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, &count, &lower,
											  TEXTOID, -1, false, TYPALIGN_INT));
}
