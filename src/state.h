/*
 * state.h
 *	  The recorded state of the schema, which drift() compares with.
 */
#ifndef MIGMGR_STATE_H
#define MIGMGR_STATE_H

extern void state_init(void);

/* Is it kept here: by policy, or because there are recordings already? */
extern bool state_is_kept(void);

/*
 * Writes the rows that the last query of SPI has found, in the columns of
 * state_due() and definition, as a recording of its own; returns its number, 0 when there
 * are none.  *hash is what state_hash() says of it, in the current context.
 */
extern int64 state_write(char **hash);

/*
 * Records what runs have left and nobody has described yet.  Before DDL from
 * elsewhere, which is not kept from running when that fails.
 */
extern void state_settle(void);

#endif							/* MIGMGR_STATE_H */
