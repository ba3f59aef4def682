/*
 * plan_detail.c
 *	  What a plan says beyond the verdict: other locks, bytes, losses.
 *
 * The verdict is made where every DDL statement passes, so it holds what
 * policy needs and nothing else.  Here is the rest, for a reader: which other
 * relations are locked, how much is read or written, what is built again and
 * what is lost, from the catalog and the size of the files.
 */
#include "postgres.h"

#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "catalog/partition.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "partitioning/partdefs.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "facts.h"
#include "overlay.h"
#include "plan.h"

/* of relations in one sentence */
#define MAX_NAMES 5

typedef void (*detail_fn) (Node *stmt, const Verdict *verdict, PlanDetail *detail);

static void say(PlanDetail *detail, const char *format,...) pg_attribute_printf(2, 3);
static void note_lock(PlanDetail *detail, Oid relid, LOCKMODE mode);
static void say_lock(PlanDetail *detail, Oid relid, LOCKMODE lock);
static void say_locks(PlanDetail *detail, List *relids, LOCKMODE lock);
static char *amount(Oid relid);
static char *names_of(List *relids);
static void say_work(const Verdict *verdict, const RelFacts *rel, PlanDetail *detail);
static void detail_alter_table(Node *stmt, const Verdict *verdict, PlanDetail *detail);
static void detail_create_table(Node *stmt, const Verdict *verdict, PlanDetail *detail);
static void detail_create_index(Node *stmt, const Verdict *verdict, PlanDetail *detail);
static void detail_drop(Node *stmt, const Verdict *verdict, PlanDetail *detail);
static void detail_truncate(Node *stmt, const Verdict *verdict, PlanDetail *detail);
static void detail_create_publication(Node *stmt, const Verdict *verdict, PlanDetail *detail);
static void detail_alter_publication(Node *stmt, const Verdict *verdict, PlanDetail *detail);
static void detail_alter_domain(Node *stmt, const Verdict *verdict, PlanDetail *detail);

static const struct
{
	detail_fn	detail;
}			details[] = {
	[T_AlterTableStmt] = {detail_alter_table},
	[T_CreateStmt] = {detail_create_table},
	[T_IndexStmt] = {detail_create_index},
	[T_DropStmt] = {detail_drop},
	[T_TruncateStmt] = {detail_truncate},
	[T_CreatePublicationStmt] = {detail_create_publication},
	[T_AlterPublicationStmt] = {detail_alter_publication},
	[T_AlterDomainStmt] = {detail_alter_domain},
};

/* Fills in what there is to say; in the current context. */
void
plan_detail(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	int			tag = nodeTag(stmt);
	RelFacts	rel;

	initStringInfo(&detail->text);
	detail->others = NoLock;
	detail->locks = NIL;
	if (fact_relation(verdict->relid, &rel) && !rel.is_new)
	{
		if (!rel.temporary && verdict->lock != NoLock)
			note_lock(detail, rel.relid, verdict->lock);
		say_work(verdict, &rel, detail);
	}
	if (tag < lengthof(details) && details[tag].detail != NULL)
		details[tag].detail(stmt, verdict, detail);
}

static void
say(PlanDetail *detail, const char *format,...)
{
	va_list		args;
	int			needed;

	appendStringInfoString(&detail->text, "; ");
	for (;;)
	{
		va_start(args, format);
		needed = appendStringInfoVA(&detail->text, format, args);
		va_end(args);
		if (needed == 0)
			return;
		enlargeStringInfo(&detail->text, needed);
	}
}

/* Notes a lock on a relation that is there. */
static void
note_lock(PlanDetail *detail, Oid relid, LOCKMODE mode)
{
	PlanLock   *lock = palloc0(sizeof(PlanLock));

	lock->relid = relid;
	lock->mode = mode;
	detail->locks = lappend(detail->locks, lock);
}

/* A lock on a relation that the statement does not name, if others can see it. */
static void
say_lock(PlanDetail *detail, Oid relid, LOCKMODE lock)
{
	RelFacts	rel;

	if (!fact_relation(relid, &rel) || rel.is_new || rel.temporary)
		return;
	detail->others = Max(detail->others, lock);
	note_lock(detail, relid, lock);
	say(detail, "%s on %s", GetLockmodeName(DEFAULT_LOCKMETHOD, lock), rel.name);
}

