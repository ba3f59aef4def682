/*
 * measure.h
 *	  What the statements of a trial run really did: locks, rewrites, scans.
 */
#ifndef MIGMGR_MEASURE_H
#define MIGMGR_MEASURE_H

#include "classify.h"
#include "lib/stringinfo.h"
#include "nodes/parsenodes.h"
#include "policy.h"
#include "storage/lockdefs.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"

/* a lock on a relation that was there before */
typedef struct MeasuredLock
{
	const char *relation;
	bool		is_index;
	LOCKMODE	mode;
	TimestampTz since;			/* when its statement began */
	double		ms;				/* from then to the end of the script */
} MeasuredLock;

/* what one statement did */
typedef struct Measured
{
	List	   *locks;			/* of MeasuredLock *: those that it took */
	List	   *notes;			/* of char *: what else there is to tell */
	int64		written;		/* bytes of relations that it wrote again */
	double		read;			/* rows that it read in scans */
	bool		rewrites;
	bool		scans;
	bool		stays;			/* did what is not undone */
} Measured;

/* what policy says of a statement that runs all the same */
typedef struct Tolerated
{
	int			statement;
	PolicyAction action;
	MigClass	class;
	const char *rule;
	const char *deed;
	const char *reason;
	const char *hint;
} Tolerated;

/*
 * A script begins.  before sees the catalog as it was then, and goes with the
 * subtransaction that will be undone.  What is measured lives in context.
 * With tolerate, policy lets pass all but what belongs to migmgr and what is
 * not classified, and what it would have said is kept.
 */
extern void measure_begin(Snapshot before, MemoryContext context, bool tolerate);
extern void measure_before(int statement);
extern Measured *measure_after(Node *stmt);

/* The script is at its end, or has failed: nothing is measured any more. */
extern void measure_end(void);

/* the worst that policy would have said of a statement (0: of any), or NULL */
extern const Tolerated *measure_tolerated(int statement);

/* "AccessExclusiveLock on public.t for 12 ms; ...", of many the worst */
extern char *measure_locks(const List *locks, int max, bool with_ms);

extern char *measure_size(int64 bytes);

/* Does the strongest of the locks stop readers, or writers? */
extern bool measure_blocks(const List *locks, bool readers);
extern LOCKMODE measure_strongest(const List *locks);

#endif							/* MIGMGR_MEASURE_H */
