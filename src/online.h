/*
 * online.h
 *	  Migrations whose statements run by themselves, in a background worker.
 *
 *	  submit.c             submit(), withdraw(), and what was submitted
 *	  pending.c            apply(version), apply_pending(), CALL run_pending()
 *	  online.c             from request to job to worker, and waiting for it
 *	  online_job.c         the job as it is recorded, statement by statement
 *	  online_worker.c      the worker: the way of a job
 *	  online_statement.c   one statement, in transactions of its own
 *	  online_down.c        ways back that drop indexes concurrently
 *	  online_inverse.c     ways back that are derived
 *
 * job     a migration that is, or was, on its way in a worker; one a version
 * ticket  its number: the ledger entry that submitted it
 * target  an object of a statement that outlives a failure of it: the index it
 *         builds, the one it drops, the partition it detaches
 */
#ifndef MIGMGR_ONLINE_H
#define MIGMGR_ONLINE_H

#include "postmaster/bgworker.h"
#include "run.h"
#include "storage/dsm.h"

/* what takes back a statement */
typedef struct OnlineInverse
{
	char	   *sql;			/* statements, each with its semicolon; NULL:
								 * nobody knows */
	char	   *loses;			/* what they do not bring back, or NULL */
} OnlineInverse;

/* a job as recorded, in the caller's context; strings NULL where absent */
typedef struct OnlineJob
{
	int64		ticket;
	const char *version;
	const char *name;
	const char *action;			/* 'apply' or 'rollback' */
	const char *file;
	const char *checksum;
	const char *note;
	const char *options;
	const char *on_data;
	const char *session_role;	/* who it runs as */
	const char *role;
	const char *search_path;
	const char *status;			/* 'queued', 'running', 'partly applied' ... */
	int			statements;
	int			done;			/* finished ones */
	int			pid;			/* of the worker that runs it or did last */
	const char *message;		/* what stopped it last */
} OnlineJob;

/* kinds of target */
#define TARGET_NAME "name"		/* the name an index will have, identity */
#define TARGET_BUILT "built"	/* an index that the statement made, by OID */
#define TARGET_OLD "old"		/* what the statement takes away or replaces */

/* what a worker tells whoever waits for it; in shared memory */
typedef struct OnlineReport OnlineReport;

extern void online_init(void);

/* online.c */
extern RunRow *online_request(RunRequest *request);
extern void online_start_later(int64 ticket);
extern void online_check_requester(void);
extern void online_start_next(void);
extern RunRow *online_rollback(RunRequest *request);
extern RunRow *online_finish(const RunRequest *request, RunRow *row);
extern bool online_start(int64 ticket, Oid session_user, dsm_handle report, BackgroundWorkerHandle **handle);
extern void online_say(OnlineReport *report, const char *line, bool done);
extern void online_say_done(OnlineReport *report, const RunRow *row);
extern void online_say_error(OnlineReport *report, const ErrorData *error);

/* online_job.c */
extern OnlineJob *online_job(const char *version);
extern OnlineJob *online_job_of(int64 ticket);
extern void online_check_order(const RunRequest *request);
extern void online_check_version(const char *version);
extern void online_job_write(const RunRequest *request, int64 ticket, int statements);
extern void online_job_state(int64 ticket, const char *state, const ErrorData *error);
extern void online_job_delete(const char *version);
extern void online_job_withdraw(const char *version, const char *reason);
extern void online_undone(const char *version, int statement);
extern int64 online_next(char **session_role);
extern List *online_done(const char *version);
extern void online_effect(const char *version, GuardResult *effect);
extern List *online_made(const char *version, int statement, bool *others);
extern void online_write_done(const char *version, const RunStatement *done, const List *objects,
							  const OnlineInverse *inverse);
extern void online_note_target(const char *version, int statement, const char *kind, Oid relid,
							   const char *identity);
extern char *online_target_name(const char *version, int statement);
extern List *online_targets(const char *version, int statement, const char *kind);

/* online_worker.c */
extern bool online_is_worker(int64 ticket);

/* online_down.c */
extern char *online_down(const char *down);

/* online_inverse.c */
/* Of a statement that the guard has watched, in its transaction. */
extern void online_find_inverse(const Run *run, const GuardResult *effect, const RunStatement *done,
								OnlineInverse *result);

/* Of one that commits: relations ('{oid,...}') described before and after it. */
extern char *online_describe(const char *relids);
extern void online_lead_back(const char *before, const char *after, OnlineInverse *result);

/* Of all of a job's; false: unknown is the statement that nobody knows of. */
extern bool online_way_back(const char *version, OnlineInverse *result, char **unknown);

/* online_statement.c */
extern void online_drop(const char *name);
extern void online_check_drops(const Run *run, const ScriptStatement *statement, Verdict *verdict);
extern void online_statement(Run *run, ScriptStatement *statement);
extern void online_repeat(Run *run, ScriptStatement *statement);

/* submit.c */
typedef struct Submission
{
	int64		ticket;
	const char *version;
	const char *name;
	const char *file;
	const char *checksum;
	const char *note;
	const char *received;		/* checksum of the bytes as they came, where
								 * it differs */
	bool		online;
} Submission;

extern int64 submission_write(const RunRequest *request, int statements);
extern int64 submission_withdraw(const Submission *submission, const char *reason);
extern Submission *submission_of(const char *version);
extern List *submissions(const char *to_version);
extern void submission_request(RunRequest *request, const Submission *submission, const char *function);

#endif							/* MIGMGR_ONLINE_H */