static void
say_locks(PlanDetail *detail, List *relids, LOCKMODE lock)
{
	ListCell   *lc;

	foreach(lc, relids)
	{
		if (foreach_current_index(lc) == MAX_NAMES)
			say(detail, "and on %d more", list_length(relids) - MAX_NAMES);
		if (foreach_current_index(lc) >= MAX_NAMES)
			note_lock(detail, lfirst_oid(lc), lock);
		else
			say_lock(detail, lfirst_oid(lc), lock);
	}
}

/* "about 10000 rows, 16 MB" */
static char *
amount(Oid relid)
{
	int64		bytes;
	double		rows;

	if (overlay_made_by(relid) != 0)
		return "made by this script";
	if (!fact_size(relid, &bytes, &rows))
		return "size not known: it is locked";
	if (bytes == 0)
		return "no rows";
	return psprintf("about %.0f rows, %s", rows,
					text_to_cstring(DatumGetTextPP(DirectFunctionCall1(pg_size_pretty, Int64GetDatum(bytes)))));
}

/* The first few of a list of relations. */
static char *
names_of(List *relids)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, relids)
	{
		RelFacts	rel;

		if (foreach_current_index(lc) == MAX_NAMES)
		{
			appendStringInfo(&text, " and %d more", list_length(relids) - MAX_NAMES);
			break;
		}
		if (fact_relation(lfirst_oid(lc), &rel))
			appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "", rel.name);
	}
	return text.data;
}

/* What is read and written, and what has to follow. */
static void
say_work(const Verdict *verdict, const RelFacts *rel, PlanDetail *detail)
{
	Oid			relid = rel->relkind == RELKIND_INDEX || rel->relkind == RELKIND_PARTITIONED_INDEX ?
		fact_index_table(rel->relid) : rel->relid;
	List	   *indexes;

	if (verdict->rewrites == TRI_YES && verdict->class != CLASS_DESTRUCTIVE)
	{
		indexes = fact_indexes(relid, InvalidAttrNumber);
		say(detail, "writes again %s", amount(relid));
		if (indexes != NIL)
			say(detail, "builds again %d %s", list_length(indexes), list_length(indexes) == 1 ? "index" : "indexes");
	}
	else if (verdict->scans == TRI_YES)
		say(detail, "reads %s", amount(relid));
	if (verdict->rewrites == TRI_UNKNOWN || verdict->scans == TRI_UNKNOWN)
		say(detail, "whether it reads or writes all rows (%s) cannot be known before it runs", amount(relid));
}

/* A foreign key, wherever it stands: the table it references is locked too. */
static void
detail_constraint(Constraint *constraint, bool scans, PlanDetail *detail)
{
	Oid			referenced;

	if (constraint->contype != CONSTR_FOREIGN)
		return;
	referenced = fact_relid(constraint->pktable);
	say_lock(detail, referenced, ShareRowExclusiveLock);
	if (scans && !constraint->skip_validation && OidIsValid(referenced))
		say(detail, "looks up every row there (%s)", amount(referenced));
}

static void
detail_drop_column(Oid relid, const char *column, PlanDetail *detail)
{
	ColumnFacts facts;
	List	   *indexes;

	if (!fact_column(relid, column, &facts) || facts.attnum == InvalidAttrNumber)
		return;
	say(detail, "its values in %s are lost", amount(relid));
	indexes = fact_indexes(relid, facts.attnum);
	if (indexes != NIL)
		say(detail, "with it %s %s", list_length(indexes) == 1 ? "goes index" : "go indexes", names_of(indexes));
	say_locks(detail, fact_referenced(relid, NULL, facts.attnum), AccessExclusiveLock);
}

static void
detail_partition(Oid parent, AlterTableCmd *cmd, PlanDetail *detail)
{
	PartitionCmd *partition = castNode(PartitionCmd, cmd->def);
	Oid			relid = fact_relid(partition->name);
	Oid			other = get_rel_relkind(parent) == RELKIND_PARTITIONED_TABLE && overlay_made_by(parent) == 0 ?
		get_default_partition_oid(parent) : InvalidOid;

	say_lock(detail, relid, partition->concurrent ? ShareUpdateExclusiveLock : AccessExclusiveLock);
	if (cmd->subtype == AT_AttachPartition)
	{
		say_locks(detail, fact_referenced(parent, NULL, InvalidAttrNumber), ShareRowExclusiveLock);
		if (OidIsValid(other) && other != relid)
			say(detail, "the default partition is searched for its rows (%s)", amount(other));
	}
	if (OidIsValid(other) && other != relid)
		say_lock(detail, other, AccessExclusiveLock);
}

