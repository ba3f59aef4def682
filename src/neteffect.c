/*
 * neteffect.c
 *	  Definitions that a script has dropped, and whether they came back.
 *
 * DROP POLICY IF EXISTS p; CREATE POLICY p replaces a policy and destroys
 * nothing.  So a dropped definition is queued with what it was, and looked for
 * at the end of the script among the objects that the script made.  What
 * hangs on a relation is found by the relation's OID and its own name, so that
 * a rename in between does not matter; everything else by type and identity.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "facts.h"
#include "guard_state.h"
#include "neteffect.h"
#include "protect.h"

/* an object that the script made, and how to recognise it */
typedef struct Made
{
	ObjectAddress address;
	char	   *key;
	GuardObject *object;
} Made;

static char *key_of(const ObjectAddress *address, Oid relid);
static char *key_in_relation(Oid classid, Oid relid, const char *name);
static Oid	relation_of(const ObjectAddress *address);
static void take_image(Dropped *image, const ObjectAddress *address);
static char *row_attribute(Relation catalog, HeapTuple row, AttrNumber attnum, Oid output);
static char *policy_definition(Relation catalog, HeapTuple row);
static char *acl_text(Relation catalog, HeapTuple row, const ObjectAddress *address, Oid owner);
static GuardObject *object_of(const Touched *touched);
static bool implied(const ObjectAddress *address, bool of_default);
static ObjectAddress address_of(const Touched *touched);
static bool made_here(Oid classid, Oid objid);
static bool lost_with_relation(const Dropped *dropped);
static bool same_text(const char *a, const char *b);
static MigClass compare_images(const Dropped *before, const Dropped *after, const char **why);
static void judge_dropped(GuardResult *result, Dropped *dropped, List *made);
static void add_dropped_object(GuardResult *result, const Dropped *dropped);

/* Queues a definition that is about to go. */
void
neteffect_queue(const ObjectAddress *address, Oid relid, MigClass class,
				const char *rule, Oid namespace)
{
	MemoryContext old = MemoryContextSwitchTo(guard_script->context);
	Dropped    *dropped = palloc0(sizeof(Dropped));

	take_image(dropped, address);
	dropped->key = key_of(address, relid);
	dropped->relid = relid;
	dropped->class = class;
	dropped->rule = rule;
	dropped->namespace = namespace;
	dropped->subid = GetCurrentSubTransactionId();
	dropped->statement = guard_script->statement;
	dropped->line = guard_script->line;
	guard_script->dropped = lappend(guard_script->dropped, dropped);
	MemoryContextSwitchTo(old);
}

/* Has this script dropped an object of this kind and name from this relation? */
bool
neteffect_dropped(Oid classid, Oid relid, const char *name)
{
	char	   *key;
	ListCell   *lc;

	if (guard_script == NULL || guard_script->dropped == NIL)
		return false;
	key = key_in_relation(classid, relid, name);
	foreach(lc, guard_script->dropped)
	{
		if (strcmp(((Dropped *) lfirst(lc))->key, key) == 0)
			return true;
	}
	return false;
}

/* What the loss of a constraint means, with its rule. */
MigClass
neteffect_constraint_class(Oid constraint, const char **rule)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	char		type = 0;

	if (HeapTupleIsValid(tuple))
	{
		type = ((Form_pg_constraint) GETSTRUCT(tuple))->contype;
		ReleaseSysCache(tuple);
	}
	if (type == CONSTRAINT_PRIMARY || type == CONSTRAINT_UNIQUE || type == CONSTRAINT_EXCLUSION)
	{
		*rule = type == CONSTRAINT_PRIMARY ? "drop-primary-key" : "drop-unique";
		return CLASS_DESTRUCTIVE;
	}
	*rule = type == CONSTRAINT_FOREIGN ? "drop-foreign-key" : "drop-constraint";
	return CLASS_RELAXING;
}

/*
 * A statement of the script has ended.  Some alterations (row security, GRANT)
 * tell no hook: then what the statement names was changed.
 */
void
neteffect_statement_end(const GuardStatement *statement)
{
	const Verdict *verdict = statement->verdict;
	int			touched = list_length(guard_script->touched) + list_length(guard_script->dropped) +
		list_length(guard_script->lost);
	RelFacts	rel;

	if (touched != statement->touched || !fact_relation(verdict->relid, &rel) || rel.temporary)
		return;
	if (strncmp(verdict->command, "ALTER", 5) == 0 || strcmp(verdict->command, "GRANT") == 0 ||
		strcmp(verdict->command, "REVOKE") == 0)
		access_note_touched(RelationRelationId, verdict->relid, 0, "changed");
}

/*
 * Fills in the objects of the result, and judges what did not come back.
 * Everything lives in the current context.
 */
