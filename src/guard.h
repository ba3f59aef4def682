/*
 * guard.h
 *	  Watches DDL as it happens: event triggers and object access hook.
 *
 * Outside a script each statement is judged by itself.  Inside one (between
 * guard_begin and guard_end) data-bearing objects are still refused at once,
 * but definitions dropped are queued and judged by the net effect.
 */
#ifndef MIGMGR_GUARD_H
#define MIGMGR_GUARD_H

#include "access/xact.h"
#include "classify.h"
#include "nodes/pg_list.h"

typedef enum GuardMode
{
	GUARD_APPLY,				/* judged by policy */
	GUARD_ROLLBACK				/* may drop what the version made, judged by
								 * data */
} GuardMode;

/* an object that a script created, changed, replaced or dropped */
typedef struct GuardObject
{
	const char *action;			/* 'created', 'changed', 'replaced', 'dropped' */
	char	   *type;			/* as in pg_identify_object: 'table column' */
	char	   *identity;		/* 'public.qc_jobs.last_heartbeat_at' */
	int			statement;		/* number of the first one that touched it */
	Oid			classid;		/* valid in this transaction only */
	Oid			objid;
	int32		objsubid;
	/* data lost when dropped in a rollback; -1 not data-bearing */
	int64		data_count;		/* rows of a table, non-null values of a
								 * column */
	char	   *schema;			/* for a dropped relation or column, else NULL */
	char	   *relation;		/* its name, without schema */
	char	   *column;			/* for a dropped column: its name, else NULL */
} GuardObject;

typedef struct GuardResult
{
	MigClass	class;			/* worst class of what really happened */
	List	   *objects;		/* of GuardObject *, in order of creation */
	List	   *violations;		/* of Verdict *: net effects that policy
								 * refuses */
	List	   *warnings;		/* of Verdict *: allowed with a warning */
} GuardResult;

extern void guard_init(void);

/*
 * Watch the script that now starts, in the current subtransaction.  In
 * GUARD_ROLLBACK owned is a List of char * "type identity" of the objects the
 * version made.  All state is in a context of its own; an abort of the
 * subtransaction ends the watch by itself.
 */
extern void guard_begin(GuardMode mode, List *owned);

/* In a rollback: whether there is any data is enough, do not count it. */
extern void guard_count_any(void);

/*
 * The script is one that migmgr has derived: what it does to what its version
 * has changed needs nobody's leave.
 */
extern void guard_derived(bool derived);

/* the statement that runs next, already judged (NULL: verify SQL, checks) */
extern void guard_statement(Verdict *verdict);

/* net effect of the script so far; result lives in the current context */
extern GuardResult *guard_result(void);

/*
 * The next statement outside a script is migmgr's own, judged already: neither
 * held against policy nor logged.  False takes it back.
 */
extern void guard_admit(bool admit);

/* stop watching; safe to call when nothing is watched */
extern void guard_end(void);

/*
 * Is this verdict about the drop of a definition, inside a script, so that the
 * net effect of the script decides and not the statement?
 */
extern bool guard_deferred(const Verdict *verdict);

/* is a script being watched: nothing else may start one */
extern bool guard_active(void);

#endif							/* MIGMGR_GUARD_H */
