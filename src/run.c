/*
 * run.c
 *	  The one way of a request: lock, ask, judge, run, look, record.
 *
 * Two locks, APPLY before and CHAIN after; between them one subtransaction
 * that holds everything of the caller's SQL.  Whatever goes wrong inside it
 * is undone, recorded as an attempt, and told with statement and line.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "archive.h"
#include "budget.h"
#include "check.h"
#include "errors.h"
#include "flag.h"
#include "gate.h"
#include "guc.h"
#include "inverse.h"
#include "ledger.h"
#include "lock.h"
#include "mode.h"
#include "notices.h"
#include "progress.h"
#include "run.h"
#include "run_tell.h"
#include "spi_util.h"
#include "subxact.h"
#include "watch.h"

#define MAX_WAITS 5				/* that the detail of an error shows */
#define MAX_TOTAL_WAIT_MS 10000 /* a function keeps its snapshot while it
								 * waits */

static bool run_in_subxact(void *arg);
static void run_fenced(Run *run);
static char *join_lines(char *first, char *second);
static void check_rollback_data(const Run *run);
static void check_rollback_later(const Run *run);
static char *watched_table(const char *watch);
static void check_rollback_watches(const Run *run);
static bool created_here(const Run *run, const Verdict *verdict);
static bool is_about_locks(const ErrorData *error);
static void note_wait(Run *run);
static void add_detail(ErrorData *error, const char *line);
static bool worth_a_retry(const Run *run, const ErrorData *error);
static bool wait_before_retry(void *arg);
pg_noreturn static void refuse_later(const Run *run, const char *lines, const char *newest);
static bool name_dependents(void *arg);
static char *run_totals(const Run *run);
static RunRow *run_failed(Run *run, ErrorData *error);
static char *run_detail(const Run *run, bool with_counts);

void
run_init(void)
{
	notices_init();
	run_start_init();
}

/*
 * Tries a request until it succeeds, or fails for good: *error is NULL or what
 * went wrong in the end.  Nothing is recorded yet.
 */
Run *
run_tries(const RunRequest *request, ErrorData **error)
{
	Run		   *run = palloc0(sizeof(Run));
	instr_time	start,
				duration;

	/* a trial run is what a copy is good for; anything else needs its home */
	if (!request->dry_run)
		ledger_check_home();

	run->request = request;
	run->what = request->rehearse ? "the rehearsal" :
		psprintf("%s \"%s\"", request->repeatable ? "repeatable" : request->action == RUN_APPLY ? "migration" : "rollback of",
				 request->repeatable ? request->name : request->version);
	run->environment = policy_environment();
	if (request->action == RUN_ROLLBACK && !request->dry_run)
		mode_check_run(run->what, request->version);
	if (request->action == RUN_ROLLBACK)
	{
		run->made = version_objects(request->undoes, false);
		run->touched = version_objects(request->undoes, true);
	}

	if (run_start_tell(run))
	{
		run_next_transaction();
		run_snapshot();
	}
	run->started = GetCurrentTimestamp();
	INSTR_TIME_SET_CURRENT(start);
	for (;;)
	{
		ErrorData  *cancelled;

		run->attempts++;
		run->done = NIL;
		run->class = CLASS_NONE;
		run->current = NULL;
		run->effect = NULL;
		*error = subxact_run(run_in_subxact, run);
		measure_end();
		guard_end();
		notices_end();
		budget_end();
		if (*error != NULL && is_about_locks(*error))
			note_wait(run);
		if (*error == NULL || !worth_a_retry(run, *error))
			break;
		if (request->commits)
			run_next_transaction();
		else
			run_start_send(run);
		cancelled = subxact_run(wait_before_retry, run);
		if (request->commits)
			run_snapshot();
		if (cancelled != NULL)
		{
			run->current = NULL;
			*error = cancelled;
			break;
		}
	}
	if (*error != NULL && request->action == RUN_ROLLBACK &&
		(*error)->sqlerrcode == ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST)
	{
		ErrorData  *refused = subxact_run(name_dependents, run);

		if (refused != NULL)
		{
			*error = refused;
			run->current = NULL;
		}
	}
	INSTR_TIME_SET_CURRENT(duration);
	INSTR_TIME_SUBTRACT(duration, start);
	run->ms = INSTR_TIME_GET_MILLISEC(duration);
	progress_end();
	return run;
}

