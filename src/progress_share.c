/*
 * progress_share.c
 *	  What each process runs, in shared memory, where migmgr is preloaded.
 *
 * One slot a process, which nobody else writes.  A reader copies a slot and
 * takes the copy when nobody has written meanwhile, by the protocol that the
 * server has for pg_stat_activity; so to write costs next to nothing and never
 * waits.  When a process is killed the server makes all shared memory anew.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "progress_share.h"

#define SLOT_COLUMNS 9

typedef struct ProgressSlot
{
	int			st_changecount; /* odd: being written; so named for the macros */
	int			pid;			/* 0: nothing runs */
	Oid			database;
	int			attempt;
	int			n;				/* 0: text is a state */
	int			m;
	TimestampTz started;
	TimestampTz step_started;
	char		what[256];
	char		part[32];
	char text[	1024];
} ProgressSlot;

PG_FUNCTION_INFO_V1(migmgr_progress_slots);

static ProgressSlot *slots = NULL;
static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

static void request_slots(void);
static void attach_slots(void);
static ProgressSlot *my_slot(void);
static void copy_text(char *to, size_t size, const char *text);
static void clear_at_exit(int code, Datum arg);
static void clear_at_abort(XactEvent event, void *arg);
static bool read_slot(const ProgressSlot *slot, ProgressSlot *copy);

void
progress_share_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request = shmem_request_hook;
	shmem_request_hook = request_slots;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = attach_slots;
	RegisterXactCallback(clear_at_abort, NULL);
}

static void
request_slots(void)
{
	if (previous_request != NULL)
		previous_request();
	RequestAddinShmemSpace(mul_size(MaxBackends, sizeof(ProgressSlot)));
}

static void
attach_slots(void)
{
	Size		size = mul_size(MaxBackends, sizeof(ProgressSlot));
	bool		found;

	if (previous_startup != NULL)
		previous_startup();
	slots = ShmemInitStruct("migmgr progress", size, &found);
	if (!found)
		memset(slots, 0, size);
}

/* The slot of this process, or NULL. */
static ProgressSlot *
my_slot(void)
{
	return slots == NULL || MyProc == NULL || mg_my_proc_number >= MaxBackends ? NULL : &slots[mg_my_proc_number];
}

/* Copies a text, cut between two characters where it is too long. */
static void
copy_text(char *to, size_t size, const char *text)
{
	size_t		length = pg_mbcliplen(text, strlen(text), size - 1);

	memcpy(to, text, length);
	to[length] = '\0';
}

/* See progress_share.h. */
void
progress_share_set(const char *what, int attempt, const char *part, int n, int m, const char *text)
{
	static bool registered = false;
	ProgressSlot *slot = my_slot();
	ProgressSlot new = {0};

	if (slot == NULL)
		return;
	if (!registered)
		before_shmem_exit(clear_at_exit, (Datum) 0);
	registered = true;

	new.pid = MyProcPid;
	new.database = MyDatabaseId;
	new.attempt = attempt;
	new.n = n;
	new.m = m;
	new.step_started = GetCurrentTimestamp();
	new.started = slot->pid == MyProcPid && strcmp(slot->what, what) == 0 ? slot->started : new.step_started;
	copy_text(new.what, sizeof(new.what), what);
	copy_text(new.part, sizeof(new.part), part);
	copy_text(new.text, sizeof(new.text), text);

	PGSTAT_BEGIN_WRITE_ACTIVITY(slot);
	new.st_changecount = slot->st_changecount;
	*slot = new;
	PGSTAT_END_WRITE_ACTIVITY(slot);
}

/* See progress_share.h. */
void
progress_share_clear(void)
{
	ProgressSlot *slot = my_slot();

	if (slot == NULL || slot->pid != MyProcPid)
		return;
	PGSTAT_BEGIN_WRITE_ACTIVITY(slot);
	slot->pid = 0;
	PGSTAT_END_WRITE_ACTIVITY(slot);
}

static void
clear_at_exit(int code, Datum arg)
{
	progress_share_clear();
}

/* A worker tries again after it, and ends with its job. */
static void
clear_at_abort(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT && MyBgworkerEntry == NULL)
		progress_share_clear();
}

/* Copies a slot; false when nothing runs there, in this database. */
static bool
read_slot(const ProgressSlot *slot, ProgressSlot *copy)
{
	for (;;)
	{
		int			before,
					after;

		pgstat_begin_read_activity(slot, before);
		*copy = *slot;
		pgstat_end_read_activity(slot, after);
		if (pgstat_read_activity_complete(before, after))
			return copy->pid != 0 && copy->database == MyDatabaseId;
		CHECK_FOR_INTERRUPTS();
	}
}

/* migmgr_internal.progress_slots(): what runs in this database. */
Datum
migmgr_progress_slots(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; slots != NULL && i < MaxBackends; i++)
	{
		Datum		values[SLOT_COLUMNS] = {0};
		bool		nulls[SLOT_COLUMNS] = {false};
		ProgressSlot slot;

		if (!read_slot(&slots[i], &slot))
			continue;
		values[0] = Int32GetDatum(slot.pid);
		values[1] = CStringGetTextDatum(slot.what);
		values[2] = Int32GetDatum(slot.attempt);
		values[3] = CStringGetTextDatum(slot.part);
		values[4] = Int32GetDatum(slot.n);
		values[5] = Int32GetDatum(slot.m);
		values[6] = CStringGetTextDatum(slot.text);
		values[7] = TimestampTzGetDatum(slot.started);
		values[8] = TimestampTzGetDatum(slot.step_started);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
