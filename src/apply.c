/*
 * apply.c
 *	  apply(), apply_file() and CALL run(): from arguments to a request.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "errors.h"
#include "guc.h"
#include "ledger.h"
#include "lock.h"
#include "mode.h"
#include "online.h"
#include "run.h"

PG_FUNCTION_INFO_V1(migmgr_apply);
PG_FUNCTION_INFO_V1(migmgr_apply_file);
PG_FUNCTION_INFO_V1(migmgr_run);

static char *text_arg(FunctionCallInfo fcinfo, int arg);
static bool bool_arg(FunctionCallInfo fcinfo, int arg);
static const char *canonical_or_null(const char *text);
static bool is_blank(const char *text);
static void check_name(const char *name);
static const char *bytes_of_file(const char *sent);
static void check_expected(const RunRequest *request);
static RunRow *apply_request(RunRequest *request);
static RunRow *already_applied(const RunRequest *request, const VersionState *state);

static char *
text_arg(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

static bool
bool_arg(FunctionCallInfo fcinfo, int arg)
{
	return !PG_ARGISNULL(arg) && PG_GETARG_BOOL(arg);
}

static bool
is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n\f\v")] == '\0';
}

/* Canonical form, or NULL for a script that is absent or blank. */
static const char *
canonical_or_null(const char *text)
{
	return text == NULL || is_blank(text) ? NULL : script_canonical(text);
}

/* Raises MG001 unless the name can be shown in one line of a report. */
static void
check_name(const char *name)
{
	if (name == NULL || is_blank(name))
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_VERSION),
				 errmsg("the migration needs a name"),
				 errhint("For example 'create_job_dlq'.")));
	if (pg_mbstrlen(name) > 200)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_VERSION),
				 errmsg("the name of the migration is too long: %d characters, 200 at most",
						pg_mbstrlen(name))));
	for (const char *p = name; *p; p++)
	{
		if ((unsigned char) *p < 0x20 || *p == 0x7f)
			ereport(ERROR,
					(errcode(ERRCODE_MG_BAD_VERSION),
					 errmsg("the name of the migration has a control character in it")));
	}
}

/*
 * apply(version, name, sql, rollback_sql, checksum, verify_sql, dry_run, note,
 * options): one row.
 */
Datum
migmgr_apply(PG_FUNCTION_ARGS)
{
	RunRequest	request = {.action = RUN_APPLY};
	char	   *sql = text_arg(fcinfo, 2);

	run_begin("migmgr.apply()");
	request.version = text_arg(fcinfo, 0);
	script_check_version(request.version);
	request.name = text_arg(fcinfo, 1);
	check_name(request.name);
	if (sql == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("migration \"%s\" has no SQL: it is null", request.version)));
	request.sent = sql;
	request.expected = text_arg(fcinfo, 4);
	request.text = script_canonical(sql);
	request.up = request.text;
	request.down = canonical_or_null(text_arg(fcinfo, 3));
	request.verify = canonical_or_null(text_arg(fcinfo, 5));
	request.dry_run = bool_arg(fcinfo, 6);
	request.note = text_arg(fcinfo, 7);
	run_options(&request.options, PG_ARGISNULL(8) ? NULL : PG_GETARG_JSONB_P(8));
	return run_return(fcinfo, apply_request(&request));
}

/* apply_file(file, sql, dry_run, note, options): one row. */
Datum
migmgr_apply_file(PG_FUNCTION_ARGS)
{
	RunRequest	request;

	run_begin("migmgr.apply_file()");
	apply_file_request(&request, "apply_file()", "SELECT * FROM migmgr.apply_file", text_arg(fcinfo, 0), text_arg(fcinfo, 1),
					   PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4));
	request.dry_run = bool_arg(fcinfo, 2);
	request.note = text_arg(fcinfo, 3);
	return run_return(fcinfo, apply_request(&request));
}

/*
 * CALL run(file, sql, dry_run, note, options, INOUT ...): apply_file() through
 * the door that commits.
 */
Datum
migmgr_run(PG_FUNCTION_ARGS)
{
	RunRequest	request;

	run_begin("migmgr.run()");
	run_check_door(fcinfo, "run()",
				   "Send CALL migmgr.run(...) by itself, or call the function, which works in a transaction: SELECT * FROM migmgr.apply_file(...);");
	apply_file_request(&request, "run()", "CALL migmgr.run", text_arg(fcinfo, 0), text_arg(fcinfo, 1),
					   PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4));
	request.dry_run = bool_arg(fcinfo, 2);
	request.note = text_arg(fcinfo, 3);
	request.background = request.online;
	return run_call(fcinfo, &request, apply_locked);
}

/*
 * Makes a request of a migration file; dry_run and note are the caller's to
 * fill in.  Messages name the caller as function, and how to call it as call.
 */
