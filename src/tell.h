/*
 * tell.h
 *	  What happens is told to who listens on channel migmgr.
 */
#ifndef MIGMGR_TELL_H
#define MIGMGR_TELL_H

/*
 * Queues {"event", "version", "database", "environment", ...}; it goes out
 * when the transaction commits.  detail is a JSON object whose members are
 * added, or NULL; so is version.
 */
extern void tell_event(const char *event, const char *version, const char *detail);

#endif							/* MIGMGR_TELL_H */
