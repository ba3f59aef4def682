/*
 * run_door.c
 *	  The door that owns its transactions: CALL run(), and background workers.
 *
 * A function runs in the transaction of its caller, so it keeps a snapshot and
 * every lock of what it did before for as long as it waits.  Here each try of
 * a migration is a transaction of its own.  Between tries there is no snapshot
 * and no lock but APPLY, so that VACUUM and a concurrent index build elsewhere
 * go on; a failed attempt is recorded by this session itself, in the next
 * transaction, and only then raised.
 *
 * APPLY is held by the session meanwhile: between two tries nobody else may
 * apply, and what the ledger said about the version before the first one still
 * holds at the last.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "nodes/parsenodes.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "errors.h"
#include "guc.h"
#include "lock.h"
#include "online.h"
#include "run.h"

static Datum run_composite(FunctionCallInfo fcinfo, const RunRow *row);

/*
 * Raises MG230 when a procedure was called where it cannot commit.  hint is
 * the way out.
 */
void
run_check_door(FunctionCallInfo fcinfo, const char *procedure, const char *hint)
{
	bool		atomic = fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic;

	if (atomic || IsSubTransaction())
		ereport(ERROR,
				(errcode(ERRCODE_MG_NEEDS_TOP_LEVEL),
				 errmsg("%s commits, and cannot do so here", procedure),
				 errdetail("It was called in a transaction block, from a function, or in one message with other statements."),
				 errhint("%s", hint)));
}

/*
 * Runs a request from a procedure that may commit, and returns its INOUT
 * columns, which are the last RUN_COLUMNS of its arguments.
 */
Datum
run_call(FunctionCallInfo fcinfo, RunRequest *request, run_locked_fn run)
{
	MemoryContext context = CurrentMemoryContext;
	RunRow	   *row;

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	MemoryContextSwitchTo(context);
	row = online_finish(request, run_committing(request, run));
	SPI_finish();
	MemoryContextSwitchTo(context);
	return run_composite(fcinfo, row);
}

/* See run.h. */
RunRow *
run_committing(RunRequest *request, run_locked_fn run)
{
	RunRow	   *volatile row = NULL;

	request->commits = true;
	run_next_transaction();
	own_lock_session(LOCK_APPLY, guc_apply_wait);
	PG_TRY();
	{
		run_snapshot();
		row = run(request);
		run_next_transaction();
	}
	PG_FINALLY();
	{
		own_unlock_session(LOCK_APPLY);
	}
	PG_END_TRY();
	return row;
}

/*
 * Commits, and begins the next transaction, without a snapshot.  A try that
 * failed is undone already with its subtransaction, so there is nothing to
 * roll back; and a rollback would give back the locks of the session.  In a
 * procedure the caller is connected to SPI, non-atomic.
 */
void
run_next_transaction(void)
{
	MemoryContext context = CurrentMemoryContext;

	if (ActivePortal != NULL)
		SPI_commit();
	else
	{
		while (ActiveSnapshotSet())
			PopActiveSnapshot();
		CommitTransactionCommand();
		StartTransactionCommand();
	}
	MemoryContextSwitchTo(context);
}

/* Makes sure that the new transaction has a snapshot to read with. */
void
run_snapshot(void)
{
	if (ActivePortal != NULL)
		EnsurePortalSnapshotExists();
	else if (!ActiveSnapshotSet())
		PushActiveSnapshot(GetTransactionSnapshot());
}

/* The row as the procedure's record. */
static Datum
run_composite(FunctionCallInfo fcinfo, const RunRow *row)
{
	TupleDesc	desc;
	Datum		values[RUN_COLUMNS];
	bool		nulls[RUN_COLUMNS];

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "procedure has no INOUT parameters");
	run_row_values(row, values, nulls);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
