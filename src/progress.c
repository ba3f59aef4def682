/*
 * progress.c
 *	  What runs now, for other sessions and for the person who waits for it.
 *
 * Where migmgr is preloaded, shared memory of its own shows it.  But
 * pg_stat_activity is there in any case, so it is shown there as well: the text
 * of the query says which statement of how many runs, and state_change since
 * when.  Of that only a process that holds one of migmgr's own locks is
 * believed.  The server's commands have progress views of their own, which are
 * joined in.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "pgstat.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"

#include "guc.h"
#include "progress.h"
#include "progress_share.h"

#define MAX_TEXT 1024

static void report(const char *what, const char *state);

void
progress_show(const char *what, int attempt, const char *part, int n, int m, const char *sql)
{
	progress_share_set(what, attempt, part, n, m, sql);
	report(what, psprintf("%s%s %d of %d: %.*s", attempt > 1 ? psprintf("attempt %d, ", attempt) : "",
						  part, n, m, MAX_TEXT, sql));
}

void
progress_state(const char *what, const char *state)
{
	progress_share_set(what, 0, "", 0, 0, state);
	report(what, state);
}

static void
report(const char *what, const char *state)
{
	char	   *text = psprintf("migmgr: %s, %s", what, state);

	pgstat_report_activity(STATE_RUNNING, text);
	pfree(text);
}

void
progress_end(void)
{
	progress_share_clear();
	pgstat_report_activity(STATE_RUNNING, debug_query_string != NULL ? debug_query_string : "");
}

/*
 * psql shows INFO as it comes; a SQL editor hides it, and a driver collects it
 * for nobody.  So "auto" is for psql, whose name a client may of course take.
 */
void
progress_tell(bool wanted, const char *format,...)
{
	StringInfoData text;

	if (guc_progress_messages == PROGRESS_OFF ||
		(guc_progress_messages == PROGRESS_AUTO &&
		 (!wanted || application_name == NULL || strcmp(application_name, "psql") != 0)))
		return;
	initStringInfo(&text);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&text, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&text, needed);
	}
	ereport(INFO, (errmsg_internal("%s", text.data)));
	pfree(text.data);
}
