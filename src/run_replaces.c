/*
 * run_replaces.c
 *	  A version that stands for others: -- migmgr:replaces VERSION ...
 *
 * A consolidated file is for two kinds of database.  Where none of what it
 * replaces was applied it runs; where all of it was, there is nothing to run
 * and it counts as applied.  In between nobody can say what it would do.
 * Either way what it replaces is superseded from then on.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "errors.h"
#include "ledger.h"
#include "migmgr.h"
#include "own_table.h"
#include "run.h"
#include "spi_util.h"

static void record_counted(const RunRequest *request);
static char *version_list(const List *versions);
static char *mark_detail(const RunRequest *request, const char *kept);
static void supersede(const RunRequest *request, const char *version, const VersionState *state);

/*
 * Returns NULL when the script has to run, or the row for the caller when it
 * counts as applied without.  Raises MG226 when only some of what it replaces
 * is applied.  Under the APPLY lock.
 */
RunRow *
replaces_settle(const RunRequest *request)
{
	List	   *applied = NIL,
			   *absent = NIL;
	ListCell   *lc;
	RunRow	   *row;

	foreach(lc, request->replaces)
	{
		char	   *version = lfirst(lc);

		if (strcmp(version, request->version) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_MG_REPLACES),
					 errmsg("migration \"%s\" says that it replaces itself", version)));
		if (version_state(version)->done)
			applied = lappend(applied, version);
		else
			absent = lappend(absent, version);
	}
	if (applied == NIL)
		return NULL;
	if (absent != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_REPLACES),
				 errmsg("cannot apply \"%s\": of the versions that it replaces only some are applied", request->version),
				 errdetail("Applied: %s.  Not applied: %s.", version_list(applied), version_list(absent)),
				 errhint("Apply what is not; or, if it is there already: SELECT * FROM migmgr.mark_applied(versions, 'reason');")));

	row = palloc0(sizeof(RunRow));
	row->version = request->version;
	row->name = request->name;
	row->status = request->dry_run ? "dry run" : "already applied";
	row->environment = policy_environment_name(policy_environment());
	row->detail = psprintf("it replaces %s, applied here; nothing ran", version_list(applied));
	if (request->dry_run)
		return row;

	record_counted(request);
	replaces_record(request);
	return row;
}

/* Keeps the text, and records that the version counts as applied. */
static void
record_counted(const RunRequest *request)
{
	LedgerEntry entry = {.event = "marked applied"};
	RecordScope scope;
	List	   *stored = NIL;
	MemoryContext context = CurrentMemoryContext;
	char	   *kept = NULL;

	SPI_connect();
	record_begin(&scope);
	(void) write_script(request->text, &stored);
	if (stored != NIL)
		kept = MemoryContextStrdup(context, linitial(stored));
	record_end(&scope);
	SPI_finish();
	entry.version = request->version;
	entry.name = request->name;
	entry.checksum = request->checksum;
	entry.detail = mark_detail(request, kept);
	(void) ledger_append(&entry);
}

/* Records that what a version replaces is superseded by it. */
void
replaces_record(const RunRequest *request)
{
	ListCell   *lc;

	foreach(lc, request->replaces)
		supersede(request, lfirst(lc), version_state(lfirst(lc)));
}

/* After a rollback: what the version has replaced stands by itself again. */
void
replaces_undo(const RunRequest *request)
{
	const char *args[2] = {request->version, psprintf("version %s was rolled back", request->version)};
	RecordScope scope;

	if (!own_any(MIGMGR_SCHEMA, "ledger", "ledger_event", BTEqualStrategyNumber,
				 CStringGetTextDatum("superseded")))
		return;
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT migmgr_internal.unreplace($1, $2)", SPI_OK_SELECT, 2, args);
	record_end(&scope);
	SPI_finish();
}

static void
supersede(const RunRequest *request, const char *version, const VersionState *state)
{
	LedgerEntry entry = {.event = "superseded",.version = version};
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"by\": ");
	escape_json(&json, request->version);
	appendStringInfoString(&json, ", \"note\": ");
	escape_json(&json, psprintf("by %s", request->version));
	if (state->done)
	{
		appendStringInfoString(&json, ", \"was\": ");
		escape_json(&json, state->event);
		entry.name = state->name;
		entry.checksum = state->checksum;
	}
	appendStringInfoChar(&json, '}');
	entry.detail = json.data;
	(void) ledger_append(&entry);
}

/* The detail of the entry for a version that counts as applied. */
static char *
mark_detail(const RunRequest *request, const char *kept)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"reason\": ");
	escape_json(&json, psprintf("replaces %s", version_list(request->replaces)));
	appendStringInfoString(&json, ", \"environment\": ");
	escape_json(&json, policy_environment_name(policy_environment()));
	if (request->file != NULL)
	{
		appendStringInfoString(&json, ", \"file\": ");
		escape_json(&json, request->file);
	}
	if (kept != NULL)
	{
		appendStringInfoString(&json, ", \"stored\": [");
		escape_json(&json, kept);
		appendStringInfoChar(&json, ']');
	}
	if (request->received != NULL)
	{
		appendStringInfoString(&json, ", \"received\": ");
		escape_json(&json, request->received);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* "001, 002, 003 and 4 more" */
static char *
version_list(const List *versions)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, versions)
	{
		if (foreach_current_index(lc) == 5)
		{
			appendStringInfo(&text, " and %d more", list_length(versions) - 5);
			break;
		}
		appendStringInfo(&text, "%s%s", foreach_current_index(lc) ? ", " : "", (char *) lfirst(lc));
	}
	return text.data;
}
