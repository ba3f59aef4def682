/*
 * subxact.h
 *	  The only caller of BeginInternalSubTransaction.
 */
#ifndef MIGMGR_SUBXACT_H
#define MIGMGR_SUBXACT_H

#include "utils/elog.h"

/*
 * What to do with the subtransaction when fn returns: true releases it, false
 * rolls it back (a rehearsal).
 */
typedef bool (*subxact_fn) (void *arg);

/*
 * Runs fn in a subtransaction of its own.  Returns NULL when fn returned, or
 * the error it raised (copied into the caller's context) after the
 * subtransaction was rolled back.  Memory context, resource owner, SPI
 * connection and settings are the caller's again either way.
 */
extern ErrorData *subxact_run(subxact_fn fn, void *arg);

#endif							/* MIGMGR_SUBXACT_H */
