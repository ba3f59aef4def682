/*
 * state.c
 *	  The recorded state of the schema, which drift() compares with.
 *
 * To describe an object takes longer than a small migration, so a run leaves
 * that to whoever needs it.  Until then its objects are due: they are as the
 * run left them.  DDL from elsewhere ends that, so the guard calls
 * state_settle() before each statement; mostly that is one look into an index.
 *
 * It must neither wait nor fail for DDL that has nothing to do with it, nor
 * keep a lock for it.  So what is due is described in a subtransaction that is
 * undone, which gives back the locks on what a view reads; it gives up where an
 * object is locked; and a recording takes a number of its own, no lock of the
 * ledger.  Two sessions may then record the same; if one of them commits, and
 * changes something, while the other still looks, that one sees the recording
 * afterwards and drops its own.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "invalidation.h"
#include "ledger.h"
#include "migmgr.h"
#include "own_table.h"
#include "script.h"
#include "spi_util.h"
#include "state.h"
#include "subxact.h"

#define SETTLE_WAIT_MS "100"

PG_FUNCTION_INFO_V1(migmgr_state_number);
PG_FUNCTION_INFO_V1(migmgr_state_settle);

/* what is being recorded */
typedef struct Settlement
{
	MemoryContext context;
	int64		through;		/* up to this entry of the ledger */
	List	   *rows;			/* of StateRow * */
} Settlement;

static bool kept = false;		/* is the state of the schema kept here? */
static Oid	kept_relid = InvalidOid;	/* the ledger that said so;
										 * InvalidOid: ask */
static int64 settled = 0;		/* through this entry, of this ledger ... */
static Oid	settled_relid = InvalidOid;

static void state_xact_callback(XactEvent event, void *arg);
static void state_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
								   SubTransactionId parentSubid, void *arg);
static int64 next_number(void);
static int64 last_touched(void);
static int64 recorded_through(int64 *recording);
static bool is_due(int64 *through);
static char *keep_text(HeapTuple row, TupleDesc desc, const char *column);
static bool describe_due(void *arg);
static bool write_due(void *arg);
static void hash_field(StringInfo text, const char *value);

void
state_init(void)
{
	invalidation_forget(&kept_relid);
	RegisterXactCallback(state_xact_callback, NULL);
	RegisterSubXactCallback(state_subxact_callback, NULL);
}

/* A recording goes with the transaction that wrote it. */
static void
state_xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		settled_relid = InvalidOid;
}

static void
state_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
					   SubTransactionId parentSubid, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		settled_relid = InvalidOid;
}

/* See state.h; once there are recordings, each run has to add to them. */
bool
state_is_kept(void)
{
	if (kept_relid != ledger_relid())
	{
		kept_relid = ledger_relid();
		kept = true;			/* should the question fail: rather too much */
		spi_exec("SELECT migmgr_internal.policy_value('record_state') <> 'off'"
				 " OR EXISTS (SELECT FROM migmgr_internal.state) AS kept",
				 SPI_OK_SELECT, 0, NULL);
		kept = spi_bool(0, "kept", false);
	}
	return kept;
}

static int64
next_number(void)
{
	return own_numbers(get_relname_relid("recording_id_seq", get_namespace_oid(MIGMGR_INTERNAL, false)), 1);
}

/* See state.h. */
List *
state_rows(MemoryContext context)
{
	List	   *list = NIL;
	TupleDesc	desc = SPI_tuptable->tupdesc;
	MemoryContext old = MemoryContextSwitchTo(context);

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		StateRow   *one = palloc0(sizeof(StateRow));
		Datum		value;
		bool		isnull;

		one->kind = keep_text(row, desc, "kind");
		one->identity = keep_text(row, desc, "identity");
		one->parent = keep_text(row, desc, "parent");
		one->definition = keep_text(row, desc, "definition");
		one->objid = DatumGetObjectId(SPI_getbinval(row, desc, SPI_fnumber(desc, "objid"), &isnull));
		one->objsubid = DatumGetInt32(SPI_getbinval(row, desc, SPI_fnumber(desc, "objsubid"), &isnull));
		one->at = DatumGetTimestampTz(SPI_getbinval(row, desc, SPI_fnumber(desc, "at"), &isnull));
		value = SPI_getbinval(row, desc, SPI_fnumber(desc, "described"), &isnull);
		one->described = isnull ? NULL : DatumGetJsonbPCopy(value);
		list = lappend(list, one);
	}
	MemoryContextSwitchTo(old);
	return list;
}

