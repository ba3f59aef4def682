/*
 * classify_grant.c
 *	  Judges of GRANT, REVOKE, and of memberships.
 *
 * A grant to a named role relaxes; one to PUBLIC, or one that may be handed
 * on, weakens security; a revoke restricts.  On objects that are new in this
 * transaction nothing of it counts.
 */
#include "postgres.h"

#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "nodes/parsenodes.h"
#include "utils/lsyscache.h"

#include "judge.h"
#include "protect.h"

static bool to_public(List *grantees);
static bool objects_new(Judgement *j, GrantStmt *stmt);
static bool objects_own(GrantStmt *stmt);
static MigClass class_of_grant(bool is_grant, List *grantees, bool grant_option, const char **rule,
							   const char **reason);

static bool
to_public(List *grantees)
{
	ListCell   *lc;

	foreach(lc, grantees)
	{
		if (lfirst_node(RoleSpec, lc)->roletype == ROLESPEC_PUBLIC)
			return true;
	}
	return false;
}

static MigClass
class_of_grant(bool is_grant, List *grantees, bool grant_option, const char **rule,
			   const char **reason)
{
	if (!is_grant)
	{
		*rule = "revoke";
		*reason = "code that runs as the role is refused from now on";
		return CLASS_RESTRICTIVE;
	}
	if (to_public(grantees))
	{
		*rule = "grant-to-public";
		*reason = "every role, now and later, gets the privilege";
		return CLASS_SECURITY;
	}
	if (grant_option)
	{
		*rule = "grant-with-option";
		*reason = "the role may hand the privilege on";
		return CLASS_SECURITY;
	}
	*rule = "grant";
	*reason = "the role may do more";
	return CLASS_RELAXING;
}

/*
 * Are all objects of a grant new in this transaction?  Fills in what the
 * statement is about.
 */
static bool
objects_new(Judgement *j, GrantStmt *stmt)
{
	ListCell   *lc;
	bool		all_new = stmt->targtype == ACL_TARGET_OBJECT && stmt->objects != NIL;

	if (stmt->targtype != ACL_TARGET_OBJECT)
		return false;
	foreach(lc, stmt->objects)
	{
		Node	   *object = lfirst(lc);
		RangeVar   *relation = IsA(object, RangeVar) ? (RangeVar *) object : NULL;
		ObjectAddress address = fact_address(stmt->objtype, object, relation);

		if (!OidIsValid(address.objectId))
			continue;
		j->verdict->object = getObjectIdentity(&address, true);
		if (address.classId == RelationRelationId)
		{
			j->verdict->relid = address.objectId;
			j->verdict->namespace = get_rel_namespace(address.objectId);
			if (get_rel_persistence(address.objectId) == RELPERSISTENCE_TEMP)
				continue;
		}
		if (!fresh_is_new(address.classId, address.objectId, 0))
			all_new = false;
	}
	return all_new;
}

/* Are all objects of a grant migmgr's own?  Who may use it is its own matter. */
static bool
objects_own(GrantStmt *stmt)
{
	ListCell   *lc;

	if (stmt->targtype != ACL_TARGET_OBJECT)
		return false;
	foreach(lc, stmt->objects)
	{
		Node	   *object = lfirst(lc);
		RangeVar   *relation = IsA(object, RangeVar) ? (RangeVar *) object : NULL;
		ObjectAddress address = fact_address(stmt->objtype, object, relation);
		Oid			namespace;

		if (!OidIsValid(address.objectId))
			return false;
		namespace = address.classId == NamespaceRelationId ?
			address.objectId : get_object_namespace(&address);
		if (!protect_owns_schema(namespace))
			return false;
	}
	return stmt->objects != NIL;
}

/* GRANT and REVOKE; on migmgr's own objects too, a restore does it. */
void
judge_grant(Judgement *j, const StatementRule *rule)
{
	GrantStmt  *stmt = castNode(GrantStmt, j->stmt);
	Finding		finding = {0};

	j->passes_own = true;
	finding.class = class_of_grant(stmt->is_grant, stmt->grantees, stmt->grant_option,
								   &finding.rule, &finding.reason);
	if (objects_new(j, stmt))
	{
		finding.class = CLASS_ADDITIVE;
		finding.reason = "the object is new in this transaction";
	}
	else if (!stmt->is_grant && objects_own(stmt))
	{
		finding.class = CLASS_RELAXING;
		finding.reason = "it is about access to migmgr itself";
	}
	judge_find(j, NULL, &finding);
}

/* GRANT role TO role: no event trigger sees it. */
void
judge_grant_role(Judgement *j, const StatementRule *rule)
{
	GrantRoleStmt *stmt = castNode(GrantRoleStmt, j->stmt);

	if (stmt->is_grant)
		judge_add(j, CLASS_SECURITY, "grant-role", "the member may do all that the role may");
	else
		judge_add(j, CLASS_RESTRICTIVE, "revoke-role", "code that runs as the member is refused from now on");
}

void
judge_default_privileges(Judgement *j, const StatementRule *rule)
{
	GrantStmt  *stmt = castNode(AlterDefaultPrivilegesStmt, j->stmt)->action;
	Finding		finding = {0};

	finding.class = class_of_grant(stmt->is_grant, stmt->grantees, stmt->grant_option,
								   &finding.rule, &finding.reason);
	finding.rule = rule->rule;
	finding.reason = "it holds for every object made later";
	judge_find(j, NULL, &finding);
}
