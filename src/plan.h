/*
 * plan.h
 *	  What a script would do, without doing any of it.
 */
#ifndef MIGMGR_PLAN_H
#define MIGMGR_PLAN_H

#include "classify.h"
#include "lib/stringinfo.h"

/* what a statement does besides its worst finding */
typedef struct PlanDetail
{
	StringInfoData text;		/* sentences, each after "; " */
	LOCKMODE	others;			/* strongest lock on relations that it does
								 * not name, or that exist already */
} PlanDetail;

extern void plan_detail(Node *stmt, const Verdict *verdict, PlanDetail *detail);
extern bool plan_is_opaque(Node *stmt, const char **why);

#endif							/* MIGMGR_PLAN_H */
