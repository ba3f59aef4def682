/*
 * image_see.c
 *	  What a utility statement is about to touch, besides what it drops.
 *
 * Names are resolved as the statement will resolve them, and relations locked
 * as it will lock them, after the check it will make of whether the user may:
 * an image never waits for, nor holds, a lock that the script does not need.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "commands/tablecmds.h"
#include "commands/trigger.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "rewrite/rewriteSupport.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "facts.h"
#include "image.h"

typedef void (*image_fn) (Node *stmt);

static void want_address(ObjectAddress address);
static Oid	lock_relation(RangeVar *relation, LOCKMODE mode, bool owner);
static void want_relation(RangeVar *relation, LOCKMODE mode, bool owner);
static void want_below(Oid relid, LOCKMODE mode);
static void want_functions(List *names);
static bool recurses(AlterTableType type);
static bool needs_nothing(AlterTableType type);
static bool adds(const AlterTableCmd *cmd);
static bool drops_made(Oid relid, const AlterTableCmd *cmd);
static void add_to(Oid relid, LOCKMODE mode);
static void see_named(ObjectType type, Node *object, Node *stmt);
static void see_alter_table(Node *stmt);
static void see_rename(Node *stmt);
static void see_schema(Node *stmt);
static void see_owner(Node *stmt);
static void see_depends(Node *stmt);
static void see_comment(Node *stmt);
static void see_label(Node *stmt);
static void see_grant(Node *stmt);
static void see_default_privileges(Node *stmt);
static void see_create_function(Node *stmt);
static void see_alter_function(Node *stmt);
static void see_view(Node *stmt);
static void see_index(Node *stmt);
static void see_trigger(Node *stmt);
static void see_rule(Node *stmt);
static void see_policy(Node *stmt);
static void see_statistics(Node *stmt);
static void see_alter_statistics(Node *stmt);
static void see_enum(Node *stmt);
static void see_domain(Node *stmt);
static void see_type(Node *stmt);
static void see_sequence(Node *stmt);
static void see_operator(Node *stmt);
static void see_family(Node *stmt);
static void see_drop(Node *stmt);
static void see_ts_config(Node *stmt);
static void see_ts_dictionary(Node *stmt);
static void see_event_trigger(Node *stmt);
static void see_publication(Node *stmt);
static void see_server(Node *stmt);
static void see_wrapper(Node *stmt);
static void see_user_mapping(Node *stmt);
static void see_define(Node *stmt);
static void see_extension(Node *stmt);
static void see_owned(Node *stmt);
static void see_move(Node *stmt);
static void see_cluster(Node *stmt);
static void see_shared(Node *stmt);

/* what a statement is about to touch, besides what it drops */
static const image_fn seers[] = {
	[T_AlterTableStmt] = see_alter_table,
	[T_RenameStmt] = see_rename,
	[T_AlterObjectSchemaStmt] = see_schema,
	[T_AlterOwnerStmt] = see_owner,
	[T_AlterObjectDependsStmt] = see_depends,
	[T_CommentStmt] = see_comment,
	[T_SecLabelStmt] = see_label,
	[T_GrantStmt] = see_grant,
	[T_AlterDefaultPrivilegesStmt] = see_default_privileges,
	[T_CreateFunctionStmt] = see_create_function,
	[T_AlterFunctionStmt] = see_alter_function,
	[T_ViewStmt] = see_view,
	[T_IndexStmt] = see_index,
	[T_CreateTrigStmt] = see_trigger,
	[T_RuleStmt] = see_rule,
	[T_CreatePolicyStmt] = see_policy,
	[T_AlterPolicyStmt] = see_policy,
	[T_CreateStatsStmt] = see_statistics,
	[T_AlterStatsStmt] = see_alter_statistics,
	[T_AlterEnumStmt] = see_enum,
	[T_AlterDomainStmt] = see_domain,
	[T_AlterTypeStmt] = see_type,
	[T_AlterSeqStmt] = see_sequence,
	[T_AlterOperatorStmt] = see_operator,
	[T_AlterOpFamilyStmt] = see_family,
	[T_DropStmt] = see_drop,
	[T_AlterTSConfigurationStmt] = see_ts_config,
	[T_AlterTSDictionaryStmt] = see_ts_dictionary,
	[T_AlterEventTrigStmt] = see_event_trigger,
	[T_AlterPublicationStmt] = see_publication,
	[T_AlterForeignServerStmt] = see_server,
	[T_AlterFdwStmt] = see_wrapper,
	[T_AlterUserMappingStmt] = see_user_mapping,
	[T_DefineStmt] = see_define,
	[T_AlterExtensionStmt] = see_extension,
	[T_AlterExtensionContentsStmt] = see_extension,
	[T_DropOwnedStmt] = see_owned,
	[T_ReassignOwnedStmt] = see_owned,
	[T_AlterTableMoveAllStmt] = see_move,
	[T_ClusterStmt] = see_cluster,
	[T_CreateRoleStmt] = see_shared,
	[T_AlterRoleStmt] = see_shared,
	[T_AlterRoleSetStmt] = see_shared,
	[T_DropRoleStmt] = see_shared,
	[T_GrantRoleStmt] = see_shared,
	[T_AlterDatabaseStmt] = see_shared,
	[T_AlterDatabaseSetStmt] = see_shared,
	[T_AlterTableSpaceOptionsStmt] = see_shared,
};

