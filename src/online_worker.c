/*
 * online_worker.c
 *	  The worker: the way of a job from its first statement to its ledger entry.
 *
 * One worker at a time in a database.  It holds a lock for as long as it
 * lives, so that a job whose worker was killed is seen to be cut off.  Each
 * statement is done in transactions of its own and written down with it, so
 * whatever ends the worker, the next one goes on behind the last statement
 * that is written down.  The ledger entry comes with the last transaction.
 *
 * The worker has the rights of the one who asked, and the defaults that a role
 * or database sets for its sessions hold here too, but for the one that would
 * keep it from writing at all.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/ps_status.h"
#include "utils/snapmgr.h"

#include "check.h"
#include "compat.h"
#include "errors.h"
#include "flag.h"
#include "gate.h"
#include "guc.h"
#include "inverse.h"
#include "ledger.h"
#include "lock.h"
#include "migmgr.h"
#include "notices.h"
#include "online.h"
#include "online_report.h"
#include "run_tell.h"

extern PGDLLEXPORT void migmgr_online_main(Datum arg);

/* the job of this process */
typedef struct Work
{
	int64		ticket;
	OnlineReport *report;		/* NULL: nobody waits */
	OnlineJob  *job;
	RunRequest	request;
	Run		   *run;			/* of an online script */
	MemoryContext context;
} Work;

static Work *work = NULL;

static bool take_lock(LOCKTAG *tag);
static bool do_job(void);
static bool begin_job(void);
static void make_apply(const OnlineJob *job);
static void make_rollback(const OnlineJob *job);
static void become_requester(void);
static void run_online(void);
static RunRow *check_rollback(RunRequest *request);
static RunRow *finish_online(RunRequest *request);
static void find_way_back(Run *run);
static void withdraw(void);
static void use_waivers(const Run *run);
static MigClass class_of(const char *name);
static void stop_job(ErrorData *error);

/* Is this the worker that runs the job of this ticket? */
bool
online_is_worker(int64 ticket)
{
	return work != NULL && ticket != 0 && work->ticket == ticket;
}

/* The worker's main function. */
void
migmgr_online_main(Datum arg)
{
	OnlineStart start;
	dsm_segment *segment = NULL;
	LOCKTAG		tag;
	bool		done;

	memcpy(&start, MyBgworkerEntry->bgw_extra, sizeof(start));
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	CurrentResourceOwner = NULL;
	if (start.report != DSM_HANDLE_INVALID)
	{
		segment = dsm_attach(start.report);
		if (segment == NULL)
			return;				/* whoever wanted to wait is gone */
	}

	BackgroundWorkerInitializeConnectionByOid(start.database, start.session_user, MG_WORKER_FLAGS);
	SetConfigOption("default_transaction_read_only", "off", PGC_SUSET, PGC_S_OVERRIDE);
	notices_begin_worker();
	SetConfigOption("migmgr.apply_wait", "10s", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("application_name", "migmgr online", PGC_USERSET, PGC_S_SESSION);

	work = MemoryContextAllocZero(TopMemoryContext, sizeof(Work));
	work->ticket = start.ticket;
	work->report = segment == NULL ? NULL : dsm_segment_address(segment);
	work->context = AllocSetContextCreate(TopMemoryContext, "migmgr online", ALLOCSET_DEFAULT_SIZES);

	if (!take_lock(&tag))
	{
		online_say_error(work->report, NULL);
		return;
	}
	done = do_job();
	LockRelease(&tag, ExclusiveLock, true);
	if (done)
		online_start_next();
	if (segment != NULL)
		dsm_detach(segment);
}

/*
 * The lock of the worker that is at work; false when another one has it.  Of
 * the method of advisory locks, which an aborted transaction does not give
 * back, with a tag that no SQL can make.
 */
static bool
take_lock(LOCKTAG *tag)
{
	Oid			extension;
	bool		taken;

	StartTransactionCommand();
	extension = ledger_extension();
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, ExtensionRelationId, extension, LOCK_ONLINE);
	tag->locktag_lockmethodid = USER_LOCKMETHOD;
	taken = OidIsValid(extension) && LockAcquire(tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
	CommitTransactionCommand();
	return taken;
}

/* Runs the job to its end, or writes down what stopped it; true at its end. */
static bool
do_job(void)
{
	ErrorData  *volatile error = NULL;
	volatile bool done = false;

	MemoryContextSwitchTo(work->context);
	PG_TRY();
	{
		if (begin_job())
		{
			if (strcmp(work->job->action, "withdraw") == 0)
				withdraw();
			else if (work->request.online)
				run_online();
			else
			{
				StartTransactionCommand();
				MemoryContextSwitchTo(work->context);
				online_say_done(work->report, run_committing(&work->request, apply_locked));
				CommitTransactionCommand();
			}
		}
		done = true;
	}
	PG_CATCH();
	{
		EmitErrorReport();
		MemoryContextSwitchTo(work->context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(work->context);
	}
	PG_END_TRY();

	if (error != NULL)
		stop_job(error);
	pgstat_report_activity(STATE_IDLE, NULL);
	return done;
}

/*
 * Reads the job and makes its request; false when there is nothing to do: the
 * transaction that asked was undone, or somebody else has done it.
 */
static bool
begin_job(void)
{
	OnlineJob  *job;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(work->context);
	job = online_job_of(work->ticket);
	if (job == NULL || strcmp(job->status, "running") == 0 ||
		strcmp(job->session_role, GetUserNameFromId(GetSessionUserId(), false)) != 0)
	{
		PopActiveSnapshot();
		CommitTransactionCommand();
		return false;
	}
	work->job = job;
	PreventCommandIfReadOnly("an online migration");
	online_job_state(work->ticket, "running", NULL);
	become_requester();

	if (strcmp(job->action, "apply") == 0)
		make_apply(job);
	else if (strcmp(job->action, "rollback") == 0)
		make_rollback(job);
	work->request.ticket = work->ticket;
	work->request.background = true;
	work->request.commits = true;
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(work->context);
	return true;
}

/* The request of an apply: what was submitted. */
static void
make_apply(const OnlineJob *job)
{
	bool		redacted = false;
	char	   *text = script_text(job->checksum, &redacted);
	Jsonb	   *options = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(job->options)));
	Submission *submission = submission_of(job->version);

	apply_file_request(&work->request, "run()", "CALL migmgr.run", job->file, text, options);
	work->request.note = job->note;
	work->request.received = submission == NULL ? NULL : submission->received;
}

