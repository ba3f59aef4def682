/*
 * describe_index.c
 *	  Indexes that belong to no constraint, described.
 *
 * Asking the server for the text of one takes twenty times as long as reading
 * its row, mostly for finding out again what operator class a type has by
 * default.  So it is put together here from the row, with what is known of
 * the operator class kept for the call.  Expressions, and operator classes that
 * can have options, are left to the server.
 */
#include "postgres.h"

#include "access/amapi.h"
#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_opclass.h"
#include "commands/defrem.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "compat.h"
#include "describe.h"

/* an operator class for a type: how it is written where it is used */
typedef struct DescribedClass
{
	struct
	{
		Oid			opclass;
		Oid			type;
	}			key;
	bool		has_options;
	bool		ordered;		/* its access method knows DESC and NULLS
								 * FIRST */
	const char *method;			/* quoted; NULL: it is gone */
	const char *text;			/* '' if it is the default one */
} DescribedClass;

/* one index */
typedef struct TableIndex
{
	Form_pg_index form;
	HeapTuple	tuple;			/* of pg_index */
	HeapTuple	class;			/* of pg_class */
} TableIndex;

static bool is_of_constraint(const DescribedRelation *rel, Oid indexid);
static void describe_index(Describer *d, const DescribedRelation *rel, const TableIndex *index);
static const char *index_text(Describer *d, const DescribedRelation *rel, const TableIndex *index);
static bool append_key(Describer *d, StringInfo out, const DescribedRelation *rel, const TableIndex *index, int i);
static const DescribedClass *class_of(Describer *d, Oid opclass, Oid type);
static void find_class(Describer *d, DescribedClass *class);
static bool is_default_class(Form_pg_opclass form, Oid type);
static const char *index_parent(Describer *d, DescribeRow *row, Oid indexid);
static char *describe_targets(Describer *d, DescribeRow *row, Oid indexid);

void
describe_indexes(Describer *d, const DescribedRelation *rel)
{
	ListCell   *lc;

	foreach(lc, rel->indexes)
	{
		TableIndex	index = {.tuple = lfirst(lc)};
		HeapTuple	class;

		index.form = (Form_pg_index) GETSTRUCT(index.tuple);
		if (is_of_constraint(rel, index.form->indexrelid))
			continue;
		class = read_oid(d, READ_CLASS, index.form->indexrelid);
		if (class == NULL)
			continue;
		/* others are read meanwhile */
		index.class = heap_copytuple(class);
		describe_index(d, rel, &index);
	}
}

static bool
is_of_constraint(const DescribedRelation *rel, Oid indexid)
{
	ListCell   *lc;

	foreach(lc, rel->constraints)
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT((HeapTuple) lfirst(lc));

		if (form->conindid == indexid && constraint_has_index(form))
			return true;
	}
	return false;
}

static void
describe_index(Describer *d, const DescribedRelation *rel, const TableIndex *index)
{
	Form_pg_class class = (Form_pg_class) GETSTRUCT(index->class);
	const char *name = quote_identifier(NameStr(class->relname));
	const char *tablespace = tablespace_text(class->reltablespace);
	const char *comment = comment_text(d, RelationRelationId, class->oid, 0);
	bool		isnull;
	Datum		value = read_column(d, READ_CLASS, index->class, Anum_pg_class_reloptions, &isnull);
	List	   *options = isnull ? NIL : sorted_texts(value);
	const char *text = index_text(d, rel, index);
	DescribeRow *row;
	StringInfo	out;
	const char *more;

	if (text == NULL)
		return;
	row = describe_row(d, "index", psprintf("%s.%s", rel->schema, name), rel->self, RelationRelationId, class->oid, 0);
	out = &row->definition;
	appendStringInfoString(out, text);
	put_text(row, "name", name);
	put_text(row, "schema", rel->schema);
	put_text(row, "def", text);
	put_raw(row, "def", "fixed");
	put_list(row, "options", options);
	if (tablespace != NULL)
		appendStringInfo(out, " TABLESPACE %s", tablespace);
	put_text(row, "tablespace", tablespace);
	appendStringInfo(out, "%s%s", index->form->indisclustered ? " CLUSTERED" : "", index->form->indisvalid ? "" : " INVALID");
	put_flag(row, "clustered", index->form->indisclustered);
	put_flag(row, "invalid", !index->form->indisvalid);
	if (class->relispartition && (more = index_parent(d, row, class->oid)) != NULL)
		appendStringInfo(out, "\n  PARTITION OF %s", more);
	if (!heap_attisnull(index->tuple, Anum_pg_index_indexprs, NULL) && (more = describe_targets(d, row,
																								class->oid)) != NULL)
		appendStringInfo(out, "\n  STATISTICS %s", more);
	put_text(row, "comment", comment);
	append_tail(row, NULL, NULL, comment);
}

