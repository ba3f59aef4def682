/*
 * invalidation.h
 *	  What is kept of relations, and forgotten when they change.
 */
#ifndef MIGMGR_INVALIDATION_H
#define MIGMGR_INVALIDATION_H

#include "utils/inval.h"

/* to be called for each invalidation of a relation; InvalidOid: of all */
extern void invalidation_register(RelcacheCallbackFunction callback);

/* to become InvalidOid with an invalidation of the relation that it names */
extern void invalidation_forget(Oid *relid);

#endif							/* MIGMGR_INVALIDATION_H */