/* The request of a rollback: what the ledger says of the version. */
static void
make_rollback(const OnlineJob *job)
{
	work->request.action = RUN_ROLLBACK;
	work->request.version = job->version;
	work->request.note = job->note;
	work->request.on_data = strcmp(job->on_data, "discard") == 0 ? ON_DATA_DISCARD : ON_DATA_REFUSE;
	rollback_request(&work->request);
}

/* The role and search_path that the requester had. */
static void
become_requester(void)
{
	if (strcmp(work->job->role, work->job->session_role) != 0)
		SetConfigOption("role", work->job->role, PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("search_path", work->job->search_path, PGC_USERSET, PGC_S_SESSION);
}

/* An online script: statement by statement, then verify SQL and ledger. */
static void
run_online(void)
{
	Run		   *run = palloc0(sizeof(Run));
	List	   *done;
	RunRow	   *row;
	ListCell   *lc;

	work->run = run;
	run->request = &work->request;
	run->what = psprintf("%s \"%s\"", work->request.action == RUN_APPLY ? "migration" : "rollback of", work->request.version);
	run->attempts = 1;

	StartTransactionCommand();
	MemoryContextSwitchTo(work->context);
	(void) run_committing(&work->request, work->request.action == RUN_APPLY ? apply_locked : check_rollback);
	run_snapshot();
	if (work->request.action == RUN_ROLLBACK)
	{
		run->made = version_objects(work->request.undoes, false);
		run->touched = version_objects(work->request.undoes, true);
	}
	run->environment = policy_environment();
	run->script = script_parse_online(work->request.up, run->what);
	run->current_script = run->script;
	run->current_part = "statement";
	if (work->request.down != NULL)
		run->down = script_parse_online(work->request.down, psprintf("the way back of %s", run->what));
	run->verify = work->request.verify == NULL ? NULL :
		script_parse(work->request.verify, psprintf("the verify SQL of %s", run->what));
	done = online_done(work->request.version);
	(void) run_start_tell(run);
	PopActiveSnapshot();
	CommitTransactionCommand();

	foreach(lc, run->script->statements)
	{
		ScriptStatement *statement = lfirst(lc);
		char	   *line;
		bool		finished = statement->number <= list_length(done);
		instr_time	start,
					duration;

		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(work->context);
		run->current = statement;
		if (finished)
		{
			online_repeat(run, statement);
			continue;
		}
		line = psprintf("statement %d of %d: %s", statement->number,
						list_length(run->script->statements), script_brief(statement->text));
		online_say(work->report, line, false);
		INSTR_TIME_SET_CURRENT(start);
		online_statement(run, statement);
		INSTR_TIME_SET_CURRENT(duration);
		INSTR_TIME_SUBTRACT(duration, start);
		online_say(work->report, psprintf("%s (%.0f ms)", line, INSTR_TIME_GET_MILLISEC(duration)), true);
	}
	run->current = NULL;

	StartTransactionCommand();
	MemoryContextSwitchTo(work->context);
	row = run_committing(&work->request, finish_online);
	CommitTransactionCommand();
	online_say_done(work->report, row);
}

/* Under APPLY: raises when the version is no longer what it was. */
static RunRow *
check_rollback(RunRequest *request)
{
	VersionState *state = version_state(request->version);

	if (!state->done || state->seq != request->undoes)
		ereport(ERROR,
				(errcode(ERRCODE_MG_NOT_APPLIED),
				 errmsg("version \"%s\" is not applied any more as it was", request->version)));
	if (online_job(request->version)->done == 0)
		(void) gate_check(request, policy_environment());
	return NULL;
}

/* Under APPLY, with all statements done: verify SQL, then the ledger entry. */
static RunRow *
finish_online(RunRequest *request)
{
	Run		   *run = work->run;
	ListCell   *lc;

	if (request->action == RUN_APPLY)
		run_verify(run);
	checks_after(request->version, request->action == RUN_APPLY, run->environment);
	run->done = online_done(request->version);
	run->effect = palloc0(sizeof(GuardResult));
	online_effect(request->version, run->effect);
	run->class = CLASS_NONE;
	foreach(lc, run->done)
	{
		const RunStatement *done = lfirst(lc);

		run->ms += done->ms;
		run->class = Max(run->class, class_of(done->class));
	}
	if (request->action == RUN_APPLY)
		find_way_back(run);
	else
		flag_rolled_back(request->version, request->undoes);
	gate_waivers(request, run->environment);
	run_record(run);
	if (request->action == RUN_APPLY)
		use_waivers(run);
	run_tell(run);
	online_job_delete(request->version);
	return run_row(run, request->action == RUN_APPLY ? "applied" : "rolled back", run->effect->objects == NIL ? NULL : object_list(run->effect->objects, false));
}

/* The author's way back, or those of the statements put together. */
static void
find_way_back(Run *run)
{
	OnlineInverse found;
	char	   *unknown;

	if (run->down != NULL)
		run->reversible = "by script; not proved: it runs online";
	else if (!run->request->options.derive)
		run->reversible = "no: no rollback script was given";
	else if (!online_way_back(run->request->version, &found, &unknown))
		run->reversible = psprintf("no: it ran online, and what %s did is not known", unknown);
	else if (found.sql[0] == '\0')
		run->reversible = found.loses != NULL ? psprintf("no: %s", found.loses) : "nothing to take back";
	else
	{
		run->inverse = palloc0(sizeof(Inverse));
		run->inverse->script = found.sql;
		run->reversible = psprintf("derived%s%s; not proved: it runs online",
								   found.loses != NULL ? ", but: " : "", found.loses != NULL ? found.loses : "");
	}
}

/*
 * Takes back what is done of a job, the last statement first: each index goes
 * concurrently, and with it what says that the statement is done.  So this can
 * be cut off and called again, too.
 */
static void
withdraw(void)
{
	const OnlineJob *job = work->job;
	bool		others = false;

	for (int n = job->statements; n > 0; n--)
	{
		List	   *indexes;
		ListCell   *lc;

		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		MemoryContextSwitchTo(work->context);
		indexes = online_made(job->version, n, &others);
		PopActiveSnapshot();
		CommitTransactionCommand();
		foreach(lc, indexes)
			online_drop(lfirst(lc));

		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		online_undone(job->version, n);
		PopActiveSnapshot();
		CommitTransactionCommand();
	}

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(work->context);
	own_lock(LOCK_APPLY, guc_apply_wait);
	(void) submission_withdraw(submission_of(job->version), job->note);
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/*
 * Waivers for this version alone are used up now: while its statements run,
 * more than one of them may need the same.
 */
static void
use_waivers(const Run *run)
{
	ListCell   *lc;

	policy_set_version(run->request->version);
	foreach(lc, run->done)
	{
		const RunStatement *done = lfirst(lc);
		Verdict		verdict = {.class = class_of(done->class),.rule = done->rule,.command = done->command};

		(void) policy_action(&verdict);
	}
	policy_use_waivers(run->request->version);
}

/* The class of this name. */
static MigClass
class_of(const char *name)
{
	for (MigClass class = CLASS_NONE; class < NUM_CLASSES; class++)
	{
		if (strcmp(class_name(class), name) == 0)
			return class;
	}
	return CLASS_UNCLASSIFIED;
}

/* Writes down what stopped the job; what is done of it stays. */
static void
stop_job(ErrorData *error)
{
	Attempt		attempt = {.action = work->request.action == RUN_APPLY ? "apply" : "rollback"};

	if (work->run != NULL)
		error = run_error(work->run, error);
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(work->context);
	if (OidIsValid(ledger_relid()) && work->job != NULL)
	{
		online_job_state(work->ticket, "stopped", error);
		if (work->run != NULL)
		{
			attempt.version = work->request.version;
			attempt.name = work->request.name;
			attempt.checksum = work->job->checksum;
			attempt.error = error;
			attempt.statement = work->run->current ? work->run->current->number : 0;
			attempt.line = work->run->current ? work->run->current->line : 0;
			attempt_write(&attempt);
		}
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	online_say_error(work->report, error);
}
