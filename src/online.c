/*
 * online.c
 *	  From a request to a job, from a job to a worker, and waiting for it.
 *
 * A statement that refuses a transaction block needs a session of its own, and
 * nobody who waits for it may hold a snapshot: CREATE INDEX CONCURRENTLY would
 * wait for that in turn, and no deadlock detector would see it.  So a function
 * only leaves a job, whose worker starts when its transaction has committed;
 * CALL run() commits first, then waits without a snapshot.
 *
 * The worker connects as the one who asked for it, never as anybody with more
 * rights: role and session are taken from this session here, in C.
 */
#include "postgres.h"

#include <signal.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/spin.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "errors.h"
#include "gate.h"
#include "launcher.h"
#include "ledger.h"
#include "migmgr.h"
#include "online.h"
#include "online_report.h"
#include "progress.h"

#define CANCEL_WAIT_MS 5000
#define TELL_AFTER_MS 1000		/* then somebody begins to wonder */

/* a worker to start when this transaction commits */
typedef struct Start
{
	int64		ticket;
	SubTransactionId subid;
} Start;

static List *starts = NIL;		/* of Start *, in TopMemoryContext */

static bool only_indexes(const Script *script);
static RunRow *register_job(RunRequest *request);
static bool can_login(Oid role);
static void check_finished(const Script *script, const OnlineJob *job);
static void online_xact_callback(XactEvent event, void *arg);
static void online_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
									SubTransactionId parentSubid, void *arg);
static void follow(OnlineReport *report, BackgroundWorkerHandle *handle);
static void say_progress(OnlineReport *report, int *said, bool wanted);
static void say_current(OnlineReport *report, int *said);
static void stop_worker(BackgroundWorkerHandle *handle);
static void say(char *to, size_t size, const char *text);
static RunRow *outcome(const OnlineReport *report, const RunRequest *request, RunRow *row);

void
online_init(void)
{
	RegisterXactCallback(online_xact_callback, NULL);
	RegisterSubXactCallback(online_subxact_callback, NULL);
}

/*
 * An apply that needs a worker, under APPLY: in the worker the last questions
 * to the ledger, for anybody else a job.
 */
RunRow *
online_request(RunRequest *request)
{
	if (online_is_worker(request->ticket))
	{
		RunRow	   *row = NULL;

		check_order(request);
		if (request->online && online_job(request->version)->done == 0)
			(void) gate_check(request, policy_environment());
		if (!request->online)
		{
			row = run_request(request);
			online_job_delete(request->version);
		}
		return row;
	}
	if (request->dry_run)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("migration \"%s\" cannot be tried: its statements run by themselves, and what they do stays", request->version),
				 errhint("SELECT * FROM migmgr.plan(sql) says what it would do.")));
	if (!request->background)
		ereport(ERROR,
				(errcode(ERRCODE_MG_NEEDS_WORKER),
				 errmsg("migration \"%s\" cannot run in a transaction: it is online", request->version),
				 errdetail("It is marked -- migmgr:online, or has a statement like CREATE INDEX CONCURRENTLY that refuses a transaction block; a function always runs in one."),
				 errhint("CALL migmgr.run(file, sql); waits for it, SELECT * FROM migmgr.submit(file, sql, start => true); does not.")));
	return register_job(request);
}

