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

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/sequence.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "guard_state.h"
#include "ledger.h"
#include "migmgr.h"
#include "script.h"
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

static const char *const field_names[NUM_FIELDS] = {
	"session_role", "role", "application", "command", "object", "class", "rule", "action", "sql",
};

static List *rows = NIL;		/* of LogRow *, in TopTransactionContext */

static void ddl_log_xact_callback(XactEvent event, void *arg);
static void ddl_log_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
									 SubTransactionId parentSubid, void *arg);
static void write_all(void);
static bool write_rows(void *arg);
static void fill_slot(TupleTableSlot *slot, const LogRow *row, const char *client, Oid sequence);
static AttrNumber column_of(TupleDesc desc, const char *name);
static char *client_address(void);
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

/*
 * Inserts the rows as an apply worker of logical replication would, because
 * planning and running an INSERT costs twice what it does.  Triggers fire and
 * indexes are kept all the same.
 */
static bool
write_rows(void *arg)
{
	Oid			namespace = get_namespace_oid(MIGMGR_INTERNAL, false);
	Oid			sequence = get_relname_relid("ddl_log_id_seq", namespace);
	Relation	rel = table_open(get_relname_relid("ddl_log", namespace), RowExclusiveLock);
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *target = makeNode(ResultRelInfo);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	char	   *client = client_address();
	RecordScope scope;
	ListCell   *lc;

	record_begin(&scope);
	InitResultRelInfo(target, rel, 0, NULL, 0);
	ExecOpenIndices(target, false);
	estate->es_output_cid = GetCurrentCommandId(true);
	foreach(lc, rows)
	{
		ExecClearTuple(slot);
		fill_slot(slot, lfirst(lc), client, sequence);
		ExecSimpleRelationInsert(target, estate, slot);
		ResetPerTupleExprContext(estate);
	}
	ExecCloseIndices(target);
	record_end(&scope);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
	table_close(rel, NoLock);
	return true;
}

/* One row as the table has it; columns that are not named here are null. */
static void
fill_slot(TupleTableSlot *slot, const LogRow *row, const char *client, Oid sequence)
{
	TupleDesc	desc = slot->tts_tupleDescriptor;
	AttrNumber	attnum;

	memset(slot->tts_isnull, true, desc->natts * sizeof(bool));

#define SET_COLUMN(name, value) \
	(attnum = column_of(desc, name), slot->tts_isnull[attnum - 1] = false, \
	 slot->tts_values[attnum - 1] = (value))

	SET_COLUMN("id", Int64GetDatum(nextval_internal(sequence, false)));
	SET_COLUMN("at", TimestampTzGetDatum(row->at));
	for (int i = 0; i < NUM_FIELDS; i++)
	{
		if (row->fields[i] != NULL)
			SET_COLUMN(field_names[i], CStringGetTextDatum(row->fields[i]));
	}
	if (client != NULL)
		SET_COLUMN("client", CStringGetTextDatum(client));
	ExecStoreVirtualTuple(slot);
}

static AttrNumber
column_of(TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
			return i + 1;
	}
	elog(ERROR, "ddl_log has no column \"%s\"", name);
	return InvalidAttrNumber;
}

/* Address of the client, NULL for a local socket or a background process. */
static char *
client_address(void)
{
	LOCAL_FCINFO(fcinfo, 0);
	Datum		address;

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	address = inet_client_addr(fcinfo);
	if (fcinfo->isnull)
		return NULL;
	return TextDatumGetCString(DirectFunctionCall1(network_host, address));
}
