/*
 * run.h
 *	  apply and rollback: the way of a script from request to ledger.
 *
 *	  apply.c, rollback.c   the SQL functions: read arguments, make a request
 *	  run.c                 the one way of a request
 *	  run_door.c            the second door to it, which commits
 *	  run_history.c         what the ledger says about a version
 *	  run_files.c           what compare_files() has seen of it
 *	  run_replaces.c        versions that one version stands for
 *	  mark.c                versions that count as applied without a run
 *	  run_statement.c       executing one statement, and what it says on error
 *	  run_record.c          what a run leaves behind
 *	  run_counts.c          rows of the tables it touched
 *	  run_state.c           the objects it touched, as it leaves them
 *	  evidence.c            what a failed run leaves behind
 *	  run_tell.c            who listens is told of a run
 */
#ifndef MIGMGR_RUN_H
#define MIGMGR_RUN_H

#include "fmgr.h"

#include "guard.h"
#include "measure.h"
#include "nodes/pg_list.h"
#include "own_table.h"
#include "policy.h"
#include "script.h"
#include "utils/elog.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

typedef enum RunAction
{
	RUN_APPLY, RUN_ROLLBACK
} RunAction;

typedef enum OnData
{
	ON_DATA_REFUSE, ON_DATA_ARCHIVE, ON_DATA_DISCARD
} OnData;

/* is the way back tried before the script is kept? */
typedef enum ProofMode
{
	PROOF_AUTO,					/* where it costs little */
	PROOF_OFF, PROOF_FORCE
} ProofMode;

/* keys of options */
typedef struct RunOptions
{
	int			lock_timeout;	/* ms */
	int			max_retries;
	bool		allow_out_of_order;
	bool		skip_failed;
	bool		allow_divergence;
	bool		report;			/* on_error => 'report' */
	int			max_size;		/* kB, of a rehearsal; else -1 */
	bool		derive;			/* a way back from what was done */
	ProofMode	proof;
} RunOptions;

/* what is asked for; strings in the function's context, NULL where absent */
typedef struct RunRequest
{
	RunAction	action;
	const char *version;
	const char *name;
	const char *file;			/* as given to apply_file */
	const char *text;			/* canonical; its checksum identifies it */
	const char *checksum;		/* of text */
	const char *sent;			/* the bytes as they came */
	const char *received;		/* checksum of these, where it differs */
	const char *expected;		/* checksum that the caller expects, or NULL */
	const char *up;				/* script to run */
	const char *down;			/* canonical script of the way back */
	const char *verify;			/* canonical script that must hold */
	const char *note;			/* note, or reason of a rollback */
	List	   *requires;		/* of char *: versions applied before */
	List	   *flags;			/* of char * */
	List	   *replaces;		/* of char *: versions that it stands for */
	bool		dry_run;
	bool		rehearse;		/* a dry run of no version, as policy or not */
	OnData		on_data;
	int64		undoes;			/* rollback: seq of the entry it undoes */
	bool		derived;		/* rollback: by a script that migmgr made */
	const char *caveat;			/* ... and what it does not bring back */
	bool		commits;		/* came by the door that owns its transactions */
	bool		repeatable;		/* it has a name and no version */
	bool		online;			/* its statements run by themselves */
	bool		background;		/* a worker runs it */
	int64		ticket;			/* of its job, 0 when it has none */
	const char *options_text;	/* options as given */
	RunOptions	options;
} RunRequest;

/* one executed statement */
typedef struct RunStatement
{
	int			number;
	int			line;
	const char *command;
	const char *object;
	const char *class;
	const char *rule;
	const char *text;
	const char *shape;			/* of a statement read back: its hash */
	double		ms;
	int64		rows;			/* -1: a utility statement */
	List	   *notices;		/* of char * */
	Measured   *measured;		/* of a dry run, else NULL */
} RunStatement;

/* rows of a table that a run touched */
typedef struct RunCount
{
	const char *table;
	int64		before;			/* -1: it was new, -2: not known (TRUNCATE) */
	int64		after;
	bool		estimated;
} RunCount;

/* a run while it goes on */
typedef struct Run
{
	const RunRequest *request;
	const char *what;			/* 'migration "001"' for messages */
	PolicyEnvironment environment;
	char	   *not_ready;		/* dry run: what the gate would refuse for */
	Script	   *script;
	Script	   *down;
	Script	   *verify;
	Verdict    *first;			/* of the script's first statement */
	List	   *made;			/* rollback: "type identity" of what it made
								 * ... */
	List	   *touched;		/* ... and of what it made or changed */
	List	   *done;			/* of RunStatement * */
	ScriptStatement *current;	/* executing now, for messages */
	const Script *current_script;
	const char *current_part;	/* "statement", "verify statement" */
	GuardResult *effect;
	List	   *counts;			/* of RunCount * */
	MigClass	class;
	int			attempts;
	TimestampTz started;
	Snapshot	before;			/* of a dry run: sees the catalog as it was */
	int			waited;			/* ms between attempts */
	List	   *waits;			/* of char *: what the last attempts waited
								 * for, and behind whom; with queries ... */
	List	   *recorded_waits; /* ... and without, for the ledger */
	double		ms;
	const char *reversible;
	int64		seq;
	struct Archive *archive;	/* data kept, or brought back */
	struct Inverse *inverse;	/* apply: what is known of the way back */
	bool		proving;		/* the way back is being tried */
	bool		lasting;		/* a statement may take its time */
	bool		start_told;
} Run;

#define RUN_COLUMNS 9

/* the row that every run returns */
typedef struct RunRow
{
	const char *version;
	const char *name;
	const char *status;
	const char *environment;
	const char *class;
	int			statements;
	int64		ms;
	const char *reversible;
	const char *detail;
} RunRow;

