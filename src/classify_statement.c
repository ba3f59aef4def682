/*
 * classify_statement.c
 *	  Judges of statements that create, drop, rename and grant.
 *
 * What looks additive but changes how existing statements behave (a unique
 * index, a rule, a BEFORE trigger, a restrictive policy, a function that an
 * index uses) is restrictive.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "commands/policy.h"
#include "commands/trigger.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "parser/parse_type.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "judge.h"
#include "migmgr.h"
#include "neteffect.h"
#include "overlay.h"
#include "protect.h"

static void judge_referenced(Judgement *j, List *elements);
static bool shadows(Oid namespace, const char *name);
static int	input_types(CreateFunctionStmt *stmt, Oid *types, int *least);
static void name_commented(Judgement *j, CommentStmt *stmt);
static bool reports_existing(Judgement *j, bool if_not_exists);

/* The common findings of CREATE … of something that is already there. */
static bool
reports_existing(Judgement *j, bool if_not_exists)
{
	if (!j->found)
		return false;
	j->verdict->reason = pstrdup("it exists already");
	j->verdict->lock = NoLock;
	j->verdict->class = if_not_exists ? CLASS_NONE : CLASS_ADDITIVE;
	return true;
}

/*
 * CREATE TABLE: additive, unless it shadows a table that comes later on the
 * search path.  Tables that it references are locked, not scanned.
 */
void
judge_create_table(Judgement *j, const StatementRule *rule)
{
	CreateStmt *stmt = (CreateStmt *) j->stmt;
	ListCell   *lc;

	if (j->rel.temporary && !j->found)
		return;
	if (reports_existing(j, stmt->if_not_exists))
		return;
	foreach(lc, stmt->inhRelations)
	{
		ObjectAddress parent = InvalidObjectAddress;

		ObjectAddressSet(parent, RelationRelationId, fact_relid(lfirst_node(RangeVar, lc)));
		judge_object(j, &parent);
	}
	judge_referenced(j, stmt->tableElts);
	if (j->rel.temporary)
		return;
	if (stmt->partbound != NULL && stmt->inhRelations != NIL)
	{
		Oid			parent = fact_relid(linitial_node(RangeVar, stmt->inhRelations));

		if (OidIsValid(parent))
			j->scans = overlay_made_by(parent) != 0 ? TRI_NO :
				expression_attach_scans(parent, InvalidOid, stmt->partbound);
	}
	judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	if (shadows(j->verdict->namespace, stmt->relation->relname))
		judge_add(j, CLASS_RESTRICTIVE, "shadowing-table",
				  "statements that name it without a schema find this table instead of another");
}

/* Foreign keys of a new table lock what they reference: not what is ours. */
static void
judge_referenced(Judgement *j, List *elements)
{
	ListCell   *lc;

	foreach(lc, elements)
	{
		if (IsA(lfirst(lc), TableLikeClause))
			continue;
		if (IsA(lfirst(lc), Constraint) && lfirst_node(Constraint, lc)->contype == CONSTR_FOREIGN)
		{
			ObjectAddress address = InvalidObjectAddress;

			ObjectAddressSet(address, RelationRelationId,
							 fact_relid(lfirst_node(Constraint, lc)->pktable));
			judge_object(j, &address);
		}
		else if (IsA(lfirst(lc), ColumnDef))
			judge_referenced(j, lfirst_node(ColumnDef, lc)->constraints);
	}
}

/* Would a new relation hide one of the same name in a later schema? */
static bool
shadows(Oid namespace, const char *name)
{
	List	   *path = fact_search_path(false);
	ListCell   *lc;
	bool		passed = false;
	bool		result = false;

	foreach(lc, path)
	{
		if (lfirst_oid(lc) == namespace)
			passed = true;
		else if (passed && OidIsValid(fact_relname_relid(name, lfirst_oid(lc))))
			result = true;
	}
	list_free(path);
	return passed && result;
}

