/*
 * guard_access.c
 *	  The object access hook: sees every object before it goes.
 *
 * Whatever a statement hides (the column that DROP TYPE CASCADE takes along,
 * DROP OWNED, EXECUTE in a DO block), here each object comes by on its own,
 * still in the catalog.  Objects that hold data are judged at once; inside a
 * script, definitions are queued until it is known whether they come back.
 * Drops that the server does for itself (PERFORM_DELETION_INTERNAL) are not
 * looked at, nor what is temporary or was made in this transaction.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/parallel.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_conversion.h"
#include "catalog/pg_event_trigger.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_index.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_subscription.h"
#include "catalog/pg_transform.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "facts.h"
#include "guard_state.h"
#include "image.h"
#include "ledger.h"
#include "neteffect.h"
#include "protect.h"

/* a kind of object on its way out */
typedef struct DropRule
{
	Oid			classid;
	char		relkind;		/* of relations */
	const char *rule;
	MigClass	class;
	bool		definition;		/* holds no data */
} DropRule;

static const DropRule drop_rules[] = {
	{RelationRelationId, RELKIND_RELATION, "drop-table", CLASS_DESTRUCTIVE, false},
	{RelationRelationId, RELKIND_PARTITIONED_TABLE, "drop-table", CLASS_DESTRUCTIVE, false},
	{RelationRelationId, RELKIND_FOREIGN_TABLE, "drop-foreign-table", CLASS_DESTRUCTIVE, false},
	{RelationRelationId, RELKIND_SEQUENCE, "drop-sequence", CLASS_DESTRUCTIVE, false},
	{RelationRelationId, RELKIND_MATVIEW, "drop-materialized-view", CLASS_DESTRUCTIVE, false},
	{RelationRelationId, RELKIND_VIEW, "drop-view", CLASS_DESTRUCTIVE, true},
	{RelationRelationId, RELKIND_INDEX, "drop-index", CLASS_DESTRUCTIVE, true},
	{RelationRelationId, RELKIND_PARTITIONED_INDEX, "drop-index", CLASS_DESTRUCTIVE, true},
	{NamespaceRelationId, 0, "drop-schema", CLASS_DESTRUCTIVE, false},
	{ExtensionRelationId, 0, "drop-extension", CLASS_DESTRUCTIVE, false},
	{ForeignServerRelationId, 0, "drop-server", CLASS_DESTRUCTIVE, false},
	{PublicationRelationId, 0, "drop-publication", CLASS_DESTRUCTIVE, false},
	{PublicationRelRelationId, 0, "unpublish", CLASS_DESTRUCTIVE, false},
	{SubscriptionRelationId, 0, "drop-subscription", CLASS_DESTRUCTIVE, false},
	{EventTriggerRelationId, 0, "drop-event-trigger", CLASS_DESTRUCTIVE, false},
	{LanguageRelationId, 0, "drop-language", CLASS_DESTRUCTIVE, false},
	{TypeRelationId, 0, "drop-type", CLASS_DESTRUCTIVE, true},
	{ProcedureRelationId, 0, "drop-function", CLASS_DESTRUCTIVE, true},
	{TriggerRelationId, 0, "drop-trigger", CLASS_DESTRUCTIVE, true},
	{RewriteRelationId, 0, "drop-rule", CLASS_DESTRUCTIVE, true},
	{PolicyRelationId, 0, "drop-policy", CLASS_DESTRUCTIVE, true},
	{ConstraintRelationId, 0, "drop-constraint", CLASS_RELAXING, true},
	{AttrDefaultRelationId, 0, "drop-default", CLASS_REPLACING, true},
	{StatisticExtRelationId, 0, "drop-statistics", CLASS_RELAXING, true},
	{OperatorRelationId, 0, "drop-operator", CLASS_DESTRUCTIVE, true},
	{OperatorClassRelationId, 0, "drop-operator-class", CLASS_DESTRUCTIVE, true},
	{OperatorFamilyRelationId, 0, "drop-operator-family", CLASS_DESTRUCTIVE, true},
	{CastRelationId, 0, "drop-cast", CLASS_DESTRUCTIVE, true},
	{ConversionRelationId, 0, "drop-conversion", CLASS_DESTRUCTIVE, true},
	{TransformRelationId, 0, "drop-transform", CLASS_DESTRUCTIVE, true},
	{TSConfigRelationId, 0, "drop-text-search", CLASS_DESTRUCTIVE, true},
	{TSDictionaryRelationId, 0, "drop-text-search", CLASS_DESTRUCTIVE, true},
	{TSParserRelationId, 0, "drop-text-search", CLASS_DESTRUCTIVE, true},
	{TSTemplateRelationId, 0, "drop-text-search", CLASS_DESTRUCTIVE, true},
};

