/*
 * pending.c
 *	  Applying what was submitted: one version, or all in order.
 *
 * apply(version) and apply_pending() run in the transaction of their caller
 * and hand what is online to a worker, which starts when that commits.  CALL
 * run_pending() commits after each migration and waits for the worker.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "guc.h"
#include "ledger.h"
#include "lock.h"
#include "online.h"
#include "progress.h"
#include "subxact.h"

PG_FUNCTION_INFO_V1(migmgr_apply_version);
PG_FUNCTION_INFO_V1(migmgr_apply_pending);
PG_FUNCTION_INFO_V1(migmgr_run_pending);

#define TELL_AFTER_MS 1000		/* then somebody begins to wonder */

/* one migration of several */
typedef struct Step
{
	const Submission *submission;
	bool		report;			/* a failure is a row, too */
	RunRow	   *row;
} Step;

static char *text_arg(FunctionCallInfo fcinfo, int arg);
static bool rolled_back(const VersionState *state);
static void again_request(RunRequest *request, const char *version, const VersionState *state);
static RunRow *applied_before(const char *version, const VersionState *state);
static bool apply_step(void *arg);
static RunRow *failed_row(const Submission *submission, const ErrorData *error);
static void put_row(ReturnSetInfo *rsinfo, const RunRow *row);

static char *
text_arg(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

/*
 * apply(version): what was submitted under it, or else what was applied under
 * it before and rolled back; one row.
 */
Datum
migmgr_apply_version(PG_FUNCTION_ARGS)
{
	char	   *version = text_arg(fcinfo, 0);
	Step		step = {0};

	run_begin("migmgr.apply()");
	script_check_version(version);
	own_lock(LOCK_APPLY, guc_apply_wait);
	ledger_check_snapshot();
	step.submission = submission_of(version);
	if (step.submission == NULL)
	{
		VersionState *state = version_state(version);

		if (rolled_back(state))
		{
			RunRequest	request;

			again_request(&request, version, state);
			step.row = apply_locked(&request);
		}
		else
			step.row = applied_before(version, state);
	}
	else
		(void) apply_step(&step);
	return run_return(fcinfo, step.row);
}

/*
 * apply_pending(to_version, on_error): a row for each that was submitted, up
 * to the first that fails.  What came before that is kept, unless on_error is
 * raise.
 */
Datum
migmgr_apply_pending(PG_FUNCTION_ARGS)
{
	char	   *to_version = text_arg(fcinfo, 0);
	char	   *on_error = PG_ARGISNULL(1) ? "stop" : text_arg(fcinfo, 1);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		waits = false;
	ListCell   *lc;

	run_begin("migmgr.apply_pending()");
	if (to_version != NULL)
		script_check_version(to_version);
	if (strcmp(on_error, "stop") != 0 && strcmp(on_error, "raise") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("invalid value for on_error: \"%s\"", on_error),
				 errdetail("It is \"stop\" (keep what came before, and report) or \"raise\" (undo all of this call).")));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	own_lock(LOCK_APPLY, guc_apply_wait);
	ledger_check_snapshot();

	foreach(lc, submissions(to_version))
	{
		Step		step = {.submission = lfirst(lc),.report = strcmp(on_error, "stop") == 0};
		ErrorData  *error = NULL;

		if (waits)
		{
			/* its turn comes when the worker is done */
			RunRow		row = {.version = step.submission->version,.name = step.submission->name,.status = "submitted",
				.environment = policy_environment_name(policy_environment()),
			.detail = "comes after what is queued: call again when that is done"};

			put_row(rsinfo, &row);
			continue;
		}
		if (step.report)
			error = subxact_run(apply_step, &step);
		else
			(void) apply_step(&step);
		if (error != NULL &&
			(error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN))
			ReThrowError(error);
		if (error != NULL)
		{
			put_row(rsinfo, failed_row(step.submission, error));
			break;
		}
		put_row(rsinfo, step.row);
		if (strcmp(step.row->status, "failed") == 0)
			break;
		waits = strcmp(step.row->status, "queued") == 0;
	}
	return (Datum) 0;
}

static bool
rolled_back(const VersionState *state)
{
	return state->event != NULL && strcmp(state->event, "rolled back") == 0;
}

/*
 * The request that applies a version once more, with the texts of the entry
 * that applied it last; raises where one was stored without its passwords.
 */