/* A column of a row of SPI as text in the current context, or NULL. */
static char *
keep_text(HeapTuple row, TupleDesc desc, const char *column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(row, desc, SPI_fnumber(desc, column), &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* See state.h.  Recording. */
int64
state_write(const List *rows, char **hash)
{
	StringInfoData hashed;
	OwnTable   *table;
	int64		recording;
	ListCell   *lc;

	*hash = NULL;
	if (rows == NIL)
		return 0;
	initStringInfo(&hashed);
	recording = next_number();
	table = own_open(MIGMGR_INTERNAL, "state", RowExclusiveLock);
	foreach(lc, rows)
	{
		const StateRow *one = lfirst(lc);

		own_set(table, "recording", Int64GetDatum(recording));
		own_set(table, "n", Int32GetDatum(foreach_current_index(lc) + 1));
		own_set(table, "at", TimestampTzGetDatum(one->at));
		own_set_text(table, "kind", one->kind);
		own_set_text(table, "identity", one->identity);
		own_set_text(table, "parent", one->parent);
		own_set(table, "objid", ObjectIdGetDatum(one->objid));
		own_set(table, "objsubid", Int32GetDatum(one->objsubid));
		if (one->described != NULL)
			own_set(table, "described", JsonbPGetDatum(one->described));
		own_insert(table);

		hash_field(&hashed, one->kind);
		hash_field(&hashed, one->identity);
		hash_field(&hashed, one->definition);
	}
	own_close(table);
	*hash = script_checksum(hashed.data);
	return recording;
}

/* As migmgr_internal.field() does it. */
static void
hash_field(StringInfo text, const char *value)
{
	if (value == NULL)
		appendStringInfoChar(text, '-');
	else
		appendStringInfo(text, "%d:%s", pg_mbstrlen(value), value);
}

/* The last entry whose run has touched something. */
static int64
last_touched(void)
{
	OwnTable   *table = own_open(MIGMGR_INTERNAL, "object", AccessShareLock);
	int64		seq;

	own_scan(table, "object_pkey", BackwardScanDirection, InvalidStrategy, (Datum) 0);
	seq = own_next(table) ? own_int64(table, "seq") : 0;
	own_close(table);
	return seq;
}

/* Up to which entry runs are recorded, and by which recording. */
static int64
recorded_through(int64 *recording)
{
	OwnTable   *table = own_open(MIGMGR_INTERNAL, "recording", AccessShareLock);
	int64		through = 0;

	own_scan(table, "recording_through", BackwardScanDirection, InvalidStrategy, (Datum) 0);
	if (own_next(table))
	{
		through = own_int64(table, "through");
		*recording = own_int64(table, "id");
	}
	own_close(table);
	return through;
}

/* Is there anything to record?  *through: up to this entry. */
static bool
is_due(int64 *through)
{
	int64		recording;

	if (settled_relid != ledger_relid())
	{
		settled = 0;
		settled_relid = ledger_relid();
	}
	*through = last_touched();
	if (*through <= settled)
		return false;
	settled = recorded_through(&recording);
	return *through > settled;
}

/* See state.h. */
void
state_settle(void)
{
	Settlement	settlement = {.context = CurrentMemoryContext};
	ErrorData  *error;

	if (XactReadOnly || ledger_state() != LEDGER_IN_FORCE || !is_due(&settlement.through) || !ActiveSnapshotSet())
		return;
	error = subxact_run(describe_due, &settlement);
	if (error == NULL)
		error = subxact_run(write_due, &settlement);
	if (error == NULL)
		return;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
		ReThrowError(error);
	if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
		ereport(WARNING,
				(errmsg("migmgr could not record the objects of earlier migrations: %s", error->message),
				 errdetail("The statement itself is not affected; drift() will not know how they were before it.")));
}

/* Always undone, for the sake of the locks that it takes. */
static bool
describe_due(void *arg)
{
	Settlement *settlement = arg;
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	(void) set_config_option("lock_timeout", SETTLE_WAIT_MS, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	spi_exec_latest("SELECT d.*, d.described OPERATOR(pg_catalog.->>) 'definition' AS definition FROM migmgr_internal.state_due() AS d",
					SPI_OK_SELECT, 0, NULL);
	settlement->rows = state_rows(settlement->context);
	record_end(&scope);
	SPI_finish();
	return false;
}

/* Writes what is due; false when another session has done it. */
static bool
write_due(void *arg)
{
	Settlement *settlement = arg;
	int64		recording;
	int64		other = 0;
	char	   *hash;
	RecordScope scope;
	bool		alone;

	record_begin(&scope);
	recording = state_write(settlement->rows, &hash);
	if (recording == 0)
		recording = next_number();
	alone = recorded_through(&other) < settlement->through;
	if (alone)
	{
		OwnTable   *table = own_open(MIGMGR_INTERNAL, "recording", RowExclusiveLock);

		own_set(table, "id", Int64GetDatum(recording));
		own_set(table, "at", TimestampTzGetDatum(GetCurrentTimestamp()));
		own_set(table, "through", Int64GetDatum(settlement->through));
		own_insert(table);
		own_close(table);
		settled = settlement->through;
		settled_relid = ledger_relid();
	}
	record_end(&scope);
	return alone;
}

/* migmgr_internal.state_number(): of the next recording. */
Datum
migmgr_state_number(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(next_number());
}

/* migmgr_internal.state_settle(): before something is recorded by hand. */
Datum
migmgr_state_settle(PG_FUNCTION_ARGS)
{
	state_settle();
	PG_RETURN_VOID();
}
