/*
 * classify_alter.c
 *	  ALTER TABLE (and VIEW, INDEX, SEQUENCE, TYPE, ...): its sub-commands.
 *
 * Each sub-command is a finding; the worst is the verdict.  Its lock level is
 * what the server itself computes from the raw sub-commands.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "commands/defrem.h"
#include "commands/tablecmds.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "judge.h"
#include "neteffect.h"
#include "recipe.h"

#define HAS_ROWS(relkind) \
	((relkind) == RELKIND_RELATION || (relkind) == RELKIND_MATVIEW)

static void judge_command(Judgement *j, AlterTableCmd *cmd);
static Finding finding_of(const Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
static const char *kind_of_relation(char relkind);

/* What a relation is called. */
static const char *
kind_of_relation(char relkind)
{
	static const char *const words[128] = {
		[RELKIND_RELATION] = "table",
		[RELKIND_PARTITIONED_TABLE] = "table",
		[RELKIND_VIEW] = "view",
		[RELKIND_MATVIEW] = "materialized view",
		[RELKIND_FOREIGN_TABLE] = "foreign table",
		[RELKIND_INDEX] = "index",
		[RELKIND_PARTITIONED_INDEX] = "index",
		[RELKIND_SEQUENCE] = "sequence",
		[RELKIND_COMPOSITE_TYPE] = "type",
	};

	return relkind > 0 && words[(int) relkind] != NULL ? words[(int) relkind] : "table";
}

void
judge_alter_table(Judgement *j, const StatementRule *rule)
{
	AlterTableStmt *stmt = castNode(AlterTableStmt, j->stmt);
	ListCell   *lc;

	if (!j->found)
	{
		judge_add(j, stmt->missing_ok ? CLASS_NONE : CLASS_ADDITIVE, rule->rule, "it does not exist");
		return;
	}
	if (j->rel.temporary)
		return;
	j->verdict->lock = AlterTableGetLockLevel(stmt->cmds);
	foreach(lc, stmt->cmds)
		judge_command(j, lfirst_node(AlterTableCmd, lc));
}

static void
judge_command(Judgement *j, AlterTableCmd *cmd)
{
	const AlterRule *rule = rule_of_alter(cmd->subtype);
	Finding		finding;

	j->deed = NULL;
	if (rule == NULL)
	{
		judge_add(j, CLASS_UNCLASSIFIED, "unclassified", "migmgr has no rule for this form of ALTER TABLE");
		return;
	}
	if (rule->judge != NULL)
	{
		rule->judge(j, cmd, rule);
		return;
	}
	finding = finding_of(j, cmd, rule);
	if (rule->column && cmd->name != NULL && fact_column_new(j->rel.relid, cmd->name))
		finding.class = CLASS_ADDITIVE;
	judge_find(j, &j->rel, &finding);
}

/* The finding that a row says, put into words for this table. */
static Finding
finding_of(const Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Finding		finding = {
		.class = rule->class,.rule = rule->rule,.reason = rule->reason,.hint = rule->hint,
		.rewrites = rule->rewrites,.scans = rule->scans,
	};

	if (rule->deed == NULL)
		return finding;
	if (cmd->name == NULL)
		finding.deed = psprintf("%s %s %s", rule->deed, kind_of_relation(j->rel.relkind), j->rel.name);
	else if (rule->column)
	{
		finding.column = cmd->name;
		finding.deed = psprintf("%s %s.%s", rule->deed, j->rel.name, quote_identifier(cmd->name));
	}
	else
		finding.deed = psprintf("%s %s of %s %s", rule->deed, quote_identifier(cmd->name),
								kind_of_relation(j->rel.relkind), j->rel.name);
	return finding;
}

void
judge_drop_column(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Finding		finding = finding_of(j, cmd, rule);
	ColumnFacts column;

	finding.drops = true;
	if (!fact_column(j->rel.relid, cmd->name, &column))
	{
		finding.class = CLASS_ADDITIVE;
		finding.reason = "there is no such column";
	}
	else if (column.is_new)
	{
		finding.class = CLASS_ADDITIVE;
		finding.reason = "the column is new in this transaction";
	}
	judge_find(j, &j->rel, &finding);
}

