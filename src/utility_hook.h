/*
 * utility_hook.h
 *	  Sees every utility statement, with or without an event trigger for it.
 */
#ifndef MIGMGR_UTILITY_HOOK_H
#define MIGMGR_UTILITY_HOOK_H

#include "nodes/nodes.h"

extern void utility_init(void);

/* has the hook judged this statement, so that its event need not? */
extern bool utility_judged(const Node *stmt);

/* guard_setting.c: what would weaken the guard, and who may never go */
extern bool setting_weakens(Node *stmt);
extern char *setting_deed(Node *stmt);
extern void setting_check_database(Node *stmt);

#endif							/* MIGMGR_UTILITY_HOOK_H */