/* See image.h. */
void
image_see(Node *parsetree)
{
	NodeTag		tag = nodeTag(parsetree);

	if ((int) tag < lengthof(seers) && seers[tag] != NULL)
		seers[tag] (parsetree);
}

static void
want_address(ObjectAddress address)
{
	image_want(address.classId, address.objectId);
}

/*
 * Locks a relation the way the statement will, checking as it will whether
 * the user may.  InvalidOid: there is none, and the statement will say so.
 */
static Oid
lock_relation(RangeVar *relation, LOCKMODE mode, bool owner)
{
	Oid			relid = fact_relid(relation);

	if (!OidIsValid(relid) || isTempNamespace(get_rel_namespace(relid)))
		return InvalidOid;
	if (mode == NoLock)
		return relid;
	return RangeVarGetRelidExtended(relation, mode, RVR_MISSING_OK,
									owner ? RangeVarCallbackOwnsRelation : NULL, NULL);
}

static void
want_relation(RangeVar *relation, LOCKMODE mode, bool owner)
{
	Oid			relid;

	if (relation == NULL)
		return;
	relid = lock_relation(relation, mode, owner);
	if (OidIsValid(relid))
		image_want(RelationRelationId, relid);
}

/* The tables below one, which the statement will lock and change likewise. */
static void
want_below(Oid relid, LOCKMODE mode)
{
	ListCell   *lc;

	if (!has_subclass(relid))
		return;
	foreach(lc, find_all_inheritors(relid, mode, NULL))
		image_want(RelationRelationId, lfirst_oid(lc));
}

/* Does a sub-command of ALTER TABLE change the tables below, too? */
static bool
recurses(AlterTableType type)
{
	switch (type)
	{
		case AT_AddColumn:
		case AT_DropColumn:
		case AT_ColumnDefault:
		case AT_SetNotNull:
		case AT_DropNotNull:
		case AT_AlterColumnType:
		case AT_AddConstraint:
		case AT_DropConstraint:
		case AT_AlterConstraint:
		case AT_ValidateConstraint:
		case AT_SetStatistics:
		case AT_SetStorage:
		case AT_SetCompression:
		case AT_DropExpression:
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_EnableTrigAll:
		case AT_EnableTrigUser:
		case AT_DisableTrig:
		case AT_DisableTrigAll:
		case AT_DisableTrigUser:
			return true;
		default:
			return false;
	}
}

/* Does a sub-command leave alone what the relation depends on? */
static bool
needs_nothing(AlterTableType type)
{
	switch (type)
	{
		case AT_EnableRowSecurity:
		case AT_DisableRowSecurity:
		case AT_ForceRowSecurity:
		case AT_NoForceRowSecurity:
		case AT_ChangeOwner:
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
		case AT_ReplicaIdentity:
		case AT_SetNotNull:
		case AT_DropNotNull:
		case AT_SetStatistics:
		case AT_SetStorage:
		case AT_SetCompression:
		case AT_AddConstraint:
		case AT_DropConstraint:
		case AT_DropColumn:
		case AT_ValidateConstraint:
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_DisableTrig:
			return true;
		default:
			return false;
	}
}

/*
 * Does a sub-command only make a new part?  A primary key does more: its
 * columns become NOT NULL.
 */