/*
 * Runs a request to its end and returns the row for the caller.  Raises what
 * went wrong, unless options say on_error => report.
 */
RunRow *
run_request(const RunRequest *request)
{
	ErrorData  *error;
	Run		   *run = run_tries(request, &error);

	if (error != NULL)
		return run_failed(run, error);
	if (request->dry_run)
		return run_row(run, "dry run", psprintf("%s%snothing was kept%s%s",
												run->effect->objects == NIL ? "" :
												psprintf("would leave: %s; ", run_detail(run, false)),
												run_totals(run),
												run->not_ready == NULL ? "" : "; not ready: ",
												run->not_ready == NULL ? "" : run->not_ready));

	run_start_late(run);
	if (request->action == RUN_ROLLBACK)
		flag_rolled_back(request->version, request->undoes);
	run_record(run);
	policy_use_waivers(request->version);
	run_tell(run);
	return run_row(run, request->action == RUN_APPLY ? "applied" : "rolled back",
				   run_detail(run, true));
}

/*
 * First of every SQL function that runs a script: raises what forbids it
 * before anything is looked at.
 */
void
run_begin(const char *function)
{
	if (guard_active())
		ereport(ERROR,
				(errcode(ERRCODE_MG_NESTED),
				 errmsg("cannot run a migration from inside another one"),
				 errhint("Apply them one after the other.")));
	if (ledger_state() == LEDGER_ABSENT)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"migmgr\" is not installed in this database")));
	if (InSecurityRestrictedOperation())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot call %s within a security-restricted operation", function)));
	PreventCommandDuringRecovery(function);
	PreventCommandIfReadOnly(function);
	PreventCommandIfParallelMode(function);
}

/* The row as the one row of a set-returning function. */
Datum
run_return(FunctionCallInfo fcinfo, const RunRow *row)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[RUN_COLUMNS];
	bool		nulls[RUN_COLUMNS];

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	run_row_values(row, values, nulls);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	return (Datum) 0;
}

/* The row as RUN_COLUMNS values. */
void
run_row_values(const RunRow *row, Datum *values, bool *nulls)
{
	const char *texts[] = {row->version, row->name, row->status, row->environment, row->class};

	memset(nulls, 0, RUN_COLUMNS * sizeof(bool));
	for (int i = 0; i < lengthof(texts); i++)
	{
		nulls[i] = texts[i] == NULL;
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i]);
	}
	values[5] = Int32GetDatum(row->statements);
	values[6] = Int64GetDatum(row->ms);
	nulls[7] = row->reversible == NULL;
	values[7] = nulls[7] ? (Datum) 0 : CStringGetTextDatum(row->reversible);
	nulls[8] = row->detail == NULL;
	values[8] = nulls[8] ? (Datum) 0 : CStringGetTextDatum(row->detail);
}

/* Everything of the caller's SQL; true keeps it. */
static bool
run_in_subxact(void *arg)
{
	Run		   *run = arg;
	const RunRequest *request = run->request;

	run->script = script_parse(request->up, run->what);
	run->down = NULL;
	if (request->action == RUN_APPLY && request->down != NULL)
		run->down = script_parse(request->down, psprintf("the way back of %s", run->what));
	run->verify = request->verify == NULL ? NULL :
		script_parse(request->verify, psprintf("the verify SQL of %s", run->what));

	run->before = request->dry_run ? RegisterSnapshot(GetLatestSnapshot()) : NULL;
	run->not_ready = request->rehearse ? NULL : gate_check(request, run->environment);
	if (request->derived)
		inverse_check(run);
	if (request->action == RUN_ROLLBACK && request->on_data == ON_DATA_ARCHIVE)
		archive_store(run);
	run_watched(run);
	guard_end();
	return !request->dry_run;
}

/*
 * Judges and runs the script of a run under the watch of the guard, which is
 * left watching.
 */
