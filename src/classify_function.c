/*
 * classify_function.c
 *	  Judges of CREATE and ALTER FUNCTION.
 *
 * A new body is invisible to whoever calls the function; it matters where
 * results are stored (an index, a constraint, a generated column), where a
 * call can mean two functions, and where it runs with other rights.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "judge.h"

static int	input_types(CreateFunctionStmt *stmt, Oid *types, int *least);
static bool makes_ambiguous(const char *name, Oid namespace, const Oid *types, int most, int least);
static bool runs_as_owner(Oid function);

/*
 * Types of the input arguments of a function that is created; returns their
 * number (*least: without those that have a default), or -1 where a type does
 * not exist yet.
 */
static int
input_types(CreateFunctionStmt *stmt, Oid *types, int *least)
{
	int			count = 0;
	ListCell   *lc;

	*least = 0;
	foreach(lc, stmt->parameters)
	{
		FunctionParameter *parameter = lfirst_node(FunctionParameter, lc);

		if (parameter->mode == FUNC_PARAM_OUT || parameter->mode == FUNC_PARAM_TABLE)
			continue;
		if (count >= FUNC_MAX_ARGS)
			return -1;
		types[count] = fact_type(parameter->argType);
		if (!OidIsValid(types[count++]))
			return -1;
		if (parameter->defexpr == NULL)
			*least = count;
	}
	return count;
}

/*
 * Does another function of the name take the same leading arguments, so that
 * a call that leaves out defaults fits both?
 */
static bool
makes_ambiguous(const char *name, Oid namespace, const Oid *types, int most, int least)
{
	CatCList   *candidates = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	bool		result = false;

	for (int i = 0; i < candidates->n_members; i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&candidates->members[i]->tuple);
		int			common = Min(most, form->pronargs);

		if (form->pronamespace == namespace &&
			(least < most || form->pronargdefaults > 0) &&
			least <= form->pronargs && form->pronargs - form->pronargdefaults <= most &&
			memcmp(form->proargtypes.values, types, common * sizeof(Oid)) == 0)
			result = true;
	}
	ReleaseCatCacheList(candidates);
	return result;
}

/* Is a function SECURITY DEFINER? */
static bool
runs_as_owner(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		result = false;

	if (HeapTupleIsValid(tuple))
	{
		result = ((Form_pg_proc) GETSTRUCT(tuple))->prosecdef;
		ReleaseSysCache(tuple);
	}
	return result;
}

/* CREATE [OR REPLACE] FUNCTION or PROCEDURE. */
void
judge_create_function(Judgement *j, const StatementRule *rule)
{
	CreateFunctionStmt *stmt = castNode(CreateFunctionStmt, j->stmt);
	Oid			namespace = j->verdict->namespace;
	const char *name = strVal(llast(stmt->funcname));
	Oid			types[FUNC_MAX_ARGS];
	int			least;
	int			count = OidIsValid(namespace) ? input_types(stmt, types, &least) : -1;
	Oid			old = InvalidOid;

	if (count >= 0)
		old = fact_function(namespace, name, types, count);
	if (!OidIsValid(old))
	{
		judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
		if (count >= 0 && makes_ambiguous(name, namespace, types, count, least))
			judge_add(j, CLASS_RESTRICTIVE, "ambiguous-overload",
					  "calls that leave out defaults may no longer know which function is meant");
		return;
	}
	if (fresh_is_new(ProcedureRelationId, old, 0))
	{
		judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
		return;
	}
	j->deed = psprintf("replace function %s", judge_name(j));
	judge_add(j, CLASS_REPLACING, "replace-function", "the function is replaced");
	if (fact_used_by_index(old))
		judge_add(j, CLASS_RESTRICTIVE, "replace-index-function",
				  "an index, a constraint or a default uses the function, and what is stored does not change with it");
	if (judge_option(stmt->options, "security") && !runs_as_owner(old))
		judge_add(j, CLASS_SECURITY, "security-definer", "the function will run with its owner's rights");
}

/* ALTER FUNCTION ... STRICT, SECURITY, SET, COST, ... */
void
judge_alter_function(Judgement *j, const StatementRule *rule)
{
	AlterFunctionStmt *stmt = castNode(AlterFunctionStmt, j->stmt);
	ObjectAddress address = fact_address(stmt->objtype, (Node *) stmt->func, NULL);

	j->verdict->object = fact_names(stmt->func->objname, &j->verdict->namespace);
	judge_object(j, &address);
	if (!OidIsValid(address.objectId) || fresh_is_new(ProcedureRelationId, address.objectId, 0))
		judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	else if (judge_option(stmt->actions, "security"))
		judge_add(j, CLASS_SECURITY, "security-definer", "the function will run with its owner's rights");
	else if (fact_used_by_index(address.objectId))
		judge_add(j, CLASS_RESTRICTIVE, rule->rule,
				  "an index, a constraint or a default uses the function, and what is stored does not change with it");
	else
		judge_add(j, CLASS_REPLACING, rule->rule, "the function is changed");
}
