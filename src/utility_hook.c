/*
 * utility_hook.c
 *	  The utility hook: judges statements before the server looks at them.
 *
 * Once the library is loaded (preloaded, by the login guard, or by the first
 * DDL of a session) every statement comes by here before any event trigger
 * fires, so it is judged here, and its ddl_command_start and ddl_command_end
 * find that done.  That covers what no event trigger sees (TRUNCATE, CLUSTER,
 * VACUUM FULL, event triggers, roles, databases, settings, EXPLAIN ANALYZE),
 * an event trigger that was disabled behind migmgr's back, event_triggers =
 * off, and event triggers of others that sort before ours.  What hides inside
 * a statement is the access hook's, as ever.
 *
 * Roles, databases and tablespaces belong to the whole server: from any other
 * database they could be changed as well.  So they are logged and not refused,
 * but for settings that would switch the guard off and databases that
 * migmgr.protected_databases names.  Single-user mode is left alone: it is
 * the way back in.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "guard_state.h"
#include "migmgr.h"
#include "mode.h"
#include "protect.h"
#include "utility_hook.h"

/* how a kind of statement is treated */
typedef enum UtilityKind
{
	UTILITY_DDL,				/* judged, recorded: whatever is not below */
	UTILITY_PASS,				/* nobody's business, or judged in its parts */
	UTILITY_SHARED,				/* of the whole server: recorded */
	UTILITY_TRUNCATE,			/* refused early; else the access hook has it */
	UTILITY_LOCK,				/* judged when it keeps readers out */
	UTILITY_EXPLAIN				/* judged when it makes what it explains */
} UtilityKind;

/* a statement that the hook is in, innermost first; on the C stack */
typedef struct UtilityFrame
{
	struct UtilityFrame *outer;
	Node	   *stmt;
} UtilityFrame;

static const UtilityKind kinds[] = {
	[T_TransactionStmt] = UTILITY_PASS,
	[T_VariableSetStmt] = UTILITY_PASS,
	[T_VariableShowStmt] = UTILITY_PASS,
	[T_ConstraintsSetStmt] = UTILITY_PASS,
	[T_DiscardStmt] = UTILITY_PASS,
	[T_ListenStmt] = UTILITY_PASS,
	[T_NotifyStmt] = UTILITY_PASS,
	[T_UnlistenStmt] = UTILITY_PASS,
	[T_LoadStmt] = UTILITY_PASS,
	[T_CheckPointStmt] = UTILITY_PASS,
	[T_DeclareCursorStmt] = UTILITY_PASS,
	[T_FetchStmt] = UTILITY_PASS,
	[T_ClosePortalStmt] = UTILITY_PASS,
	[T_PrepareStmt] = UTILITY_PASS,
	[T_ExecuteStmt] = UTILITY_PASS,
	[T_DeallocateStmt] = UTILITY_PASS,
	[T_DoStmt] = UTILITY_PASS,
	[T_CallStmt] = UTILITY_PASS,
	[T_CopyStmt] = UTILITY_PASS,

	[T_CreateRoleStmt] = UTILITY_SHARED,
	[T_AlterRoleStmt] = UTILITY_SHARED,
	[T_AlterRoleSetStmt] = UTILITY_SHARED,
	[T_DropRoleStmt] = UTILITY_SHARED,
	[T_GrantRoleStmt] = UTILITY_SHARED,
	[T_CreatedbStmt] = UTILITY_SHARED,
	[T_AlterDatabaseStmt] = UTILITY_SHARED,
	[T_AlterDatabaseRefreshCollStmt] = UTILITY_SHARED,
	[T_AlterDatabaseSetStmt] = UTILITY_SHARED,
	[T_DropdbStmt] = UTILITY_SHARED,
	[T_CreateTableSpaceStmt] = UTILITY_SHARED,
	[T_AlterTableSpaceOptionsStmt] = UTILITY_SHARED,
	[T_DropTableSpaceStmt] = UTILITY_SHARED,
	[T_AlterSystemStmt] = UTILITY_SHARED,

	[T_TruncateStmt] = UTILITY_TRUNCATE,
	[T_LockStmt] = UTILITY_LOCK,
	[T_ExplainStmt] = UTILITY_EXPLAIN,
};

