/*
 * protect.h
 *	  What belongs to migmgr itself, and the audited way to lift its protection.
 */
#ifndef MIGMGR_PROTECT_H
#define MIGMGR_PROTECT_H

#include "catalog/objectaddress.h"

#include "compat.h"

extern void protect_init(void);
extern bool protect_owns(const ObjectAddress *address);
extern bool protect_owns_schema(Oid namespace);
extern Oid	protect_relation_of(Oid classid, Oid objid, bool self);
extern bool protect_lifted(void);
pg_noreturn extern void protect_refuse(const ObjectAddress *address, const char *verb);

#endif							/* MIGMGR_PROTECT_H */
