/*
 * rollback.c
 *	  The SQL function rollback(): from arguments to a request.
 *
 * A rollback may drop exactly what the ledger says its version made, judged by
 * the data in it; every other effect of the way back is judged as usual.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "errors.h"
#include "guc.h"
#include "ledger.h"
#include "lock.h"
#include "online.h"
#include "run.h"
#include "spi_util.h"

PG_FUNCTION_INFO_V1(migmgr_rollback);

static bool nothing_to_take_back(const VersionState *state);
static OnData on_data_arg(const char *value);
static void check_applied(const char *version, const VersionState *state);

/* rollback(version, reason, on_data, dry_run): one row. */
Datum
migmgr_rollback(PG_FUNCTION_ARGS)
{
	RunRequest	request = {.action = RUN_ROLLBACK};

	run_begin("migmgr.rollback()");
	request.version = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	script_check_version(request.version);
	request.note = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	request.on_data = on_data_arg(PG_ARGISNULL(2) ? "refuse" : text_to_cstring(PG_GETARG_TEXT_PP(2)));
	request.dry_run = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);

	own_lock(LOCK_APPLY, guc_apply_wait);
	ledger_check_snapshot();
	online_check_version(request.version);
	rollback_request(&request);
	return run_return(fcinfo, request.online ? online_rollback(&request) : run_request(&request));
}

/*
 * Makes a request, of which version, note, on_data and dry_run are there, to
 * take back what the ledger says of the version; under APPLY.
 */
void
rollback_request(RunRequest *request)
{
	VersionState *state = version_state(request->version);
	bool		redacted = false;

	run_options(&request->options, NULL);
	check_applied(request->version, state);
	request->derived = state->down == NULL && state->derived != NULL;
	if (state->down == NULL && state->derived == NULL && !nothing_to_take_back(state))
		ereport(ERROR,
				(errcode(ERRCODE_MG_NO_ROLLBACK),
				 errmsg("migration \"%s\" has no way back", request->version),
				 errdetail("It was applied %s by %s.  Reversible: %s.", state->at, state->role,
						   state->reversible ? state->reversible : "no"),
				 errhint("Write the way back as a new migration and apply that.")));

	request->up = nothing_to_take_back(state) ? "SELECT 'nothing to take back'" :
		script_text(request->derived ? state->derived : state->down, &redacted);
	if (redacted)
		ereport(ERROR,
				(errcode(ERRCODE_MG_NO_ROLLBACK),
				 errmsg("the rollback script of \"%s\" was stored without its passwords, so it cannot be run", request->version),
				 errhint("Write the way back as a new migration and apply that.")));
	if (request->derived && state->reversible != NULL)
		request->caveat = strstr(state->reversible, ", but");
	request->name = state->name;
	request->checksum = state->checksum;
	request->undoes = state->seq;
	if (state->online && !request->derived)
		request->up = online_down(request->up);
	request->text = request->up;
	request->online = script_needs_online(request->up);
}

/* Did the version leave nothing behind but its entry? */
static bool
nothing_to_take_back(const VersionState *state)
{
	return state->down == NULL && state->derived == NULL && state->reversible != NULL &&
		strcmp(state->reversible, "nothing to take back") == 0;
}

static OnData
on_data_arg(const char *value)
{
	if (strcmp(value, "refuse") == 0)
		return ON_DATA_REFUSE;
	if (strcmp(value, "archive") == 0)
		return ON_DATA_ARCHIVE;
	if (strcmp(value, "discard") == 0)
		return ON_DATA_DISCARD;
	ereport(ERROR,
			(errcode(ERRCODE_MG_BAD_OPTION),
			 errmsg("invalid value for on_data: \"%s\"", value),
			 errdetail("It is \"refuse\" (stop when data would be lost), \"archive\" (keep it) or \"discard\" (give it up).")));
}

/* Raises MG007 or MG209 unless the version is applied now. */
static void
check_applied(const char *version, const VersionState *state)
{
	if (state->event == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_UNKNOWN_VERSION),
				 errmsg("version \"%s\" is not known here", version),
				 errdetail("The ledger has no entry for it."),
				 errhint("SELECT version, name, status FROM migmgr.history;")));
	if (!state->done)
		ereport(ERROR,
				(errcode(ERRCODE_MG_NOT_APPLIED),
				 errmsg("version \"%s\" is not applied: it was %s", version, state->event),
				 errdetail("It was %s %s by %s.", state->event, state->at, state->role)));
	if (strcmp(state->event, "applied") != 0 && strcmp(state->event, "renamed") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_NO_ROLLBACK),
				 errmsg("version \"%s\" did not run here: it is %s", version, state->event),
				 errdetail("It counts as applied since %s by %s; what it did, and the way back, are not recorded.",
						   state->at, state->role),
				 errhint("To record that it no longer counts: SELECT * FROM migmgr.mark_reverted(ARRAY[%s], 'reason');",
						 quote_literal_cstr(version))));
}

/* See run.h.  Not for what was refused or cancelled. */
char *
last_backup(const ErrorData *error)
{
	MemoryContext context = CurrentMemoryContext;
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);
	char	   *line = NULL;
	RecordScope scope;

	if (category == MAKE_SQLSTATE('M', 'G', '0', '0', '0') || category == ERRCODE_OPERATOR_INTERVENTION)
		return NULL;
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT pg_catalog.concat(pg_catalog.format('Nothing has changed.  The last backup on record is \"%s\" of %s', b.label,"
			 " pg_catalog.to_char(b.taken_at, 'YYYY-MM-DD HH24:MI:SS TZ')), ', ' OPERATOR(pg_catalog.||) b.location, '.') AS line"
			 " FROM migmgr.backups AS b WHERE b.source OPERATOR(pg_catalog.=) 'recorded' AND b.note IS NULL"
			 " ORDER BY b.taken_at DESC LIMIT 1", SPI_OK_SELECT, 0, NULL);
	if (SPI_processed > 0)
		line = MemoryContextStrdup(context, spi_text(0, "line"));
	record_end(&scope);
	SPI_finish();
	return line;
}