void
apply_file_request(RunRequest *request, const char *function, const char *call, const char *file,
				   const char *sql, Jsonb *options)
{
	ScriptFile *parts;

	if (file == NULL || sql == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("%s needs the name of the file and its text", function),
				 errhint("In psql: \\set sql `cat 001_name.sql` and %s('001_name.sql', :'sql');", call)));
	memset(request, 0, sizeof(RunRequest));
	request->action = RUN_APPLY;
	request->text = script_canonical(sql);
	parts = script_file(file, request->text);

	request->file = file;
	request->sent = sql;
	request->version = parts->version;
	request->name = parts->name;
	request->up = parts->up == NULL ? "" : parts->up;
	request->down = parts->down == NULL || is_blank(parts->down) ? NULL : parts->down;
	request->verify = parts->verify == NULL || is_blank(parts->verify) ? NULL : parts->verify;
	request->requires = parts->requires;
	request->flags = parts->flags;
	request->replaces = parts->replaces;
	run_options(&request->options, options);
	if (options != NULL)
		request->options_text = JsonbToCString(NULL, &options->root, 0);
	request->online = parts->online || script_needs_online(request->up);
	if (parts->lock_timeout != NULL)
		run_option(&request->options, "lock_timeout", parts->lock_timeout);
}

/* An apply in the transaction of its caller. */
static RunRow *
apply_request(RunRequest *request)
{
	own_lock(LOCK_APPLY, guc_apply_wait);
	return apply_locked(request);
}

/*
 * What the file of a text has in it: psql's backticks cut its last line feed,
 * which shows where a carriage return is left.
 */
static const char *
bytes_of_file(const char *sent)
{
	size_t		length = strlen(sent);

	return length > 0 && sent[length - 1] == '\r' ? psprintf("%s\n", sent) : sent;
}

/* An apply that holds APPLY: the questions to the ledger, the run. */
RunRow *
apply_locked(RunRequest *request)
{
	VersionState *state;
	RunRow	   *row;

	request->checksum = script_checksum(request->text);
	if (strcmp(request->sent, request->text) != 0)
		request->received = script_checksum(bytes_of_file(request->sent));
	if (request->expected != NULL)
		script_check_checksum(request->expected);

	ledger_check_snapshot();
	state = version_state(request->version);
	if (state->done)
		return already_applied(request, state);
	check_expected(request);
	row = replaces_settle(request);
	if (row != NULL)
		return row;
	check_divergence(request);
	if (!request->dry_run && !online_is_worker(request->ticket))
		mode_check_run(psprintf("migration \"%s\"", request->version), request->version);
	if (request->online || request->background)
		return online_request(request);
	check_order(request);
	return run_request(request);
}

/*
 * Same text, or one that was accepted for it: nothing to do.  Another text
 * under the same version: MG201.  A version that counts as applied without a
 * run may have no checksum to compare with.
 */
static RunRow *
already_applied(const RunRequest *request, const VersionState *state)
{
	RunRow	   *row;
	bool		accepted = state->checksum == NULL || strcmp(state->checksum, request->checksum) == 0 ||
		(request->received != NULL && strcmp(state->checksum, request->received) == 0) ||
		version_accepts(request->version, state->seq, request->checksum, request->received);

	if (!accepted)
	{
		bool		same = same_shape(state->checksum, request->text);

		ereport(ERROR,
				(errcode(ERRCODE_MG_VERSION_CHANGED),
				 errmsg("migration \"%s\" is applied already, with another text", request->version),
				 errdetail("Applied: %s (%s by %s).\nHanded in: %s.%s",
						   state->checksum, state->at, state->role, request->checksum,
						   same ? "\nThe text changed, the meaning is the same: only comments or white space differ." : ""),
				 same ? errhint("Put the applied text back, or: SELECT * FROM migmgr.accept_checksum(%s, '%s', 'only comments');",
								quote_literal_cstr(request->version), request->checksum) :
				 errhint("Put the applied text back, and make the change a new version.")));
	}

	row = palloc0(sizeof(RunRow));
	row->version = request->version;
	row->name = state->name;
	row->status = "already applied";
	row->environment = policy_environment_name(policy_environment());
	row->class = state->class;
	row->statements = state->statements;
	row->ms = 0;
	row->reversible = state->reversible;
	row->detail = psprintf("%s %s by %s%s; nothing was done", state->event, state->at, state->role,
						   state->checksum == NULL ? ", no checksum recorded" : "");
	return row;
}

/*
 * Raises MG005 when the text is not the one expected: by the caller (who may
 * have summed the bytes as sent), or by compare_files().
 */
static void
check_expected(const RunRequest *request)
{
	const char *expected = request->expected;
	const char *received = request->sent;
	const char *remembered;

	if (expected != NULL && !script_checksum_matches(received, expected))
		ereport(ERROR,
				(errcode(ERRCODE_MG_CHECKSUM_MISMATCH),
				 errmsg("migration \"%s\" is not the text that was expected", request->version),
				 errdetail("Expected checksum: %s.\nChecksum of the text: %s.", expected, request->checksum),
				 errhint("Compare with: shasum -a 256 FILE")));

	remembered = remembered_checksum(request->version);
	/* what was submitted comes without the bytes that it came as */
	if (remembered != NULL && !script_checksum_matches(received, remembered) &&
		(request->received == NULL || strcmp(request->received, remembered) != 0) &&
		!policy_waives("checksum", request->version))
		ereport(ERROR,
				(errcode(ERRCODE_MG_CHECKSUM_MISMATCH),
				 errmsg("migration \"%s\" is not the text of the remembered file", request->version),
				 errdetail("Checksum that compare_files() has seen: %s.\nChecksum of the text: %s.",
						   remembered, request->checksum),
				 errhint("If the file was changed on purpose, hand the new checksums to migmgr.compare_files() first.")));
}
