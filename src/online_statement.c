/*
 * online_statement.c
 *	  One statement of an online script, in transactions of its own.
 *
 * An ordinary one is a transaction: it is judged, watched and run as in any
 * script, and written down before the commit.  One that refuses a transaction
 * block is judged first, then run as the server would run it if a client had
 * sent it, and written down in the last of its own transactions, the one that
 * makes its index valid or takes it away.
 *
 * Such a statement may leave half of its work behind.  What it is about is
 * noted before it begins, and each index it makes in the transaction that
 * makes it, by number.  So when it is tried again an invalid index is ours or
 * a stranger's beyond doubt: ours is dropped and built again, a stranger's is
 * reported.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "storage/latch.h"
#include "tcop/dest.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "errors.h"
#include "facts.h"
#include "gate.h"
#include "image.h"
#include "inverse.h"
#include "notices.h"
#include "online.h"
#include "progress.h"
#include "script_rules.h"

/* a statement while it is tried */
typedef struct Attempted
{
	Run		   *run;
	ScriptStatement *statement;
	RawStmt    *raw;			/* to execute: a copy of the statement's */
	Verdict    *verdict;
	bool		finished;		/* it was done before, without being written
								 * down */
	List	   *leftovers;		/* of char *: indexes of ours to drop first */
	Oid			relid;			/* what it takes away, or the partition */
	GuardObject *object;		/* what it made or took away, or NULL */
	char	   *relids;			/* what to describe before and after: '{...}' */
	char	   *before;			/* and as it was: NULL when that is not known */
	OnlineInverse inverse;
	instr_time	start;
} Attempted;

static const char *note_version = NULL; /* indexes made now are noted */
static int	note_statement = 0;
static object_access_hook_type previous_hook = NULL;

static void try_statement(Run *run, ScriptStatement *statement);
static void judge_it(Attempted *it);
static void run_ordinary(Attempted *it);
static void run_alone(Attempted *it);
static void prepare(Attempted *it);
static void prepare_index(Attempted *it, IndexStmt *stmt);
static char *index_name(const Attempted *it, const IndexStmt *stmt, Oid heap);
static void prepare_drop(Attempted *it, DropStmt *stmt);
static void prepare_reindex(Attempted *it, ReindexStmt *stmt);
static void prepare_detach(Attempted *it, AlterTableStmt *stmt);
static bool index_is_done(Oid index);
static void check_result(Attempted *it);
static void fill_done(const Attempted *it, int64 rows, RunStatement *done);
static void find_inverse(Attempted *it);
static void write_down(Attempted *it, const List *objects, int64 rows);
static int64 execute(RawStmt *raw, const char *text);
static GuardObject *object_of(const char *action, Oid relid);
static char *full_name(Oid relid);
static void note_built(ObjectAccessType access, Oid classid, Oid objid, int subid, void *arg);
static bool is_session_setting(Node *stmt);
static bool worth_a_retry(int sqlstate);
static void wait_before_retry(int attempt);
static void check_identity(const Run *run);

/*
 * Runs the next statement of the script and writes it down.  Not in a
 * transaction; raises, with the transaction still to be aborted, what makes it
 * fail for good.
 */
void
online_statement(Run *run, ScriptStatement *statement)
{
	MemoryContext context = CurrentMemoryContext;

	for (volatile int attempt = 1;; attempt++)
	{
		volatile bool again = false;

		PG_TRY();
		{
			try_statement(run, statement);
		}
		PG_CATCH();
		{
			note_version = NULL;
			guard_admit(false);
			if (!worth_a_retry(geterrcode()) || attempt > run->request->options.max_retries)
				PG_RE_THROW();
			MemoryContextSwitchTo(context);
			EmitErrorReport();
			FlushErrorState();
			AbortCurrentTransaction();
			again = true;
		}
		PG_END_TRY();
		MemoryContextSwitchTo(context);
		if (!again)
			return;
		wait_before_retry(attempt);
	}
}

