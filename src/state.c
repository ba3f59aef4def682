/*
 * state.c
 *	  The recorded state of the schema, which drift() compares with.
 *
 * To describe an object takes longer than a small migration, so a run leaves
 * that to whoever needs it.  Until then its objects are due: they are as the
 * run left them.  DDL from elsewhere ends that, so the guard calls
 * state_settle() before each statement; mostly that is one look into an index.
 *
 * It must neither wait nor fail for DDL that has nothing to do with it.  So a
 * recording takes a number of its own, no lock of the ledger, and gives up
 * where an object is locked.  Two sessions may then record the same; if one of
 * them commits, and changes something, while the other still looks, that one
 * sees the recording afterwards and drops its own.
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
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

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

static bool kept = false;		/* is the state of the schema kept here? */
static Oid	kept_relid = InvalidOid;	/* the ledger that said so;
										 * InvalidOid: ask */
static int64 settled = 0;		/* through this entry, of this ledger ... */
static Oid	settled_relid = InvalidOid;

static void state_relcache_callback(Datum arg, Oid relid);
static void state_xact_callback(XactEvent event, void *arg);
static void state_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
								   SubTransactionId parentSubid, void *arg);
static int64 next_number(void);
static int64 last_touched(void);
static int64 recorded_through(int64 *recording);
static bool is_due(int64 *through);
static bool settle(void *arg);
static void hash_field(StringInfo text, const char *value);

void
state_init(void)
{
	CacheRegisterRelcacheCallback(state_relcache_callback, (Datum) 0);
	RegisterXactCallback(state_xact_callback, NULL);
	RegisterSubXactCallback(state_subxact_callback, NULL);
}

/* What decides is an entry of the ledger, of which every session hears. */
static void
state_relcache_callback(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == kept_relid)
		kept_relid = InvalidOid;
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

/* See state.h.  Connected to SPI, recording. */
int64
state_write(char **hash)
{
	MemoryContext context = CurrentMemoryContext;
	static const char *const texts[] = {"kind", "identity", "parent"};
	uint64		count = SPI_processed;
	SPITupleTable *rows = SPI_tuptable;
	TupleDesc	desc;
	StringInfoData hashed;
	OwnTable   *table;
	int64		recording;

	*hash = NULL;
	if (count == 0)
		return 0;
	desc = rows->tupdesc;
	initStringInfo(&hashed);
	recording = next_number();
	table = own_open(MIGMGR_INTERNAL, "state", RowExclusiveLock);
	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	row = rows->vals[i];
		Datum		value;
		bool		isnull;
		char	   *definition;

		own_set(table, "recording", Int64GetDatum(recording));
		own_set(table, "n", Int32GetDatum(i + 1));
		own_set(table, "at", SPI_getbinval(row, desc, SPI_fnumber(desc, "at"), &isnull));
		for (int field = 0; field < lengthof(texts); field++)
			own_set_text(table, texts[field], SPI_getvalue(row, desc, SPI_fnumber(desc, texts[field])));
		own_set(table, "objid", SPI_getbinval(row, desc, SPI_fnumber(desc, "objid"), &isnull));
		own_set(table, "objsubid", SPI_getbinval(row, desc, SPI_fnumber(desc, "objsubid"), &isnull));
		value = SPI_getbinval(row, desc, SPI_fnumber(desc, "described"), &isnull);
		if (!isnull)
			own_set(table, "described", value);
		own_insert(table);

		definition = SPI_getvalue(row, desc, SPI_fnumber(desc, "definition"));
		hash_field(&hashed, SPI_getvalue(row, desc, SPI_fnumber(desc, "kind")));
		hash_field(&hashed, SPI_getvalue(row, desc, SPI_fnumber(desc, "identity")));
		hash_field(&hashed, definition);
	}
	own_close(table);
	*hash = MemoryContextStrdup(context, script_checksum(hashed.data));
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
	int64		through;
	ErrorData  *error;

	if (XactReadOnly || ledger_state() != LEDGER_IN_FORCE || !is_due(&through))
		return;
	error = subxact_run(settle, &through);
	if (error == NULL)
		return;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
		ReThrowError(error);
	if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
		ereport(WARNING,
				(errmsg("migmgr could not record the objects of earlier migrations: %s", error->message),
				 errdetail("The statement itself is not affected; drift() will not know how they were before it.")));
}

/* Describes and writes what is due; false when another session has done it. */
static bool
settle(void *arg)
{
	int64		through = *(int64 *) arg;
	int64		recording;
	int64		other = 0;
	char	   *hash;
	OwnTable   *table;
	RecordScope scope;
	bool		alone;

	if (!ActiveSnapshotSet())
		return false;
	SPI_connect();
	record_begin(&scope);
	(void) set_config_option("lock_timeout", SETTLE_WAIT_MS, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	spi_exec_latest("SELECT d.*, d.described OPERATOR(pg_catalog.->>) 'definition' AS definition FROM migmgr_internal.state_due() AS d",
					SPI_OK_SELECT, 0, NULL);
	recording = state_write(&hash);
	if (recording == 0)
		recording = next_number();
	alone = recorded_through(&other) < through;
	if (alone)
	{
		table = own_open(MIGMGR_INTERNAL, "recording", RowExclusiveLock);
		own_set(table, "id", Int64GetDatum(recording));
		own_set(table, "at", TimestampTzGetDatum(GetCurrentTimestamp()));
		own_set(table, "through", Int64GetDatum(through));
		own_insert(table);
		own_close(table);
		settled = through;
	}
	record_end(&scope);
	SPI_finish();
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
