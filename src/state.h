/*
 * state.h
 *	  The recorded state of the schema, which drift() compares with.
 */
#ifndef MIGMGR_STATE_H
#define MIGMGR_STATE_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

extern void state_init(void);

/* Is it kept here: by policy, or because there are recordings already? */
extern bool state_is_kept(void);

/* an object as a recording finds it */
typedef struct StateRow
{
	char	   *kind;
	char	   *identity;
	char	   *parent;
	char	   *definition;
	Oid			objid;
	int32		objsubid;
	TimestampTz at;
	Jsonb	   *described;		/* NULL: it went */
} StateRow;

/*
 * The rows that the last query of SPI has found, in the columns of state_due()
 * and definition: a List of StateRow * in a context.
 */
extern List *state_rows(MemoryContext context);

/*
 * Writes a recording; returns its number, 0 when there are no rows.  *hash is
 * what state_hash() says of it.
 */
extern int64 state_write(const List *rows, char **hash);

/*
 * Records what runs have left and nobody has described yet.  Before DDL from
 * elsewhere, which is not kept from running when that fails.
 */
extern void state_settle(void);

#endif							/* MIGMGR_STATE_H */