void
neteffect_judge(GuardResult *result)
{
	List	   *made = NIL;
	ListCell   *lc;

	foreach(lc, guard_script->touched)
	{
		const Touched *touched = lfirst(lc);
		ObjectAddress address;
		Made	   *entry;

		address = address_of(touched);
		if (getObjectIdentity(&address, true) == NULL)
			continue;			/* gone again */
		entry = palloc0(sizeof(Made));
		entry->address = address;
		if (guard_script->dropped == NIL)
			entry->key = "";	/* nothing that it could have replaced */
		else if (touched->classid == AttrDefaultRelationId)
			entry->key = key_in_relation(AttrDefaultRelationId, touched->objid,
										 get_attname(touched->objid, touched->objsubid, false));
		else
			entry->key = key_of(&address, relation_of(&address));
		if (!implied(&address, touched->classid == AttrDefaultRelationId))
		{
			entry->object = object_of(touched);
			if (entry->object != NULL)
				result->objects = lappend(result->objects, entry->object);
		}
		made = lappend(made, entry);
	}
	foreach(lc, guard_script->lost)
	{
		GuardObject *object = palloc(sizeof(GuardObject));

		*object = ((LostObject *) lfirst(lc))->object;
		object->type = pstrdup(object->type);
		object->identity = pstrdup(object->identity);
		object->schema = object->schema ? pstrdup(object->schema) : NULL;
		object->relation = object->relation ? pstrdup(object->relation) : NULL;
		object->column = object->column ? pstrdup(object->column) : NULL;
		result->objects = lappend(result->objects, object);
	}
	foreach(lc, guard_script->dropped)
	{
		Dropped    *dropped = lfirst(lc);
		ListCell   *other;
		bool		again = false;

		/* dropped twice: the first image is the one from before */
		foreach(other, guard_script->dropped)
		{
			if (lfirst(other) == dropped)
				break;
			again |= strcmp(((Dropped *) lfirst(other))->key, dropped->key) == 0;
		}
		if (!again && !lost_with_relation(dropped))
			judge_dropped(result, dropped, made);
	}
}

/* One definition that went: is it back, and as it was? */
static void
judge_dropped(GuardResult *result, Dropped *dropped, List *made)
{
	Verdict    *verdict = palloc0(sizeof(Verdict));
	const char *why = NULL;
	Made	   *found = NULL;
	PolicyAction action;
	ListCell   *lc;

	foreach(lc, made)
	{
		if (strcmp(((Made *) lfirst(lc))->key, dropped->key) == 0)
			found = lfirst(lc);
	}
	if (found != NULL && dropped->classid == AttrDefaultRelationId)
	{
		verdict->class = CLASS_REPLACING;
		verdict->rule = "replaced";
	}
	else if (found != NULL)
	{
		Dropped		after = {0};

		take_image(&after, &found->address);
		if (found->object != NULL)
			found->object->action = "replaced";
		verdict->class = compare_images(dropped, &after, &why);
		verdict->rule = verdict->class == CLASS_SECURITY ? "replaced-weaker" : "replaced";
	}
	else
	{
		verdict->class = dropped->class;
		verdict->rule = dropped->rule;
		why = "it was dropped and has not come back";
		add_dropped_object(result, dropped);
	}
	result->class = Max(result->class, verdict->class);

	verdict->command = "DROP";
	verdict->object = pstrdup(dropped->identity);
	verdict->relid = InvalidOid;
	verdict->namespace = dropped->namespace;
	verdict->deed = psprintf("%s %s %s", found != NULL ? "replace" : "drop", dropped->type, dropped->identity);
	verdict->reason = psprintf("%s %s: %s", dropped->type, dropped->identity, why != NULL ? why : "replaced");
	verdict->statement = dropped->statement;
	verdict->line = dropped->line;
	verdict->drops = true;
	action = guard_script->derived ? ACTION_ALLOW : policy_action(verdict);
	if (action >= ACTION_ASK)
		result->violations = lappend(result->violations, verdict);
	else if (action == ACTION_WARN)
		result->warnings = lappend(result->warnings, verdict);
}