/* A statement that is done already: what it set for the session, once more. */
void
online_repeat(Run *run, ScriptStatement *statement)
{
	if (!is_session_setting(statement->raw->stmt))
		return;
	StartTransactionCommand();
	(void) execute(copyObject(statement->raw), run->script->text);
	CommitTransactionCommand();
}

static bool
is_session_setting(Node *stmt)
{
	return IsA(stmt, VariableSetStmt) && !castNode(VariableSetStmt, stmt)->is_local;
}

/* Locks that were not to be had come free by themselves. */
static bool
worth_a_retry(int sqlstate)
{
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED;
}

/* Exponential backoff; no transaction, nothing held. */
static void
wait_before_retry(int attempt)
{
	TimestampTz start = GetCurrentTimestamp();
	int			nap = 100 << Min(attempt, 6);

	while (!TimestampDifferenceExceeds(start, GetCurrentTimestamp(), nap))
	{
		CHECK_FOR_INTERRUPTS();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, nap, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

static void
try_statement(Run *run, ScriptStatement *statement)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "migmgr online statement",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(context);
	Attempted	it = {.run = run,.statement = statement};
	ScriptRefusal refusal;

	it.raw = copyObject(statement->raw);
	progress_show(run->what, run->attempts, "statement", statement->number,
				  list_length(run->script->statements), statement->text);
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);
	check_identity(run);
	notices_keep(context);
	INSTR_TIME_SET_CURRENT(it.start);
	judge_it(&it);
	if (script_refuses(run->script, statement, &refusal) && refusal.online)
		run_alone(&it);
	else
		run_ordinary(&it);
	notices_end();
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(context);
}

/* Raises when policy refuses it. */
static void
judge_it(Attempted *it)
{
	Script		one = *it->run->script;
	List	   *violations;

	one.statements = list_make1(it->statement);
	gate_approved(it->run->request);
	policy_set_version(it->run->request->version);
	violations = run_judge(it->run, &one);
	it->verdict = it->run->first;
	if (violations != NIL)
		policy_refuse(violations);
	online_check_drops(it->run, it->statement, it->verdict);
	if (policy_action(it->verdict) == ACTION_WARN)
		ereport(WARNING,
				(errmsg("%s, line %d: %s is %s", it->run->what, it->statement->line, it->verdict->command,
						class_name(it->verdict->class)),
				 it->verdict->reason ? errdetail("%s", it->verdict->reason) : 0));
}

/*
 * Raises when a rollback would drop an index that its version has not made and
 * policy keeps: for what drops concurrently there is no later look at each
 * object as it goes.
 */
void
online_check_drops(const Run *run, const ScriptStatement *statement, Verdict *verdict)
{
	DropStmt   *stmt = (DropStmt *) statement->raw->stmt;
	ListCell   *lc;

	if (run->request->action != RUN_ROLLBACK || !IsA(stmt, DropStmt) || !stmt->concurrent)
		return;
	foreach(lc, stmt->objects)
	{
		Oid			index = RangeVarGetRelid(makeRangeVarFromNameList(lfirst(lc)), NoLock, true);
		ObjectAddress address;
		char	   *identity;
		bool		ours = false;
		ListCell   *lm;

		if (!OidIsValid(index))
			continue;
		ObjectAddressSet(address, RelationRelationId, index);
		identity = psprintf("index %s", getObjectIdentity(&address, false));
		foreach(lm, run->made)
			ours |= strcmp(lfirst(lm), identity) == 0;
		if (!ours && policy_action(verdict) >= ACTION_ASK)
			policy_refuse(list_make1(verdict));
	}
}