/* CREATE TABLE AS, SELECT INTO's sibling, CREATE MATERIALIZED VIEW. */
void
judge_create_as(Judgement *j, const StatementRule *rule)
{
	CreateTableAsStmt *stmt = castNode(CreateTableAsStmt, j->stmt);
	RangeVar   *into = stmt->into->rel;

	if (into->relpersistence == RELPERSISTENCE_TEMP)
		return;
	j->verdict->namespace = fact_creation_namespace(into->schemaname);
	if (OidIsValid(j->verdict->namespace))
		j->found = fact_relation(fact_relname_relid(into->relname, j->verdict->namespace), &j->rel);
	j->own |= protect_owns_schema(j->verdict->namespace);
	j->verdict->object = quote_qualified_identifier(OidIsValid(j->verdict->namespace) ?
													fact_namespace_name(j->verdict->namespace) : into->schemaname,
													into->relname);
	if (OidIsValid(j->verdict->namespace) && isAnyTempNamespace(j->verdict->namespace))
		return;
	if (reports_existing(j, stmt->if_not_exists))
		return;
	j->scans = stmt->into->skipData ? TRI_NO : judge_reads(stmt->query);
	judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	if (shadows(j->verdict->namespace, into->relname))
		judge_add(j, CLASS_RESTRICTIVE, "shadowing-table",
				  "statements that name it without a schema find this table instead of another");
}

void
judge_create_sequence(Judgement *j, const StatementRule *rule)
{
	CreateSeqStmt *stmt = castNode(CreateSeqStmt, j->stmt);

	if (j->rel.temporary || reports_existing(j, stmt->if_not_exists))
		return;
	judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
}

/* Does a List of DefElem switch on an option? */
static bool
has_option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, name) == 0)
			return defGetBoolean(option);
	}
	return false;
}

/* CREATE [OR REPLACE] VIEW; replacing resets options that are not repeated. */
void
judge_create_view(Judgement *j, const StatementRule *rule)
{
	ViewStmt   *stmt = castNode(ViewStmt, j->stmt);
	HeapTuple	tuple;
	bool		isnull;
	Datum		options;
	bool		weaker = false;

	if (j->rel.temporary)
		return;
	if (!j->found || !stmt->replace)
	{
		if (!reports_existing(j, false))
			judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
		return;
	}
	judge_add(j, CLASS_REPLACING, "replace-view", "the view is replaced");

	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(j->rel.relid));
	if (!HeapTupleIsValid(tuple))
		return;
	options = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_reloptions, &isnull);
	if (!isnull)
	{
		List	   *old = untransformRelOptions(options);

		weaker = (has_option(old, "security_barrier") && !has_option(stmt->options, "security_barrier")) ||
			(has_option(old, "security_invoker") && !has_option(stmt->options, "security_invoker"));
	}
	ReleaseSysCache(tuple);
	if (weaker)
		judge_add(j, CLASS_SECURITY, "replace-view-options",
				  "the view loses security_barrier or security_invoker, which it has now");
}

/*
 * Types of the input arguments of a function that is created; returns their
 * number (*least: without those that have a default), or -1 where a type does
 * not exist yet.
 */
static int
input_types(CreateFunctionStmt *stmt, Oid *types, int *least)
{
	int			count = 0;
	ListCell   *lc;

	*least = 0;
	foreach(lc, stmt->parameters)
	{
		FunctionParameter *parameter = lfirst_node(FunctionParameter, lc);

		if (parameter->mode == FUNC_PARAM_OUT || parameter->mode == FUNC_PARAM_TABLE)
			continue;
		if (count >= FUNC_MAX_ARGS)
			return -1;
		types[count] = fact_type(parameter->argType);
		if (!OidIsValid(types[count++]))
			return -1;
		if (parameter->defexpr == NULL)
			*least = count;
	}
	return count;
}

/*
 * Does another function of the name take the same leading arguments, so that
 * a call that leaves out defaults fits both?
 */
static bool
makes_ambiguous(const char *name, Oid namespace, const Oid *types, int most, int least)
{
	CatCList   *candidates = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	bool		result = false;

	for (int i = 0; i < candidates->n_members; i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&candidates->members[i]->tuple);
		int			common = Min(most, form->pronargs);

		if (form->pronamespace == namespace &&
			(least < most || form->pronargdefaults > 0) &&
			least <= form->pronargs && form->pronargs - form->pronargdefaults <= most &&
			memcmp(form->proargtypes.values, types, common * sizeof(Oid)) == 0)
			result = true;
	}
	ReleaseCatCacheList(candidates);
	return result;
}

