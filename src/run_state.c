/*
 * run_state.c
 *	  What a run leaves of the objects it touched, for drift() to compare with.
 *
 * sql/67_drift.sql describes how the state of the schema is kept; here a run
 * adds to it the objects that the guard has seen, so its cost is theirs.  Of an
 * online migration only the names are known.
 *
 * Describing takes longer than a small migration itself, so it is done only
 * where somebody wants it: from the first baseline or accepted drift on, or
 * where policy record_state says so.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "inverse.h"
#include "ledger.h"
#include "run.h"
#include "spi_util.h"

static bool kept = false;		/* is the state of the schema kept here? */
static Oid	kept_relid = InvalidOid;	/* the ledger that said so;
										 * InvalidOid: ask */

static void state_relcache_callback(Datum arg, Oid relid);
static bool state_is_kept(void);
static void append_element(StringInfo array, Oid oid);
static void append_name(StringInfo array, const GuardObject *object);

void
run_state_init(void)
{
	CacheRegisterRelcacheCallback(state_relcache_callback, (Datum) 0);
}

/* What decides is an entry of the ledger, of which every session hears. */
static void
state_relcache_callback(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == kept_relid)
		kept_relid = InvalidOid;
}

/* Once there are recordings, each run has to add to them, or they would be wrong. */
static bool
state_is_kept(void)
{
	if (kept_relid != ledger_relid())
	{
		kept_relid = ledger_relid();
		kept = true;			/* should the question fail: rather too much */
		spi_exec("SELECT EXISTS (SELECT FROM migmgr_internal.state)"
				 " OR migmgr_internal.policy_value('record_state') = 'on' AS kept",
				 SPI_OK_SELECT, 0, NULL);
		kept = spi_bool(0, "kept", false);
	}
	return kept;
}

/*
 * Records the objects of a run.  Returns what its ledger entry has to say about
 * that, a JSON object in the context of run, or NULL when nothing is recorded.
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

	if (run->effect->objects == NIL || !state_is_kept())
		return NULL;
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
