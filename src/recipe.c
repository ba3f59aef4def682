/*
 * recipe.c
 *	  The safe way to do what a statement does, for this version of the server.
 *
 * Text for the hint of a refusal or a plan: the statements to write instead,
 * with the names of this table.  Where a step reads the table, it is one that
 * lets others read and write meanwhile; it belongs into a migration of its
 * own, because the lock of the step before it would be kept.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "judge.h"
#include "overlay.h"
#include "recipe.h"

static char *type_name(TypeName *type);
static char *name_list(const List *names);
static char *constraint_name(const RelFacts *rel, const Constraint *constraint);
static const char *base_name(const RelFacts *rel);

/* The name without its schema, for names that are made of it. */
static const char *
base_name(const RelFacts *rel)
{
	char	   *name = OidIsValid(rel->relid) ? get_rel_name(rel->relid) : NULL;

	return name != NULL ? name : "t";
}

/* "a, b" of a List of String. */
static char *
name_list(const List *names)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, names)
		appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "", quote_identifier(strVal(lfirst(lc))));
	return text.data;
}

/* The name that a statement gives to a constraint, or one that would do. */
static char *
constraint_name(const RelFacts *rel, const Constraint *constraint)
{
	const char *label = constraint->contype == CONSTR_FOREIGN ? "fkey" : constraint->contype == CONSTR_PRIMARY ? "pkey" :
		constraint->contype == CONSTR_UNIQUE ? "key" : constraint->contype == CONSTR_CHECK ? "check" : "not_null";

	if (constraint->conname != NULL)
		return pstrdup(quote_identifier(constraint->conname));
	return pstrdup(quote_identifier(makeObjectName(base_name(rel), NULL, label)));
}

/* SET NOT NULL without a scan under an exclusive lock. */
char *
recipe_not_null(const RelFacts *rel, const char *column)
{
	const char *quoted = quote_identifier(column);
	char	   *name = pstrdup(quote_identifier(makeObjectName(base_name(rel), column, "not_null")));

	return psprintf(MG_RECIPE_NOT_NULL, rel->name, name, quoted, rel->name, name, rel->name, quoted, rel->name, name);
}

/* A type as one would write it; serial types are what they are stored as. */
static char *
type_name(TypeName *type)
{
	static const char *const serials[][2] = {
		{"smallserial", "smallint"}, {"serial2", "smallint"}, {"serial", "integer"}, {"serial4", "integer"},
		{"bigserial", "bigint"}, {"serial8", "bigint"},
	};
	char	   *name = TypeNameToString(type);
	Oid			oid = fact_type(type);
	StringInfoData text;
	ListCell   *lc;

	for (int i = 0; i < lengthof(serials); i++)
	{
		if (strcmp(name, serials[i][0]) == 0)
			return pstrdup(serials[i][1]);
	}
	if (OidIsValid(oid) && overlay_made_by(oid) == 0)
		name = format_type_be(oid);
	initStringInfo(&text);
	appendStringInfoString(&text, name);
	foreach(lc, oid == INTERVALOID || type->arrayBounds != NIL ? NIL : type->typmods)
	{
		if (!IsA(lfirst(lc), A_Const) || !IsA(&lfirst_node(A_Const, lc)->val, Integer))
			return name;
		appendStringInfo(&text, "%c%d", lc == list_head(type->typmods) ? '(' : ',', intVal(&lfirst_node(A_Const, lc)->val));
	}
	if (text.len > (int) strlen(name))
		appendStringInfoChar(&text, ')');
	return text.data;
}

/* ADD COLUMN, and what comes after it. */
char *
recipe_add_column(const RelFacts *rel, const ColumnDef *def, const char *then)
{
	char	   *type = type_name(def->typeName);

	return psprintf("ALTER TABLE %s ADD COLUMN %s %s; %s", rel->name, quote_identifier(def->colname), type, then);
}

char *
recipe_generated(const RelFacts *rel, const ColumnDef *def)
{
	return psprintf(MG_RECIPE_GENERATED, rel->name, quote_identifier(def->colname));
}

/* A column of a domain with constraints. */
char *
recipe_domain(const RelFacts *rel, const ColumnDef *def)
{
	Oid			domain = fact_type(def->typeName);
	const char *base = OidIsValid(domain) ? format_type_be(getBaseType(domain)) : "base_type";

	return psprintf("ALTER TABLE %s ADD COLUMN %s %s; then a CHECK with the domain's condition NOT VALID, and VALIDATE CONSTRAINT"
					" in a migration of its own.", rel->name, quote_identifier(def->colname), base);
}

/* CHECK and NOT NULL. */
char *
recipe_validate(const RelFacts *rel, const Constraint *constraint)
{
	char	   *name = constraint_name(rel, constraint);

	return psprintf("ALTER TABLE %s ADD CONSTRAINT %s ... NOT VALID; then, in a migration of its own:"
					" ALTER TABLE %s VALIDATE CONSTRAINT %s;", rel->name, name, rel->name, name);
}

/* A partitioned table cannot have one NOT VALID in every version. */
char *
recipe_foreign_key(const RelFacts *rel, const Constraint *constraint)
{
	if (rel->relkind == RELKIND_PARTITIONED_TABLE && !mg_partitioned_fk_not_valid)
		return psprintf("Add the constraint NOT VALID to each partition, VALIDATE CONSTRAINT there in migrations of their own,"
						" then add it to %s, which takes them over without looking at the rows.", rel->name);
	return recipe_validate(rel, constraint);
}