static const DropRule drop_column_rule = {RelationRelationId, 0, "drop-column", CLASS_DESTRUCTIVE, false};

static object_access_hook_type previous_hook = NULL;

static void access_hook(ObjectAccessType access, Oid classid, Oid objid, int subid, void *arg);
static void access_created(Oid classid, Oid objid, int32 subid, bool internal);
static void access_altered(Oid classid, Oid objid, int32 subid, bool internal);
static void access_dropped(Oid classid, Oid objid, int32 subid, int flags);
static void access_truncated(Oid relid);
static const DropRule *drop_rule(Oid classid, Oid objid, int32 subid);
static void judge_data(const DropRule *rule, const ObjectAddress *address, const RelFacts *rel);
static void judge_definition(const DropRule *rule, const ObjectAddress *address, Oid relid);
static Oid	namespace_of(const ObjectAddress *address, Oid relid);
static bool said_already(const Verdict *verdict);
static bool owned_in_rollback(const ObjectAddress *address, Oid relid);
static void note_lost(const ObjectAddress *address, const RelFacts *rel);
static int64 count_lost(Oid relid, AttrNumber attnum);
static bool touches_nothing(Oid classid, Oid objid);
static bool is_told(Oid classid);

void
access_init(void)
{
	previous_hook = object_access_hook;
	object_access_hook = access_hook;
}

static void
access_hook(ObjectAccessType access, Oid classid, Oid objid, int subid, void *arg)
{
	if (previous_hook != NULL)
		previous_hook(access, classid, objid, subid, arg);

	if (access == OAT_NAMESPACE_SEARCH || access == OAT_FUNCTION_EXECUTE ||
		IsParallelWorker() || guard_steps_aside())
		return;
	if (access == OAT_POST_CREATE)
		access_created(classid, objid, subid, arg != NULL && ((ObjectAccessPostCreate *) arg)->is_internal);
	else if (access == OAT_POST_ALTER)
		access_altered(classid, objid, subid, arg != NULL && ((ObjectAccessPostAlter *) arg)->is_internal);
	else if (access == OAT_DROP)
		access_dropped(classid, objid, subid, arg != NULL ? ((ObjectAccessDrop *) arg)->dropflags : 0);
	else if (access == OAT_TRUNCATE)
		access_truncated(objid);
}

static void
access_created(Oid classid, Oid objid, int32 subid, bool internal)
{
	/* a default is reported by relation and column */
	fresh_created(classid, objid, subid);
	if (guard_script != NULL && !internal)
	{
		if (fresh_is_new(classid, objid, subid))
		{
			access_note_touched(classid, objid, subid, "created");
			image_created(classid, objid, subid);
		}
		else
		{
			access_note_touched(classid, objid, subid, "replaced");
			image_altered(classid, objid, subid);
		}
	}
}

/*
 * Alterations of migmgr's own objects are refused here too: some (REASSIGN
 * OWNED, ALTER EVENT TRIGGER) fire no event.
 */
static void
access_altered(Oid classid, Oid objid, int32 subid, bool internal)
{
	ObjectAddress address;

	fresh_altered(classid, objid, subid);
	if (internal)
		return;
	ObjectAddressSubSet(address, classid, objid, subid);
	if (protect_owns(&address) && !protect_lifted() && !touches_nothing(classid, objid) &&
		!(classid == ExtensionRelationId && superuser()))
		protect_refuse(&address, "alter");
	if (guard_script != NULL)
	{
		access_note_touched(classid, objid, subid, "changed");
		image_altered(classid, objid, subid);
	}
}