/* An index as pg_get_indexdef() writes it, which quotes options as it likes; NULL: it is gone. */
static const char *
index_text(Describer *d, const DescribedRelation *rel, const TableIndex *index)
{
	Form_pg_index form = index->form;
	Form_pg_class class = (Form_pg_class) GETSTRUCT(index->class);
	bool		written = heap_attisnull(index->class, Anum_pg_class_reloptions, NULL) &&
		heap_attisnull(index->tuple, Anum_pg_index_indexprs, NULL);
	char	   *tree = read_text(d, READ_INDEX, index->tuple, Anum_pg_index_indpred);
	const char *condition = NULL;
	StringInfoData out;

	if (tree != NULL && written)
	{
		condition = known_expression(d, rel, tree);
		written = condition != NULL;
	}
	initStringInfo(&out);
	appendStringInfo(&out, "CREATE %sINDEX %s ON %s%s USING ", form->indisunique ? "UNIQUE " : "",
					 quote_identifier(NameStr(class->relname)), class->relkind == RELKIND_PARTITIONED_INDEX ? "ONLY " : "",
					 rel->identity);
	for (int i = 0; i < form->indnatts && written; i++)
		written = append_key(d, &out, rel, index, i);
	if (!written)
		return server_text(pg_get_indexdef, 1, ObjectIdGetDatum(class->oid));
	appendStringInfoChar(&out, ')');
	if (form->indnullsnotdistinct)
		appendStringInfoString(&out, " NULLS NOT DISTINCT");
	if (condition != NULL)
		appendStringInfo(&out, " WHERE %s", condition);
	return out.data;
}

/* A column of an index, with what stands before it; false when only the server can. */
static bool
append_key(Describer *d, StringInfo out, const DescribedRelation *rel, const TableIndex *index, int i)
{
	Form_pg_index form = index->form;
	int			attnum = form->indkey.values[i];
	bool		isnull;
	Form_pg_attribute column;
	const DescribedClass *class;
	Oid			collation;
	int16		option;

	if (attnum <= 0 || attnum > rel->natts || rel->names[attnum - 1] == NULL)
		return false;
	if (i >= form->indnkeyatts)
	{
		appendStringInfoString(out, i == form->indnkeyatts ? ") INCLUDE (" : ", ");
		appendStringInfoString(out, rel->names[attnum - 1]);
		return true;
	}
	column = (Form_pg_attribute) GETSTRUCT(rel->columns[attnum - 1]);
	class = class_of(d, ((oidvector *) DatumGetPointer(read_column(d, READ_INDEX, index->tuple,
																   Anum_pg_index_indclass, &isnull)))->values[i],
					 column->atttypid);
	collation = ((oidvector *) DatumGetPointer(read_column(d, READ_INDEX, index->tuple,
														   Anum_pg_index_indcollation, &isnull)))->values[i];
	option = ((int2vector *) DatumGetPointer(read_column(d, READ_INDEX, index->tuple, Anum_pg_index_indoption,
														 &isnull)))->values[i];
	if (class->method == NULL || class->has_options)
		return false;
	if (i == 0)
		appendStringInfoString(out, class->method);
	appendStringInfoString(out, i == 0 ? " (" : ", ");
	appendStringInfoString(out, rel->names[attnum - 1]);
	if (OidIsValid(collation) && collation != column->attcollation)
		appendStringInfo(out, " COLLATE %s", generate_collation_name(collation));
	appendStringInfoString(out, class->text);
	if (!class->ordered)
		return true;
	if ((option & INDOPTION_DESC) != 0)
		appendStringInfoString(out, (option & INDOPTION_NULLS_FIRST) != 0 ? " DESC" : " DESC NULLS LAST");
	else if ((option & INDOPTION_NULLS_FIRST) != 0)
		appendStringInfoString(out, " NULLS FIRST");
	return true;
}