static void
detail_alter_table(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	AlterTableStmt *alter = castNode(AlterTableStmt, stmt);
	Oid			relid = fact_relid(alter->relation);
	RelFacts	rel;
	List	   *children;
	ListCell   *lc;

	if (!fact_relation(relid, &rel) || rel.temporary)
		return;
	children = alter->relation->inh && verdict->relid == relid ? fact_children(relid) : NIL;
	if (children != NIL && verdict->lock >= ShareUpdateExclusiveLock)
	{
		say(detail, "likewise %s", names_of(children));
		foreach(lc, children)
			note_lock(detail, lfirst_oid(lc), verdict->lock);
	}
	foreach(lc, alter->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AddConstraint)
			detail_constraint(castNode(Constraint, cmd->def), true, detail);
		else if (cmd->subtype == AT_AddColumn)
		{
			ListCell   *constraint;

			foreach(constraint, castNode(ColumnDef, cmd->def)->constraints)
				detail_constraint(lfirst_node(Constraint, constraint), verdict->scans == TRI_YES, detail);
		}
		else if (cmd->subtype == AT_DropColumn)
			detail_drop_column(relid, cmd->name, detail);
		else if (cmd->subtype == AT_DropConstraint)
			say_locks(detail, fact_referenced(relid, cmd->name, InvalidAttrNumber), AccessExclusiveLock);
		else if (cmd->subtype == AT_ValidateConstraint)
			say_locks(detail, fact_referenced(relid, cmd->name, InvalidAttrNumber), RowShareLock);
		else if ((cmd->subtype == AT_AttachPartition || cmd->subtype == AT_DetachPartition) &&
				 rel.relkind == RELKIND_PARTITIONED_TABLE)
			detail_partition(relid, cmd, detail);
		else if (cmd->subtype == AT_AlterColumnType)
		{
			ColumnFacts column;

			if (!rel.is_new)
				say(detail, "the column's statistics are lost: ANALYZE %s afterwards", rel.name);
			if (verdict->rewrites != TRI_NO && fact_column(relid, cmd->name, &column) && column.attnum > 0)
				say_locks(detail, list_concat_unique_oid(fact_referenced(relid, NULL, column.attnum),
														 fact_referencing(relid, column.attnum)), AccessExclusiveLock);
		}
	}
}

/* CREATE TABLE: parents and referenced tables are there already. */
static void
detail_create_table(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	CreateStmt *create = castNode(CreateStmt, stmt);
	ListCell   *lc;

	if (verdict->class == CLASS_NONE)
		return;
	foreach(lc, create->inhRelations)
	{
		Oid			parent = fact_relid(lfirst_node(RangeVar, lc));
		Oid			other;

		say_lock(detail, parent, create->partbound != NULL ? AccessExclusiveLock : ShareUpdateExclusiveLock);
		if (create->partbound == NULL || overlay_made_by(parent) != 0 || !OidIsValid(parent))
			continue;
		other = get_default_partition_oid(parent);
		say_lock(detail, other, AccessExclusiveLock);
		if (OidIsValid(other))
			say(detail, "which is searched for rows of the new partition (%s)", amount(other));
	}
	foreach(lc, create->tableElts)
	{
		ListCell   *constraint;

		if (IsA(lfirst(lc), Constraint))
			detail_constraint(lfirst_node(Constraint, lc), false, detail);
		else if (IsA(lfirst(lc), ColumnDef))
		{
			foreach(constraint, lfirst_node(ColumnDef, lc)->constraints)
				detail_constraint(lfirst_node(Constraint, constraint), false, detail);
		}
	}
	foreach(lc, create->constraints)
		detail_constraint(lfirst_node(Constraint, lc), false, detail);
}

static void
detail_create_index(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	RangeVar   *table = castNode(IndexStmt, stmt)->relation;
	RelFacts	rel;

	if (verdict->lock == NoLock || !fact_relation(fact_relid(table), &rel) || rel.temporary)
		return;
	say(detail, "the lock is on %s", rel.name);
	if (!rel.is_new && rel.relid != verdict->relid)
		note_lock(detail, rel.relid, verdict->lock);
}

