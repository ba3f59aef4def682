/*
 * invalidation.c
 *	  One callback of the relation cache for all of migmgr.
 *
 * A session has ten slots for such callbacks (MAX_RELCACHE_CALLBACKS of
 * inval.c), for the server itself and for every library in it, and ends with
 * FATAL when one more is wanted.  migmgr takes one.
 */
#include "postgres.h"

#include "invalidation.h"

#define CALLBACKS 16			/* as many as migmgr has, and some */

static RelcacheCallbackFunction callbacks[CALLBACKS];
static int	ncallbacks = 0;

static void call_all(Datum arg, Oid relid);

/* To be called for each invalidation of a relation; InvalidOid: of all. */
void
invalidation_register(RelcacheCallbackFunction callback)
{
	if (ncallbacks == CALLBACKS)
		elog(ERROR, "no place for another callback of migmgr");
	if (ncallbacks == 0)
		CacheRegisterRelcacheCallback(call_all, (Datum) 0);
	callbacks[ncallbacks++] = callback;
}

static void
call_all(Datum arg, Oid relid)
{
	for (int i = 0; i < ncallbacks; i++)
		callbacks[i] (arg, relid);
}
