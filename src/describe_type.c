/*
 * describe_type.c
 *	  Types and domains, described, with the constraints of a domain.
 *
 * The row type of a relation and the array of a type are part of those.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_range.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "describe.h"

/* a type while it is described */
typedef struct WholeType
{
	Form_pg_type form;
	HeapTuple	tuple;
	const char *identity;
	char	   *default_tree;	/* of a domain */
	const char *default_text;
	List	   *labels;			/* of an enum, quoted */
} WholeType;

static void describe_one_type(Describer *d, HeapTuple tuple);
static bool is_of_its_own(Describer *d, Form_pg_type form);
static void read_default(Describer *d, WholeType *type);
static void read_labels(Describer *d, WholeType *type, DescribeRow *row);
static char *body_text(Describer *d, const WholeType *type);
static void append_domain(StringInfo out, Describer *d, const WholeType *type);
static void append_range(StringInfo out, Oid typid);
static void append_base(StringInfo out, const WholeType *type);
static void append_function(StringInfo out, const char *option, Oid function);
static const char *alignment_text(char alignment);
static void put_type(Describer *d, DescribeRow *row, const WholeType *type, const char *body);
static void describe_domain_constraints(Describer *d, const WholeType *type);

/*
 * Where everything is described, a composite type comes with its relation: most
 * row types are those of tables, which need not be looked up then.
 */
void
describe_type(Describer *d, HeapTuple tuple)
{
	if (!d->everything || ((Form_pg_type) GETSTRUCT(tuple))->typtype != TYPTYPE_COMPOSITE)
		describe_one_type(d, tuple);
}

/* A composite type that a relation of its kind belongs to. */
void
describe_composite_type(Describer *d, Oid type)
{
	HeapTuple	tuple = read_oid(d, READ_TYPE, type);

	if (tuple != NULL)
		describe_one_type(d, heap_copytuple(tuple));
}

static void
describe_one_type(Describer *d, HeapTuple tuple)
{
	WholeType	type = {.form = (Form_pg_type) GETSTRUCT(tuple),.tuple = tuple};
	const char *schema = namespace_text(d, type.form->typnamespace);
	DescribeRow *row;
	DescribedGrants *grants = NULL;
	char	   *comment;
	char	   *body;
	Datum		acl;
	bool		isnull;

	if (schema == NULL || !is_of_its_own(d, type.form) || is_extension_member(d, TypeRelationId, type.form->oid))
		return;
	type.identity = psprintf("%s.%s", schema, quote_identifier(NameStr(type.form->typname)));
	row = describe_row(d, "type", type.identity, NULL, TypeRelationId, type.form->oid, 0);
	read_default(d, &type);
	if (type.form->typtype == TYPTYPE_ENUM)
		read_labels(d, &type, row);
	acl = read_column(d, READ_TYPE, tuple, Anum_pg_type_typacl, &isnull);
	if (!isnull)
		grants = grants_of(d, DatumGetAclP(acl), OBJECT_TYPE, type.form->typowner);
	comment = comment_text(d, TypeRelationId, type.form->oid, 0);
	if (comment == NULL && type.form->typtype == TYPTYPE_COMPOSITE)
		comment = comment_text(d, RelationRelationId, type.form->typrelid, 0);
	body = body_text(d, &type);

	appendStringInfo(&row->definition, "CREATE %s %s %s", type.form->typtype == TYPTYPE_DOMAIN ? "DOMAIN" : "TYPE",
					 type.identity, body);
	append_tail(row, role_text(d, type.form->typowner), grants, comment);
	put_text(row, "schema", schema);
	put_text(row, "comment", comment);
	put_grants(row, grants);
	put_type(d, row, &type, body);
	describe_domain_constraints(d, &type);
}

/*
 * Not the row, the array or the multirange of something else.  That an array
 * type is one is seen by its input function, which no other type can have.
 */
static bool
is_of_its_own(Describer *d, Form_pg_type form)
{
	HeapTuple	class;

	if (form->typtype == TYPTYPE_MULTIRANGE || form->typinput == F_ARRAY_IN)
		return false;
	if (form->typtype != TYPTYPE_COMPOSITE)
		return true;
	class = read_oid(d, READ_CLASS, form->typrelid);
	return class != NULL && ((Form_pg_class) GETSTRUCT(class))->relkind == RELKIND_COMPOSITE_TYPE;
}

/* That of a domain is an expression, that of another type a value. */
static void
read_default(Describer *d, WholeType *type)
{
	char	   *value;

	type->default_tree = read_text(d, READ_TYPE, type->tuple, Anum_pg_type_typdefaultbin);
	if (type->form->typtype == TYPTYPE_DOMAIN)
		type->default_text = expression_text(type->default_tree, InvalidOid);
	else
	{
		value = read_text(d, READ_TYPE, type->tuple, Anum_pg_type_typdefault);
		type->default_text = value == NULL ? NULL : quote_literal_cstr(value);
	}
}