/* An operator class where it is used for a type; kept for the call. */
static const DescribedClass *
class_of(Describer *d, Oid opclass, Oid type)
{
	Oid			key[2] = {opclass, type};
	DescribedClass *class;
	bool		found;

	if (d->classes == NULL)
	{
		HASHCTL		ctl = {
			.keysize = sizeof(key),
			.entrysize = sizeof(DescribedClass),
			.hcxt = d->context,
		};

		d->classes = hash_create("migmgr described operator classes", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	class = hash_search(d->classes, key, HASH_ENTER, &found);
	if (!found)
		find_class(d, class);
	return class;
}

/* How it is written behind a column of the type: '' for the default one; NULL: it is gone. */
const char *
opclass_text(Describer *d, Oid opclass, Oid type)
{
	const DescribedClass *class = class_of(d, opclass, type);

	return class->method == NULL ? NULL : class->text;
}

static void
find_class(Describer *d, DescribedClass *class)
{
	HeapTuple	row = SearchSysCache1(CLAOID, ObjectIdGetDatum(class->key.opclass));
	Form_pg_opclass form;
	IndexAmRoutine *routine;
	char	   *method;

	class->method = NULL;
	if (!HeapTupleIsValid(row))
		return;
	form = (Form_pg_opclass) GETSTRUCT(row);
	routine = GetIndexAmRoutineByAmId(form->opcmethod, true);
	method = get_am_name(form->opcmethod);
	if (routine != NULL && method != NULL)
	{
		class->has_options = routine->amoptsprocnum != 0 &&
			OidIsValid(get_opfamily_proc(form->opcfamily, form->opcintype, form->opcintype, routine->amoptsprocnum));
		class->ordered = routine->amcanorder;
		class->text = is_default_class(form, class->key.type) ? ""
			: MemoryContextStrdup(d->context, psprintf(" %s", generate_opclass_name(class->key.opclass)));
		class->method = MemoryContextStrdup(d->context, quote_identifier(method));
	}
	ReleaseSysCache(row);
}

/* Is it the one for a type that nobody has to name? */
static bool
is_default_class(Form_pg_opclass form, Oid type)
{
	/*
	 * the server looks through all of them; but one made for the type has no
	 * other beside it
	 */
	return (form->opcdefault && form->opcintype == getBaseType(type)) ||
		GetDefaultOpClass(type, form->opcmethod) == form->oid;
}

/* The index of the partitioned table that this one is attached to, or NULL. */
static const char *
index_parent(Describer *d, DescribeRow *row, Oid indexid)
{
	HeapTuple	tuple;
	Oid			parent;
	char	   *name;

	read_seek(d, READ_INHERITS, 1, ObjectIdGetDatum(indexid));
	tuple = read_next(d, READ_INHERITS);
	if (tuple == NULL)
		return NULL;
	parent = ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent;
	name = relation_text(parent);
	put_text(row, "partition_of", name);
	put_raw_oid(row, "partition_of", parent);
	return name;
}

/* Statistics targets of the columns of an index, as an object; NULL: none is set. */
static char *
describe_targets(Describer *d, DescribeRow *row, Oid indexid)
{
	JsonbValue	object = {.type = jbvObject};
	StringInfoData text;
	HeapTuple	tuple;

	initStringInfo(&text);
	object.val.object.pairs = palloc0(INDEX_MAX_KEYS * sizeof(JsonbPair));
	read_seek_from(d, READ_ATTRIBUTE, 2, ObjectIdGetDatum(indexid), Int16GetDatum(1));
	while ((tuple = read_next(d, READ_ATTRIBUTE)) != NULL)
	{
		bool		isnull;
		Datum		value = read_column(d, READ_ATTRIBUTE, tuple, Anum_pg_attribute_attstattarget, &isnull);
		int			target = isnull ? -1 : mg_DatumGetStatTarget(value);
		JsonbPair  *pair = &object.val.object.pairs[object.val.object.nPairs];

		if (target == -1)
			continue;
		pair->key.type = jbvString;
		pair->key.val.string.val = psprintf("%d", ((Form_pg_attribute) GETSTRUCT(tuple))->attnum);
		pair->key.val.string.len = strlen(pair->key.val.string.val);
		pair->value = number_value(target);
		appendStringInfo(&text, "%s\"%s\": %d", object.val.object.nPairs++ == 0 ? "{" : ", ", pair->key.val.string.val, target);
	}
	if (object.val.object.nPairs == 0)
		return NULL;
	put_value(row, "statistics", object);
	appendStringInfoChar(&text, '}');
	return text.data;
}