/* SET DEFAULT, DROP DEFAULT. */
void
judge_column_default(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Finding		finding = finding_of(j, cmd, rule);
	ColumnFacts column;

	(void) fact_column(j->rel.relid, cmd->name, &column);
	finding.class = column.has_default ? CLASS_REPLACING : CLASS_ADDITIVE;
	finding.reason = "rows inserted from now on get another value";
	if (cmd->def == NULL && column.not_null && column.has_default)
	{
		finding.class = CLASS_RESTRICTIVE;
		finding.rule = "drop-default";
		finding.reason = "inserts that leave the column out fail, because it is NOT NULL";
	}
	if (column.is_new)
		finding.class = CLASS_ADDITIVE;
	judge_find(j, &j->rel, &finding);
}

void
judge_drop_not_null(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Finding		finding = finding_of(j, cmd, rule);
	ColumnFacts column;

	(void) fact_column(j->rel.relid, cmd->name, &column);
	if (!column.not_null)
	{
		finding.class = CLASS_ADDITIVE;
		finding.reason = "the column accepts NULL already";
	}
	judge_find(j, &j->rel, &finding);
}

/* A constraint that goes: with an index, or only a rule. */
void
judge_drop_constraint(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Finding		finding = finding_of(j, cmd, rule);
	Oid			oid = fact_part(ConstraintRelationId, j->rel.relid, cmd->name);
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(oid));
	char		type;

	finding.deed = psprintf("drop constraint %s of %s %s", quote_identifier(cmd->name),
							kind_of_relation(j->rel.relkind), j->rel.name);
	if (!HeapTupleIsValid(tuple))
	{
		finding.class = CLASS_ADDITIVE;
		finding.reason = "there is no such constraint";
		judge_find(j, &j->rel, &finding);
		return;
	}
	type = ((Form_pg_constraint) GETSTRUCT(tuple))->contype;
	ReleaseSysCache(tuple);

	finding.drops = finding.definition = true;
	finding.reason = "rows that were refused are accepted";
	if (type == CONSTRAINT_FOREIGN)
		finding.rule = "drop-foreign-key";
	else if (type == CONSTRAINT_PRIMARY || type == CONSTRAINT_UNIQUE || type == CONSTRAINT_EXCLUSION)
	{
		finding.rule = type == CONSTRAINT_PRIMARY ? "drop-primary-key" : "drop-unique";
		finding.class = CLASS_DESTRUCTIVE;
		finding.reason = "the index goes with it, and upserts and foreign keys that rely on it";
	}
	if (fresh_is_new(ConstraintRelationId, oid, 0))
		finding.class = CLASS_ADDITIVE;
	judge_find(j, &j->rel, &finding);
}

/* SET EXPRESSION: a virtual column (18) has no values to write again. */
void
judge_set_expression(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Finding		finding = finding_of(j, cmd, rule);
	ColumnFacts column;
	bool		there = fact_column(j->rel.relid, cmd->name, &column);

	if (there && column.attnum > 0 && get_attgenerated(j->rel.relid, column.attnum) == 'v')
	{
		finding.class = CLASS_RESTRICTIVE;
		finding.reason = "readers get other values";
		finding.rewrites = finding.scans = TRI_NO;
	}
	if (!there || column.is_new)
		finding.class = CLASS_ADDITIVE;
	judge_find(j, &j->rel, &finding);
}

/* ALTER CONSTRAINT: later or not at all, or (18) from now on and for all rows. */
void
judge_alter_constraint(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Finding		finding = finding_of(j, cmd, rule);

	finding.deed = psprintf("alter constraint %s of %s %s", quote_identifier(mg_altered_constraint(cmd)),
							kind_of_relation(j->rel.relkind), j->rel.name);
	if (mg_alters_enforced(cmd) && mg_becomes_enforced(cmd))
	{
		finding.class = CLASS_RESTRICTIVE;
		finding.rule = "enforce-constraint";
		finding.reason = "rows that are accepted now will be refused";
		judge_find(j, &j->rel, &finding);
		finding.class = CLASS_BLOCKING;
		finding.reason = "every row is checked under an exclusive lock";
		finding.hint = "Add another one NOT VALID, VALIDATE CONSTRAINT in a migration of its own, then drop this one.";
		finding.scans = TRI_YES;
	}
	judge_find(j, &j->rel, &finding);
}

