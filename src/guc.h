/*
 * guc.h
 *	  All settings.  None of them opens a door: what weakens is superuser-only.
 */
#ifndef MIGMGR_GUC_H
#define MIGMGR_GUC_H

extern int	guc_apply_wait;		/* ms to wait for another apply */
extern int	guc_check_timeout;	/* ms that one named check may run */
extern int	guc_lock_timeout;	/* ms of lock budget for one script */
extern int	guc_max_script_size;	/* kB */
extern char *guc_organisation_id;	/* whose dead letters are seen; ""
									 * nobody's */
extern char *guc_protected_databases;	/* list of names: not to be dropped or
										 * renamed */
extern int	guc_progress_messages;	/* a ProgressMessages */
extern int	guc_rehearse_limit; /* kB of a table that a rehearsal reads or
								 * writes as a whole */
extern int	guc_small_relation; /* kB: blocking and rewriting do not count
								 * below */
extern bool guc_start_queued;	/* does the launcher do its work? */

extern void guc_init(void);

#endif							/* MIGMGR_GUC_H */