static bool
adds(const AlterTableCmd *cmd)
{
	const Constraint *constraint;

	if (cmd->subtype == AT_AddColumn)
		return true;
	if (cmd->subtype != AT_AddConstraint || !IsA(cmd->def, Constraint))
		return false;
	constraint = castNode(Constraint, cmd->def);
	return constraint->indexname == NULL &&
		(constraint->contype == CONSTR_CHECK || constraint->contype == CONSTR_FOREIGN ||
		 constraint->contype == CONSTR_UNIQUE || constraint->contype == CONSTR_EXCLUSION);
}

/*
 * Does a sub-command only drop?  A column is shown again before it goes, and
 * what the script has made needs no image.
 */
static bool
drops_made(Oid relid, const AlterTableCmd *cmd)
{
	if (cmd->subtype == AT_DropColumn)
		return true;
	return cmd->subtype == AT_DropConstraint &&
		image_is_made(ConstraintRelationId, get_relation_constraint_oid(relid, cmd->name, true));
}

static void
see_alter_table(Node *node)
{
	AlterTableStmt *stmt = castNode(AlterTableStmt, node);
	LOCKMODE	mode = AlterTableGetLockLevel(stmt->cmds);
	Oid			relid = fact_relid(stmt->relation);
	bool		below = false;
	bool		only_adds = true;
	bool		harmless = true;
	ListCell   *lc;

	if (!OidIsValid(relid) || isTempNamespace(get_rel_namespace(relid)))
		return;
	relid = AlterTableLookupRelation(stmt, mode);
	if (!OidIsValid(relid))
		return;
	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		only_adds &= adds(cmd) || drops_made(relid, cmd);
		harmless &= adds(cmd) || needs_nothing(cmd->subtype);
		below |= stmt->relation->inh && recurses(cmd->subtype);
		/* foreign keys and the like are made again, on other tables too */
		if (cmd->subtype == AT_AlterColumnType)
			image_want_column_mentions(relid, cmd->name);
		else if (cmd->subtype == AT_AlterConstraint)
			image_want_referenced(relid);
		else if (cmd->subtype == AT_SetIdentity)
			image_restart((List *) cmd->def, stmt->relation->relname);
		if (cmd->def != NULL && IsA(cmd->def, PartitionCmd))
			want_relation(castNode(PartitionCmd, cmd->def)->name, AccessExclusiveLock, true);
	}
	if (only_adds && get_rel_relkind(relid) == RELKIND_RELATION && !has_subclass(relid))
	{
		image_add(RelationRelationId, relid);
		return;
	}
	if (!harmless)
		image_tangle(RelationRelationId, relid);
	image_want(RelationRelationId, relid);
	if (below)
		want_below(relid, mode);
}

static void
see_rename(Node *node)
{
	RenameStmt *stmt = castNode(RenameStmt, node);
	ObjectAddress address;
	Oid			relid;

	if (stmt->relation == NULL)
	{
		if (stmt->renameType == OBJECT_SCHEMA)
			ObjectAddressSet(address, NamespaceRelationId, get_namespace_oid(stmt->subname, true));
		else if (stmt->renameType == OBJECT_DOMCONSTRAINT)
			address = fact_address(OBJECT_DOMAIN, stmt->object, NULL);
		else if (image_shared(stmt->renameType, node))
			return;
		else
			address = fact_address(stmt->renameType, stmt->object, NULL);
		image_want_renamed(address);
		return;
	}
	relid = lock_relation(stmt->relation, AccessExclusiveLock, true);
	if (!OidIsValid(relid))
		return;
	image_want(RelationRelationId, relid);
	if (stmt->renameType == OBJECT_COLUMN || stmt->renameType == OBJECT_TABCONSTRAINT ||
		stmt->renameType == OBJECT_TRIGGER)
		want_below(relid, AccessExclusiveLock);
	if (stmt->renameType == OBJECT_COLUMN || stmt->renameType == OBJECT_ATTRIBUTE)
		image_want_column_mentions(relid, stmt->subname);
	else if (stmt->renameType != OBJECT_TABCONSTRAINT && stmt->renameType != OBJECT_TRIGGER &&
			 stmt->renameType != OBJECT_POLICY && stmt->renameType != OBJECT_RULE)
		image_want_mentions(RelationRelationId, relid, 0);
}