void
run_watched(Run *run)
{
	List	   *violations;

	if (run->before != NULL)
		measure_begin(run->before, GetMemoryChunkContext(run), run->request->rehearse);
	guard_begin(run->request->action == RUN_APPLY ? GUARD_APPLY : GUARD_ROLLBACK, run->made);
	if (run->request->on_data == ON_DATA_ARCHIVE)
		guard_count_any();
	if (run->request->derived)
		guard_derived(true);
	inverse_watch(run);
	policy_set_version(run->request->version);
	violations = run_judge(run, run->script);
	if (violations != NIL)
		policy_refuse(violations);
	run_start_send(run);
	run_fenced(run);
}

/*
 * Runs the script between two fences: its settings end with it, and it must
 * leave user, session user and security context as they were.
 */
static void
run_fenced(Run *run)
{
	Oid			user,
				session_user = GetSessionUserId(),
				now_user;
	int			context,
				now_context;
	int			nestlevel = NewGUCNestLevel();

	GetUserIdAndSecContext(&user, &context);
	notices_begin(GetMemoryChunkContext(run));
	budget_begin(run->request->options.lock_timeout);
	if (run->request->derived)
		run_trust_bodies();
	run_statements(run, run->script, "statement");
	if (run->request->action == RUN_APPLY && !run->request->rehearse)
		archive_bring_back(run);
	run_verify(run);
	run_effect(run);
	if (!run->request->rehearse)
	{
		if (run->request->action == RUN_APPLY)
			run->not_ready = join_lines(run->not_ready, gate_names(run));
		checks_after(run->request->version, run->request->action == RUN_APPLY, run->environment);
	}
	if (!run->request->dry_run)
		own_lock(LOCK_CHAIN, budget_left());
	AtEOXact_GUC(false, nestlevel);

	GetUserIdAndSecContext(&now_user, &now_context);
	if (now_user != user || now_context != context || GetSessionUserId() != session_user)
		ereport(ERROR,
				(errcode(ERRCODE_MG_IDENTITY_CHANGED),
				 errmsg("%s left another role in effect than it found", run->what),
				 errdetail("It began as \"%s\" and ended as \"%s\".",
						   GetUserNameFromId(user, true), GetUserNameFromId(now_user, true)),
				 errhint("Take SET ROLE and SET SESSION AUTHORIZATION out of the script.")));
}

/* Both, where there are both; NULL when there is neither. */
static char *
join_lines(char *first, char *second)
{
	return first == NULL ? second : second == NULL ? first : psprintf("%s\n%s", first, second);
}

/* What the script really did, and whether that may stay. */
void
run_effect(Run *run)
{
	ListCell   *lc;

	run->effect = guard_result();
	run->class = Max(run->class, run->effect->class);
	if (run->effect->violations != NIL)
		policy_refuse(run->effect->violations);
	foreach(lc, run->effect->warnings)
	{
		const Verdict *verdict = lfirst(lc);

		ereport(WARNING,
				(errmsg("%s: %s", run->what, verdict->reason ? verdict->reason : verdict->rule),
				 verdict->hint ? errhint("%s", verdict->hint) : 0));
	}

	/* the way back is tried under policy as it is */
	measure_end();
	run_counts(run);
	if (run->request->action == RUN_ROLLBACK)
	{
		check_rollback_watches(run);
		check_rollback_later(run);
		check_rollback_data(run);
		if (run->archive != NULL)
			archive_check(run);
		run->reversible = NULL;
	}
	else
	{
		if (run->down != NULL)
			check_handed_in_rollback(run);
		inverse_derive(run);
	}
}

/*
 * The author's way back is judged when it is handed in: apart from what this
 * migration has just made (new in this transaction, so free), it may destroy
 * nothing that policy forbids.
 */
void
check_handed_in_rollback(Run *run)
{
	List	   *violations = NIL;
	ListCell   *lc;

	foreach(lc, run->down->statements)
	{
		ScriptStatement *statement = lfirst(lc);
		Verdict    *verdict = classify_statement(statement->raw->stmt);
		PolicyAction action;

		verdict->statement = statement->number;
		verdict->line = statement->line;
		if (verdict->class < CLASS_DESTRUCTIVE || created_here(run, verdict))
			continue;
		action = policy_action(verdict);
		if (action == ACTION_ASK || action == ACTION_DENY)
			violations = lappend(violations, verdict);
	}
	if (violations != NIL)
		policy_refuse(violations);
}