/* Is a function SECURITY DEFINER? */
static bool
runs_as_owner(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		result = false;

	if (HeapTupleIsValid(tuple))
	{
		result = ((Form_pg_proc) GETSTRUCT(tuple))->prosecdef;
		ReleaseSysCache(tuple);
	}
	return result;
}

/* CREATE [OR REPLACE] FUNCTION or PROCEDURE. */
void
judge_create_function(Judgement *j, const StatementRule *rule)
{
	CreateFunctionStmt *stmt = castNode(CreateFunctionStmt, j->stmt);
	Oid			namespace = j->verdict->namespace;
	const char *name = strVal(llast(stmt->funcname));
	Oid			types[FUNC_MAX_ARGS];
	int			least;
	int			count = OidIsValid(namespace) ? input_types(stmt, types, &least) : -1;
	Oid			old = InvalidOid;

	if (count >= 0)
		old = fact_function(namespace, name, types, count);
	if (!OidIsValid(old))
	{
		judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
		if (count >= 0 && makes_ambiguous(name, namespace, types, count, least))
			judge_add(j, CLASS_RESTRICTIVE, "ambiguous-overload",
					  "calls that leave out defaults may no longer know which function is meant");
		return;
	}
	if (fresh_is_new(ProcedureRelationId, old, 0))
	{
		judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
		return;
	}
	judge_add(j, CLASS_REPLACING, "replace-function", "the function is replaced");
	if (fact_used_by_index(old))
		judge_add(j, CLASS_RESTRICTIVE, "replace-index-function",
				  "an index, a constraint or a default uses the function, and what is stored does not change with it");
	if (has_option(stmt->options, "security") && !runs_as_owner(old))
		judge_add(j, CLASS_SECURITY, "security-definer", "the function will run with its owner's rights");
}

/* ALTER FUNCTION ... STRICT, SECURITY, SET, COST, ... */
void
judge_alter_function(Judgement *j, const StatementRule *rule)
{
	AlterFunctionStmt *stmt = castNode(AlterFunctionStmt, j->stmt);
	ObjectAddress address = fact_address(stmt->objtype, (Node *) stmt->func, NULL);

	j->verdict->object = fact_names(stmt->func->objname, &j->verdict->namespace);
	judge_object(j, &address);
	if (!OidIsValid(address.objectId) || fresh_is_new(ProcedureRelationId, address.objectId, 0))
		judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	else if (has_option(stmt->actions, "security"))
		judge_add(j, CLASS_SECURITY, "security-definer", "the function will run with its owner's rights");
	else if (fact_used_by_index(address.objectId))
		judge_add(j, CLASS_RESTRICTIVE, rule->rule,
				  "an index, a constraint or a default uses the function, and what is stored does not change with it");
	else
		judge_add(j, CLASS_REPLACING, rule->rule, "the function is changed");
}

/* Says what is made on which relation. */
static void
name_part(Judgement *j, const char *word, const char *name)
{
	j->deed = psprintf("create %s %s on %s", word, quote_identifier(name), judge_name(j));
}

/* Has an earlier statement dropped an object of this name from the relation? */
static bool
was_dropped(Oid classid, Oid relid, const char *name)
{
	return neteffect_dropped(classid, relid, name) || overlay_dropped(classid, relid, name);
}

/* CREATE TRIGGER: one that can veto or change a row is restrictive. */
void
judge_create_trigger(Judgement *j, const StatementRule *rule)
{
	CreateTrigStmt *stmt = castNode(CreateTrigStmt, j->stmt);

	name_part(j, "trigger", stmt->trigname);
	if (stmt->constrrel != NULL)
	{
		ObjectAddress address = InvalidObjectAddress;

		ObjectAddressSet(address, RelationRelationId, fact_relid(stmt->constrrel));
		judge_object(j, &address);
	}
	if (j->found && (OidIsValid(fact_part(TriggerRelationId, j->rel.relid, stmt->trigname)) ||
					 was_dropped(TriggerRelationId, j->rel.relid, stmt->trigname)))
		judge_add(j, CLASS_REPLACING, "replace-trigger", "the trigger is replaced");
	else if (stmt->isconstraint || (stmt->timing & (TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSTEAD)) != 0)
		judge_add(j, CLASS_RESTRICTIVE, rule->rule, "the trigger can change or refuse rows");
	else
		judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
}

