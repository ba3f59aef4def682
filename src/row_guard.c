/*
 * row_guard.c
 *	  Trigger on every table of migmgr: who may write a row.
 *
 * ENABLE ALWAYS on all of them, so that session_replication_role = replica
 * changes nothing.  The argument of the trigger says how strict it is:
 * 'record' (only C code of this library), 'config' (also migmgr's SECURITY
 * DEFINER functions) or 'open' (privileges decide).
 */
#include "postgres.h"

#include "commands/extension.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "errors.h"
#include "ledger.h"
#include "spi_util.h"

PG_FUNCTION_INFO_V1(migmgr_row_guard);

static bool row_admitted(TriggerData *trigdata, const char *level);
static void row_check_link(TriggerData *trigdata);
pg_noreturn static void row_refuse(TriggerData *trigdata);

/*
 * A row that replication brings is skipped rather than refused: DDL is not
 * replicated, so the subscriber has a history of its own, and an error would
 * stall the whole subscription.  A TRUNCATE cannot be skipped, only refused.
 */
Datum
migmgr_row_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || trigdata->tg_trigger->tgnargs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("row_guard() can only be called as a trigger of migmgr's own tables")));

	if (!row_admitted(trigdata, trigdata->tg_trigger->tgargs[0]))
	{
		if (!IsLogicalWorker() || TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
			row_refuse(trigdata);
		return PointerGetDatum(NULL);
	}

	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		return PointerGetDatum(trigdata->tg_newtuple);
	return PointerGetDatum(trigdata->tg_trigtuple);
}

/* The decision: raises nothing but a broken link. */
static bool
row_admitted(TriggerData *trigdata, const char *level)
{
	if (IsLogicalWorker())
		return false;
	if (strcmp(level, "open") == 0 || ledger_recording() || IsBinaryUpgrade)
		return true;
	if (creating_extension && CurrentExtensionObject == ledger_extension())
		return true;
	if (strcmp(level, "config") == 0 && InLocalUserIdChange() &&
		GetUserId() == trigdata->tg_relation->rd_rel->relowner)
		return true;

	/* a restore: into a database that is not (yet) the ledger's home */
	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) && superuser() &&
		ledger_state() != LEDGER_IN_FORCE)
	{
		if (RelationGetRelid(trigdata->tg_relation) == ledger_relid())
			row_check_link(trigdata);
		return true;
	}
	return false;
}

/* A restored ledger row must continue the chain. */
static void
row_check_link(TriggerData *trigdata)
{
	static const char *const columns[] = {
		"prev_hash", "seq", "at", "event", "version", "name", "checksum",
		"session_role", "role", "client", "application", "detail", "hash",
	};
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	const char *args[lengthof(columns)];
	RecordScope scope;
	bool		linked;

	SPI_connect();
	for (int i = 0; i < lengthof(columns); i++)
		args[i] = SPI_getvalue(trigdata->tg_trigtuple, desc, SPI_fnumber(desc, columns[i]));
	record_begin(&scope);
	spi_exec("SELECT COALESCE(h.seq, 0) + 1 = $2::pg_catalog.int8 AND COALESCE(h.hash, '') = $1"
			 " AND $13 = migmgr_internal.ledger_hash($1, $2::pg_catalog.int8, $3::pg_catalog.timestamptz, $4, $5, $6, $7,"
			 " $8, $9, $10, $11, $12) AS linked"
			 " FROM (VALUES (true)) AS v LEFT JOIN"
			 " (SELECT l.seq, l.hash FROM migmgr.ledger AS l ORDER BY l.seq DESC LIMIT 1) AS h ON true",
			 SPI_OK_SELECT, lengthof(columns), args);
	linked = spi_bool(0, "linked", false);
	record_end(&scope);
	if (!linked)
		ereport(ERROR,
				(errcode(ERRCODE_MG_LEDGER_CHAIN),
				 errmsg("cannot restore ledger entry %s: it does not continue the chain", args[1]),
				 errhint("The dump was edited or rows are missing: use an undamaged one.")));
	SPI_finish();

	CacheInvalidateRelcacheByRelid(RelationGetRelid(trigdata->tg_relation));
}

static void
row_refuse(TriggerData *trigdata)
{
	Relation	rel = trigdata->tg_relation;
	const char *verb;

	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		verb = "insert into";
	else if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		verb = "update";
	else if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		verb = "delete from";
	else
		verb = "truncate";

	ereport(ERROR,
			(errcode(ERRCODE_MG_LEDGER_ROW),
			 errmsg("cannot %s table %s.%s: only migmgr itself writes it", verb,
					get_namespace_name(RelationGetNamespace(rel)), RelationGetRelationName(rel)),
			 errdetail("Its rows are evidence or settings of migmgr; no privilege and no setting opens it."),
			 errhint("Use the functions of schema migmgr; SELECT * FROM migmgr.verify() checks what is there.")));
}