/*
 * Is the object of a verdict one that this run created or replaced, or a part
 * of one?  The identity of a part starts with that of the whole, or ends with
 * " on <whole>" as policies, triggers, rules and constraints do.
 */
static bool
created_here(const Run *run, const Verdict *verdict)
{
	ListCell   *lc;

	if (verdict->object == NULL || verdict->class == CLASS_PROTECTED)
		return false;
	foreach(lc, run->effect->objects)
	{
		const GuardObject *object = lfirst(lc);
		size_t		length = strlen(object->identity);

		if (strcmp(object->action, "changed") == 0)
			continue;
		if (strncmp(verdict->object, object->identity, length) == 0 &&
			(verdict->object[length] == '\0' || verdict->object[length] == '.' ||
			 verdict->object[length] == '('))
			return true;
		if (strncmp(verdict->rule, "drop-column", 11) == 0 &&
			strcmp(object->type, "table column") == 0 &&
			strncmp(object->identity, verdict->object, strlen(verdict->object)) == 0)
			return true;
	}
	return false;
}

/* Raises MG211 while a watch needs what the rollback has dropped. */
static void
check_rollback_watches(const Run *run)
{
	ListCell   *lc;

	foreach(lc, run->effect->objects)
	{
		const GuardObject *object = lfirst(lc);
		char	   *watch;

		if (strcmp(object->action, "dropped") != 0 || object->schema == NULL)
			continue;
		watch = watch_depends(object->schema, object->relation, object->column);
		if (watch != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_MG_ROLLBACK_DEPENDS),
					 errmsg("cannot roll back \"%s\": %s \"%s\" is in use by a watch",
							run->request->version, object->type, object->identity),
					 errdetail("It is needed by %s.", watch),
					 errhint("Stop the watch first: SELECT * FROM migmgr.unwatch(%s);",
							 quote_literal_cstr(watched_table(watch)))));
	}
}

/* The table's name in "the watch on public.qc_jobs (...)". */
static char *
watched_table(const char *watch)
{
	static const char prefix[] = "the watch on ";
	const char *name = strncmp(watch, prefix, strlen(prefix)) == 0 ? watch + strlen(prefix) : watch;
	const char *end = strstr(name, " (");

	return end == NULL ? pstrdup(name) : pnstrdup(name, end - name);
}

/* Raises MG211 when a version applied later has built on what was dropped. */
static void
check_rollback_later(const Run *run)
{
	char	   *newest = NULL;
	char	   *lines = later_versions(run->request, run->effect->objects, &newest);

	if (lines != NULL)
		refuse_later(run, lines, newest);
}

static void
refuse_later(const Run *run, const char *lines, const char *newest)
{
	ereport(ERROR,
			(errcode(ERRCODE_MG_ROLLBACK_DEPENDS),
			 errmsg("cannot roll back \"%s\": a later version depends on what it would drop",
					run->request->version),
			 errdetail("%s", lines),
			 errhint("Roll back the later version first: SELECT * FROM migmgr.rollback(%s, 'reason');",
					 quote_literal_cstr(newest))));
}

/*
 * A DROP of the rollback was refused: raises MG211 when it is later versions
 * that depend on what it drops.  Runs in a subtransaction of its own.
 */
static bool
name_dependents(void *arg)
{
	const Run  *run = arg;
	char	   *newest = NULL;
	char	   *lines = later_dependents(run->request, &newest);

	if (lines != NULL)
		refuse_later(run, lines, newest);
	return true;
}

/* Raises MG210 when data would be lost and the caller has not agreed to it. */
static void
check_rollback_data(const Run *run)
{
	StringInfoData lost;
	ListCell   *lc;

	if (run->request->on_data != ON_DATA_REFUSE)
		return;
	initStringInfo(&lost);
	foreach(lc, run->effect->objects)
	{
		const GuardObject *object = lfirst(lc);

		if (strcmp(object->action, "dropped") != 0 || object->data_count <= 0)
			continue;
		if (lost.len > 0)
			appendStringInfoString(&lost, "\n");
		if (object->column != NULL)
			appendStringInfo(&lost, INT64_FORMAT " %s of column %s.", object->data_count,
							 object->data_count == 1 ? "value" : "values", object->identity);
		else
			appendStringInfo(&lost, INT64_FORMAT " %s of %s %s.", object->data_count,
							 object->data_count == 1 ? "row" : "rows", object->type, object->identity);
	}
	if (lost.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_ROLLBACK_DATA),
				 errmsg("cannot roll back \"%s\": data would be lost", run->request->version),
				 errdetail("%s", lost.data),
				 errhint("Keep it: SELECT * FROM migmgr.rollback(%s, 'reason', on_data => 'archive');  Or give it up: on_data => 'discard'.",
						 quote_literal_cstr(run->request->version))));
}

