/*
 * measure.c
 *	  What the statements of a trial run really did: locks, rewrites, scans.
 *
 * Nothing is guessed from the text.  The locks are those that this process
 * holds after a statement and did not hold before; a relation was written
 * again when it has another file; the rows that scans read are the server's
 * own counters; and the access hook sees each function that is called.  Only
 * relations that were there before the script are of interest: nobody else
 * sees the others.  Names are those from before, because the relation may be
 * gone afterwards.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "measure.h"
#include "migmgr.h"

/* what is known of a relation that is locked */
typedef struct RelationState
{
	Oid			relid;			/* hash key */
	bool		counts;			/* it was there before, and is nobody's own */
	char		relkind;
	char	   *name;
	Oid			filenode;
	LOCKMASK	held;
	int64		scans;
	int64		read;
} RelationState;

typedef struct Measure
{
	MemoryContext context;
	Snapshot	before;			/* sees the catalog as it was */
	HTAB	   *relations;
	List	   *locks;			/* of MeasuredLock *: all of them */
	int			statement;
	TimestampTz began;
	List	   *called;			/* oids of functions that this statement
								 * called */
	List	   *tolerated;		/* of Tolerated * */
	bool		tolerate;
	object_access_hook_type previous_hook;
} Measure;

static Measure *measure = NULL;
static List *last_tolerated = NIL;

/* functions of the server whose effect outlives a rollback */
static const char *const not_undone[] = {
	"lo_export", "pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock", "pg_try_advisory_lock_shared",
	"pg_cancel_backend", "pg_create_restore_point", "pg_drop_replication_slot", "pg_reload_conf", "pg_rotate_logfile",
	"pg_stat_reset", "pg_switch_wal", "pg_terminate_backend", "pg_create_logical_replication_slot",
	"pg_create_physical_replication_slot", "pg_logical_emit_message",
};

static void measure_hook(ObjectAccessType access, Oid classId, Oid objectId, int subId, void *arg);
static PolicyAction tolerate(const Verdict *verdict, PolicyAction action);
static RelationState *relation_state(Oid relid);
static void describe_before(RelationState *state);
static void read_pending_counters(void);
static int	compare_states(const ListCell *a, const ListCell *b);
static int	compare_locks(const ListCell *a, const ListCell *b);
static void read_locks(Measured *measured);
static void take_lock(Measured *measured, RelationState *state, LOCKMASK held);
static void read_relation(Measured *measured, RelationState *state);
static void read_counters(RelationState *state, int64 *scans, int64 *read);
static int64 size_of(Oid relid, char relkind);
static void note(Measured *measured, const char *format,...) pg_attribute_printf(2, 3);
static void note_calls(Measured *measured);
static void note_copy(Measured *measured, Node *stmt);

void
measure_begin(Snapshot before, MemoryContext context, bool tolerate_policy)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	HASHCTL		ctl = {.keysize = sizeof(Oid),.entrysize = sizeof(RelationState),.hcxt = context};

	measure_end();
	measure = palloc0(sizeof(Measure));
	measure->context = context;
	measure->before = before;
	measure->relations = hash_create("migmgr measured relations", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	measure->tolerate = tolerate_policy;
	read_pending_counters();
	measure->previous_hook = object_access_hook;
	object_access_hook = measure_hook;
	if (tolerate_policy)
		policy_watch = tolerate;
	last_tolerated = NIL;
	MemoryContextSwitchTo(old);
}

/*
 * Locks are held to the end of the transaction, so each was held from its
 * statement until now.
 */
void
measure_end(void)
{
	TimestampTz now = GetCurrentTimestamp();
	ListCell   *lc;

	if (measure == NULL)
		return;
	foreach(lc, measure->locks)
	{
		MeasuredLock *lock = lfirst(lc);

		lock->ms = (now - lock->since) / 1000.0;
	}
	object_access_hook = measure->previous_hook;
	policy_watch = NULL;
	last_tolerated = measure->tolerated;
	measure = NULL;
}

/* The statement that runs next. */
void
measure_before(int statement)
{
	measure->statement = statement;
	measure->called = NIL;
	measure->began = GetCurrentTimestamp();
}

