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
#include "commands/tablecmds.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "partitioning/partdefs.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "facts.h"
#include "overlay.h"
#include "plan.h"

/* of relations in one sentence */
#define MAX_NAMES 8

typedef void (*detail_fn) (Node *stmt, const Verdict *verdict, PlanDetail *detail);

static void say(PlanDetail *detail, const char *format,...) pg_attribute_printf(2, 3);
static void note_lock(PlanDetail *detail, Oid relid, LOCKMODE mode);
static void note_locks(PlanDetail *detail, const List *relids, LOCKMODE mode);
static void say_locks(PlanDetail *detail, const Verdict *verdict);
static void say_dependents(PlanDetail *detail, const ObjectAddress *address, bool cascade);
static void detail_constraint(Constraint *constraint, bool scans, PlanDetail *detail);
static char *amount(Oid relid);
static char *names_of(List *relids);
static void say_work(const Verdict *verdict, const RelFacts *rel, PlanDetail *detail);
static void detail_alter_table(Node *stmt, const Verdict *verdict, PlanDetail *detail);
static void detail_create_table(Node *stmt, const Verdict *verdict, PlanDetail *detail);
static void detail_create_trigger(Node *stmt, const Verdict *verdict, PlanDetail *detail);
static void detail_alter_command(const RelFacts *rel, AlterTableCmd *cmd, const Verdict *verdict, PlanDetail *detail);
static void detail_constraints(const List *constraints, bool scans, PlanDetail *detail);
static void detail_rename(Node *stmt, const Verdict *verdict, PlanDetail *detail);
static void detail_lock(Node *stmt, const Verdict *verdict, PlanDetail *detail);
static void detail_vacuum(Node *stmt, const Verdict *verdict, PlanDetail *detail);
static bool recurses(AlterTableType type, char relkind);
static LOCKMODE lock_in_children(const RelFacts *rel, const AlterTableCmd *cmd, LOCKMODE lock);
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
	[T_CreateForeignTableStmt] = {detail_create_table},
	[T_CreateTrigStmt] = {detail_create_trigger},
	[T_IndexStmt] = {detail_create_index},
	[T_DropStmt] = {detail_drop},
	[T_RenameStmt] = {detail_rename},
	[T_LockStmt] = {detail_lock},
	[T_VacuumStmt] = {detail_vacuum},
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
		if (verdict->lock != NoLock)
			note_lock(detail, rel.relid, verdict->lock);
		say_work(verdict, &rel, detail);
	}
	if (tag < lengthof(details) && details[tag].detail != NULL)
		details[tag].detail(stmt, verdict, detail);
	say_locks(detail, verdict);
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

/* A lock on a relation that others can see; the strongest counts. */
static void
note_lock(PlanDetail *detail, Oid relid, LOCKMODE mode)
{
	PlanLock   *lock;
	RelFacts	rel;
	ListCell   *lc;

	foreach(lc, detail->locks)
	{
		lock = lfirst(lc);
		if (lock->relid != relid)
			continue;
		lock->mode = Max(lock->mode, mode);
		return;
	}
	if (!fact_relation(relid, &rel) || rel.is_new || rel.temporary)
		return;
	lock = palloc0(sizeof(PlanLock));
	lock->relid = relid;
	lock->mode = mode;
	detail->locks = lappend(detail->locks, lock);
}

static void
note_locks(PlanDetail *detail, const List *relids, LOCKMODE mode)
{
	ListCell   *lc;

	foreach(lc, relids)
	{
		if (mode != NoLock)
			note_lock(detail, lfirst_oid(lc), mode);
	}
}

/* Tells of the locks beside the one that the verdict tells of, the strongest first. */
static void
say_locks(PlanDetail *detail, const Verdict *verdict)
{
	int			said = 0;
	int			more = 0;

	for (LOCKMODE mode = AccessExclusiveLock; mode >= AccessShareLock; mode--)
	{
		ListCell   *lc;

		foreach(lc, detail->locks)
		{
			const PlanLock *lock = lfirst(lc);
			RelFacts	rel;

			if (lock->mode != mode || (lock->relid == verdict->relid && mode == verdict->lock) ||
				!fact_relation(lock->relid, &rel))
				continue;
			detail->others = Max(detail->others, mode);
			if (said++ < MAX_NAMES)
				say(detail, "%s on %s", GetLockmodeName(DEFAULT_LOCKMETHOD, mode), rel.name);
			else
				more++;
		}
	}
	if (more > 0)
		say(detail, "and on %d more", more);
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
	if (!OidIsValid(referenced))
		return;
	note_lock(detail, referenced, ShareRowExclusiveLock);
	if (get_rel_relkind(referenced) == RELKIND_PARTITIONED_TABLE)
		note_locks(detail, fact_children(referenced), ShareRowExclusiveLock);
	if (scans && !constraint->skip_validation && OidIsValid(referenced))
		say(detail, "looks up every row there (%s)", amount(referenced));
}

