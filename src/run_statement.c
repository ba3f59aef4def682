/*
 * run_statement.c
 *	  Executing the statements of a script, and what is said when one fails.
 *
 * Each parse tree is executed as it was judged: the text is not parsed again,
 * so nothing a script sets can change what it means.  Statements run as the
 * caller, never inside a SECURITY DEFINER function, with isTopLevel false:
 * what refuses a transaction block refuses here too.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/analyze.h"
#include "portability/instr_time.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "budget.h"
#include "compat.h"
#include "errors.h"
#include "notices.h"
#include "overlay.h"
#include "progress.h"
#include "run.h"
#include "run_tell.h"
#include "subxact.h"

#define TELL_AFTER_MS 1000		/* then somebody begins to wonder */

/* receives the rows of a verify statement; only the first value matters */
typedef struct VerifyReceiver
{
	DestReceiver pub;
	uint64		rows;
	bool		is_bool;
	bool		value;			/* of the first column of the first row */
} VerifyReceiver;

/* a script while it is judged */
typedef struct Judging
{
	Run		   *run;
	List	   *violations;		/* of Verdict * */
	List	   *deferred;		/* of Verdict *: left to the net effect */
} Judging;

static void judge_next(ScriptStatement *statement, void *arg);
static void judge_drops(Judging *judging);
static void run_one(Run *run, ScriptStatement *statement, Script *script, Verdict *verdict);
static int64 execute_raw(RawStmt *raw, const char *text, DestReceiver *dest);
static int64 execute_planned(PlannedStmt *planned, const char *text, DestReceiver *dest);
static void tell_done(const Run *run, const ScriptStatement *statement, const Script *script);
static PolicyAction judge(const Run *run, const Verdict *verdict);
static bool exempt_in_rollback(const Run *run, const Verdict *verdict);
static bool verify_in_subxact(void *arg);
static void verify_statement(Run *run, ScriptStatement *statement, Script *script);

/*
 * Judges a whole script before the first statement of it runs, each statement
 * as if those before it had: a List of Verdict * that policy refuses.  Each is
 * judged again when its turn comes.
 */
List *
run_judge(Run *run, Script *script)
{
	Judging		judging = {.run = run};

	run->first = NULL;
	overlay_each(script, false, judge_next, &judging);
	return judging.violations;
}

static void
judge_next(ScriptStatement *statement, void *arg)
{
	Judging    *judging = arg;
	Run		   *run = judging->run;
	Verdict    *verdict;

	if (statement == NULL)
	{
		judge_drops(judging);
		return;
	}
	verdict = classify_statement(statement->raw->stmt);
	verdict->statement = statement->number;
	verdict->line = statement->line;
	if (run->first == NULL)
		run->first = verdict;
	if (run->request->rehearse)
		rehearse_check_size(run, verdict);
	run_start_judged(run, statement->raw->stmt, verdict);
	if (guard_deferred(verdict))
	{
		judging->deferred = lappend(judging->deferred, verdict);
		verdict = verdict->firm;
		if (verdict != NULL)
		{
			verdict->statement = statement->number;
			verdict->line = statement->line;
		}
	}
	if (verdict != NULL && !exempt_in_rollback(run, verdict) && policy_action(verdict) >= ACTION_ASK)
		judging->violations = lappend(judging->violations, verdict);
}

/*
 * A definition that is dropped and does not seem to come back is for the net
 * effect to judge, after all has run.  But whoever is refused now is to hear
 * of that, too.
 */
static void
judge_drops(Judging *judging)
{
	ListCell   *lc;

	if (judging->violations == NIL || judging->run->request->action == RUN_ROLLBACK)
		return;
	foreach(lc, judging->deferred)
	{
		Verdict    *verdict = lfirst(lc);

		if (verdict->definition && overlay_stays_dropped(verdict->statement) && policy_action(verdict) >= ACTION_ASK)
			judging->violations = lappend(judging->violations, verdict);
	}
}

