/*
 * describe_function.c
 *	  Functions, procedures and aggregates, described.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "describe.h"

/* a function while it is described */
typedef struct WholeFunction
{
	Form_pg_proc form;
	HeapTuple	tuple;
	HeapTuple	aggregate;		/* its row of pg_aggregate, or NULL */
	const char *schema;
	const char *name;			/* quoted */
	char	   *depends;		/* extensions that take it along */
} WholeFunction;

static bool read_depends(Describer *d, WholeFunction *function);
static int	compare_names(const ListCell *a, const ListCell *b);
static char *definition_text(Describer *d, const WholeFunction *function);
static char *aggregate_text(Describer *d, const WholeFunction *function);
static void append_final(StringInfo out, const char *prefix, Oid final, bool extra, char modify);
static void append_function(StringInfo out, const char *option, Oid function);
static void append_literal(StringInfo out, const char *option, const char *value);
static void append_sort_operator(StringInfo out, Oid operator);
static void put_function(Describer *d, DescribeRow *row, const WholeFunction *function, const char *def);
static char *raw_text(Describer *d, const WholeFunction *function);

/* See describe.h. */
void
describe_function(Describer *d, HeapTuple tuple)
{
	WholeFunction function = {.form = (Form_pg_proc) GETSTRUCT(tuple),.tuple = tuple};
	ObjectAddress address;
	DescribeRow *row;
	DescribedGrants *grants = NULL;
	char	   *def;
	char	   *kind;
	char	   *identity;
	char	   *comment;
	Datum		acl;
	bool		isnull;

	function.schema = namespace_text(d, function.form->pronamespace);
	if (function.schema == NULL || !read_depends(d, &function))
		return;
	function.name = quoted_name(&function.form->proname);
	ObjectAddressSet(address, ProcedureRelationId, function.form->oid);
	kind = getObjectTypeDescription(&address, true);
	identity = kind == NULL ? NULL : getObjectIdentity(&address, true);
	if (function.form->prokind == PROKIND_AGGREGATE)
		function.aggregate = read_oid(d, READ_AGGREGATE, function.form->oid);
	def = identity == NULL ? NULL : definition_text(d, &function);
	if (def == NULL)
		return;
	row = describe_row(d, kind, identity, NULL, ProcedureRelationId, function.form->oid, 0);
	acl = read_column(d, READ_PROC, tuple, Anum_pg_proc_proacl, &isnull);
	if (!isnull)
		grants = grants_of(d, DatumGetAclP(acl), OBJECT_FUNCTION, function.form->proowner);
	comment = comment_text(d, ProcedureRelationId, function.form->oid, 0);

	appendStringInfoString(&row->definition, def);
	if (function.depends != NULL)
		appendStringInfo(&row->definition, "\n  DEPENDS ON %s", function.depends);
	append_tail(row, role_text(d, function.form->proowner), grants, comment);
	put_grants(row, grants);
	put_text(row, "comment", comment);
	if (row->with_facts)
		put_function(d, row, &function, def);
}

/*
 * Which extensions it is marked to depend on.  False: it is part of one, or of
 * another object, as the constructor of a range is.
 */
static bool
read_depends(Describer *d, WholeFunction *function)
{
	List	   *names = NIL;
	StringInfoData out;
	HeapTuple	tuple;

	read_seek(d, READ_DEPEND, 3, ObjectIdGetDatum(ProcedureRelationId), ObjectIdGetDatum(function->form->oid),
			  Int32GetDatum(0));
	while ((tuple = read_next(d, READ_DEPEND)) != NULL)
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		char	   *name;

		if (form->deptype == DEPENDENCY_EXTENSION || form->deptype == DEPENDENCY_INTERNAL)
			return false;
		if (form->deptype != DEPENDENCY_AUTO_EXTENSION || form->refclassid != ExtensionRelationId)
			continue;
		name = get_extension_name(form->refobjid);
		if (name != NULL)
			names = lappend(names, name);
	}
	if (names == NIL)
		return true;
	list_sort(names, compare_names);
	initStringInfo(&out);
	for (int i = 0; i < list_length(names); i++)
		appendStringInfo(&out, "%s%s", i == 0 ? "" : ", ", quote_identifier(list_nth(names, i)));
	function->depends = out.data;
	return true;
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* The statement that makes it, or NULL when it is gone. */
static char *
definition_text(Describer *d, const WholeFunction *function)
{
	char	   *text;
	char	   *end;

	if (function->form->prokind == PROKIND_AGGREGATE)
		return function->aggregate == NULL ? NULL : aggregate_text(d, function);
	text = server_text(pg_get_functiondef, 1, ObjectIdGetDatum(function->form->oid));

	if (text == NULL)
		return NULL;
	for (end = text +strlen(text); end > text &&end[-1] == '\n'; end--)
		end[-1] = '\0';
	return text;
}

