/*
 * evidence.c
 *	  A failed attempt is evidence: it must outlive the rollback it causes.
 *
 * A row written by the failing transaction goes with it.  So a background
 * worker of its own writes it: it gets the text through shared memory, copies
 * it before it does anything else, connects as the owner of the ledger and
 * runs one fixed INSERT, no SQL of any caller.  We wait until it has copied,
 * and only for a bounded moment until it has committed: if this transaction
 * holds anything the worker needs, nobody would detect the deadlock.  For the
 * same reason the row is not chained at once; a later entry seals it.
 *
 * A notification of this transaction goes out with its commit, too late to say
 * that a migration begins: such a worker says that as well.  For it nobody
 * waits but at the end of the migration, so that the end is not told first.
 */
#include "postgres.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/shm_toc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "ledger.h"
#include "migmgr.h"
#include "run.h"
#include "spi_util.h"
#include "subxact.h"
#include "tell.h"

#define NUM_FIELDS 16
#define FIELD_ACTION 0
#define FIELD_VERSION 1
#define FIELD_SQLSTATE 8
#define FIELD_MESSAGE 9
#define COPY_WAIT_MS 2000
#define RECORD_WAIT_MS 500
#define MAX_FIELD 100000		/* longer texts are cut */
#define MAX_TOLD 500			/* and so is the message for listeners */

/* how far the worker is */
#define STAGE_COPIED 1
#define STAGE_RECORDED 2

/* the segment: this header, then NUM_FIELDS zero-terminated strings */
typedef struct Envelope
{
	pg_atomic_uint32 stage;
	Oid			database;
	pid_t		sender;
	bool		start;			/* only tells that a run begins */
	Size		length;
	bool		null[NUM_FIELDS];
	char		data[FLEXIBLE_ARRAY_MEMBER];
} Envelope;

extern PGDLLEXPORT void migmgr_evidence_main(Datum arg);

static const char *const attempt_insert =
"INSERT INTO migmgr_internal.attempt (at, action, version, name, checksum, session_role, role, client,"
" application, sqlstate, message, detail, hint, statement, line, ms)"
" SELECT '2000-01-01 00:00:00+00'::pg_catalog.timestamptz + $16::pg_catalog.int8 * '1 microsecond'::pg_catalog.interval, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
" NULLIF($13, '0')::pg_catalog.int4, NULLIF($14, '0')::pg_catalog.int4, $15::pg_catalog.int8";

/* what tells the start of the run that goes on, until that is awaited */
static dsm_segment *start_segment = NULL;
static BackgroundWorkerHandle *start_handle = NULL;

static bool send_in_subxact(void *arg);
static dsm_segment *hand_over(const char *const *fields, bool start, BackgroundWorkerHandle **handle);
static void attempt_fields(const Attempt *attempt, const char **fields);
static void attempt_log(const Attempt *attempt);
static char *clip(const char *text);
static char *client_address(void);
static bool wait_for_worker(Envelope *envelope, BackgroundWorkerHandle *handle);
static void set_stage(Envelope *envelope, uint32 stage);
static void insert_attempt(const char **fields);
static void notify_failure(const char *const *fields);

/* NULL stays NULL; a text that is too long is cut. */
static char *
clip(const char *text)
{
	if (text == NULL)
		return NULL;
	return pnstrdup(text, Min(strlen(text), MAX_FIELD));
}

/* Address of the client, NULL for a local socket. */
static char *
client_address(void)
{
	LOCAL_FCINFO(fcinfo, 0);
	Datum		address;

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	address = inet_client_addr(fcinfo);
	return fcinfo->isnull ? NULL : TextDatumGetCString(DirectFunctionCall1(network_host, address));
}

