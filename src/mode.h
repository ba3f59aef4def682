/*
 * mode.h
 *	  What the whole database is in: normal, frozen, read only.
 */
#ifndef MIGMGR_MODE_H
#define MIGMGR_MODE_H

#include "judge.h"
#include "nodes/plannodes.h"

extern void mode_init(void);

/* frozen: raises MG270 for DDL outside of any script, and for a run */
extern void mode_check_ddl(const Verdict *verdict);
extern void mode_check_run(const char *what, const char *version);

/*
 * Read only: makes this transaction a read-only one, and raises MG271 for a
 * plan or statement that writes, unless the session may.
 */
extern void mode_check_plan(const PlannedStmt *plan);
extern void mode_check_utility(Node *stmt);

/*
 * Workers cannot send heartbeats while the database is read only, so nothing
 * is stale before they had the time to send one again.
 */
extern bool mode_excuses_silence(int64 stale_us);

#endif							/* MIGMGR_MODE_H */
