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

/* Likewise of the names that a script has given to what it made. */
extern char *gate_names(const Run *run);

/*
 * For a run of several transactions, which asks the gate in the first: in each
 * that its text is approved, if it is; at the end which waivers it needed.
 */
extern void gate_approved(const RunRequest *request);
extern void gate_waivers(const RunRequest *request, PolicyEnvironment environment);

#endif							/* MIGMGR_GATE_H */