/* What it did, in the context of the measure. */
Measured *
measure_after(Node *stmt)
{
	MemoryContext old = MemoryContextSwitchTo(measure->context);
	Measured   *measured = palloc0(sizeof(Measured));
	List	   *states = NIL;
	HASH_SEQ_STATUS seq;
	RelationState *state;
	ListCell   *lc;

	read_locks(measured);
	hash_seq_init(&seq, measure->relations);
	while ((state = hash_seq_search(&seq)) != NULL)
	{
		if (state->counts)
			states = lappend(states, state);
	}
	list_sort(states, compare_states);
	foreach(lc, states)
		read_relation(measured, lfirst(lc));
	note_calls(measured);
	note_copy(measured, stmt);
	MemoryContextSwitchTo(old);
	return measured;
}

static void
measure_hook(ObjectAccessType access, Oid classId, Oid objectId, int subId, void *arg)
{
	if (measure->previous_hook != NULL)
		measure->previous_hook(access, classId, objectId, subId, arg);
	if (access == OAT_FUNCTION_EXECUTE && classId == ProcedureRelationId)
	{
		MemoryContext old = MemoryContextSwitchTo(measure->context);

		measure->called = list_append_unique_oid(measure->called, objectId);
		MemoryContextSwitchTo(old);
	}
}

/*
 * Keeps what policy says, and lets it pass: it will be undone.  migmgr's own
 * objects stay out of reach, and so does what nobody has judged.
 */
static PolicyAction
tolerate(const Verdict *verdict, PolicyAction action)
{
	MemoryContext old;
	Tolerated  *said;

	if (verdict->class >= CLASS_UNCLASSIFIED && action != ACTION_ALLOW)
		return action;
	old = MemoryContextSwitchTo(measure->context);
	said = palloc0(sizeof(Tolerated));
	said->statement = verdict->statement != 0 ? verdict->statement : measure->statement;
	said->action = action;
	said->class = verdict->class;
	said->rule = verdict->rule ? pstrdup(verdict->rule) : NULL;
	said->deed = verdict->deed ? pstrdup(verdict->deed) : NULL;
	said->reason = verdict->reason ? pstrdup(verdict->reason) : NULL;
	said->hint = verdict->hint ? pstrdup(verdict->hint) : NULL;
	measure->tolerated = lappend(measure->tolerated, said);
	MemoryContextSwitchTo(old);
	return ACTION_ALLOW;
}

/* See measure.h. */
const Tolerated *
measure_tolerated(int statement)
{
	const Tolerated *worst = NULL;
	ListCell   *lc;

	foreach(lc, last_tolerated)
	{
		const Tolerated *said = lfirst(lc);

		if (statement != 0 && said->statement != statement)
			continue;
		if (worst == NULL || said->action > worst->action ||
			(said->action == worst->action && said->class > worst->class))
			worst = said;
	}
	return worst;
}

/* The entry of a relation; described when it is new. */
static RelationState *
relation_state(Oid relid)
{
	bool		found;
	RelationState *state = hash_search(measure->relations, &relid, HASH_ENTER, &found);

	if (!found)
	{
		memset((char *) state + sizeof(Oid), 0, sizeof(RelationState) - sizeof(Oid));
		describe_before(state);
	}
	return state;
}