/* What goes with an object, or what keeps it from going. */
static void
say_dependents(PlanDetail *detail, const ObjectAddress *address, bool cascade)
{
	Dependents	dependents;
	StringInfoData names;
	ListCell   *lc;

	fact_dependents(address, cascade, &dependents);
	if (cascade || dependents.names == NIL)
		note_locks(detail, dependents.locked, AccessExclusiveLock);
	if (dependents.names == NIL)
		return;
	initStringInfo(&names);
	foreach(lc, dependents.names)
	{
		if (foreach_current_index(lc) == MAX_NAMES)
		{
			appendStringInfo(&names, " and %s%d more", dependents.more ? "at least " : "",
							 list_length(dependents.names) - MAX_NAMES);
			break;
		}
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", (char *) lfirst(lc));
	}
	say(detail, cascade ? "with it goes what depends on it: %s" : "it fails without CASCADE, because of %s", names.data);
}

static void
detail_drop_column(Oid relid, const AlterTableCmd *cmd, PlanDetail *detail)
{
	ColumnFacts facts;
	ObjectAddress address;
	List	   *indexes;

	if (!fact_column(relid, cmd->name, &facts) || facts.attnum == InvalidAttrNumber)
		return;
	if (get_rel_relkind(relid) != RELKIND_COMPOSITE_TYPE)
		say(detail, "its values in %s are lost", amount(relid));
	indexes = fact_indexes(relid, facts.attnum);
	if (indexes != NIL)
		say(detail, "with it %s %s", list_length(indexes) == 1 ? "goes index" : "go indexes", names_of(indexes));
	ObjectAddressSubSet(address, RelationRelationId, relid, facts.attnum);
	say_dependents(detail, &address, cmd->behavior == DROP_CASCADE);
	note_locks(detail, fact_referenced(relid, NULL, facts.attnum), AccessExclusiveLock);
}

/* A constraint that goes: what it references, and what references its key. */
static void
detail_drop_constraint(Oid relid, const AlterTableCmd *cmd, PlanDetail *detail)
{
	ObjectAddress address;

	note_locks(detail, fact_referenced(relid, cmd->name, InvalidAttrNumber), AccessExclusiveLock);
	ObjectAddressSet(address, ConstraintRelationId, fact_part(ConstraintRelationId, relid, cmd->name));
	if (OidIsValid(address.objectId))
		say_dependents(detail, &address, cmd->behavior == DROP_CASCADE);
}

/* A column whose type changes: what is in the way, foreign keys that are made again. */
static void
detail_column_type(const RelFacts *rel, const AlterTableCmd *cmd, PlanDetail *detail)
{
	ColumnFacts column;

	if (rel->relkind != RELKIND_COMPOSITE_TYPE)
		say(detail, "the column's statistics are lost: ANALYZE %s afterwards", rel->name);
	if (fact_column(rel->relid, cmd->name, &column) && column.attnum > 0)
		note_locks(detail, list_concat_unique_oid(fact_referenced(rel->relid, NULL, column.attnum),
												  fact_referencing(rel->relid, column.attnum)), AccessExclusiveLock);
}

/* The lock that a sub-command takes on what inherits, when lock is the statement's; or NoLock. */
static LOCKMODE
lock_in_children(const RelFacts *rel, const AlterTableCmd *cmd, LOCKMODE lock)
{
	bool		partitioned = rel->relkind == RELKIND_PARTITIONED_TABLE;

	if (cmd->subtype == AT_AddConstraint)
	{
		const Constraint *constraint = castNode(Constraint, cmd->def);
		ListCell   *lc;

		if (constraint->contype != CONSTR_PRIMARY && constraint->contype != CONSTR_UNIQUE &&
			constraint->contype != CONSTR_EXCLUSION)
			return constraint->contype == CONSTR_FOREIGN && !partitioned ? NoLock : lock;
		if (partitioned && constraint->contype == CONSTR_PRIMARY && mg_not_null_is_constraint)
			return lock;

		/*
		 * a key makes its columns NOT NULL; the index of a partition is built
		 * as any
		 */
		foreach(lc, constraint->contype == CONSTR_PRIMARY ? constraint->keys : NIL)
		{
			ColumnFacts column;

			if (!fact_column(rel->relid, strVal(lfirst(lc)), &column) || !column.not_null)
				return lock;
		}
		return partitioned ? ShareLock : NoLock;
	}
	if (cmd->subtype == AT_DropNotNull && mg_not_null_is_constraint)
	{
		ColumnFacts column;

		return fact_column(rel->relid, cmd->name, &column) && column.not_null ? lock : NoLock;
	}
	if (cmd->subtype >= AT_EnableTrig && cmd->subtype <= AT_DisableTrigUser)
		return partitioned && fact_row_trigger(rel->relid, cmd->name, cmd->subtype != AT_EnableTrigUser &&
											   cmd->subtype != AT_DisableTrigUser) ? lock : NoLock;
	return recurses(cmd->subtype, rel->relkind) ? lock : NoLock;
}

