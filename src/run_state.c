/*
 * run_state.c
 *	  What a run leaves of the objects it touched, for drift() to compare with.
 *
 * A run that has described what it changed, for its way back, records what
 * differs.  All others leave it to the names in their entry (state.c), which
 * costs them nothing.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "inverse.h"
#include "ledger.h"
#include "run.h"
#include "spi_util.h"
#include "state.h"

static void append_name(StringInfo array, const char *kind, const char *identity);

/*
 * Records the objects of a run.  Returns what its ledger entry has to say about
 * that, a JSON object in the context of run, or NULL when nothing is recorded.
 * Connected to SPI, recording.
 */
char *
run_state(const Run *run)
{
	StringInfoData gone;
	StringInfoData detail;
	const char *args[3];
	char	   *hash;
	int64		recording;
	ListCell   *lc;
	MemoryContext old;

	if (run->inverse == NULL || run->inverse->after == NULL || !state_is_kept())
		return NULL;
	initStringInfo(&gone);
	appendStringInfoChar(&gone, '[');
	foreach(lc, run->effect->objects)
	{
		const GuardObject *object = lfirst(lc);

		if (strcmp(object->action, "dropped") == 0)
			append_name(&gone, object->type, object->identity);
	}
	appendStringInfoChar(&gone, ']');

	args[0] = run->inverse->before;
	args[1] = run->inverse->after;
	args[2] = gone.data;
	spi_exec("SELECT s.*, pg_catalog.clock_timestamp() AS at, s.described OPERATOR(pg_catalog.->>) 'definition' AS definition"
			 " FROM migmgr_internal.state_of_run($1::pg_catalog.jsonb, $2::pg_catalog.jsonb, $3::pg_catalog.jsonb) AS s",
			 SPI_OK_SELECT, 3, args);
	recording = state_write(state_rows(CurrentMemoryContext), &hash);
	if (recording == 0)
		return NULL;
	old = MemoryContextSwitchTo(GetMemoryChunkContext(unconstify(Run *, run)));
	initStringInfo(&detail);
	appendStringInfo(&detail, "{\"recording\": " INT64_FORMAT ", \"hash\": \"%s\"}", recording, hash);
	MemoryContextSwitchTo(old);
	return detail.data;
}

static void
append_name(StringInfo array, const char *kind, const char *identity)
{
	appendStringInfoString(array, array->len > 1 ? ", {\"kind\": " : "{\"kind\": ");
	escape_json(array, kind);
	appendStringInfoString(array, ", \"identity\": ");
	escape_json(array, identity);
	appendStringInfoChar(array, '}');
}
