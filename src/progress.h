/*
 * progress.h
 *	  What runs now, for other sessions and for the person who waits for it.
 */
#ifndef MIGMGR_PROGRESS_H
#define MIGMGR_PROGRESS_H

#include "postgres.h"

/* values of migmgr.progress_messages */
typedef enum ProgressMessages
{
	PROGRESS_OFF, PROGRESS_AUTO, PROGRESS_ON
} ProgressMessages;

/*
 * Shows in view migmgr.progress what runs from now on, and in pg_stat_activity:
 * "migmgr: WHAT, attempt 2, PART n of m: SQL".  Without preload the view shows it
 * for processes that hold one of migmgr's own locks.
 */
extern void progress_show(const char *what, int attempt, const char *part, int n, int m, const char *sql);

/* The same in other words: "migmgr: WHAT, STATE". */
extern void progress_state(const char *what, const char *state);

/* Puts back the text of the command of the client. */
extern void progress_end(void);

/*
 * Tells the client, by INFO, if it is to be told: wanted says whether
 * somebody who sits before psql would want to know by now.
 */
extern void progress_tell(bool wanted, const char *format,...) pg_attribute_printf(2, 3);

#endif							/* MIGMGR_PROGRESS_H */
