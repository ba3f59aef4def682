/*
 * describe_call.c
 *	  Texts that the server's own functions and output functions make.
 *
 * What an object was made with, if it is gone by the time that it is looked up
 * by the server, has no text: NULL, and the object is left out.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "describe.h"
#include "subxact.h"

/* a call of a function of the server */
typedef struct ServerCall
{
	PGFunction	function;
	int			nargs;
	Datum		args[2];
	char	   *text;
} ServerCall;

static bool call_server(void *arg);
static bool is_about_what_is_gone(int code);
static bool is_gone(const ServerCall *call);
static void append_column(StringInfo out, Form_pg_attribute column, Datum value);

/*
 * What a function of the server that returns text says about values (Datum),
 * in the current context; NULL for null, and for what is gone by now.  It must
 * need no more than its arguments: no collation, no expression.
 *
 * For some texts the server opens the relations that they are about, and keeps
 * the locks.  So that whoever describes a schema stands in nobody's way, this
 * is a subtransaction that is always undone, and the locks with it.
 */
char *
server_text(PGFunction function, int nargs,...)
{
	ServerCall	call = {.function = function,.nargs = nargs};
	va_list		args;
	ErrorData  *error;

	Assert(nargs <= lengthof(call.args));
	va_start(args, nargs);
	for (int i = 0; i < nargs; i++)
		call.args[i] = va_arg(args, Datum);
	va_end(args);
	error = subxact_run(call_server, &call);
	if (error != NULL && !(is_about_what_is_gone(error->sqlerrcode) && is_gone(&call)))
		ReThrowError(error);
	return error != NULL ? NULL : call.text;
}

static bool
call_server(void *arg)
{
	ServerCall *call = arg;

	LOCAL_FCINFO(fcinfo, 2);
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, NULL, call->nargs, InvalidOid, NULL, NULL);
	for (int i = 0; i < call->nargs; i++)
	{
		fcinfo->args[i].value = call->args[i];
		fcinfo->args[i].isnull = false;
	}
	result = call->function(fcinfo);
	if (!fcinfo->isnull)
		call->text = TextDatumGetCString(result);
	return false;
}

/* The server has internal errors for most of what it does not find. */
static bool
is_about_what_is_gone(int code)
{
	return code == ERRCODE_INTERNAL_ERROR || code == ERRCODE_UNDEFINED_OBJECT ||
		code == ERRCODE_UNDEFINED_TABLE || code == ERRCODE_UNDEFINED_FUNCTION || code == ERRCODE_INVALID_SCHEMA_NAME;
}

/* Has the object that a call was about been dropped since the describing began? */
static bool
is_gone(const ServerCall *call)
{
	static const struct
	{
		PGFunction	function;
		Oid			catalog;
		AttrNumber	oid;
	}			about[] =
	{
		{pg_get_constraintdef, ConstraintRelationId, Anum_pg_constraint_oid},
		{pg_get_functiondef, ProcedureRelationId, Anum_pg_proc_oid},
		{pg_get_function_arguments, ProcedureRelationId, Anum_pg_proc_oid},
		{pg_get_function_identity_arguments, ProcedureRelationId, Anum_pg_proc_oid},
		{pg_get_function_result, ProcedureRelationId, Anum_pg_proc_oid},
		{pg_get_indexdef, RelationRelationId, Anum_pg_class_oid},
		{pg_get_partkeydef, RelationRelationId, Anum_pg_class_oid},
		{pg_get_ruledef, RewriteRelationId, Anum_pg_rewrite_oid},
		{pg_get_statisticsobjdef, StatisticExtRelationId, Anum_pg_statistic_ext_oid},
		{pg_get_triggerdef, TriggerRelationId, Anum_pg_trigger_oid},
		{pg_get_viewdef, RelationRelationId, Anum_pg_class_oid},
		/* of the relation that an expression is of */
		{pg_get_expr, RelationRelationId, Anum_pg_class_oid},
	};
	Oid			object = DatumGetObjectId(call->args[call->nargs - 1]);

	for (int i = 0; i < lengthof(about) && OidIsValid(object); i++)
		if (about[i].function == call->function)
		{
			Relation	catalog = table_open(about[i].catalog, AccessShareLock);
			bool		gone = !HeapTupleIsValid(get_catalog_object_by_oid(catalog, about[i].oid, object));

			table_close(catalog, AccessShareLock);
			return gone;
		}
	return false;
}

/* A function as ::regproc::text writes it; NULL for none. */
char *
function_text(Oid function)
{
	return !OidIsValid(function) ? NULL :
		DatumGetCString(DirectFunctionCall1(regprocout, ObjectIdGetDatum(function)));
}

/* The expression of a node tree that is stored as text; NULL for none. */
char *
expression_text(const char *tree, Oid relid)
{
	return tree == NULL ? NULL :
		server_text(pg_get_expr, 2, CStringGetTextDatum(tree), ObjectIdGetDatum(relid));
}

/*
 * Columns of a row as concat_ws() would put them together: those that are not
 * null.  The numbers end with a zero.
 */
char *
columns_text(Describer *d, DescribeReader which, HeapTuple row, const char *separator, const AttrNumber *columns)
{
	TupleDesc	desc = RelationGetDescr(read_relation(d, which));
	StringInfoData out;
	bool		any = false;

	initStringInfo(&out);
	for (; *columns != 0; columns++)
	{
		bool		isnull;
		Datum		value = read_column(d, which, row, *columns, &isnull);

		if (isnull)
			continue;
		if (any)
			appendStringInfoString(&out, separator);
		append_column(&out, TupleDescAttr(desc, *columns - 1), value);
		any = true;
	}
	return out.data;
}

/*
 * All columns of a row but some, whose numbers end with a zero: two rows give
 * the same text only if these are the same.
 */
void
append_columns_except(StringInfo out, Describer *d, DescribeReader which, HeapTuple row, const AttrNumber *columns)
{
	TupleDesc	desc = RelationGetDescr(read_relation(d, which));

	for (AttrNumber attnum = 1; attnum <= desc->natts; attnum++)
	{
		const AttrNumber *except = columns;
		bool		isnull;
		Datum		value;
		int			start;

		while (*except != 0 && *except != attnum)
			except++;
		if (*except == attnum)
			continue;
		value = read_column(d, which, row, attnum, &isnull);
		if (isnull)
			continue;
		appendStringInfo(out, "/%d:", attnum);
		start = out->len;
		append_column(out, TupleDescAttr(desc, attnum - 1), value);
		appendStringInfo(out, "/%d", out->len - start);
	}
}

/* A value as its type puts it out; a function by its OID, which stays when it is renamed. */
static void
append_column(StringInfo out, Form_pg_attribute column, Datum value)
{
	Oid			output;
	bool		varlena;

	if (column->atttypid == REGPROCOID)
		appendStringInfo(out, "%u", DatumGetObjectId(value));
	else
	{
		getTypeOutputInfo(column->atttypid, &output, &varlena);
		appendStringInfoString(out, OidOutputFunctionCall(output, value));
	}
}
