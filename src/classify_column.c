/*
 * classify_column.c
 *	  Judges of columns and constraints: what is rewritten, scanned, refused.
 *
 * What looks at old rows blocks in proportion to their number; what refuses
 * new rows restricts.  A constraint only on columns that are new in this
 * transaction restricts nobody yet.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "catalog/namespace.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "judge.h"
#include "overlay.h"
#include "recipe.h"

#define HAS_ROWS(relkind) \
	((relkind) == RELKIND_RELATION || (relkind) == RELKIND_PARTITIONED_TABLE)

/* what the constraints of a column definition amount to */
typedef struct ColumnParts
{
	Node	   *fallback;		/* DEFAULT expression */
	bool		not_null;
	bool		generated;		/* stored */
	bool		computed;		/* when it is read */
	bool		filled;			/* identity, generated, serial: never missing */
	bool		identity;
	bool		unique;
	bool		foreign_key;
	bool		check;
} ColumnParts;

static ColumnParts column_parts(ColumnDef *def);
static bool is_serial(TypeName *type);
static void find_in_column(Judgement *j, ColumnDef *def, MigClass class, const char *rule,
						   const char *reason, const char *hint);
static bool collect_columns(Node *node, List **columns);
static bool only_new_columns(Judgement *j, List *columns);
static void judge_typed_tables(Judgement *j, AlterTableCmd *cmd, Finding finding);
static bool adds_column(Node *stmt, const char *name);
static bool drops_constraint(Node *stmt);
static void judge_foreign_key(Judgement *j, Constraint *constraint, bool restricts);
static bool index_takes_nulls(Oid relid, Oid index);
static void judge_indexed(Judgement *j, Constraint *constraint, const char *rule, bool restricts);

static bool
is_serial(TypeName *type)
{
	static const char *const names[] = {
		"smallserial", "serial2", "serial", "serial4", "bigserial", "serial8",
	};

	if (list_length(type->names) != 1 || type->pct_type)
		return false;
	for (int i = 0; i < lengthof(names); i++)
	{
		if (strcmp(strVal(linitial(type->names)), names[i]) == 0)
			return true;
	}
	return false;
}

static ColumnParts
column_parts(ColumnDef *def)
{
	ColumnParts parts = {0};
	ListCell   *lc;

	parts.fallback = def->raw_default;
	parts.not_null = def->is_not_null;
	foreach(lc, def->constraints)
	{
		Constraint *constraint = lfirst_node(Constraint, lc);

		if (constraint->contype == CONSTR_DEFAULT)
			parts.fallback = constraint->raw_expr;
		else if (constraint->contype == CONSTR_GENERATED)
		{
			parts.generated = mg_generated_stored(constraint);
			parts.computed = !parts.generated;
			parts.filled = true;
		}
		else if (constraint->contype == CONSTR_IDENTITY)
			parts.identity = parts.filled = true;
		else if (constraint->contype == CONSTR_NOTNULL)
			parts.not_null = true;
		else if (constraint->contype == CONSTR_UNIQUE)
			parts.unique = true;
		else if (constraint->contype == CONSTR_PRIMARY)
			parts.unique = parts.not_null = true;
		else if (constraint->contype == CONSTR_FOREIGN)
			parts.foreign_key = mg_constraint_enforced(constraint);
		else if (constraint->contype == CONSTR_CHECK)
			parts.check = mg_constraint_enforced(constraint) && !constraint->skip_validation;
	}
	return parts;
}

static void
find_in_column(Judgement *j, ColumnDef *def, MigClass class, const char *rule,
			   const char *reason, const char *hint)
{
	Finding		finding = {
		.class = class,.rule = rule,.reason = reason,.hint = hint,.column = def->colname,
		.rewrites = class == CLASS_REWRITING ? TRI_YES : TRI_NO,
		.scans = class == CLASS_BLOCKING || class == CLASS_REWRITING ? TRI_YES : TRI_NO,
	};

	finding.deed = psprintf("add column %s.%s", j->rel.name, quote_identifier(def->colname));
	judge_find(j, &j->rel, &finding);
}