/* Did an alteration leave the object's row as it was (OWNER TO the owner)? */
static bool
touches_nothing(Oid classid, Oid objid)
{
	HeapTuple	before;
	HeapTuple	after;
	bool		same;

	if (!OidIsValid(get_object_oid_index(classid)))
		return false;
	before = fact_row(classid, objid, false);
	after = fact_row(classid, objid, true);
	same = HeapTupleIsValid(before) && HeapTupleIsValid(after) &&
		ItemPointerEquals(&before->t_self, &after->t_self);
	if (HeapTupleIsValid(before))
		heap_freetuple(before);
	if (HeapTupleIsValid(after))
		heap_freetuple(after);
	return same;
}

static void
access_dropped(Oid classid, Oid objid, int32 subid, int flags)
{
	GuardStatement *statement = guard_current();
	ObjectAddress address;
	const DropRule *rule;
	RelFacts	rel;
	Oid			relid;
	AttrNumber	column = 0;
	MemoryContext context;
	MemoryContext old;

	if (statement != NULL)
		statement->drops_seen = true;
	if ((flags & PERFORM_DELETION_INTERNAL) != 0)
		return;
	image_drop(classid, objid, subid);
	if (fresh_is_new(classid, objid, subid))
		return;
	rule = drop_rule(classid, objid, subid);
	if (rule == NULL)
		return;

	context = AllocSetContextCreate(CurrentMemoryContext, "migmgr drop", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	ObjectAddressSubSet(address, classid, objid, subid);
	if (classid == RelationRelationId)
		relid = get_rel_relkind(objid) == RELKIND_INDEX || get_rel_relkind(objid) == RELKIND_PARTITIONED_INDEX
			? fact_index_table(objid) : objid;
	else
		relid = protect_relation_of(classid, objid, false);
	if (classid == AttrDefaultRelationId)
		column = GetAttrDefaultColumnAddress(objid).objectSubId;

	if (protect_owns(&address))
	{
		if (!protect_lifted())
			protect_refuse(&address, "drop");
	}
	/* concurrent: decided at the start; new or temporary: free */
	else if (!creating_extension && !(statement != NULL && statement->verdict->concurrent) &&
			 !(fact_relation(relid, &rel) && (rel.temporary || rel.is_new)) &&
			 !(column != 0 && fresh_is_new(RelationRelationId, relid, column)))
	{
		if (rule->definition)
			judge_definition(rule, &address, relid);
		else
			judge_data(rule, &address, OidIsValid(relid) ? &rel : NULL);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* The row for an object, or NULL for what comes and goes with another. */
static const DropRule *
drop_rule(Oid classid, Oid objid, int32 subid)
{
	char		relkind = classid == RelationRelationId ? get_rel_relkind(objid) : 0;

	if (access_is_implicit(classid, objid, subid, true))
		return NULL;
	if (classid == RelationRelationId && subid != 0)
		return &drop_column_rule;
	for (int i = 0; i < lengthof(drop_rules); i++)
	{
		if (drop_rules[i].classid == classid && drop_rules[i].relkind == relkind)
			return &drop_rules[i];
	}
	return NULL;
}

/*
 * Is this an object that the server makes and drops along with another: TOAST,
 * row and array types, triggers of foreign keys, rules of views, and what is
 * temporary?
 */
bool
access_is_implicit(Oid classid, Oid objid, int32 objsubid, bool dropping)
{
	HeapTuple	row;
	bool		result = false;

	if (classid == RelationRelationId)
	{
		char		relkind = get_rel_relkind(objid);

		return relkind == RELKIND_TOASTVALUE || (dropping && relkind == RELKIND_COMPOSITE_TYPE && objsubid == 0) ||
			isAnyTempNamespace(get_rel_namespace(objid)) || IsToastNamespace(get_rel_namespace(objid));
	}
	if (classid == NamespaceRelationId)
		return isAnyTempNamespace(objid);
	if (classid == ProcedureRelationId)
		return isAnyTempNamespace(get_func_namespace(objid));
	if (classid == TypeRelationId)
	{
		Oid			typrelid = get_typ_typrelid(objid);

		if (OidIsValid(typrelid) && get_rel_relkind(typrelid) != RELKIND_COMPOSITE_TYPE)
			return true;
		row = SearchSysCache1(TYPEOID, ObjectIdGetDatum(objid));
		if (HeapTupleIsValid(row))
		{
			Form_pg_type form = (Form_pg_type) GETSTRUCT(row);

			result = IsTrueArrayType(form) || form->typtype == TYPTYPE_MULTIRANGE ||
				isAnyTempNamespace(form->typnamespace);
			ReleaseSysCache(row);
		}
		return result;
	}
	if (classid != TriggerRelationId && classid != RewriteRelationId && classid != ConstraintRelationId)
		return false;
	row = fact_row(classid, objid, false);
	if (!HeapTupleIsValid(row))
		return true;
	if (classid == TriggerRelationId)
		result = ((Form_pg_trigger) GETSTRUCT(row))->tgisinternal ||
			OidIsValid(((Form_pg_trigger) GETSTRUCT(row))->tgparentid);
	else if (classid == RewriteRelationId)
		result = strcmp(NameStr(((Form_pg_rewrite) GETSTRUCT(row))->rulename), "_RETURN") == 0;
	else
		/* 'n', since 18: NOT NULL is told and judged by its column */
		result = ((Form_pg_constraint) GETSTRUCT(row))->contype == CONSTRAINT_TRIGGER ||
			((Form_pg_constraint) GETSTRUCT(row))->contype == 'n' ||
			OidIsValid(((Form_pg_constraint) GETSTRUCT(row))->conparentid);
	heap_freetuple(row);
	return result;
}

/* An object that holds data, or whose loss cannot be made good: judged now. */
static void
judge_data(const DropRule *rule, const ObjectAddress *address, const RelFacts *rel)
{
	GuardStatement *statement = guard_current();
	Verdict    *verdict = palloc0(sizeof(Verdict));
	char	   *type = getObjectTypeDescription(address, true);
	char	   *identity = fact_dropped_identity(address);

	if (guard_script != NULL && guard_script->mode == GUARD_ROLLBACK &&
		owned_in_rollback(address, rel != NULL ? rel->relid : InvalidOid))
	{
		note_lost(address, rel);
		return;
	}
	verdict->class = rule->class;
	verdict->rule = rule->rule;
	verdict->command = statement != NULL ? statement->verdict->command : "DROP";
	verdict->object = identity;
	if (rel != NULL)
	{
		verdict->relid = rel->relid;
		verdict->namespace = rel->namespace;
	}
	else if (address->classId == NamespaceRelationId)
		verdict->namespace = address->objectId;
	verdict->drops = true;
	verdict->deed = address->objectSubId != 0 ?
		psprintf("drop column %s", identity) :
		psprintf("drop %s %s", type, identity);
	verdict->reason = address->objectSubId != 0 ? "the data in the column is lost" : "what it holds is lost";

	if (said_already(verdict))
		return;
	guard_judge(verdict, true);
	if (guard_script != NULL)
		note_lost(address, rel);
}

/* A definition: queued in a script, judged at once elsewhere. */
static void
judge_definition(const DropRule *rule, const ObjectAddress *address, Oid relid)
{
	GuardStatement *statement = guard_current();
	MigClass	class = rule->class;
	const char *name = rule->rule;
	Verdict    *verdict;

	if (address->classId == ConstraintRelationId)
		class = neteffect_constraint_class(address->objectId, &name);
	else if (address->classId == RelationRelationId &&
			 OidIsValid(get_index_constraint(address->objectId)))
		return;					/* its constraint is judged */
	if (OidIsValid(getExtensionOfObject(address->classId, address->objectId)))
		return;					/* its extension is judged */

	if (guard_script != NULL)
	{
		if (guard_script->mode == GUARD_ROLLBACK && owned_in_rollback(address, relid))
			note_lost(address, NULL);
		else
			neteffect_queue(address, relid, class, name, namespace_of(address, relid));
		return;
	}
	verdict = palloc0(sizeof(Verdict));
	verdict->class = class;
	verdict->rule = name;
	verdict->command = statement != NULL ? statement->verdict->command : "DROP";
	verdict->object = fact_dropped_identity(address);
	verdict->relid = relid;
	verdict->namespace = namespace_of(address, relid);
	verdict->deed = psprintf("drop %s %s", getObjectTypeDescription(address, true), verdict->object);
	verdict->reason = "what uses it breaks";
	if (!said_already(verdict))
		guard_judge(verdict, true);
}

/* Schema of an object, or of the relation that it hangs on. */
static Oid
namespace_of(const ObjectAddress *address, Oid relid)
{
	if (OidIsValid(relid))
		return get_rel_namespace(relid);
	if (is_objectclass_supported(address->classId) &&
		get_object_attnum_namespace(address->classId) != InvalidAttrNumber &&
		get_object_catcache_oid(address->classId) >= 0)
		return get_object_namespace(address);
	return InvalidOid;
}

/*
 * Was the statement itself let pass with a warning for as much?  Outside of a
 * script one is enough.
 */
static bool
said_already(const Verdict *verdict)
{
	GuardStatement *statement = guard_current();

	return guard_script == NULL && statement != NULL &&
		statement->verdict->class >= verdict->class && policy_action(verdict) == ACTION_WARN;
}

/* Did the version that is rolled back make this object, or what it is part of? */
static bool
owned_in_rollback(const ObjectAddress *address, Oid relid)
{
	char	   *type = getObjectTypeDescription(address, true);
	char	   *identity = fact_dropped_identity(address);
	ObjectAddress whole;
	Oid			tableid;
	int32		column;

	if (type != NULL && identity != NULL && guard_owned(type, identity))
		return true;
	/* a sequence belongs to its column */
	if (address->classId == RelationRelationId && get_rel_relkind(address->objectId) == RELKIND_SEQUENCE &&
		(sequenceIsOwned(address->objectId, DEPENDENCY_AUTO, &tableid, &column) ||
		 sequenceIsOwned(address->objectId, DEPENDENCY_INTERNAL, &tableid, &column)))
	{
		ObjectAddressSubSet(whole, RelationRelationId, tableid, column);
		if (guard_owned("table column", getObjectIdentity(&whole, false)))
			return true;
		relid = tableid;
	}
	if (address->classId == AttrDefaultRelationId)
	{
		whole = GetAttrDefaultColumnAddress(address->objectId);
		if (OidIsValid(whole.objectId) && guard_owned("table column", getObjectIdentity(&whole, false)))
			return true;
	}
	if (!OidIsValid(relid))
		return false;
	ObjectAddressSet(whole, RelationRelationId, relid);
	return guard_owned(getObjectTypeDescription(&whole, false), getObjectIdentity(&whole, false));
}

/* Keeps what has been allowed to go, with the data that is lost in a rollback. */
static void
note_lost(const ObjectAddress *address, const RelFacts *rel)
{
	MemoryContext old = MemoryContextSwitchTo(guard_script->context);
	LostObject *lost = palloc0(sizeof(LostObject));
	GuardObject *object = &lost->object;

	lost->subid = GetCurrentSubTransactionId();
	object->action = "dropped";
	object->statement = guard_script->statement;
	object->type = getObjectTypeDescription(address, false);
	object->identity = fact_dropped_identity(address);
	object->classid = address->classId;
	object->objid = address->objectId;
	object->objsubid = address->objectSubId;
	object->data_count = -1;
	if (rel != NULL && address->classId == RelationRelationId)
	{
		object->schema = get_namespace_name(rel->namespace);
		object->relation = get_rel_name(rel->relid);
		if (address->objectSubId != 0)
			object->column = get_attname(address->objectId, address->objectSubId, false);
		if (guard_script->mode == GUARD_ROLLBACK && rel->relkind == RELKIND_RELATION)
			object->data_count = count_lost(rel->relid, address->objectSubId);
		else if (guard_script->mode == GUARD_ROLLBACK && rel->relkind == RELKIND_PARTITIONED_TABLE)
			object->data_count = 0; /* its partitions come by themselves */
	}
	guard_script->lost = lappend(guard_script->lost, lost);
	MemoryContextSwitchTo(old);
}

/*
 * Rows of a table, or rows with a value in a column.  The drop holds an
 * exclusive lock, so the newest snapshot sees what would be lost.
 */
static int64
count_lost(Oid relid, AttrNumber attnum)
{
	Relation	rel = table_open(relid, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	int64		count = 0;

	while (!(guard_script->count_any && count > 0) &&
		   table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (attnum == 0 || !slot_attisnull(slot, attnum))
			count++;
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return count;
}

/* TRUNCATE fires no event; its cascades come by here one by one. */
static void
access_truncated(Oid relid)
{
	RelFacts	rel;
	ObjectAddress address;
	Verdict    *verdict;

	if (!fact_relation(relid, &rel) || rel.temporary || rel.is_new || creating_extension)
		return;
	ObjectAddressSet(address, RelationRelationId, relid);
	if (protect_owns(&address) && !protect_lifted())
		protect_refuse(&address, "truncate");
	if (fact_empty(relid))
		return;					/* pg_restore --jobs truncates what it has
								 * just made */
	verdict = palloc0(sizeof(Verdict));
	verdict->class = CLASS_DESTRUCTIVE;
	verdict->rule = "truncate";
	verdict->command = "TRUNCATE TABLE";
	verdict->object = rel.name;
	verdict->relid = relid;
	verdict->namespace = rel.namespace;
	verdict->deed = psprintf("truncate table %s", rel.name);
	verdict->reason = "every row is lost";
	guard_judge(verdict, true);
	if (guard_script == NULL)
		ddl_log_add(verdict, policy_action(verdict));
}

/* Is this a kind of object that history tells of? */
static bool
is_told(Oid classid)
{
	static const Oid told[] = {
		RelationRelationId, TypeRelationId, ProcedureRelationId, ConstraintRelationId,
		AttrDefaultRelationId, TriggerRelationId, RewriteRelationId, PolicyRelationId,
		NamespaceRelationId, StatisticExtRelationId, OperatorRelationId, OperatorClassRelationId,
		OperatorFamilyRelationId, CastRelationId, ConversionRelationId, CollationRelationId,
		ExtensionRelationId, ForeignDataWrapperRelationId, ForeignServerRelationId,
		LanguageRelationId, PublicationRelationId, SubscriptionRelationId, EventTriggerRelationId,
		TSConfigRelationId, TSDictionaryRelationId, TSParserRelationId, TSTemplateRelationId,
		TransformRelationId, AccessMethodRelationId,
	};

	for (int i = 0; i < lengthof(told); i++)
	{
		if (told[i] == classid)
			return true;
	}
	return false;
}

/* Notes an object that the script made or changed, in order, once. */
void
access_note_touched(Oid classid, Oid objid, int32 subid, const char *action)
{
	MemoryContext old;
	Touched    *touched;
	ListCell   *lc;

	if (!is_told(classid))
		return;
	foreach(lc, guard_script->touched)
	{
		touched = lfirst(lc);
		if (touched->classid == classid && touched->objid == objid && touched->objsubid == subid)
			return;
	}
	old = MemoryContextSwitchTo(guard_script->context);
	touched = palloc(sizeof(Touched));
	touched->classid = classid;
	touched->objid = objid;
	touched->objsubid = subid;
	touched->action = action;
	touched->statement = guard_script->statement;
	touched->subid = GetCurrentSubTransactionId();
	guard_script->touched = lappend(guard_script->touched, touched);
	MemoryContextSwitchTo(old);
}