/* CREATE POLICY: permissive ones show more, restrictive ones hide. */
void
judge_create_policy(Judgement *j, const StatementRule *rule)
{
	CreatePolicyStmt *stmt = castNode(CreatePolicyStmt, j->stmt);

	name_part(j, "policy", stmt->policy_name);
	if (j->found && (OidIsValid(fact_part(PolicyRelationId, j->rel.relid, stmt->policy_name)) ||
					 was_dropped(PolicyRelationId, j->rel.relid, stmt->policy_name)))
		judge_add(j, CLASS_REPLACING, "replace-policy", "the policy is replaced");
	else if (!stmt->permissive)
		judge_add(j, CLASS_RESTRICTIVE, "restrictive-policy", "the policy hides rows that are seen now");
	else
		judge_add(j, CLASS_RELAXING, rule->rule, "the policy lets roles see or change more rows");
}

void
judge_create_rule(Judgement *j, const StatementRule *rule)
{
	name_part(j, "rule", castNode(RuleStmt, j->stmt)->rulename);
	judge_add(j, CLASS_RESTRICTIVE, rule->rule, "statements on the relation do something else, or nothing");
}

/* CREATE [UNIQUE] INDEX [CONCURRENTLY]. */
void
judge_create_index(Judgement *j, const StatementRule *rule)
{
	IndexStmt  *stmt = castNode(IndexStmt, j->stmt);
	char	   *table = judge_name(j);
	Finding		blocks = {
		.class = CLASS_BLOCKING,.rule = rule->rule,.scans = TRI_YES,
		.reason = "writers wait until the index is built",
		.hint = "Use CREATE INDEX CONCURRENTLY, which cannot run inside a transaction.",
	};
	Finding		unique = {
		.class = CLASS_RESTRICTIVE,.rule = "create-unique-index",.scans = TRI_YES,
		.reason = "rows that are accepted now will be refused as duplicates",
	};

	if (j->rel.temporary)
		return;
	if (stmt->idxname != NULL && j->found)
	{
		Oid			index = fact_relname_relid(stmt->idxname, j->rel.namespace);

		j->verdict->object = quote_qualified_identifier(fact_namespace_name(j->rel.namespace), stmt->idxname);
		if (OidIsValid(index) && stmt->if_not_exists)
		{
			j->verdict->reason = "it exists already";
			return;
		}
	}
	blocks.deed = psprintf("create index %s on table %s", stmt->idxname ? stmt->idxname : "", table);
	if (stmt->idxname == NULL)
		blocks.deed = psprintf("create an index on table %s", table);
	unique.deed = blocks.deed;

	j->verdict->concurrent = stmt->concurrent;
	if (stmt->concurrent)
		j->verdict->lock = ShareUpdateExclusiveLock;
	judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	if (j->found && j->rel.relkind == RELKIND_PARTITIONED_TABLE && !stmt->relation->inh)
	{
		j->verdict->reason = "without its partitions there is nothing to read";
		return;
	}
	if (stmt->unique)
		judge_find(j, j->found ? &j->rel : NULL, &unique);
	if (!stmt->concurrent && j->found)
		judge_find(j, &j->rel, &blocks);
}

void
judge_create_schema(Judgement *j, const StatementRule *rule)
{
	CreateSchemaStmt *stmt = castNode(CreateSchemaStmt, j->stmt);

	if (stmt->schemaname != NULL && OidIsValid(fact_namespace(stmt->schemaname)))
	{
		j->found = true;
		reports_existing(j, stmt->if_not_exists);
		return;
	}
	judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
}

void
judge_create_extension(Judgement *j, const StatementRule *rule)
{
	CreateExtensionStmt *stmt = castNode(CreateExtensionStmt, j->stmt);

	j->found = OidIsValid(fact_address(OBJECT_EXTENSION, (Node *) makeString(stmt->extname), NULL).objectId);
	if (!reports_existing(j, stmt->if_not_exists))
		judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	j->found = false;
}

