/*
 * describe_whole.c
 *	  The whole objects that addresses are or are part of.
 *
 * Who describes some objects names what he has at hand: an index, a trigger, a
 * member of a publication.  What is described is what that is part of, with all
 * parts; and with a table the sequences that its columns own, which are
 * described by themselves.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_namespace.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"

#include "describe.h"

/* catalogs of parts, and the column that says what of */
static const struct
{
	Oid			classid;
	DescribeReader reader;
	AttrNumber	column;
	Oid			whole;
}			parts[] =

{
	{AccessMethodOperatorRelationId, READ_AMOP_OID, Anum_pg_amop_amopfamily, OperatorFamilyRelationId},
	{AccessMethodProcedureRelationId, READ_AMPROC_OID, Anum_pg_amproc_amprocfamily, OperatorFamilyRelationId},
	{AttrDefaultRelationId, READ_ATTRDEF_OID, Anum_pg_attrdef_adrelid, RelationRelationId},
	{ConstraintRelationId, READ_CONSTRAINT_OID, Anum_pg_constraint_conrelid, RelationRelationId},
	{ConstraintRelationId, READ_CONSTRAINT_OID, Anum_pg_constraint_contypid, TypeRelationId},
	{PolicyRelationId, READ_POLICY_OID, Anum_pg_policy_polrelid, RelationRelationId},
	{PublicationNamespaceRelationId, READ_PUBLICATION_NAMESPACE_OID, Anum_pg_publication_namespace_pnpubid,
	PublicationRelationId},
	{PublicationRelRelationId, READ_PUBLICATION_REL_OID, Anum_pg_publication_rel_prpubid, PublicationRelationId},
	{RewriteRelationId, READ_REWRITE_OID, Anum_pg_rewrite_ev_class, RelationRelationId},
	{StatisticExtRelationId, READ_STATISTIC_EXT_OID, Anum_pg_statistic_ext_stxrelid, RelationRelationId},
	{TriggerRelationId, READ_TRIGGER_OID, Anum_pg_trigger_tgrelid, RelationRelationId},
	{TypeRelationId, READ_TYPE, Anum_pg_type_typrelid, RelationRelationId},
};

static List *add_address(List *addresses, Oid classid, Oid objid);
static List *sorted_once(List *addresses);
static int	compare_addresses(const ListCell *a, const ListCell *b);
static List *add_wholes_of(Describer *d, List *addresses, Oid classid, Oid objid);
static List *add_relation_of(Describer *d, List *addresses, Oid relid);
static List *add_owned_sequences(Describer *d, List *addresses, Oid relid);

/* Describes the whole objects that addresses are or are part of. */
void
describe_addresses(Describer *d, ArrayType *classids, ArrayType *objids)
{
	Datum	   *classes;
	Datum	   *objects;
	int			count;
	int			nobjects;
	List	   *addresses = NIL;
	List	   *sequences = NIL;
	List	   *of_class = NIL;
	ListCell   *lc;

	deconstruct_array(classids, OIDOID, sizeof(Oid), true, TYPALIGN_INT, &classes, NULL, &count);
	deconstruct_array(objids, OIDOID, sizeof(Oid), true, TYPALIGN_INT, &objects, NULL, &nobjects);
	for (int i = 0; i < Min(count, nobjects); i++)
		addresses = add_wholes_of(d, addresses, DatumGetObjectId(classes[i]), DatumGetObjectId(objects[i]));
	addresses = sorted_once(addresses);
	foreach(lc, addresses)
	{
		ObjectAddress *address = lfirst(lc);

		if (address->classId == RelationRelationId)
			sequences = add_owned_sequences(d, sequences, address->objectId);
	}
	if (sequences != NIL)
		addresses = sorted_once(list_concat(addresses, sequences));
	foreach(lc, addresses)
	{
		ObjectAddress *address = lfirst(lc);
		ObjectAddress *next = lnext(addresses, lc) == NULL ? NULL : lfirst(lnext(addresses, lc));

		of_class = lappend_oid(of_class, address->objectId);
		if (next != NULL && next->classId == address->classId)
			continue;
		describe_named(d, address->classId, of_class);
		list_free(of_class);
		of_class = NIL;
	}
}

