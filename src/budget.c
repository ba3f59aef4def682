/*
 * budget.c
 *	  The lock budget of a script: how long it may wait, and behind whom it did.
 *
 * lock_timeout is per lock, so three statements, or one that locks three
 * tables, may wait three times as long, with readers queueing behind the first
 * of the locks all the while.  Here all waits of a script share one budget:
 * each next one gets what the earlier ones have left.
 *
 * Nothing tells an extension that a wait begins or ends, except the lines that
 * log_lock_waits makes: the first after deadlock_timeout, while the lock is
 * still awaited, and another when it has come.  So while a script runs,
 * log_lock_waits is on and deadlock_timeout is short; the log hook takes from
 * the first line who is in the way, while they still are, and from the second
 * how long it took, and lets through to the log only what would have been
 * there anyway.  What is shorter than deadlock_timeout counts as that long.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "budget.h"
#include "ledger.h"
#include "spi_util.h"

#define LOOK_AFTER_MS 10		/* a shorter wait is not looked into */
#define MAX_BLOCKERS 10

/* a wait that has taken long enough to be looked into */
typedef struct LockWait
{
	TimestampTz start;			/* 0: there is none */
	bool		known;			/* lock and mode are */
	LOCKTAG		tag;
	LOCKMODE	mode;
	int			pids[MAX_BLOCKERS];
	int			count;
} LockWait;

static bool active = false;
static int	total;				/* ms */
static double spent;			/* ms */
static bool logged;				/* log_lock_waits as it was */
static int	logged_after;		/* deadlock_timeout as it was */
static TimestampTz counted;		/* start of the last wait that was counted */
static TimestampTz failed_at;	/* when the last wait ended in an error */
static LockWait wait;

static void set_number(const char *name, int value, GucContext context);
static void count_short_wait(void);
static void note_blockers(void);
static void note_pids(const char *line);
static char *lock_name(void);

void
budget_begin(int ms)
{
	active = true;
	total = ms;
	spent = 0;
	logged = log_lock_waits;
	logged_after = DeadlockTimeout;
	counted = get_timeout_start_time(DEADLOCK_TIMEOUT);
	wait.start = 0;
}

/*
 * The settings are made again each time: a schema file of pg_dump starts with
 * SET lock_timeout = 0.
 */
void
budget_statement(void)
{
	int			left;

	count_short_wait();
	left = budget_left();
	wait.start = 0;
	set_number("lock_timeout", left, PGC_USERSET);
	set_number("deadlock_timeout", Max(1, Min(Min(LOOK_AFTER_MS, logged_after), left / 2)), PGC_SUSET);
	set_number("log_lock_waits", 1, PGC_SUSET);
}

int
budget_left(void)
{
	return Max(1, total - (int) spent);
}

void
budget_end(void)
{
	if (active)
		failed_at = GetCurrentTimestamp();
	active = false;
}

