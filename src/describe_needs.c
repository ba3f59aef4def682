/*
 * describe_needs.c
 *	  What must be there for an object to be there.
 *
 * It follows from the dependencies of the object and of what is part of it:
 * the default of a column, the query of a view, the index of a constraint.  A
 * row type, an array or an index of a constraint stands for what it belongs
 * to, and a member for its extension.  A sequence does not need the column
 * that owns it, since the default of that column needs the sequence.
 *
 * Asked for every row of a description, columns included, most of which need
 * nothing: those cost one look into pg_depend.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_type.h"
#include "rewrite/rewriteSupport.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "describe_needs.h"

/* a dependency, seen from what depends */
typedef struct Reference
{
	ObjectAddress to;
	char		type;
} Reference;

/* what is needed, as it is told */
typedef struct Need
{
	char	   *kind;
	char	   *identity;
} Need;

static List *references(Relation catalog, const ObjectAddress *object, const char *types);
static List *parts_of(const ObjectAddress *object);
static bool is_viewed(Oid relid);
static ObjectAddress *column_default(const ObjectAddress *column);
static void add_part_needs(Relation catalog, const ObjectAddress *part, List **needed);
static void add_needed(Relation catalog, ObjectAddress *object, const ObjectAddress *named, List **needed);
static ArrayType *told(const ObjectAddress *self, List *needed);
static int	compare_needs(const void *a, const void *b);

PG_FUNCTION_INFO_V1(migmgr_needs);

/* migmgr_internal.needs(classid, objid, objsubid) */
Datum
migmgr_needs(PG_FUNCTION_ARGS)
{
	ObjectAddress object;
	ArrayType  *result;

	ObjectAddressSubSet(object, PG_GETARG_OID(0), PG_GETARG_OID(1), PG_GETARG_INT32(2));
	result = describe_needs(&object);
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(result);
}

/* See describe_needs.h.  Takes no lock on anything but the catalogs. */
ArrayType *
describe_needs(const ObjectAddress *object)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	List	   *needed = NIL;
	List	   *parts = parts_of(object);
	ListCell   *lc;

	add_part_needs(catalog, object, &needed);
	foreach(lc, parts)
		add_part_needs(catalog, lfirst(lc), &needed);
	table_close(catalog, AccessShareLock);
	return needed == NIL ? NULL : told(object, needed);
}

/* Dependencies of an object, those of the given types. */
static List *
references(Relation catalog, const ObjectAddress *object, const char *types)
{
	ScanKeyData key[3];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *result = NIL;

	ScanKeyInit(&key[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object->classId));
	ScanKeyInit(&key[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object->objectId));
	ScanKeyInit(&key[2], Anum_pg_depend_objsubid, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(object->objectSubId));
	scan = systable_beginscan(catalog, DependDependerIndexId, true, NULL, 3, key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		Reference  *reference;

		if (strchr(types, form->deptype) == NULL)
			continue;
		reference = palloc(sizeof(Reference));
		ObjectAddressSubSet(reference->to, form->refclassid, form->refobjid, form->refobjsubid);
		reference->type = form->deptype;
		result = lappend(result, reference);
	}
	systable_endscan(scan);
	return result;
}

/* What is described with an object and has dependencies of its own. */
static List *
parts_of(const ObjectAddress *object)
{
	ObjectAddress *part = NULL;
	HeapTuple	tuple;

	if (object->classId == RelationRelationId && object->objectSubId > 0)
		part = column_default(object);
	else if (object->classId == RelationRelationId && object->objectSubId == 0 && is_viewed(object->objectId))
	{
		tuple = SearchSysCache2(RULERELNAME, ObjectIdGetDatum(object->objectId),
								PointerGetDatum(ViewSelectRuleName));
		if (HeapTupleIsValid(tuple))
		{
			part = palloc(sizeof(ObjectAddress));
			ObjectAddressSet(*part, RewriteRelationId, ((Form_pg_rewrite) GETSTRUCT(tuple))->oid);
			ReleaseSysCache(tuple);
		}
	}
	else if (object->classId == ConstraintRelationId)
	{
		tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(object->objectId));
		if (HeapTupleIsValid(tuple))
		{
			Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);

			if (form->contype == CONSTRAINT_PRIMARY || form->contype == CONSTRAINT_UNIQUE ||
				form->contype == CONSTRAINT_EXCLUSION)
			{
				part = palloc(sizeof(ObjectAddress));
				ObjectAddressSet(*part, RelationRelationId, form->conindid);
			}
			ReleaseSysCache(tuple);
		}
	}
	return part == NULL ? NIL : list_make1(part);
}

/* Is it a view, materialized or not? */
static bool
is_viewed(Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	return relkind == RELKIND_VIEW || relkind == RELKIND_MATVIEW;
}

