/*
 * classify_grant.c
 *	  Judges of GRANT, REVOKE, and of memberships.
 *
 * A grant to a named role relaxes; one to PUBLIC, or one that may be handed
 * on, weakens security; a revoke restricts.  On objects that are new in this
 * transaction nothing of it counts.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "nodes/parsenodes.h"

#include "compat.h"
#include "judge.h"
#include "overlay.h"
#include "protect.h"

static bool to_public(List *grantees);
static void grant_objects(Judgement *j, GrantStmt *stmt, bool *all_new, bool *all_own);
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
 * Are all objects of a grant new in this transaction, or all migmgr's own?
 * Fills in what the statement is about.
 */
static void
grant_objects(Judgement *j, GrantStmt *stmt, bool *all_new, bool *all_own)
{
	ListCell   *lc;

	*all_new = *all_own = stmt->targtype == ACL_TARGET_OBJECT && stmt->objects != NIL;
	if (stmt->targtype != ACL_TARGET_OBJECT)
		return;
	foreach(lc, stmt->objects)
	{
		Node	   *object = lfirst(lc);
		RangeVar   *relation = IsA(object, RangeVar) ? (RangeVar *) object : NULL;
		ObjectAddress address = fact_address(stmt->objtype, object, relation);

		if (!OidIsValid(address.objectId))
			continue;
		j->verdict->object = fact_identity(&address);
		if (overlay_made_by(address.objectId) != 0 || !protect_owns(&address))
			*all_own = false;
		if (address.classId == RelationRelationId)
		{
			RelFacts	rel;

			(void) fact_relation(address.objectId, &rel);
			j->verdict->relid = address.objectId;
			j->verdict->namespace = rel.namespace;
			if (rel.temporary)
				continue;
		}
		if (!fresh_is_new(address.classId, address.objectId, 0))
			*all_new = false;
	}
}

/* GRANT and REVOKE; on migmgr's own objects too, a restore does it. */
void
judge_grant(Judgement *j, const StatementRule *rule)
{
	GrantStmt  *stmt = castNode(GrantStmt, j->stmt);
	Finding		finding = {0};
	bool		all_new,
				all_own;

	j->passes_own = true;
	grant_objects(j, stmt, &all_new, &all_own);
	if (OidIsValid(j->verdict->relid))
		j->verdict->lock = MG_GRANT_LOCK;
	finding.class = class_of_grant(stmt->is_grant, stmt->grantees, stmt->grant_option,
								   &finding.rule, &finding.reason);
	if (all_own)
	{
		finding.class = CLASS_RELAXING;
		finding.reason = "who may call migmgr is the business of migmgr.grant_access()";
	}
	else if (all_new)
	{
		finding.class = CLASS_ADDITIVE;
		finding.reason = "the object is new in this transaction";
	}
	finding.deed = psprintf("%s privileges on %s", stmt->is_grant ? "grant" : "revoke", judge_name(j));
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
