/*
 * dlq.h
 *	  Dead letters, between the files that work on them.
 */
#ifndef MIGMGR_DLQ_H
#define MIGMGR_DLQ_H

#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "watch.h"

/* one row of a queue, locked unless it was a dry run */
typedef struct Letter
{
	Dlq		   *dlq;
	char	   *id;
	char	   *job_id;
	char	   *job_type;
	char	   *status;
	char	   *job_table;		/* from its metadata, or NULL */
	int64		attempt_count;
	int64		max_retries;
} Letter;

/*
 * The queues to work on: the named one (MG403 without the rights), else
 * migmgr.job_dlq and those of the watches, as far as the caller may.
 */
extern List *dlq_queues(FunctionCallInfo fcinfo, int argument, AclMode mode);

/* the letter of that id, locked unless dry_run; raises MG406 when there is none */
extern Letter *dlq_letter(List *queues, const char *id, bool dry_run);

/* columns of a Letter, for a SELECT on a queue d */
extern char *dlq_letter_columns(void);
extern Letter *dlq_letter_row(Dlq *dlq, uint64 row);

/* SPI with a text written for one queue; parameters are texts */
extern void dlq_execute(const char *sql, int expect, int nargs, const char *const *args);

#endif							/* MIGMGR_DLQ_H */
