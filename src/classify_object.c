/*
 * classify_object.c
 *	  Judges of statements about any kind of object: DROP, RENAME, SET SCHEMA,
 *	  OWNER TO, COMMENT.
 *
 * What breaks code that uses the old name counts as destructive, though no
 * row is lost.  What holds no data may come back in the same script, so its
 * drop is marked as one of a definition.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/value.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "judge.h"
#include "overlay.h"
#include "protect.h"
#include "recipe.h"

static void judge_dropped(Judgement *j, DropStmt *stmt, Node *object);
static void name_commented(Judgement *j, CommentStmt *stmt);

/* One object of a DROP: what is lost, and whether it may come back. */
static void
judge_dropped(Judgement *j, DropStmt *stmt, Node *object)
{
	const ObjectRule *kind = rule_of_object(stmt->removeType);
	ObjectAddress address = fact_address(stmt->removeType, object, NULL);
	Finding		finding = {.class = CLASS_DESTRUCTIVE,.rule = "drop",.drops = true};
	RelFacts	rel;
	bool		is_relation = address.classId == RelationRelationId && fact_relation(address.objectId, &rel);

	if (!OidIsValid(address.objectId) || (is_relation && rel.temporary))
	{
		if (OidIsValid(address.objectId))
			j->verdict->reason = "it is temporary";
		return;
	}
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
	else if (overlay_made_by(address.objectId) != 0)
		j->verdict->namespace = overlay_scope(address.objectId);
	else if (get_object_attnum_namespace(address.classId) != InvalidAttrNumber)
		j->verdict->namespace = get_object_namespace(&address);
	j->verdict->object = is_relation ? rel.name : fact_identity(&address);
	finding.deed = psprintf("drop %s %s", kind != NULL ? kind->word : "object", j->verdict->object);
	finding.reason = finding.definition ? "what uses it breaks" : "what it holds is lost";
	finding.hint = stmt->removeType == OBJECT_TABLE && is_relation ? recipe_drop_table(&rel) :
		stmt->removeType == OBJECT_INDEX && !stmt->concurrent ?
		psprintf("To keep nobody waiting: DROP INDEX CONCURRENTLY %s; outside a transaction.", j->verdict->object) :
		stmt->removeType == OBJECT_VIEW || stmt->removeType == OBJECT_FUNCTION ?
		"CREATE OR REPLACE it, or leave the old one until nothing uses it." : NULL;
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
	ObjectAddress address = fact_address(part || stmt->relation != NULL ? OBJECT_TABLE : stmt->renameType,
										 stmt->object, stmt->relation);

	/* ALTER TABLE may name an index, ALTER INDEX a table */
	bool		by_relkind = !part && address.classId == RelationRelationId &&
		OidIsValid(address.objectId) && overlay_made_by(address.objectId) == 0;
	const ObjectRule *kind = rule_of_object(by_relkind ? get_relkind_objtype(get_rel_relkind(address.objectId)) :
											stmt->renameType);
	Finding		finding = {
		.class = kind != NULL ? kind->rename_class : CLASS_DESTRUCTIVE,
		.rule = kind != NULL ? kind->rename_rule : "rename",
		.reason = "code that uses the old name breaks",
		.hint = stmt->renameType == OBJECT_COLUMN ?
		"Add a column of the new name, keep both alike by a trigger, move the code, then drop the old one." :
		"Leave the old name beside the new one in the same migration (for a table, CREATE VIEW old AS SELECT * FROM new), and move the code.",
	};

	/* a domain stands alone where COMMENT and DROP have a pair */
	if (stmt->renameType == OBJECT_DOMCONSTRAINT)
		address = fact_address(OBJECT_DOMCONSTRAINT,
							   (Node *) list_make2(makeTypeNameFromNameList(castNode(List, stmt->object)),
												   makeString(stmt->subname)), NULL);
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
		if (stmt->renameType == OBJECT_INDEX)
			j->verdict->lock = ShareUpdateExclusiveLock;
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
		.hint = "Leave a view under the old name, in the same migration.",
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
		Oid			owner = overlay_made_by(address.objectId) != 0 ? GetUserId() : fact_owner(&address);

		j->verdict->object = fact_identity(&address);
		/* a composite type is a relation, too */
		if (address.classId == TypeRelationId && OidIsValid(get_typ_typrelid(address.objectId)))
		{
			j->verdict->relid = get_typ_typrelid(address.objectId);
			j->verdict->lock = AccessExclusiveLock;
		}
		if (owner == get_rolespec_oid(stmt->newowner, true))
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
											 (Node *) makeString(castNode(AlterEventTrigStmt, j->stmt)->trigname),
											 NULL);

		judge_object(j, &address);
	}
	else
		j->passes_own = true;
	if (IsA(j->stmt, CommentStmt))
		name_commented(j, castNode(CommentStmt, j->stmt));
	judge_add(j, rule->class, rule->rule, rule->reason);
}

/* A comment on a relation or a column locks the relation a little, one on a part of it less. */
static void
name_commented(Judgement *j, CommentStmt *stmt)
{
	List	   *names = IsA(stmt->object, List) ? castNode(List, stmt->object) : NIL;
	bool		part = stmt->objtype == OBJECT_TABCONSTRAINT || stmt->objtype == OBJECT_TRIGGER ||
		stmt->objtype == OBJECT_POLICY || stmt->objtype == OBJECT_RULE;
	ObjectAddress address;
	RelFacts	rel;

	if ((part || stmt->objtype == OBJECT_COLUMN) && list_length(names) > 1)
		address = fact_address(OBJECT_TABLE, (Node *) list_copy_head(names, list_length(names) - 1), NULL);
	else
		address = fact_address(stmt->objtype, stmt->object, NULL);
	if (address.classId != RelationRelationId || !fact_relation(address.objectId, &rel))
		return;
	j->verdict->relid = rel.relid;
	j->verdict->namespace = rel.namespace;
	j->verdict->object = rel.name;
	j->verdict->lock = part ? AccessShareLock : ShareUpdateExclusiveLock;
	j->deed = psprintf("comment on %s", rel.name);
}

/* ALTER ... DEPENDS ON EXTENSION: a relation is locked for it. */
void
judge_depends(Judgement *j, const StatementRule *rule)
{
	AlterObjectDependsStmt *stmt = castNode(AlterObjectDependsStmt, j->stmt);
	ObjectAddress address = fact_address(stmt->objectType, stmt->object, stmt->relation);

	j->found = address.classId == RelationRelationId && fact_relation(address.objectId, &j->rel);
	judge_object(j, &address);
	if (j->found)
	{
		j->verdict->relid = j->rel.relid;
		j->verdict->namespace = j->rel.namespace;
		j->verdict->object = j->rel.name;
		j->verdict->lock = AccessExclusiveLock;
	}
	judge_add(j, rule->class, rule->rule, rule->reason);
}
