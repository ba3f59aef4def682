/*
 * describe_constraint.c
 *	  Constraints of relations, described.  An index that belongs to one is part
 *	  of it; NOT NULL is part of its column.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "compat.h"
#include "describe.h"

static void describe_constraint(Describer *d, const DescribedRelation *rel, HeapTuple tuple);
static char *raw_text(Form_pg_constraint form, const char *tree);
static const char *constraint_text(Describer *d, const DescribedRelation *rel, HeapTuple tuple, const char *tree);
static bool append_key(Describer *d, StringInfo out, const DescribedRelation *rel, HeapTuple tuple);
static bool append_columns(StringInfo out, const DescribedRelation *rel, const int16 *columns, int count);
static void append_deferral(StringInfo out, Form_pg_constraint form);
static void describe_its_index(Describer *d, DescribeRow *row, const DescribedRelation *rel, HeapTuple class,
							   const char **comment);
static Form_pg_index index_of(const DescribedRelation *rel, Oid indexid);

void
describe_constraints(Describer *d, const DescribedRelation *rel)
{
	ListCell   *lc;

	foreach(lc, rel->constraints)
		if (strchr("cpuxf", ((Form_pg_constraint) GETSTRUCT((HeapTuple) lfirst(lc)))->contype) != NULL)
		describe_constraint(d, rel, lfirst(lc));
}

/* Does a constraint have an index of its own? */
bool
constraint_has_index(Form_pg_constraint form)
{
	return form->contype == CONSTRAINT_PRIMARY || form->contype == CONSTRAINT_UNIQUE ||
		form->contype == CONSTRAINT_EXCLUSION;
}

static void
describe_constraint(Describer *d, const DescribedRelation *rel, HeapTuple tuple)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
	const char *name = quote_identifier(NameStr(form->conname));
	const char *tree = read_text(d, READ_CONSTRAINT, tuple, Anum_pg_constraint_conbin);
	const char *text = constraint_text(d, rel, tuple, tree);
	const char *inherited = form->coninhcount == 0 ? NULL : form->conislocal ? "AND LOCAL" : "ONLY";
	const char *comment = comment_text(d, ConstraintRelationId, form->oid, 0);
	const char *index_comment = NULL;
	DescribeRow *row;
	StringInfo	out;

	if (text == NULL)
		return;
	row = describe_row(d, "table constraint", psprintf("%s on %s", name, rel->identity), rel->self,
					   ConstraintRelationId, form->oid, 0);
	out = &row->definition;
	appendStringInfo(out, "CONSTRAINT %s %s", name, text);
	put_text(row, "name", name);
	put_text(row, "type", pnstrdup(&form->contype, 1));
	put_text(row, "def", text);
	if (constraint_has_index(form))
	{
		HeapTuple	class = read_oid(d, READ_CLASS, form->conindid);

		ObjectAddressSet(row->part, RelationRelationId, form->conindid);
		if (class != NULL)
			describe_its_index(d, row, rel, class, &index_comment);
	}
	if (inherited != NULL)
		appendStringInfo(out, " INHERITED %s", inherited);
	put_text(row, "inherited", inherited);
	put_text(row, "comment", comment);
	put_flag(row, "not_valid", !form->convalidated);
	put_flag(row, "deferrable", form->condeferrable);
	put_flag(row, "deferred", form->condeferred);
	if (row->with_facts)
		put_raw(row, "def", raw_text(form, tree));
	append_tail(row, NULL, NULL, comment);
	if (index_comment != NULL)
		appendStringInfo(out, "\n  COMMENT ON INDEX %s", quote_literal_cstr(index_comment));
}

/* What a constraint is made of, without names. */
static char *
raw_text(Form_pg_constraint form, const char *tree)
{
	const char *enforced = mg_constraint_enforced_text(form);

	return psprintf("%c/%c/%c%s%s%s%s/%c", form->convalidated ? 't' : 'f', form->condeferrable ? 't' : 'f',
					form->condeferred ? 't' : 'f', tree == NULL ? "" : "/", tree == NULL ? "" : md5_of(tree),
					enforced[0] == '\0' ? "" : "/", enforced, form->connoinherit ? 't' : 'f');
}

/*
 * A constraint as pg_get_constraintdef() writes it.  What is only made of the
 * names of columns is written here, and so is a condition, whose text is often
 * known; the rest is asked for.  NULL: it is gone.
 */
