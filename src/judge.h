/*
 * judge.h
 *	  Inside the classify room: const rules, and how findings become a verdict.
 *
 * A rule is a row; what needs the catalog is in its judge function, which
 * reports findings.  The worst finding that counts is the verdict.
 */
#ifndef MIGMGR_JUDGE_H
#define MIGMGR_JUDGE_H

#include "classify.h"
#include "facts.h"

/* one thing that a statement does */
typedef struct Finding
{
	MigClass	class;
	const char *rule;
	const char *reason;
	const char *hint;
	char	   *deed;			/* NULL: the command and its object */
	char	   *column;
	bool		drops;
	bool		definition;
	Tristate	rewrites;
	Tristate	scans;
} Finding;

/* a statement while it is judged */
typedef struct Judgement
{
	Node	   *stmt;
	Verdict    *verdict;		/* worst finding so far */
	Verdict		worst;			/* it as it was found */
	Verdict    *firm;			/* worst that is no drop of a definition */
	RelFacts	rel;			/* the relation it names, when it exists */
	bool		found;			/* ... it does */
	bool		absent;			/* ... it does not, and the statement needs it */
	bool		temporary;		/* what it names is in pg_temp */
	char	   *deed;			/* for findings that do not say */
	bool		own;			/* touches what belongs to migmgr */
	bool		passes_own;		/* ... in a way that is allowed */
	Tristate	rewrites;		/* over all findings */
	Tristate	scans;
	List	   *parts;			/* of Verdict *: the findings */
} Judgement;

typedef struct StatementRule
{
	const char *rule;
	MigClass	class;
	const char *reason;
	const char *hint;
	LOCKMODE	lock;			/* on the relation it names */
	/* where the name is: 1 + offset of the field, 0 for none */
	int			relation;		/* RangeVar * */
	int			names;			/* List of String */
	int			name;			/* char * */
	bool		creates;		/* the name is of something new */
	void		(*judge) (Judgement *j, const struct StatementRule *rule);
} StatementRule;

typedef struct AlterRule
{
	const char *rule;
	MigClass	class;
	const char *reason;
	const char *hint;
	const char *deed;			/* 'drop column', 'enable trigger', 'make
								 * logged' */
	bool		column;			/* the name in the sub-command is a column's */
	Tristate	rewrites;
	Tristate	scans;
	void		(*judge) (Judgement *j, AlterTableCmd *cmd, const struct AlterRule *rule);
} AlterRule;

/* a kind of object when it is dropped, renamed, ... */
typedef struct ObjectRule
{
	const char *word;			/* 'table', 'materialized view' */
	const char *drop_rule;
	MigClass	drop_class;
	bool		definition;		/* holds no data: may come back */
	const char *rename_rule;
	MigClass	rename_class;
} ObjectRule;

/* classify_rules.c */
extern const StatementRule *rule_of_statement(NodeTag tag);
extern const AlterRule *rule_of_alter(AlterTableType type);
extern const ObjectRule *rule_of_object(ObjectType type);

/* classify.c */
extern void judge_find(Judgement *j, const RelFacts *rel, const Finding *finding);
extern void judge_add(Judgement *j, MigClass class, const char *rule, const char *reason);
extern void judge_object(Judgement *j, const ObjectAddress *address);
extern void judge_merge(Judgement *j, const Verdict *verdict);
extern char *judge_name(const Judgement *j);

