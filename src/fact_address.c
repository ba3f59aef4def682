/*
 * fact_address.c
 *	  From the name in a parse tree to the object, for every kind of object.
 *
 * get_object_address() does the same but takes locks, which a judgement must
 * not: so each kind is looked up by its own function of the server.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_conversion.h"
#include "catalog/pg_database.h"
#include "catalog/pg_event_trigger.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_subscription.h"
#include "catalog/pg_tablespace.h"
#include "catalog/pg_transform.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "commands/policy.h"
#include "commands/proclang.h"
#include "commands/tablespace.h"
#include "commands/trigger.h"
#include "foreign/foreign.h"
#include "nodes/makefuncs.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "parser/parse_oper.h"
#include "parser/parse_type.h"
#include "rewrite/rewriteSupport.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "facts.h"
#include "overlay.h"

/* how a kind of object is looked up: one of the functions */
typedef struct AddressRule
{
	Oid			classid;
	Oid			(*by_name) (const char *name, bool missing_ok);
	Oid			(*by_list) (List *names, bool missing_ok);
	Oid			(*by_node) (ObjectType type, Node *object);
	Oid			(*of_relation) (Oid relid, const char *name, bool missing_ok);
} AddressRule;

static Oid	by_function(ObjectType type, Node *object);
static Oid	by_type(ObjectType type, Node *object);
static Oid	by_operator(ObjectType type, Node *object);
static Oid	by_opclass(ObjectType type, Node *object);
static Oid	by_cast(ObjectType type, Node *object);
static Oid	by_transform(ObjectType type, Node *object);
static Oid	by_domain_constraint(ObjectType type, Node *object);
static Oid	by_relation(ObjectType type, Node *object);
static bool planned_address(ObjectType type, const AddressRule *rule, Node *object,
							RangeVar *relation, ObjectAddress *address);
static bool planned_function(Node *object, Oid *objid);

static const AddressRule address_rules[] = {
	[OBJECT_ACCESS_METHOD] = {.classid = AccessMethodRelationId,.by_name = get_am_oid},
	[OBJECT_AGGREGATE] = {.classid = ProcedureRelationId,.by_node = by_function},
	[OBJECT_CAST] = {.classid = CastRelationId,.by_node = by_cast},
	[OBJECT_COLLATION] = {.classid = CollationRelationId,.by_list = get_collation_oid},
	[OBJECT_CONVERSION] = {.classid = ConversionRelationId,.by_list = get_conversion_oid},
	[OBJECT_DATABASE] = {.classid = DatabaseRelationId,.by_name = get_database_oid},
	[OBJECT_DOMAIN] = {.classid = TypeRelationId,.by_node = by_type},
	[OBJECT_DOMCONSTRAINT] = {.classid = ConstraintRelationId,.by_node = by_domain_constraint},
	[OBJECT_EVENT_TRIGGER] = {.classid = EventTriggerRelationId,.by_name = get_event_trigger_oid},
	[OBJECT_EXTENSION] = {.classid = ExtensionRelationId,.by_name = get_extension_oid},
	[OBJECT_FDW] = {.classid = ForeignDataWrapperRelationId,.by_name = get_foreign_data_wrapper_oid},
	[OBJECT_FOREIGN_SERVER] = {.classid = ForeignServerRelationId,.by_name = get_foreign_server_oid},
	[OBJECT_FOREIGN_TABLE] = {.classid = RelationRelationId,.by_node = by_relation},
	[OBJECT_FUNCTION] = {.classid = ProcedureRelationId,.by_node = by_function},
	[OBJECT_INDEX] = {.classid = RelationRelationId,.by_node = by_relation},
	[OBJECT_LANGUAGE] = {.classid = LanguageRelationId,.by_name = get_language_oid},
	[OBJECT_MATVIEW] = {.classid = RelationRelationId,.by_node = by_relation},
	[OBJECT_OPCLASS] = {.classid = OperatorClassRelationId,.by_node = by_opclass},
	[OBJECT_OPERATOR] = {.classid = OperatorRelationId,.by_node = by_operator},
	[OBJECT_OPFAMILY] = {.classid = OperatorFamilyRelationId,.by_node = by_opclass},
	[OBJECT_POLICY] = {.classid = PolicyRelationId,.of_relation = get_relation_policy_oid},
	[OBJECT_PROCEDURE] = {.classid = ProcedureRelationId,.by_node = by_function},
	[OBJECT_PUBLICATION] = {.classid = PublicationRelationId,.by_name = get_publication_oid},
	[OBJECT_ROLE] = {.classid = AuthIdRelationId,.by_name = get_role_oid},
	[OBJECT_ROUTINE] = {.classid = ProcedureRelationId,.by_node = by_function},
	[OBJECT_RULE] = {.classid = RewriteRelationId,.of_relation = get_rewrite_oid},
	[OBJECT_SCHEMA] = {.classid = NamespaceRelationId,.by_name = get_namespace_oid},
	[OBJECT_SEQUENCE] = {.classid = RelationRelationId,.by_node = by_relation},
	[OBJECT_STATISTIC_EXT] = {.classid = StatisticExtRelationId,.by_list = get_statistics_object_oid},
	[OBJECT_SUBSCRIPTION] = {.classid = SubscriptionRelationId,.by_name = get_subscription_oid},
	[OBJECT_TABCONSTRAINT] = {.classid = ConstraintRelationId,.of_relation = get_relation_constraint_oid},
	[OBJECT_TABLE] = {.classid = RelationRelationId,.by_node = by_relation},
	[OBJECT_TABLESPACE] = {.classid = TableSpaceRelationId,.by_name = get_tablespace_oid},
	[OBJECT_TRANSFORM] = {.classid = TransformRelationId,.by_node = by_transform},
	[OBJECT_TRIGGER] = {.classid = TriggerRelationId,.of_relation = get_trigger_oid},
	[OBJECT_TSCONFIGURATION] = {.classid = TSConfigRelationId,.by_list = get_ts_config_oid},
	[OBJECT_TSDICTIONARY] = {.classid = TSDictionaryRelationId,.by_list = get_ts_dict_oid},
	[OBJECT_TSPARSER] = {.classid = TSParserRelationId,.by_list = get_ts_parser_oid},
	[OBJECT_TSTEMPLATE] = {.classid = TSTemplateRelationId,.by_list = get_ts_template_oid},
	[OBJECT_TYPE] = {.classid = TypeRelationId,.by_node = by_type},
	[OBJECT_VIEW] = {.classid = RelationRelationId,.by_node = by_relation},
};

