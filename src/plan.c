/*
 * plan.c
 *	  plan() and assert_safe(): what a script would do, without doing any of it.
 *
 * Each statement is judged against the catalog as it is, seen through an
 * overlay of what the statements before it would have done.  Nothing is
 * written or locked, and no transaction id is assigned, so both work in a
 * read-only transaction and on a standby.  What needs running to be known
 * (DO, CALL, functions, EXECUTE) is called opaque, never guessed.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "commands/prepare.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "errors.h"
#include "facts.h"
#include "judge.h"
#include "overlay.h"
#include "plan.h"
#include "policy.h"
#include "script.h"
#include "script_rules.h"

/* a statement of a planned script */
typedef struct PlannedStatement
{
	ScriptStatement *statement;
	Verdict    *verdict;
	PlanDetail	detail;
	const char *refused;		/* why apply() would not run it, or NULL */
	const char *opaque;			/* why nothing can be known, or NULL */
	const char *net;			/* what becomes of what it drops, or NULL */
	bool		is_new;			/* the relation is new or temporary */
	PolicyAction action;
} PlannedStatement;

/* a script while it is planned */
typedef struct Planning
{
	Script	   *script;
	List	   *plan;			/* of PlannedStatement * */
} Planning;

PG_FUNCTION_INFO_V1(migmgr_plan);
PG_FUNCTION_INFO_V1(migmgr_assert_safe);

static List *plan_script(FunctionCallInfo fcinfo, PolicyEnvironment *environment);
static List *judge_script(Script *script);
static void judge_next(ScriptStatement *statement, void *arg);
static PlannedStatement *judge_statement(Script *script, ScriptStatement *statement);
static void judge_net_effect(PlannedStatement *planned);
static bool calls_unknown(Node *node, void *context);
static bool is_known_function(List *name, int count);
static char *reason_of(const PlannedStatement *planned, bool with_parts);
static void put_row(ReturnSetInfo *result, const PlannedStatement *planned);

/* migmgr.plan(sql, environment) */
Datum
migmgr_plan(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	PolicyEnvironment environment;
	List	   *plan = plan_script(fcinfo, &environment);
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, plan)
		put_row(result, lfirst(lc));
	return (Datum) 0;
}

/* migmgr.assert_safe(sql, environment): raises all that policy asks or denies. */
Datum
migmgr_assert_safe(PG_FUNCTION_ARGS)
{
	PolicyEnvironment environment;
	List	   *plan = plan_script(fcinfo, &environment);
	List	   *violations = NIL;
	MigClass	class = CLASS_NONE;
	int			opaque = 0;
	int			refused = 0;
	StringInfoData text;
	ListCell   *lc;

	foreach(lc, plan)
	{
		PlannedStatement *planned = lfirst(lc);

		if (planned->action >= ACTION_ASK)
		{
			planned->verdict->reason = reason_of(planned, false);
			violations = lappend(violations, planned->verdict);
		}
		class = Max(class, planned->verdict->class);
		opaque += planned->opaque != NULL;
		refused += planned->refused != NULL;
	}
	if (violations != NIL && PG_ARGISNULL(1))
		policy_refuse(violations);
	if (violations != NIL)
		policy_refuse_in(violations, environment);

	initStringInfo(&text);
	appendStringInfo(&text, ngettext("safe: %d statement, class %s, in %s", "safe: %d statements, class %s, in %s",
									 list_length(plan)),
					 list_length(plan), class_name(class), policy_environment_name(environment));
	if (opaque > 0)
		appendStringInfo(&text, "; %d opaque, judged only when it runs", opaque);
	if (refused > 0)
		appendStringInfo(&text, "; %d that apply() refuses", refused);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(text.data, text.len));
}

/*
 * The statements of the first argument, judged as in the environment that the
 * second one names (NULL: as here).  A List of PlannedStatement *.
 */
static List *
plan_script(FunctionCallInfo fcinfo, PolicyEnvironment *environment)
{
	bool		here = PG_ARGISNULL(1);
	Script	   *script;
	List	   *plan;
	ListCell   *lc;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("the script has no SQL: it is null")));
	*environment = here ? policy_environment() :
		policy_environment_of(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	script = script_split(script_up("the script", script_canonical(text_to_cstring(PG_GETARG_TEXT_PP(0)))),
						  "the script");

	plan = judge_script(script);
	foreach(lc, plan)
	{
		PlannedStatement *planned = lfirst(lc);

		planned->action = here ? policy_action(planned->verdict) :
			policy_action_in(planned->verdict, *environment);
	}
	return plan;
}