/* what the hook was called with */
typedef struct UtilityCall
{
	PlannedStmt *plan;
	const char *query;
	bool		read_only;
	ProcessUtilityContext context;
	ParamListInfo params;
	QueryEnvironment *environment;
	DestReceiver *dest;
	QueryCompletion *completion;
	UtilityKind kind;
} UtilityCall;

static ProcessUtility_hook_type previous_hook = NULL;
static UtilityFrame *frames = NULL;

static void utility_hook(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
						 ProcessUtilityContext context, ParamListInfo params,
						 QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc);
static void run_judged(const UtilityCall *call);
static void call_next(const UtilityCall *call);
static UtilityKind kind_of(Node *stmt);
static bool is_shared(ObjectType type);
static bool makes_something(ExplainStmt *stmt);
static void enter(UtilityKind kind, Node *stmt);
static void leave(UtilityKind kind, Node *stmt);
static void refuse_truncate(Node *stmt);
static void adjust(Node *stmt, Verdict *verdict);
static void log_shared(Node *stmt);

void
utility_init(void)
{
	previous_hook = ProcessUtility_hook;
	ProcessUtility_hook = utility_hook;
}

bool
utility_judged(const Node *stmt)
{
	return frames != NULL && frames->stmt == stmt;
}

/*
 * The tree is copied here rather than in standard_ProcessUtility, so that the
 * event triggers are handed the one that was judged.
 */
static void
utility_hook(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
			 ProcessUtilityContext context, ParamListInfo params,
			 QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	UtilityCall call = {
		.plan = pstmt,.query = queryString,.read_only = readOnlyTree,.context = context,
		.params = params,.environment = queryEnv,.dest = dest,.completion = qc,
		.kind = UTILITY_PASS,
	};

	if (context != PROCESS_UTILITY_SUBCOMMAND && IsUnderPostmaster)
		call.kind = kind_of(pstmt->utilityStmt);
	if (call.kind != UTILITY_PASS || IsA(pstmt->utilityStmt, CopyStmt))
		mode_check_utility(pstmt->utilityStmt);
	if (call.kind == UTILITY_SHARED)
		setting_check_database(pstmt->utilityStmt);
	if (call.kind == UTILITY_PASS || guard_steps_aside())
	{
		call_next(&call);
		return;
	}
	if (readOnlyTree)
	{
		call.plan = copyObject(pstmt);
		call.read_only = false;
	}
	run_judged(&call);
}

/* Decides, runs the statement, cleans up; not inlined, for the sake of longjmp. */
static pg_noinline void
run_judged(const UtilityCall *call)
{
	UtilityFrame frame = {.outer = frames,.stmt = call->plan->utilityStmt};

	PG_TRY();
	{
		frames = &frame;
		enter(call->kind, frame.stmt);
		call_next(call);
		leave(call->kind, frame.stmt);
	}
	PG_FINALLY();
	{
		frames = frame.outer;
	}
	PG_END_TRY();
}

static void
call_next(const UtilityCall *call)
{
	ProcessUtility_hook_type next = previous_hook != NULL ? previous_hook : standard_ProcessUtility;

	next(call->plan, call->query, call->read_only, call->context, call->params,
		 call->environment, call->dest, call->completion);
}