/* what comes after a column that is added without what would fill it */
#define THEN_DEFAULT "SET its DEFAULT, which old rows do not get, and fill them in batches."
#define THEN_NUMBERS "SET its DEFAULT to nextval() of a sequence of its own, and fill old rows in batches."
#define THEN_INDEX \
	"CREATE UNIQUE INDEX CONCURRENTLY on it, outside a transaction; then ADD CONSTRAINT ... UNIQUE USING INDEX."
#define THEN_CHECK "add the CHECK NOT VALID; then VALIDATE CONSTRAINT in a migration of its own."
#define THEN_FOREIGN_KEY \
	"SET its DEFAULT, add the FOREIGN KEY NOT VALID, fill old rows in batches; then VALIDATE CONSTRAINT in a migration of its own."

void
judge_add_column(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	ColumnDef  *def = castNode(ColumnDef, cmd->def);
	ColumnParts parts;
	ColumnFacts there;
	Oid			type;
	Tristate	fills_anew;

	find_in_column(j, def, CLASS_ADDITIVE, rule->rule, NULL, NULL);
	if (fact_column(j->rel.relid, def->colname, &there))
	{
		if (cmd->missing_ok)
			j->verdict->reason = "the column exists already; the lock is taken all the same";
		return;
	}
	if (!HAS_ROWS(j->rel.relkind))
		return;

	parts = column_parts(def);
	type = fact_type(def->typeName);
	if (is_serial(def->typeName))
	{
		parts.filled = true;
		find_in_column(j, def, CLASS_REWRITING, "add-column-serial",
					   "every row is written again to number it", recipe_add_column(&j->rel, def, THEN_NUMBERS));
	}
	if (parts.identity)
		find_in_column(j, def, CLASS_REWRITING, "add-column-identity",
					   "every row is written again to number it", recipe_add_column(&j->rel, def, THEN_NUMBERS));
	if (parts.generated)
		find_in_column(j, def, CLASS_REWRITING, "add-column-generated",
					   "every row is written again to compute it", recipe_generated(&j->rel, def));
	fills_anew = expression_volatile(parts.fallback, def->typeName);
	if (fills_anew == TRI_UNKNOWN)
		j->rewrites = j->scans = TRI_UNKNOWN;
	if (fills_anew == TRI_YES)
		find_in_column(j, def, CLASS_REWRITING, "add-column-volatile-default",
					   "every row is written again, because the default gives each another value",
					   recipe_add_column(&j->rel, def, THEN_DEFAULT));
	if (overlay_made_by(type) != 0)
		j->rewrites = j->scans = TRI_UNKNOWN;
	if (OidIsValid(type) && get_typtype(type) == TYPTYPE_DOMAIN && DomainHasConstraints(type))
		find_in_column(j, def, CLASS_REWRITING, "add-column-domain",
					   "every row is written again to check the domain", recipe_domain(&j->rel, def));
	if (parts.not_null && parts.fallback == NULL && !parts.filled)
	{
		j->scans = Max(j->scans, TRI_YES);
		find_in_column(j, def, CLASS_RESTRICTIVE, "add-column-not-null",
					   "it fails on rows that are there, and inserts that do not name the column fail",
					   psprintf("Give it a DEFAULT, which costs nothing when it is the same for all rows.  Or: %s",
								recipe_add_column(&j->rel, def, psprintf("fill it; %s", recipe_not_null(&j->rel, def->colname)))));
	}
	if (parts.computed && parts.not_null)
		find_in_column(j, def, CLASS_BLOCKING, "add-column-not-null",
					   "every row is computed under an exclusive lock, to see that none is NULL",
					   recipe_add_column(&j->rel, def, recipe_not_null(&j->rel, def->colname)));
	if (parts.unique)
		find_in_column(j, def, CLASS_BLOCKING, "add-column-unique",
					   "the table is scanned for its index under an exclusive lock",
					   recipe_add_column(&j->rel, def, THEN_INDEX));
	if (parts.check)
		find_in_column(j, def, CLASS_BLOCKING, "add-column-check",
					   "the table is scanned under an exclusive lock",
					   recipe_add_column(&j->rel, def, THEN_CHECK));
	if (parts.foreign_key && parts.fallback != NULL)
		find_in_column(j, def, CLASS_BLOCKING, "add-column-foreign-key",
					   "both tables are scanned under a lock",
					   recipe_add_column(&j->rel, def, THEN_FOREIGN_KEY));
}

