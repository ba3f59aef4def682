/*
 * describe_column.c
 *	  Columns, described.
 *
 * From 18 on NOT NULL has a name: it is told where it is not the one that it
 * gets by itself.  Columns of views only where something was said about them;
 * the query says the rest.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "describe.h"

/* a column, and what hangs on it */
typedef struct Column
{
	Form_pg_attribute form;
	HeapTuple	tuple;
	const char *name;			/* quoted */
	const ColumnType *type;
	const char *collation;		/* ' COLLATE ...', or NULL */
	const char *tree;			/* of its default or how it is generated, or
								 * NULL */
	Oid			default_oid;	/* of this */
	List	   *options;
	List	   *fdw_options;
	int			target;			/* of statistics; -1: the usual one */
	DescribedGrants *grants;
	const char *comment;
} Column;

/* a stored default */
typedef struct ColumnDefault
{
	Oid			oid;
	const char *tree;
} ColumnDefault;

static ColumnDefault *read_defaults(Describer *d, const DescribedRelation *rel);
static bool read_column_parts(Describer *d, const DescribedRelation *rel, Column *column);
static bool is_told(const DescribedRelation *rel, const Column *column);
static void describe_column(Describer *d, const DescribedRelation *rel, const Column *column);
static void describe_type_of(DescribeRow *row, const Column *column);
static void describe_default(Describer *d, DescribeRow *row, const DescribedRelation *rel, const Column *column);
static void describe_identity(Describer *d, DescribeRow *row, const DescribedRelation *rel, const Column *column);
static Oid	identity_sequence(Describer *d, Oid relid, AttrNumber attnum, const char **identity);
static void describe_not_null(DescribeRow *row, const DescribedRelation *rel, const Column *column);
static HeapTuple not_null_constraint(const DescribedRelation *rel, AttrNumber attnum);
static void describe_options(DescribeRow *row, const Column *column);
static List *column_options(Datum array);
static const char *kind_of_column(char relkind);

/* The columns of a relation that are told of. */
void
describe_columns(Describer *d, const DescribedRelation *rel)
{
	ColumnDefault *defaults = read_defaults(d, rel);

	for (int i = 0; i < rel->natts; i++)
	{
		Column		column = {0};

		if (rel->columns[i] == NULL)
			continue;
		column.tuple = rel->columns[i];
		column.form = (Form_pg_attribute) GETSTRUCT(column.tuple);
		column.name = rel->names[i];
		if (defaults != NULL)
		{
			column.tree = defaults[i].tree;
			column.default_oid = defaults[i].oid;
		}
		if (read_column_parts(d, rel, &column) && is_told(rel, &column))
			describe_column(d, rel, &column);
	}
}

/* The defaults of a relation, by attnum - 1; NULL: there is none. */
static ColumnDefault *
read_defaults(Describer *d, const DescribedRelation *rel)
{
	ColumnDefault *defaults = NULL;
	HeapTuple	row;

	for (int i = 0; i < rel->natts && defaults == NULL; i++)
		if (rel->columns[i] != NULL && ((Form_pg_attribute) GETSTRUCT(rel->columns[i]))->atthasdef)
			defaults = palloc0(rel->natts * sizeof(ColumnDefault));
	if (defaults == NULL)
		return NULL;
	read_seek(d, READ_ATTRDEF, 1, ObjectIdGetDatum(rel->oid));
	while ((row = read_next(d, READ_ATTRDEF)) != NULL)
	{
		int			i = ((Form_pg_attrdef) GETSTRUCT(row))->adnum - 1;

		if (i < rel->natts && rel->columns[i] != NULL && ((Form_pg_attribute) GETSTRUCT(rel->columns[i]))->atthasdef)
		{
			defaults[i].oid = ((Form_pg_attrdef) GETSTRUCT(row))->oid;
			defaults[i].tree = read_text(d, READ_ATTRDEF, row, Anum_pg_attrdef_adbin);
		}
	}
	return defaults;
}

/* False when its type is gone. */
static bool
read_column_parts(Describer *d, const DescribedRelation *rel, Column *column)
{
	Form_pg_attribute form = column->form;
	bool		isnull;
	Datum		value;

	column->type = type_of(d, form->atttypid, form->atttypmod);
	if (!column->type->exists)
		return false;
	if (OidIsValid(form->attcollation) && form->attcollation != column->type->collation)
	{
		const char *collation = collation_text(form->attcollation);

		column->collation = collation == NULL ? NULL : psprintf(" COLLATE %s", collation);
	}
	value = read_column(d, READ_ATTRIBUTE, column->tuple, Anum_pg_attribute_attstattarget, &isnull);
	column->target = isnull ? -1 : mg_DatumGetStatTarget(value);
	column->comment = rel->comments == NULL ? NULL : rel->comments[form->attnum];
	if (!HeapTupleHasNulls(column->tuple) || HeapTupleHeaderGetNatts(column->tuple->t_data) >= Anum_pg_attribute_attacl)
	{
		value = read_column(d, READ_ATTRIBUTE, column->tuple, Anum_pg_attribute_attoptions, &isnull);
		column->options = isnull ? NIL : column_options(value);
		value = read_column(d, READ_ATTRIBUTE, column->tuple, Anum_pg_attribute_attfdwoptions, &isnull);
		column->fdw_options = isnull ? NIL : fdw_option_texts(value);
		value = read_column(d, READ_ATTRIBUTE, column->tuple, Anum_pg_attribute_attacl, &isnull);
		column->grants = isnull ? NULL : grants_of(d, DatumGetAclP(value), OBJECT_COLUMN, rel->owner);
	}
	return true;
}