static const char *
constraint_text(Describer *d, const DescribedRelation *rel, HeapTuple tuple, const char *tree)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
	StringInfoData out;
	bool		written = false;

	initStringInfo(&out);
	if (mg_constraint_is_plain(form))
	{
		if (form->contype == CONSTRAINT_CHECK && tree != NULL)
		{
			const char *condition = relation_expression(d, rel, tree);

			written = condition != NULL;
			if (written)
				appendStringInfo(&out, "CHECK (%s)%s", condition, form->connoinherit ? " NO INHERIT" : "");
		}
		else if (form->contype == CONSTRAINT_PRIMARY || form->contype == CONSTRAINT_UNIQUE)
			written = append_key(d, &out, rel, tuple);
	}
	if (!written)
		return server_text(pg_get_constraintdef, 1, ObjectIdGetDatum(form->oid));
	append_deferral(&out, form);
	return out.data;
}

/* A primary key or a unique constraint; false when it is not to be understood. */
static bool
append_key(Describer *d, StringInfo out, const DescribedRelation *rel, HeapTuple tuple)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
	Form_pg_index index = index_of(rel, form->conindid);

	if (index == NULL)
		return false;
	appendStringInfoString(out, form->contype == CONSTRAINT_PRIMARY ? "PRIMARY KEY (" : "UNIQUE ");
	if (form->contype == CONSTRAINT_UNIQUE)
		appendStringInfoString(out, index->indnullsnotdistinct ? "NULLS NOT DISTINCT (" : "(");
	if (!append_columns(out, rel, index->indkey.values, index->indnkeyatts))
		return false;
	appendStringInfoChar(out, ')');
	if (index->indnatts == index->indnkeyatts)
		return true;
	appendStringInfoString(out, " INCLUDE (");
	if (!append_columns(out, rel, index->indkey.values + index->indnkeyatts, index->indnatts - index->indnkeyatts))
		return false;
	appendStringInfoChar(out, ')');
	return true;
}

static bool
append_columns(StringInfo out, const DescribedRelation *rel, const int16 *columns, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (columns[i] <= 0 || columns[i] > rel->natts || rel->names[columns[i] - 1] == NULL)
			return false;
		if (i > 0)
			appendStringInfoString(out, ", ");
		appendStringInfoString(out, rel->names[columns[i] - 1]);
	}
	return true;
}

static void
append_deferral(StringInfo out, Form_pg_constraint form)
{
	if (form->condeferrable)
		appendStringInfoString(out, " DEFERRABLE");
	if (form->condeferred)
		appendStringInfoString(out, " INITIALLY DEFERRED");
	if (!form->convalidated)
		appendStringInfoString(out, " NOT VALID");
}

/* What can be set of the index of a constraint; its row is that of pg_class. */
static void
describe_its_index(Describer *d, DescribeRow *row, const DescribedRelation *rel, HeapTuple class, const char **comment)
{
	Form_pg_class form = (Form_pg_class) GETSTRUCT(class);
	Form_pg_index index = index_of(rel, form->oid);
	StringInfo	out = &row->definition;
	const char *tablespace = tablespace_text(form->reltablespace);
	bool		isnull;
	Datum		value = read_column(d, READ_CLASS, class, Anum_pg_class_reloptions, &isnull);
	List	   *options = isnull ? NIL : sorted_texts(value);

	append_list(out, " WITH (", options, ")");
	put_list(row, "options", options);
	if (tablespace != NULL)
		appendStringInfo(out, " USING INDEX TABLESPACE %s", tablespace);
	put_text(row, "tablespace", tablespace);
	if (index != NULL && index->indisclustered)
		appendStringInfoString(out, " CLUSTERED");
	put_flag(row, "clustered", index != NULL && index->indisclustered);
	*comment = comment_text(d, RelationRelationId, form->oid, 0);
	put_text(row, "index_comment", *comment);
}

static Form_pg_index
index_of(const DescribedRelation *rel, Oid indexid)
{
	ListCell   *lc;

	foreach(lc, rel->indexes)
		if (((Form_pg_index) GETSTRUCT((HeapTuple) lfirst(lc)))->indexrelid == indexid)
		return (Form_pg_index) GETSTRUCT((HeapTuple) lfirst(lc));
	return NULL;
}