static void
again_request(RunRequest *request, const char *version, const VersionState *state)
{
	AppliedTexts *texts = applied_texts(version);
	bool		redacted = false;
	bool		any_redacted = false;
	char	   *up = script_text(texts->up, &any_redacted);
	char	   *down = texts->down == NULL ? NULL : script_text(texts->down, &redacted);
	char	   *verify;

	any_redacted |= redacted;
	verify = texts->verify == NULL ? NULL : script_text(texts->verify, &redacted);
	any_redacted |= redacted;
	if (any_redacted)
		ereport(ERROR,
				(errcode(ERRCODE_MG_NOT_SUBMITTED),
				 errmsg("cannot apply \"%s\" again: its text was stored without its passwords", version),
				 errhint("Apply it with its text: SELECT * FROM migmgr.apply('%s', %s, $$...$$);", version,
						 quote_literal_cstr(state->name))));
	if (texts->file != NULL)
	{
		apply_file_request(request, "apply()", "CALL migmgr.run", texts->file, up, NULL);
		request->background = request->online;
		return;
	}
	memset(request, 0, sizeof(RunRequest));
	request->action = RUN_APPLY;
	request->version = version;
	request->name = state->name;
	request->sent = request->text = request->up = up;
	request->down = down;
	request->verify = verify;
	run_options(&request->options, NULL);
}

/* The row about a version that is not submitted but applied; else raises. */
static RunRow *
applied_before(const char *version, const VersionState *state)
{
	RunRow	   *row = palloc0(sizeof(RunRow));

	if (!state->done)
		ereport(ERROR,
				(errcode(ERRCODE_MG_NOT_SUBMITTED),
				 errmsg("version \"%s\" is not submitted", version),
				 errhint("Submit it first: SELECT * FROM migmgr.submit('%s_name.sql', $$...$$);", version)));
	row->version = version;
	row->name = state->name;
	row->status = "already applied";
	row->environment = policy_environment_name(policy_environment());
	row->class = state->class;
	row->statements = state->statements;
	row->reversible = state->reversible;
	row->detail = psprintf("applied %s by %s; nothing was done", state->at, state->role);
	return row;
}

/* One submission in the caller's transaction; true keeps it. */
static bool
apply_step(void *arg)
{
	Step	   *step = arg;
	RunRequest	request;

	submission_request(&request, step->submission, "apply()");
	request.options.report = step->report;
	step->row = apply_locked(&request);
	return true;
}

/* A row about what could not even begin. */
static RunRow *
failed_row(const Submission *submission, const ErrorData *error)
{
	RunRow	   *row = palloc0(sizeof(RunRow));

	row->version = submission->version;
	row->name = submission->name;
	row->status = "failed";
	row->environment = policy_environment_name(policy_environment());
	row->detail = psprintf("%s: %s", unpack_sql_state(error->sqlerrcode), error->message);
	return row;
}

static void
put_row(ReturnSetInfo *rsinfo, const RunRow *row)
{
	Datum		values[RUN_COLUMNS];
	bool		nulls[RUN_COLUMNS];

	run_row_values(row, values, nulls);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * CALL run_pending(to_version, INOUT applied, ms, detail): all in order, each
 * committed by itself.  Raises the first failure, with all before it kept.
 */
Datum
migmgr_run_pending(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *to_version = text_arg(fcinfo, 0);
	TimestampTz start = GetCurrentTimestamp();
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {false};
	List	   *waiting;
	ListCell   *lc;
	int			applied = 0;

	run_begin("migmgr.run_pending()");
	run_check_door(fcinfo, "run_pending()",
				   "Send CALL migmgr.run_pending() by itself, or call the function, which works in a transaction: SELECT * FROM migmgr.apply_pending();");
	if (to_version != NULL)
		script_check_version(to_version);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "procedure has no INOUT parameters");
	waiting = submissions(to_version);

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	MemoryContextSwitchTo(context);
	foreach(lc, waiting)
	{
		const Submission *submission = lfirst(lc);
		RunRequest	request;
		RunRow	   *row;

		run_snapshot();
		submission_request(&request, submission, "run_pending()");
		row = online_finish(&request, run_committing(&request, apply_locked));
		MemoryContextSwitchTo(context);
		applied++;
		progress_tell(TimestampDifferenceExceeds(start, GetCurrentTimestamp(), TELL_AFTER_MS), "%d of %d: %s %s %s",
					  applied, list_length(waiting), row->version, row->name, row->status);
	}
	run_snapshot();
	SPI_finish();
	MemoryContextSwitchTo(context);

	values[0] = Int32GetDatum(applied);
	values[1] = Int64GetDatum(TimestampDifferenceMilliseconds(start, GetCurrentTimestamp()));
	values[2] = CStringGetTextDatum(applied == 0 ? "nothing is submitted" :
									psprintf("last: %s", ((Submission *) llast(waiting))->version));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
