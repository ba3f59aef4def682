/*
 * inverse_rows.c
 *	  Rows that a script has put into older tables, and that its way back takes
 *	  out again.
 *
 * Which tables were written to, and how many rows, the server's statistics of
 * this transaction know, whatever hid it.  Of a small table each row version is
 * looked at: a row that comes from none that was there before is taken out by
 * its primary key, as long as it is what the script has left and nothing refers
 * to it.  Values are not written down, only keys and a hash.  Other changes of
 * rows stay, and that is said; but not of a row that differs in columns only
 * that go, too.
 *
 * Rows go before anything else of the way back, which may make columns again
 * that they have no value for; but after it where foreign keys of the script's
 * refer to their table.
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
#include "catalog/pg_constraint.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "storage/bufmgr.h"
#include "storage/itemptr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
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

/* a row version of the script's, and the one that it replaced */
typedef struct Replaced
{
	ItemPointerData tid;
	ItemPointerData old;
	bool		old_is_ours;
} Replaced;

static char *older_references(Oid relid, bool *made);
static char *qualified_name(Relation rel);
static List *changed_tables(void);
static bool is_older_table(Relation rel);
static bool is_ours(TransactionId xid, TransactionId first);
static bool is_gone(HeapTupleHeader header, TransactionId first);
static char *look_at_rows(Relation rel, const List *columns, RowChanges *changes);
static HTAB *replaced_rows(Relation rel, TransactionId first, int64 *deleted);
static bool same_values(Relation rel, const List *columns, HeapTuple tuple, ItemPointer old);
static List *older_columns(Relation rel);
static char *column_array(const List *columns);
static void take_out(RowChanges *changes, const char *const *args, StringInfo script);
static char *stays(const RowChanges *changes);

/* See inverse.h. */
void
inverse_rows(const char *before, char **first, char **last, List **reasons)
{
	StringInfoData scripts[2];
	ListCell   *lc;

	initStringInfo(&scripts[0]);
	initStringInfo(&scripts[1]);
	foreach(lc, changed_tables())
	{
		RowChanges *changes = lfirst(lc);
		Relation	rel = relation_open(changes->relid, AccessShareLock);
		const char *args[5] = {psprintf("%u", changes->relid)};
		List	   *columns = older_columns(rel);
		bool		late;

		args[1] = look_at_rows(rel, columns, changes);
		args[2] = column_array(columns);
		args[3] = older_references(changes->relid, &late);
		args[4] = late ? before : NULL;
		relation_close(rel, NoLock);
		if (args[1] != NULL && changes->inserted > 0)
			take_out(changes, args, &scripts[late ? 1 : 0]);
		if (changes->truncated)
			*reasons = lappend(*reasons, psprintf("the rows that TRUNCATE took from %s are gone", changes->table));
		if (changes->taken_out < changes->inserted || changes->updated > 0 || changes->deleted > 0)
			*reasons = lappend(*reasons, stays(changes));
	}
	*first = scripts[0].data;
	*last = scripts[1].data;
}

/*
 * The foreign keys that refer to a table, without those that the script has
 * made: an array.  made: has it made any?
 */
static char *
older_references(Oid relid, bool *made)
{
	StringInfoData keys;
	ListCell   *lc;

	*made = false;
	initStringInfo(&keys);
	foreach(lc, fact_foreign_keys_to(relid))
	{
		if (fresh_is_new(ConstraintRelationId, lfirst_oid(lc), 0))
			*made = true;
		else
			appendStringInfo(&keys, "%c%u", keys.len == 0 ? '{' : ',', lfirst_oid(lc));
	}
	appendStringInfoString(&keys, keys.len == 0 ? "{}" : "}");
	return keys.data;
}

static char *
qualified_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)), RelationGetRelationName(rel));
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
			(trans->tuples_inserted > 0 || trans->tuples_updated > 0 || trans->tuples_deleted > 0 ||
			 trans->truncdropped))
		{
			RowChanges *changes = palloc0(sizeof(RowChanges));

			changes->relid = RelationGetRelid(rel);
			changes->table = qualified_name(rel);
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

/* Has the script deleted or replaced this row version? */
static bool
is_gone(HeapTupleHeader header, TransactionId first)
{
	return (header->t_infomask & HEAP_XMAX_INVALID) == 0 && !HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) &&
		is_ours(HeapTupleHeaderGetUpdateXid(header), first);
}

/*
 * Where the rows are that the script has made: an array of ctid.  What it has
 * done in the end is counted in changes.  NULL, and changes as they were, when
 * nobody can tell, since the table is large, a partition, or was written anew.
 */
