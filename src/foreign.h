/*
 * foreign.h
 *	  History tables of other tools.
 */
#ifndef MIGMGR_FOREIGN_H
#define MIGMGR_FOREIGN_H

#include "run.h"

/*
 * Writes a finished run to the table that mirror_history() named, if any, with
 * the caller's rights.  Before anything is recorded, so that what goes wrong
 * undoes the run.
 */
extern void foreign_mirror(const RunRequest *request);

#endif							/* MIGMGR_FOREIGN_H */