/* Does this sub-command look after what inherits, too? */
static bool
recurses(AlterTableType type, char relkind)
{
	static const AlterTableType types[] = {
		AT_AddColumn, AT_ColumnDefault, AT_DropNotNull, AT_SetNotNull, AT_DropExpression, AT_SetStatistics,
		AT_SetStorage, AT_DropColumn, AT_ValidateConstraint, AT_DropConstraint,
		AT_AlterColumnType, MG_AT_RECURSES
	};
	static const AlterTableType in_partitions[] = {
		AT_AlterConstraint, MG_AT_RECURSES_IN_PARTITIONS
	};

	for (int i = 0; i < lengthof(types); i++)
	{
		if (types[i] == type)
			return true;
	}
	for (int i = 0; i < lengthof(in_partitions) && relkind == RELKIND_PARTITIONED_TABLE; i++)
	{
		if (in_partitions[i] == type)
			return true;
	}
	return false;
}

static void
detail_partition(Oid parent, AlterTableCmd *cmd, PlanDetail *detail)
{
	PartitionCmd *partition = castNode(PartitionCmd, cmd->def);
	Oid			relid = fact_relid(partition->name);
	Oid			other = get_rel_relkind(parent) == RELKIND_PARTITIONED_TABLE && overlay_made_by(parent) == 0 ?
		get_default_partition_oid(parent) : InvalidOid;

	note_lock(detail, relid, partition->concurrent ? ShareUpdateExclusiveLock : AccessExclusiveLock);
	if (cmd->subtype == AT_AttachPartition)
	{
		note_locks(detail, fact_referenced(parent, NULL, InvalidAttrNumber), ShareRowExclusiveLock);
		if (OidIsValid(other) && other != relid)
			say(detail, "the default partition is searched for its rows (%s)", amount(other));
	}
	if (OidIsValid(other) && other != relid)
		note_lock(detail, other, AccessExclusiveLock);
}

static void
detail_alter_table(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	AlterTableStmt *alter = castNode(AlterTableStmt, stmt);
	Oid			relid = fact_relid(alter->relation);
	LOCKMODE	lock = AlterTableGetLockLevel(alter->cmds);
	RelFacts	rel;
	List	   *children;
	ListCell   *lc;

	if (!fact_relation(relid, &rel) || rel.temporary)
		return;
	children = alter->relation->inh ? fact_children(relid) : NIL;
	foreach(lc, alter->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		note_locks(detail, children, lock_in_children(&rel, cmd, lock));
		detail_alter_command(&rel, cmd, verdict, detail);
	}
}

