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

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "describe.h"

/* a dependency, seen from what depends */
typedef struct Reference
{
	ObjectAddress to;
	char		type;
	int32		subid;			/* of what depends */
} Reference;

/* an object whose dependencies were read, with those of all its columns */
typedef struct KnownObject
{
	Oid			classid;
	Oid			objid;
	List	   *references;		/* of Reference * */
	char		relkind;		/* '\0': not asked for yet */
} KnownObject;

/* those of a whole */
typedef struct KnownNeeds
{
	List	   *objects;		/* of KnownObject * */
} KnownNeeds;

/* what is needed, as it is told */
typedef struct Need
{
	char	   *kind;
	char	   *identity;
} Need;

static KnownObject *known_object(Describer *d, Oid classid, Oid objid);
static List *read_references(Describer *d, Oid classid, Oid objid);
static List *references(Describer *d, const ObjectAddress *object, const char *types);
static char relation_kind(Describer *d, Oid relid);
static bool is_owned_sequence(Describer *d, const ObjectAddress *object, const Reference *reference);
static void add_part_needs(Describer *d, const ObjectAddress *part, List **needed);
static void add_needed(Describer *d, const ObjectAddress *address, const ObjectAddress *named, List **needed);
static ArrayType *told(const ObjectAddress *self, List *needed);
static int	compare_needs(const void *a, const void *b);

/* What must be there for an object, an array of text in byte order, or NULL. */
ArrayType *
describe_needs(Describer *d, const DescribeRow *row)
{
	List	   *needed = NIL;

	add_part_needs(d, &row->address, &needed);
	if (OidIsValid(row->part.objectId))
		add_part_needs(d, &row->part, &needed);
	return needed == NIL ? NULL : told(&row->address, needed);
}

/*
 * An object with its dependencies.  What a table and its columns, constraints
 * and indexes need is mostly each other, and the same schema and types.
 */
static KnownObject *
known_object(Describer *d, Oid classid, Oid objid)
{
	KnownObject *object;
	ListCell   *lc;

	if (d->needs == NULL)
		d->needs = palloc0(sizeof(KnownNeeds));
	foreach(lc, d->needs->objects)
	{
		object = lfirst(lc);
		if (object->objid == objid && object->classid == classid)
			return object;
	}
	object = palloc0(sizeof(KnownObject));
	object->classid = classid;
	object->objid = objid;
	object->references = read_references(d, classid, objid);
	d->needs->objects = lappend(d->needs->objects, object);
	return object;
}

static List *
read_references(Describer *d, Oid classid, Oid objid)
{
	HeapTuple	tuple;
	List	   *result = NIL;

	read_seek_from(d, READ_DEPEND, 3, ObjectIdGetDatum(classid), ObjectIdGetDatum(objid), Int32GetDatum(0));
	while ((tuple = read_next(d, READ_DEPEND)) != NULL)
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		Reference  *reference = palloc(sizeof(Reference));

		ObjectAddressSubSet(reference->to, form->refclassid, form->refobjid, form->refobjsubid);
		reference->type = form->deptype;
		reference->subid = form->objsubid;
		result = lappend(result, reference);
	}
	return result;
}

/* Dependencies of an object, those of the given types. */
static List *
references(Describer *d, const ObjectAddress *object, const char *types)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, known_object(d, object->classId, object->objectId)->references)
	{
		Reference  *reference = lfirst(lc);

		if (reference->subid == object->objectSubId && strchr(types, reference->type) != NULL)
			result = lappend(result, reference);
	}
	return result;
}

/* The kind of a relation; '?' when it is gone. */
static char
relation_kind(Describer *d, Oid relid)
{
	KnownObject *relation = known_object(d, RelationRelationId, relid);

	if (relation->relkind == '\0')
	{
		HeapTuple	tuple = read_oid(d, READ_CLASS, relid);

		relation->relkind = tuple == NULL ? '?' : ((Form_pg_class) GETSTRUCT(tuple))->relkind;
	}
	return relation->relkind;
}

/* Is the reference that of a sequence to the column that owns it? */
static bool
is_owned_sequence(Describer *d, const ObjectAddress *object, const Reference *reference)
{
	return reference->type == DEPENDENCY_AUTO && reference->to.classId == RelationRelationId &&
		object->classId == RelationRelationId && relation_kind(d, object->objectId) == RELKIND_SEQUENCE;
}

/* Adds what one part of the object needs. */
static void
add_part_needs(Describer *d, const ObjectAddress *part, List **needed)
{
	static const char types[] = {
		DEPENDENCY_NORMAL, DEPENDENCY_AUTO, DEPENDENCY_PARTITION_PRI, DEPENDENCY_PARTITION_SEC, '\0'
	};
	static const char internal[] = {DEPENDENCY_INTERNAL, '\0'};
	ListCell   *lc;

	foreach(lc, references(d, part, types))
	{
		Reference  *reference = lfirst(lc);
		List	   *owners = NIL;
		ListCell   *lo;

		if (reference->to.objectId < FirstNormalObjectId || is_owned_sequence(d, part, reference))
			continue;
		if (reference->to.objectSubId == 0)
			owners = references(d, &reference->to, internal);
		if (owners == NIL)
			add_needed(d, &reference->to, &reference->to, needed);
		foreach(lo, owners)
		{
			Reference  *owner = lfirst(lo);
			List	   *outer = NIL;
			ListCell   *lu;

			if (owner->to.objectSubId == 0)
				outer = references(d, &owner->to, internal);
			if (outer == NIL)
				add_needed(d, &owner->to, &reference->to, needed);
			foreach(lu, outer)
				add_needed(d, &((Reference *) lfirst(lu))->to, &reference->to, needed);
		}
	}
}

/*
 * Adds an object once.  named: what the dependency is on; a column of a view
 * stands for the view.
 */
static void
add_needed(Describer *d, const ObjectAddress *address, const ObjectAddress *named, List **needed)
{
	static const char extension[] = {DEPENDENCY_EXTENSION, '\0'};
	ObjectAddress *object = palloc(sizeof(ObjectAddress));
	ObjectAddress whole;
	List	   *extensions;
	ListCell   *lc;

	*object = *address;
	ObjectAddressSet(whole, object->classId, object->objectId);
	extensions = references(d, &whole, extension);
	if (extensions != NIL)
	{
		*object = ((Reference *) linitial(extensions))->to;
		object->objectSubId = 0;
	}
	else if (named->classId == RelationRelationId && named->objectSubId > 0)
	{
		char		relkind = relation_kind(d, named->objectId);

		if (relkind == RELKIND_VIEW || relkind == RELKIND_MATVIEW)
			object->objectSubId = 0;
	}
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
