/*
 * inverse_rows.c
 *	  Rows that a script has put into older tables, and that its way back takes
 *	  out again.
 *
 * Which tables were written to, and how many rows, the server's statistics of
 * this transaction know, whatever hid it.  Of a small table with a primary key
 * each row version is looked at: those that the script has made, and no row of
 * that key was there before, are taken out by their key, as long as they are
 * what the script has left.  Values are not written down, only keys and a hash.
 * All other changes of rows stay, and that is said.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_class.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/pgstat_internal.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "facts.h"
#include "inverse.h"
#include "ledger.h"
#include "migmgr.h"
#include "spi_util.h"

#define MAX_SCANNED_BLOCKS 128	/* of one table: 1 MB */
#define MAX_ROWS 1000			/* of one table */

/* what became of the rows of one older table */
typedef struct RowChanges
{
	char	   *table;			/* qualified, quoted */
	Oid			relid;
	int64		inserted;
	int64		updated;
	int64		deleted;
	int64		taken_out;		/* so many of those inserted */
	bool		truncated;
} RowChanges;

static List *changed_tables(void);
static bool is_older_table(Relation rel);
static bool is_ours(TransactionId xid, TransactionId first);
static char *new_rows(Relation rel);
static char *older_columns(Relation rel);
static void take_out(RowChanges *changes, const char *const *args, StringInfo script);
static char *stays(const RowChanges *changes);

/* See inverse.h. */
char *
inverse_rows(const char *before, List **reasons)
{
	StringInfoData script;
	ListCell   *lc;

	initStringInfo(&script);
	foreach(lc, changed_tables())
	{
		RowChanges *changes = lfirst(lc);
		Relation	rel = relation_open(changes->relid, AccessShareLock);
		const char *args[4] = {psprintf("%u", changes->relid)};

		args[1] = changes->inserted > 0 && changes->inserted <= MAX_ROWS ? new_rows(rel) : NULL;
		args[2] = older_columns(rel);
		args[3] = before;
		relation_close(rel, NoLock);
		if (args[1] != NULL)
			take_out(changes, args, &script);
		if (changes->truncated)
			*reasons = lappend(*reasons, psprintf("the rows that TRUNCATE took from %s are gone", changes->table));
		if (changes->taken_out < changes->inserted || changes->updated > 0 || changes->deleted > 0)
			*reasons = lappend(*reasons, stays(changes));
	}
	return script.data;
}

/* Older tables that rows were written to, the one that came last first. */
static List *
changed_tables(void)
{
	PgStat_SubXactStatus *written = pgstat_get_xact_stack_level(GetCurrentTransactionNestLevel());
	List	   *tables = NIL;

	for (PgStat_TableXactStatus *trans = written->first; trans != NULL; trans = trans->next)
	{
		Relation	rel = trans->parent->mg_tabstat_id < FirstNormalObjectId ? NULL :
			try_relation_open(trans->parent->mg_tabstat_id, AccessShareLock);

		if (rel == NULL)
			continue;
		if (is_older_table(rel) &&
			(trans->tuples_inserted > 0 || trans->tuples_updated > 0 || trans->tuples_deleted > 0 || trans->truncdropped))
		{
			RowChanges *changes = palloc0(sizeof(RowChanges));

			changes->relid = RelationGetRelid(rel);
			changes->table = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
														RelationGetRelationName(rel));
			changes->inserted = trans->tuples_inserted;
			changes->updated = trans->tuples_updated;
			changes->deleted = trans->tuples_deleted;
			changes->truncated = trans->truncdropped;
			tables = lappend(tables, changes);
		}
		relation_close(rel, NoLock);
	}
	return tables;
}

static bool
is_older_table(Relation rel)
{
	char	   *schema;

	if (rel->rd_rel->relkind != RELKIND_RELATION || rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP ||
		fresh_is_new(RelationRelationId, RelationGetRelid(rel), 0))
		return false;
	schema = get_namespace_name(RelationGetNamespace(rel));
	return schema != NULL && strcmp(schema, MIGMGR_SCHEMA) != 0 && strcmp(schema, MIGMGR_INTERNAL) != 0 &&
		strcmp(schema, "pg_toast") != 0;
}

