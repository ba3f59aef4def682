/*
 * fact_depend.c
 *	  What depends on an object, and so goes with it or keeps it.
 *
 * The server finds it out while it drops, with locks on all of it.  Here the
 * same dependencies are followed without one, far enough to say what a CASCADE
 * would take along and which relations it would lock.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "facts.h"

/* enough to say that there is much */
#define MAX_DEPENDENTS 500

/* a walk over dependencies */
typedef struct Walk
{
	List	   *queue;			/* of ObjectAddress *, those looked at too */
	Dependents *result;
} Walk;

static void add_object(Walk *walk, ObjectAddress address, bool normal);
static void walk_references(Walk *walk, Relation catalog, ObjectAddress address);
static Oid	relation_of_part(const ObjectAddress *address, Oid *other);
static bool worth_naming(Oid relid);
static bool same_object(const ObjectAddress *a, const ObjectAddress *b);

/*
 * What goes with an object when it is dropped: relations that are locked, and
 * names of what would not go by itself.  Without cascade: what keeps it from
 * being dropped.
 */
void
fact_dependents(const ObjectAddress *address, bool cascade, Dependents *result)
{
	Walk		walk = {.result = result};
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	ListCell   *lc;

	result->locked = NIL;
	result->names = NIL;
	result->more = false;
	add_object(&walk, *address, false);
	foreach(lc, walk.queue)
	{
		walk_references(&walk, catalog, *(ObjectAddress *) lfirst(lc));
		if (result->more || (!cascade && result->names != NIL))
			break;
	}
	table_close(catalog, AccessShareLock);
}

static bool
same_object(const ObjectAddress *a, const ObjectAddress *b)
{
	return a->classId == b->classId && a->objectId == b->objectId &&
		(a->objectSubId == b->objectSubId || a->objectSubId == 0);
}

/* Queues an object once; normal: it is there for itself. */
static void
add_object(Walk *walk, ObjectAddress address, bool normal)
{
	ObjectAddress *copy;
	char	   *name;
	ListCell   *lc;
	Oid			other = InvalidOid;
	Oid			relid;

	/* a view goes with its rule, a generated column with its expression */
	if (address.classId == RewriteRelationId)
	{
		relid = relation_of_part(&address, &other);
		if (get_rel_relkind(relid) == RELKIND_VIEW || get_rel_relkind(relid) == RELKIND_MATVIEW)
			ObjectAddressSet(address, RelationRelationId, relid);
	}
	else if (address.classId == AttrDefaultRelationId)
	{
		ObjectAddress column = GetAttrDefaultColumnAddress(address.objectId);

		if (OidIsValid(column.objectId) && get_attgenerated(column.objectId, column.objectSubId) != '\0')
			address = column;
	}
	foreach(lc, walk->queue)
	{
		if (same_object(lfirst(lc), &address))
			return;
	}
	copy = palloc(sizeof(ObjectAddress));
	*copy = address;
	walk->queue = lappend(walk->queue, copy);
	if (list_length(walk->queue) == 1)
		return;
	relid = relation_of_part(&address, &other);
	if (OidIsValid(relid) && worth_naming(relid))
		walk->result->locked = list_append_unique_oid(walk->result->locked, relid);
	if (OidIsValid(other))
		walk->result->locked = list_append_unique_oid(walk->result->locked, other);
	name = normal ? getObjectDescription(&address, true) : NULL;
	if (name != NULL)
		walk->result->names = lappend(walk->result->names, name);
}

/* Would a reader look for a lock on it? */
static bool
worth_naming(Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	return relkind != RELKIND_INDEX && relkind != RELKIND_PARTITIONED_INDEX &&
		relkind != RELKIND_TOASTVALUE && relkind != RELKIND_COMPOSITE_TYPE;
}

/* Queues what refers to an object. */
static void
walk_references(Walk *walk, Relation catalog, ObjectAddress address)
{
	ScanKeyData key[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(address.classId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(address.objectId));
	ScanKeyInit(&key[2], Anum_pg_depend_refobjsubid, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(address.objectSubId));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, address.objectSubId != 0 ? 3 : 2, key);
	while (!walk->result->more && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		bool		normal = form->deptype == DEPENDENCY_NORMAL;
		ObjectAddress dependent;

		ObjectAddressSubSet(dependent, form->classid, form->objid, form->objsubid);
		/* parts of itself */
		if (dependent.classId == address.classId && dependent.objectId == address.objectId)
			continue;
		add_object(walk, dependent, normal);
		walk->result->more = list_length(walk->queue) >= MAX_DEPENDENTS;
	}
	systable_endscan(scan);
}

/* The relation that an object is or is a part of, and the one that a foreign key references. */
static Oid
relation_of_part(const ObjectAddress *address, Oid *other)
{
	static const struct
	{
		Oid			classid;
		AttrNumber	relid;
	}			parts[] = {
		{RewriteRelationId, Anum_pg_rewrite_ev_class},
		{ConstraintRelationId, Anum_pg_constraint_conrelid},
		{TriggerRelationId, Anum_pg_trigger_tgrelid},
		{PolicyRelationId, Anum_pg_policy_polrelid},
	};
	Relation	catalog;
	HeapTuple	row;
	bool		isnull;
	Oid			result = InvalidOid;

	if (address->classId == RelationRelationId)
	{
		*other = fact_index_table(address->objectId);
		return address->objectId;
	}
	if (address->classId == AttrDefaultRelationId)
		return GetAttrDefaultColumnAddress(address->objectId).objectId;
	for (int i = 0; i < lengthof(parts); i++)
	{
		if (parts[i].classid != address->classId)
			continue;
		row = fact_row(address->classId, address->objectId, false);
		if (!HeapTupleIsValid(row))
			break;
		catalog = table_open(address->classId, AccessShareLock);
		result = DatumGetObjectId(heap_getattr(row, parts[i].relid, RelationGetDescr(catalog), &isnull));
		if (address->classId == ConstraintRelationId)
			*other = ((Form_pg_constraint) GETSTRUCT(row))->confrelid;
		table_close(catalog, AccessShareLock);
	}
	return result;
}

/* Foreign keys that reference a table: a List of Oid. */
List *
fact_foreign_keys_to(Oid relid)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	List	   *keys = NIL;
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, 2, key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		HeapTuple	row = form->classid != ConstraintRelationId ? NULL : fact_row(form->classid, form->objid, false);

		if (HeapTupleIsValid(row) && ((Form_pg_constraint) GETSTRUCT(row))->contype == CONSTRAINT_FOREIGN &&
			((Form_pg_constraint) GETSTRUCT(row))->confrelid == relid)
			keys = list_append_unique_oid(keys, form->objid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return keys;
}