/* Names of columns that a raw expression mentions. */
static bool
collect_columns(Node *node, List **columns)
{
	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
	{
		if (IsA(llast(castNode(ColumnRef, node)->fields), String))
			*columns = lappend(*columns, llast(castNode(ColumnRef, node)->fields));
		return false;
	}
	return raw_expression_tree_walker(node, collect_columns, columns);
}

/* Are all of these columns new in this transaction, or not there (yet)? */
static bool
only_new_columns(Judgement *j, List *columns)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		ColumnFacts facts;

		if (fact_column(j->rel.relid, strVal(lfirst(lc)), &facts) && !facts.is_new)
			return false;
	}
	return columns != NIL;
}

void
judge_constraint_columns(Judgement *j, const Constraint *constraint, List **columns)
{
	*columns = NIL;
	if (constraint->contype == CONSTR_CHECK)
		(void) collect_columns(constraint->raw_expr, columns);
	else if (constraint->contype == CONSTR_FOREIGN)
		*columns = constraint->fk_attrs;
	else if (constraint->contype == CONSTR_EXCLUSION)
	{
		ListCell   *lc;

		foreach(lc, constraint->exclusions)
		{
			IndexElem  *element = linitial_node(IndexElem, lfirst_node(List, lc));

			if (element->name != NULL)
				*columns = lappend(*columns, makeString(element->name));
		}
	}
	else
		*columns = constraint->keys;
}

void
judge_add_constraint(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	Constraint *constraint = castNode(Constraint, cmd->def);
	List	   *columns;
	bool		restricts;

	judge_constraint_columns(j, constraint, &columns);
	restricts = !only_new_columns(j, columns) && mg_constraint_enforced(constraint);
	j->deed = constraint->conname == NULL ? psprintf("add a constraint to table %s", j->rel.name) :
		psprintf("add constraint %s to table %s", quote_identifier(constraint->conname), j->rel.name);
	judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);

	if (constraint->contype == CONSTR_FOREIGN)
		judge_foreign_key(j, constraint, restricts);
	else if (constraint->contype == CONSTR_UNIQUE)
		judge_indexed(j, constraint, "add-unique", restricts);
	else if (constraint->contype == CONSTR_PRIMARY)
		judge_indexed(j, constraint, "add-primary-key", restricts);
	else if (constraint->contype == CONSTR_EXCLUSION)
		judge_indexed(j, constraint, "add-exclusion", restricts);
	else
	{
		Finding		blocks = {
			.class = CLASS_BLOCKING,.scans = TRI_YES,.hint = recipe_validate(&j->rel, constraint),
			.rule = constraint->contype == CONSTR_CHECK ? "add-check" : "add-not-null",
			.reason = "the table is scanned under an exclusive lock",
		};

		if (restricts)
			judge_add(j, CLASS_RESTRICTIVE, blocks.rule, "rows that are accepted now will be refused");
		if (!constraint->skip_validation && mg_constraint_enforced(constraint) && HAS_ROWS(j->rel.relkind))
			judge_find(j, &j->rel, &blocks);
	}
}

/* Both tables are locked; they are scanned unless NOT VALID. */
static void
judge_foreign_key(Judgement *j, Constraint *constraint, bool restricts)
{
	ObjectAddress referenced = InvalidObjectAddress;
	Finding		blocks = {
		.class = CLASS_BLOCKING,.rule = "add-foreign-key",.scans = TRI_YES,.hint = recipe_foreign_key(&j->rel, constraint),
		.reason = "writers of both tables wait while every row is checked",
	};

	ObjectAddressSet(referenced, RelationRelationId, fact_relid(constraint->pktable));
	judge_object(j, &referenced);
	if (j->rel.relkind == RELKIND_PARTITIONED_TABLE && fact_parts_have_foreign_key(j->rel.relid, constraint))
	{
		judge_add(j, CLASS_ADDITIVE, "add-foreign-key", "its partitions have the constraint already");
		return;
	}
	if (restricts)
		judge_add(j, CLASS_RESTRICTIVE, "add-foreign-key", "rows that are accepted now will be refused");
	if (!constraint->skip_validation && mg_constraint_enforced(constraint))
		judge_find(j, &j->rel, &blocks);
}

