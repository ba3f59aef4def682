/*
 * plan.h
 *	  What a script would do, without doing any of it.
 */
#ifndef MIGMGR_PLAN_H
#define MIGMGR_PLAN_H

#include "classify.h"
#include "lib/stringinfo.h"

/* a lock that a statement of a script takes on a relation that is there */
typedef struct PlanLock
{
	int			statement;
	Oid			relid;
	LOCKMODE	mode;
} PlanLock;

/* what a statement does besides its worst finding */
typedef struct PlanDetail
{
	StringInfoData text;		/* sentences, each after "; " */
	LOCKMODE	others;			/* strongest lock on relations that it does
								 * not name, or that exist already */
	List	   *locks;			/* of PlanLock *: these, one by one */
} PlanDetail;

extern void plan_detail(Node *stmt, const Verdict *verdict, PlanDetail *detail);
extern bool plan_is_opaque(Node *stmt, const char **why);

/* plan.c: all locks of a script, a List of PlanLock *; how many statements */
extern List *plan_locks(const char *sql, int *statements);

#endif							/* MIGMGR_PLAN_H */
