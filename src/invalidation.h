/*
 * invalidation.h
 *	  What is kept of relations, and forgotten when they change.
 */
#ifndef MIGMGR_INVALIDATION_H
#define MIGMGR_INVALIDATION_H

#include "utils/inval.h"

extern void invalidation_register(RelcacheCallbackFunction callback);

#endif							/* MIGMGR_INVALIDATION_H */