static void
see_schema(Node *node)
{
	AlterObjectSchemaStmt *stmt = castNode(AlterObjectSchemaStmt, node);
	ObjectAddress address;

	if (stmt->relation != NULL)
		ObjectAddressSet(address, RelationRelationId, lock_relation(stmt->relation, AccessExclusiveLock, true));
	else
		address = fact_address(stmt->objectType, stmt->object, NULL);
	image_want_renamed(address);
}

static void
see_owner(Node *node)
{
	AlterOwnerStmt *stmt = castNode(AlterOwnerStmt, node);

	if (!image_shared(stmt->objectType, node))
		want_address(fact_address(stmt->objectType, stmt->object, stmt->relation));
}

static void
see_depends(Node *node)
{
	AlterObjectDependsStmt *stmt = castNode(AlterObjectDependsStmt, node);

	if (stmt->relation != NULL)
		want_relation(stmt->relation, AccessExclusiveLock, true);
	else
		want_address(fact_address(stmt->objectType, stmt->object, NULL));
}

/* COMMENT ON and SECURITY LABEL. */
static void
see_named(ObjectType type, Node *object, Node *stmt)
{
	if (image_shared(type, stmt))
		return;
	if (type == OBJECT_COLUMN)
	{
		List	   *names = castNode(List, object);

		want_relation(makeRangeVarFromNameList(list_copy_head(names, list_length(names) - 1)),
					  ShareUpdateExclusiveLock, true);
	}
	else if (type == OBJECT_TABLE || type == OBJECT_VIEW || type == OBJECT_MATVIEW || type == OBJECT_INDEX ||
			 type == OBJECT_SEQUENCE || type == OBJECT_FOREIGN_TABLE)
		want_relation(makeRangeVarFromNameList(castNode(List, object)), ShareUpdateExclusiveLock, true);
	else
		want_address(fact_address(type, object, NULL));
}

static void
see_comment(Node *node)
{
	CommentStmt *stmt = castNode(CommentStmt, node);

	see_named(stmt->objtype, stmt->object, node);
}

static void
see_label(Node *node)
{
	SecLabelStmt *stmt = castNode(SecLabelStmt, node);

	see_named(stmt->objtype, stmt->object, node);
}

static void
see_grant(Node *node)
{
	GrantStmt  *stmt = castNode(GrantStmt, node);
	ListCell   *lc;

	if (stmt->targtype == ACL_TARGET_DEFAULTS || image_shared(stmt->objtype, node))
		return;
	foreach(lc, stmt->objects)
	{
		Node	   *object = lfirst(lc);

		if (stmt->targtype == ACL_TARGET_ALL_IN_SCHEMA)
		{
			const char *schema = strVal(object);

			if (stmt->objtype == OBJECT_TABLE || stmt->objtype == OBJECT_SEQUENCE)
				image_want_by_query("SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid AS classid, c.oid AS objid"
									" FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
									" WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')", schema);
			else
				image_want_by_query("SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid AS classid, p.oid AS objid"
									" FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace"
									" WHERE n.nspname = $1", schema);
		}
		else if (IsA(object, RangeVar))
			want_relation(castNode(RangeVar, object), MG_GRANT_LOCK, false);
		else
			want_address(fact_address(stmt->objtype, object, NULL));
	}
}

/* Which of the few rows it touches takes longer to find out than to look at all. */
static void
see_default_privileges(Node *stmt)
{
	image_want_by_query("SELECT 'pg_catalog.pg_default_acl'::pg_catalog.regclass::pg_catalog.oid AS classid, d.oid AS objid"
						" FROM pg_catalog.pg_default_acl AS d", NULL);
}

/* All functions of a name in a schema: their arguments are not resolved twice. */
static void
want_functions(List *names)
{
	char	   *schema;
	char	   *name;
	Oid			namespace;
	CatCList   *list;

	DeconstructQualifiedName(names, &schema, &name);
	namespace = fact_creation_namespace(schema);
	list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	for (int i = 0; i < list->n_members; i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);

		if (form->pronamespace != namespace)
			continue;
		image_tangle(ProcedureRelationId, form->oid);
		image_want(ProcedureRelationId, form->oid);
	}
	ReleaseSysCacheList(list);
}

static void
see_create_function(Node *node)
{
	if (castNode(CreateFunctionStmt, node)->replace)
		want_functions(castNode(CreateFunctionStmt, node)->funcname);
}

static void
see_alter_function(Node *node)
{
	AlterFunctionStmt *stmt = castNode(AlterFunctionStmt, node);

	want_address(fact_address(stmt->objtype, (Node *) stmt->func, NULL));
}

