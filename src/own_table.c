/*
 * own_table.c
 *	  migmgr's own tables, read by an index and written row by row without a
 *	  plan.
 *
 * No privileges are looked at: what may be asked and written is the caller's
 * business, and the row guard's.  A row goes through the server's own insert
 * for rows that come without a query, so triggers, constraints and indexes
 * hold.  Columns are found by name, since a dropped or added one must not
 * shift the others.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "own_table.h"

struct OwnTable
{
	Relation	rel;
	TupleTableSlot *slot;
	AttrNumber	column;			/* the last that was asked for */
	/* while it is scanned */
	Relation	index;
	IndexScanDesc scan;
	Snapshot	snapshot;
	ScanDirection direction;
	/* once it was written to */
	EState	   *estate;
	ResultRelInfo *result;
};

static AttrNumber column_number(OwnTable *table, const char *column);
static void end_scan(OwnTable *table);
static void begin_insert(OwnTable *table);

/* A table of migmgr; lives in the current context until own_close. */
OwnTable *
own_open(const char *schema, const char *name, LOCKMODE lockmode)
{
	OwnTable   *table = palloc0(sizeof(OwnTable));
	Oid			relid = get_relname_relid(name, get_namespace_oid(schema, false));

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %s.%s does not exist", schema, name)));
	table->rel = table_open(relid, lockmode);
	table->slot = table_slot_create(table->rel, NULL);
	return table;
}

/* What was written is visible to what comes next. */
void
own_close(OwnTable *table)
{
	end_scan(table);
	ExecDropSingleTupleTableSlot(table->slot);
	if (table->estate != NULL)
	{
		AfterTriggerEndQuery(table->estate);
		ExecCloseIndices(table->result);
		FreeExecutorState(table->estate);
		CommandCounterIncrement();
	}
	table_close(table->rel, NoLock);
	pfree(table);
}

/*
 * Begins a scan with the newest snapshot there is, whatever the isolation
 * level.  The key has the type of the index column.
 */
void
own_scan(OwnTable *table, const char *index, ScanDirection direction,
		 StrategyNumber strategy, Datum key)
{
	Oid			relid = get_relname_relid(index, RelationGetNamespace(table->rel));
	ScanKeyData scankey;
	int			nkeys = strategy == InvalidStrategy ? 0 : 1;

	end_scan(table);
	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index \"%s\" of table %s does not exist", index,
						RelationGetRelationName(table->rel))));
	table->index = index_open(relid, AccessShareLock);
	/* a parallel query has one snapshot, and gets no other */
	table->snapshot = RegisterSnapshot(IsInParallelMode() && ActiveSnapshotSet()
									   ? GetActiveSnapshot() : GetLatestSnapshot());
	table->direction = direction;
	table->scan = mg_index_beginscan(table->rel, table->index, table->snapshot, nkeys);
	if (nkeys > 0)
	{
		Oid			type = table->index->rd_opcintype[0];
		Oid			opr = get_opfamily_member(table->index->rd_opfamily[0], type, type, strategy);

		ScanKeyEntryInitialize(&scankey, 0, 1, strategy, InvalidOid,
							   table->index->rd_indcollation[0], get_opcode(opr), key);
	}
	index_rescan(table->scan, &scankey, nkeys, NULL, 0);
}

/* The next row; false after the last one. */
bool
own_next(OwnTable *table)
{
	return index_getnext_slot(table->scan, table->direction, table->slot);
}