/*
 * Executes a script under the watch of the guard; raises the first error.
 * Allocates what is kept (the list of what was done) in the current context.
 */
void
run_statements(Run *run, Script *script, const char *part)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(context, "migmgr statement",
												  ALLOCSET_DEFAULT_SIZES);
	ListCell   *lc;

	run->current_script = script;
	run->current_part = part;
	foreach(lc, script->statements)
	{
		ScriptStatement *statement = lfirst(lc);
		Verdict    *verdict;
		PolicyAction action;

		CHECK_FOR_INTERRUPTS();
		run->current = statement;
		progress_show(run->what, run->attempts, part, statement->number,
					  list_length(script->statements), statement->text);

		/* nothing has run since the first one was judged */
		if (lc == list_head(script->statements) && script == run->script)
			verdict = run->first;
		else
		{
			verdict = classify_statement(statement->raw->stmt);
			verdict->statement = statement->number;
			verdict->line = statement->line;
		}
		action = judge(run, verdict);
		if (action >= ACTION_ASK)
			policy_refuse(list_make1(verdict));
		if (action == ACTION_WARN)
			ereport(WARNING,
					(errmsg("%s, line %d: %s is %s", run->what, statement->line,
							verdict->command, class_name(verdict->class)),
					 verdict->reason ? errdetail("%s", verdict->reason) : 0,
					 verdict->hint ? errhint("%s", verdict->hint) : 0));
		if (!guard_deferred(verdict))
			run->class = Max(run->class, verdict->class);

		if (run->request->rehearse && script == run->script)
			rehearse_check_size(run, verdict);
		if (run->request->dry_run && script == run->script)
			measure_before(statement->number);
		budget_statement();
		guard_statement(verdict);
		MemoryContextSwitchTo(scratch);
		run_one(run, statement, script, verdict);
		tell_done(run, statement, script);
		MemoryContextSwitchTo(context);
		MemoryContextReset(scratch);
	}
	run->current = NULL;
	MemoryContextDelete(scratch);
}

/* Executes one statement and notes time and rows; scratch context. */
static void
run_one(Run *run, ScriptStatement *statement, Script *script, Verdict *verdict)
{
	MemoryContext scratch = CurrentMemoryContext;
	instr_time	start,
				duration;
	RunStatement *done;
	int64		rows;

	(void) notices_take();
	INSTR_TIME_SET_CURRENT(start);
	rows = execute_raw(copyObject(statement->raw), script->text, None_Receiver);
	INSTR_TIME_SET_CURRENT(duration);
	INSTR_TIME_SUBTRACT(duration, start);

	MemoryContextSwitchTo(GetMemoryChunkContext(run));
	done = palloc0(sizeof(RunStatement));
	done->number = statement->number;
	done->line = statement->line;
	done->command = verdict->command;
	done->object = verdict->object;
	done->class = class_name(verdict->class);
	done->rule = verdict->rule;
	done->text = statement->text;
	done->ms = INSTR_TIME_GET_MILLISEC(duration);
	done->rows = rows;
	done->notices = notices_take();
	if (run->request->dry_run && script == run->script)
		done->measured = measure_after(statement->raw->stmt);
	run->done = lappend(run->done, done);
	MemoryContextSwitchTo(scratch);
}

/* "migration "001": statement 3 of 12, 40 ms: ALTER TABLE ..." */
static void
tell_done(const Run *run, const ScriptStatement *statement, const Script *script)
{
	const RunStatement *done = llast(run->done);
	char	   *brief = script_brief(statement->text);

	progress_tell(TimestampDifferenceExceeds(run->started, GetCurrentTimestamp(), TELL_AFTER_MS),
				  "%s: %s %d of %d, %.0f ms: %.*s", run->what, run->current_part, statement->number,
				  list_length(script->statements), done->ms, pg_mbcliplen(brief, strlen(brief), 80), brief);
}

