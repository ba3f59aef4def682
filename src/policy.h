/*
 * policy.h
 *	  What is allowed here: environment, class to action, exemptions, waivers.
 */
#ifndef MIGMGR_POLICY_H
#define MIGMGR_POLICY_H

#include "classify.h"
#include "compat.h"
#include "nodes/pg_list.h"

typedef enum PolicyEnvironment
{
	ENV_DEVELOPMENT, ENV_STAGING, ENV_PRODUCTION
} PolicyEnvironment;

typedef enum PolicyAction
{
	ACTION_ALLOW, ACTION_WARN, ACTION_ASK, ACTION_DENY
} PolicyAction;

extern void policy_init(void);
extern PolicyEnvironment policy_environment(void);
extern const char *policy_environment_name(PolicyEnvironment env);
extern const char *policy_action_name(PolicyAction action);

/* the action for this verdict, the caller's role, the state of the ledger */
extern PolicyAction policy_action(const Verdict *verdict);

/*
 * Where set, has the last word on each verdict that is held against policy;
 * for a rehearsal, which undoes what it lets pass.
 */
typedef PolicyAction (*policy_watch_fn) (const Verdict *verdict, PolicyAction action);

extern policy_watch_fn policy_watch;

/*
 * The action that another environment's rules lead to: as they are there, so
 * without waivers and without the patience that a new installation has.
 */
extern PolicyAction policy_action_in(const Verdict *verdict, PolicyEnvironment environment);

/* The environment of this name; raises MG006 for a name that is none. */
extern PolicyEnvironment policy_environment_of(const char *name);

/* may DDL run outside migmgr here, for this role and schema? */
extern PolicyAction policy_direct_ddl(const Verdict *verdict);

/* the version that runs now, for waivers bound to one; NULL: none */
extern void policy_set_version(const char *version);
extern const char *policy_version(void);

/* before each try of a run; then, if so, that its text is approved */
extern void policy_begin_run(const char *version);
extern void policy_set_approved(const char *version);

/* is this waived (a class, 'window', 'backup', ...), for this version? */
extern bool policy_waives(const char *what, const char *version);

/* record that the waivers which that version needed are used up */
extern void policy_use_waivers(const char *version);

/*
 * Raises one error that lists every violation (List of Verdict *), worst
 * first for message and SQLSTATE, all in detail, hint with the next call.
 */
pg_noreturn extern void policy_refuse(List *violations);

/* Likewise for another environment.  Both are in refusal.c. */
pg_noreturn extern void policy_refuse_in(List *violations, PolicyEnvironment environment);

#endif							/* MIGMGR_POLICY_H */