/* One sub-command. */
static void
detail_alter_command(const RelFacts *rel, AlterTableCmd *cmd, const Verdict *verdict, PlanDetail *detail)
{
	Oid			relid = rel->relid;

	if (cmd->subtype == AT_AddConstraint)
		detail_constraint(castNode(Constraint, cmd->def), true, detail);
	else if (cmd->subtype == AT_AddColumn)
		detail_constraints(castNode(ColumnDef, cmd->def)->constraints, verdict->scans == TRI_YES, detail);
	else if (cmd->subtype == AT_DropColumn)
		detail_drop_column(relid, cmd, detail);
	else if (cmd->subtype == AT_DropConstraint)
		detail_drop_constraint(relid, cmd, detail);
	else if (cmd->subtype == AT_AlterConstraint && mg_alters_enforced(cmd))
		note_locks(detail, fact_referenced(relid, mg_altered_constraint(cmd), InvalidAttrNumber),
				   mg_becomes_enforced(cmd) ? ShareRowExclusiveLock : AccessExclusiveLock);
	else if (cmd->subtype == AT_ValidateConstraint)
		note_locks(detail, fact_referenced(relid, cmd->name, InvalidAttrNumber), RowShareLock);
	else if ((cmd->subtype == AT_AttachPartition || cmd->subtype == AT_DetachPartition) &&
			 rel->relkind == RELKIND_PARTITIONED_TABLE)
		detail_partition(relid, cmd, detail);
	else if (cmd->subtype == AT_AddInherit)
		note_lock(detail, fact_relid((RangeVar *) cmd->def), ShareUpdateExclusiveLock);
	else if (cmd->subtype == AT_DropInherit)
		note_lock(detail, fact_relid((RangeVar *) cmd->def), AccessShareLock);
	else if (cmd->subtype == AT_AlterColumnType && !rel->is_new)
		detail_column_type(rel, cmd, detail);
	/* a type with tables of its own */
	if (rel->relkind == RELKIND_COMPOSITE_TYPE && cmd->behavior == DROP_CASCADE)
		note_locks(detail, fact_typed_tables(relid), AccessExclusiveLock);
}

/* CREATE TABLE: parents and referenced tables are there already. */
static void
detail_create_table(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	CreateStmt *create = (CreateStmt *) stmt;	/* or of a foreign table */
	ListCell   *lc;

	if (verdict->class == CLASS_NONE)
		return;
	foreach(lc, create->inhRelations)
	{
		Oid			parent = fact_relid(lfirst_node(RangeVar, lc));
		Oid			other;

		note_lock(detail, parent, create->partbound != NULL ? AccessExclusiveLock : ShareUpdateExclusiveLock);
		if (create->partbound == NULL || get_rel_relkind(parent) != RELKIND_PARTITIONED_TABLE)
			continue;
		note_locks(detail, fact_referenced(parent, NULL, InvalidAttrNumber), ShareRowExclusiveLock);
		other = get_default_partition_oid(parent);
		note_lock(detail, other, AccessExclusiveLock);
		if (OidIsValid(other))
			say(detail, "the default partition is searched for rows of the new one (%s)", amount(other));
	}
	foreach(lc, create->tableElts)
	{
		if (IsA(lfirst(lc), Constraint))
			detail_constraint(lfirst_node(Constraint, lc), false, detail);
		else if (IsA(lfirst(lc), ColumnDef))
			detail_constraints(lfirst_node(ColumnDef, lc)->constraints, false, detail);
	}
	detail_constraints(create->constraints, false, detail);
}

static void
detail_constraints(const List *constraints, bool scans, PlanDetail *detail)
{
	ListCell   *lc;

	foreach(lc, constraints)
		detail_constraint(lfirst_node(Constraint, lc), scans, detail);
}

static void
detail_create_index(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	RangeVar   *table = castNode(IndexStmt, stmt)->relation;
	RelFacts	rel;

	if (verdict->lock == NoLock || !fact_relation(fact_relid(table), &rel) || rel.temporary)
		return;
	say(detail, "the lock is on %s", rel.name);
	note_lock(detail, rel.relid, verdict->lock);
	if (table->inh && rel.relkind == RELKIND_PARTITIONED_TABLE)
		note_locks(detail, fact_children(rel.relid), verdict->lock);
}

/* Rows that go, and what is locked with the dropped relation. */
static void
detail_drop_relation(Oid relid, bool concurrent, PlanDetail *detail)
{
	RelFacts	rel;

	if (!fact_relation(relid, &rel) || rel.is_new || rel.temporary)
		return;
	if (rel.relkind == RELKIND_INDEX || rel.relkind == RELKIND_PARTITIONED_INDEX)
		note_lock(detail, fact_index_table(relid), concurrent ? ShareUpdateExclusiveLock : AccessExclusiveLock);
	if (rel.relkind != RELKIND_RELATION && rel.relkind != RELKIND_PARTITIONED_TABLE && rel.relkind != RELKIND_MATVIEW)
		return;
	say(detail, "%s: %s", rel.name, amount(relid));
	note_lock(detail, fact_partition_parent(relid), AccessExclusiveLock);
	note_locks(detail, list_concat_unique_oid(fact_referenced(relid, NULL, InvalidAttrNumber),
											  fact_referencing(relid, InvalidAttrNumber)), AccessExclusiveLock);
}