/* Records the job; its worker starts with the commit, or the caller starts it. */
static RunRow *
register_job(RunRequest *request)
{
	Run			run = {.request = request};
	OnlineJob  *job = online_job(request->version);
	RunRow	   *row = palloc0(sizeof(RunRow));
	List	   *violations;

	ledger_check_home();
	online_check_requester();
	if (job != NULL && strcmp(job->status, "running") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_LOCKED),
				 errmsg("migration \"%s\" is running already", request->version),
				 errdetail("Process %d is at it; %d of %d statements are done.", job->pid, job->done, job->statements),
				 errhint("Wait for it to end, or stop it: SELECT pg_cancel_backend(%d);  What it has done stays, and calling again goes on.", job->pid)));
	if (request->commits)
		check_order(request);

	run.what = psprintf("migration \"%s\"", request->version);
	run.environment = policy_environment();
	run.script = (request->online ? script_parse_online : script_parse) (request->up, run.what);
	run.effect = palloc0(sizeof(GuardResult));
	online_effect(request->version, run.effect);
	if (request->down != NULL)
	{
		run.down = script_parse_online(request->down, psprintf("the way back of %s", run.what));
		check_handed_in_rollback(&run);
	}
	if (request->verify != NULL)
		(void) script_parse(request->verify, psprintf("the verify SQL of %s", run.what));
	if (job == NULL || job->done == 0)
		(void) gate_check(request, run.environment);
	else
		gate_approved(request);
	policy_set_version(request->version);
	violations = run_judge(&run, run.script);
	if (violations != NIL)
		policy_refuse(violations);
	if (job != NULL)
		check_finished(run.script, job);

	request->ticket = submission_write(request, list_length(run.script->statements));
	online_job_write(request, request->ticket, list_length(run.script->statements));
	if (!request->commits)
		online_start_later(request->ticket);

	row->version = request->version;
	row->name = request->name;
	row->status = "queued";
	row->environment = policy_environment_name(run.environment);
	row->class = class_name(CLASS_NONE);
	row->statements = list_length(run.script->statements);
	row->detail = psprintf("ticket " INT64_FORMAT "; a worker starts when this transaction has committed", request->ticket);
	return row;
}

/* Does a way back only drop and build indexes, so that there is no data to put away? */
static bool
only_indexes(const Script *script)
{
	ListCell   *lc;

	foreach(lc, script->statements)
	{
		Node	   *stmt = ((ScriptStatement *) lfirst(lc))->raw->stmt;

		if (!IsA(stmt, IndexStmt) && !IsA(stmt, CommentStmt) &&
			!(IsA(stmt, DropStmt) && castNode(DropStmt, stmt)->removeType == OBJECT_INDEX))
			return false;
	}
	return true;
}

/*
 * A rollback that runs online, under APPLY: a job whose worker starts with the
 * commit.  It may drop what its version made, judged as any rollback is.
 */
RunRow *
online_rollback(RunRequest *request)
{
	Run			run = {.request = request};
	RunRow	   *row = palloc0(sizeof(RunRow));
	List	   *violations;
	ListCell   *lc;

	ledger_check_home();
	online_check_requester();
	run.what = psprintf("rollback of \"%s\"", request->version);
	run.script = script_parse_online(request->up, run.what);
	if (request->dry_run || (request->on_data == ON_DATA_ARCHIVE && !only_indexes(run.script)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the rollback of \"%s\" runs online, and cannot %s", request->version,
						request->dry_run ? "be tried" : "put data away"),
				 errhint("SELECT * FROM migmgr.plan(sql) says what its statements would do.")));
	run.environment = policy_environment();
	(void) gate_check(request, run.environment);
	gate_approved(request);
	run.made = version_objects(request->undoes, false);
	run.touched = version_objects(request->undoes, true);
	violations = run_judge(&run, run.script);
	if (violations != NIL)
		policy_refuse(violations);
	foreach(lc, run.script->statements)
	{
		ScriptStatement *statement = lfirst(lc);

		online_check_drops(&run, statement, classify_statement(statement->raw->stmt));
	}

	request->ticket = request->undoes;
	online_job_write(request, request->ticket, list_length(run.script->statements));
	online_start_later(request->ticket);
	row->version = request->version;
	row->name = request->name;
	row->status = "queued";
	row->environment = policy_environment_name(run.environment);
	row->class = class_name(CLASS_NONE);
	row->statements = list_length(run.script->statements);
	row->detail = "a worker starts when this transaction has committed; SELECT * FROM migmgr.history; tells the rest";
	return row;
}

/*
 * Raises unless a worker can be had with exactly this session's rights: not
 * in a SECURITY DEFINER function, whose owner has not asked for anything.
 */
void
online_check_requester(void)
{
	if (InLocalUserIdChange())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot start a worker from a SECURITY DEFINER function"),
				 errhint("Call migmgr directly, or from a SECURITY INVOKER function.")));
	if (mg_worker_needs_login && !can_login(GetSessionUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_MG_NO_WORKER),
				 errmsg("cannot start a worker as role \"%s\", which cannot log in",
						GetUserNameFromId(GetSessionUserId(), true)),
				 errdetail("A worker connects as the role of the session that asks for it."),
				 errhint("Log in as a member of that role and SET ROLE.")));
}