/* ALTER EXTENSION ... UPDATE; of migmgr itself a superuser may. */
void
judge_alter_extension(Judgement *j, const StatementRule *rule)
{
	AlterExtensionStmt *stmt = castNode(AlterExtensionStmt, j->stmt);

	j->own = strcmp(stmt->extname, MIGMGR_EXTENSION) == 0;
	j->passes_own = superuser();
	judge_add(j, rule->class, rule->rule, "the extension's update script may do anything to its own objects");
}

void
judge_alter_extension_contents(Judgement *j, const StatementRule *rule)
{
	AlterExtensionContentsStmt *stmt = castNode(AlterExtensionContentsStmt, j->stmt);
	ObjectAddress address = fact_address(stmt->objtype, stmt->object, NULL);

	j->own = strcmp(stmt->extname, MIGMGR_EXTENSION) == 0;
	judge_object(j, &address);
	judge_add(j, rule->class, rule->rule, rule->reason);
}

/* Is there nothing that tells a published table's rows apart? */
static bool
lacks_identity(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	char		identity;

	if (!HeapTupleIsValid(tuple))
		return false;
	identity = ((Form_pg_class) GETSTRUCT(tuple))->relreplident;
	ReleaseSysCache(tuple);
	if (identity == REPLICA_IDENTITY_NOTHING)
		return true;
	return identity == REPLICA_IDENTITY_DEFAULT && !OidIsValid(fact_primary_key(relid));
}

/* Reports tables that a publication makes refuse UPDATE and DELETE. */
static void
judge_published(Judgement *j, List *objects, bool all_tables, const char *rule)
{
	ListCell   *lc;

	if (all_tables)
		judge_add(j, CLASS_RESTRICTIVE, "publish-all-tables",
				  "tables without replica identity, now and later, refuse UPDATE and DELETE");
	foreach(lc, objects)
	{
		PublicationObjSpec *object = lfirst_node(PublicationObjSpec, lc);
		RelFacts	rel;

		if (object->pubobjtype != PUBLICATIONOBJ_TABLE)
		{
			judge_add(j, CLASS_RESTRICTIVE, "publish-schema",
					  "tables without replica identity, now and later, refuse UPDATE and DELETE");
			continue;
		}
		if (fact_relation(fact_relid(object->pubtable->relation), &rel) && lacks_identity(rel.relid))
		{
			Finding		finding = {
				.class = CLASS_RESTRICTIVE,.rule = "publish-without-identity",
				.reason = psprintf("table %s has no replica identity, so UPDATE and DELETE will fail", rel.name),
				.hint = "Give it a primary key first.",
			};

			judge_find(j, &rel, &finding);
		}
	}
}

void
judge_create_publication(Judgement *j, const StatementRule *rule)
{
	CreatePublicationStmt *stmt = castNode(CreatePublicationStmt, j->stmt);

	judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	judge_published(j, stmt->pubobjects, stmt->for_all_tables, rule->rule);
}

void
judge_alter_publication(Judgement *j, const StatementRule *rule)
{
	AlterPublicationStmt *stmt = castNode(AlterPublicationStmt, j->stmt);

	judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	if (stmt->options != NIL)
		judge_add(j, CLASS_RESTRICTIVE, "alter-publication-options", "subscribers receive other changes");
	else if (stmt->action == AP_AddObjects)
		judge_published(j, stmt->pubobjects, false, rule->rule);
	else
		judge_add(j, CLASS_DESTRUCTIVE, "unpublish", "subscribers silently stop receiving changes");
}

/* CREATE ROLE: harmless unless it stands above the rules. */
void
judge_create_role(Judgement *j, const StatementRule *rule)
{
	CreateRoleStmt *stmt = castNode(CreateRoleStmt, j->stmt);

	judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	if (has_option(stmt->options, "superuser") || has_option(stmt->options, "createrole") ||
		has_option(stmt->options, "bypassrls") || has_option(stmt->options, "isreplication"))
		judge_add(j, CLASS_SECURITY, "create-powerful-role", "the role stands above privileges or row security");
}