/* In the transaction that has begun: run, look at what it did, write down. */
static void
run_ordinary(Attempted *it)
{
	Run		   *run = it->run;
	GuardResult *effect;
	int64		rows;

	SetConfigOption("lock_timeout", psprintf("%d", run->request->options.lock_timeout), PGC_USERSET, PGC_S_SESSION);
	guard_begin(run->request->action == RUN_APPLY ? GUARD_APPLY : GUARD_ROLLBACK, run->made);
	if (run->down == NULL)
		inverse_watch(run);
	gate_approved(run->request);
	policy_set_version(run->request->version);
	guard_statement(it->verdict);
	PopActiveSnapshot();
	rows = execute(it->raw, run->script->text);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (run->request->action == RUN_ROLLBACK)
	{
		run_effect(run);
		effect = run->effect;
	}
	else
	{
		effect = guard_result();
		if (effect->violations != NIL)
			policy_refuse(effect->violations);
		if (image_active())
		{
			RunStatement done;

			fill_done(it, rows, &done);
			online_find_inverse(run, effect, &done, &it->inverse);
		}
	}
	guard_end();
	write_down(it, effect->objects, rows);
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* One that commits while it runs. */
static void
run_alone(Attempted *it)
{
	Run		   *run = it->run;
	MemoryContext context = CurrentMemoryContext;
	ListCell   *lc;

	prepare(it);
	PopActiveSnapshot();
	CommitTransactionCommand();

	foreach(lc, it->leftovers)
	{
		ereport(NOTICE,
				(errmsg("dropping index %s, which an earlier try of this migration has left unfinished", (char *) lfirst(lc))));
		online_drop(lfirst(lc));
	}

	StartTransactionCommand();
	MemoryContextSwitchTo(context);
	if (!it->finished)
	{
		/* its waits are what it is for: a timeout would leave half a thing */
		SetConfigOption("lock_timeout", IsA(it->raw->stmt, AlterTableStmt)
						? psprintf("%d", run->request->options.lock_timeout) : "0",
						PGC_USERSET, PGC_S_SESSION);
		note_version = run->request->version;
		note_statement = it->statement->number;
		if (object_access_hook != note_built)
		{
			previous_hook = object_access_hook;
			object_access_hook = note_built;
		}
		guard_admit(true);
		(void) execute(it->raw, run->script->text);
		guard_admit(false);
		note_version = NULL;
	}
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);
	check_result(it);
	find_inverse(it);
	write_down(it, it->object == NULL ? NIL : list_make1(it->object), -1);
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/*
 * What it will be about, and what an earlier try has left of it; in a
 * transaction that is committed before it begins.
 */
static void
prepare(Attempted *it)
{
	Node	   *stmt = it->raw->stmt;

	if (IsA(stmt, IndexStmt))
		prepare_index(it, castNode(IndexStmt, stmt));
	else if (IsA(stmt, DropStmt))
		prepare_drop(it, castNode(DropStmt, stmt));
	else if (IsA(stmt, ReindexStmt))
		prepare_reindex(it, castNode(ReindexStmt, stmt));
	else if (IsA(stmt, AlterTableStmt))
		prepare_detach(it, castNode(AlterTableStmt, stmt));
}

/*
 * CREATE INDEX CONCURRENTLY: its name is settled, an index of ours that is
 * not done goes, and one of a stranger's that is not done is no success.
 */
static void
prepare_index(Attempted *it, IndexStmt *stmt)
{
	const char *version = it->run->request->version;
	Oid			heap = RangeVarGetRelid(stmt->relation, NoLock, true);
	Oid			index;

	if (!OidIsValid(heap))
		return;					/* the server says it better */
	stmt->idxname = index_name(it, stmt, heap);
	index = get_relname_relid(stmt->idxname, get_rel_namespace(heap));
	if (!OidIsValid(index) || get_rel_relkind(index) != RELKIND_INDEX)
		return;
	if (list_member_oid(online_targets(version, it->statement->number, TARGET_BUILT), index))
	{
		it->relid = index;
		if (index_is_done(index))
			it->finished = true;
		else
			it->leftovers = lappend(it->leftovers, full_name(index));
	}
	else if (!index_is_done(index))
		ereport(ERROR,
				(errcode(ERRCODE_MG_FOREIGN_INDEX),
				 errmsg("index %s is there already, and it is invalid", full_name(index)),
				 errdetail("It is not of this migration, so migmgr leaves it alone."),
				 errhint("Drop it: DROP INDEX CONCURRENTLY %s; or complete it: REINDEX INDEX CONCURRENTLY %s;",
						 full_name(index), full_name(index))));
}

/* The name the index gets: as written, or chosen once and kept. */
static char *
index_name(const Attempted *it, const IndexStmt *stmt, Oid heap)
{
	const char *version = it->run->request->version;
	char	   *name = online_target_name(version, it->statement->number);
	StringInfoData columns;
	ListCell   *lc;

	if (name != NULL)
		return name;
	if (stmt->idxname != NULL)
		return stmt->idxname;
	initStringInfo(&columns);
	foreach(lc, stmt->indexParams)
	{
		const IndexElem *element = lfirst(lc);

		appendStringInfo(&columns, "%s%s", columns.len > 0 ? "_" : "", element->name ? element->name : "expr");
		if (columns.len >= NAMEDATALEN)
			break;
	}
	name = ChooseRelationName(get_rel_name(heap), columns.data, "idx", get_rel_namespace(heap), false);
	online_note_target(version, it->statement->number, TARGET_NAME, heap, name);
	return name;
}

/* DROP INDEX CONCURRENTLY: done when the index that it was about is gone. */
static void
prepare_drop(Attempted *it, DropStmt *stmt)
{
	const char *version = it->run->request->version;
	List	   *noted = online_targets(version, it->statement->number, TARGET_OLD);
	Oid			index = list_length(stmt->objects) != 1 ? InvalidOid :
		RangeVarGetRelid(makeRangeVarFromNameList(linitial(stmt->objects)), NoLock, true);

	if (noted != NIL)
	{
		it->finished = !SearchSysCacheExists1(RELOID, ObjectIdGetDatum(linitial_oid(noted)));
		if (it->finished)
			return;
	}
	if (!OidIsValid(index) || get_rel_relkind(index) != RELKIND_INDEX)
		return;
	it->object = object_of("dropped", index);
	it->relids = psprintf("{%u}", fact_index_table(index));
	it->before = online_describe(it->relids);
	if (!list_member_oid(noted, index))
		online_note_target(version, it->statement->number, TARGET_OLD, index, full_name(index));
}

/*
 * REINDEX CONCURRENTLY: begun again from the start, without the copies that an
 * earlier try has left, new ones or old ones.
 */
static void
prepare_reindex(Attempted *it, ReindexStmt *stmt)
{
	const char *version = it->run->request->version;
	int			number = it->statement->number;
	List	   *noted = online_targets(version, number, TARGET_OLD);
	List	   *ours = list_concat(online_targets(version, number, TARGET_BUILT), noted);
	Oid			relid = stmt->relation == NULL ? InvalidOid : RangeVarGetRelid(stmt->relation, NoLock, true);
	List	   *indexes = NIL;
	ListCell   *lc;

	foreach(lc, ours)
	{
		Oid			index = lfirst_oid(lc);
		char	   *name = get_rel_name(index);

		/* the names that the server gives them while they are not in use */
		if (name != NULL && !index_is_done(index) && get_rel_relkind(index) == RELKIND_INDEX &&
			(strstr(name, "_ccnew") != NULL || strstr(name, "_ccold") != NULL))
			it->leftovers = list_append_unique(it->leftovers, makeString(full_name(index)));
	}
	foreach(lc, it->leftovers)
		lfirst(lc) = strVal(lfirst(lc));

	if (OidIsValid(relid) && get_rel_relkind(relid) == RELKIND_INDEX)
		indexes = list_make1_oid(relid);
	else if (OidIsValid(relid) && get_rel_relkind(relid) == RELKIND_RELATION)
	{
		Relation	rel = RelationIdGetRelation(relid);

		indexes = RelationGetIndexList(rel);
		RelationClose(rel);
	}
	foreach(lc, indexes)
	{
		if (!list_member_oid(noted, lfirst_oid(lc)))
			online_note_target(version, number, TARGET_OLD, lfirst_oid(lc), NULL);
	}
}

/*
 * DETACH PARTITION CONCURRENTLY: one that is pending from an earlier try is
 * finished, and one that is detached is done.
 */
static void
prepare_detach(Attempted *it, AlterTableStmt *stmt)
{
	const char *version = it->run->request->version;
	AlterTableCmd *cmd = linitial_node(AlterTableCmd, stmt->cmds);
	PartitionCmd *partition = castNode(PartitionCmd, cmd->def);
	Oid			parent = RangeVarGetRelid(stmt->relation, NoLock, true);
	Oid			relid = RangeVarGetRelid(partition->name, NoLock, true);
	List	   *noted = online_targets(version, it->statement->number, TARGET_OLD);

	if (!OidIsValid(parent) || !OidIsValid(relid))
		return;
	it->object = object_of("changed", relid);
	if (list_member_oid(noted, relid))
	{
		it->finished = !has_superclass(relid);
		if (!it->finished && PartitionHasPendingDetach(relid))
		{
			cmd->subtype = AT_DetachPartitionFinalize;
			partition->concurrent = false;
		}
	}
	else
	{
		it->relids = psprintf("{%u,%u}", parent, relid);
		it->before = online_describe(it->relids);
		online_note_target(version, it->statement->number, TARGET_OLD, relid, full_name(relid));
	}
}

/* Is the index one that queries use and writes keep? */
static bool
index_is_done(Oid index)
{
	HeapTuple	row = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	bool		done = false;

	if (HeapTupleIsValid(row))
	{
		Form_pg_index form = (Form_pg_index) GETSTRUCT(row);

		done = form->indisvalid && form->indisready && form->indislive;
		ReleaseSysCache(row);
	}
	return done;
}

/*
 * Drops an index of this job's own, concurrently, in transactions of its own.
 * Nothing is held against policy: what it drops was not there before the job.
 */
void
online_drop(const char *name)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *sql = psprintf("DROP INDEX CONCURRENTLY IF EXISTS %s", name);

	StartTransactionCommand();
	MemoryContextSwitchTo(context);
	SetConfigOption("lock_timeout", "0", PGC_USERSET, PGC_S_SESSION);
	guard_admit(true);
	(void) execute(linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT)), sql);
	guard_admit(false);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

