/*
 * inverse.h
 *	  The way back that is derived from what a script has done, and its proof.
 */
#ifndef MIGMGR_INVERSE_H
#define MIGMGR_INVERSE_H

#include "run.h"

/* what is known of the way back of a run */
typedef struct Inverse
{
	char	   *before;			/* objects as they were: JSON, described */
	char	   *after;			/* and as they are */
	char	   *script;			/* derived; NULL when the author gave one, ""
								 * for nothing to do */
	List	   *reasons;		/* of char *: what it cannot bring back */
	bool		only_drops;		/* it drops what was made, and nothing else,
								 * whoever wrote it */
	bool		as_derived;		/* the author's does just that, with one thing */
	bool		proved;
	char	   *not_proved;		/* why it was not tried, or NULL */
	List	   *differences;	/* of char *: what the proof has found */
} Inverse;

/* Once the guard watches and before the first statement of an apply. */
extern void inverse_watch(const Run *run);

/* After the last statement of an apply: fills run->inverse, reversible. */
extern void inverse_derive(Run *run);

/* The same without trying it, and without words: fills run->inverse and run->down. */
extern void inverse_find(Run *run);

/* With the entry: what a later rollback must find as it is now. */
extern void inverse_record(const Run *run);

/* Raises MG216 when what a derived way back is about was changed since. */
extern void inverse_check(const Run *run);

/*
 * inverse_rows.c: statements that take out what the script has put into older
 * tables, to run before the rest of the way back and after it; to reasons it
 * adds what stays.  before: as in Inverse.
 */
extern void inverse_rows(const char *before, char **first, char **last, List **reasons);

/* proof.c: tries the way back, undone in any case */
extern void proof_run(Run *run);
extern char *proof_words(const Inverse *inverse);

#endif							/* MIGMGR_INVERSE_H */