/* ALTER SEQUENCE: numbers may come twice, or run out. */
void
judge_alter_sequence(Judgement *j, const StatementRule *rule)
{
	AlterSeqStmt *stmt = castNode(AlterSeqStmt, j->stmt);
	ListCell   *lc;

	if (!j->found)
	{
		judge_add(j, stmt->missing_ok ? CLASS_NONE : CLASS_ADDITIVE, rule->rule, "it does not exist");
		return;
	}
	judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	foreach(lc, stmt->options)
	{
		if (strcmp(lfirst_node(DefElem, lc)->defname, "owned_by") != 0 &&
			strcmp(lfirst_node(DefElem, lc)->defname, "cache") != 0)
		{
			Finding		finding = {
				.class = CLASS_RESTRICTIVE,.rule = "alter-sequence-numbers",
				.reason = "numbers may come twice or run out",
			};

			/* a sequence is never empty: only being new or temporary counts */
			if (j->rel.is_new || j->rel.temporary)
				finding.class = CLASS_ADDITIVE;
			judge_find(j, NULL, &finding);
		}
	}
}

/* ALTER DOMAIN: what it forbids is checked in every table that uses it. */
void
judge_alter_domain(Judgement *j, const StatementRule *rule)
{
	AlterDomainStmt *stmt = castNode(AlterDomainStmt, j->stmt);
	Oid			domain = fact_type(makeTypeNameFromNameList(stmt->typeName));
	bool		checks = stmt->subtype == 'O' || stmt->subtype == 'V' ||
		(stmt->subtype == 'C' && !castNode(Constraint, stmt->def)->skip_validation);
	ListCell   *lc;

	judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	if (!OidIsValid(domain) || fresh_is_new(TypeRelationId, domain, 0))
		return;
	if (stmt->subtype == 'N' || stmt->subtype == 'X')
		judge_add(j, CLASS_RELAXING, "relax-domain", "values that were refused are accepted");
	if (stmt->subtype == 'T')
		judge_add(j, CLASS_REPLACING, "domain-default", "the default of the domain is changed");
	if (stmt->subtype != 'O' && stmt->subtype != 'C' && stmt->subtype != 'V')
		return;
	foreach(lc, fact_type_users(domain))
	{
		RelFacts	rel;
		Finding		restricts = {
			.class = CLASS_RESTRICTIVE,.rule = "restrict-domain",
			.reason = "values that are accepted now will be refused",
		};
		Finding		blocks = {
			.class = CLASS_BLOCKING,.rule = "check-domain",.scans = TRI_YES,
		};

		if (!fact_relation(lfirst_oid(lc), &rel))
			continue;
		blocks.reason = psprintf("writers of table %s wait while it is scanned", rel.name);
		if (stmt->subtype != 'V')
			judge_find(j, &rel, &restricts);
		if (checks)
			judge_find(j, &rel, &blocks);
	}
}

void
judge_alter_enum(Judgement *j, const StatementRule *rule)
{
	AlterEnumStmt *stmt = castNode(AlterEnumStmt, j->stmt);
	Oid			type = fact_type(makeTypeNameFromNameList(stmt->typeName));

	if (!OidIsValid(type) || fresh_is_new(TypeRelationId, type, 0))
		judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	else if (stmt->oldVal != NULL)
		judge_add(j, CLASS_DESTRUCTIVE, "rename-enum-value", "code that uses the old label breaks");
	else
		judge_add(j, CLASS_RELAXING, "add-enum-value", "readers may find a label they do not know");
}

/* One object of a DROP: what is lost, and whether it may come back. */
static void
judge_dropped(Judgement *j, DropStmt *stmt, Node *object)
{
	const ObjectRule *kind = rule_of_object(stmt->removeType);
	ObjectAddress address = fact_address(stmt->removeType, object, NULL);
	Finding		finding = {.class = CLASS_DESTRUCTIVE,.rule = "drop",.drops = true};
	RelFacts	rel;
	bool		is_relation = address.classId == RelationRelationId && fact_relation(address.objectId, &rel);

	if (!OidIsValid(address.objectId))
		return;
	judge_object(j, &address);
	if (kind != NULL)
	{
		finding.class = kind->drop_class;
		finding.rule = kind->drop_rule;
		finding.definition = kind->definition;
	}
	if (is_relation)
	{
		j->verdict->relid = rel.relid;
		j->verdict->namespace = rel.namespace;
	}
	else if (get_object_attnum_namespace(address.classId) != InvalidAttrNumber)
		j->verdict->namespace = get_object_namespace(&address);
	j->verdict->object = is_relation ? rel.name : fact_identity(&address);
	finding.deed = psprintf("drop %s %s", kind != NULL ? kind->word : "object", j->verdict->object);
	finding.reason = finding.definition ? "what uses it breaks" : "what it holds is lost";
	if (stmt->concurrent)
		j->verdict->lock = ShareUpdateExclusiveLock;
	if (!is_relation && fresh_is_new(address.classId, address.objectId, address.objectSubId))
	{
		finding.class = CLASS_ADDITIVE;
		finding.reason = "it is new in this transaction";
		finding.definition = false;
	}
	judge_find(j, is_relation ? &rel : NULL, &finding);
}

