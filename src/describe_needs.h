/*
 * describe_needs.h
 *	  What must be there for an object to be there.
 */
#ifndef MIGMGR_DESCRIBE_NEEDS_H
#define MIGMGR_DESCRIBE_NEEDS_H

#include "catalog/objectaddress.h"
#include "utils/array.h"

/* text[] of "kind identity", sorted, in the current context; NULL for none */
extern ArrayType *describe_needs(const ObjectAddress *object);

#endif							/* MIGMGR_DESCRIBE_NEEDS_H */