/* The parameters of attempt_insert. */
static void
attempt_fields(const Attempt *attempt, const char **fields)
{
	const ErrorData *error = attempt->error;

	fields[FIELD_ACTION] = attempt->action;
	fields[FIELD_VERSION] = attempt->version;
	fields[2] = attempt->name;
	fields[3] = attempt->checksum;
	fields[4] = GetUserNameFromId(GetSessionUserId(), true);
	fields[5] = GetUserNameFromId(GetOuterUserId(), true);
	fields[6] = client_address();
	fields[7] = application_name && application_name[0] ? application_name : NULL;
	fields[FIELD_SQLSTATE] = pstrdup(unpack_sql_state(error->sqlerrcode));
	fields[FIELD_MESSAGE] = clip(error->message ? error->message : "");
	fields[10] = clip(error->detail);
	fields[11] = clip(error->hint);
	fields[12] = psprintf("%d", attempt->statement);
	fields[13] = psprintf("%d", attempt->line);
	fields[14] = psprintf(INT64_FORMAT, (int64) attempt->ms);
	fields[15] = psprintf(INT64_FORMAT, (int64) GetCurrentTimestamp());
}

/*
 * Writes the attempt in this transaction: for callers that go on and commit.
 * The caller is not connected to SPI.
 */
void
attempt_write(const Attempt *attempt)
{
	const char *fields[NUM_FIELDS];

	attempt_fields(attempt, fields);
	insert_attempt(fields);
}

/* Writes the row of a failed attempt, and tells who listens. */
static void
insert_attempt(const char **fields)
{
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	spi_exec(attempt_insert, SPI_OK_INSERT, NUM_FIELDS, fields);
	record_end(&scope);
	SPI_finish();
	notify_failure(fields);
}

/*
 * Writes the attempt and commits: for callers that own their transactions.
 * The server log has it in any case.
 */
void
attempt_commit(const Attempt *attempt)
{
	attempt_log(attempt);
	attempt_write(attempt);
	run_next_transaction();
}

static void
attempt_log(const Attempt *attempt)
{
	ereport(LOG,
			(errmsg_internal("migmgr: %s of \"%s\" failed: %s", attempt->action, attempt->version,
							 attempt->error->message ? attempt->error->message : "")));
}

/*
 * Hands the attempt to a worker that writes it whatever becomes of this
 * transaction.  False when no worker could be had: then the server log, which
 * has it in any case, is all there is.
 */
bool
attempt_send(const Attempt *attempt)
{
	const char *fields[NUM_FIELDS];
	BackgroundWorkerHandle *handle;
	dsm_segment *segment;
	bool		copied;

	attempt_fields(attempt, fields);
	attempt_log(attempt);
	segment = hand_over(fields, false, &handle);
	if (segment == NULL)
		return false;
	copied = wait_for_worker(dsm_segment_address(segment), handle);
	dsm_detach(segment);
	return copied;
}

/* See run.h.  What goes wrong with it is no reason for the run to fail. */
void
start_send(const char *version, const char *detail)
{
	const char *fields[NUM_FIELDS] = {0};
	ErrorData  *error;

	start_sent();
	fields[FIELD_VERSION] = version;
	fields[FIELD_MESSAGE] = detail;
	error = subxact_run(send_in_subxact, fields);
	if (error == NULL)
		return;
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION))
		ReThrowError(error);
	ereport(LOG,
			(errmsg_internal("migmgr: nobody is told that a run of \"%s\" begins: %s", version, error->message)));
}

/* subxact_fn: because there may be no room for a segment of shared memory. */
static bool
send_in_subxact(void *arg)
{
	const char **fields = arg;
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	dsm_segment *segment = hand_over(fields, true, &start_handle);

	MemoryContextSwitchTo(old);
	if (segment != NULL)
		dsm_pin_mapping(segment);
	start_segment = segment;
	return true;
}

/* See run.h. */
void
start_sent(void)
{
	if (start_segment == NULL)
		return;
	(void) wait_for_worker(dsm_segment_address(start_segment), start_handle);
	dsm_detach(start_segment);
	pfree(start_handle);
	start_segment = NULL;
}

/*
 * Starts a worker on these fields, NUM_FIELDS of them.  The segment is to be
 * kept until it has copied them; NULL when there is no worker to be had.
 */