/* The server has no text for an aggregate. */
static char *
aggregate_text(Describer *d, const WholeFunction *function)
{
	Form_pg_aggregate form = (Form_pg_aggregate) GETSTRUCT(function->aggregate);
	char	   *arguments = server_text(pg_get_function_arguments, 1, ObjectIdGetDatum(function->form->oid));
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "CREATE OR REPLACE AGGREGATE %s.%s(%s) (SFUNC = %s, STYPE = %s",
					 function->schema, function->name, arguments == NULL || arguments[0] == '\0' ? "*" : arguments,
					 function_text(form->aggtransfn), type_text_plain(form->aggtranstype));
	if (form->aggtransspace != 0)
		appendStringInfo(&out, ", SSPACE = %d", form->aggtransspace);
	append_final(&out, "", form->aggfinalfn, form->aggfinalextra, form->aggfinalmodify);
	append_function(&out, "COMBINEFUNC", form->aggcombinefn);
	append_function(&out, "SERIALFUNC", form->aggserialfn);
	append_function(&out, "DESERIALFUNC", form->aggdeserialfn);
	append_literal(&out, "INITCOND", read_text(d, READ_AGGREGATE, function->aggregate, Anum_pg_aggregate_agginitval));
	append_function(&out, "MSFUNC", form->aggmtransfn);
	append_function(&out, "MINVFUNC", form->aggminvtransfn);
	if (OidIsValid(form->aggmtranstype))
		appendStringInfo(&out, ", MSTYPE = %s", type_text_plain(form->aggmtranstype));
	if (form->aggmtransspace != 0)
		appendStringInfo(&out, ", MSSPACE = %d", form->aggmtransspace);
	append_final(&out, "M", form->aggmfinalfn, form->aggmfinalextra, form->aggmfinalmodify);
	append_literal(&out, "MINITCOND", read_text(d, READ_AGGREGATE, function->aggregate, Anum_pg_aggregate_aggminitval));
	append_sort_operator(&out, form->aggsortop);
	if (form->aggkind == AGGKIND_HYPOTHETICAL)
		appendStringInfoString(&out, ", HYPOTHETICAL");
	appendStringInfo(&out, ", PARALLEL = %s)", function->form->proparallel == PROPARALLEL_SAFE ? "SAFE"
					 : function->form->proparallel == PROPARALLEL_RESTRICTED ? "RESTRICTED" : "UNSAFE");
	return out.data;
}

/* The final function, of the moving aggregate too. */
static void
append_final(StringInfo out, const char *prefix, Oid final, bool extra, char modify)
{
	if (OidIsValid(final))
		appendStringInfo(out, ", %sFINALFUNC = %s", prefix, function_text(final));
	if (extra)
		appendStringInfo(out, ", %sFINALFUNC_EXTRA", prefix);
	if (OidIsValid(final))
		appendStringInfo(out, ", %sFINALFUNC_MODIFY = %s", prefix,
						 modify == AGGMODIFY_READ_ONLY ? "READ_ONLY" : modify == AGGMODIFY_SHAREABLE ? "SHAREABLE" : "READ_WRITE");
}

static void
append_function(StringInfo out, const char *option, Oid function)
{
	if (OidIsValid(function))
		appendStringInfo(out, ", %s = %s", option, function_text(function));
}

static void
append_literal(StringInfo out, const char *option, const char *value)
{
	if (value != NULL)
		appendStringInfo(out, ", %s = %s", option, quote_literal_cstr(value));
}

static void
append_sort_operator(StringInfo out, Oid operator)
{
	HeapTuple	tuple = OidIsValid(operator) ? SearchSysCache1(OPEROID, ObjectIdGetDatum(operator)) : NULL;
	Form_pg_operator form;
	char	   *schema;

	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_operator) GETSTRUCT(tuple);
	schema = get_namespace_name(form->oprnamespace);
	if (schema != NULL)
		appendStringInfo(out, ", SORTOP = OPERATOR(%s.%s)", quote_identifier(schema), NameStr(form->oprname));
	ReleaseSysCache(tuple);
}

static void
put_function(Describer *d, DescribeRow *row, const WholeFunction *function, const char *def)
{
	static const AttrNumber result[] = {
		Anum_pg_proc_prorettype, Anum_pg_proc_proretset, Anum_pg_proc_proallargtypes, Anum_pg_proc_proargmodes, 0
	};
	static const AttrNumber parameters[] = {
		Anum_pg_proc_proargtypes, Anum_pg_proc_proallargtypes, Anum_pg_proc_proargmodes, Anum_pg_proc_proargnames,
		Anum_pg_proc_proargdefaults, 0
	};
	Datum		oid = ObjectIdGetDatum(function->form->oid);

	put_text(row, "name", function->name);
	put_text(row, "schema", function->schema);
	put_text(row, "owner", role_text(d, function->form->proowner));
	put_text(row, "arguments", server_text(pg_get_function_identity_arguments, 1, oid));
	put_text(row, "def", def);
	put_text(row, "result", server_text(pg_get_function_result, 1, oid));
	put_text(row, "parameters", server_text(pg_get_function_arguments, 1, oid));
	put_text(row, "depends", function->depends);
	put_raw_md5(row, "def", raw_text(d, function));
	put_raw(row, "result", columns_text(d, READ_PROC, function->tuple, "/", result));
	put_raw(row, "parameters", columns_text(d, READ_PROC, function->tuple, "/", parameters));
}

/* All that a function is, but for its name and whose it is. */
static char *
raw_text(Describer *d, const WholeFunction *function)
{
	static const AttrNumber named[] = {
		Anum_pg_proc_oid, Anum_pg_proc_proname, Anum_pg_proc_pronamespace, Anum_pg_proc_proowner,
		Anum_pg_proc_proacl, 0
	};
	static const AttrNumber key[] = {Anum_pg_aggregate_aggfnoid, 0};
	StringInfoData out;

	initStringInfo(&out);
	append_columns_except(&out, d, READ_PROC, function->tuple, named);
	if (function->aggregate != NULL)
		append_columns_except(&out, d, READ_AGGREGATE, function->aggregate, key);
	return out.data;
}