/* As the catalog was before the script. */
static void
describe_before(RelationState *state)
{
	Relation	catalog = table_open(RelationRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(state->relid));
	scan = systable_beginscan(catalog, ClassOidIndexId, true, measure->before, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);
		char	   *schema = get_namespace_name(form->relnamespace);
		MemoryContext old = MemoryContextSwitchTo(measure->context);

		state->relkind = form->relkind;
		state->filenode = form->relfilenode;
		state->name = schema == NULL ? pstrdup(quote_identifier(NameStr(form->relname))) :
			quote_qualified_identifier(schema, NameStr(form->relname));
		state->counts = form->relpersistence != RELPERSISTENCE_TEMP && form->relkind != RELKIND_TOASTVALUE &&
			!(schema != NULL && (strcmp(schema, MIGMGR_SCHEMA) == 0 || strcmp(schema, MIGMGR_INTERNAL) == 0 ||
								 strcmp(schema, "pg_toast") == 0));
		MemoryContextSwitchTo(old);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

/*
 * What the counters of this process hold before the script begins: they go on
 * from transaction to transaction, until they are sent off now and then.
 */
static void
read_pending_counters(void)
{
	Relation	catalog = table_open(RelationRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, measure->before, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);
		RelationState *state;

		if (form->oid < FirstNormalObjectId ||
			(form->relkind != RELKIND_RELATION && form->relkind != RELKIND_MATVIEW) ||
			DatumGetInt64(DirectFunctionCall1(pg_stat_get_xact_numscans, ObjectIdGetDatum(form->oid))) == 0)
			continue;
		state = relation_state(form->oid);
		read_counters(state, &state->scans, &state->read);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

/* Locks on relations that this process holds now and did not before. */
static void
read_locks(Measured *measured)
{
	LockData   *data = GetLockStatusData();

	for (int i = 0; i < data->nelements; i++)
	{
		const LockInstanceData *instance = &data->locks[i];

		if (instance->pid != MyProcPid || instance->locktag.locktag_type != LOCKTAG_RELATION ||
			instance->locktag.locktag_field1 != MyDatabaseId ||
			instance->locktag.locktag_field2 < FirstNormalObjectId)
			continue;
		take_lock(measured, relation_state(instance->locktag.locktag_field2), instance->holdMask);
	}
}

static void
take_lock(Measured *measured, RelationState *state, LOCKMASK held)
{
	LOCKMASK	taken = held & ~state->held;
	LOCKMODE	mode = AccessExclusiveLock;
	bool		is_index = state->relkind == RELKIND_INDEX || state->relkind == RELKIND_PARTITIONED_INDEX;
	MeasuredLock *lock;

	state->held |= held;
	if (taken == 0 || !state->counts)
		return;
	while ((taken & LOCKBIT_ON(mode)) == 0)
		mode--;
	if (state->relkind == RELKIND_SEQUENCE && mode == RowExclusiveLock)
	{
		note(measured, "uses sequence %s, which does not go back", state->name);
		measured->stays = true;
		return;
	}
	/* what every query takes on every index tells nothing */
	if (is_index && mode < ShareUpdateExclusiveLock)
		return;
	lock = palloc0(sizeof(MeasuredLock));
	lock->relation = state->name;
	lock->is_index = is_index;
	lock->mode = mode;
	lock->since = measure->began;
	measured->locks = lappend(measured->locks, lock);
	measure->locks = lappend(measure->locks, lock);
}

/* Has it another file, and what was read in it? */
static void
read_relation(Measured *measured, RelationState *state)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(state->relid));
	Oid			filenode = state->filenode;
	int64		scans;
	int64		read;

	if (HeapTupleIsValid(tuple))
	{
		filenode = ((Form_pg_class) GETSTRUCT(tuple))->relfilenode;
		ReleaseSysCache(tuple);
	}
	if (filenode != state->filenode)
	{
		int64		bytes = size_of(state->relid, state->relkind);

		state->filenode = filenode;
		measured->written += bytes;
		measured->rewrites |= state->relkind == RELKIND_RELATION || state->relkind == RELKIND_MATVIEW;
		if (bytes == 0)
			note(measured, "gives %s a new, empty file", state->name);
		else
			note(measured, "writes %s again (%s)", state->name,
				 measure_size(bytes));
	}
	if (state->relkind != RELKIND_RELATION && state->relkind != RELKIND_MATVIEW)
		return;
	read_counters(state, &scans, &read);
	if (scans > state->scans)
	{
		measured->scans = true;
		measured->read += read - state->read;
	}
	if (read > state->read)
		note(measured, "reads " INT64_FORMAT " rows of %s", read - state->read, state->name);
	state->scans = scans;
	state->read = read;
}

/* Scans of this transaction, and the rows that they read. */
static void
read_counters(RelationState *state, int64 *scans, int64 *read)
{
	*scans = DatumGetInt64(DirectFunctionCall1(pg_stat_get_xact_numscans, ObjectIdGetDatum(state->relid)));
	*read = DatumGetInt64(DirectFunctionCall1(pg_stat_get_xact_tuples_returned, ObjectIdGetDatum(state->relid)));
}