/* The default of a column, NULL for none. */
static ObjectAddress *
column_default(const ObjectAddress *column)
{
	HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(column->objectId),
										Int16GetDatum(column->objectSubId));
	bool		any = HeapTupleIsValid(tuple) && ((Form_pg_attribute) GETSTRUCT(tuple))->atthasdef;
	ObjectAddress *result;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	if (!any)
		return NULL;
	result = palloc(sizeof(ObjectAddress));
	ObjectAddressSet(*result, AttrDefaultRelationId, GetAttrDefaultOid(column->objectId, column->objectSubId));
	return OidIsValid(result->objectId) ? result : NULL;
}

/* Adds what one part of the object needs. */
static void
add_part_needs(Relation catalog, const ObjectAddress *part, List **needed)
{
	static const char types[] = {
		DEPENDENCY_NORMAL, DEPENDENCY_AUTO, DEPENDENCY_PARTITION_PRI, DEPENDENCY_PARTITION_SEC, '\0'
	};
	static const char internal[] = {DEPENDENCY_INTERNAL, '\0'};
	List	   *direct = references(catalog, part, types);
	bool		is_sequence = direct != NIL && part->classId == RelationRelationId &&
		get_rel_relkind(part->objectId) == RELKIND_SEQUENCE;
	ListCell   *lc;

	foreach(lc, direct)
	{
		Reference  *reference = lfirst(lc);
		List	   *owners = NIL;
		ListCell   *lo;

		if (reference->to.objectId < FirstNormalObjectId)
			continue;
		if (is_sequence && reference->type == DEPENDENCY_AUTO && reference->to.classId == RelationRelationId)
			continue;
		if (reference->to.objectSubId == 0)
			owners = references(catalog, &reference->to, internal);
		if (owners == NIL)
			add_needed(catalog, &reference->to, &reference->to, needed);
		foreach(lo, owners)
		{
			Reference  *owner = lfirst(lo);
			List	   *outer = NIL;
			ListCell   *lu;

			if (owner->to.objectSubId == 0)
				outer = references(catalog, &owner->to, internal);
			if (outer == NIL)
				add_needed(catalog, &owner->to, &reference->to, needed);
			foreach(lu, outer)
				add_needed(catalog, &((Reference *) lfirst(lu))->to, &reference->to, needed);
		}
	}
}

/*
 * Adds an object once.  named: what the dependency is on; a column of a view
 * stands for the view.
 */
static void
add_needed(Relation catalog, ObjectAddress *object, const ObjectAddress *named, List **needed)
{
	static const char extension[] = {DEPENDENCY_EXTENSION, '\0'};
	ObjectAddress whole;
	List	   *extensions;
	ListCell   *lc;

	ObjectAddressSet(whole, object->classId, object->objectId);
	extensions = references(catalog, &whole, extension);
	if (extensions != NIL)
	{
		object = &((Reference *) linitial(extensions))->to;
		object->objectSubId = 0;
	}
	else if (named->classId == RelationRelationId && named->objectSubId > 0 && is_viewed(named->objectId))
		object->objectSubId = 0;
	foreach(lc, *needed)
	{
		ObjectAddress *other = lfirst(lc);

		if (other->classId == object->classId && other->objectId == object->objectId &&
			other->objectSubId == object->objectSubId)
			return;
	}
	*needed = lappend(*needed, object);
}

/* The needed objects in words, without the object itself and what has just gone. */
static ArrayType *
told(const ObjectAddress *self, List *needed)
{
	Need	   *needs = palloc(list_length(needed) * sizeof(Need));
	Datum	   *texts = palloc(list_length(needed) * sizeof(Datum));
	int			count = 0;
	ListCell   *lc;

	foreach(lc, needed)
	{
		ObjectAddress *object = lfirst(lc);

		if (object->classId == self->classId && object->objectId == self->objectId &&
			object->objectSubId == self->objectSubId)
			continue;
		needs[count].kind = getObjectTypeDescription(object, true);
		needs[count].identity = needs[count].kind == NULL ? NULL : getObjectIdentity(object, true);
		if (needs[count].identity != NULL)
			count++;
	}
	if (count == 0)
		return NULL;
	qsort(needs, count, sizeof(Need), compare_needs);
	for (int i = 0; i < count; i++)
		texts[i] = CStringGetTextDatum(psprintf("%s %s", needs[i].kind, needs[i].identity));
	return construct_array(texts, count, TEXTOID, -1, false, TYPALIGN_INT);
}

/* In byte order, whatever the collation of the database. */
static int
compare_needs(const void *a, const void *b)
{
	int			order = strcmp(((const Need *) a)->kind, ((const Need *) b)->kind);

	return order != 0 ? order : strcmp(((const Need *) a)->identity, ((const Need *) b)->identity);
}