/* Labels in their order; a label that is renamed keeps its OID. */
static void
read_labels(Describer *d, WholeType *type, DescribeRow *row)
{
	JsonbValue	object = {.type = jbvObject};
	HeapTuple	tuple;
	int			size = 0;

	read_seek(d, READ_ENUM, 1, ObjectIdGetDatum(type->form->oid));
	while ((tuple = read_next(d, READ_ENUM)) != NULL)
	{
		Form_pg_enum form = (Form_pg_enum) GETSTRUCT(tuple);
		char	   *label = quote_literal_cstr(NameStr(form->enumlabel));
		JsonbPair  *pair;

		type->labels = lappend(type->labels, label);
		if (object.val.object.nPairs == size)
		{
			size = Max(8, 2 * size);
			object.val.object.pairs = size == 8 ? palloc(size * sizeof(JsonbPair))
				: repalloc(object.val.object.pairs, size * sizeof(JsonbPair));
		}
		pair = &object.val.object.pairs[object.val.object.nPairs++];
		pair->key = string_value(psprintf("%u", form->oid));
		pair->value = string_value(label);
	}
	put_list(row, "labels", type->labels);
	if (type->labels != NIL)
		put_raw_value(row, "labels", object);
}

/* What CREATE TYPE and CREATE DOMAIN say after the name. */
static char *
body_text(Describer *d, const WholeType *type)
{
	StringInfoData out;

	initStringInfo(&out);
	switch (type->form->typtype)
	{
		case TYPTYPE_ENUM:
			append_list(&out, "AS ENUM (", type->labels, ")");
			if (type->labels == NIL)
				appendStringInfoString(&out, "AS ENUM ()");
			break;
		case TYPTYPE_COMPOSITE:
			appendStringInfoString(&out, "AS ()");
			break;
		case TYPTYPE_DOMAIN:
			append_domain(&out, d, type);
			break;
		case TYPTYPE_RANGE:
			append_range(&out, type->form->oid);
			break;
		case TYPTYPE_BASE:
			append_base(&out, type);
			break;
		default:
			break;
	}
	return out.data;
}

static void
append_domain(StringInfo out, Describer *d, const WholeType *type)
{
	Form_pg_type form = type->form;

	appendStringInfo(out, "AS %s", type_text(d, form->typbasetype, form->typtypmod));
	if (OidIsValid(form->typcollation) && form->typcollation != get_typcollation(form->typbasetype))
		appendStringInfo(out, " COLLATE %s",
						 DatumGetCString(DirectFunctionCall1(regcollationout, ObjectIdGetDatum(form->typcollation))));
	if (type->default_text != NULL)
		appendStringInfo(out, " DEFAULT %s", type->default_text);
	if (form->typnotnull)
		appendStringInfoString(out, " NOT NULL");
}

static void
append_range(StringInfo out, Oid typid)
{
	HeapTuple	range = SearchSysCache1(RANGETYPE, ObjectIdGetDatum(typid));
	Form_pg_range form;
	HeapTuple	opclass;

	if (!HeapTupleIsValid(range))
		return;
	form = (Form_pg_range) GETSTRUCT(range);
	opclass = SearchSysCache1(CLAOID, ObjectIdGetDatum(form->rngsubopc));
	appendStringInfo(out, "AS RANGE (SUBTYPE = %s", type_text_plain(form->rngsubtype));
	if (HeapTupleIsValid(opclass))
	{
		Form_pg_opclass class = (Form_pg_opclass) GETSTRUCT(opclass);

		appendStringInfo(out, ", SUBTYPE_OPCLASS = %s",
						 quote_qualified_identifier(get_namespace_name(class->opcnamespace), NameStr(class->opcname)));
		ReleaseSysCache(opclass);
	}
	if (OidIsValid(form->rngcollation) && form->rngcollation != get_typcollation(form->rngsubtype))
		appendStringInfo(out, ", COLLATION = %s",
						 DatumGetCString(DirectFunctionCall1(regcollationout, ObjectIdGetDatum(form->rngcollation))));
	append_function(out, "CANONICAL", form->rngcanonical);
	append_function(out, "SUBTYPE_DIFF", form->rngsubdiff);
	appendStringInfo(out, ", MULTIRANGE_TYPE_NAME = %s)", type_text_plain(form->rngmultitypid));
	ReleaseSysCache(range);
}

