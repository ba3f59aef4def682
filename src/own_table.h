/*
 * own_table.h
 *	  migmgr's own tables, read by an index and written row by row without a
 *	  plan.
 *
 * For what every apply and every DDL transaction does: planning and starting
 * an executor take longer than the row.  Everything else goes through SPI.
 */
#ifndef MIGMGR_OWN_TABLE_H
#define MIGMGR_OWN_TABLE_H

#include "access/sdir.h"
#include "access/stratnum.h"
#include "storage/lockdefs.h"

typedef struct OwnTable OwnTable;

/* the locks are kept until the end of the transaction, as those of SPI are */
extern OwnTable *own_open(const char *schema, const char *name, LOCKMODE lockmode);
extern int64 own_numbers(Oid sequence, int count);
extern void own_close(OwnTable *table);

/*
 * Rows by an index, in its order; with a strategy, those whose first column
 * stands in this relation to key.  A partial index shows its own rows only.
 */
extern void own_scan(OwnTable *table, const char *index, ScanDirection direction,
					 StrategyNumber strategy, Datum key);
extern bool own_next(OwnTable *table);
extern char *own_text(OwnTable *table, const char *column);
extern int64 own_int64(OwnTable *table, const char *column);
extern Datum own_datum(OwnTable *table, const char *column);

/* is there any such row? */
extern bool own_any(const char *schema, const char *name, const char *index,
					StrategyNumber strategy, Datum key);

/* columns of a row to come, null unless set; the rules of the table hold */
extern void own_set(OwnTable *table, const char *column, Datum value);
extern void own_set_text(OwnTable *table, const char *column, const char *value);
extern void own_insert(OwnTable *table);

#endif							/* MIGMGR_OWN_TABLE_H */
