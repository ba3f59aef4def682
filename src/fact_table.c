/*
 * fact_table.c
 *	  What belongs to a table: partitions, indexes, tables it references.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/partition.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "rewrite/rewriteSupport.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "compat.h"
#include "facts.h"
#include "overlay.h"

/* All that inherits from a relation, partitions too; without itself. */
List *
fact_children(Oid relid)
{
	return overlay_made_by(relid) != 0 ? NIL : list_delete_first(find_all_inheritors(relid, NoLock, NULL));
}

/* The table that a relation is a partition of, or InvalidOid. */
Oid
fact_partition_parent(Oid relid)
{
	return get_rel_relispartition(relid) ? get_partition_parent(relid, true) : InvalidOid;
}

/*
 * Tables that foreign keys of a relation reference: all, those of one
 * constraint, or those over one column.
 */
List *
fact_referenced(Oid relid, const char *name, AttrNumber attnum)
{
	Relation	catalog = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *result = NIL;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, ConstraintRelidTypidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
		bool		isnull;
		ArrayType  *columns;

		if (form->contype != CONSTRAINT_FOREIGN || (name != NULL && strcmp(NameStr(form->conname), name) != 0))
			continue;
		if (attnum != InvalidAttrNumber)
		{
			bool		over = false;

			columns = DatumGetArrayTypeP(heap_getattr(tuple, Anum_pg_constraint_conkey,
													  RelationGetDescr(catalog), &isnull));
			for (int i = 0; i < ARR_DIMS(columns)[0]; i++)
				over |= ((int16 *) ARR_DATA_PTR(columns))[i] == attnum;
			if (!over)
				continue;
		}
		result = list_append_unique_oid(result, form->confrelid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

/* Indexes of a relation; of those over a column, when one is given. */
List *
fact_indexes(Oid relid, AttrNumber attnum)
{
	Relation	catalog = table_open(IndexRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *result = NIL;

	ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, IndexIndrelidIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);
		bool		over = attnum == InvalidAttrNumber;

		for (int i = 0; i < form->indnatts; i++)
			over |= form->indkey.values[i] == attnum;
		if (over)
			result = lappend_oid(result, form->indexrelid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

/* OID of the index of a relation's primary key, or InvalidOid. */
Oid
fact_primary_key(Oid relid)
{
	Relation	catalog = table_open(IndexRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			result = InvalidOid;

	ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, IndexIndrelidIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);

		if (form->indisprimary && form->indisvalid)
			result = form->indexrelid;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

/* Table of an index, or InvalidOid. */
Oid
fact_index_table(Oid index)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Oid			table = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		table = ((Form_pg_index) GETSTRUCT(tuple))->indrelid;
		ReleaseSysCache(tuple);
	}
	return table;
}

/* Column of the table that is the nth of an index; 0 for an expression. */
AttrNumber
fact_index_column(Oid index, int number)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	AttrNumber	attnum = InvalidAttrNumber;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);

		if (number <= form->indnkeyatts)
			attnum = form->indkey.values[number - 1];
		ReleaseSysCache(tuple);
	}
	return attnum;
}

/* Tables that a publication names. */
List *
fact_published(Oid publication)
{
	return GetPublicationRelations(publication, PUBLICATION_PART_ROOT);
}

/* Has a table a trigger for each row: of this name, or (NULL) any that users made, or any at all? */
bool
fact_row_trigger(Oid relid, const char *name, bool internal)
{
	Relation	catalog = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		result = false;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, TriggerRelidNameIndexId, true, NULL, 1, &key);
	while (!result && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

		result = TRIGGER_FOR_ROW(form->tgtype) && (internal || !form->tgisinternal) &&
			(name == NULL || strcmp(NameStr(form->tgname), name) == 0);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

/* Relations that a view reads. */
List *
fact_viewed(Oid view)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *result = NIL;

	ScanKeyInit(&key[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(RewriteRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(get_rewrite_oid(view, ViewSelectRuleName, true)));
	scan = systable_beginscan(catalog, DependDependerIndexId, true, NULL, 2, key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		if (form->refclassid == RelationRelationId && form->refobjid != view)
			result = list_append_unique_oid(result, form->refobjid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

/* Is a NOT NULL of a column not known to hold for rows that are there? */
bool
fact_not_null_invalid(Oid relid, AttrNumber attnum)
{
	HeapTuple	tuple = attnum > 0 && overlay_made_by(relid) == 0 ? mg_not_null_constraint(relid, attnum) : NULL;

	return HeapTupleIsValid(tuple) && !((Form_pg_constraint) GETSTRUCT(tuple))->convalidated;
}
