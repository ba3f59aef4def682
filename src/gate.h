/*
 * gate.h
 *	  Everything that must surround a migration, asked in one place.
 */
#ifndef MIGMGR_GATE_H
#define MIGMGR_GATE_H

#include "run.h"

extern void gate_init(void);

/*
 * Raises one error that names all that is missing: approvals, window, backup,
 * staging, checks.  A dry run is told instead: the lines, or NULL.  Call it
 * before anything of the script runs.
 */
extern char *gate_check(const RunRequest *request, PolicyEnvironment environment);

#endif							/* MIGMGR_GATE_H */