/* Was a lock not to be had: of a table, or of the chain for the record? */
static bool
is_about_locks(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		error->sqlerrcode == ERRCODE_MG_LOCKED;
}

/* Notes what the attempt waited for; of many attempts the last few. */
static void
note_wait(Run *run)
{
	char	   *blockers = budget_blockers(true);
	char	   *recorded = budget_blockers(false);

	if (blockers == NULL)
		return;
	if (list_length(run->waits) == MAX_WAITS)
	{
		run->waits = list_delete_first(run->waits);
		run->recorded_waits = list_delete_first(run->recorded_waits);
	}
	run->waits = lappend(run->waits, psprintf("Attempt %d waited %s.", run->attempts, blockers));
	run->recorded_waits = lappend(run->recorded_waits,
								  psprintf("attempt %d: %s", run->attempts, recorded));
}

/*
 * Locks that were not to be had come free by themselves: try again, as often
 * as the options say.  A function keeps its snapshot while it waits, so the
 * time of its waits is bounded as well.
 */
static bool
worth_a_retry(const Run *run, const ErrorData *error)
{
	return is_about_locks(error) && run->attempts <= run->request->options.max_retries &&
		(run->request->commits || run->waited < MAX_TOTAL_WAIT_MS);
}

/*
 * Exponential backoff with full jitter; only APPLY is held meanwhile.  Raises
 * on a cancel.
 */
