/*
 * guard_state.h
 *	  Inside the guard room: the script that is watched, the statement that runs.
 */
#ifndef MIGMGR_GUARD_STATE_H
#define MIGMGR_GUARD_STATE_H

#include "access/xact.h"
#include "guard.h"
#include "policy.h"

/* an object that the script made or changed */
typedef struct Touched
{
	Oid			classid;
	Oid			objid;
	int32		objsubid;
	const char *action;			/* 'created', 'replaced', 'changed' */
	int			statement;
	SubTransactionId subid;
} Touched;

/* what is known of a script while it is watched; in a context of its own */
typedef struct GuardScript
{
	MemoryContext context;
	GuardMode	mode;
	SubTransactionId subid;		/* its abort ends the watch */
	List	   *owned;			/* of char *, in a rollback */
	bool		count_any;		/* data: one row is enough to know */
	bool		running;		/* its first statement has begun */
	int			statement;
	int			line;
	const Verdict *next;		/* on that statement, until its first event */
	MigClass	said;			/* what the run has warned of in this
								 * statement */
	MigClass	class;			/* worst of what was judged as it ran */
	List	   *touched;		/* of Touched * */
	List	   *dropped;		/* of Dropped *: definitions */
	List	   *lost;			/* of LostObject *: data-bearing, allowed to
								 * go */
	List	   *warnings;		/* of Verdict * */
	struct Images *images;		/* NULL: none are taken */
	bool		derived;		/* a way back that migmgr made itself */
} GuardScript;

/* a data-bearing object that was allowed to go */
typedef struct LostObject
{
	GuardObject object;
	SubTransactionId subid;
} LostObject;

/* a DDL statement between its start and its end event */
typedef struct GuardStatement
{
	MemoryContext context;
	Node	   *parsetree;
	Verdict    *verdict;
	PolicyAction action;
	int			nestlevel;		/* transaction nesting level it began in */
	int			touched;		/* length of the script's lists at its start */
	bool		drops_seen;		/* the access hook was called for a drop */
	bool		admitted;		/* migmgr's own, judged before it ran */
} GuardStatement;

/* changes a verdict before it is held against policy */
typedef void (*guard_adjust_fn) (Node *parsetree, Verdict *verdict);

/* guard.c */
extern GuardScript *guard_script;
extern bool guard_steps_aside(void);
extern GuardStatement *guard_current(void);
extern void guard_enter(Node *parsetree, guard_adjust_fn adjust);
extern void guard_leave(Node *parsetree);
extern void guard_judge(Verdict *verdict, bool may_raise);
extern void guard_warn(const Verdict *verdict);
extern Verdict *guard_copy_verdict(const Verdict *verdict);
extern bool guard_owned(const char *type, const char *identity);

/* guard_access.c */
extern void access_note_touched(Oid classid, Oid objid, int32 subid, const char *action);
extern bool access_is_implicit(Oid classid, Oid objid, int32 objsubid, bool dropping);
extern void access_init(void);

/* ddl_log.c */
extern void ddl_log_init(void);
extern void ddl_log_add(const Verdict *verdict, PolicyAction action);
extern void ddl_log_note(const Verdict *verdict, const char *action);

/* catalog_dml.c */
extern void catalog_dml_init(void);

#endif							/* MIGMGR_GUARD_STATE_H */
