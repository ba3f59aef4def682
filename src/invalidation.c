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

#define PLACES 16				/* as many as migmgr needs, and some */

static RelcacheCallbackFunction callbacks[PLACES];
static int	ncallbacks = 0;
static Oid *kept[PLACES];
static int	nkept = 0;

static void take_slot(int places);
static void relcache_callback(Datum arg, Oid relid);

/* See invalidation.h. */
void
invalidation_register(RelcacheCallbackFunction callback)
{
	take_slot(ncallbacks);
	callbacks[ncallbacks++] = callback;
}

/* See invalidation.h. */
void
invalidation_forget(Oid *relid)
{
	take_slot(nkept);
	kept[nkept++] = relid;
}

/* The slot of the server, once; raises when all places here are taken. */
static void
take_slot(int places)
{
	if (places == PLACES)
		elog(ERROR, "no place for another callback of migmgr");
	if (ncallbacks + nkept == 0)
		CacheRegisterRelcacheCallback(relcache_callback, (Datum) 0);
}

static void
relcache_callback(Datum arg, Oid relid)
{
	for (int i = 0; i < nkept; i++)
		if (!OidIsValid(relid) || *kept[i] == relid)
			*kept[i] = InvalidOid;
	for (int i = 0; i < ncallbacks; i++)
		callbacks[i] (arg, relid);
}