static void
detail_drop(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	DropStmt   *drop = castNode(DropStmt, stmt);
	bool		cascade = drop->behavior == DROP_CASCADE;
	ListCell   *lc;

	foreach(lc, drop->objects)
	{
		ObjectAddress address = fact_address(drop->removeType, lfirst(lc), NULL);
		RelFacts	rel;

		if (!OidIsValid(address.objectId))
			continue;
		if (address.classId == RelationRelationId)
		{
			if (!fact_relation(address.objectId, &rel) || rel.temporary)
				continue;
			detail_drop_relation(address.objectId, drop->concurrent, detail);
		}
		/* several may keep each other, and go together */
		if (cascade || list_length(drop->objects) == 1)
			say_dependents(detail, &address, cascade);
	}
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

		if (!OidIsValid(relid))
			continue;
		relids = list_append_unique_oid(relids, relid);
		if (lfirst_node(RangeVar, lc)->inh)
			note_locks(detail, fact_children(relid), AccessExclusiveLock);
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
			note_lock(detail, lfirst_oid(lc), AccessExclusiveLock);
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
			note_lock(detail, fact_relid(object->pubtable->relation), ShareUpdateExclusiveLock);
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
	AlterPublicationStmt *alter = castNode(AlterPublicationStmt, stmt);
	ObjectAddress address = fact_address(OBJECT_PUBLICATION, (Node *) makeString(alter->pubname), NULL);

	detail_published(alter->pubobjects, detail);
	if (alter->action == AP_SetObjects && alter->options == NIL && OidIsValid(address.objectId) &&
		overlay_made_by(address.objectId) == 0)
		note_locks(detail, fact_published(address.objectId), ShareUpdateExclusiveLock);
}

/* RENAME of a column or a CHECK: in all that inherits it. */
static void
detail_rename(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	RenameStmt *rename = castNode(RenameStmt, stmt);
	Oid			relid = fact_relid(rename->relation);

	if (!OidIsValid(relid))
		return;
	if ((rename->renameType == OBJECT_COLUMN || rename->renameType == OBJECT_TABCONSTRAINT) && rename->relation->inh)
		note_locks(detail, fact_children(relid), AccessExclusiveLock);
	else if (rename->renameType == OBJECT_ATTRIBUTE && rename->behavior == DROP_CASCADE)
		note_locks(detail, fact_typed_tables(relid), AccessExclusiveLock);
}

/* LOCK TABLE: what inherits, and what a view reads. */
static void
detail_lock(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	LockStmt   *lock = castNode(LockStmt, stmt);
	List	   *relids = NIL;
	ListCell   *lc;

	foreach(lc, lock->relations)
	{
		Oid			relid = fact_relid(lfirst_node(RangeVar, lc));

		if (!OidIsValid(relid))
			continue;
		relids = list_append_unique_oid(relids, relid);
		if (lfirst_node(RangeVar, lc)->inh)
			relids = list_concat_unique_oid(relids, fact_children(relid));
	}
	foreach(lc, relids)
	{
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_VIEW)
			relids = list_concat_unique_oid(relids, fact_viewed(lfirst_oid(lc)));
	}
	note_locks(detail, relids, lock->mode);
}

/* VACUUM and ANALYZE: each of the tables, and their partitions. */
static void
detail_vacuum(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	ListCell   *lc;

	foreach(lc, castNode(VacuumStmt, stmt)->rels)
	{
		Oid			relid = fact_relid(lfirst_node(VacuumRelation, lc)->relation);

		if (!OidIsValid(relid))
			continue;
		note_lock(detail, relid, verdict->lock);
		if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
			note_locks(detail, fact_children(relid), verdict->lock);
	}
}

/* A trigger for each row of a partitioned table is made in its partitions, too. */
static void
detail_create_trigger(Node *stmt, const Verdict *verdict, PlanDetail *detail)
{
	CreateTrigStmt *create = castNode(CreateTrigStmt, stmt);
	RelFacts	rel;

	if (fact_relation(fact_relid(create->constrrel), &rel))
		note_lock(detail, rel.relid, AccessShareLock);
	if (create->row && fact_relation(fact_relid(create->relation), &rel) && rel.relkind == RELKIND_PARTITIONED_TABLE)
		note_locks(detail, fact_children(rel.relid), ShareRowExclusiveLock);
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
		char		relkind = get_rel_relkind(lfirst_oid(lc));

		if (relkind != RELKIND_RELATION && relkind != RELKIND_MATVIEW)
			continue;
		note_lock(detail, lfirst_oid(lc), ShareLock);
		say(detail, "reads it (%s)", amount(lfirst_oid(lc)));
	}
}