/* How this statement is treated, by its kind and by what it is about. */
static UtilityKind
kind_of(Node *stmt)
{
	NodeTag		tag = nodeTag(stmt);
	UtilityKind kind = (int) tag < lengthof(kinds) ? kinds[tag] : UTILITY_DDL;

	if (kind == UTILITY_LOCK)
		/* a transaction that reads what it has locked has no snapshot yet */
		return castNode(LockStmt, stmt)->mode == AccessExclusiveLock &&
			(FirstSnapshotSet || !IsolationUsesXactSnapshot()) ? UTILITY_DDL : UTILITY_PASS;
	if (kind == UTILITY_EXPLAIN)
		return makes_something(castNode(ExplainStmt, stmt)) ? UTILITY_DDL : UTILITY_PASS;
	if ((IsA(stmt, GrantStmt) && is_shared(castNode(GrantStmt, stmt)->objtype)) ||
		(IsA(stmt, RenameStmt) && is_shared(castNode(RenameStmt, stmt)->renameType)) ||
		(IsA(stmt, AlterOwnerStmt) && is_shared(castNode(AlterOwnerStmt, stmt)->objectType)) ||
		(IsA(stmt, CommentStmt) && is_shared(castNode(CommentStmt, stmt)->objtype)) ||
		(IsA(stmt, SecLabelStmt) && is_shared(castNode(SecLabelStmt, stmt)->objtype)))
		return UTILITY_SHARED;
	return kind;
}

static bool
is_shared(ObjectType type)
{
	return type == OBJECT_DATABASE || type == OBJECT_ROLE || type == OBJECT_TABLESPACE ||
		type == OBJECT_PARAMETER_ACL;
}

/* EXPLAIN ANALYZE of CREATE TABLE AS and the like. */
static bool
makes_something(ExplainStmt *stmt)
{
	ListCell   *lc;

	if (!IsA(stmt->query, Query) || castNode(Query, stmt->query)->utilityStmt == NULL ||
		!IsA(castNode(Query, stmt->query)->utilityStmt, CreateTableAsStmt))
		return false;
	foreach(lc, stmt->options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "analyze") == 0)
			return defGetBoolean(option);
	}
	return false;
}

/* Raises when policy refuses the statement. */
static void
enter(UtilityKind kind, Node *stmt)
{
	if (kind == UTILITY_TRUNCATE)
	{
		if (guard_script == NULL && !creating_extension)
			refuse_truncate(stmt);
	}
	else if (kind == UTILITY_DDL || guard_script != NULL || setting_weakens(stmt))
		guard_enter(stmt, adjust);
}

/*
 * A TRUNCATE that policy refuses must not wait for its lock first, with all
 * others behind it.  One that it lets pass is warned of and recorded by the
 * access hook, which sees the tables that CASCADE takes along.
 */
static void
refuse_truncate(Node *stmt)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "migmgr truncate", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Verdict    *verdict = classify_statement(stmt);

	if (policy_action(verdict) >= ACTION_ASK)
		policy_refuse(list_make1(verdict));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* What only the hook knows of a statement. */
static void
adjust(Node *stmt, Verdict *verdict)
{
	if (setting_weakens(stmt))
	{
		verdict->class = CLASS_SECURITY;
		verdict->rule = "guard-setting";
		verdict->deed = setting_deed(stmt);
		verdict->reason = "it decides whether triggers fire, or whether migmgr is loaded";
		verdict->hint = NULL;
	}
	else if (IsA(stmt, CreateEventTrigStmt))
	{
		List	   *function = castNode(CreateEventTrigStmt, stmt)->funcname;

		/* one that is missing comes back like this */
		if (list_length(function) == 2 && strcmp(strVal(linitial(function)), MIGMGR_INTERNAL) == 0)
		{
			verdict->class = CLASS_REPLACING;
			verdict->reason = "it calls migmgr's own guard";
		}
	}
}

static void
leave(UtilityKind kind, Node *stmt)
{
	if (kind == UTILITY_SHARED && guard_script == NULL && guard_current() == NULL)
		log_shared(stmt);
	guard_leave(stmt);
}

/* Records a statement about the whole server, which no policy has judged. */
static void
log_shared(Node *stmt)
{
	Verdict    *verdict;

	if (creating_extension || guard_steps_aside())
		return;
	verdict = classify_statement(stmt);
	if (verdict->class > CLASS_NONE)
		ddl_log_add(verdict, ACTION_ALLOW);
}