/* A column of the row as text, in the current context; NULL when null. */
char *
own_text(OwnTable *table, const char *column)
{
	AttrNumber	attnum = column_number(table, column);
	Oid			type = TupleDescAttr(RelationGetDescr(table->rel), attnum - 1)->atttypid;
	bool		isnull;
	Datum		value = slot_getattr(table->slot, attnum, &isnull);
	Oid			output;
	bool		varlena;

	if (isnull)
		return NULL;
	if (type == TEXTOID)
		return TextDatumGetCString(value);
	getTypeOutputInfo(type, &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

/* A bigint column of the row; 0 when null. */
int64
own_int64(OwnTable *table, const char *column)
{
	bool		isnull;
	Datum		value = slot_getattr(table->slot, column_number(table, column), &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/* A column of the row that is not null; it lives until the next row. */
Datum
own_datum(OwnTable *table, const char *column)
{
	bool		isnull;
	Datum		value = slot_getattr(table->slot, column_number(table, column), &isnull);

	if (isnull)
		elog(ERROR, "column \"%s\" is null", column);
	return value;
}

/* Is there any row in this relation to key? */
bool
own_any(const char *schema, const char *name, const char *index,
		StrategyNumber strategy, Datum key)
{
	OwnTable   *table = own_open(schema, name, AccessShareLock);
	bool		found;

	own_scan(table, index, ForwardScanDirection, strategy, key);
	found = own_next(table);
	own_close(table);
	return found;
}

/* Sets a column of the row that own_insert will write. */
void
own_set(OwnTable *table, const char *column, Datum value)
{
	AttrNumber	attnum = column_number(table, column);

	if (table->estate == NULL)
		begin_insert(table);
	table->slot->tts_values[attnum - 1] = value;
	table->slot->tts_isnull[attnum - 1] = false;
}

/* Sets a text column; NULL leaves it null. */
void
own_set_text(OwnTable *table, const char *column, const char *value)
{
	if (value != NULL)
		own_set(table, column, CStringGetTextDatum(value));
}

/* Writes the row; all columns are null again. */
void
own_insert(OwnTable *table)
{
	MemoryContext old = MemoryContextSwitchTo(table->estate->es_query_cxt);

	ExecStoreVirtualTuple(table->slot);
	ExecSimpleRelationInsert(table->result, table->estate, table->slot);
	MemoryContextSwitchTo(old);
	ResetPerTupleExprContext(table->estate);
	ExecClearTuple(table->slot);
	memset(table->slot->tts_isnull, true, table->slot->tts_tupleDescriptor->natts);
	table->column = 0;
}

/* Columns are mostly asked for in their order, so the next one is tried first. */
static AttrNumber
column_number(OwnTable *table, const char *column)
{
	TupleDesc	desc = RelationGetDescr(table->rel);
	int			attnum = table->column + 1;

	if (attnum > desc->natts || strcmp(NameStr(TupleDescAttr(desc, attnum - 1)->attname), column) != 0)
		attnum = SPI_fnumber(desc, column);
	if (attnum <= 0)
		elog(ERROR, "no column \"%s\" in table \"%s\"", column,
			 RelationGetRelationName(table->rel));
	table->column = attnum;
	return attnum;
}

static void
end_scan(OwnTable *table)
{
	if (table->scan == NULL)
		return;
	index_endscan(table->scan);
	index_close(table->index, NoLock);
	UnregisterSnapshot(table->snapshot);
	ExecClearTuple(table->slot);
	table->scan = NULL;
}

/* Makes ready for rows; the table stands in no range table. */
static void
begin_insert(OwnTable *table)
{
	end_scan(table);
	table->estate = CreateExecutorState();
	table->result = makeNode(ResultRelInfo);
	InitResultRelInfo(table->result, table->rel, 0, NULL, 0);
	ExecOpenIndices(table->result, false);
	AfterTriggerBeginQuery();
	ExecClearTuple(table->slot);
	memset(table->slot->tts_isnull, true, table->slot->tts_tupleDescriptor->natts);
}

/*
 * The first of so many numbers in a row from one of migmgr's sequences.
 *
 * nextval() would make it the sequence that lastval() in the caller's session
 * tells of, so that his INSERT, a CREATE INDEX and lastval() would give him a
 * number of ours, or no permission.  setval() leaves that alone; with a lock
 * of a moment around them, last_value and setval() do what nextval() does.
 */
int64
own_numbers(Oid sequence, int count)
{
	LOCAL_FCINFO(fcinfo, 1);
	LOCKTAG		tag;
	int64		last;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationRelationId, sequence, 0);
	if (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
	{
		/* whoever holds it is done at once: no reason to give up */
		(void) set_config_option("lock_timeout", "0", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		(void) LockAcquire(&tag, ExclusiveLock, false, false);
	}
	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = ObjectIdGetDatum(sequence);
	fcinfo->args[0].isnull = false;
	last = DatumGetInt64(pg_sequence_last_value(fcinfo));
	if (fcinfo->isnull)
		last = 0;
	DirectFunctionCall2(setval_oid, ObjectIdGetDatum(sequence), Int64GetDatum(last + count));
	LockRelease(&tag, ExclusiveLock, false);
	return last + 1;
}
