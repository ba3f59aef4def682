/*
 * budget.h
 *	  The lock budget of a script: how long it may wait, and behind whom it did.
 */
#ifndef MIGMGR_BUDGET_H
#define MIGMGR_BUDGET_H

#include "utils/elog.h"

/*
 * From here on all waits for locks together take ms at most.  Call inside a
 * GUC nest level that ends with the script, and after notices_begin().
 */
extern void budget_begin(int ms);

/* Before every statement: sets lock_timeout to what is left. */
extern void budget_statement(void);

/* What is left now, in ms; at least 1. */
extern int	budget_left(void);

/* Safe to call when there is none; what the last wait was is kept. */
extern void budget_end(void);

/*
 * Behind whom the wait stood that ended in an error: "200 ms for
 * AccessExclusiveLock on public.t behind process 4711 (...)"; NULL when none
 * did.  With queries, or without for where a text is kept for ever.  Not
 * connected to SPI.
 */
extern char *budget_blockers(bool queries);

/* For the log hook: true for the server's own lines about lock waits. */
extern bool budget_log(ErrorData *edata);

#endif							/* MIGMGR_BUDGET_H */