/* classify_statement.c, _function.c, _object.c, _grant.c: kinds of statements */
extern bool judge_option(List *options, const char *name);
extern void judge_create_table(Judgement *j, const StatementRule *rule);
extern void judge_create_as(Judgement *j, const StatementRule *rule);
extern void judge_create_sequence(Judgement *j, const StatementRule *rule);
extern void judge_create_view(Judgement *j, const StatementRule *rule);
extern void judge_create_function(Judgement *j, const StatementRule *rule);
extern void judge_alter_function(Judgement *j, const StatementRule *rule);
extern void judge_create_trigger(Judgement *j, const StatementRule *rule);
extern void judge_create_policy(Judgement *j, const StatementRule *rule);
extern void judge_create_rule(Judgement *j, const StatementRule *rule);
extern void judge_create_index(Judgement *j, const StatementRule *rule);
extern void judge_create_schema(Judgement *j, const StatementRule *rule);
extern void judge_create_extension(Judgement *j, const StatementRule *rule);
extern void judge_create_publication(Judgement *j, const StatementRule *rule);
extern void judge_create_role(Judgement *j, const StatementRule *rule);
extern void judge_alter_publication(Judgement *j, const StatementRule *rule);
extern void judge_alter_extension(Judgement *j, const StatementRule *rule);
extern void judge_alter_extension_contents(Judgement *j, const StatementRule *rule);
extern void judge_alter_sequence(Judgement *j, const StatementRule *rule);
extern void judge_alter_domain(Judgement *j, const StatementRule *rule);
extern void judge_alter_enum(Judgement *j, const StatementRule *rule);
extern void judge_drop(Judgement *j, const StatementRule *rule);
extern void judge_rename(Judgement *j, const StatementRule *rule);
extern void judge_set_schema(Judgement *j, const StatementRule *rule);
extern void judge_owner(Judgement *j, const StatementRule *rule);
extern void judge_grant(Judgement *j, const StatementRule *rule);
extern void judge_grant_role(Judgement *j, const StatementRule *rule);
extern void judge_default_privileges(Judgement *j, const StatementRule *rule);
extern void judge_refresh(Judgement *j, const StatementRule *rule);
extern void judge_vacuum(Judgement *j, const StatementRule *rule);
extern void judge_cluster(Judgement *j, const StatementRule *rule);
extern void judge_reindex(Judgement *j, const StatementRule *rule);
extern void judge_depends(Judgement *j, const StatementRule *rule);
extern void judge_comment(Judgement *j, const StatementRule *rule);

/* classify_data.c: rows, queries, and statements around statements */
extern void judge_select(Judgement *j, const StatementRule *rule);
extern Tristate judge_reads(Node *query);
extern void judge_insert(Judgement *j, const StatementRule *rule);
extern void judge_update(Judgement *j, const StatementRule *rule);
extern void judge_delete(Judgement *j, const StatementRule *rule);
extern void judge_merge_into(Judgement *j, const StatementRule *rule);
extern void judge_truncate(Judgement *j, const StatementRule *rule);
extern void judge_copy(Judgement *j, const StatementRule *rule);
extern void judge_lock(Judgement *j, const StatementRule *rule);
extern void judge_explain(Judgement *j, const StatementRule *rule);
extern void judge_prepare(Judgement *j, const StatementRule *rule);
extern void judge_execute(Judgement *j, const StatementRule *rule);
extern void judge_cursor(Judgement *j, const StatementRule *rule);
extern void judge_fetch(Judgement *j, const StatementRule *rule);
extern void judge_query(Judgement *j, const StatementRule *rule);

/* classify_alter.c: ALTER TABLE and its sub-commands */
extern void judge_alter_table(Judgement *j, const StatementRule *rule);
extern void judge_column_default(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_drop_column(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_drop_constraint(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_set_expression(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_alter_constraint(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_alter_owner(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_persistence(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_access_method(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_relation_options(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_replica_identity(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_tablespace(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_validate(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_attach(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_row_security(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_drop_not_null(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);

/* classify_column.c: what needs expressions and constraints planned */
extern void judge_add_column(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_add_constraint(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_column_type(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_set_not_null(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule);
extern void judge_constraint_columns(Judgement *j, const Constraint *constraint, List **columns);

/* expression.c: the planner's opinion, in a subtransaction that is undone */
extern Tristate expression_volatile(Node *raw, TypeName *type);
extern Tristate expression_type_rewrites(Oid relid, AttrNumber attnum, ColumnDef *def, bool *redoes);
extern Tristate expression_attach_scans(Oid parent, Oid partition, PartitionBoundSpec *bound);
extern char *expression_partition_check(Oid parent, Oid partition, const PartitionBoundSpec *bound);
extern Tristate expression_proves_not_null(Oid relid, const char *column);

#endif							/* MIGMGR_JUDGE_H */