static void
see_view(Node *node)
{
	ViewStmt   *stmt = castNode(ViewStmt, node);
	RangeVar   *view = copyObject(stmt->view);
	Oid			namespace = fact_creation_namespace(view->schemaname);

	if (!stmt->replace || view->relpersistence == RELPERSISTENCE_TEMP || !OidIsValid(namespace) ||
		!OidIsValid(get_relname_relid(view->relname, namespace)))
		return;
	view->schemaname = get_namespace_name(namespace);
	image_tangle(RelationRelationId, get_relname_relid(view->relname, namespace));
	want_relation(view, AccessExclusiveLock, true);
}

/* A relation gets a part, and so do the ones below it; it is locked already. */
static void
add_to(Oid relid, LOCKMODE mode)
{
	if (!OidIsValid(relid))
		return;
	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE && !has_subclass(relid))
		image_add(RelationRelationId, relid);
	else
	{
		image_want(RelationRelationId, relid);
		want_below(relid, mode);
	}
}

static void
see_index(Node *node)
{
	add_to(lock_relation(castNode(IndexStmt, node)->relation, ShareLock, true), ShareLock);
}

static void
see_trigger(Node *node)
{
	CreateTrigStmt *stmt = castNode(CreateTrigStmt, node);
	Oid			relid = lock_relation(stmt->relation, ShareRowExclusiveLock, false);

	if (!OidIsValid(relid))
		return;
	if (!stmt->replace)
	{
		add_to(relid, ShareRowExclusiveLock);
		return;
	}
	image_tangle(RelationRelationId, relid);
	image_want(RelationRelationId, relid);
	image_replaced(TriggerRelationId, get_trigger_oid(relid, stmt->trigname, true));
	want_below(relid, ShareRowExclusiveLock);
}

/* A rule ON SELECT makes a view of a table. */
static void
see_rule(Node *node)
{
	RuleStmt   *stmt = castNode(RuleStmt, node);
	Oid			relid = lock_relation(stmt->relation, AccessExclusiveLock, true);

	if (!OidIsValid(relid))
		return;
	if (!stmt->replace && stmt->event != CMD_SELECT)
	{
		image_add(RelationRelationId, relid);
		return;
	}
	image_tangle(RelationRelationId, relid);
	image_want(RelationRelationId, relid);
	image_replaced(RewriteRelationId, get_rewrite_oid(relid, stmt->rulename, true));
}

static void
see_policy(Node *node)
{
	Oid			relid;

	if (IsA(node, CreatePolicyStmt))
	{
		relid = lock_relation(castNode(CreatePolicyStmt, node)->table, AccessExclusiveLock, true);
		if (OidIsValid(relid))
			image_add(RelationRelationId, relid);
		return;
	}
	relid = lock_relation(castNode(AlterPolicyStmt, node)->table, AccessExclusiveLock, true);
	if (!OidIsValid(relid))
		return;
	image_tangle(RelationRelationId, relid);
	image_want(RelationRelationId, relid);
}

static void
see_statistics(Node *node)
{
	ListCell   *lc;

	foreach(lc, castNode(CreateStatsStmt, node)->relations)
	{
		Oid			relid = IsA(lfirst(lc), RangeVar) ?
			lock_relation(lfirst_node(RangeVar, lc), ShareUpdateExclusiveLock, true) : InvalidOid;

		if (OidIsValid(relid))
			image_add(RelationRelationId, relid);
	}
}

static void
see_alter_statistics(Node *node)
{
	want_address(fact_address(OBJECT_STATISTIC_EXT, (Node *) castNode(AlterStatsStmt, node)->defnames, NULL));
}

static void
see_enum(Node *node)
{
	image_want_renamed(fact_address(OBJECT_TYPE, (Node *) castNode(AlterEnumStmt, node)->typeName, NULL));
}

static void
see_domain(Node *node)
{
	want_address(fact_address(OBJECT_DOMAIN, (Node *) castNode(AlterDomainStmt, node)->typeName, NULL));
}

static void
see_type(Node *node)
{
	want_address(fact_address(OBJECT_TYPE, (Node *) castNode(AlterTypeStmt, node)->typeName, NULL));
}

static void
see_sequence(Node *node)
{
	AlterSeqStmt *stmt = castNode(AlterSeqStmt, node);

	image_restart(stmt->options, stmt->sequence->relname);
	want_relation(stmt->sequence, ShareRowExclusiveLock, true);
}