static List *
add_address(List *addresses, Oid classid, Oid objid)
{
	ObjectAddress *address;

	if (!OidIsValid(objid))
		return addresses;
	address = palloc(sizeof(ObjectAddress));
	ObjectAddressSet(*address, classid, objid);
	return lappend(addresses, address);
}

/* By catalog, each once. */
static List *
sorted_once(List *addresses)
{
	List	   *result = NIL;
	ListCell   *lc;

	list_sort(addresses, compare_addresses);
	foreach(lc, addresses)
	{
		ListCell	last = {.ptr_value = result == NIL ? NULL : llast(result)};

		if (result == NIL || compare_addresses(&last, lc) != 0)
			result = lappend(result, lfirst(lc));
	}
	list_free(addresses);
	return result;
}

static int
compare_addresses(const ListCell *a, const ListCell *b)
{
	const ObjectAddress *x = lfirst(a);
	const ObjectAddress *y = lfirst(b);

	if (x->classId != y->classId)
		return x->classId < y->classId ? -1 : 1;
	return x->objectId < y->objectId ? -1 : x->objectId > y->objectId;
}

/* Adds an object, which may be a whole, and what it is part of. */
static List *
add_wholes_of(Describer *d, List *addresses, Oid classid, Oid objid)
{
	addresses = add_address(addresses, classid, objid);
	if (classid == RelationRelationId)
		return add_relation_of(d, addresses, objid);
	for (int i = 0; i < lengthof(parts); i++)
	{
		HeapTuple	row;
		bool		isnull;

		if (parts[i].classid != classid)
			continue;
		row = read_oid(d, parts[i].reader, objid);
		if (row != NULL)
			addresses = add_address(addresses, parts[i].whole,
									DatumGetObjectId(read_column(d, parts[i].reader, row, parts[i].column, &isnull)));
	}
	return addresses;
}

/* Adds what a relation is part of: an index, a row type, an identity sequence. */
static List *
add_relation_of(Describer *d, List *addresses, Oid relid)
{
	HeapTuple	row = read_oid(d, READ_CLASS, relid);
	Form_pg_class form = row == NULL ? NULL : (Form_pg_class) GETSTRUCT(row);

	if (form == NULL)
		return addresses;
	switch (form->relkind)
	{
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
			return add_address(addresses, RelationRelationId, IndexGetRelation(relid, true));
		case RELKIND_COMPOSITE_TYPE:
			return add_address(addresses, TypeRelationId, form->reltype);
		case RELKIND_SEQUENCE:
			read_seek(d, READ_DEPEND, 3, ObjectIdGetDatum(RelationRelationId), ObjectIdGetDatum(relid),
					  Int32GetDatum(0));
			while ((row = read_next(d, READ_DEPEND)) != NULL)
			{
				Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(row);

				if (depend->refclassid == RelationRelationId && depend->refobjsubid > 0 &&
					depend->deptype == DEPENDENCY_INTERNAL)
					addresses = add_address(addresses, RelationRelationId, depend->refobjid);
			}
			return addresses;
		default:
			return addresses;
	}
}

/* Adds the sequences that columns of a relation own, but for those of identity columns. */
static List *
add_owned_sequences(Describer *d, List *addresses, Oid relid)
{
	HeapTuple	row;

	read_seek(d, READ_DEPEND_REFERENCE, 2, ObjectIdGetDatum(RelationRelationId), ObjectIdGetDatum(relid));
	while ((row = read_next(d, READ_DEPEND_REFERENCE)) != NULL)
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(row);
		HeapTuple	class;

		if (depend->refobjsubid <= 0 || depend->classid != RelationRelationId || depend->deptype != DEPENDENCY_AUTO)
			continue;
		/* indexes depend on columns in the same way */
		class = read_oid(d, READ_CLASS, depend->objid);
		if (class != NULL && ((Form_pg_class) GETSTRUCT(class))->relkind == RELKIND_SEQUENCE)
			addresses = add_address(addresses, RelationRelationId, depend->objid);
	}
	return addresses;
}
