/*
 * lock.c
 *	  migmgr's own locks.
 *
 * They are on no table, because VACUUM would wait behind a table lock and
 * anybody with a privilege on the table could hold it.  No SQL statement takes
 * an object lock on an extension with a subobject number, so nobody else can
 * hold these; they need no privilege, show in pg_locks, and end with the
 * transaction.  Order: APPLY, then CHAIN.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_extension.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "errors.h"
#include "ledger.h"
#include "lock.h"
#include "spi_util.h"

/* how often a holder may end while it is looked for */
#define MAX_LOOKS 10

static char *lock_holder(OwnLock lock, Oid extension);
pg_noreturn static void lock_refuse(OwnLock lock, const char *holder);
static void lock_or_refuse(OwnLock lock, int wait_ms, bool session);
static bool lock_try(Oid extension, uint16 objsubid, LOCKMODE mode, bool session);
static void unlock_session(Oid extension, uint16 objsubid, LOCKMODE mode);

static Oid	session_extension = InvalidOid; /* whose locks the session holds */

/* See lock.h. */
void
own_lock(OwnLock lock, int wait_ms)
{
	lock_or_refuse(lock, wait_ms, false);
}

/* See lock.h. */
void
own_lock_session(OwnLock lock, int wait_ms)
{
	lock_or_refuse(lock, wait_ms, true);
	session_extension = ledger_extension();
}

/* See lock.h; works after an error, and without a transaction. */
void
own_unlock_session(OwnLock lock)
{
	unlock_session(session_extension, lock, ExclusiveLock);
	unlock_session(session_extension, 0, AccessShareLock);
}

/* See lock.h; nobody takes it exclusively, so it is always to be had. */
void
own_show(void)
{
	if (!RecoveryInProgress())
		(void) lock_try(ledger_extension(), LOCK_SHOWN, ShareLock, false);
}

static void
unlock_session(Oid extension, uint16 objsubid, LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId, extension, objsubid);
	if (mg_LockHeldByMe(&tag, mode))
		LockRelease(&tag, mode, true);
}

/* Takes one of the locks if it is free. */
static bool
lock_try(Oid extension, uint16 objsubid, LOCKMODE mode, bool session)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId, extension, objsubid);
	if (LockAcquire(&tag, mode, session, true) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	AcceptInvalidationMessages();
	return true;
}

/*
 * Takes the lock, or raises MG204 after wait_ms.  The extension itself is
 * locked against DROP EXTENSION as well (the lock below does not do that).
 */
static void
lock_or_refuse(OwnLock lock, int wait_ms, bool session)
{
	Oid			extension = ledger_extension();
	TimestampTz start = GetCurrentTimestamp();
	long		nap = 1;
	int			looks = 0;

	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot write to the migmgr ledger during recovery"),
				 errhint("Connect to the primary server.")));
	if (!OidIsValid(extension))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"migmgr\" is not installed in this database")));

	for (;;)
	{
		if (lock_try(extension, 0, AccessShareLock, session))
		{
			if (lock_try(extension, lock, ExclusiveLock, session))
				return;
			if (session)
				unlock_session(extension, 0, AccessShareLock);
		}
		CHECK_FOR_INTERRUPTS();
		if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), wait_ms))
		{
			char	   *holder = lock_holder(lock, extension);

			/* nobody holds it any more: it is to be had */
			if (holder == NULL && ++looks < MAX_LOOKS)
				continue;
			lock_refuse(lock, holder);
		}

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 nap, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		nap = Min(nap * 2, 50);
	}
}

/*
 * Who holds the lock, in words for a detail, or NULL when nobody does any
 * more; in the current context.
 */
static char *
lock_holder(OwnLock lock, Oid extension)
{
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;
	char	   *holder = NULL;
	const char *args[2];

	args[0] = psprintf("%u", extension);
	args[1] = psprintf("%d", (int) lock);

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT pg_catalog.format('held by process %s (role %s, application \"%s\", %s for %s s): %s',"
			 " a.pid, a.usename, a.application_name, a.state,"
			 " EXTRACT(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::pg_catalog.int4,"
			 " pg_catalog.left(pg_catalog.regexp_replace(a.query, '\\s+', ' ', 'g'), 80)) AS holder"
			 " FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid"
			 " WHERE l.locktype = 'object' AND l.granted AND l.mode = 'ExclusiveLock'"
			 " AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())"
			 " AND l.classid = 'pg_catalog.pg_extension'::pg_catalog.regclass"
			 " AND l.objid = $1::pg_catalog.oid AND l.objsubid = $2::pg_catalog.int2 AND l.pid <> pg_catalog.pg_backend_pid()",
			 SPI_OK_SELECT, 2, args);
	if (SPI_processed > 0)
		holder = MemoryContextStrdup(context, spi_text(0, "holder"));
	record_end(&scope);
	SPI_finish();
	return holder;
}

/* Raises MG204 and says who holds the lock. */
static void
lock_refuse(OwnLock lock, const char *holder)
{
	ereport(ERROR,
			(errcode(ERRCODE_MG_LOCKED),
			 lock == LOCK_APPLY
			 ? errmsg("another migration is running in this database")
			 : errmsg("another session is writing to the migmgr ledger"),
			 holder ? errdetail_internal("%s", holder) : errdetail("They end as fast as others begin."),
			 errhint("Wait for it to end, or end it with pg_terminate_backend(), then try again.")));
}
