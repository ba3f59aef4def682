/*
 * run_tell.h
 *	  Who listens is told that a migration begins.
 */
#ifndef MIGMGR_RUN_TELL_H
#define MIGMGR_RUN_TELL_H

#include "run.h"

extern void run_start_init(void);

/* takes note of a statement that may take its time */
extern void run_start_judged(Run *run, const Node *statement, const Verdict *verdict);

/*
 * For a function, before the script runs and when it has to wait: a worker
 * tells, once, where policy wants it.  It costs a process, and no time here.
 */
extern void run_start_send(Run *run);

/*
 * After the script of a start that was not told: it is told with the end, so
 * that who listens finds both, where policy wants it.
 */
extern void run_start_late(const Run *run);

/* For a run that commits: tells with the next commit.  False: not wanted. */
extern bool run_start_tell(Run *run);

#endif							/* MIGMGR_RUN_TELL_H */
