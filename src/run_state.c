/*
 * run_state.c
 *	  What a run leaves of the objects it touched, for drift() to compare with.
 *
 * sql/67_drift.sql describes how the state of the schema is kept; here a run
 * adds to it the objects that the guard has seen, so its cost is theirs.  Of an
 * online migration only the names are known.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "inverse.h"
#include "run.h"
#include "spi_util.h"

static void append_element(StringInfo array, Oid oid);
static void append_name(StringInfo array, const GuardObject *object);

/*
 * Records the objects of a run.  Returns what its ledger entry has to say about
 * that, a JSON object in the context of run, or NULL when there was nothing.
 * Connected to SPI, recording.
 */
char *
run_state(const Run *run)
{
	StringInfoData classids,
				objids,
				named,
				gone;
	const char *args[6] = {0};
	ListCell   *lc;

	initStringInfo(&classids);
	initStringInfo(&objids);
	initStringInfo(&named);
	initStringInfo(&gone);
	appendStringInfoChar(&classids, '{');
	appendStringInfoChar(&objids, '{');
	appendStringInfoChar(&named, '[');
	appendStringInfoChar(&gone, '[');
	foreach(lc, run->effect->objects)
	{
		const GuardObject *object = lfirst(lc);

		if (strcmp(object->action, "dropped") == 0)
			append_name(&gone, object);
		else if (!OidIsValid(object->objid))
			append_name(&named, object);
		else
		{
			append_element(&classids, object->classid);
			append_element(&objids, object->objid);
		}
	}
	if (run->effect->objects == NIL)
		return NULL;
	appendStringInfoChar(&classids, '}');
	appendStringInfoChar(&objids, '}');
	appendStringInfoChar(&named, ']');
	appendStringInfoChar(&gone, ']');

	args[0] = classids.data;
	args[1] = objids.data;
	args[2] = named.data;
	args[3] = gone.data;
	if (run->inverse != NULL && run->inverse->after != NULL)
	{
		args[4] = run->inverse->before;
		args[5] = run->inverse->after;
	}
	spi_exec("SELECT migmgr_internal.state_detail(k.recording, k.hash, false)::pg_catalog.text AS detail"
			 " FROM migmgr_internal.state_keep($1::pg_catalog.oid[], $2::pg_catalog.oid[], $3::pg_catalog.jsonb,"
			 " $4::pg_catalog.jsonb, $5::pg_catalog.jsonb, $6::pg_catalog.jsonb) AS k"
			 " WHERE k.hash IS NOT NULL", SPI_OK_SELECT, 6, args);
	return SPI_processed == 0 ? NULL : MemoryContextStrdup(GetMemoryChunkContext(unconstify(Run *, run)), spi_text(0, "detail"));
}

static void
append_element(StringInfo array, Oid oid)
{
	appendStringInfo(array, "%s%u", array->len > 1 ? "," : "", oid);
}

static void
append_name(StringInfo array, const GuardObject *object)
{
	appendStringInfoString(array, array->len > 1 ? ", {\"kind\": " : "{\"kind\": ");
	escape_json(array, object->type);
	appendStringInfoString(array, ", \"identity\": ");
	escape_json(array, object->identity);
	appendStringInfoChar(array, '}');
}