void
judge_alter_owner(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Finding		finding = finding_of(j, cmd, rule);

	finding.reason = "another role gets all rights to it";
	if (j->rel.owner == get_rolespec_oid(cmd->newowner, true))
	{
		j->passes_own = true;
		finding.class = CLASS_ADDITIVE;
		finding.reason = "it has this owner already";
	}
	judge_find(j, &j->rel, &finding);
}

/* SET LOGGED, SET UNLOGGED. */
void
judge_persistence(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Finding		finding = finding_of(j, cmd, rule);
	char		wanted = cmd->subtype == AT_SetLogged ? RELPERSISTENCE_PERMANENT : RELPERSISTENCE_UNLOGGED;

	finding.rewrites = finding.scans = HAS_ROWS(j->rel.relkind) ? TRI_YES : TRI_NO;
	if (j->rel.persistence == wanted)
	{
		finding.class = CLASS_ADDITIVE;
		finding.reason = "it is so already";
		finding.rewrites = finding.scans = TRI_NO;
	}
	judge_find(j, &j->rel, &finding);
}

void
judge_access_method(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Finding		finding = finding_of(j, cmd, rule);
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(j->rel.relid));
	Oid			current = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		current = ((Form_pg_class) GETSTRUCT(tuple))->relam;
		ReleaseSysCache(tuple);
	}
	finding.rewrites = finding.scans = j->rel.relkind == RELKIND_PARTITIONED_TABLE ? TRI_NO : TRI_YES;
	if (cmd->name != NULL && current == get_am_oid(cmd->name, true))
	{
		finding.class = CLASS_ADDITIVE;
		finding.reason = "it is so already";
		finding.rewrites = finding.scans = TRI_NO;
	}
	judge_find(j, &j->rel, &finding);
}

/* SET TABLESPACE: the files are copied, unless there are none or they are there. */
void
judge_tablespace(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Finding		finding = finding_of(j, cmd, rule);
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(j->rel.relid));
	Oid			current = InvalidOid;
	Oid			wanted = get_tablespace_oid(cmd->name, true);

	if (HeapTupleIsValid(tuple))
	{
		current = ((Form_pg_class) GETSTRUCT(tuple))->reltablespace;
		ReleaseSysCache(tuple);
	}
	finding.rewrites = HAS_ROWS(j->rel.relkind) ? TRI_YES : TRI_NO;
	if (j->rel.relkind == RELKIND_PARTITIONED_TABLE || j->rel.relkind == RELKIND_PARTITIONED_INDEX)
	{
		finding.class = CLASS_ADDITIVE;
		finding.reason = "it holds for partitions made later";
	}
	else if ((OidIsValid(current) ? current : MyDatabaseTableSpace) == wanted)
	{
		finding.class = CLASS_ADDITIVE;
		finding.reason = "it is there already";
		finding.rewrites = TRI_NO;
	}
	judge_find(j, &j->rel, &finding);
}

/* VALIDATE CONSTRAINT: reads the rows, unless it is valid already. */
void
judge_validate(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Finding		finding = finding_of(j, cmd, rule);
	Oid			oid = fact_part(ConstraintRelationId, j->rel.relid, cmd->name);
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(oid));

	finding.reason = "the table is read while others read and write it";
	if (HeapTupleIsValid(tuple))
	{
		if (((Form_pg_constraint) GETSTRUCT(tuple))->convalidated)
		{
			finding.scans = TRI_NO;
			finding.reason = "it is validated already";
		}
		ReleaseSysCache(tuple);
	}
	judge_find(j, &j->rel, &finding);
}