static char *
look_at_rows(Relation rel, const List *columns, RowChanges *changes)
{
	TransactionId first = GetCurrentTransactionId();
	TupleTableSlot *slot;
	TableScanDesc scan;
	StringInfoData rows;
	HTAB	   *replaced;
	int64		deleted = 0;
	int64		inserted = 0;
	int64		updated = 0;

	/* what looks new in a partition may have come from another one */
	if (rel->rd_rel->relispartition || rel->rd_rel->relam != HEAP_TABLE_AM_OID ||
		rel->mg_new_storage != InvalidSubTransactionId ||
		changes->truncated || RelationGetNumberOfBlocks(rel) > MAX_SCANNED_BLOCKS)
		return NULL;
	replaced = replaced_rows(rel, first, &deleted);
	initStringInfo(&rows);
	slot = table_slot_create(rel, NULL);
	scan = table_beginscan(rel, SnapshotAny, 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		shouldFree;
		HeapTuple	tuple = ExecFetchSlotHeapTuple(slot, false, &shouldFree);
		Replaced   *link;

		if (!is_ours(HeapTupleHeaderGetXmin(tuple->t_data), first) || is_gone(tuple->t_data, first))
			continue;
		for (link = hash_search(replaced, &tuple->t_self, HASH_FIND, NULL); link != NULL && link->old_is_ours;
			 link = hash_search(replaced, &link->old, HASH_FIND, NULL))
			;
		if (link != NULL)
			updated += same_values(rel, columns, tuple, &link->old) ? 0 : 1;
		else if (++inserted <= MAX_ROWS)
			appendStringInfo(&rows, "%c\"(%u,%u)\"", rows.len == 0 ? '{' : ',',
							 ItemPointerGetBlockNumber(&tuple->t_self), ItemPointerGetOffsetNumber(&tuple->t_self));
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	hash_destroy(replaced);
	changes->inserted = inserted;
	changes->updated = updated;
	changes->deleted = deleted;
	appendStringInfoString(&rows, rows.len == 0 ? "{}" : "}");
	return inserted > MAX_ROWS ? NULL : rows.data;
}

/* The row versions that replaced others, by their place; counts what was deleted. */
static HTAB *
replaced_rows(Relation rel, TransactionId first, int64 *deleted)
{
	HASHCTL		ctl = {
		.keysize = sizeof(ItemPointerData),
		.entrysize = sizeof(Replaced),
		.hcxt = CurrentMemoryContext,
	};
	HTAB	   *replaced = hash_create("migmgr replaced rows", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, SnapshotAny, 0, NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		shouldFree;
		HeapTuple	tuple = ExecFetchSlotHeapTuple(slot, false, &shouldFree);
		bool		ours = is_ours(HeapTupleHeaderGetXmin(tuple->t_data), first);
		Replaced   *link;

		if (!is_gone(tuple->t_data, first))
			continue;
		if (ItemPointerEquals(&tuple->t_data->t_ctid, &tuple->t_self))
		{
			*deleted += ours ? 0 : 1;
			continue;
		}
		link = hash_search(replaced, &tuple->t_data->t_ctid, HASH_ENTER, NULL);
		link->old = tuple->t_self;
		link->old_is_ours = ours;
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return replaced;
}

/* Is a row what it was before the script, in columns that stay? */
static bool
same_values(Relation rel, const List *columns, HeapTuple tuple, ItemPointer old)
{
	TupleDesc	desc = RelationGetDescr(rel);
	HeapTupleData before = {.t_self = *old};
	Buffer		buffer;
	bool		same = true;
	ListCell   *lc;

	if (!heap_fetch(rel, SnapshotAny, &before, &buffer, false))
		return false;
	foreach(lc, columns)
	{
		Form_pg_attribute att = TupleDescAttr(desc, lfirst_int(lc) - 1);
		bool		null_before,
					null_after;
		Datum		was = heap_getattr(&before, att->attnum, desc, &null_before);
		Datum		is = heap_getattr(tuple, att->attnum, desc, &null_after);

		same &= null_before == null_after && (null_before || datumIsEqual(was, is, att->attbyval, att->attlen));
	}
	ReleaseBuffer(buffer);
	return same;
}

/* The columns that the script has not made: a List of numbers. */
static List *
older_columns(Relation rel)
{
	List	   *columns = NIL;

	for (AttrNumber n = 1; n <= RelationGetNumberOfAttributes(rel); n++)
	{
		if (!TupleDescAttr(RelationGetDescr(rel), n - 1)->attisdropped &&
			!fresh_is_new(RelationRelationId, RelationGetRelid(rel), n))
			columns = lappend_int(columns, n);
	}
	return columns;
}

static char *
column_array(const List *columns)
{
	StringInfoData array;
	ListCell   *lc;

	initStringInfo(&array);
	foreach(lc, columns)
		appendStringInfo(&array, "%c%d", array.len == 0 ? '{' : ',', lfirst_int(lc));
	appendStringInfoString(&array, array.len == 0 ? "{}" : "}");
	return array.data;
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
					" $3::pg_catalog._int2, $4::pg_catalog._oid, $5::pg_catalog.jsonb) AS r",
					SPI_OK_SELECT, 5, args);
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