static void
append_base(StringInfo out, const WholeType *type)
{
	Form_pg_type form = type->form;

	appendStringInfo(out, "(INPUT = %s", DatumGetCString(DirectFunctionCall1(regprocout, ObjectIdGetDatum(form->typinput))));
	appendStringInfo(out, ", OUTPUT = %s", DatumGetCString(DirectFunctionCall1(regprocout, ObjectIdGetDatum(form->typoutput))));
	append_function(out, "RECEIVE", form->typreceive);
	append_function(out, "SEND", form->typsend);
	append_function(out, "TYPMOD_IN", form->typmodin);
	append_function(out, "TYPMOD_OUT", form->typmodout);
	append_function(out, "ANALYZE", form->typanalyze);
	append_function(out, "SUBSCRIPT", form->typsubscript);
	appendStringInfo(out, ", INTERNALLENGTH = %s", form->typlen == -1 ? "VARIABLE" : psprintf("%d", form->typlen));
	if (form->typbyval)
		appendStringInfoString(out, ", PASSEDBYVALUE");
	appendStringInfo(out, ", ALIGNMENT = %s, STORAGE = %s, CATEGORY = %s", alignment_text(form->typalign),
					 storage_text(form->typstorage), quote_literal_cstr(psprintf("%c", form->typcategory)));
	if (form->typispreferred)
		appendStringInfoString(out, ", PREFERRED = true");
	if (type->default_text != NULL)
		appendStringInfo(out, ", DEFAULT = %s", type->default_text);
	if (OidIsValid(form->typelem))
		appendStringInfo(out, ", ELEMENT = %s", type_text_plain(form->typelem));
	appendStringInfo(out, ", DELIMITER = %s", quote_literal_cstr(psprintf("%c", form->typdelim)));
	if (OidIsValid(form->typcollation))
		appendStringInfoString(out, ", COLLATABLE = true");
	appendStringInfoChar(out, ')');
}

static void
append_function(StringInfo out, const char *option, Oid function)
{
	if (OidIsValid(function))
		appendStringInfo(out, ", %s = %s", option, function_text(function));
}

static const char *
alignment_text(char alignment)
{
	return alignment == TYPALIGN_CHAR ? "char" : alignment == TYPALIGN_SHORT ? "int2"
		: alignment == TYPALIGN_DOUBLE ? "double" : "int4";
}

static void
put_type(Describer *d, DescribeRow *row, const WholeType *type, const char *body)
{
	Form_pg_type form = type->form;

	put_text(row, "name", quoted_name(&form->typname));
	put_text(row, "owner", role_text(d, form->typowner));
	put_text(row, "type", psprintf("%c", form->typtype));
	if (form->typtype != TYPTYPE_ENUM && form->typtype != TYPTYPE_COMPOSITE)
		put_text(row, "body", body);
	if (form->typtype == TYPTYPE_DOMAIN)
		put_text(row, "base", type_text(d, form->typbasetype, form->typtypmod));
	put_text(row, "default", type->default_text);
	put_flag(row, "not_null", form->typtype == TYPTYPE_DOMAIN && form->typnotnull);
	put_raw_md5(row, "default", type->default_tree);
	put_raw(row, "body", "fixed");
	put_raw(row, "base", "fixed");
}

/* From 18 on NOT NULL is one too; that is told with the domain. */
static void
describe_domain_constraints(Describer *d, const WholeType *type)
{
	HeapTuple	tuple;

	if (type->form->typtype != TYPTYPE_DOMAIN)
		return;
	read_seek(d, READ_CONSTRAINT_TYPE, 1, ObjectIdGetDatum(type->form->oid));
	while ((tuple = read_next(d, READ_CONSTRAINT_TYPE)) != NULL)
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
		const char *name = quoted_name(&form->conname);
		DescribeRow *row;
		char	   *def;
		char	   *tree;
		char	   *comment;

		if (form->contype != CONSTRAINT_CHECK)
			continue;
		def = server_text(pg_get_constraintdef, 1, ObjectIdGetDatum(form->oid));
		if (def == NULL)
			continue;
		row = describe_row(d, "domain constraint", psprintf("%s on %s", name, type->identity),
						   psprintf("type %s", type->identity), ConstraintRelationId, form->oid, 0);
		comment = comment_text(d, ConstraintRelationId, form->oid, 0);
		appendStringInfo(&row->definition, "CONSTRAINT %s %s", name, def);
		append_tail(row, NULL, NULL, comment);
		put_text(row, "name", name);
		put_text(row, "def", def);
		put_text(row, "comment", comment);
		put_flag(row, "not_valid", !form->convalidated);
		tree = read_text(d, READ_CONSTRAINT_TYPE, tuple, Anum_pg_constraint_conbin);
		if (row->with_facts && tree != NULL)
			put_raw(row, "def", psprintf("%c/%s", form->convalidated ? 't' : 'f', md5_of(tree)));
	}
}
