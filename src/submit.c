/*
 * submit.c
 *	  submit() and withdraw(): migrations that wait, for review or for a worker.
 *
 * A submission is a ledger entry and a text.  The last of a version counts,
 * until it is applied or withdrawn.
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "compat.h"
#include "errors.h"
#include "guc.h"
#include "ledger.h"
#include "lock.h"
#include "migmgr.h"
#include "online.h"
#include "spi_util.h"

#define SUBMIT_COLUMNS 9

/* What waits, last submission of each version; sorted by the caller. */
#define SUBMISSIONS \
	"SELECT s.seq, s.version, s.name, s.checksum, s.detail::pg_catalog.jsonb ->> 'file' AS file," \
	" s.detail::pg_catalog.jsonb ->> 'note' AS note, s.detail::pg_catalog.jsonb ->> 'online' AS online," \
	" s.detail::pg_catalog.jsonb ->> 'received' AS received" \
	" FROM (SELECT DISTINCT ON (l.version) l.* FROM migmgr.ledger AS l WHERE l.event IN ('submitted', 'withdrawn')" \
	"   ORDER BY l.version, l.seq DESC) AS s" \
	" WHERE s.event = 'submitted' AND NOT EXISTS (SELECT FROM migmgr.ledger AS a WHERE a.version = s.version" \
	"   AND a.seq > s.seq AND a.event IN (" DONE_EVENTS "))"

PG_FUNCTION_INFO_V1(migmgr_submit);
PG_FUNCTION_INFO_V1(migmgr_submit_version);
PG_FUNCTION_INFO_V1(migmgr_withdraw);

static char *text_arg(FunctionCallInfo fcinfo, int arg);
static bool is_file(const char *version);
static char *file_name(const char *version, const char *name);
static char *file_text(const char *sql, const char *verify_sql, const char *rollback_sql);
static Datum submit(FunctionCallInfo fcinfo, const char *file, const char *sql, const char *note, bool start);
static void check_may_start(void);
static int64 withdraw_online(const OnlineJob *job, const char *reason);
static RunRow *submit_for_review(RunRequest *request);
static Submission *read_submission(MemoryContext context, uint64 row);
static Datum submit_return(FunctionCallInfo fcinfo, const RunRequest *request, const RunRow *row);

static char *
text_arg(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

/* submit(file, sql, start, note): one row. */
Datum
migmgr_submit(PG_FUNCTION_ARGS)
{
	return submit(fcinfo, text_arg(fcinfo, 0), text_arg(fcinfo, 1), text_arg(fcinfo, 3),
				  !PG_ARGISNULL(2) && PG_GETARG_BOOL(2));
}

/*
 * submit(version, name, sql, rollback_sql, verify_sql, note, start): one row.
 * Literals without a type come here even if they are a file, its text and a note.
 */
Datum
migmgr_submit_version(PG_FUNCTION_ARGS)
{
	char	   *version = text_arg(fcinfo, 0);
	char	   *name = text_arg(fcinfo, 1);
	char	   *sql = text_arg(fcinfo, 2);
	char	   *rollback_sql = text_arg(fcinfo, 3);
	char	   *verify_sql = text_arg(fcinfo, 4);
	char	   *note = text_arg(fcinfo, 5);
	bool		start = !PG_ARGISNULL(6) && PG_GETARG_BOOL(6);

	if (is_file(version) && rollback_sql == NULL && verify_sql == NULL && note == NULL)
		return submit(fcinfo, version, name, sql, start);
	script_check_version(version);
	if (name == NULL || sql == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("submit() needs the name of the migration and its SQL")));
	return submit(fcinfo, file_name(version, name), file_text(sql, verify_sql, rollback_sql), note, start);
}

static bool
is_file(const char *version)
{
	size_t		length = version == NULL ? 0 : strlen(version);

	return length > 4 && pg_strcasecmp(version + length - 4, ".sql") == 0;
}

