/*
 * notices.c
 *	  The messages that a script raises, kept with the statement they came from.
 *
 * A SQL editor does not show NOTICEs, and a terminal is closed.  While a
 * script runs, log_min_messages lets NOTICE through to the log hook; what the
 * server log would not have had is stopped here again.  The same hook serves
 * the lock budget.
 */
#include "postgres.h"

#include "utils/elog.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "budget.h"
#include "notices.h"

#define MAX_NOTICES 100			/* of one statement */
#define MAX_LENGTH 1000			/* bytes of one message */

static emit_log_hook_type previous_hook = NULL;
static MemoryContext notices_context = NULL;
static List *notices = NIL;
static int	log_threshold = WARNING;

static void notices_hook(ErrorData *edata);

void
notices_init(void)
{
	previous_hook = emit_log_hook;
	emit_log_hook = notices_hook;
}

/*
 * Keeps messages from here on, in context; call inside a GUC nest level that
 * ends with the script.
 */
void
notices_begin(MemoryContext context)
{
	log_threshold = log_min_messages;
	if (log_min_messages > NOTICE && log_min_messages != LOG)
		(void) set_config_option("log_min_messages", "notice", PGC_SUSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	notices_context = context;
	notices = NIL;
}

/*
 * The same for a worker, which runs nothing but its script: the threshold is
 * set once, outside of any transaction.
 */
void
notices_begin_worker(void)
{
	log_threshold = log_min_messages;
	if (log_min_messages > NOTICE && log_min_messages != LOG)
		SetConfigOption("log_min_messages", "notice", PGC_SUSET, PGC_S_OVERRIDE);
}

/* ... and where its messages are kept from here on. */
void
notices_keep(MemoryContext context)
{
	notices_context = context;
	notices = NIL;
}

/* What was raised since the last call: a List of char *. */
List *
notices_take(void)
{
	List	   *taken = notices;

	notices = NIL;
	return taken;
}

/* Safe to call when nothing is kept. */
void
notices_end(void)
{
	notices_context = NULL;
	notices = NIL;
}

static void
notices_hook(ErrorData *edata)
{
	if (budget_log(edata))
		return;
	if (notices_context != NULL && edata->elevel >= NOTICE && edata->elevel <= WARNING &&
		edata->elevel != LOG)
	{
		if (edata->message != NULL && list_length(notices) < MAX_NOTICES)
		{
			MemoryContext old = MemoryContextSwitchTo(notices_context);

			notices = lappend(notices, psprintf("%s: %.*s", edata->elevel == NOTICE ? "NOTICE" : "WARNING",
												MAX_LENGTH, edata->message));
			MemoryContextSwitchTo(old);
		}
		if (edata->elevel < log_threshold || log_threshold == LOG)
			edata->output_to_server = false;
	}
	if (previous_hook)
		previous_hook(edata);
}