/* Is this a transaction id of the script's subtransaction, or of one below it? */
static bool
is_ours(TransactionId xid, TransactionId first)
{
	return TransactionIdIsCurrentTransactionId(xid) && TransactionIdFollowsOrEquals(xid, first);
}

/*
 * Where the row versions are that the script has made and left, and that no
 * other version was replaced by: an array of ctid.  NULL when nobody can tell,
 * since the table is large or was written anew.
 */
static char *
new_rows(Relation rel)
{
	TransactionId first = GetCurrentTransactionId();
	TupleTableSlot *slot;
	TableScanDesc scan;
	StringInfoData rows;

	if (rel->rd_rel->relam != HEAP_TABLE_AM_OID || rel->mg_new_storage != InvalidSubTransactionId ||
		RelationGetNumberOfBlocks(rel) > MAX_SCANNED_BLOCKS)
		return NULL;
	initStringInfo(&rows);
	slot = table_slot_create(rel, NULL);
	scan = table_beginscan(rel, SnapshotAny, 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		shouldFree;
		HeapTuple	tuple = ExecFetchSlotHeapTuple(slot, false, &shouldFree);
		HeapTupleHeader header = tuple->t_data;

		if (is_ours(HeapTupleHeaderGetXmin(header), first) && (header->t_infomask & HEAP_UPDATED) == 0 &&
			((header->t_infomask & HEAP_XMAX_INVALID) != 0 || HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask)))
			appendStringInfo(&rows, "%c\"(%u,%u)\"", rows.len == 0 ? '{' : ',',
							 ItemPointerGetBlockNumber(&tuple->t_self), ItemPointerGetOffsetNumber(&tuple->t_self));
		if (shouldFree)
			heap_freetuple(tuple);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	appendStringInfoString(&rows, rows.len == 0 ? "{}" : "}");
	return rows.data;
}

/* The columns that the script has not made: an array of numbers. */
static char *
older_columns(Relation rel)
{
	StringInfoData columns;

	initStringInfo(&columns);
	for (AttrNumber n = 1; n <= RelationGetNumberOfAttributes(rel); n++)
	{
		if (!TupleDescAttr(RelationGetDescr(rel), n - 1)->attisdropped &&
			!fresh_is_new(RelationRelationId, RelationGetRelid(rel), n))
			appendStringInfo(&columns, "%c%d", columns.len == 0 ? '{' : ',', n);
	}
	appendStringInfoString(&columns, columns.len == 0 ? "{}" : "}");
	return columns.data;
}

/* Adds the statements that take the rows out. */
static void
take_out(RowChanges *changes, const char *const *args, StringInfo script)
{
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	spi_exec_latest("SELECT r.sql FROM migmgr_internal.inverse_rows($1::pg_catalog.oid, $2::pg_catalog._tid,"
					" $3::pg_catalog._int2, $4::pg_catalog.jsonb) AS r",
					SPI_OK_SELECT, 4, args);
	changes->taken_out = SPI_processed;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		appendStringInfo(script, "%s;\n", spi_text(i, "sql"));
		MemoryContextSwitchTo(old);
	}
	record_end(&scope);
	SPI_finish();
}

/* What of the changes of a table the way back leaves. */
static char *
stays(const RowChanges *changes)
{
	StringInfoData words;
	const struct
	{
		int64		rows;
		const char *what;
	}			parts[] = {
		{changes->inserted - changes->taken_out, "inserted"},
		{changes->updated, "updated"},
		{changes->deleted, "deleted"},
	};

	initStringInfo(&words);
	appendStringInfo(&words, "rows of %s stay as they were left (", changes->table);
	for (int i = 0, n = 0; i < lengthof(parts); i++)
	{
		if (parts[i].rows > 0)
			appendStringInfo(&words, "%s" INT64_FORMAT " %s", n++ > 0 ? ", " : "", parts[i].rows, parts[i].what);
	}
	appendStringInfoChar(&words, ')');
	return words.data;
}