/* An index that is not valid is not done, whatever the statement said. */
static void
check_result(Attempted *it)
{
	IndexStmt  *stmt;
	Oid			heap,
				index;

	if (!IsA(it->raw->stmt, IndexStmt))
		return;
	stmt = castNode(IndexStmt, it->raw->stmt);
	heap = RangeVarGetRelid(stmt->relation, NoLock, true);
	index = OidIsValid(heap) ? get_relname_relid(stmt->idxname, get_rel_namespace(heap)) : InvalidOid;
	if (!OidIsValid(index) || !index_is_done(index))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" is not valid after it was built", stmt->idxname),
				 errhint("Call again: it is dropped and built once more.")));
	if (list_member_oid(online_targets(it->run->request->version, it->statement->number, TARGET_BUILT), index))
		it->object = object_of("created", index);
}

/* What takes back a statement that has committed while it ran. */
static void
find_inverse(Attempted *it)
{
	Node	   *stmt = it->raw->stmt;

	if (it->run->request->action != RUN_APPLY || it->run->down != NULL)
		return;
	if (it->before != NULL)
		online_lead_back(it->before, online_describe(it->relids), &it->inverse);
	else if (IsA(stmt, IndexStmt))
		it->inverse.sql = it->object == NULL ? "" : psprintf("DROP INDEX CONCURRENTLY %s;\n", it->object->identity);
	else if (!IsA(stmt, AlterTableStmt) && (!IsA(stmt, DropStmt) || !it->finished))
		/* it has only built or cleaned up, or there was nothing to drop */
		it->inverse.sql = "";
}