/*
 * Raises MG201 when a script that goes on where another stopped has other
 * statements where that one has finished ones.
 */
static void
check_finished(const Script *script, const OnlineJob *job)
{
	ListCell   *lc;

	foreach(lc, online_done(job->version))
	{
		const RunStatement *done = lfirst(lc);
		const ScriptStatement *statement = done->number > list_length(script->statements) ? NULL :
			list_nth(script->statements, done->number - 1);

		if (statement != NULL && strcmp(script_shape_hash(statement->text), done->shape) == 0)
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_MG_VERSION_CHANGED),
				 errmsg("migration \"%s\" is partly applied, with another statement %d", job->version, done->number),
				 errdetail("Done: %s%s%s", script_brief(done->text), statement ? "\nHanded in: " : "",
						   statement ? script_brief(statement->text) : ""),
				 errhint("Put the finished statements back as they were; those that come after them may change.")));
	}
}

/* Starts the worker of a ticket if and when this transaction commits. */
void
online_start_later(int64 ticket)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	Start	   *start = palloc(sizeof(Start));

	start->ticket = ticket;
	start->subid = GetCurrentSubTransactionId();
	starts = lappend(starts, start);
	MemoryContextSwitchTo(old);
}

/* What this raises would come after the commit, so it raises nothing. */
static void
online_xact_callback(XactEvent event, void *arg)
{
	ListCell   *lc;

	if (starts == NIL || (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE))
		return;
	foreach(lc, starts)
	{
		Start	   *start = lfirst(lc);

		if (event == XACT_EVENT_COMMIT && !online_start(start->ticket, GetSessionUserId(), DSM_HANDLE_INVALID, NULL))
			ereport(WARNING,
					(errmsg("no background worker is free: ticket " INT64_FORMAT " stays queued", start->ticket),
					 launcher_want() ? errhint("It starts when one is.") :
					 errhint("Go on with it later: CALL migmgr.run_pending();")));
	}
	list_free_deep(starts);
	starts = NIL;
}

static void
online_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
						SubTransactionId parentSubid, void *arg)
{
	ListCell   *lc;

	foreach(lc, starts)
	{
		Start	   *start = lfirst(lc);

		if (start->subid != mySubid)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			start->subid = parentSubid;
		else if (event == SUBXACT_EVENT_ABORT_SUB)
			starts = foreach_delete_current(starts, lc);
	}
}