/* UNIQUE, PRIMARY KEY, EXCLUDE: with an index that is there, no scan but for NULLs. */
static void
judge_indexed(Judgement *j, Constraint *constraint, const char *rule, bool restricts)
{
	Finding		blocks = {
		.class = CLASS_BLOCKING,.rule = rule,.scans = TRI_YES,
		.reason = "its index is built under an exclusive lock",
		.hint = recipe_key(&j->rel, constraint),
	};

	if (j->rel.relkind == RELKIND_PARTITIONED_TABLE && constraint->contype != CONSTR_EXCLUSION &&
		fact_parts_have_key(j->rel.relid, constraint))
	{
		judge_add(j, CLASS_ADDITIVE, rule, "its partitions have the constraint already");
		return;
	}
	if (restricts && constraint->indexname == NULL)
		judge_add(j, CLASS_RESTRICTIVE, rule, "rows that are accepted now will be refused as duplicates");
	if (constraint->contype == CONSTR_PRIMARY && constraint->indexname != NULL &&
		index_takes_nulls(j->rel.relid, fact_relname_relid(constraint->indexname, j->rel.namespace)))
	{
		blocks.reason = "its columns become NOT NULL, so the table is scanned under an exclusive lock";
		blocks.hint = "Make the columns NOT NULL first.";
		judge_find(j, &j->rel, &blocks);
	}
	if (constraint->indexname == NULL)
		judge_find(j, &j->rel, &blocks);
}

/* Is a column of an index not known to be NOT NULL? */
static bool
index_takes_nulls(Oid relid, Oid index)
{
	AttrNumber	attnum;

	for (int i = 1; (attnum = fact_index_column(index, i)) > 0; i++)
	{
		ColumnFacts column;
		char	   *name = get_attname(relid, attnum, true);

		if (name != NULL && fact_column(relid, name, &column) && !column.not_null &&
			expression_proves_not_null(relid, name) != TRI_YES)
			return true;
	}
	return false;
}

/* An attribute of a composite type changes, and so do the tables that are OF it. */
static void
judge_typed_tables(Judgement *j, AlterTableCmd *cmd, Finding finding)
{
	ListCell   *lc;

	foreach(lc, fact_typed_tables(j->rel.relid))
	{
		RelFacts	rel;
		ColumnFacts column;
		bool		redoes = false;

		if (!fact_relation(lfirst_oid(lc), &rel) || !fact_column(rel.relid, cmd->name, &column) || column.attnum <= 0)
			continue;
		finding.rewrites = expression_type_rewrites(rel.relid, column.attnum, castNode(ColumnDef, cmd->def), &redoes);
		finding.scans = finding.rewrites == TRI_NO && redoes ? TRI_YES : finding.rewrites;
		if (finding.scans == TRI_NO)
			continue;
		finding.class = CLASS_REWRITING;
		finding.rule = "alter-column-type-rewrite";
		finding.reason = psprintf("every row of typed table %s is read, or written again, under an exclusive lock", rel.name);
		judge_find(j, &rel, &finding);
	}
}