/*
 * The object that a statement names, or InvalidObjectAddress: it does not
 * exist, or its kind is not looked up here (role settings, user mappings, ...).
 * relation: for kinds that RenameStmt and its like name by a RangeVar.
 */
ObjectAddress
fact_address(ObjectType type, Node *object, RangeVar *relation)
{
	const AddressRule *rule;
	ObjectAddress address = InvalidObjectAddress;
	Oid			objid = InvalidOid;

	if ((int) type < 0 || (int) type >= lengthof(address_rules))
		return address;
	rule = &address_rules[type];
	if (overlay_in_use && planned_address(type, rule, object, relation, &address))
		return address;

	if (relation != NULL && rule->of_relation == NULL)
		ObjectAddressSet(address, RelationRelationId, fact_relid(relation));
	else if (rule->of_relation != NULL && object != NULL && IsA(object, List))
	{
		List	   *names = castNode(List, object);
		Oid			relid = fact_relid(makeRangeVarFromNameList(
																list_copy_head(names, list_length(names) - 1)));

		if (OidIsValid(relid))
			objid = fact_part(rule->classid, relid, strVal(llast(names)));
	}
	else if (object == NULL)
		return address;
	else if (rule->by_name != NULL && IsA(object, String))
		objid = rule->by_name(strVal(object), true);
	else if (rule->by_list != NULL && IsA(object, List))
		objid = rule->by_list(castNode(List, object), true);
	else if (rule->by_node != NULL)
		objid = rule->by_node(type, object);

	if (OidIsValid(objid))
		ObjectAddressSet(address, rule->classid, objid);
	return OidIsValid(address.objectId) ? address : InvalidObjectAddress;
}

static Oid
by_relation(ObjectType type, Node *object)
{
	if (!IsA(object, List))
		return InvalidOid;
	return fact_relid(makeRangeVarFromNameList(castNode(List, object)));
}

static Oid
by_function(ObjectType type, Node *object)
{
	if (!IsA(object, ObjectWithArgs))
		return InvalidOid;
	return LookupFuncWithArgs(type, castNode(ObjectWithArgs, object), true);
}

static Oid
by_operator(ObjectType type, Node *object)
{
	if (!IsA(object, ObjectWithArgs))
		return InvalidOid;
	return LookupOperWithArgs(castNode(ObjectWithArgs, object), true);
}

