/*
 * spi_util.c
 *	  SPI without the ceremony.
 *
 * The texts that spi_exec gets are string literals, so their address is their
 * identity: each is planned once a session, whatever the parameters are.  An
 * apply asks the ledger half a dozen questions, and planning them anew took
 * longer than answering them.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/snapmgr.h"

#include "spi_util.h"

#define MAX_ARGS 24

typedef struct KeptPlan
{
	const char *sql;			/* hash key: address of the literal */
	SPIPlanPtr	plan;
} KeptPlan;

static HTAB *kept_plans = NULL;

static void execute(const char *sql, int expect, int nargs, const char *const *args, bool read_only);
static SPIPlanPtr spi_plan(const char *sql, int nargs);

/*
 * Runs one statement (a string literal) with text parameters; the caller is
 * connected to SPI.  A result code other than expect is a bug of migmgr's and
 * raised as such.  Results are in SPI_tuptable until the next call.
 */
void
spi_exec(const char *sql, int expect, int nargs, const char *const *args)
{
	execute(sql, expect, nargs, args, false);
}

/*
 * The same for what only reads: sees what has been done so far, by whoever has
 * committed, whatever the isolation level is.
 */
void
spi_exec_latest(const char *sql, int expect, int nargs, const char *const *args)
{
	CommandCounterIncrement();
	spi_exec_snapshot(GetLatestSnapshot(), sql, expect, nargs, args);
}

/* The same with a snapshot of the caller's. */
void
spi_exec_snapshot(Snapshot snapshot, const char *sql, int expect, int nargs, const char *const *args)
{
	PushActiveSnapshot(snapshot);
	execute(sql, expect, nargs, args, true);
	PopActiveSnapshot();
}

static void
execute(const char *sql, int expect, int nargs, const char *const *args, bool read_only)
{
	Datum		values[MAX_ARGS];
	char		nulls[MAX_ARGS] = {0};
	int			result;

	for (int i = 0; i < nargs; i++)
	{
		nulls[i] = args[i] == NULL ? 'n' : ' ';
		values[i] = args[i] == NULL ? (Datum) 0 : CStringGetTextDatum(args[i]);
	}

	result = SPI_execute_plan(spi_plan(sql, nargs), values, nulls, read_only, 0);
	if (result != expect)
		elog(ERROR, "SPI returned %s for: %s", SPI_result_code_string(result), sql);
}

/* The kept plan of a literal; made on first use. */
static SPIPlanPtr
spi_plan(const char *sql, int nargs)
{
	Oid			types[MAX_ARGS];
	KeptPlan   *entry;
	SPIPlanPtr	plan;

	if (nargs > MAX_ARGS)
		elog(ERROR, "too many parameters: %d", nargs);
	if (kept_plans == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(const char *),.entrysize = sizeof(KeptPlan)};

		kept_plans = hash_create("migmgr plans", 64, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(kept_plans, &sql, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->plan;

	for (int i = 0; i < nargs; i++)
		types[i] = TEXTOID;
	plan = SPI_prepare_cursor(sql, nargs, types, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI could not prepare (%s): %s", SPI_result_code_string(SPI_result), sql);
	entry = hash_search(kept_plans, &sql, HASH_ENTER, NULL);
	entry->plan = plan;
	return plan;
}

/* Value of a column as text, in the SPI procedure's context; NULL when null. */
char *
spi_text(uint64 row, const char *column)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	int			attnum = SPI_fnumber(desc, column);

	if (attnum <= 0)
		elog(ERROR, "no column \"%s\" in the result", column);
	if (row >= SPI_processed)
		elog(ERROR, "no row " UINT64_FORMAT " in the result", row);
	return SPI_getvalue(SPI_tuptable->vals[row], desc, attnum);
}

/* Value of an integer column, or if_null. */
int64
spi_int64(uint64 row, const char *column, int64 if_null)
{
	char	   *text = spi_text(row, column);

	return text == NULL ? if_null : (int64) strtoll(text, NULL, 10);
}

/* Value of a boolean column, or if_null. */
bool
spi_bool(uint64 row, const char *column, bool if_null)
{
	char	   *text = spi_text(row, column);

	return text == NULL ? if_null : text[0] == 't';
}