/* Rows that go, and what is locked with the dropped relation. */
static void
detail_drop_relation(Oid relid, bool concurrent, PlanDetail *detail)
{
	RelFacts	rel;

	if (!fact_relation(relid, &rel) || rel.is_new || rel.temporary)
		return;
	if (rel.relkind == RELKIND_INDEX || rel.relkind == RELKIND_PARTITIONED_INDEX)
		say_lock(detail, fact_index_table(relid), concurrent ? ShareUpdateExclusiveLock : AccessExclusiveLock);
	if (rel.relkind != RELKIND_RELATION && rel.relkind != RELKIND_PARTITIONED_TABLE && rel.relkind != RELKIND_MATVIEW)
		return;
	say(detail, "%s: %s", rel.name, amount(relid));
	say_lock(detail, fact_partition_parent(relid), AccessExclusiveLock);
	say_locks(detail, list_concat_unique_oid(fact_referenced(relid, NULL, InvalidAttrNumber),
											 fact_referencing(relid, InvalidAttrNumber)), AccessExclusiveLock);
}

static void
detail_drop(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	DropStmt   *drop = castNode(DropStmt, stmt);
	ListCell   *lc;

	foreach(lc, drop->objects)
	{
		ObjectAddress address = fact_address(drop->removeType, lfirst(lc), NULL);

		if (!OidIsValid(address.objectId))
			continue;
		if (address.classId == RelationRelationId)
			detail_drop_relation(address.objectId, drop->concurrent, detail);
		else if (address.classId == TypeRelationId)
		{
			List	   *users = fact_type_users(address.objectId);

			if (users != NIL)
				say(detail, drop->behavior == DROP_CASCADE ? "columns of %s are lost with it" :
					"it fails while columns of %s are of it", names_of(users));
		}
	}
	if (drop->behavior == DROP_CASCADE)
		say(detail, "all that depends on it is dropped too");
}

/* TRUNCATE: with CASCADE all that references the tables, over and over. */
static void
detail_truncate(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	TruncateStmt *truncate = castNode(TruncateStmt, stmt);
	List	   *relids = NIL;
	int			named;
	ListCell   *lc;

	foreach(lc, truncate->relations)
	{
		Oid			relid = fact_relid(lfirst_node(RangeVar, lc));

		if (OidIsValid(relid))
			relids = list_append_unique_oid(relids, relid);
	}
	named = list_length(relids);
	foreach(lc, relids)
	{
		if (truncate->behavior == DROP_CASCADE)
			relids = list_concat_unique_oid(relids, fact_referencing(lfirst_oid(lc), InvalidAttrNumber));
	}
	foreach(lc, relids)
	{
		RelFacts	rel;

		if (fact_relation(lfirst_oid(lc), &rel) && !rel.is_new && !rel.temporary)
			say(detail, "%s: %s", rel.name, amount(rel.relid));
		if (foreach_current_index(lc) >= named)
			say_lock(detail, lfirst_oid(lc), AccessExclusiveLock);
	}
}

static void
detail_published(List *objects, PlanDetail *detail)
{
	ListCell   *lc;

	foreach(lc, objects)
	{
		PublicationObjSpec *object = lfirst_node(PublicationObjSpec, lc);

		if (object->pubobjtype == PUBLICATIONOBJ_TABLE)
			say_lock(detail, fact_relid(object->pubtable->relation), ShareUpdateExclusiveLock);
	}
}

static void
detail_create_publication(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	detail_published(castNode(CreatePublicationStmt, stmt)->pubobjects, detail);
}

static void
detail_alter_publication(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	detail_published(castNode(AlterPublicationStmt, stmt)->pubobjects, detail);
}

/* ALTER DOMAIN: what it forbids is looked for in every table that uses it. */
static void
detail_alter_domain(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	AlterDomainStmt *alter = castNode(AlterDomainStmt, stmt);
	ListCell   *lc;

	if (verdict->scans != TRI_YES)
		return;
	foreach(lc, fact_type_users(fact_type(makeTypeNameFromNameList(alter->typeName))))
	{
		say_lock(detail, lfirst_oid(lc), ShareLock);
		say(detail, "reads it (%s)", amount(lfirst_oid(lc)));
	}
}