/* Options without what Debian's build adds by itself, which no other knows. */
static List *
column_options(Datum array)
{
	List	   *texts = sorted_texts(array);
	ListCell   *lc;

	foreach(lc, texts)
		if (strncmp(lfirst(lc), "pg_attver=", strlen("pg_attver=")) == 0)
		texts = foreach_delete_current(texts, lc);
	return texts;
}

/* Of a view, has anything been said about the column? */
static bool
is_told(const DescribedRelation *rel, const Column *column)
{
	if (rel->relkind != RELKIND_VIEW && rel->relkind != RELKIND_MATVIEW)
		return true;
	return column->form->atthasdef || !heap_attisnull(column->tuple, Anum_pg_attribute_attacl, NULL) ||
		column->comment != NULL || column->options != NIL || column->target != -1 ||
		(rel->relkind == RELKIND_MATVIEW &&
		 (column->form->attstorage != column->type->storage || column->form->attcompression != '\0'));
}

static void
describe_column(Describer *d, const DescribedRelation *rel, const Column *column)
{
	Form_pg_attribute form = column->form;
	DescribeRow *row = describe_row(d, kind_of_column(rel->relkind), psprintf("%s.%s", rel->identity, column->name),
									rel->self, RelationRelationId, rel->oid, form->attnum);

	ObjectAddressSet(row->part, AttrDefaultRelationId, column->default_oid);
	describe_type_of(row, column);
	describe_default(d, row, rel, column);
	if (form->attidentity != '\0')
		describe_identity(d, row, rel, column);
	if (form->attnotnull)
		describe_not_null(row, rel, column);
	describe_options(row, column);
	put_number(row, "position", form->attnum);
	put_grants(row, column->grants);
	put_text(row, "comment", column->comment);
	append_tail(row, NULL, column->grants, column->comment);
}

static const char *
kind_of_column(char relkind)
{
	switch (relkind)
	{
		case RELKIND_VIEW:
			return "view column";
		case RELKIND_MATVIEW:
			return "materialized view column";
		case RELKIND_FOREIGN_TABLE:
			return "foreign table column";
		case RELKIND_COMPOSITE_TYPE:
			return "composite type column";
		default:
			return "table column";
	}
}

/* Name, type, collation, and how values are stored. */
static void
describe_type_of(DescribeRow *row, const Column *column)
{
	Form_pg_attribute form = column->form;
	StringInfo	out = &row->definition;
	const char *storage = form->attstorage == column->type->storage ? NULL : storage_text(form->attstorage);
	const char *compression = form->attcompression == 'p' ? "pglz" : form->attcompression == 'l' ? "lz4" : NULL;

	appendStringInfoString(out, column->name);
	appendStringInfoChar(out, ' ');
	appendStringInfoString(out, column->type->text);
	if (column->collation != NULL)
		appendStringInfoString(out, column->collation);
	if (storage != NULL)
		appendStringInfo(out, " STORAGE %s", storage);
	if (compression != NULL)
		appendStringInfo(out, " COMPRESSION %s", compression);
	if (!row->with_facts)
		return;
	put_text(row, "name", column->name);
	put_text(row, "type", column->type->text);
	put_raw(row, "type", psprintf("%u/%d", form->atttypid, form->atttypmod));
	put_text(row, "collation", column->collation);
	put_raw(row, "collation", psprintf("%u", form->attcollation));
	put_text(row, "storage", storage);
	put_text(row, "type_storage", storage_text(column->type->storage));
	put_text(row, "compression", compression);
}

/* Its default, or how it is generated. */
static void
describe_default(Describer *d, DescribeRow *row, const DescribedRelation *rel, const Column *column)
{
	StringInfo	out = &row->definition;
	const char *expression = column->tree == NULL ? NULL : relation_expression(d, rel, column->tree);
	bool		generated = column->form->attgenerated != '\0';
	bool		is_virtual = column->form->attgenerated == 'v';

	put_flag(row, "virtual", is_virtual);
	if (expression == NULL)
		return;
	appendStringInfoString(out, generated ? " GENERATED ALWAYS AS (" : " DEFAULT ");
	appendStringInfoString(out, expression);
	if (generated)
		appendStringInfoString(out, is_virtual ? ") VIRTUAL" : ") STORED");
	put_text(row, generated ? "generated" : "default", expression);
	put_raw_md5(row, "default", column->tree);
	put_raw_md5(row, "generated", column->tree);
}