/* UNIQUE and PRIMARY KEY by an index that is there; EXCLUDE has no such way. */
char *
recipe_key(const RelFacts *rel, const Constraint *constraint)
{
	const char *kind = constraint->contype == CONSTR_PRIMARY ? "PRIMARY KEY" : "UNIQUE";
	char	   *name = constraint_name(rel, constraint);
	StringInfoData text;
	ListCell   *lc;

	if (constraint->contype == CONSTR_EXCLUSION)
		return pstrdup("There is no way without the lock: do it while the table is small, or in a quiet hour.");
	initStringInfo(&text);
	foreach(lc, constraint->contype == CONSTR_PRIMARY ? constraint->keys : NIL)
	{
		ColumnFacts column;

		if (fact_column(rel->relid, strVal(lfirst(lc)), &column) && !column.not_null)
			appendStringInfo(&text, "Make %s NOT NULL first: plan() of SET NOT NULL says how.  ", quote_identifier(strVal(lfirst(lc))));
	}
	if (rel->relkind == RELKIND_PARTITIONED_TABLE)
		appendStringInfo(&text, "On each partition CREATE UNIQUE INDEX CONCURRENTLY (%s), outside a transaction, and ADD CONSTRAINT ..."
						 " %s USING INDEX; then add it to %s, which takes them over without building anything.",
						 name_list(constraint->keys), kind, rel->name);
	else
		appendStringInfo(&text, "CREATE UNIQUE INDEX CONCURRENTLY %s ON %s (%s); outside a transaction, then"
						 " ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s;",
						 name, rel->name, name_list(constraint->keys), rel->name, name, kind, name);
	return text.data;
}

/* CREATE INDEX. */
char *
recipe_index(const RelFacts *rel, const IndexStmt *stmt)
{
	const char *name = stmt->idxname != NULL ? quote_identifier(stmt->idxname) : "name";
	const char *unique = stmt->unique ? "UNIQUE " : "";

	if (rel->relkind == RELKIND_PARTITIONED_TABLE)
		return psprintf("CREATE %sINDEX %s ON ONLY %s (...); CREATE %sINDEX CONCURRENTLY on each partition, outside a transaction;"
						" then ALTER INDEX %s ATTACH PARTITION each.", unique, name, rel->name, unique, name);
	return psprintf("CREATE %sINDEX CONCURRENTLY %s ON %s ...; outside a transaction.  If it fails, drop the invalid index that it leaves.",
					unique, name, rel->name);
}

/* A change of type that writes the table again. */
char *
recipe_column_type(const RelFacts *rel, const char *column, const ColumnDef *def)
{
	Oid			old = InvalidOid;
	Oid			new = fact_type(def->typeName);
	AttrNumber	attnum = get_attnum(rel->relid, column);

	if (attnum != InvalidAttrNumber)
		old = get_atttype(rel->relid, attnum);
	if ((old == TIMESTAMPOID && new == TIMESTAMPTZOID) || (old == TIMESTAMPTZOID && new == TIMESTAMPOID))
		return psprintf("If what is stored is UTC: SET LOCAL TimeZone = 'UTC'; ALTER TABLE %s ALTER COLUMN %s TYPE %s; without USING,"
						" which writes nothing but the indexes of the column.",
						rel->name, quote_identifier(column), type_name(def->typeName));
	if (old == new && (old == VARCHAROID || old == BPCHAROID))
		return psprintf("Narrow it by a CHECK (length(%s) <= n) added NOT VALID, then VALIDATE CONSTRAINT in a migration of its own.",
						quote_identifier(column));
	return psprintf("ALTER TABLE %s ADD COLUMN %s %s; keep both alike by a trigger, fill old rows in batches, move readers and"
					" writers, then drop the old column with a waiver.",
					rel->name, quote_identifier(psprintf("%s_new", column)), type_name(def->typeName));
}

/* ATTACH PARTITION by a CHECK that proves the bounds. */
char *
recipe_attach(const RelFacts *parent, const RelFacts *partition, const PartitionBoundSpec *bound)
{
	char	   *check = expression_partition_check(parent->relid, partition->relid, bound);

	if (check == NULL)
		return psprintf("Add a CHECK with the bounds to %s NOT VALID, VALIDATE CONSTRAINT in a migration of its own, and attach it then.",
						partition->name);
	return psprintf("ALTER TABLE %s ADD CONSTRAINT bounds CHECK (%s) NOT VALID; then, in a migration of its own:"
					" ALTER TABLE %s VALIDATE CONSTRAINT bounds; then attach it, and drop the CHECK.  The indexes of %s and, if it has"
					" one, a CHECK on its default partition have to be there, too.",
					partition->name, check, partition->name, parent->name);
}

/* DROP TABLE: of a partition it locks the parent. */
char *
recipe_drop_table(const RelFacts *rel)
{
	RelFacts	parent;

	if (fact_relation(fact_partition_parent(rel->relid), &parent))
		return psprintf("ALTER TABLE %s DETACH PARTITION %s CONCURRENTLY; outside a transaction, which keeps nobody from the other"
						" partitions, and drop it later with a waiver.", parent.name, rel->name);
	return psprintf("Stop using it, see in pg_stat_user_tables that nothing reads it, keep a dump, and drop it later with a waiver.");
}