/* See plan.h; made by the script itself are none. */
List *
plan_locks(const char *sql, int *statements)
{
	Script	   *script = script_split(script_up("the script", script_canonical(sql)), "the script");
	List	   *locks = NIL;
	ListCell   *lc;

	foreach(lc, judge_script(script))
	{
		PlannedStatement *planned = lfirst(lc);
		ListCell   *l;

		foreach(l, planned->detail.locks)
			((PlanLock *) lfirst(l))->statement = planned->statement->number;
		locks = list_concat(locks, planned->detail.locks);
	}
	*statements = list_length(script->statements);
	return locks;
}

/* Judges each statement after the effects of those before it. */
static List *
judge_script(Script *script)
{
	Planning	planning = {.script = script};

	overlay_each(script, true, judge_next, &planning);
	return planning.plan;
}

static void
judge_next(ScriptStatement *statement, void *arg)
{
	Planning   *planning = arg;
	ListCell   *lc;

	if (statement != NULL)
	{
		planning->plan = lappend(planning->plan, judge_statement(planning->script, statement));
		return;
	}
	foreach(lc, planning->plan)
		judge_net_effect(lfirst(lc));
}

/*
 * What refuses a transaction block can be planned, though not applied; what
 * could never be part of a script (COMMIT, data of COPY) raises.
 */
static PlannedStatement *
judge_statement(Script *script, ScriptStatement *statement)
{
	Node	   *stmt = statement->raw->stmt;
	PlannedStatement *planned = palloc0(sizeof(PlannedStatement));
	Verdict    *verdict = classify_statement(stmt);
	RelFacts	rel;
	ScriptRefusal refusal;

	if (script_refuses(script, statement, &refusal))
	{
		if (refusal.sqlstate != ERRCODE_MG_BAD_STATEMENT)
			script_refuse(statement, &refusal, "the script");
		planned->refused = refusal.reason;
	}
	verdict->statement = statement->number;
	verdict->line = statement->line;
	planned->statement = statement;
	planned->verdict = verdict;
	planned->is_new = fact_relation(verdict->relid, &rel) && (rel.is_new || rel.temporary);
	plan_detail(stmt, verdict, &planned->detail);
	(void) plan_is_opaque(stmt, &planned->opaque);
	return planned;
}

/*
 * A definition that a later statement makes again is replaced, and nothing is
 * lost; what apply() will compare then cannot all be compared now.
 */
static void
judge_net_effect(PlannedStatement *planned)
{
	Verdict    *verdict = planned->verdict;
	int			by;
	List	   *objids;

	if (!verdict->definition || !overlay_came_back(planned->statement->number, &by, &objids))
		return;
	if (verdict->firm != NULL && verdict->firm->class > CLASS_REPLACING)
	{
		verdict->class = verdict->firm->class;
		verdict->rule = verdict->firm->rule;
		verdict->reason = verdict->firm->reason;
		verdict->hint = verdict->firm->hint;
		verdict->deed = verdict->firm->deed;
		verdict->definition = false;
		return;
	}
	verdict->class = CLASS_REPLACING;
	verdict->parts = NIL;
	verdict->hint = NULL;
	verdict->rule = "replaced";
	verdict->reason = psprintf("statement %d makes it again", by);
	planned->net = "apply() compares the two: another owner, fewer grants or another policy would be security";
}

/*
 * Does a statement run what cannot be known without running it?  *why says
 * what, else it is NULL.
 */
bool
plan_is_opaque(Node *stmt, const char **why)
{
	*why = NULL;
	if (IsA(stmt, DoStmt))
		*why = "opaque: what a DO block does is known only when it runs; each statement in it is judged then";
	else if (IsA(stmt, CallStmt))
		*why = "opaque: what a procedure does is known only when it runs; each statement in it is judged then";
	else if (IsA(stmt, ExecuteStmt) &&
			 FetchPreparedStatement(castNode(ExecuteStmt, stmt)->name, false) == NULL)
		*why = "opaque: the statement is not prepared now";
	else if ((IsA(stmt, SelectStmt) || IsA(stmt, InsertStmt) || IsA(stmt, UpdateStmt) || IsA(stmt, DeleteStmt) ||
			  IsA(stmt, MergeStmt)) && calls_unknown(stmt, NULL))
		*why = "opaque: what the functions that it calls do is known only when it runs; each statement in them is judged then";
	else if (IsA(stmt, CreateTableAsStmt) && IsA(castNode(CreateTableAsStmt, stmt)->query, ExecuteStmt))
		return plan_is_opaque(castNode(CreateTableAsStmt, stmt)->query, why);
	else if (IsA(stmt, CreateTableAsStmt) && calls_unknown(castNode(CreateTableAsStmt, stmt)->query, NULL))
		*why = "opaque: what the functions that it calls do is known only when it runs; each statement in them is judged then";
	return *why != NULL;
}

/* Is there a call of a volatile function that is not the server's own? */
static bool
calls_unknown(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, FuncCall) &&
		!is_known_function(castNode(FuncCall, node)->funcname, list_length(castNode(FuncCall, node)->args)))
		return true;
	return raw_expression_tree_walker(node, calls_unknown, context);
}