/* The file that has this version and this name; an error where none can. */
static char *
file_name(const char *version, const char *name)
{
	char	   *file = psprintf("%s_%s.sql", version, name);
	ScriptFile *parts = script_file(file, "SELECT 1;");

	if (strcmp(parts->version, version) != 0 || strcmp(parts->name, name) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_VERSION),
				 errmsg("migration \"%s\" cannot be submitted under the name \"%s\"", version, name),
				 errdetail("It would be kept as file \"%s\", which is version \"%s\" with name \"%s\".",
						   file, parts->version, parts->name)));
	return file;
}

/* The text of a file with these sections; just sql where that is all. */
static char *
file_text(const char *sql, const char *verify_sql, const char *rollback_sql)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, sql);
	if (verify_sql != NULL)
		appendStringInfo(&text, "\n-- migmgr:verify\n%s", verify_sql);
	if (rollback_sql != NULL)
		appendStringInfo(&text, "\n-- migmgr:down\n%s", rollback_sql);
	return text.data;
}

static Datum
submit(FunctionCallInfo fcinfo, const char *file, const char *sql, const char *note, bool start)
{
	RunRequest	request;
	RunRow	   *row;
	VersionState *state;

	run_begin("migmgr.submit()");
	if (start)
		check_may_start();
	apply_file_request(&request, "submit()", "SELECT * FROM migmgr.submit", file, sql, NULL);
	request.note = note;
	request.checksum = script_checksum(request.text);
	if (strcmp(request.sent, request.text) != 0)
		request.received = script_checksum(request.sent);
	request.background = start;

	own_lock(LOCK_APPLY, guc_apply_wait);
	state = version_state(request.version);
	if (start || state->done)
		row = apply_locked(&request);
	else
		row = submit_for_review(&request);
	return submit_return(fcinfo, &request, row);
}

/* withdraw(version, reason): the submission waits no longer. */
Datum
migmgr_withdraw(PG_FUNCTION_ARGS)
{
	char	   *version = text_arg(fcinfo, 0);
	char	   *reason = text_arg(fcinfo, 1);
	Submission *submission;
	OnlineJob  *job;

	run_begin("migmgr.withdraw()");
	script_check_version(version);
	own_lock(LOCK_APPLY, guc_apply_wait);
	submission = submission_of(version);
	if (submission == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_NOT_SUBMITTED),
				 errmsg("version \"%s\" is not submitted", version),
				 errhint("SELECT * FROM migmgr.pending; shows what is.")));
	job = online_job(version);
	if (job != NULL && strcmp(job->status, "partly applied") == 0)
		PG_RETURN_INT64(withdraw_online(job, reason));
	if (job != NULL && strcmp(job->status, "queued") != 0 && strcmp(job->status, "failed") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_LOCKED),
				 errmsg("version \"%s\" cannot be withdrawn: it is %s", version, job->status),
				 errdetail("%d of %d statements are done.", job->done, job->statements),
				 errhint("Stop it first: SELECT pg_cancel_backend(%d);", job->pid)));
	PG_RETURN_INT64(submission_withdraw(submission, reason));
}

/*
 * Takes back what a job has done, by a worker that starts with the commit:
 * indexes it can drop concurrently, anything else is for people to judge.
 */
static int64
withdraw_online(const OnlineJob *job, const char *reason)
{
	bool		others = false;

	check_may_start();
	online_check_requester();
	for (int n = 1; n <= job->statements; n++)
		(void) online_made(job->version, n, &others);
	if (others)
		ereport(ERROR,
				(errcode(ERRCODE_MG_NO_ROLLBACK),
				 errmsg("version \"%s\" cannot be withdrawn: it is partly applied, and not with indexes alone", job->version),
				 errdetail("%d of %d statements are done: SELECT n, command, object FROM migmgr_internal.online_statement WHERE version = %s;",
						   job->done, job->statements, quote_literal_cstr(job->version)),
				 errhint("Go on with it, and roll it back then: CALL migmgr.run_pending(%s);", quote_literal_cstr(job->version))));
	online_job_withdraw(job->version, reason);
	online_start_later(job->ticket);
	return job->ticket;
}