/*
 * What policy says of a statement before it runs.  A dropped definition may
 * come back (its net effect decides), and a rollback may drop what its own
 * version made (the guard looks at each object as it goes).
 */
static PolicyAction
judge(const Run *run, const Verdict *verdict)
{
	if (guard_deferred(verdict) || exempt_in_rollback(run, verdict))
		return ACTION_ALLOW;
	return policy_action(verdict);
}

/* Is this what a rollback is there for? */
static bool
exempt_in_rollback(const Run *run, const Verdict *verdict)
{
	ObjectAddress address;
	char	   *identity;
	ListCell   *lc;

	if (verdict->class == CLASS_PROTECTED || verdict->class == CLASS_UNCLASSIFIED)
		return false;
	if (run->proving || run->request->derived)
		return true;
	if (run->request->action != RUN_ROLLBACK)
		return false;
	if (strncmp(verdict->rule, "drop", 4) == 0)
		return true;
	if (!OidIsValid(verdict->relid) || verdict->class == CLASS_DATA ||
		strcmp(verdict->command, "TRUNCATE TABLE") == 0 ||
		strcmp(verdict->command, "DELETE") == 0 || strcmp(verdict->command, "UPDATE") == 0)
		return false;

	ObjectAddressSet(address, RelationRelationId, verdict->relid);
	identity = getObjectIdentity(&address, true);
	if (identity == NULL)
		return false;
	foreach(lc, run->touched)
	{
		const char *owned = lfirst(lc);
		size_t		length = strlen(owned);
		size_t		tail = strlen(identity);

		if (length > tail && owned[length - tail - 1] == ' ' &&
			strcmp(owned + length - tail, identity) == 0)
			return true;
	}
	return false;
}

/*
 * Analyses, plans and runs one raw statement; returns the rows it affected,
 * -1 for a utility statement.  The tree may be scribbled on.
 */
