/*
 * script_rules.h
 *	  Statements that no script may have.
 */
#ifndef MIGMGR_SCRIPT_RULES_H
#define MIGMGR_SCRIPT_RULES_H

#include "compat.h"
#include "script.h"

/* why a statement is refused */
typedef struct ScriptRefusal
{
	int			sqlstate;
	const char *command;		/* what it is called in the message */
	const char *reason;			/* a sentence */
	const char *hint;			/* a sentence */
	bool		online;			/* but it may be in a script that runs online */
} ScriptRefusal;

extern bool script_refuses(const Script *script, const ScriptStatement *stmt,
						   ScriptRefusal *refusal);
pg_noreturn extern void script_refuse(const ScriptStatement *stmt, const ScriptRefusal *refusal,
									  const char *what);
extern bool script_is_begin(Node *stmt);
extern bool script_is_commit(Node *stmt);

#endif							/* MIGMGR_SCRIPT_RULES_H */