/* SET (...), RESET (...): harmless but for the security options of views. */
void
judge_relation_options(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Finding		finding = finding_of(j, cmd, rule);
	ListCell   *lc;

	foreach(lc, (List *) cmd->def)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "security_barrier") != 0 && strcmp(option->defname, "security_invoker") != 0)
			continue;
		if (cmd->subtype == AT_ResetRelOptions || !defGetBoolean(option))
		{
			finding.class = CLASS_SECURITY;
			finding.rule = "weaken-view";
			finding.reason = psprintf("the view loses %s", option->defname);
		}
	}
	judge_find(j, &j->rel, &finding);
}

void
judge_replica_identity(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Finding		finding = finding_of(j, cmd, rule);

	if (castNode(ReplicaIdentityStmt, cmd->def)->identity_type == REPLICA_IDENTITY_NOTHING)
	{
		finding.class = CLASS_RESTRICTIVE;
		finding.reason = "UPDATE and DELETE fail while the table is published";
	}
	judge_find(j, &j->rel, &finding);
}

/* Row security on or off: nothing when it is so already. */
void
judge_row_security(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Finding		finding = finding_of(j, cmd, rule);
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(j->rel.relid));
	bool		enabled = false;
	bool		forced = false;

	if (HeapTupleIsValid(tuple))
	{
		enabled = ((Form_pg_class) GETSTRUCT(tuple))->relrowsecurity;
		forced = ((Form_pg_class) GETSTRUCT(tuple))->relforcerowsecurity;
		ReleaseSysCache(tuple);
	}
	if ((cmd->subtype == AT_EnableRowSecurity && enabled) ||
		(cmd->subtype == AT_DisableRowSecurity && !enabled) ||
		(cmd->subtype == AT_ForceRowSecurity && forced) ||
		(cmd->subtype == AT_NoForceRowSecurity && !forced))
	{
		finding.class = CLASS_ADDITIVE;
		finding.reason = "it is so already";
	}
	judge_find(j, &j->rel, &finding);
}

/*
 * ATTACH PARTITION scans the partition (and a default partition) under a lock
 * unless constraints prove what it would find; DETACH takes rows away.
 */
void
judge_attach(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	PartitionCmd *partition = castNode(PartitionCmd, cmd->def);
	Finding		finding = finding_of(j, cmd, rule);
	RelFacts	rel;
	bool		found = fact_relation(fact_relid(partition->name), &rel);

	/* without a bound it is one of an index, whatever the name stands for */
	if (j->rel.relkind == RELKIND_PARTITIONED_INDEX ||
		(cmd->subtype == AT_AttachPartition && partition->bound == NULL))
	{
		finding.class = CLASS_ADDITIVE;
		judge_find(j, &j->rel, &finding);
		return;
	}
	finding.deed = psprintf("%s %s %s table %s",
							cmd->subtype == AT_AttachPartition ? "attach partition" : "detach partition",
							found ? rel.name : partition->name->relname,
							cmd->subtype == AT_AttachPartition ? "to" : "from", j->rel.name);
	if (cmd->subtype == AT_DetachPartition)
	{
		j->verdict->concurrent = partition->concurrent;
		if (!partition->concurrent)
			finding.hint = psprintf("To keep nobody from the other partitions meanwhile: ALTER TABLE %s DETACH PARTITION %s CONCURRENTLY;"
									" outside a transaction.", j->rel.name, found ? rel.name : partition->name->relname);
		judge_find(j, found ? &rel : &j->rel, &finding);
		return;
	}
	finding.scans = !found || rel.is_new || j->rel.is_new ? TRI_UNKNOWN :
		expression_attach_scans(j->rel.relid, rel.relid, partition->bound);
	finding.reason = finding.scans == TRI_YES ?
		"rows are read under an exclusive lock: of the partition, or of the default partition" :
		"the partition is read under an exclusive lock, unless a CHECK proves its bounds";
	if (finding.scans == TRI_NO)
	{
		finding.class = CLASS_ADDITIVE;
		finding.reason = "constraints prove that all rows belong there";
	}
	if (found && finding.scans != TRI_NO)
		finding.hint = recipe_attach(&j->rel, &rel, partition->bound);
	judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	if (found)
	{
		ObjectAddress address = InvalidObjectAddress;

		ObjectAddressSet(address, RelationRelationId, rel.relid);
		judge_object(j, &address);
		judge_find(j, &rel, &finding);
	}
}
