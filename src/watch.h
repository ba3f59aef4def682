/*
 * watch.h
 *	  Watched job tables and their dead-letter queues.
 */
#ifndef MIGMGR_WATCH_H
#define MIGMGR_WATCH_H

#include "executor/spi.h"
#include "nodes/bitmapset.h"
#include "nodes/parsenodes.h"

/* what a column of a job table is for; see watch_columns[] */
typedef enum JobColumn
{
	JOB_ID,
	JOB_STATUS,
	JOB_HEARTBEAT,
	JOB_STARTED,
	JOB_ORGANISATION,
	JOB_ERROR,
	JOB_COMPLETED,
	JOB_ATTEMPTS,
	JOB_MAX_ATTEMPTS,
	JOB_PROGRESS
} JobColumn;

#define NUM_JOB_COLUMNS (JOB_PROGRESS + 1)

/* the four states of a job that the watchdog has to know */
typedef enum JobState
{
	JOB_RUNNING,
	JOB_FAILED,
	JOB_PENDING,
	JOB_DONE
} JobState;

#define NUM_JOB_STATES (JOB_DONE + 1)

/* columns of a dead-letter queue, in the order of dlq_columns[] */
typedef enum DlqColumn
{
	DLQ_ID,
	DLQ_JOB_ID,
	DLQ_JOB_TYPE,
	DLQ_PAYLOAD,
	DLQ_FAILURE_REASON,
	DLQ_FAILURE_CODE,
	DLQ_FAILURE_STACK,
	DLQ_ATTEMPT_COUNT,
	DLQ_MAX_RETRIES,
	DLQ_LAST_ATTEMPT_AT,
	DLQ_NEXT_RETRY_AT,
	DLQ_STATUS,
	DLQ_METADATA,
	DLQ_ORGANISATION_ID,
	DLQ_CREATED_BY,
	DLQ_RESOLVED_BY,
	DLQ_RESOLVED_AT,
	DLQ_RESOLUTION_NOTES,
	DLQ_CREATED_AT,
	DLQ_UPDATED_AT
} DlqColumn;

#define NUM_DLQ_COLUMNS (DLQ_UPDATED_AT + 1)

/* a dead-letter queue as it is now */
typedef struct Dlq
{
	Oid			relid;
	char	   *name;			/* qualified and quoted, for SQL text */
	char	   *type[NUM_DLQ_COLUMNS];	/* qualified, with its modifier */
	bool		id_default;		/* id has a default of its own */
	bool		job_index;		/* an index begins with job_id */
} Dlq;

/* a job table as it is now, by its watch */
typedef struct Watch
{
	Oid			relid;
	char	   *name;			/* qualified and quoted: SQL text, messages */
	char	   *column[NUM_JOB_COLUMNS];	/* quoted; NULL: not mapped */
	char	   *type[NUM_JOB_COLUMNS];	/* qualified, with its modifier */
	Oid			typid[NUM_JOB_COLUMNS];
	char	   *plain_status;	/* the status column, not quoted */
	Bitmapset  *nullable;		/* of JobColumn */
	char	   *state[NUM_JOB_STATES];	/* quoted literals */
	int64		stale_us;		/* microseconds */
	char	   *stale_text;		/* "2 min" */
	char	   *job_type;
	int			max_retries;
	int			batch_size;
	bool		count_attempts;
	bool		beat_index;		/* a usable index leads to old heartbeats */
	Dlq			dlq;
	/* owned by the cache */
	MemoryContext context;
	int			pins;
	bool		valid;
	bool		linked;			/* still in the cache */
	/* kept plans of the heartbeat: [with progress][with attempt] */
	SPIPlanPtr	beat_plan[2][2];
	SPIPlanPtr	beat_many_plan;
} Watch;

/* name and default of each column of a job table */
typedef struct WatchColumn
{
	const char *key;			/* in the mapping, and the default column name */
	bool		required;
	bool		automatic;		/* used when the table has the default name */
	const char *kind;			/* what its type must be: see watch_type_ok */
} WatchColumn;

extern const WatchColumn watch_columns[NUM_JOB_COLUMNS];
extern const char *const watch_states[NUM_JOB_STATES];
extern const char *const dlq_columns[NUM_DLQ_COLUMNS];

/* the watch of a table, from the cache; raises MG401 when it has none */
extern Watch *watch_pin(Oid relid);
extern void watch_unpin(Watch *watch);

/* all watched job tables: List of WatchName *, in the current context */
typedef struct WatchName
{
	char	   *name;			/* qualified and quoted */
	Oid			relid;			/* InvalidOid when there is no such table */
	char	   *dlq_name;
	Oid			dlq_relid;
	char	   *job_type;
} WatchName;

extern List *watch_list(void);

/*
 * Describes a watch that would break if the column (NULL: the table) went:
 * "the watch on public.qc_jobs reads its heartbeats there", or NULL.  Reads
 * as the owner; the result is in the current memory context.
 */
extern char *watch_depends(const char *schema, const char *relation, const char *column);

/* raises MG402 unless the table has the columns of a dead-letter queue */
extern void dlq_describe(Oid relid, Dlq *dlq);

/* raises MG403 unless the current user has all of mode on all of the table */
extern void watch_check_rights(Oid relid, AclMode mode, const char *purpose);

/* raises MG403 when row security would hide rows of the table from the user */
extern void watch_check_rls(Oid relid, const char *purpose);

extern char *watch_qualified(Oid relid);
extern Oid	watch_table_relid(const char *name);
extern bool watch_type_ok(const char *kind, Oid typid);
extern const char *watch_kind_name(const char *kind);

#endif							/* MIGMGR_WATCH_H */
