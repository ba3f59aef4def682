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
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "commands/policy.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "judge.h"
#include "migmgr.h"
#include "neteffect.h"
#include "overlay.h"
#include "protect.h"
#include "recipe.h"

static void judge_partition_of(Judgement *j, CreateStmt *stmt, const StatementRule *rule);
static void judge_referenced(Judgement *j, List *elements);
static bool shadows(Oid namespace, const char *name);
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
	if (stmt->partbound != NULL && stmt->inhRelations != NIL)
		judge_partition_of(j, stmt, rule);
	else
		judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	if (shadows(j->verdict->namespace, stmt->relation->relname))
		judge_add(j, CLASS_RESTRICTIVE, "shadowing-table",
				  "statements that name it without a schema find this table instead of another");
}

/* A new partition locks its parent and what reads it. */
static void
judge_partition_of(Judgement *j, CreateStmt *stmt, const StatementRule *rule)
{
	RelFacts	parent;
	Finding		finding = {.class = CLASS_ADDITIVE,.rule = rule->rule};

	if (fact_relation(fact_relid(linitial_node(RangeVar, stmt->inhRelations)), &parent) && !parent.is_new)
		finding.hint = psprintf("To lock %s less: CREATE TABLE %s (LIKE %s INCLUDING ALL); then ALTER TABLE %s ATTACH PARTITION it.",
								parent.name, quote_identifier(stmt->relation->relname), parent.name, parent.name);
	judge_find(j, NULL, &finding);
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
bool
judge_option(List *options, const char *name)
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
	j->deed = psprintf("replace view %s", judge_name(j));
	judge_add(j, CLASS_REPLACING, "replace-view", "the view is replaced");

	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(j->rel.relid));
	if (!HeapTupleIsValid(tuple))
		return;
	options = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_reloptions, &isnull);
	if (!isnull)
	{
		List	   *old = untransformRelOptions(options);

		weaker = (judge_option(old, "security_barrier") && !judge_option(stmt->options, "security_barrier")) ||
			(judge_option(old, "security_invoker") && !judge_option(stmt->options, "security_invoker"));
	}
	ReleaseSysCache(tuple);
	if (weaker)
		judge_add(j, CLASS_SECURITY, "replace-view-options",
				  "the view loses security_barrier or security_invoker, which it has now");
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
		.hint = j->found ? recipe_index(&j->rel, stmt) : NULL,
	};
	Finding		unique = {
		.class = CLASS_RESTRICTIVE,.rule = "create-unique-index",.scans = TRI_YES,
		.reason = "rows that are accepted now will be refused as duplicates",
		.hint = "Look for duplicates first, and tell writers.",
	};

	if (j->rel.temporary)
		return;
	j->verdict->concurrent = stmt->concurrent;
	if (stmt->concurrent)
		j->verdict->lock = ShareUpdateExclusiveLock;
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

	if (stmt->concurrent && j->found)
		j->scans = TRI_YES;
	judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	if (j->found && j->rel.relkind == RELKIND_PARTITIONED_TABLE && !stmt->relation->inh)
	{
		j->verdict->reason = "without its partitions there is nothing to read";
		return;
	}
	if (j->found && fact_parts_have_index(j->rel.relid, stmt))
	{
		j->verdict->reason = "its partitions have such an index already";
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
	if (judge_option(stmt->options, "superuser") || judge_option(stmt->options, "createrole") ||
		judge_option(stmt->options, "bypassrls") || judge_option(stmt->options, "isreplication"))
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
			.hint = "NOT VALID does not help, since VALIDATE locks the same tables: put a CHECK on each table instead, NOT VALID,"
			" then VALIDATE CONSTRAINT in a migration of its own.",
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
	{
		Finding		finding = {
			.class = CLASS_DESTRUCTIVE,.rule = "rename-enum-value",
			.reason = "code that uses the old label breaks",
			.hint = psprintf("ALTER TYPE %s ADD VALUE %s; then move rows and code, and leave the old label.",
							 judge_name(j), quote_literal_cstr(stmt->newVal)),
		};

		finding.deed = psprintf("rename value %s of type %s", stmt->oldVal, judge_name(j));
		judge_find(j, NULL, &finding);
	}
	else
		judge_add(j, CLASS_RELAXING, "add-enum-value", "readers may find a label they do not know");
}
