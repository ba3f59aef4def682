/*
 * check.h
 *	  Named checks: the team's own questions to the database.
 *
 *	  check_define.c   add_check() and drop_check()
 *	  check.c          running one, or all of a moment
 *	  check_expect.c   is the answer the expected one
 */
#ifndef MIGMGR_CHECK_H
#define MIGMGR_CHECK_H

#include "nodes/pg_list.h"
#include "policy.h"

/* a definition, from the ledger */
typedef struct Check
{
	char	   *name;
	char	   *sql;
	char	   *expect;
	char	   *run_as;			/* role that it runs as */
	char	   *adder;			/* role that added it */
	char	   *search_path;	/* of the adder, when it was added */
	bool		seen;			/* did it find its tables the last time? */
} Check;

/* what running it came to; strings in the caller's context */
typedef struct CheckResult
{
	const Check *check;
	const char *status;			/* ok, failed, table missing, error */
	char	   *value;			/* what came back, NULL: nothing */
	char	   *detail;			/* why it is not ok */
	double		ms;
} CheckResult;

/* rows of a check's statements as they come */
typedef struct CheckRows
{
	uint64		count;
	bool		more;			/* there are more than were looked at */
	bool		single;			/* one row with one column, not null */
	Oid			type;			/* of that column */
	Datum		value;
	char	   *first;			/* the first row as text */
	int			columns;
	/* over all statements: TAP */
	int			passed;
	int			failed;
	int			planned;		/* -1: no plan seen */
	char	   *failure;		/* first line that says so */
} CheckRows;

/*
 * Runs those of a moment ('before', 'after', 'verify', 'schedule'; NULL: all)
 * for this environment.  List of CheckResult *.
 */
extern List *checks_run(const char *run_at, PolicyEnvironment environment);

/* keep the results; version is that of the migration, or NULL */
extern void checks_record(const List *results, const char *run_at, const char *version);

/* in the transaction of a run: raises, going forward, if one has failed */
extern void checks_after(const char *version, bool forward, PolicyEnvironment environment);

/* a line for each that is not ok, or not yet to be asked; NULL: none */
extern char *checks_failures(const List *results);

/* check_expect.c */
extern void check_expect(const char *expect);
extern void check_judge(CheckResult *result, const CheckRows *rows);
extern void check_tap(CheckRows *rows, const char *text);
extern bool expect_is_tap(const char *expect);

#endif							/* MIGMGR_CHECK_H */