static dsm_segment *
hand_over(const char *const *fields, bool start, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker = {0};
	Size		length = 0;
	dsm_segment *segment;
	Envelope   *envelope;
	char	   *p;

	for (int i = 0; i < NUM_FIELDS; i++)
		length += fields[i] == NULL ? 1 : strlen(fields[i]) + 1;
	segment = dsm_create(offsetof(Envelope, data) + length, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	if (segment == NULL)
		return NULL;
	envelope = dsm_segment_address(segment);
	pg_atomic_init_u32(&envelope->stage, 0);
	envelope->database = MyDatabaseId;
	envelope->sender = MyProcPid;
	envelope->start = start;
	envelope->length = length;
	p = envelope->data;
	for (int i = 0; i < NUM_FIELDS; i++)
	{
		const char *field = fields[i] == NULL ? "" : fields[i];

		envelope->null[i] = fields[i] == NULL;
		memcpy(p, field, strlen(field) + 1);
		p += strlen(field) + 1;
	}

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
	strlcpy(worker.bgw_library_name, MIGMGR_EXTENSION, sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "migmgr_evidence_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "migmgr evidence", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "migmgr evidence", sizeof(worker.bgw_type));
	if (RegisterDynamicBackgroundWorker(&worker, handle))
		return segment;
	dsm_detach(segment);
	return NULL;
}

/*
 * Waits until the worker has copied the text, and for a moment longer until it
 * has committed: the next migration of the same script, sent at once by a psql
 * without ON_ERROR_STOP, must find the record.  True when the text is safe.
 */
static bool
wait_for_worker(Envelope *envelope, BackgroundWorkerHandle *handle)
{
	TimestampTz start = GetCurrentTimestamp();

	for (;;)
	{
		uint32		stage = pg_atomic_read_u32(&envelope->stage);
		pid_t		pid;

		if (stage == STAGE_RECORDED ||
			GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED ||
			TimestampDifferenceExceeds(start, GetCurrentTimestamp(),
									   stage == STAGE_COPIED ? RECORD_WAIT_MS : COPY_WAIT_MS))
			return pg_atomic_read_u32(&envelope->stage) != 0;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 1, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

/* The worker says how far it is. */
static void
set_stage(Envelope *envelope, uint32 stage)
{
	PGPROC	   *sender = BackendPidGetProc(envelope->sender);

	pg_atomic_write_u32(&envelope->stage, stage);
	if (sender != NULL)
		SetLatch(&sender->procLatch);
}

/* Tells listeners of channel migmgr; goes out when the writer commits. */
static void
notify_failure(const char *const *fields)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"action\": ");
	escape_json(&json, fields[FIELD_ACTION]);
	appendStringInfoString(&json, ", \"sqlstate\": ");
	escape_json(&json, fields[FIELD_SQLSTATE]);
	appendStringInfoString(&json, ", \"message\": ");
	escape_json(&json, pnstrdup(fields[FIELD_MESSAGE],
								pg_mbcliplen(fields[FIELD_MESSAGE], strlen(fields[FIELD_MESSAGE]), MAX_TOLD)));
	appendStringInfoChar(&json, '}');
	tell_event("failed", fields[FIELD_VERSION], json.data);
}

/*
 * The worker: copy, acknowledge, connect, insert and tell, commit.  It ignores what a
 * role or database default could set to stop it.
 */
void
migmgr_evidence_main(Datum arg)
{
	dsm_segment *segment;
	Envelope   *envelope;
	const char *fields[NUM_FIELDS];
	Oid			database;
	bool		start;
	char	   *p;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	CurrentResourceOwner = NULL;

	segment = dsm_attach(DatumGetUInt32(arg));
	if (segment == NULL)
		return;
	envelope = dsm_segment_address(segment);
	database = envelope->database;
	start = envelope->start;
	p = MemoryContextAlloc(TopMemoryContext, envelope->length);
	memcpy(p, envelope->data, envelope->length);
	for (int i = 0; i < NUM_FIELDS; i++)
	{
		fields[i] = envelope->null[i] ? NULL : p;
		p += strlen(p) + 1;
	}
	set_stage(envelope, STAGE_COPIED);

	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	SetConfigOption("default_transaction_read_only", "off", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", "30s", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("session_replication_role", "origin", PGC_SUSET, PGC_S_OVERRIDE);

	StartTransactionCommand();
	if (OidIsValid(ledger_relid()))
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		if (start)
			tell_event("started", fields[FIELD_VERSION], fields[FIELD_MESSAGE]);
		else
			insert_attempt(fields);
		PopActiveSnapshot();
	}
	CommitTransactionCommand();
	set_stage(envelope, STAGE_RECORDED);
	dsm_detach(segment);
}