/* An identity column, with its sequence. */
static void
describe_identity(Describer *d, DescribeRow *row, const DescribedRelation *rel, const Column *column)
{
	bool		always = column->form->attidentity == ATTRIBUTE_IDENTITY_ALWAYS;
	const char *identity = NULL;
	Oid			sequence = identity_sequence(d, rel->oid, column->form->attnum, &identity);
	char	   *options = OidIsValid(sequence) ? sequence_text(d, sequence) : NULL;

	put_text(row, "identity", always ? "ALWAYS" : "BY DEFAULT");
	if (options == NULL)
		return;
	appendStringInfo(&row->definition, " GENERATED %s AS IDENTITY %s", always ? "ALWAYS" : "BY DEFAULT", options);
	put_text(row, "sequence", identity);
	put_text(row, "sequence_options", options);
	put_raw_oid(row, "sequence", sequence);
}

/* The sequence that an identity column has, if it is in a schema of ours. */
static Oid
identity_sequence(Describer *d, Oid relid, AttrNumber attnum, const char **identity)
{
	HeapTuple	row;

	read_seek(d, READ_DEPEND_REFERENCE, 3, ObjectIdGetDatum(RelationRelationId), ObjectIdGetDatum(relid),
			  Int32GetDatum(attnum));
	while ((row = read_next(d, READ_DEPEND_REFERENCE)) != NULL)
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(row);
		Oid			objid = depend->objid;
		const char *schema;

		if (depend->classid != RelationRelationId || depend->deptype != DEPENDENCY_INTERNAL ||
			get_rel_relkind(objid) != RELKIND_SEQUENCE)
			continue;
		schema = namespace_text(d, get_rel_namespace(objid));
		if (schema == NULL)
			continue;
		*identity = psprintf("%s.%s", schema, quote_identifier(get_rel_name(objid)));
		return objid;
	}
	return InvalidOid;
}

static void
describe_not_null(DescribeRow *row, const DescribedRelation *rel, const Column *column)
{
	HeapTuple	tuple = not_null_constraint(rel, column->form->attnum);
	StringInfo	out = &row->definition;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
		const char *name = quote_identifier(NameStr(form->conname));
		const char *more = psprintf("%s%s", form->connoinherit ? " NO INHERIT" : "", form->convalidated ? "" : " NOT VALID");
		char	   *usual = psprintf("%s_%s_not_null", rel->name, NameStr(column->form->attname));

		usual[pg_mbcharcliplen(usual, strlen(usual), NAMEDATALEN - 1)] = '\0';
		put_raw(row, "not_null_name", name);
		put_text(row, "not_null_more", more);
		if (form->coninhcount == 0 && strcmp(NameStr(form->conname), usual) != 0)
		{
			put_text(row, "not_null_name", name);
			appendStringInfo(out, " CONSTRAINT %s", name);
		}
		appendStringInfo(out, " NOT NULL%s", more);
	}
	else
		appendStringInfoString(out, " NOT NULL");
	put_flag(row, "not_null", true);
}

/* The constraint that makes a column NOT NULL, from 18 on, or NULL. */
static HeapTuple
not_null_constraint(const DescribedRelation *rel, AttrNumber attnum)
{
	ListCell   *lc;

	foreach(lc, rel->constraints)
	{
		HeapTuple	tuple = lfirst(lc);

		if (((Form_pg_constraint) GETSTRUCT(tuple))->contype == mg_constraint_not_null &&
			mg_not_null_attnum(tuple) == attnum)
			return tuple;
	}
	return NULL;
}

/* The rest of what can be set, and where it comes from. */
static void
describe_options(DescribeRow *row, const Column *column)
{
	Form_pg_attribute form = column->form;
	StringInfo	out = &row->definition;

	if (column->target != -1)
	{
		appendStringInfo(out, " STATISTICS %d", column->target);
		put_number(row, "statistics", column->target);
	}
	append_list(out, " SET (", column->options, ")");
	put_list(row, "options", column->options);
	append_list(out, " OPTIONS (", column->fdw_options, ")");
	put_list(row, "fdw_options", column->fdw_options);
	if (form->attinhcount > 0)
		appendStringInfoString(out, form->attislocal ? " INHERITED AND LOCAL" : " INHERITED");
	put_flag(row, "inherited", form->attinhcount > 0);
	put_flag(row, "local", form->attinhcount > 0 && form->attislocal);
}
