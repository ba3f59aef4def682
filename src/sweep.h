/*
 * sweep.h
 *	  One pass over a watched job table, between the files that make it.
 */
#ifndef MIGMGR_SWEEP_H
#define MIGMGR_SWEEP_H

#include "datatype/timestamp.h"
#include "storage/itemptr.h"
#include "watch.h"

/* what a pass found and did */
typedef struct SweepCounts
{
	int64		running;		/* jobs in running when it looked */
	int64		stale;
	int64		dead_lettered;
	int64		requeued;
	int64		skipped;		/* stale, but locked or alive again */
	int64		errors;			/* stale, but the move was refused */
	int64		unjudged;		/* running without any sign of life or start */
	double		ms;
} SweepCounts;

typedef struct Sweep
{
	Oid			relid;
	Watch	   *watch;			/* pinned */
	TimestampTz now;
	TimestampTz cutoff;
	bool		dry_run;
	SPIPlanPtr	scan;			/* kept */
	SPIPlanPtr	batch;			/* kept */
	SPIPlanPtr	settle;			/* kept */
	SPIPlanPtr	other;			/* kept: for a question asked once */
	bool		open_letters;	/* any in the queue when the pass began */
	ItemPointer tids;			/* candidates, in physical order */
	int64		ntids;
	Datum		metadata;		/* jsonb for new dead letters */
	SweepCounts counts;
	bool		commit;			/* the caller commits after each step */
	char	   *last_error;		/* of the last row that could not be moved */
	int			logged;			/* row errors written to the server log */
	ErrorData  *error;			/* what ended the pass, or NULL */
} Sweep;

/* sweep_sql.c: the texts; results in the current memory context */
extern char *sweep_scan_sql(const Watch *watch);
extern char *sweep_count_sql(const Watch *watch);
extern char *sweep_preview_sql(const Watch *watch);
extern char *sweep_open_sql(const Watch *watch);
extern char *sweep_batch_sql(const Watch *watch);
extern char *sweep_settle_sql(const Watch *watch);

/* what happens to an open dead letter whose job failed again; see sweep_sql.c */
extern void dlq_reopen_sql(StringInfo sql, const Dlq *dlq, const char *now, const char *code,
						   const char *reason, const char *payload);

/* a text expression as a value of a column of the queue */
extern char *dlq_value(const Dlq *dlq, DlqColumn column, const char *expression);

/* feature flags that a sweep obeys where they exist */
extern const char *const sweep_flags[2];

/* cap of an exact count where an index makes counting the dearest part */
#define SWEEP_COUNT_CAP 10000

/*
 * sweep.c: a pass in steps, so that a procedure can commit in between.  None
 * of them raises what goes wrong with the tables: it is undone, and in error.
 */
extern Sweep *sweep_start(Oid relid, TimestampTz now, bool dry_run, bool commit);
extern bool sweep_step(Sweep *sweep);
extern void sweep_finish(Sweep *sweep);
extern void sweep_end(Sweep *sweep);

#endif							/* MIGMGR_SWEEP_H */
