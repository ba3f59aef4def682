/*
 * describe_call.c
 *	  Texts that the server's own functions and output functions make.
 *
 * What an object was made with, if it is gone by the time that it is looked up
 * by the server, has no text: NULL, and the object is left out.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "describe.h"

static void append_column(StringInfo out, Form_pg_attribute column, Datum value);

/*
 * What a function of the server that returns text says about values (Datum),
 * in the current context; NULL for null.  It must need no more than its
 * arguments: no collation, no expression.
 */
char *
server_text(PGFunction function, int nargs,...)
{
	LOCAL_FCINFO(fcinfo, 2);
	va_list		args;
	Datum		result;

	Assert(nargs <= 2);
	InitFunctionCallInfoData(*fcinfo, NULL, nargs, InvalidOid, NULL, NULL);
	va_start(args, nargs);
	for (int i = 0; i < nargs; i++)
	{
		fcinfo->args[i].value = va_arg(args, Datum);
		fcinfo->args[i].isnull = false;
	}
	va_end(args);
	result = function(fcinfo);
	return fcinfo->isnull ? NULL : TextDatumGetCString(result);
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
