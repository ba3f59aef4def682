/*
 * progress_share.h
 *	  What each process runs, in shared memory, where migmgr is preloaded.
 */
#ifndef MIGMGR_PROGRESS_SHARE_H
#define MIGMGR_PROGRESS_SHARE_H

#include "postgres.h"

extern void progress_share_init(void);

/*
 * Shows what this process runs from now on: PART n of m, text being the SQL;
 * or, with n = 0, text being the state in words.  Ends with the transaction's
 * abort, with the process, or by progress_share_clear().  Without preload
 * neither does anything.
 */
extern void progress_share_set(const char *what, int attempt, const char *part, int n, int m, const char *text);
extern void progress_share_clear(void);

#endif							/* MIGMGR_PROGRESS_SHARE_H */
