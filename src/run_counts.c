/*
 * run_counts.c
 *	  How many rows the tables that a run touched had before and have after.
 *
 * What comes after is counted, as long as the table is small, and estimated
 * from its size above that.  What was before follows from it: the server's
 * statistics know how many rows the script has inserted and deleted, whatever
 * hid that.  So nothing is counted twice, and a run that touches only new
 * tables counts nothing at all.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/pgstat_internal.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "migmgr.h"
#include "run.h"

#define MAX_COUNTED_BLOCKS 128	/* of one table: 1 MB */
#define MAX_COUNTED_TABLES 50

static List *touched_tables(const Run *run);
static bool is_counted(Relation rel);
static RunCount *count_table(Relation rel);
static int64 count_rows(Relation rel);
static int64 estimate_rows(Relation rel);

/*
 * Fills run->counts.  Inside the subtransaction of the script, after its last
 * statement; takes no lock that the script has not taken.
 */
void
run_counts(Run *run)
{
	List	   *tables = touched_tables(run);
	ListCell   *lc;

	run->counts = NIL;
	foreach(lc, tables)
	{
		Relation	rel = try_relation_open(lfirst_oid(lc), AccessShareLock);

		if (rel == NULL)
			continue;
		if (is_counted(rel))
			run->counts = lappend(run->counts, count_table(rel));
		relation_close(rel, NoLock);
		if (list_length(run->counts) == MAX_COUNTED_TABLES)
			break;
	}
}

/* Tables that were made or changed, and those that rows were written to. */
static List *
touched_tables(const Run *run)
{
	List	   *tables = NIL;
	PgStat_SubXactStatus *written = pgstat_get_xact_stack_level(GetCurrentTransactionNestLevel());
	ListCell   *lc;

	foreach(lc, run->effect->objects)
	{
		const GuardObject *object = lfirst(lc);

		if (strcmp(object->action, "dropped") != 0 && object->classid == RelationRelationId)
			tables = list_append_unique_oid(tables, object->objid);
	}
	for (PgStat_TableXactStatus *trans = written->first; trans != NULL; trans = trans->next)
	{
		if (trans->parent->mg_tabstat_id >= FirstNormalObjectId)
			tables = list_append_unique_oid(tables, trans->parent->mg_tabstat_id);
	}
	return tables;
}

static bool
is_counted(Relation rel)
{
	char	   *schema;

	if ((rel->rd_rel->relkind != RELKIND_RELATION && rel->rd_rel->relkind != RELKIND_MATVIEW) ||
		rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		return false;
	schema = get_namespace_name(RelationGetNamespace(rel));
	return schema != NULL && strcmp(schema, MIGMGR_SCHEMA) != 0 && strcmp(schema, MIGMGR_INTERNAL) != 0 &&
		strcmp(schema, "pg_toast") != 0;
}

static RunCount *
count_table(Relation rel)
{
	RunCount   *count = palloc0(sizeof(RunCount));
	BlockNumber blocks = RelationGetNumberOfBlocks(rel);
	PgStat_TableXactStatus *trans = rel->pgstat_info == NULL ? NULL : rel->pgstat_info->trans;

	count->table = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
											  RelationGetRelationName(rel));
	count->estimated = blocks > MAX_COUNTED_BLOCKS;
	count->after = count->estimated ? estimate_rows(rel) : count_rows(rel);
	if (rel->rd_createSubid != InvalidSubTransactionId)
		count->before = -1;
	else if (trans == NULL || trans->nest_level < GetCurrentTransactionNestLevel())
		count->before = count->after;
	else if (trans->truncdropped)
		count->before = -2;
	else
		count->before = Max(count->after - trans->tuples_inserted + trans->tuples_deleted, 0);
	return count;
}

static int64
count_rows(Relation rel)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	int64		rows = 0;

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		rows++;
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	return rows;
}

/* As the planner does it: the density of the last ANALYZE or VACUUM. */
static int64
estimate_rows(Relation rel)
{
	BlockNumber pages;
	double		tuples,
				allvisible;

	table_relation_estimate_size(rel, NULL, &pages, &tuples, &allvisible);
	return (int64) tuples;
}
