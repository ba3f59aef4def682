/*
 * image_mention.c
 *	  What says the name of an object that is about to get another.
 *
 * A foreign key is described with the name that the other table has by then, a
 * view with those of its columns.  So what mentions an object is described
 * before its name changes, though nobody may touch it: if somebody does later,
 * the image is not one of names that never were there together.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "tcop/utility.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "facts.h"
#include "image.h"

static List *referring(const ObjectAddress *address);
static void mentions_of(Oid classid, Oid objid, int32 subid);

/* Addresses of what refers to an object; of a column, if subid is not 0. */
static List *
referring(const ObjectAddress *address)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	List	   *found = NIL;
	ScanKeyData key[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(address->classId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(address->objectId));
	ScanKeyInit(&key[2], Anum_pg_depend_refobjsubid, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(address->objectSubId));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, address->objectSubId != 0 ? 3 : 2, key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress *one;

		if (form->classid == address->classId && form->objid == address->objectId)
			continue;
		one = palloc(sizeof(ObjectAddress));
		ObjectAddressSet(*one, form->classid, form->objid);
		found = lappend(found, one);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* Queues what mentions one object, or one column. */
static void
mentions_of(Oid classid, Oid objid, int32 subid)
{
	ObjectAddress address;
	ListCell   *lc;
	Oid			type = InvalidOid;

	ObjectAddressSubSet(address, classid, objid, subid);
	foreach(lc, referring(&address))
	{
		const ObjectAddress *one = lfirst(lc);

		image_want(one->classId, one->objectId);
	}
	/* a relation is a type, too, and of a type there are arrays */
	if (classid == RelationRelationId && subid == 0)
		type = get_rel_type_id(objid);
	else if (classid == TypeRelationId)
		type = get_array_type(objid);
	if (OidIsValid(type))
		mentions_of(TypeRelationId, type, 0);
}

/*
 * See image.h.  What mentions an object, or if subid is not 0 a column; of a
 * schema or an extension, what mentions anything that is in it.
 */
void
image_want_mentions(Oid classid, Oid objid, int32 subid)
{
	ObjectAddress address;
	ListCell   *lc;

	if (!OidIsValid(objid) || image_is_made(classid, objid))
		return;
	mentions_of(classid, objid, subid);
	if (classid != NamespaceRelationId && classid != ExtensionRelationId)
		return;
	/* all that is in there has another name then */
	ObjectAddressSet(address, classid, objid);
	foreach(lc, referring(&address))
	{
		const ObjectAddress *one = lfirst(lc);

		mentions_of(one->classId, one->objectId, 0);
	}
}

/* See image.h.  It gets another name, or another schema. */
void
image_want_renamed(ObjectAddress address)
{
	image_want(address.classId, address.objectId);
	image_want_mentions(address.classId, address.objectId, 0);
}

/* See image.h.  Triggers of a table's foreign keys are on those that they reference. */
void
image_want_referenced(Oid relid)
{
	ListCell   *lc;

	foreach(lc, fact_referenced(relid, NULL, InvalidAttrNumber))
		image_want(RelationRelationId, lfirst_oid(lc));
}

/* See image.h.  The tables below are locked already. */
void
image_want_column_mentions(Oid relid, const char *column)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
	{
		AttrNumber	attnum = get_attnum(lfirst_oid(lc), column);

		if (attnum > 0)
			image_want_mentions(RelationRelationId, lfirst_oid(lc), attnum);
	}
}

/*
 * Is this a statement about something that is not described, since it belongs
 * to the whole server, or is a large object?  Then that is noted.
 */
bool
image_shared(ObjectType type, Node *stmt)
{
	if (type == OBJECT_LARGEOBJECT)
		image_miss("what was done to large objects is not written down");
	else if (type == OBJECT_DATABASE || type == OBJECT_ROLE || type == OBJECT_TABLESPACE ||
			 type == OBJECT_PARAMETER_ACL)
		image_miss(psprintf("what %s changed belongs to the whole server", GetCommandTagName(CreateCommandTag(stmt))));
	else
		return false;
	return true;
}

/* RESTART among the options of a sequence: where it was is not kept. */
void
image_restart(List *options, const char *relation)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		if (strcmp(lfirst_node(DefElem, lc)->defname, "restart") == 0)
			image_miss(psprintf("how far the numbers of %s had come", relation));
	}
}