static int64
size_of(Oid relid, char relkind)
{
	if (relkind == RELKIND_INDEX)
		return DatumGetInt64(DirectFunctionCall2(pg_relation_size, ObjectIdGetDatum(relid), CStringGetTextDatum("main")));
	return DatumGetInt64(DirectFunctionCall1(pg_table_size, ObjectIdGetDatum(relid)));
}

static void
note(Measured *measured, const char *format,...)
{
	StringInfoData text;

	initStringInfo(&text);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&text, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&text, needed);
	}
	measured->notes = lappend(measured->notes, text.data);
}

/* Calls of what acts outside of the transaction, or may. */
static void
note_calls(Measured *measured)
{
	ListCell   *lc;

	foreach(lc, measure->called)
	{
		Oid			function = lfirst_oid(lc);
		HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
		HeapTuple	language;
		Form_pg_proc form;
		bool		outside = false;

		if (!HeapTupleIsValid(tuple))
			continue;
		form = (Form_pg_proc) GETSTRUCT(tuple);
		language = SearchSysCache1(LANGOID, ObjectIdGetDatum(form->prolang));
		if (form->pronamespace == PG_CATALOG_NAMESPACE)
		{
			for (int i = 0; i < lengthof(not_undone); i++)
				outside |= strcmp(NameStr(form->proname), not_undone[i]) == 0;
		}
		else if (HeapTupleIsValid(language) && form->provolatile == PROVOLATILE_VOLATILE &&
				 form->prolang != INTERNALlanguageId && form->pronamespace != get_namespace_oid(MIGMGR_SCHEMA, true) &&
				 !((Form_pg_language) GETSTRUCT(language))->lanpltrusted)
			outside = true;
		if (outside)
		{
			note(measured, "calls %s: what it does outside the database is not undone", format_procedure(function));
			measured->stays = true;
		}
		if (HeapTupleIsValid(language))
			ReleaseSysCache(language);
		ReleaseSysCache(tuple);
	}
}

static void
note_copy(Measured *measured, Node *stmt)
{
	CopyStmt   *copy = (CopyStmt *) stmt;

	if (!IsA(stmt, CopyStmt) || copy->filename == NULL || (copy->is_from && !copy->is_program))
		return;
	note(measured, copy->is_program ? "runs a program on the server: what it does is not undone" :
		 "writes a file on the server, which stays");
	measured->stays = true;
}

static int
compare_states(const ListCell *a, const ListCell *b)
{
	return strcmp(((RelationState *) lfirst(a))->name, ((RelationState *) lfirst(b))->name);
}

/* The strongest first. */
static int
compare_locks(const ListCell *a, const ListCell *b)
{
	const MeasuredLock *one = lfirst(a);
	const MeasuredLock *other = lfirst(b);

	return one->mode != other->mode ? other->mode - one->mode : strcmp(one->relation, other->relation);
}

/* "16 MB" */
char *
measure_size(int64 bytes)
{
	return TextDatumGetCString(DirectFunctionCall1(pg_size_pretty, Int64GetDatum(bytes)));
}

/* See measure.h. */
char *
measure_locks(const List *locks, int max, bool with_ms)
{
	List	   *sorted = list_copy(locks);
	StringInfoData text;
	ListCell   *lc;

	if (locks == NIL)
		return NULL;
	list_sort(sorted, compare_locks);
	initStringInfo(&text);
	foreach(lc, sorted)
	{
		const MeasuredLock *lock = lfirst(lc);

		if (foreach_current_index(lc) == max)
		{
			appendStringInfo(&text, "; and %d more", list_length(sorted) - max);
			break;
		}
		appendStringInfo(&text, "%s%s on %s", text.len > 0 ? "; " : "",
						 GetLockmodeName(DEFAULT_LOCKMETHOD, lock->mode), lock->relation);
		if (with_ms)
			appendStringInfo(&text, " for %.0f ms", lock->ms);
	}
	return text.data;
}

/* An index that is locked exclusively stops every query of its table. */
bool
measure_blocks(const List *locks, bool readers)
{
	return measure_strongest(locks) >= (readers ? AccessExclusiveLock : ShareLock);
}

LOCKMODE
measure_strongest(const List *locks)
{
	LOCKMODE	strongest = NoLock;
	ListCell   *lc;

	foreach(lc, locks)
		strongest = Max(strongest, ((MeasuredLock *) lfirst(lc))->mode);
	return strongest;
}