/* ALTER COLUMN ... TYPE: always a change of type, rewriting when it is. */
void
judge_column_type(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	ColumnDef  *def = castNode(ColumnDef, cmd->def);
	ColumnFacts column;
	Finding		finding = {
		.class = CLASS_TYPE_CHANGE,.rule = rule->rule,.reason = rule->reason,.hint = rule->hint,
		.column = cmd->name,
	};
	bool		redoes = false;

	finding.deed = psprintf("change the type of column %s.%s", j->rel.name, quote_identifier(cmd->name));
	if (!fact_column(j->rel.relid, cmd->name, &column) || column.is_new)
		finding.class = CLASS_ADDITIVE;
	if (HAS_ROWS(j->rel.relkind) && (column.is_new || column.retyped || j->rel.is_new))
	{
		/* what its rows look like then, only running tells */
		j->scans = TRI_UNKNOWN;
		finding.rewrites = TRI_UNKNOWN;
	}
	else if (HAS_ROWS(j->rel.relkind) && column.attnum != InvalidAttrNumber)
		finding.rewrites = finding.scans = expression_type_rewrites(j->rel.relid, column.attnum, def, &redoes);
	if (redoes && finding.rewrites == TRI_NO)
	{
		finding.rule = "alter-column-type-scan";
		finding.scans = TRI_YES;
		finding.reason = "an index is built again or a CHECK tested again, under an exclusive lock";
		finding.hint = "Drop the index CONCURRENTLY, or the CHECK, before it, and make it again CONCURRENTLY, or NOT VALID, after it.";
	}
	judge_find(j, &j->rel, &finding);
	if (j->rel.relkind == RELKIND_COMPOSITE_TYPE && cmd->behavior == DROP_CASCADE)
		judge_typed_tables(j, cmd, finding);
	if (finding.rewrites == TRI_NO || finding.class == CLASS_ADDITIVE)
		return;
	finding.class = CLASS_REWRITING;
	finding.rule = "alter-column-type-rewrite";
	finding.reason = finding.rewrites == TRI_YES ?
		"every row is written again under an exclusive lock" :
		"every row may be written again: the change cannot be looked into now";
	finding.hint = recipe_column_type(&j->rel, cmd->name, def);
	judge_find(j, &j->rel, &finding);
}

/* Does the statement itself add this column (and not as one that is NOT NULL)? */
static bool
adds_column(Node *stmt, const char *name)
{
	ListCell   *lc;

	foreach(lc, castNode(AlterTableStmt, stmt)->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AddColumn && strcmp(castNode(ColumnDef, cmd->def)->colname, name) == 0)
			return !column_parts(castNode(ColumnDef, cmd->def)).not_null;
	}
	return false;
}

/* Does it drop a constraint, which then proves nothing any more? */
static bool
drops_constraint(Node *stmt)
{
	ListCell   *lc;

	foreach(lc, castNode(AlterTableStmt, stmt)->cmds)
	{
		if (lfirst_node(AlterTableCmd, lc)->subtype == AT_DropConstraint)
			return true;
	}
	return false;
}

/* SET NOT NULL: free when it is so, without a scan when it is proven. */
void
judge_set_not_null(Judgement *j, AlterTableCmd *cmd, const AlterRule *rule)
{
	ColumnFacts column;
	bool		there = fact_column(j->rel.relid, cmd->name, &column);
	bool		added = !there && adds_column(j->stmt, cmd->name);
	Finding		finding = {
		.class = CLASS_RESTRICTIVE,.rule = rule->rule,.column = cmd->name,
		.reason = "rows with NULL will be refused",
	};

	if (there && fact_not_null_invalid(j->rel.relid, column.attnum))
		column.not_null = false;
	finding.deed = psprintf("set NOT NULL on column %s.%s", j->rel.name, quote_identifier(cmd->name));
	if (!there || column.not_null)
	{
		finding.class = CLASS_ADDITIVE;
		finding.reason = added ? "the column is new in this statement" :
			there ? "it is so already" : "there is no such column";
	}
	else if (column.is_new)
		finding.class = CLASS_ADDITIVE;
	judge_find(j, &j->rel, &finding);
	if ((!there && !added) || column.not_null || !HAS_ROWS(j->rel.relkind))
		return;
	finding.scans = !added && !drops_constraint(j->stmt) &&
		expression_proves_not_null(j->rel.relid, cmd->name) == TRI_YES ? TRI_NO : TRI_YES;
	if (finding.scans == TRI_NO)
		return;
	finding.class = CLASS_BLOCKING;
	finding.rule = "set-not-null-scan";
	finding.reason = "the table is scanned under an exclusive lock";
	finding.hint = recipe_not_null(&j->rel, cmd->name);
	judge_find(j, &j->rel, &finding);
}
