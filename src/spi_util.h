/*
 * spi_util.h
 *	  SPI without the ceremony: expect a result code, read typed columns.
 *
 * All SQL sent from C is fully qualified and takes values as parameters.
 */
#ifndef MIGMGR_SPI_UTIL_H
#define MIGMGR_SPI_UTIL_H

#include "executor/spi.h"

/* run a string literal with text parameters (NULL: SQL NULL); planned once */
extern void spi_exec(const char *sql, int expect, int nargs, const char *const *args);

/* the same, read-only and with the newest snapshot there is */
extern void spi_exec_latest(const char *sql, int expect, int nargs, const char *const *args);
extern void spi_exec_snapshot(Snapshot snapshot, const char *sql, int expect, int nargs, const char *const *args);

/* the value of a column of row i of SPI_tuptable, by name; NULL when null */
extern char *spi_text(uint64 row, const char *column);
extern int64 spi_int64(uint64 row, const char *column, int64 if_null);
extern bool spi_bool(uint64 row, const char *column, bool if_null);

#endif							/* MIGMGR_SPI_UTIL_H */
