/*
 * guard.c
 *	  Watches DDL as it happens: event triggers, and the state they share.
 *
 * ddl_command_start judges the parse tree, before the server has looked up a
 * name or taken a lock: most refusals fall here, so that they leave no lock
 * queue behind.  It writes nothing, because an assigned transaction id makes
 * DROP INDEX CONCURRENTLY fail.  What a statement hides (cascades, DROP OWNED)
 * the access hook sees; table_rewrite and sql_drop are backstops;
 * ddl_command_end records.  For what commits by itself (the CONCURRENTLY
 * forms) the verdict falls at the start and nothing raises afterwards, or a
 * broken index would be left.
 *
 * The state of a statement outlives the transaction that it began in, for the
 * same reason; so it is in a context of its own, and an abort clears it.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "postmaster/autovacuum.h"
#include "replication/logicalworker.h"
#include "tcop/cmdtag.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "errors.h"
#include "facts.h"
#include "guard.h"
#include "guard_state.h"
#include "image.h"
#include "ledger.h"
#include "mode.h"
#include "neteffect.h"
#include "policy.h"
#include "protect.h"
#include "state.h"
#include "utility_hook.h"

PG_FUNCTION_INFO_V1(migmgr_guard_start);
PG_FUNCTION_INFO_V1(migmgr_guard_end);
PG_FUNCTION_INFO_V1(migmgr_guard_drop);
PG_FUNCTION_INFO_V1(migmgr_guard_rewrite);

GuardScript *guard_script = NULL;

static List *statements = NIL;	/* of GuardStatement *, innermost first */
static bool admit_next = false;

static EventTriggerData *event_data(FunctionCallInfo fcinfo);
static Verdict *known_verdict(Node *parsetree);
static void push_statement(Node *parsetree, MemoryContext context, Verdict *verdict);
static void pop_statements(int nestlevel, bool keep_concurrent);
static void free_statement(GuardStatement *statement);
static void judge_in_script(Verdict *verdict);
static void judge_alone(Verdict *verdict, GuardStatement *statement);
static bool exempt_in_rollback(const Verdict *verdict);
static void refuse_direct(const Verdict *verdict, PolicyAction action);
static bool commits_by_itself(Node *parsetree);
static bool is_upkeep(Node *parsetree);
static bool changes_schema(const GuardStatement *statement);
static void guard_xact_callback(XactEvent event, void *arg);
static void guard_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
								   SubTransactionId parentSubid, void *arg);
static void script_subxact(GuardScript *script, SubXactEvent event,
						   SubTransactionId mySubid, SubTransactionId parentSubid);

void
guard_init(void)
{
	RegisterXactCallback(guard_xact_callback, NULL);
	RegisterSubXactCallback(guard_subxact_callback, NULL);
	fresh_init();
	protect_init();
	state_init();
	ddl_log_init();
	access_init();
	utility_init();
	catalog_dml_init();
}

/*
 * Where the guard has no say: in single-user mode (the way back in, where no
 * event trigger fires either), while the server upgrades itself, where rows of
 * another server are applied, in autovacuum, without migmgr, and in migmgr's
 * own recording.
 */
bool
guard_steps_aside(void)
{
	return !IsUnderPostmaster || IsBinaryUpgrade || IsLogicalWorker() || mg_is_autovacuum_worker() ||
		IsBootstrapProcessingMode() || !IsTransactionState() ||
		!OidIsValid(MyDatabaseId) || ledger_recording() || !OidIsValid(ledger_relid());
}

/* The innermost DDL statement that runs, or NULL. */
GuardStatement *
guard_current(void)
{
	return statements == NIL ? NULL : linitial(statements);
}

/* Event data, or an error when called as anything but an event trigger. */
static EventTriggerData *
event_data(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function was not called as an event trigger")));
	return (EventTriggerData *) fcinfo->context;
}

/* ddl_command_start: decide. */
Datum
migmgr_guard_start(PG_FUNCTION_ARGS)
{
	EventTriggerData *data = event_data(fcinfo);

	if (!utility_judged(data->parsetree) && !guard_steps_aside())
		guard_enter(data->parsetree, NULL);
	PG_RETURN_NULL();
}

/*
 * Judges a statement that is about to run, whoever saw it first: raises when
 * policy refuses it.  adjust, when given, has the last word on its verdict.
 */