/* Records that a submission waits no longer, and forgets its job. */
int64
submission_withdraw(const Submission *submission, const char *reason)
{
	StringInfoData detail;
	LedgerEntry entry = {.event = "withdrawn"};

	online_job_delete(submission->version);
	initStringInfo(&detail);
	appendStringInfo(&detail, "{\"submitted\": " INT64_FORMAT, submission->ticket);
	if (reason != NULL)
	{
		appendStringInfoString(&detail, ", \"reason\": ");
		escape_json(&detail, reason);
	}
	appendStringInfoChar(&detail, '}');
	entry.version = submission->version;
	entry.name = submission->name;
	entry.checksum = submission->checksum;
	entry.detail = detail.data;
	return ledger_append(&entry);
}

/*
 * Who starts a worker runs the script, so it takes what running it takes.
 */
static void
check_may_start(void)
{
	Oid			argtypes[5] = {TEXTOID, TEXTOID, BOOLOID, TEXTOID, JSONBOID};
	List	   *name = list_make2(makeString(MIGMGR_SCHEMA), makeString("apply_file"));
	Oid			function = LookupFuncName(name, lengthof(argtypes), argtypes, false);

	if (mg_function_aclcheck(function, GetUserId(), ACL_EXECUTE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to start a migration"),
				 errdetail("Role \"%s\" may submit, and not apply.", GetUserNameFromId(GetUserId(), true)),
				 errhint("Submit it without start => true, or ask for level operator: SELECT * FROM migmgr.grant_access(%s, 'operator');",
						 quote_literal_cstr(GetUserNameFromId(GetUserId(), true)))));
}

/* Looks at the text as apply would, and records the submission. */
static RunRow *
submit_for_review(RunRequest *request)
{
	RunRow	   *row = palloc0(sizeof(RunRow));
	Submission *before = submission_of(request->version);
	char	   *what = psprintf("migration \"%s\"", request->version);
	Script	   *script = (request->online ? script_parse_online : script_parse) (request->up, what);

	ledger_check_home();
	if (request->down != NULL)
		(void) script_parse_online(request->down, psprintf("the way back of %s", what));
	if (request->verify != NULL)
		(void) script_parse(request->verify, psprintf("the verify SQL of %s", what));
	row->version = request->version;
	row->name = request->name;
	row->environment = policy_environment_name(policy_environment());
	row->statements = list_length(script->statements);
	request->ticket = submission_write(request, row->statements);
	row->status = before != NULL && before->ticket == request->ticket ? "already submitted" : "submitted";
	row->detail = request->online ? "online: CALL migmgr.run_pending() waits for it, apply() does not" : NULL;
	return row;
}

/*
 * Appends the submission unless it is there already; returns its number.
 * Under APPLY, so that nothing comes between.
 */
int64
submission_write(const RunRequest *request, int statements)
{
	Submission *before = submission_of(request->version);
	LedgerEntry entry = {.event = "submitted"};
	RecordScope scope;
	StringInfoData detail;
	List	   *stored = NIL;

	if (before != NULL && strcmp(before->checksum, request->checksum) == 0)
		return before->ticket;

	SPI_connect();
	record_begin(&scope);
	(void) write_script(request->text, &stored);
	record_end(&scope);
	SPI_finish();
	if (stored != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("migration \"%s\" cannot be submitted: it has a password in it", request->version),
				 errdetail("Passwords are not stored, so what is stored could not be run."),
				 errhint("Apply it directly, or set the password outside of migrations.")));

	initStringInfo(&detail);
	appendStringInfoString(&detail, "{\"file\": ");
	escape_json(&detail, request->file);
	appendStringInfo(&detail, ", \"key\": \"%s\", \"statements\": %d, \"online\": %s",
					 script_version_key(request->version), statements, request->online ? "true" : "false");
	if (request->received != NULL)
		appendStringInfo(&detail, ", \"received\": \"%s\"", request->received);
	if (request->note != NULL)
	{
		appendStringInfoString(&detail, ", \"note\": ");
		escape_json(&detail, request->note);
	}
	appendStringInfoChar(&detail, '}');
	entry.version = request->version;
	entry.name = request->name;
	entry.checksum = request->checksum;
	entry.detail = detail.data;
	return ledger_append(&entry);
}

