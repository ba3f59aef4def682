/*
 * archive.h
 *	  Data that a rollback takes away and keeps, and how it comes back.
 */
#ifndef MIGMGR_ARCHIVE_H
#define MIGMGR_ARCHIVE_H

#include "lib/stringinfo.h"
#include "run.h"

/* what a run has kept, or brought back, in the ledger's words */
typedef struct ArchivePart
{
	const char *kind;			/* 'table' or 'column' */
	const char *identity;
	int64		rows;			/* -1: not counted */
	int64		missing;		/* rows that did not come back */
} ArchivePart;

typedef struct Archive
{
	const char *schema;
	List	   *parts;			/* of ArchivePart * */
	List	   *dropped;		/* of GuardObject *: what the way back drops */
} Archive;

/*
 * Before the way back runs: tries it, and keeps the data that it would drop.
 * Fills run->archive.
 */
extern void archive_store(Run *run);

/*
 * After the way back has run: raises when data would be lost that was not
 * kept, or when something is left that hangs on the archive.
 */
extern void archive_check(Run *run);

/* After a script has run: brings back what an earlier rollback has kept. */
extern void archive_bring_back(Run *run);

/* "200 rows of table public.job_dlq", or NULL; rows of it in JSON */
extern char *archive_words(const Archive *archive);
extern void archive_json(StringInfo json, const Archive *archive);

#endif							/* MIGMGR_ARCHIVE_H */