/* DROP of any kind; objects that do not exist do not count. */
void
judge_drop(Judgement *j, const StatementRule *rule)
{
	DropStmt   *stmt = castNode(DropStmt, j->stmt);
	const ObjectRule *kind = rule_of_object(stmt->removeType);
	ListCell   *lc;

	if (kind != NULL)
		j->verdict->rule = kind->drop_rule;
	j->verdict->concurrent = stmt->concurrent;
	foreach(lc, stmt->objects)
		judge_dropped(j, stmt, lfirst(lc));
	if (j->verdict->reason == NULL)
	{
		j->verdict->reason = "there is nothing to drop";
		j->verdict->lock = NoLock;
	}
	else if (stmt->removeType == OBJECT_STATISTIC_EXT)
		j->verdict->lock = ShareUpdateExclusiveLock;
}

/* RENAME of anything. */
void
judge_rename(Judgement *j, const StatementRule *rule)
{
	RenameStmt *stmt = castNode(RenameStmt, j->stmt);
	bool		part = stmt->renameType == OBJECT_COLUMN || stmt->renameType == OBJECT_ATTRIBUTE ||
		stmt->renameType == OBJECT_TRIGGER || stmt->renameType == OBJECT_RULE ||
		stmt->renameType == OBJECT_POLICY || stmt->renameType == OBJECT_TABCONSTRAINT;
	const ObjectRule *kind = rule_of_object(stmt->renameType);
	ObjectAddress address = fact_address(part ? OBJECT_TABLE : stmt->renameType, stmt->object, stmt->relation);
	Finding		finding = {
		.class = kind != NULL ? kind->rename_class : CLASS_DESTRUCTIVE,
		.rule = kind != NULL ? kind->rename_rule : "rename",
		.reason = "code that uses the old name breaks",
		.hint = "Add the new name beside the old one (a view, a column), move the code, then drop the old one.",
	};

	/* a schema is named where the parts of other objects are */
	if (stmt->renameType == OBJECT_SCHEMA)
		address = fact_address(OBJECT_SCHEMA, (Node *) makeString(stmt->subname), NULL);
	j->found = address.classId == RelationRelationId && fact_relation(address.objectId, &j->rel);
	judge_object(j, &address);
	if (!OidIsValid(address.objectId) && (part || stmt->relation != NULL))
	{
		judge_add(j, stmt->missing_ok ? CLASS_NONE : CLASS_ADDITIVE, finding.rule, "it does not exist");
		return;
	}
	if (j->found)
	{
		j->verdict->relid = j->rel.relid;
		j->verdict->namespace = j->rel.namespace;
		j->verdict->object = j->rel.name;
		/* ALTER TABLE may name an index */
		if (!part && (j->rel.relkind == RELKIND_INDEX || j->rel.relkind == RELKIND_PARTITIONED_INDEX))
		{
			if (stmt->renameType == OBJECT_INDEX)
				j->verdict->lock = ShareUpdateExclusiveLock;
			finding.class = CLASS_ADDITIVE;
			finding.rule = "rename-index";
		}
		if (stmt->renameType == OBJECT_COLUMN && fact_column_new(j->rel.relid, stmt->subname))
			finding.class = CLASS_ADDITIVE;
	}
	else if (OidIsValid(address.objectId))
	{
		j->verdict->object = fact_identity(&address);
		if (fresh_is_new(address.classId, address.objectId, 0))
			finding.class = CLASS_ADDITIVE;
	}
	if (part && stmt->subname != NULL)
	{
		finding.column = stmt->renameType == OBJECT_COLUMN ? stmt->subname : NULL;
		finding.deed = psprintf("rename %s %s of %s", kind != NULL ? kind->word : "part",
								stmt->subname, judge_name(j));
	}
	else
		finding.deed = psprintf("rename %s %s", kind != NULL ? kind->word : "object", judge_name(j));
	judge_find(j, j->found ? &j->rel : NULL, &finding);
}