/* Are all functions of this name harmless, or the server's own? */
static bool
is_known_function(List *names, int count)
{
	char	   *schema;
	char	   *name;
	CatCList   *candidates;
	bool		known;

	DeconstructQualifiedName(names, &schema, &name);
	candidates = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	known = candidates->n_members > 0;
	for (int i = 0; i < candidates->n_members; i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&candidates->members[i]->tuple);

		if (schema != NULL && form->pronamespace != fact_namespace(schema))
			continue;
		if (form->provolatile == PROVOLATILE_VOLATILE && form->prolang != INTERNALlanguageId &&
			form->pronamespace != PG_CATALOG_NAMESPACE)
			known = false;
	}
	ReleaseCatCacheList(candidates);
	return known;
}

/* One sentence: the worst first, then, with_parts, what else it does. */
static char *
reason_of(const PlannedStatement *planned, bool with_parts)
{
	const Verdict *verdict = planned->verdict;
	StringInfoData text;
	List	   *said = list_make1(unconstify(char *, verdict->rule));
	ListCell   *lc;

	initStringInfo(&text);
	if (planned->opaque != NULL)
		appendStringInfo(&text, "%s; ", planned->opaque);
	if (verdict->reason != NULL && (planned->opaque == NULL || verdict->class != CLASS_NONE))
		appendStringInfo(&text, "%s; ", verdict->reason);
	foreach(lc, with_parts ? verdict->parts : NIL)
	{
		const Verdict *part = lfirst(lc);
		ListCell   *other;

		foreach(other, said)
		{
			if (strcmp(lfirst(other), part->rule) == 0)
				break;
		}
		if (other != NULL || part->reason == NULL)
			continue;
		said = lappend(said, unconstify(char *, part->rule));
		appendStringInfo(&text, "%s: %s; ", part->rule, part->reason);
	}
	if (planned->refused != NULL)
		appendStringInfo(&text, "apply() refuses it: %.*s; ", (int) strlen(planned->refused) - 1, planned->refused);
	if (planned->net != NULL)
		appendStringInfo(&text, "%s; ", planned->net);
	if (planned->detail.text.len > 0)
		appendStringInfo(&text, "%s; ", planned->detail.text.data + 2);
	if (text.len >= 2)
		text.		data[text.len -= 2] = '\0';
	return text.data;
}

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL || *text == '\0';

	return *isnull ? (Datum) 0 : CStringGetTextDatum(text);
}

static Datum
tristate(Tristate value, bool *isnull)
{
	*isnull = value == TRI_UNKNOWN;
	return BoolGetDatum(value == TRI_YES);
}

/* A statement as a row of the result. */
static void
put_row(ReturnSetInfo *result, const PlannedStatement *planned)
{
	const Verdict *verdict = planned->verdict;
	bool		unknown = planned->opaque != NULL;
	LOCKMODE	seen = Max(OidIsValid(verdict->relid) && !planned->is_new ? verdict->lock : NoLock,
						   planned->detail.others);
	bool		blocks_reads = seen == AccessExclusiveLock;
	Datum		values[14];
	bool		nulls[14] = {0};

	/* the server plans no query of a table without all its indexes */
	if (strcmp(verdict->rule, "reindex") == 0 && seen >= ShareLock)
		blocks_reads = true;
	values[0] = Int32GetDatum(verdict->statement);
	values[1] = Int32GetDatum(verdict->line);
	values[2] = text_or_null(verdict->command, &nulls[2]);
	values[3] = text_or_null(verdict->object, &nulls[3]);
	values[4] = text_or_null(unknown && verdict->class == CLASS_NONE ? NULL : class_name(verdict->class), &nulls[4]);
	values[5] = text_or_null(verdict->lock == NoLock ? NULL :
							 GetLockmodeName(DEFAULT_LOCKMETHOD, verdict->lock), &nulls[5]);
	values[6] = text_or_null(policy_action_name(planned->action), &nulls[6]);
	values[7] = text_or_null(reason_of(planned, true), &nulls[7]);
	values[8] = text_or_null(unknown && verdict->class == CLASS_NONE ? "opaque" : verdict->rule, &nulls[8]);
	values[9] = BoolGetDatum(blocks_reads);
	nulls[9] = unknown && !blocks_reads;
	values[10] = BoolGetDatum(seen >= ShareLock);
	nulls[10] = unknown && seen < ShareLock;
	values[11] = tristate(unknown && verdict->rewrites == TRI_NO ? TRI_UNKNOWN : verdict->rewrites, &nulls[11]);
	values[12] = tristate(unknown && verdict->scans == TRI_NO ? TRI_UNKNOWN : verdict->scans, &nulls[12]);
	values[13] = text_or_null(verdict->hint, &nulls[13]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}