static void
see_operator(Node *node)
{
	want_address(fact_address(OBJECT_OPERATOR, (Node *) castNode(AlterOperatorStmt, node)->opername, NULL));
}

/*
 * What is dropped after its own parts, and is not what it was by then: an
 * operator class after its members, a range type after its multirange; and what
 * goes with a schema.
 */
static void
see_drop(Node *node)
{
	DropStmt   *stmt = castNode(DropStmt, node);
	ListCell   *lc;

	if (stmt->removeType != OBJECT_OPCLASS && stmt->removeType != OBJECT_OPFAMILY &&
		stmt->removeType != OBJECT_TYPE && stmt->removeType != OBJECT_SCHEMA)
		return;
	foreach(lc, stmt->objects)
	{
		ObjectAddress address = fact_address(stmt->removeType, lfirst(lc), NULL);

		want_address(address);
		if (stmt->behavior == DROP_CASCADE)
			image_want_mentions(address.classId, address.objectId, 0);
	}
}

static void
see_family(Node *node)
{
	AlterOpFamilyStmt *stmt = castNode(AlterOpFamilyStmt, node);

	want_address(fact_address(OBJECT_OPFAMILY,
							  (Node *) lcons(makeString(stmt->amname), list_copy(stmt->opfamilyname)), NULL));
}

static void
see_ts_config(Node *node)
{
	want_address(fact_address(OBJECT_TSCONFIGURATION,
							  (Node *) castNode(AlterTSConfigurationStmt, node)->cfgname, NULL));
}

static void
see_ts_dictionary(Node *node)
{
	want_address(fact_address(OBJECT_TSDICTIONARY,
							  (Node *) castNode(AlterTSDictionaryStmt, node)->dictname, NULL));
}

static void
see_event_trigger(Node *node)
{
	want_address(fact_address(OBJECT_EVENT_TRIGGER,
							  (Node *) makeString(castNode(AlterEventTrigStmt, node)->trigname), NULL));
}

static void
see_publication(Node *node)
{
	want_address(fact_address(OBJECT_PUBLICATION,
							  (Node *) makeString(castNode(AlterPublicationStmt, node)->pubname), NULL));
}

static void
see_server(Node *node)
{
	want_address(fact_address(OBJECT_FOREIGN_SERVER,
							  (Node *) makeString(castNode(AlterForeignServerStmt, node)->servername), NULL));
}

static void
see_wrapper(Node *node)
{
	want_address(fact_address(OBJECT_FDW, (Node *) makeString(castNode(AlterFdwStmt, node)->fdwname), NULL));
}

static void
see_user_mapping(Node *node)
{
	image_want_by_query("SELECT 'pg_catalog.pg_user_mapping'::pg_catalog.regclass::pg_catalog.oid AS classid, u.umid AS objid"
						" FROM pg_catalog.pg_user_mappings AS u WHERE u.srvname = $1",
						castNode(AlterUserMappingStmt, node)->servername);
}

/* CREATE OR REPLACE AGGREGATE. */
static void
see_define(Node *node)
{
	DefineStmt *stmt = castNode(DefineStmt, node);

	if (stmt->replace && stmt->kind == OBJECT_AGGREGATE)
		want_functions(stmt->defnames);
}

static void
see_extension(Node *node)
{
	const char *name = IsA(node, AlterExtensionStmt) ? castNode(AlterExtensionStmt, node)->extname :
		castNode(AlterExtensionContentsStmt, node)->extname;

	image_miss(psprintf("extension %s was altered, and its scripts lead one way only", quote_identifier(name)));
}

static void
see_owned(Node *node)
{
	image_miss(IsA(node, DropOwnedStmt) ? "DROP OWNED revoked privileges that are not written down" :
			   "REASSIGN OWNED changed owners that are not written down");
}

static void
see_move(Node *node)
{
	image_miss("ALL IN TABLESPACE moved relations that are not written down");
}

/* It also notes by which index the table was clustered. */
static void
see_cluster(Node *node)
{
	want_relation(castNode(ClusterStmt, node)->relation, AccessExclusiveLock, true);
}

static void
see_shared(Node *node)
{
	image_miss(psprintf("what %s changed belongs to the whole server",
						GetCommandTagName(CreateCommandTag(node))));
}