/* What a replacement has changed apart from the definition itself. */
static MigClass
compare_images(const Dropped *before, const Dropped *after, const char **why)
{
	if (before->classid == PolicyRelationId && !same_text(before->definition, after->definition))
	{
		*why = "the new policy differs from the old one";
		return CLASS_SECURITY;
	}
	if (before->owner != after->owner)
	{
		*why = "it has another owner than before";
		return CLASS_SECURITY;
	}
	if (!same_text(before->acl, after->acl))
	{
		*why = psprintf("its grants were %s and are %s", before->acl ? before->acl : "none",
						after->acl ? after->acl : "none");
		return CLASS_SECURITY;
	}
	if (before->options != NULL && strstr(before->options, "security_") != NULL &&
		!same_text(before->options, after->options))
	{
		*why = "the view had other security options before";
		return CLASS_SECURITY;
	}
	return CLASS_REPLACING;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
add_dropped_object(GuardResult *result, const Dropped *dropped)
{
	GuardObject *object = palloc0(sizeof(GuardObject));

	object->action = "dropped";
	object->statement = dropped->statement;
	object->type = pstrdup(dropped->type);
	object->identity = pstrdup(dropped->identity);
	object->data_count = -1;
	result->objects = lappend(result->objects, object);
}

/* What makes another object the same one. */
static char *
key_of(const ObjectAddress *address, Oid relid)
{
	AttrNumber	attnum;
	char	   *name = NULL;

	if (address->classId == AttrDefaultRelationId)
	{
		ObjectAddress column = GetAttrDefaultColumnAddress(address->objectId);

		if (OidIsValid(column.objectId))
			name = get_attname(column.objectId, column.objectSubId, true);
	}
	else if (OidIsValid(relid) && address->objectSubId == 0 && relid != address->objectId &&
			 (attnum = get_object_attnum_name(address->classId)) != InvalidAttrNumber)
	{
		Relation	catalog = table_open(address->classId, AccessShareLock);
		HeapTuple	row = fact_row(address->classId, address->objectId, false);
		bool		isnull;

		if (HeapTupleIsValid(row))
			name = NameStr(*DatumGetName(heap_getattr(row, attnum, RelationGetDescr(catalog), &isnull)));
		table_close(catalog, AccessShareLock);
	}
	if (name != NULL)
		return key_in_relation(address->classId, relid, name);
	return psprintf("%s %s", getObjectTypeDescription(address, false), fact_dropped_identity(address));
}

static char *
key_in_relation(Oid classid, Oid relid, const char *name)
{
	return psprintf("%u/%u/%s", classid, relid, name);
}

/* Relation that an object hangs on; the table, for an index. */
static Oid
relation_of(const ObjectAddress *address)
{
	char		relkind;

	if (address->classId != RelationRelationId)
		return protect_relation_of(address->classId, address->objectId, false);
	relkind = get_rel_relkind(address->objectId);
	return relkind == RELKIND_INDEX || relkind == RELKIND_PARTITIONED_INDEX ?
		fact_index_table(address->objectId) : address->objectId;
}

/* Describes an object as it is now, in the current context. */
static void
take_image(Dropped *image, const ObjectAddress *address)
{
	Relation	catalog;
	HeapTuple	row;

	image->classid = address->classId;
	image->type = getObjectTypeDescription(address, false);
	image->identity = fact_dropped_identity(address);
	if (!is_objectclass_supported(address->classId))
		return;
	row = fact_row(address->classId, address->objectId, false);
	if (!HeapTupleIsValid(row))
		return;
	catalog = table_open(address->classId, AccessShareLock);
	image->owner = fact_owner(address);
	image->acl = acl_text(catalog, row, address, image->owner);
	if (address->classId == PolicyRelationId)
		image->definition = policy_definition(catalog, row);
	if (address->classId == RelationRelationId)
		image->options = row_attribute(catalog, row, Anum_pg_class_reloptions, F_ARRAY_OUT);
	table_close(catalog, AccessShareLock);
}

static char *
row_attribute(Relation catalog, HeapTuple row, AttrNumber attnum, Oid output)
{
	bool		isnull;
	Datum		value = heap_getattr(row, attnum, RelationGetDescr(catalog), &isnull);

	return isnull ? NULL : OidOutputFunctionCall(output, value);
}

/* Everything that says what a policy lets whom do. */
static char *
policy_definition(Relation catalog, HeapTuple row)
{
	Form_pg_policy form = (Form_pg_policy) GETSTRUCT(row);
	TupleDesc	desc = RelationGetDescr(catalog);
	char	   *parts[2] = {"", ""};
	const AttrNumber attnums[] = {Anum_pg_policy_polqual, Anum_pg_policy_polwithcheck};

	for (int i = 0; i < lengthof(attnums); i++)
	{
		bool		isnull;
		Datum		tree = heap_getattr(row, attnums[i], desc, &isnull);

		if (!isnull)
			parts[i] = TextDatumGetCString(DirectFunctionCall2(pg_get_expr, tree,
															   ObjectIdGetDatum(form->polrelid)));
	}
	return psprintf("%c/%d/%s/%s/%s", form->polcmd, form->polpermissive,
					row_attribute(catalog, row, Anum_pg_policy_polroles, F_ARRAY_OUT), parts[0], parts[1]);
}

/* Grants in a comparable form; the built-in ones where none were made. */
static char *
acl_text(Relation catalog, HeapTuple row, const ObjectAddress *address, Oid owner)
{
	AttrNumber	attnum = get_object_attnum_acl(address->classId);
	bool		isnull;
	Datum		value;
	ObjectType	type;
	Acl		   *acl;

	if (attnum == InvalidAttrNumber)
		return NULL;
	if (address->classId == RelationRelationId &&
		fact_index_table(address->objectId) != InvalidOid)
		return NULL;
	value = heap_getattr(row, attnum, RelationGetDescr(catalog), &isnull);
	type = get_object_type(address->classId, address->objectId);
	if (address->classId == RelationRelationId && type != OBJECT_SEQUENCE)
		type = OBJECT_TABLE;
	acl = isnull ? acldefault(type, owner) : aclcopy(DatumGetAclP(value));
	aclitemsort(acl);
	return OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(acl));
}