/* SET SCHEMA: a rename, as far as callers are concerned. */
void
judge_set_schema(Judgement *j, const StatementRule *rule)
{
	AlterObjectSchemaStmt *stmt = castNode(AlterObjectSchemaStmt, j->stmt);
	ObjectAddress address = fact_address(stmt->objectType, stmt->object, stmt->relation);
	const ObjectRule *kind = rule_of_object(stmt->objectType);
	Finding		finding = {
		.class = CLASS_DESTRUCTIVE,.rule = rule->rule,
		.reason = "code that uses the old name breaks",
	};

	j->found = address.classId == RelationRelationId && fact_relation(address.objectId, &j->rel);
	judge_object(j, &address);
	if (protect_owns_schema(fact_namespace(stmt->newschema)))
		j->own = true;
	if (!OidIsValid(address.objectId))
		finding.class = stmt->missing_ok ? CLASS_NONE : CLASS_ADDITIVE;
	else
	{
		j->verdict->object = j->found ? j->rel.name : fact_identity(&address);
		if (j->found)
		{
			j->verdict->relid = j->rel.relid;
			j->verdict->namespace = j->rel.namespace;
		}
		else if (fresh_is_new(address.classId, address.objectId, 0))
			finding.class = CLASS_ADDITIVE;
	}
	finding.deed = psprintf("move %s %s to schema %s", kind != NULL ? kind->word : "object",
							judge_name(j), stmt->newschema);
	judge_find(j, j->found ? &j->rel : NULL, &finding);
}

/* OWNER TO: nothing when it is the owner already. */
void
judge_owner(Judgement *j, const StatementRule *rule)
{
	AlterOwnerStmt *stmt = castNode(AlterOwnerStmt, j->stmt);
	ObjectAddress address = fact_address(stmt->objectType, stmt->object, stmt->relation);
	Finding		finding = {
		.class = CLASS_SECURITY,.rule = rule->rule,.reason = "another role gets all rights to it",
	};

	judge_object(j, &address);
	if (OidIsValid(address.objectId))
	{
		j->verdict->object = fact_identity(&address);
		if (fact_owner(&address) == get_rolespec_oid(stmt->newowner, true))
		{
			j->passes_own = true;
			finding.class = CLASS_ADDITIVE;
			finding.reason = "it has this owner already";
		}
		else if (fresh_is_new(address.classId, address.objectId, 0))
			finding.class = CLASS_ADDITIVE;
	}
	judge_find(j, NULL, &finding);
}

/* COMMENT, SECURITY LABEL: allowed on migmgr's own objects (a restore does). */
void
judge_comment(Judgement *j, const StatementRule *rule)
{
	if (IsA(j->stmt, AlterEventTrigStmt))
	{
		ObjectAddress address = fact_address(OBJECT_EVENT_TRIGGER,
											 (Node *) makeString(castNode(AlterEventTrigStmt, j->stmt)->trigname), NULL);

		judge_object(j, &address);
	}
	else
		j->passes_own = true;
	if (IsA(j->stmt, CommentStmt))
		name_commented(j, castNode(CommentStmt, j->stmt));
	judge_add(j, rule->class, rule->rule, rule->reason);
}

/* A comment on a relation or a column locks the relation a little. */
static void
name_commented(Judgement *j, CommentStmt *stmt)
{
	List	   *names = IsA(stmt->object, List) ? castNode(List, stmt->object) : NIL;
	ObjectAddress address;
	RelFacts	rel;

	if (stmt->objtype == OBJECT_COLUMN && list_length(names) > 1)
		address = fact_address(OBJECT_TABLE, (Node *) list_copy_head(names, list_length(names) - 1), NULL);
	else
		address = fact_address(stmt->objtype, stmt->object, NULL);
	if (address.classId != RelationRelationId || !fact_relation(address.objectId, &rel))
		return;
	j->verdict->relid = rel.relid;
	j->verdict->namespace = rel.namespace;
	j->verdict->object = rel.name;
	j->verdict->lock = ShareUpdateExclusiveLock;
}