/*
 * Events after which a version counts as applied, and those after which it
 * does not; the indexes of sql/40_run.sql are over the first.  A version takes
 * the last of either.
 */
#define DONE_EVENTS "'applied', 'baseline', 'captured', 'imported', 'marked applied', 'renamed', 'superseded'"
#define UNDONE_EVENTS "'rolled back', 'marked reverted', 'renamed away'"

/* what the ledger says about a version */
typedef struct VersionState
{
	const char *event;			/* last event, NULL: never seen */
	bool		done;			/* it counts as applied */
	int64		seq;			/* of the run itself, where it was renamed
								 * since */
	const char *name;
	const char *checksum;
	const char *at;
	const char *role;
	const char *class;
	const char *reversible;
	const char *down;			/* checksum of its way back */
	const char *derived;		/* of the one that migmgr made */
	bool		online;			/* it ran online */
	int			statements;
	int64		ms;
} VersionState;

/* checksums of what an entry applied, NULL for what there was none of */
typedef struct AppliedTexts
{
	const char *file;			/* name of the file that it came in */
	const char *up;
	const char *down;
	const char *verify;
} AppliedTexts;

extern void run_init(void);

/* run.c */
extern RunRow *run_request(const RunRequest *request);
extern Run *run_tries(const RunRequest *request, ErrorData **error);
extern void run_explain(const Run *run, ErrorData *error);
extern void run_begin(const char *function);
extern RunRow *run_row(const Run *run, const char *status, const char *detail);
extern char *object_list(const List *objects, bool with_counts);
extern void run_tell(const Run *run);
extern Datum run_return(FunctionCallInfo fcinfo, const RunRow *row);
extern void run_watched(Run *run);
extern void run_effect(Run *run);
extern void check_handed_in_rollback(Run *run);
extern void run_row_values(const RunRow *row, Datum *values, bool *nulls);

/* apply.c */
extern void apply_file_request(RunRequest *request, const char *function, const char *call,
							   const char *file, const char *sql, Jsonb *options);
extern RunRow *apply_locked(RunRequest *request);

/*
 * run_door.c: the door that owns its transactions.  run_committing() is called
 * inside a transaction, which it commits, and returns in a new one in which
 * nothing has happened yet; run, when APPLY is held, is apply_locked or its
 * like.  A background worker calls it between StartTransactionCommand and
 * CommitTransactionCommand; current memory context and request must outlive
 * transactions.
 */
typedef RunRow *(*run_locked_fn) (RunRequest *request);

extern RunRow *run_committing(RunRequest *request, run_locked_fn run);
extern void run_check_door(FunctionCallInfo fcinfo, const char *procedure, const char *hint);
extern Datum run_call(FunctionCallInfo fcinfo, RunRequest *request, run_locked_fn run);
extern void run_next_transaction(void);
extern void run_snapshot(void);

/* rollback.c */
extern void rollback_request(RunRequest *request);

/* what to restore where a rollback's own SQL failed so; NULL: nothing to say */
extern char *last_backup(const ErrorData *error);

/* run_options.c */
extern void run_options(RunOptions *options, Jsonb *json);
extern void run_options_default(RunOptions *options);
extern void run_options_read(RunOptions *options, Jsonb *json);
extern void run_option(RunOptions *options, const char *key, const char *value);

/* run_history.c */
extern VersionState *version_state(const char *version);
extern bool version_accepts(const char *version, int64 seq, const char *checksum, const char *received);
extern char *version_baseline(const char *version);
extern void check_order(const RunRequest *request);
extern AppliedTexts *applied_texts(const char *version);
extern char *script_text(const char *checksum, bool *redacted);
extern List *version_objects(int64 seq, bool changed);
extern char *later_versions(const RunRequest *request, const List *objects, char **newest);
extern char *later_dependents(const RunRequest *request, char **newest);
extern bool same_shape(const char *checksum, const char *text);

/* run_files.c */
extern const char *remembered_checksum(const char *version);
extern const char *remembered_missing(const RunRequest *request);
extern void check_divergence(const RunRequest *request);

/* run_replaces.c */
extern RunRow *replaces_settle(const RunRequest *request);
extern void replaces_record(const RunRequest *request);
extern void replaces_undo(const RunRequest *request);

/* rehearse.c */
extern void rehearse_check_size(const Run *run, const Verdict *verdict);

/* run_statement.c */
extern void run_statements(Run *run, Script *script, const char *part);
extern void run_verify(Run *run);
extern void run_trust_bodies(void);
extern ErrorData *run_error(const Run *run, ErrorData *error);
extern List *run_judge(Run *run, Script *script);

/* run_record.c */
extern void run_set_statement(OwnTable *table, const RunStatement *done);
extern void run_record(Run *run);
extern const char *write_script(const char *text, List **stored);
extern Datum run_text_array(const List *texts);

/* run_counts.c */
extern void run_counts(Run *run);

/* run_state.c */
extern char *run_state(const Run *run);

/* evidence.c */
typedef struct Attempt
{
	const char *action;
	const char *version;
	const char *name;
	const char *checksum;
	const ErrorData *error;
	int			statement;		/* 0: before the first */
	int			line;
	double		ms;
} Attempt;

extern void attempt_write(const Attempt *attempt);
extern void attempt_commit(const Attempt *attempt);
extern bool attempt_send(const Attempt *attempt);

/*
 * Has a worker tell that a run of this version has begun; the second waits, a
 * bounded time, until that is out, and is called before the end is told.
 */
extern void start_send(const char *version, const char *detail);
extern void start_sent(void);

#endif							/* MIGMGR_RUN_H */