static Submission *
read_submission(MemoryContext context, uint64 row)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Submission *submission = palloc0(sizeof(Submission));
	char	   *note = spi_text(row, "note");
	char	   *name = spi_text(row, "name");
	char	   *received = spi_text(row, "received");

	submission->ticket = spi_int64(row, "seq", 0);
	submission->version = pstrdup(spi_text(row, "version"));
	submission->name = name == NULL ? NULL : pstrdup(name);
	submission->file = pstrdup(spi_text(row, "file"));
	submission->checksum = pstrdup(spi_text(row, "checksum"));
	submission->note = note == NULL ? NULL : pstrdup(note);
	submission->received = received == NULL ? NULL : pstrdup(received);
	submission->online = spi_bool(row, "online", false);
	MemoryContextSwitchTo(old);
	return submission;
}

/* What is submitted of a version and not applied, or NULL. */
Submission *
submission_of(const char *version)
{
	MemoryContext context = CurrentMemoryContext;
	Submission *submission = NULL;
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	spi_exec(SUBMISSIONS " AND s.version = $1", SPI_OK_SELECT, 1, &version);
	if (SPI_processed > 0)
		submission = read_submission(context, 0);
	record_end(&scope);
	SPI_finish();
	return submission;
}

/*
 * All that is submitted and not applied, in the order of versions, up to one
 * of them (NULL: all): a List of Submission *.
 */
List *
submissions(const char *to_version)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *result = NIL;
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	spi_exec(SUBMISSIONS " AND ($1 IS NULL OR migmgr_internal.version_key(s.version) <= migmgr_internal.version_key($1))"
			 " ORDER BY migmgr_internal.version_key(s.version) COLLATE pg_catalog.\"C\"",
			 SPI_OK_SELECT, 1, &to_version);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Submission *submission = read_submission(context, i);
		MemoryContext old = MemoryContextSwitchTo(context);

		result = lappend(result, submission);
		MemoryContextSwitchTo(old);
	}
	record_end(&scope);
	SPI_finish();
	return result;
}

/* The request that applies a submission; messages name function. */
void
submission_request(RunRequest *request, const Submission *submission, const char *function)
{
	bool		redacted = false;
	char	   *text = script_text(submission->checksum, &redacted);

	apply_file_request(request, function, "CALL migmgr.run", submission->file, text, NULL);
	request->note = submission->note;
	request->received = submission->received;
	request->background = request->online;
}

/* The row of submit(). */
static Datum
submit_return(FunctionCallInfo fcinfo, const RunRequest *request, const RunRow *row)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[SUBMIT_COLUMNS] = {0};
	bool		nulls[SUBMIT_COLUMNS] = {0};

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	nulls[0] = request->ticket == 0;
	values[0] = Int64GetDatum(request->ticket);
	values[1] = CStringGetTextDatum(row->version);
	values[2] = CStringGetTextDatum(row->name);
	values[3] = CStringGetTextDatum(row->status);
	values[4] = CStringGetTextDatum(row->environment);
	values[5] = Int32GetDatum(row->statements);
	values[6] = BoolGetDatum(request->online);
	values[7] = CStringGetTextDatum(request->checksum);
	nulls[8] = row->detail == NULL;
	values[8] = nulls[8] ? (Datum) 0 : CStringGetTextDatum(row->detail);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	return (Datum) 0;
}
