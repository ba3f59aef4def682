/*
 * fact_partition.c
 *	  Do the partitions of a table have what it is to get?
 *
 * An index or a foreign key of a partitioned table takes over those of its
 * partitions that are alike, and then nothing is built and no row is read.
 * Only plain ones are recognised: whatever else there is counts as not alike.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "facts.h"
#include "overlay.h"

/* what is looked for */
typedef struct Wanted
{
	const List *columns;		/* of String */
	/* an index */
	Oid			am;
	bool		unique;
	bool		constraint;		/* ... of a constraint */
	/* or a foreign key */
	const Constraint *foreign_key;
	Oid			referenced;
} Wanted;

static bool parts_have(Oid relid, const Wanted *wanted, bool (*has) (Oid relid, const Wanted *wanted));
static bool has_index(Oid relid, const Wanted *wanted);
static Oid	am_of(Oid index);
static bool is_like(Oid index, Oid relid, const Wanted *wanted);
static bool has_foreign_key(Oid relid, const Wanted *wanted);
static bool same_columns(Oid relid, const int16 *attnums, int count, const List *columns);

/* Has each partition an index like the one that this statement makes? */
bool
fact_parts_have_index(Oid relid, const IndexStmt *stmt)
{
	Wanted		wanted = {.am = get_index_am_oid(stmt->accessMethod, true),.unique = stmt->unique};
	List	   *columns = NIL;
	ListCell   *lc;

	if (stmt->whereClause != NULL || stmt->indexIncludingParams != NIL || !OidIsValid(wanted.am))
		return false;
	foreach(lc, stmt->indexParams)
	{
		IndexElem  *element = lfirst_node(IndexElem, lc);

		if (element->name == NULL || element->collation != NIL || element->opclass != NIL)
			return false;
		columns = lappend(columns, makeString(element->name));
	}
	wanted.columns = columns;
	return parts_have(relid, &wanted, has_index);
}

/* ... like that of this UNIQUE or PRIMARY KEY, and with such a constraint? */
bool
fact_parts_have_key(Oid relid, const Constraint *constraint)
{
	Wanted		wanted = {
		.columns = constraint->keys,.am = get_index_am_oid("btree", true),.unique = true,.constraint = true,
	};

	return constraint->including == NIL && parts_have(relid, &wanted, has_index);
}

/* ... a foreign key like this one, that is validated? */
bool
fact_parts_have_foreign_key(Oid relid, const Constraint *constraint)
{
	Wanted		wanted = {
		.columns = constraint->fk_attrs,.foreign_key = constraint,.referenced = fact_relid(constraint->pktable),
	};

	return OidIsValid(wanted.referenced) && parts_have(relid, &wanted, has_foreign_key);
}

static bool
parts_have(Oid relid, const Wanted *wanted, bool (*has) (Oid relid, const Wanted *wanted))
{
	ListCell   *lc;

	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE || overlay_made_by(relid) != 0)
		return false;
	foreach(lc, find_inheritance_children(relid, NoLock))
	{
		if (!has(lfirst_oid(lc), wanted) && !parts_have(lfirst_oid(lc), wanted, has))
			return false;
	}
	return true;
}

static bool
has_index(Oid relid, const Wanted *wanted)
{
	ListCell   *lc;

	foreach(lc, fact_indexes(relid, InvalidAttrNumber))
	{
		if (is_like(lfirst_oid(lc), relid, wanted))
			return true;
	}
	return false;
}

static Oid
am_of(Oid index)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index));
	Oid			am = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		am = ((Form_pg_class) GETSTRUCT(tuple))->relam;
		ReleaseSysCache(tuple);
	}
	return am;
}

static bool
is_like(Oid index, Oid relid, const Wanted *wanted)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Form_pg_index form;
	bool		isnull;
	bool		result;
	oidvector  *opclasses;
	oidvector  *collations;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_index) GETSTRUCT(tuple);
	result = form->indisvalid && form->indisunique == wanted->unique && form->indnatts == form->indnkeyatts &&
		heap_attisnull(tuple, Anum_pg_index_indpred, NULL) && heap_attisnull(tuple, Anum_pg_index_indexprs, NULL) &&
		am_of(index) == wanted->am && (!wanted->constraint || OidIsValid(get_index_constraint(index))) &&
		same_columns(relid, form->indkey.values, form->indnatts, wanted->columns);
	if (result)
	{
		opclasses = (oidvector *) DatumGetPointer(SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indclass, &isnull));
		collations = (oidvector *) DatumGetPointer(SysCacheGetAttr(INDEXRELID, tuple,
																   Anum_pg_index_indcollation, &isnull));
		for (int i = 0; i < form->indnatts; i++)
		{
			Oid			type;
			int32		typmod;
			Oid			collation;

			get_atttypetypmodcoll(relid, form->indkey.values[i], &type, &typmod, &collation);
			result &= opclasses->values[i] == GetDefaultOpClass(type, wanted->am) && collations->values[i] == collation;
		}
	}
	ReleaseSysCache(tuple);
	return result;
}

static bool
has_foreign_key(Oid relid, const Wanted *wanted)
{
	Relation	catalog = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		result = false;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, ConstraintRelidTypidNameIndexId, true, NULL, 1, &key);
	while (!result && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
		const Constraint *like = wanted->foreign_key;
		ArrayType  *columns;
		bool		isnull;

		if (form->contype != CONSTRAINT_FOREIGN || form->confrelid != wanted->referenced || !form->convalidated ||
			form->condeferrable != like->deferrable || form->condeferred != like->initdeferred ||
			form->confupdtype != like->fk_upd_action || form->confdeltype != like->fk_del_action ||
			form->confmatchtype != like->fk_matchtype)
			continue;
		columns = DatumGetArrayTypeP(heap_getattr(tuple, Anum_pg_constraint_conkey,
												  RelationGetDescr(catalog), &isnull));
		result = same_columns(relid, (int16 *) ARR_DATA_PTR(columns), ARR_DIMS(columns)[0], wanted->columns);
		/* the key that it references, where the statement names one */
		columns = DatumGetArrayTypeP(heap_getattr(tuple, Anum_pg_constraint_confkey,
												  RelationGetDescr(catalog), &isnull));
		if (result && like->pk_attrs != NIL)
			result = same_columns(wanted->referenced, (int16 *) ARR_DATA_PTR(columns),
								  ARR_DIMS(columns)[0], like->pk_attrs);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

static bool
same_columns(Oid relid, const int16 *attnums, int count, const List *columns)
{
	if (count != list_length(columns))
		return false;
	for (int i = 0; i < count; i++)
	{
		if (attnums[i] <= 0 || attnums[i] != get_attnum(relid, strVal(list_nth(columns, i))))
			return false;
	}
	return true;
}