static bool
wait_before_retry(void *arg)
{
	Run		   *run = arg;
	int			cap = 100 << Min(run->attempts, 6);
	int			nap;
	TimestampTz start = GetCurrentTimestamp();

	if (!run->request->commits)
		cap = Min(cap, MAX_TOTAL_WAIT_MS - run->waited);
	nap = 1 + (int) (pg_prng_double(&pg_global_prng_state) * cap);
	progress_state(run->what, psprintf("attempt %d of %d comes after %d ms", run->attempts + 1,
									   run->request->options.max_retries + 1, nap));
	progress_tell(true, "%s: %s  Attempt %d of %d comes after %d ms.", run->what,
				  run->waits == NIL ? "a lock was not to be had." : (char *) llast(run->waits),
				  run->attempts + 1, run->request->options.max_retries + 1, nap);
	while (!TimestampDifferenceExceeds(start, GetCurrentTimestamp(), nap))
	{
		CHECK_FOR_INTERRUPTS();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(nap, 100), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	run->waited += nap;
	return false;
}

/* Where it failed, how often, and behind whom it waited. */
void
run_explain(const Run *run, ErrorData *error)
{
	ListCell   *lc;

	(void) run_error(run, error);
	foreach(lc, run->waits)
		add_detail(error, lfirst(lc));
	if (run->attempts > 1)
		add_detail(error, psprintf("It was tried %d times.", run->attempts));
}

/* "took AccessExclusiveLock on public.t; wrote again 16 MB; " */
static char *
run_totals(const Run *run)
{
	StringInfoData totals;
	List	   *locks = NIL;
	int64		written = 0;
	double		read = 0;
	bool		stays = false;
	ListCell   *lc;

	initStringInfo(&totals);
	foreach(lc, run->done)
	{
		const Measured *measured = ((RunStatement *) lfirst(lc))->measured;

		if (measured == NULL)
			continue;
		locks = list_concat(locks, list_copy(measured->locks));
		written += measured->written;
		read += measured->read;
		stays |= measured->stays;
	}
	if (locks != NIL)
		appendStringInfo(&totals, "took %s; ", measure_locks(locks, 3, false));
	if (written > 0)
		appendStringInfo(&totals, "wrote again %s; ",
						 measure_size(written));
	if (read > 0)
		appendStringInfo(&totals, "read %.0f rows in scans; ", read);
	if (stays)
		appendStringInfoString(&totals, "did what is not undone, as rehearse() shows; ");
	return totals.data;
}

/* Records the failed attempt; raises the error, or returns a row about it. */
static RunRow *
run_failed(Run *run, ErrorData *error)
{
	const RunRequest *request = run->request;
	Attempt		attempt = {0};
	char	   *line;

	start_sent();
	run_explain(run, error);
	attempt.action = request->repeatable ? "repeat" : request->action == RUN_APPLY ? "apply" : "rollback";
	attempt.version = request->version;
	attempt.name = request->name;
	attempt.checksum = request->checksum;
	attempt.error = error;
	attempt.statement = run->current ? run->current->number : 0;
	attempt.line = run->current ? run->current->line : 0;
	attempt.ms = run->ms;

	/* here nothing is undone but what failed, so no worker is needed */
	if (request->commits)
	{
		run_next_transaction();
		run_snapshot();
		if (!request->dry_run)
			attempt_commit(&attempt);
	}
	if (request->action == RUN_ROLLBACK && !is_about_locks(error) && (line = last_backup(error)) != NULL)
		add_detail(error, line);
	if (request->options.report &&
		error->sqlerrcode != ERRCODE_QUERY_CANCELED && error->sqlerrcode != ERRCODE_ADMIN_SHUTDOWN)
	{
		if (!request->dry_run && !request->commits)
			attempt_write(&attempt);
		return run_row(run, "failed", psprintf("%s: %s%s%s", unpack_sql_state(error->sqlerrcode), error->message,
											   run->waits == NIL ? "" : "\n",
											   run->waits == NIL ? "" : (char *) llast(run->waits)));
	}
	if (!request->dry_run && !request->commits && !attempt_send(&attempt))
		add_detail(error, "This attempt was not recorded: no free background worker.");
	ReThrowError(error);
	return NULL;				/* keep compiler quiet */
}

static void
add_detail(ErrorData *error, const char *line)
{
	error->detail = error->detail == NULL ? pstrdup(line) : psprintf("%s\n%s", error->detail, line);
}

/* The row of a run; status and detail are the caller's to choose. */
RunRow *
run_row(const Run *run, const char *status, const char *detail)
{
	RunRow	   *row = palloc0(sizeof(RunRow));

	row->version = run->request->version;
	row->name = run->request->name;
	row->status = status;
	row->environment = policy_environment_name(run->environment);
	row->class = class_name(run->class);
	row->statements = list_length(run->done);
	row->ms = (int64) run->ms;
	row->reversible = run->reversible;
	row->detail = detail;
	return row;
}

/* What was done, and what data was put away or came back; NULL: nothing. */
static char *
run_detail(const Run *run, bool with_counts)
{
	char	   *objects = run->effect->objects == NIL ? NULL : object_list(run->effect->objects, with_counts);
	char	   *data = archive_words(run->archive);

	if (run->request->caveat != NULL)
		objects = psprintf("%s%s", objects == NULL ? "done" : objects, run->request->caveat);
	if (data == NULL)
		return objects;
	data = run->request->action == RUN_APPLY ? psprintf("brought back %s", data) :
		psprintf("archived %s in %s", data, run->archive->schema);
	return objects == NULL ? data : psprintf("%s; %s", data, objects);
}

/* "created 6: table public.job_dlq, index ..., and 3 more" */
char *
object_list(const List *objects, bool with_counts)
{
	StringInfoData text;
	ListCell   *lc;
	int			shown = 0;

	initStringInfo(&text);
	foreach(lc, objects)
	{
		const GuardObject *object = lfirst(lc);

		if (shown == 3)
		{
			appendStringInfo(&text, ", and %d more", list_length(objects) - shown);
			break;
		}
		appendStringInfo(&text, "%s%s %s %s", shown ? ", " : "", object->action,
						 object->type, object->identity);
		if (with_counts && object->data_count > 0)
			appendStringInfo(&text, " (" INT64_FORMAT " %s%s)", object->data_count,
							 object->column ? "value" : "row", object->data_count == 1 ? "" : "s");
		shown++;
	}
	return text.data;
}
