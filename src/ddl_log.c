/*
 * ddl_log.c
 *	  Who changed the schema outside of migmgr: rows of ddl_log.
 *
 * Rows are kept in memory and written together before the transaction
 * commits: a statement costs nothing then but a few copied words, and a CREATE
 * INDEX CONCURRENTLY is never kept from being the first in its transaction.
 * The write runs in a subtransaction; if it fails, the DDL stays and a warning
 * says so.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "guard_state.h"
#include "ledger.h"
#include "migmgr.h"
#include "own_table.h"
#include "script.h"
#include "subxact.h"

/* longer SQL is cut: the log tells what happened, it is no archive */
#define MAX_SQL_LENGTH 16384

#define NUM_FIELDS 10
#define FIELD_CLIENT 2			/* filled in when they are written */

typedef struct LogRow
{
	SubTransactionId subid;
	TimestampTz at;
	char	   *fields[NUM_FIELDS]; /* of field_names, NULL for null */
} LogRow;

static const char *const field_names[NUM_FIELDS] = {
	"session_role", "role", "client", "application", "command", "object", "class", "rule", "action", "sql",
};

static List *rows = NIL;		/* of LogRow *, in TopTransactionContext */

static void ddl_log_xact_callback(XactEvent event, void *arg);
static void ddl_log_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
									 SubTransactionId parentSubid, void *arg);
static void write_all(void);
static bool write_rows(void *arg);
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
	i++;						/* FIELD_CLIENT */
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
	Oid			sequence = get_relname_relid("ddl_log_id_seq", get_namespace_oid(MIGMGR_INTERNAL, false));
	char	   *client = ledger_client();
	OwnTable   *table;
	RecordScope scope;
	ListCell   *lc;
	int64		id;

	record_begin(&scope);
	table = own_open(MIGMGR_INTERNAL, "ddl_log", RowExclusiveLock);
	id = own_numbers(sequence, list_length(rows));
	foreach(lc, rows)
	{
		LogRow	   *row = lfirst(lc);

		row->fields[FIELD_CLIENT] = client;
		own_set(table, "id", Int64GetDatum(id++));
		own_set(table, "at", TimestampTzGetDatum(row->at));
		for (int i = 0; i < NUM_FIELDS; i++)
			own_set_text(table, field_names[i], row->fields[i]);
		own_insert(table);
	}
	own_close(table);
	record_end(&scope);
	return true;
}