static void
set_number(const char *name, int value, GucContext context)
{
	char		number[32];

	snprintf(number, sizeof(number), "%d", value);
	(void) set_config_option(name, number, context, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* A wait that was over before it was looked into. */
static void
count_short_wait(void)
{
	TimestampTz start = get_timeout_start_time(DEADLOCK_TIMEOUT);

	if (start == counted)
		return;
	spent += Min(TimestampDifferenceMilliseconds(start, GetCurrentTimestamp()), DeadlockTimeout);
	counted = start;
}

/*
 * The lines come from ProcSleep(): one while the lock is still awaited, one
 * when it has come.  No lock of the server's own is held there.
 */
bool
budget_log(ErrorData *edata)
{
	TimestampTz start;
	long		elapsed;

	if (!active || edata->elevel != LOG || edata->funcname == NULL ||
		strcmp(edata->funcname, "ProcSleep") != 0)
		return false;

	start = get_timeout_start_time(DEADLOCK_TIMEOUT);
	elapsed = TimestampDifferenceMilliseconds(start, GetCurrentTimestamp());
	if (MyProc->waitLock != NULL)
		note_blockers();
	else if (start != counted)
	{
		/* granted; or a deadlock, and the line says with whom */
		if (wait.start != start)
		{
			wait.start = start;
			wait.known = false;
			note_pids(edata->detail_log);
		}
		spent += elapsed;
		counted = start;
		set_number("lock_timeout", budget_left(), PGC_USERSET);
	}
	if (!logged || elapsed < logged_after)
	{
		edata->output_to_server = false;
		edata->output_to_client = false;
	}
	return true;
}

/* Who is in the way of the lock that is awaited now. */
static void
note_blockers(void)
{
	LOCK	   *lock = MyProc->waitLock;
	ArrayType  *array;
	Datum	   *pids;
	int			count;

	wait.start = get_timeout_start_time(DEADLOCK_TIMEOUT);
	wait.count = 0;
	wait.known = lock != NULL;
	if (lock != NULL)
	{
		wait.tag = lock->tag;
		wait.mode = MyProc->waitLockMode;
	}
	array = DatumGetArrayTypeP(DirectFunctionCall1(pg_blocking_pids, Int32GetDatum(MyProcPid)));
	deconstruct_array(array, INT4OID, sizeof(int32), true, TYPALIGN_INT, &pids, NULL, &count);
	for (int i = 0; i < count && wait.count < MAX_BLOCKERS; i++)
		wait.pids[wait.count++] = DatumGetInt32(pids[i]);
}

/* The numbers before the first full stop: "Process holding the lock: 47." */
static void
note_pids(const char *line)
{
	wait.count = 0;
	while (line != NULL && *line != '\0' && *line != '.' && wait.count < MAX_BLOCKERS)
	{
		if (*line >= '0' && *line <= '9')
			wait.pids[wait.count++] = (int) strtol(line, unconstify(char **, &line), 10);
		else
			line++;
	}
}

/* "AccessExclusiveLock on public.orders" */
static char *
lock_name(void)
{
	StringInfoData name;
	char	   *relation = NULL;

	if (!wait.known)
		return "a lock";
	initStringInfo(&name);
	appendStringInfo(&name, "%s on ", GetLockmodeName(wait.tag.locktag_lockmethodid, wait.mode));
	if (wait.tag.locktag_type == LOCKTAG_RELATION)
		relation = get_rel_name(wait.tag.locktag_field2);
	if (relation != NULL)
	{
		char	   *schema = get_namespace_name(get_rel_namespace(wait.tag.locktag_field2));

		appendStringInfoString(&name, quote_qualified_identifier(schema, relation));
	}
	else
		DescribeLockTag(&name, &wait.tag);
	return name.data;
}

/* See budget.h. */
char *
budget_blockers(bool queries)
{
	MemoryContext context = CurrentMemoryContext;
	StringInfoData pids;
	RecordScope scope;
	const char *args[2];
	char	   *behind = NULL;
	char	   *result;

	if (wait.start == 0)
		return NULL;
	initStringInfo(&pids);
	for (int i = 0; i < wait.count; i++)
		appendStringInfo(&pids, "%s%d", i ? "," : "", wait.pids[i]);
	args[0] = psprintf("{%s}", pids.data);
	args[1] = queries ? "true" : "false";

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT pg_catalog.string_agg(CASE WHEN p.pid = 0 THEN 'a prepared transaction'"
			 " WHEN a.pid IS NULL THEN pg_catalog.format('process %s, which has ended', p.pid)"
			 " ELSE pg_catalog.format('process %s (user %s, application \"%s\", %s%s%s)', p.pid,"
			 "   COALESCE(a.usename::pg_catalog.text, a.backend_type), a.application_name, COALESCE(a.state, 'at work'),"
			 "   ', transaction open for ' || EXTRACT(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::pg_catalog.int8 || ' s',"
			 "   CASE WHEN NOT $2::pg_catalog.bool OR a.query = '' THEN '' WHEN a.query ~* 'password' THEN ', query with a password'"
			 "     ELSE pg_catalog.format(', query \"%s\"', pg_catalog.left(pg_catalog.rtrim(pg_catalog.regexp_replace(a.query, '\\s+', ' ', 'g'), '; '), 80)) END) END,"
			 " ' and ' ORDER BY p.n) AS behind"
			 " FROM pg_catalog.unnest($1::pg_catalog.int4[]) WITH ORDINALITY AS p (pid, n)"
			 " LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = p.pid",
			 SPI_OK_SELECT, 2, args);
	behind = spi_text(0, "behind");
	result = MemoryContextStrdup(context,
								 psprintf("%ld ms for %s behind %s",
										  TimestampDifferenceMilliseconds(wait.start, failed_at), lock_name(),
										  behind ? behind : "another session"));
	record_end(&scope);
	SPI_finish();
	return result;
}
