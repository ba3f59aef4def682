/*
 * run.h
 *	  apply and rollback: the way of a script from request to ledger.
 */
#ifndef MIGMGR_RUN_H
#define MIGMGR_RUN_H

extern void run_init(void);

#endif							/* MIGMGR_RUN_H */
