/*
 * notices.h
 *	  The messages that a script raises.
 */
#ifndef MIGMGR_NOTICES_H
#define MIGMGR_NOTICES_H

#include "nodes/pg_list.h"

extern void notices_init(void);
extern void notices_begin(MemoryContext context);
extern void notices_begin_worker(void);
extern void notices_keep(MemoryContext context);
extern List *notices_take(void);
extern void notices_end(void);

#endif							/* MIGMGR_NOTICES_H */
