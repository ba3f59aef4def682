/*
 * launcher.h
 *	  Starts what is queued and has no worker, where migmgr is preloaded.
 */
#ifndef MIGMGR_LAUNCHER_H
#define MIGMGR_LAUNCHER_H

extern void launcher_init(void);

/*
 * No worker was free for a job: true when somebody will see to it that the job
 * starts later.
 */
extern bool launcher_want(void);

#endif							/* MIGMGR_LAUNCHER_H */