/* Asks the postmaster for a worker; false when there is no slot for one. */
bool
online_start(int64 ticket, Oid session_user, dsm_handle report, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker = {0};
	OnlineStart start = {
		.database = MyDatabaseId,.session_user = session_user,.ticket = ticket,.report = report,
	};

	StaticAssertStmt(sizeof(start) <= BGW_EXTRALEN, "too much for a worker to be told");
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = handle == NULL ? 0 : MyProcPid;
	memcpy(worker.bgw_extra, &start, sizeof(start));
	strlcpy(worker.bgw_library_name, MIGMGR_EXTENSION, sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "migmgr_online_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "migmgr online", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "migmgr online", sizeof(worker.bgw_type));
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

/*
 * The next job in the queue gets a worker of its own, as its own requester;
 * when that role is gone, the job says so.  Outside of a transaction.
 */
void
online_start_next(void)
{
	ErrorData	error = {.sqlerrcode = ERRCODE_MG_NO_WORKER};
	char	   *role = NULL;
	int64		ticket;
	Oid			roleid = InvalidOid;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	ticket = OidIsValid(ledger_relid()) && ledger_state() == LEDGER_IN_FORCE ? online_next(&role) : 0;
	if (ticket != 0)
	{
		roleid = get_role_oid(role, true);
		if (!OidIsValid(roleid))
			error.message = psprintf("role \"%s\", which has asked for it, does not exist any more", role);
		else if (mg_worker_needs_login && !can_login(roleid))
			error.message = psprintf("role \"%s\", which has asked for it, cannot log in any more", role);
		if (error.message != NULL)
			online_job_state(ticket, "stopped", &error);
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	if (ticket != 0 && error.message == NULL && !online_start(ticket, roleid, DSM_HANDLE_INVALID, NULL))
	{
		ereport(LOG,
				(errmsg("migmgr: no background worker is free: ticket " INT64_FORMAT " stays queued", ticket)));
		(void) launcher_want();
	}
}

static bool
can_login(Oid role)
{
	HeapTuple	row = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		result = HeapTupleIsValid(row) && ((Form_pg_authid) GETSTRUCT(row))->rolcanlogin;

	if (HeapTupleIsValid(row))
		ReleaseSysCache(row);
	return result;
}

/*
 * Second half of a CALL whose request became a job: starts its worker, waits
 * for it, and returns its row or raises its error.  In a new transaction, in
 * which nothing has happened.
 */
RunRow *
online_finish(const RunRequest *request, RunRow *row)
{
	dsm_segment *segment;
	OnlineReport *report;
	BackgroundWorkerHandle *handle = NULL;

	if (!request->background || strcmp(row->status, "queued") != 0)
		return row;

	segment = dsm_create(sizeof(OnlineReport), DSM_CREATE_NULL_IF_MAXSEGMENTS);
	if (segment != NULL)
	{
		dsm_pin_mapping(segment);
		report = dsm_segment_address(segment);
		memset(report, 0, sizeof(OnlineReport));
		SpinLockInit(&report->mutex);
		report->waiter = MyProcPid;
	}
	if (segment == NULL || !online_start(request->ticket, GetSessionUserId(), dsm_segment_handle(segment), &handle))
	{
		if (segment != NULL)
			dsm_detach(segment);
		ereport(ERROR,
				(errcode(ERRCODE_MG_NO_WORKER),
				 errmsg("migration \"%s\" stays queued: no background worker is free", request->version),
				 errdetail("Nothing of it has run in this call, and nothing is lost."),
				 errhint("Call again when one is free, or raise max_worker_processes.")));
	}

	PG_TRY();
	{
		follow(report, handle);
		row = outcome(report, request, row);
	}
	PG_CATCH();
	{
		stop_worker(handle);
		dsm_detach(segment);
		PG_RE_THROW();
	}
	PG_END_TRY();
	dsm_detach(segment);
	return row;
}

/* Waits for the worker's end without a snapshot; says how far it is. */
static void
follow(OnlineReport *report, BackgroundWorkerHandle *handle)
{
	int			said = 0;
	int			said_current = -1;
	TimestampTz start = GetCurrentTimestamp();
	pid_t		pid;

	for (;;)
	{
		BgwHandleStatus status = GetBackgroundWorkerPid(handle, &pid);

		say_progress(report, &said, TimestampDifferenceExceeds(start, GetCurrentTimestamp(), TELL_AFTER_MS));
		if (status == BGWH_STOPPED || status == BGWH_POSTMASTER_DIED)
			return;
		InvalidateCatalogSnapshot();
		if ((WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					   1000, PG_WAIT_EXTENSION) & WL_TIMEOUT) != 0)
			say_current(report, &said_current);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* What runs now, once it has run for a while. */
static void
say_current(OnlineReport *report, int *said)
{
	char		line[PROGRESS_LENGTH];
	int			lines;

	SpinLockAcquire(&report->mutex);
	lines = report->lines;
	memcpy(line, report->current, PROGRESS_LENGTH);
	SpinLockRelease(&report->mutex);
	if (*said != lines && line[0] != '\0')
		progress_tell(true, "%s ...", line);
	*said = lines;
}

/* Passes on the lines that the worker has written since the last time. */
static void
say_progress(OnlineReport *report, int *said, bool wanted)
{
	char		line[PROGRESS_LENGTH];
	int			lines;

	do
	{
		SpinLockAcquire(&report->mutex);
		lines = report->lines;
		if (*said < lines - PROGRESS_LINES)
			*said = lines - PROGRESS_LINES;
		if (*said < lines)
			memcpy(line, report->progress[*said % PROGRESS_LINES], PROGRESS_LENGTH);
		SpinLockRelease(&report->mutex);
		if (*said < lines)
			progress_tell(wanted, "%s", line);
	} while ((*said)++ < lines);
	(*said)--;
}

/*
 * Cancels what the worker does and waits until it has written that down.  A
 * worker that does not come to it is terminated.
 */
static void
stop_worker(BackgroundWorkerHandle *handle)
{
	TimestampTz start = GetCurrentTimestamp();
	bool		cancelled = false;
	pid_t		pid;

	for (;;)
	{
		BgwHandleStatus status = GetBackgroundWorkerPid(handle, &pid);

		if (status == BGWH_STOPPED || status == BGWH_POSTMASTER_DIED)
			return;
		if (status == BGWH_STARTED && !cancelled)
			cancelled = kill(pid, SIGINT) == 0;
		if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), CANCEL_WAIT_MS))
		{
			TerminateBackgroundWorker(handle);
			return;
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 10, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

/* The worker's row, or its error raised. */
static RunRow *
outcome(const OnlineReport *report, const RunRequest *request, RunRow *row)
{
	switch (report->stage)
	{
		case REPORT_DONE:
			row->status = pstrdup(report->status);
			row->class = pstrdup(report->class);
			row->statements = report->statements;
			row->ms = report->ms;
			row->reversible = report->reversible[0] ? pstrdup(report->reversible) : NULL;
			row->detail = report->detail[0] ? pstrdup(report->detail) : NULL;
			return row;
		case REPORT_ERROR:
			ereport(ERROR,
					(errcode(report->sqlstate),
					 errmsg_internal("%s", report->message),
					 report->detail[0] ? errdetail_internal("%s", report->detail) : 0,
					 report->hint[0] ? errhint("%s", report->hint) : 0,
					 report->context[0] ? errcontext("%s", report->context) : 0));
			break;
		case REPORT_BUSY:
			ereport(ERROR,
					(errcode(ERRCODE_MG_LOCKED),
					 errmsg("another migration is running online in this database"),
					 errdetail("Migration \"%s\" stays queued, and starts when that one is done.", request->version),
					 errhint("SELECT * FROM migmgr.history; shows both.")));
			break;
		default:
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_MG_WORKER_ENDED),
			 errmsg("the worker of migration \"%s\" ended before its time", request->version),
			 errdetail("It was terminated, or could not connect as role \"%s\"; the server log says which.  What it has done is recorded.",
					   GetUserNameFromId(GetSessionUserId(), true)),
			 errhint("Call again: it goes on where it stopped.")));
	return NULL;				/* keep compiler quiet */
}

/* Copies a text, cut between two characters where it is too long. */
static void
say(char *to, size_t size, const char *text)
{
	size_t		length = text == NULL ? 0 : pg_mbcliplen(text, strlen(text), size - 1);

	memcpy(to, text ? text : "", length);
	to[length] = '\0';
}

/* The worker says how far it is. */
void
online_say(OnlineReport *report, const char *line, bool done)
{
	char		clipped[PROGRESS_LENGTH];
	PGPROC	   *waiter;

	if (report == NULL)
		return;
	say(clipped, sizeof(clipped), line);
	SpinLockAcquire(&report->mutex);
	if (done)
		memcpy(report->progress[report->lines++ % PROGRESS_LINES], clipped, PROGRESS_LENGTH);
	memcpy(report->current, done ? "" : clipped, done ? 1 : PROGRESS_LENGTH);
	SpinLockRelease(&report->mutex);
	waiter = BackendPidGetProc(report->waiter);
	if (waiter != NULL)
		SetLatch(&waiter->procLatch);
}

/* The worker has come to its end. */
void
online_say_done(OnlineReport *report, const RunRow *row)
{
	if (report == NULL)
		return;
	say(report->status, sizeof(report->status), row->status);
	say(report->class, sizeof(report->class), row->class);
	say(report->reversible, sizeof(report->reversible), row->reversible);
	say(report->detail, sizeof(report->detail), row->detail);
	report->statements = row->statements;
	report->ms = row->ms;
	report->stage = REPORT_DONE;
}

/* The worker gives up; NULL: because another one is at work. */
void
online_say_error(OnlineReport *report, const ErrorData *error)
{
	if (report == NULL)
		return;
	if (error == NULL)
	{
		report->stage = REPORT_BUSY;
		return;
	}
	report->sqlstate = error->sqlerrcode;
	say(report->message, sizeof(report->message), error->message);
	say(report->detail, sizeof(report->detail), error->detail);
	say(report->hint, sizeof(report->hint), error->hint);
	say(report->context, sizeof(report->context), error->context);
	report->stage = REPORT_ERROR;
}
