/*
 * flag.h
 *	  Feature flags: how far each is switched on.
 */
#ifndef MIGMGR_FLAG_H
#define MIGMGR_FLAG_H

#include "nodes/pg_list.h"

extern void flag_init(void);

/* percentage that a flag is at; -1: there is no such flag */
extern int	flag_percent(const char *name);

/*
 * An apply binds its flags to its version, a rollback switches those of the
 * entry that it undoes off.  Both append to the ledger, so they come last.
 */
extern void flag_applied(const char *version, const List *flags);
extern void flag_rolled_back(const char *version, int64 undoes);

#endif							/* MIGMGR_FLAG_H */