void
guard_enter(Node *parsetree, guard_adjust_fn adjust)
{
	MemoryContext context;
	MemoryContext old;
	Verdict    *verdict;

	context = AllocSetContextCreate(TopMemoryContext, "migmgr statement", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	verdict = known_verdict(parsetree);
	if (verdict == NULL)
		verdict = classify_statement(parsetree);
	if (adjust != NULL)
		adjust(parsetree, verdict);
	MemoryContextSwitchTo(old);

	/* inside an extension's script only migmgr's own objects are guarded */
	if (verdict->class == CLASS_NONE ||
		(creating_extension && verdict->class != CLASS_PROTECTED))
	{
		MemoryContextDelete(context);
		return;
	}
	if (guard_script == NULL)
		verdict->concurrent |= commits_by_itself(parsetree);
	push_statement(parsetree, context, verdict);
	if (verdict->class == CLASS_PROTECTED)
		guard_judge(verdict, true);
	else if (guard_script != NULL)
	{
		judge_in_script(verdict);
		image_statement(parsetree);
	}
	else
	{
		judge_alone(verdict, guard_current());
		if (changes_schema(guard_current()))
			state_settle();
	}
}

/*
 * Is a statement from elsewhere about to change what earlier migrations left?
 * Not before one that commits by itself: it may have to be the first in its
 * transaction.
 */
static bool
changes_schema(const GuardStatement *statement)
{
	return !statement->admitted && !statement->verdict->concurrent && !is_upkeep(statement->parsetree) &&
		!IsA(statement->parsetree, TruncateStmt);
}

/* Does a statement commit while it runs, besides the CONCURRENTLY forms? */
static bool
commits_by_itself(Node *parsetree)
{
	return IsA(parsetree, VacuumStmt) || IsA(parsetree, ClusterStmt) || IsA(parsetree, ReindexStmt);
}

/* Upkeep changes no schema: direct_ddl is not about it. */
static bool
is_upkeep(Node *parsetree)
{
	return commits_by_itself(parsetree) || IsA(parsetree, RefreshMatViewStmt) || IsA(parsetree, LockStmt);
}

/*
 * A copy of the verdict on a statement of a script that was judged a moment
 * ago, or NULL.  What it runs in turn comes later or has another tag.
 */
static Verdict *
known_verdict(Node *parsetree)
{
	const Verdict *known = guard_script == NULL ? NULL : guard_script->next;
	Verdict    *verdict;

	if (known == NULL)
		return NULL;
	guard_script->next = NULL;
	if (strcmp(known->command, GetCommandTagName(CreateCommandTag(parsetree))) != 0)
		return NULL;
	verdict = guard_copy_verdict(known);
	if (known->firm != NULL)
		verdict->firm = guard_copy_verdict(known->firm);
	return verdict;
}

/* ddl_command_end: record. */
Datum
migmgr_guard_end(PG_FUNCTION_ARGS)
{
	guard_leave(event_data(fcinfo)->parsetree);
	PG_RETURN_NULL();
}

/*
 * Records a statement that has run.  Nothing happens when it is recorded
 * already, or was not worth judging.
 */
void
guard_leave(Node *parsetree)
{
	GuardStatement *statement = guard_current();

	/* inner statements that were left by an error come before ours */
	while (statement != NULL && statement->parsetree != parsetree)
	{
		ListCell   *lc;
		bool		found = false;

		foreach(lc, statements)
			found |= ((GuardStatement *) lfirst(lc))->parsetree == parsetree;
		if (!found)
			return;
		statements = list_delete_first(statements);
		free_statement(statement);
		statement = guard_current();
	}
	if (statement == NULL)
		return;

	if (guard_script == NULL && !statement->admitted && !guard_steps_aside() && !creating_extension)
		ddl_log_add(statement->verdict, statement->action);
	else if (guard_script != NULL)
		neteffect_statement_end(statement);
	statements = list_delete_first(statements);
	free_statement(statement);
}

/*
 * sql_drop: the access hook has judged every object already.  If it was not
 * called at all, another library has taken the hook without passing it on.
 */
Datum
migmgr_guard_drop(PG_FUNCTION_ARGS)
{
	GuardStatement *statement;

	(void) event_data(fcinfo);
	statement = guard_current();
	if (statement != NULL && !statement->drops_seen && !guard_steps_aside() && !creating_extension)
		ereport(statement->verdict->concurrent ? WARNING : ERROR,
				(errcode(ERRCODE_MG_UNCLASSIFIED),
				 errmsg("migmgr did not see what was dropped"),
				 errdetail("Another library has replaced object_access_hook."),
				 errhint("Load migmgr after it, or preload migmgr as the last library.")));
	PG_RETURN_NULL();
}

/* table_rewrite: for rewrites that the parse tree did not show. */
Datum
migmgr_guard_rewrite(PG_FUNCTION_ARGS)
{
	GuardStatement *statement;
	Verdict    *verdict;
	RelFacts	rel;
	Oid			relid;

	(void) event_data(fcinfo);
	statement = guard_current();
	if (guard_steps_aside() || creating_extension ||
		(statement != NULL && statement->verdict->rewrites == TRI_YES))
		PG_RETURN_NULL();
	relid = DatumGetObjectId(OidFunctionCall0(F_PG_EVENT_TRIGGER_TABLE_REWRITE_OID));
	if (!fact_relation(relid, &rel) || rel.temporary || rel.is_new || fact_small(relid))
		PG_RETURN_NULL();

	verdict = palloc0(sizeof(Verdict));
	verdict->class = CLASS_REWRITING;
	verdict->rule = "table-rewrite";
	verdict->command = statement != NULL ? statement->verdict->command : "ALTER TABLE";
	verdict->object = rel.name;
	verdict->relid = relid;
	verdict->namespace = rel.namespace;
	verdict->rewrites = TRI_YES;
	verdict->deed = psprintf("rewrite table %s", rel.name);
	verdict->reason = "every row is written again under an exclusive lock";
	guard_judge(verdict, true);
	PG_RETURN_NULL();
}

static void
push_statement(Node *parsetree, MemoryContext context, Verdict *verdict)
{
	GuardStatement *statement = MemoryContextAllocZero(context, sizeof(GuardStatement));
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	statement->context = context;
	statement->parsetree = parsetree;
	statement->verdict = verdict;
	statement->nestlevel = GetCurrentTransactionNestLevel();
	if (guard_script != NULL)
		statement->touched = list_length(guard_script->touched) + list_length(guard_script->dropped) +
			list_length(guard_script->lost);
	statements = lcons(statement, statements);
	MemoryContextSwitchTo(old);
}

static void
free_statement(GuardStatement *statement)
{
	MemoryContextDelete(statement->context);
}

/* Forgets the statements that began at this nesting level or deeper. */
static void
pop_statements(int nestlevel, bool keep_concurrent)
{
	ListCell   *lc;

	foreach(lc, statements)
	{
		GuardStatement *statement = lfirst(lc);

		if (statement->nestlevel < nestlevel || (keep_concurrent && statement->verdict->concurrent))
			continue;
		statements = foreach_delete_current(statements, lc);
		free_statement(statement);
	}
}

/*
 * Holds a verdict against policy: raises, warns, or lets pass.  The position
 * in the script is filled in.  may_raise: false after a concurrent statement
 * has begun.
 */
void
guard_judge(Verdict *verdict, bool may_raise)
{
	PolicyAction action = policy_action(verdict);

	if (guard_script != NULL)
	{
		if (verdict->statement == 0)
		{
			verdict->statement = guard_script->statement;
			verdict->line = guard_script->line;
		}
		guard_script->class = Max(guard_script->class, verdict->class);
	}
	if (action >= ACTION_ASK && may_raise)
		policy_refuse(list_make1(verdict));
	if (action >= ACTION_WARN)
		guard_warn(verdict);
}

/* Says what was let pass; inside a script the result carries it. */
void
guard_warn(const Verdict *verdict)
{
	if (guard_script != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(guard_script->context);
		ListCell   *lc;

		/* the run, start of the statement and access hook may all say it */
		if (verdict->statement == guard_script->statement && verdict->class == guard_script->said)
		{
			MemoryContextSwitchTo(old);
			return;
		}
		foreach(lc, guard_script->warnings)
		{
			const Verdict *said = lfirst(lc);

			if (said->statement == verdict->statement && said->class == verdict->class)
			{
				MemoryContextSwitchTo(old);
				return;
			}
		}
		guard_script->warnings = lappend(guard_script->warnings, guard_copy_verdict(verdict));
		MemoryContextSwitchTo(old);
		return;
	}
	ereport(WARNING,
			(errcode(class_sqlstate(verdict->class)),
			 errmsg("%s: %s in %s", verdict->deed, class_name(verdict->class),
					policy_environment_name(policy_environment())),
			 verdict->reason != NULL ? errdetail("%c%s.", pg_toupper((unsigned char) verdict->reason[0]),
												 verdict->reason + 1) : 0));
}

/* A copy of a verdict in the current context. */
Verdict *
guard_copy_verdict(const Verdict *verdict)
{
	Verdict    *copy = palloc(sizeof(Verdict));

#define COPY_TEXT(field) \
	copy->field = verdict->field == NULL ? NULL : pstrdup(verdict->field)

	*copy = *verdict;
	COPY_TEXT(rule);
	COPY_TEXT(object);
	COPY_TEXT(column);
	COPY_TEXT(deed);
	COPY_TEXT(reason);
	COPY_TEXT(hint);
	copy->firm = NULL;
	copy->parts = NIL;
	return copy;
}

/* A statement outside of any script. */
static void
judge_alone(Verdict *verdict, GuardStatement *statement)
{
	PolicyAction direct = is_upkeep(statement->parsetree) ? ACTION_ALLOW : policy_direct_ddl(verdict);

	if (admit_next)
	{
		admit_next = false;
		statement->admitted = true;
		return;
	}
	statement->action = policy_action(verdict);
	if (!is_upkeep(statement->parsetree))
		mode_check_ddl(verdict);
	if (direct >= ACTION_ASK)
		refuse_direct(verdict, direct);
	guard_judge(verdict, true);
	if (direct == ACTION_WARN && statement->action < ACTION_WARN)
	{
		statement->action = ACTION_WARN;
		ereport(WARNING,
				(errcode(ERRCODE_MG_DIRECT_DDL),
				 errmsg("%s: DDL outside migmgr in %s", verdict->deed,
						policy_environment_name(policy_environment())),
				 errdetail("Policy direct_ddl is warn, or waived.")));
	}
}

static void
refuse_direct(const Verdict *verdict, PolicyAction action)
{
	ereport(ERROR,
			(errcode(ERRCODE_MG_DIRECT_DDL),
			 errmsg("cannot %s: DDL outside migmgr is refused in %s", verdict->deed,
					policy_environment_name(policy_environment())),
			 errdetail("Policy direct_ddl is %s.", policy_action_name(action)),
			 errhint("Put it into a migration: SELECT * FROM migmgr.apply('version', 'name', $$ ... $$);")));
}

/*
 * A DDL statement of a script, or one that its DO blocks and functions run.
 * Drops of definitions wait for the net effect; drops in a rollback are judged
 * object by object.
 */
static void
judge_in_script(Verdict *verdict)
{
	Verdict    *firm = verdict->definition ? verdict->firm : verdict;

	if (firm == NULL || firm->class <= CLASS_NONE || exempt_in_rollback(firm))
		return;
	guard_judge(firm, true);
}

/*
 * In a rollback, drops are judged as they happen, and what the version made
 * or changed may be changed back.
 */
static bool
exempt_in_rollback(const Verdict *verdict)
{
	ObjectAddress address;
	char	   *type;
	char	   *identity;

	if (guard_script->derived && verdict->class < CLASS_UNCLASSIFIED)
		return true;
	if (guard_script->mode != GUARD_ROLLBACK || verdict->class >= CLASS_UNCLASSIFIED)
		return false;
	if (verdict->drops)
		return true;
	if (!OidIsValid(verdict->relid))
		return false;
	ObjectAddressSet(address, RelationRelationId, verdict->relid);
	type = getObjectTypeDescription(&address, true);
	identity = getObjectIdentity(&address, true);
	if (type == NULL || identity == NULL)
		return false;
	if (guard_owned(type, identity))
		return true;
	return verdict->column != NULL &&
		guard_owned("table column", psprintf("%s.%s", identity, quote_identifier(verdict->column)));
}

/* Is this object one of those that the version to undo has made? */
bool
guard_owned(const char *type, const char *identity)
{
	ListCell   *lc;
	size_t		length = strlen(type);

	foreach(lc, guard_script->owned)
	{
		const char *owned = lfirst(lc);

		if (strncmp(owned, type, length) == 0 && owned[length] == ' ' &&
			strcmp(owned + length + 1, identity) == 0)
			return true;
	}
	return false;
}

/* See guard.h. */
void
guard_admit(bool admit)
{
	admit_next = admit;
}

void
guard_begin(GuardMode mode, List *owned)
{
	MemoryContext context;
	MemoryContext old;
	ListCell   *lc;

	guard_end();
	context = AllocSetContextCreate(TopMemoryContext, "migmgr guard", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	guard_script = palloc0(sizeof(GuardScript));
	guard_script->context = context;
	guard_script->mode = mode;
	guard_script->subid = GetCurrentSubTransactionId();
	foreach(lc, owned)
		guard_script->owned = lappend(guard_script->owned, pstrdup(lfirst(lc)));
	MemoryContextSwitchTo(old);
}

/* See guard.h. */
void
guard_derived(bool derived)
{
	if (guard_script != NULL)
		guard_script->derived = derived;
}

/* See guard.h. */
void
guard_count_any(void)
{
	if (guard_script != NULL)
		guard_script->count_any = true;
}

/*
 * Notes which statement runs next.  What no event trigger will see (DML,
 * TRUNCATE is seen by the access hook) is held against policy here, so that
 * its warning is not lost.
 */
void
guard_statement(Verdict *verdict)
{
	if (guard_script == NULL)
		return;
	guard_script->running = true;
	guard_script->statement = verdict == NULL ? 0 : verdict->statement;
	guard_script->line = verdict == NULL ? 0 : verdict->line;
	guard_script->said = verdict == NULL || guard_deferred(verdict) ? CLASS_NONE : verdict->class;
	guard_script->next = verdict;
	if (verdict == NULL || verdict->class <= CLASS_ADDITIVE)
		return;
	if (!command_tag_event_trigger_ok(GetCommandTagEnum(verdict->command)) &&
		!exempt_in_rollback(verdict))
		guard_judge(verdict, true);
}

GuardResult *
guard_result(void)
{
	GuardResult *result = palloc0(sizeof(GuardResult));
	ListCell   *lc;

	if (guard_script == NULL)
		return result;
	result->class = guard_script->class;
	foreach(lc, guard_script->warnings)
		result->warnings = lappend(result->warnings, guard_copy_verdict(lfirst(lc)));
	neteffect_judge(result);
	return result;
}

void
guard_end(void)
{
	MemoryContext context;

	if (guard_script == NULL)
		return;
	context = guard_script->context;
	guard_script = NULL;
	policy_set_version(NULL);
	MemoryContextDelete(context);
}

bool
guard_active(void)
{
	return guard_script != NULL;
}

/* Does the net effect of the script that is judged or runs decide, not this statement? */
bool
guard_deferred(const Verdict *verdict)
{
	return guard_script != NULL && verdict->class != CLASS_PROTECTED && verdict->definition;
}

static void
guard_xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
	{
		guard_end();
		pop_statements(0, true);
	}
	else if (event == XACT_EVENT_ABORT)
	{
		guard_end();
		pop_statements(0, false);
	}
}

static void
guard_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
					   SubTransactionId parentSubid, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		pop_statements(GetCurrentTransactionNestLevel(), false);
	if (guard_script == NULL)
		return;
	if (event == SUBXACT_EVENT_ABORT_SUB && guard_script->subid == mySubid)
		guard_end();
	else if (event == SUBXACT_EVENT_ABORT_SUB || event == SUBXACT_EVENT_COMMIT_SUB)
		script_subxact(guard_script, event, mySubid, parentSubid);
}

/* What an undone subtransaction did, did not happen. */
static void
script_subxact(GuardScript *script, SubXactEvent event,
			   SubTransactionId mySubid, SubTransactionId parentSubid)
{
	ListCell   *lc;

#define UNDO_OR_MOVE(type, list) \
	foreach(lc, script->list) \
	{ \
		type	   *entry = lfirst(lc); \
\
		if (entry->subid != mySubid) \
			continue; \
		if (event == SUBXACT_EVENT_COMMIT_SUB) \
			entry->subid = parentSubid; \
		else \
			script->list = foreach_delete_current(script->list, lc); \
	}

	UNDO_OR_MOVE(Touched, touched);
	UNDO_OR_MOVE(Dropped, dropped);
	UNDO_OR_MOVE(LostObject, lost);
	if (event == SUBXACT_EVENT_COMMIT_SUB && script->subid == mySubid)
		script->subid = parentSubid;
}