/* What is known of the statement. */
static void
fill_done(const Attempted *it, int64 rows, RunStatement *done)
{
	instr_time	duration;

	memset(done, 0, sizeof(RunStatement));
	INSTR_TIME_SET_CURRENT(duration);
	INSTR_TIME_SUBTRACT(duration, it->start);
	done->number = it->statement->number;
	done->line = it->statement->line;
	done->command = it->verdict->command;
	done->object = it->verdict->object;
	done->class = class_name(it->verdict->class);
	done->rule = it->verdict->rule;
	done->text = it->statement->text;
	done->ms = INSTR_TIME_GET_MILLISEC(duration);
	done->rows = rows;
}

/* Writes the statement down in the transaction that is open. */
static void
write_down(Attempted *it, const List *objects, int64 rows)
{
	RunStatement done;

	check_identity(it->run);
	fill_done(it, rows, &done);
	done.notices = notices_take();
	online_write_done(it->run->request->version, &done, objects, &it->inverse);
}

/*
 * Executes a statement as if a client had sent it, in the transaction that is
 * open, which may be another one afterwards.  Returns the rows it affected,
 * -1 for a utility statement.
 */
static int64
execute(RawStmt *raw, const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	CommandTag	tag = CreateCommandTag(raw->stmt);
	bool		snapshot = analyze_requires_snapshot(raw);
	bool		utility;
	List	   *plans;
	Portal		portal;
	QueryCompletion completion;

	debug_query_string = text;

	if (snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	plans = pg_plan_queries(pg_analyze_and_rewrite_fixedparams(raw, text, NULL, 0, NULL),
							text, CURSOR_OPT_PARALLEL_OK, NULL);
	if (snapshot)
		PopActiveSnapshot();
	utility = list_length(plans) == 1 && linitial_node(PlannedStmt, plans)->utilityStmt != NULL;

	portal = CreatePortal("", true, true);
	portal->visible = false;
	PortalDefineQuery(portal, NULL, text, tag, plans, NULL);
	PortalStart(portal, NULL, 0, InvalidSnapshot);
	InitializeQueryCompletion(&completion);
	(void) mg_PortalRun(portal, None_Receiver, &completion);
	PortalDrop(portal, false);
	CommandCounterIncrement();
	debug_query_string = NULL;
	MemoryContextSwitchTo(context);
	return utility ? -1 : (int64) completion.nprocessed;
}

/* A relation as what a statement made, changed or dropped. */
static GuardObject *
object_of(const char *action, Oid relid)
{
	GuardObject *object = palloc0(sizeof(GuardObject));
	ObjectAddress address;

	ObjectAddressSet(address, RelationRelationId, relid);
	object->action = action;
	object->type = getObjectTypeDescription(&address, false);
	object->identity = getObjectIdentity(&address, false);
	object->data_count = -1;
	return object;
}

static char *
full_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
}

/* Each index that the statement makes, in the transaction that makes it. */
static void
note_built(ObjectAccessType access, Oid classid, Oid objid, int subid, void *arg)
{
	if (previous_hook != NULL)
		previous_hook(access, classid, objid, subid, arg);
	if (access == OAT_POST_CREATE && classid == RelationRelationId && subid == 0 && note_version != NULL)
		online_note_target(note_version, note_statement, TARGET_BUILT, objid, NULL);
}

/* Raises MG206 when a statement has left another role in effect than before. */
static void
check_identity(const Run *run)
{
	static Oid	user = InvalidOid;

	if (!OidIsValid(user))
		user = GetUserId();
	if (GetUserId() != user || GetSessionUserId() != GetAuthenticatedUserId())
		ereport(ERROR,
				(errcode(ERRCODE_MG_IDENTITY_CHANGED),
				 errmsg("%s left another role in effect than it found", run->what),
				 errhint("Take SET ROLE and SET SESSION AUTHORIZATION out of the script.")));
}
