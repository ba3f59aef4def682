/*
 * lock.h
 *	  migmgr's own locks, on no table: LOCKTAG_OBJECT on (pg_extension, migmgr, n).
 */
#ifndef MIGMGR_LOCK_H
#define MIGMGR_LOCK_H

typedef enum OwnLock
{
	LOCK_APPLY = 1,				/* one apply or rollback at a time */
	LOCK_CHAIN = 2,				/* one appender at a time; taken last */
	LOCK_SWEEP = 3,				/* one run_sweeps() at a time; by the session */
	LOCK_ONLINE = 4,			/* one worker at a time, as long as it lives */
	LOCK_SHOWN = 5				/* shared, by whatever else view progress is
								 * to show */
} OwnLock;

/*
 * Held to the end of the transaction.  Waits up to wait_ms, interruptible,
 * then raises MG204 naming the holder.  Also keeps DROP EXTENSION away.
 */
extern void own_lock(OwnLock lock, int wait_ms);

/*
 * The same, held by the session until it is given back, over its commits: for
 * procedures.  Give it back in PG_FINALLY.  A rollback gives it back, too.
 */
extern void own_lock_session(OwnLock lock, int wait_ms);
extern void own_unlock_session(OwnLock lock);

/*
 * For what takes none of these: lets view progress show this process until
 * the end of the transaction.
 */
extern void own_show(void);

#endif							/* MIGMGR_LOCK_H */