/* Did an object go because its whole table (or its column) went? */
static bool
lost_with_relation(const Dropped *dropped)
{
	ListCell   *lc;

	foreach(lc, guard_script->lost)
	{
		const GuardObject *lost = &((LostObject *) lfirst(lc))->object;

		if (lost->classid == RelationRelationId && OidIsValid(dropped->relid) &&
			lost->objid == dropped->relid && lost->objsubid == 0)
			return true;
	}
	/* an index or default of a dropped column has no column left to be of */
	return dropped->classid == AttrDefaultRelationId && OidIsValid(dropped->relid) &&
		get_attnum(dropped->relid, strrchr(dropped->key, '/') + 1) == InvalidAttrNumber;
}

/* The object of the result for something touched, or NULL for nothing to tell. */
static GuardObject *
object_of(const Touched *touched)
{
	GuardObject *object;
	ObjectAddress address;
	const char *action = touched->action;

	address = address_of(touched);
	if (touched->classid == RewriteRelationId && access_is_implicit(touched->classid, touched->objid, 0, false))
	{
		ObjectAddressSet(address, RelationRelationId,
						 protect_relation_of(touched->classid, touched->objid, false));
		action = "replaced";
	}
	if (touched->classid == AttrDefaultRelationId)
		action = "changed";
	object = palloc0(sizeof(GuardObject));
	object->action = action;
	object->statement = touched->statement;
	object->type = getObjectTypeDescription(&address, true);
	object->identity = getObjectIdentity(&address, true);
	object->classid = address.classId;
	object->objid = address.objectId;
	object->objsubid = address.objectSubId;
	object->data_count = -1;
	return object->identity == NULL ? NULL : object;
}

/* The object of an entry; the server reports a default as its column. */
static ObjectAddress
address_of(const Touched *touched)
{
	ObjectAddress address;

	ObjectAddressSubSet(address, touched->classid == AttrDefaultRelationId ? RelationRelationId : touched->classid,
						touched->objid, touched->objsubid);
	return address;
}

/* Did the script make this object? */
static bool
made_here(Oid classid, Oid objid)
{
	ListCell   *lc;

	foreach(lc, guard_script->touched)
	{
		const Touched *touched = lfirst(lc);

		if (touched->classid == classid && touched->objid == objid && touched->objsubid == 0 &&
			strcmp(touched->action, "created") == 0)
			return true;
	}
	return false;
}

/*
 * Is an object told by another: parts of a new table, indexes of constraints,
 * sequences of columns, and what the server makes by itself?
 */
static bool
implied(const ObjectAddress *address, bool of_default)
{
	Oid			relid = relation_of(address);
	Oid			tableid;
	int32		column;

	if (address->classId == RelationRelationId)
	{
		char		relkind = get_rel_relkind(address->objectId);

		if (address->objectSubId != 0)
			return made_here(RelationRelationId, address->objectId) ||
				(of_default && fresh_is_new(RelationRelationId, address->objectId, address->objectSubId)) ||
				access_is_implicit(RelationRelationId, address->objectId, 0, false);
		if (relkind == RELKIND_COMPOSITE_TYPE ||
			((relkind == RELKIND_INDEX || relkind == RELKIND_PARTITIONED_INDEX) &&
			 OidIsValid(get_index_constraint(address->objectId))) ||
			(relkind == RELKIND_SEQUENCE &&
			 (sequenceIsOwned(address->objectId, DEPENDENCY_AUTO, &tableid, &column) ||
			  sequenceIsOwned(address->objectId, DEPENDENCY_INTERNAL, &tableid, &column))))
			return true;
	}
	else if (address->classId == ConstraintRelationId && OidIsValid(relid) && made_here(RelationRelationId, relid))
		return true;
	else if (address->classId == RewriteRelationId &&
			 access_is_implicit(RewriteRelationId, address->objectId, 0, false))
		return made_here(RelationRelationId, relid);
	return access_is_implicit(address->classId, address->objectId, address->objectSubId, false);
}
