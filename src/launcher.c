/*
 * launcher.c
 *	  Starts what is queued and has no worker: after a restart of the server,
 *	  or when no worker was to be had.
 *
 * A job starts with the commit that queues it, or when the one before it ends;
 * neither happens after a restart.  So where migmgr is preloaded a process stays
 * that looks into each database once, when it starts (which is after recovery,
 * a crash or a promotion, too), and again ten seconds after somebody has found no
 * free worker.  It knows pg_database only: into each database goes a worker of
 * its own, one after the other, which starts the first job of the queue as the
 * role that has asked for it, and ends.  A job that was cut off is not touched:
 * to go on with that is for people.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "guc.h"
#include "launcher.h"
#include "migmgr.h"
#include "online.h"

#define AGAIN_AFTER_MS 10000
#define RESTART_AFTER_S 10		/* should it come to an error */

/* in shared memory */
typedef struct Launcher
{
	slock_t		mutex;
	pid_t		pid;			/* 0: not there */
	bool		wanted;			/* somebody has found no free worker */
} Launcher;

extern PGDLLEXPORT void migmgr_launcher_main(Datum arg);
extern PGDLLEXPORT void migmgr_starter_main(Datum arg);

static Launcher *launcher = NULL;
static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

static void request_memory(void);
static void attach_memory(void);
static void fill_worker(BackgroundWorker *worker, const char *name, const char *function);
static void gone(int code, Datum arg);
static bool take_wanted(void);
static void look_everywhere(void);
static List *databases(void);
static bool look_into(Oid database);

/* On preload only; else nothing is there to start it.  Not under pg_upgrade. */
void
launcher_init(void)
{
	BackgroundWorker worker = {0};

	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	previous_request = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = attach_memory;
	fill_worker(&worker, "migmgr launcher", "migmgr_launcher_main");
	worker.bgw_restart_time = RESTART_AFTER_S;
	RegisterBackgroundWorker(&worker);
}

static void
request_memory(void)
{
	if (previous_request != NULL)
		previous_request();
	RequestAddinShmemSpace(sizeof(Launcher));
}

static void
attach_memory(void)
{
	bool		found;

	if (previous_startup != NULL)
		previous_startup();
	launcher = ShmemInitStruct("migmgr launcher", sizeof(Launcher), &found);
	if (!found)
	{
		memset(launcher, 0, sizeof(Launcher));
		SpinLockInit(&launcher->mutex);
	}
}

static void
fill_worker(BackgroundWorker *worker, const char *name, const char *function)
{
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker->bgw_library_name, MIGMGR_EXTENSION, sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, function, sizeof(worker->bgw_function_name));
	strlcpy(worker->bgw_name, name, sizeof(worker->bgw_name));
	strlcpy(worker->bgw_type, name, sizeof(worker->bgw_type));
}

/* See launcher.h; in a callback at commit, so it raises nothing. */
bool
launcher_want(void)
{
	pid_t		pid;
	PGPROC	   *proc;

	if (launcher == NULL || !guc_start_queued)
		return false;
	SpinLockAcquire(&launcher->mutex);
	launcher->wanted = true;
	pid = launcher->pid;
	SpinLockRelease(&launcher->mutex);
	proc = pid == 0 ? NULL : BackendPidGetProc(pid);
	if (proc != NULL)
		SetLatch(&proc->procLatch);
	return proc != NULL;
}

/* The launcher's main function: looks everywhere, and again when wanted. */
void
migmgr_launcher_main(Datum arg)
{
	TimestampTz again = 0;		/* when to look again; 0: not by itself */

	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	before_shmem_exit(gone, (Datum) 0);
	SpinLockAcquire(&launcher->mutex);
	launcher->pid = MyProcPid;
	SpinLockRelease(&launcher->mutex);

	look_everywhere();
	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();

		if (ShutdownRequestPending)
			proc_exit(1);		/* 0 would be for good */
		if (take_wanted() && again == 0)
			again = TimestampTzPlusMilliseconds(now, AGAIN_AFTER_MS);
		if (again != 0 && now >= again)
		{
			again = 0;
			look_everywhere();
			continue;
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (again == 0 ? 0 : WL_TIMEOUT),
						 again == 0 ? -1 : TimestampDifferenceMilliseconds(now, again), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
}

static void
gone(int code, Datum arg)
{
	SpinLockAcquire(&launcher->mutex);
	launcher->pid = 0;
	SpinLockRelease(&launcher->mutex);
}

/* Has somebody found no free worker since the last time? */
static bool
take_wanted(void)
{
	bool		wanted;

	SpinLockAcquire(&launcher->mutex);
	wanted = launcher->wanted;
	launcher->wanted = false;
	SpinLockRelease(&launcher->mutex);
	return wanted;
}

static void
look_everywhere(void)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "migmgr launcher", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ListCell   *lc;

	if (guc_start_queued)
	{
		foreach(lc, databases())
		{
			if (ShutdownRequestPending)
				break;
			if (!look_into(lfirst_oid(lc)))
			{
				(void) launcher_want();
				break;
			}
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* Those that can be connected to, a List of Oid in the current context. */
static List *
databases(void)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *result = NIL;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	row;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((row = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(row);
		MemoryContext old;

		/* -2: a DROP DATABASE has not come to its end */
		if (!database->datallowconn || database->datistemplate || database->datconnlimit == -2)
			continue;
		old = MemoryContextSwitchTo(context);
		result = lappend_oid(result, database->oid);
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return result;
}

/* Waits until the queue of a database was looked at; false: no worker is free. */
static bool
look_into(Oid database)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle;

	fill_worker(&worker, "migmgr starter", "migmgr_starter_main");
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	worker.bgw_notify_pid = MyProcPid;
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		return false;
	(void) WaitForBackgroundWorkerShutdown(handle);
	return true;
}

/* The main function of the worker in one database. */
void
migmgr_starter_main(Datum arg)
{
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(arg), InvalidOid, 0);
	SetConfigOption("default_transaction_read_only", "off", PGC_SUSET, PGC_S_OVERRIDE);
	online_start_next();
}