static int64
execute_raw(RawStmt *raw, const char *text, DestReceiver *dest)
{
	List	   *planned;
	ListCell   *lc;
	int64		rows = 0;
	bool		snapshot = analyze_requires_snapshot(raw);

	CommandCounterIncrement();
	if (snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	planned = pg_plan_queries(pg_analyze_and_rewrite_fixedparams(raw, text, NULL, 0, NULL),
							  text, CURSOR_OPT_PARALLEL_OK, NULL);
	if (snapshot)
		PopActiveSnapshot();

	foreach(lc, planned)
	{
		CommandCounterIncrement();
		rows = execute_planned(lfirst_node(PlannedStmt, lc), text, dest);
	}
	CommandCounterIncrement();
	return rows;
}

/* Runs one planned statement with a snapshot of its own, and its triggers. */
static int64
execute_planned(PlannedStmt *planned, const char *text, DestReceiver *dest)
{
	int64		rows = -1;

	PushActiveSnapshot(GetTransactionSnapshot());
	if (planned->utilityStmt == NULL)
	{
		QueryDesc  *desc = CreateQueryDesc(planned, text, GetActiveSnapshot(), NULL,
										   dest, NULL, NULL, 0);

		AfterTriggerBeginQuery();
		ExecutorStart(desc, 0);
		mg_ExecutorRun(desc, ForwardScanDirection, 0);
		ExecutorFinish(desc);
		AfterTriggerEndQuery(desc->estate);
		rows = (int64) desc->estate->es_processed;
		ExecutorEnd(desc);
		FreeQueryDesc(desc);
	}
	else
		ProcessUtility(planned, text, true, PROCESS_UTILITY_QUERY, NULL, NULL, dest, NULL);
	if (ActiveSnapshotSet())
		PopActiveSnapshot();
	return rows;
}

/*
 * For a script that migmgr has derived: a function may be made before what its
 * body names.  Call inside a GUC nest level, or a subtransaction, that ends with
 * the script.
 */
void
run_trust_bodies(void)
{
	(void) set_config_option("check_function_bodies", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * The error of a run as its caller is to see it: which statement of which
 * script, at what line, with the caret under that statement's own text.  The
 * SQLSTATE stays the original one.
 */
ErrorData *
run_error(const Run *run, ErrorData *error)
{
	const ScriptStatement *statement = run->current;
	StringInfoData context;

	if (statement == NULL)
		return error;

	error->message = psprintf("%s failed at %s %d, line %d: %s", run->what, run->current_part,
							  statement->number, statement->line, error->message);
	if (error->internalquery == NULL && error->cursorpos > 0)
	{
		int			start = pg_mbstrlen_with_len(run->current_script->text, statement->offset);

		if (error->cursorpos > start)
		{
			error->internalquery = pstrdup(statement->text);
			error->internalpos = error->cursorpos - start;
		}
	}
	error->cursorpos = 0;

	initStringInfo(&context);
	if (error->context != NULL)
		appendStringInfo(&context, "%s\n", error->context);
	appendStringInfo(&context, "%s %d of %s, line %d: %.*s", run->current_part,
					 statement->number, run->what, statement->line,
					 pg_mbcliplen(statement->text, strlen(statement->text), 200), statement->text);
	error->context = context.data;
	return error;
}

/*
 * Runs the verify script, and all deferred constraints, in a subtransaction
 * that is undone: it judges, it leaves nothing.
 */
void
run_verify(Run *run)
{
	ErrorData  *error = subxact_run(verify_in_subxact, run);

	if (error != NULL)
		ReThrowError(error);
	run->current = NULL;
}

static bool
verify_in_subxact(void *arg)
{
	Run		   *run = arg;
	ConstraintsSetStmt *constraints = makeNode(ConstraintsSetStmt);
	ListCell   *lc;

	constraints->deferred = false;
	AfterTriggerSetState(constraints);
	if (run->verify == NULL)
		return false;

	run->current_script = run->verify;
	run->current_part = "verify statement";
	foreach(lc, run->verify->statements)
	{
		CHECK_FOR_INTERRUPTS();
		run->current = lfirst(lc);
		progress_show(run->what, run->attempts, run->current_part, run->current->number,
					  list_length(run->verify->statements), run->current->text);
		verify_statement(run, run->current, run->verify);
	}
	return false;
}

static bool
verify_receive(TupleTableSlot *slot, DestReceiver *self)
{
	VerifyReceiver *receiver = (VerifyReceiver *) self;

	if (receiver->rows++ == 0 && receiver->is_bool)
	{
		bool		isnull;
		Datum		value = slot_getattr(slot, 1, &isnull);

		receiver->value = !isnull && DatumGetBool(value);
	}
	return true;
}

static void
verify_startup(DestReceiver *self, int operation, TupleDesc desc)
{
	((VerifyReceiver *) self)->is_bool = desc->natts > 0 &&
		TupleDescAttr(desc, 0)->atttypid == BOOLOID;
}

static void
verify_nothing(DestReceiver *self)
{
}

/*
 * One verify statement holds when it raises nothing and, where its first
 * column is boolean, its first row has true there.
 */
static void
verify_statement(Run *run, ScriptStatement *statement, Script *script)
{
	VerifyReceiver receiver = {
		.pub = {
			.receiveSlot = verify_receive,
			.rStartup = verify_startup,
			.rShutdown = verify_nothing,
			.rDestroy = verify_nothing,
			.mydest = DestNone,
		},
	};

	budget_statement();
	guard_statement(NULL);
	(void) execute_raw(copyObject(statement->raw), script->text, &receiver.pub);
	if (receiver.is_bool && !receiver.value)
		ereport(ERROR,
				(errcode(ERRCODE_MG_VERIFY_FAILED),
				 receiver.rows == 0
				 ? errmsg("it returned no row")
				 : errmsg("it did not return true"),
				 errhint("The migration was undone: correct it, or the verify SQL, and apply again.")));
}