static Oid
by_type(ObjectType type, Node *object)
{
	if (IsA(object, List))
		object = (Node *) makeTypeNameFromNameList(castNode(List, object));
	if (!IsA(object, TypeName))
		return InvalidOid;
	return fact_type(castNode(TypeName, object));
}

/* Operator classes and families are named "access method, qualified name". */
static Oid
by_opclass(ObjectType type, Node *object)
{
	List	   *names;
	Oid			am;

	if (!IsA(object, List))
		return InvalidOid;
	names = castNode(List, object);
	am = get_index_am_oid(strVal(linitial(names)), true);
	if (!OidIsValid(am))
		return InvalidOid;
	names = list_copy_tail(names, 1);
	return type == OBJECT_OPCLASS ? get_opclass_oid(am, names, true) : get_opfamily_oid(am, names, true);
}

static Oid
by_cast(ObjectType type, Node *object)
{
	Oid			source;
	Oid			target;

	if (!IsA(object, List))
		return InvalidOid;
	source = fact_type(linitial_node(TypeName, castNode(List, object)));
	target = fact_type(lsecond_node(TypeName, castNode(List, object)));
	if (!OidIsValid(source) || !OidIsValid(target))
		return InvalidOid;
	return get_cast_oid(source, target, true);
}

static Oid
by_transform(ObjectType type, Node *object)
{
	Oid			typeid;
	Oid			language;

	if (!IsA(object, List))
		return InvalidOid;
	typeid = fact_type(linitial_node(TypeName, castNode(List, object)));
	language = get_language_oid(strVal(lsecond(castNode(List, object))), true);
	if (!OidIsValid(typeid) || !OidIsValid(language))
		return InvalidOid;
	return get_transform_oid(typeid, language, true);
}

static Oid
by_domain_constraint(ObjectType type, Node *object)
{
	Oid			domain;

	if (!IsA(object, List) || list_length(castNode(List, object)) != 2 ||
		!IsA(linitial(castNode(List, object)), TypeName))
		return InvalidOid;
	domain = fact_type(linitial_node(TypeName, castNode(List, object)));
	if (!OidIsValid(domain))
		return InvalidOid;
	return get_domain_constraint_oid(domain, strVal(lsecond(castNode(List, object))), true);
}

/*
 * The object as a planned script has it by now; false when the script says
 * nothing of it, and the catalog is to be asked.
 */
static bool
planned_address(ObjectType type, const AddressRule *rule, Node *object, RangeVar *relation,
				ObjectAddress *address)
{
	Oid			objid = InvalidOid;
	bool		known = false;

	if (relation != NULL || object == NULL || rule->of_relation != NULL || rule->by_node == by_relation)
		return false;
	if (rule->by_name != NULL && IsA(object, String))
		known = overlay_find(rule->classid, InvalidOid, strVal(object), &objid);
	else if (rule->by_list != NULL && IsA(object, List))
	{
		char	   *schema;
		char	   *name;
		ListCell   *lc;

		DeconstructQualifiedName(castNode(List, object), &schema, &name);
		foreach(lc, schema != NULL ? list_make1_oid(fact_namespace(schema)) : overlay_search_path(true))
		{
			known |= overlay_find(rule->classid, lfirst_oid(lc), name, &objid);
			if (OidIsValid(objid))
				break;
		}
	}
	else if (rule->by_node == by_function)
		known = planned_function(object, &objid);
	if (known)
		ObjectAddressSet(*address, rule->classid, objid);
	if (!OidIsValid(objid))
		*address = InvalidObjectAddress;
	return known;
}

/* A function that a planned script makes or drops; by its argument types. */
static bool
planned_function(Node *object, Oid *objid)
{
	ObjectWithArgs *function = castNode(ObjectWithArgs, object);
	Oid			types[FUNC_MAX_ARGS];
	int			count = 0;
	char	   *schema;
	char	   *name;
	ListCell   *lc;

	DeconstructQualifiedName(function->objname, &schema, &name);
	foreach(lc, function->objargs)
	{
		if (count >= FUNC_MAX_ARGS || lfirst(lc) == NULL)
			return false;
		types[count++] = fact_type(lfirst_node(TypeName, lc));
	}
	foreach(lc, schema != NULL ? list_make1_oid(fact_namespace(schema)) : overlay_search_path(true))
	{
		if (function->args_unspecified ? overlay_find(ProcedureRelationId, lfirst_oid(lc), name, objid) :
			overlay_find(ProcedureRelationId, lfirst_oid(lc), overlay_function_name(name, types, count), objid))
			return true;
	}
	return false;
}
