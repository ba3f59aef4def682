/*
 * script_rules.c
 *	  Statements that no script may have.
 *
 * A script runs in a subtransaction of the caller's transaction.  What ends
 * that, what refuses to run in it and what it could not undo is refused by
 * name, before anything runs.  One row for each, the first that fits counts.
 * What only shows when it runs (REINDEX of a partitioned table, COMMIT in a
 * procedure) is left to the server, which refuses it itself.
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "errors.h"
#include "script_rules.h"

/* does the rule fit this statement? */
typedef bool (*rule_fn) (const Script *script, Node *stmt);

typedef struct Rule
{
	NodeTag		tag;
	rule_fn		fits;			/* NULL: every statement of this kind */
	int			sqlstate;		/* 0: ERRCODE_MG_BAD_STATEMENT */
	const char *command;		/* NULL: the server's command tag */
	const char *reason;
	const char *hint;
	bool		online;			/* may run by itself, in a background worker */
} Rule;

static bool is_vacuum(const Script *script, Node *stmt);
static bool moves_database(const Script *script, Node *stmt);
static bool index_concurrently(const Script *script, Node *stmt);
static bool drop_concurrently(const Script *script, Node *stmt);
static bool reindex_concurrently(const Script *script, Node *stmt);
static bool reindex_many(const Script *script, Node *stmt);
static bool cluster_all(const Script *script, Node *stmt);
static bool detach_concurrently(const Script *script, Node *stmt);
static bool makes_slot(const Script *script, Node *stmt);
static bool refreshes(const Script *script, Node *stmt);
static bool changes_slot(const Script *script, Node *stmt);
static bool drops_slot(const Script *script, Node *stmt);
static bool deallocate_all(const Script *script, Node *stmt);
static bool close_all(const Script *script, Node *stmt);
static bool sets_isolation(const Script *script, Node *stmt);
static bool sets_snapshot(const Script *script, Node *stmt);
static bool sets_quoting(const Script *script, Node *stmt);
static bool copies_in(const Script *script, Node *stmt);
static bool copies_out(const Script *script, Node *stmt);

static bool option_is(List *options, const char *name, bool value);
static bool differs(const char *setting, const char *value);
static const char *boolean_word(const char *value);

#define NO_BLOCK	"It cannot run inside a transaction block, and a migration is one transaction."
#define NO_UNDO		"It cannot be undone when the migration fails."
#define OUTSIDE		"Take it out of the script and run it by itself, outside apply."
#define ONE_TRANSACTION "Take it out: the script runs as one transaction that ends with the caller's. A single BEGIN at its start with a COMMIT at its end may stay."

static const Rule rules[] = {
	{.tag = T_TransactionStmt,
		.sqlstate = ERRCODE_MG_TRANSACTION_CONTROL,
		.reason = "A migration runs in the transaction of its caller and cannot end or divide it.",
	.hint = ONE_TRANSACTION},

	{.tag = T_CopyStmt,.fits = copies_in,
		.sqlstate = ERRCODE_MG_BAD_SCRIPT,.command = "COPY FROM STDIN",
		.reason = "The data would have to come from the client, which has already sent the script.",
	.hint = "Write the rows as INSERT statements (pg_dump --inserts), or load them with psql's \\copy outside apply."},
	{.tag = T_CopyStmt,.fits = copies_out,
		.sqlstate = ERRCODE_MG_BAD_SCRIPT,.command = "COPY TO STDOUT",
		.reason = "The client does not wait for data.",
	.hint = "Take it out of the script, and run it with psql outside apply."},

	{.tag = T_VacuumStmt,.fits = is_vacuum,.online = true,.command = "VACUUM",
	.reason = NO_BLOCK,.hint = "Run it online: CALL migmgr.run('FILE', 'TEXT') does.  ANALYZE may stay in the script."},
	{.tag = T_CreatedbStmt,.reason = NO_BLOCK,.hint = OUTSIDE},
	{.tag = T_DropdbStmt,.reason = NO_BLOCK,.hint = OUTSIDE},
	{.tag = T_AlterDatabaseStmt,.fits = moves_database,
		.command = "ALTER DATABASE ... SET TABLESPACE",
	.reason = NO_BLOCK,.hint = OUTSIDE},
	{.tag = T_CreateTableSpaceStmt,.reason = NO_BLOCK,.hint = OUTSIDE},
	{.tag = T_DropTableSpaceStmt,.reason = NO_BLOCK,.hint = OUTSIDE},
	{.tag = T_AlterSystemStmt,.reason = NO_BLOCK,
	.hint = "Run it by itself, outside apply, or use ALTER DATABASE ... SET."},

	{.tag = T_IndexStmt,.fits = index_concurrently,.online = true,
		.command = "CREATE INDEX CONCURRENTLY",
		.reason = NO_BLOCK,
	.hint = "On a new or small table use CREATE INDEX without CONCURRENTLY; on a large one run it online: CALL migmgr.run('FILE', 'TEXT') does."},
	{.tag = T_DropStmt,.fits = drop_concurrently,.online = true,
		.command = "DROP INDEX CONCURRENTLY",
		.reason = NO_BLOCK,
	.hint = "Use DROP INDEX without CONCURRENTLY, which locks the table for a moment, or run it online: CALL migmgr.run('FILE', 'TEXT') does."},
	{.tag = T_ReindexStmt,.fits = reindex_concurrently,.online = true,
		.command = "REINDEX CONCURRENTLY",
		.reason = NO_BLOCK,
	.hint = "On a small table use REINDEX without CONCURRENTLY; on a large one run it online: CALL migmgr.run('FILE', 'TEXT') does."},
	{.tag = T_ReindexStmt,.fits = reindex_many,.online = true,
		.command = "REINDEX of a whole schema or database",
		.reason = NO_BLOCK,
	.hint = "Use REINDEX TABLE for each table, or run it online: CALL migmgr.run('FILE', 'TEXT') does."},
	{.tag = T_ClusterStmt,.fits = cluster_all,.online = true,
		.command = "CLUSTER of all tables",
	.reason = NO_BLOCK,.hint = "Name the table, or run it online: CALL migmgr.run('FILE', 'TEXT') does."},
	{.tag = T_AlterTableStmt,.fits = detach_concurrently,.online = true,
		.command = "DETACH PARTITION CONCURRENTLY",
		.reason = NO_BLOCK,
	.hint = "Use DETACH PARTITION without CONCURRENTLY, which locks the table for a moment, or run it online: CALL migmgr.run('FILE', 'TEXT') does."},

	{.tag = T_CreateSubscriptionStmt,.fits = makes_slot,
		.command = "CREATE SUBSCRIPTION that makes a slot",
		.reason = NO_BLOCK,
	.hint = "Make the slot on the publisher and use WITH (create_slot = false), or run it by itself, outside apply."},
	{.tag = T_AlterSubscriptionStmt,.fits = refreshes,
		.command = "ALTER SUBSCRIPTION with a refresh",
		.reason = NO_BLOCK,
	.hint = "Add WITH (refresh = false) and refresh outside apply, or run it by itself there."},
	{.tag = T_AlterSubscriptionStmt,.fits = changes_slot,
		.command = "ALTER SUBSCRIPTION of a slot's options",
	.reason = NO_BLOCK,.hint = OUTSIDE},
	{.tag = T_DropSubscriptionStmt,.fits = drops_slot,
		.command = "DROP SUBSCRIPTION",
		.reason = "It would drop the slot on the publisher, which cannot be undone.",
	.hint = "Put ALTER SUBSCRIPTION ... DISABLE and ALTER SUBSCRIPTION ... SET (slot_name = NONE) before it, or run it by itself, outside apply."},

	{.tag = T_DiscardStmt,.reason = NO_UNDO,
	.hint = "Take it out: settings that the script changes end with it."},
	{.tag = T_DeallocateStmt,.fits = deallocate_all,
		.command = "DEALLOCATE ALL",
	.reason = NO_UNDO,.hint = "Name the prepared statement."},
	{.tag = T_ClosePortalStmt,.fits = close_all,.command = "CLOSE ALL",
	.reason = NO_UNDO,.hint = "Name the cursor."},
	{.tag = T_LoadStmt,.reason = NO_UNDO,
	.hint = "Run LOAD before apply, or use session_preload_libraries."},
	{.tag = T_ListenStmt,.reason = "It is about this session, not about the database.",
	.hint = OUTSIDE},
	{.tag = T_UnlistenStmt,.reason = "It is about this session, not about the database.",
	.hint = OUTSIDE},

	{.tag = T_VariableSetStmt,.fits = sets_isolation,
		.command = "SET TRANSACTION ISOLATION LEVEL",
		.reason = "The transaction has begun: it is the caller's, and its isolation level cannot change any more.",
	.hint = "Begin the transaction with the level you want, then call apply in it."},
	{.tag = T_VariableSetStmt,.fits = sets_snapshot,
		.command = "SET TRANSACTION SNAPSHOT",
		.reason = "The transaction has begun: it is the caller's, and its snapshot cannot change any more.",
	.hint = "Take it out of the script."},
	{.tag = T_VariableSetStmt,.fits = sets_quoting,
		.command = "changing how text is quoted",
		.reason = "The whole script is parsed before any of it runs, so the setting would come too late for what follows.",
	.hint = "Take it out, and write strings with backslashes as E'...'."},
};

/* Fills in refusal when the statement cannot be in a script. */
bool
script_refuses(const Script *script, const ScriptStatement *stmt,
			   ScriptRefusal *refusal)
{
	Node	   *node = stmt->raw->stmt;
	int			i;

	for (i = 0; i < lengthof(rules); i++)
	{
		const Rule *rule = &rules[i];

		if (rule->tag != nodeTag(node) ||
			(rule->fits != NULL && !rule->fits(script, node)))
			continue;
		refusal->sqlstate = rule->sqlstate != 0 ? rule->sqlstate :
			ERRCODE_MG_BAD_STATEMENT;
		refusal->command = rule->command != NULL ? rule->command :
			CreateCommandName(node);
		refusal->reason = rule->reason;
		refusal->hint = rule->hint;
		refusal->online = rule->online;
		return true;
	}
	return false;
}

/* A BEGIN that asks for nothing that the caller's transaction has not. */
bool
script_is_begin(Node *stmt)
{
	TransactionStmt *begin = (TransactionStmt *) stmt;
	ListCell   *lc;

	if (!IsA(stmt, TransactionStmt) ||
		(begin->kind != TRANS_STMT_BEGIN && begin->kind != TRANS_STMT_START))
		return false;
	foreach(lc, begin->options)
	{
		DefElem    *option = lfirst(lc);
		A_Const    *value = (A_Const *) option->arg;

		if (strcmp(option->defname, "transaction_isolation") == 0 &&
			differs(option->defname, strVal(&value->val)))
			return false;
		if (strcmp(option->defname, "transaction_read_only") == 0 &&
			intVal(&value->val) != 0)
			return false;
	}
	return true;
}

/* A COMMIT or END that begins no other transaction. */
bool
script_is_commit(Node *stmt)
{
	TransactionStmt *commit = (TransactionStmt *) stmt;

	return IsA(stmt, TransactionStmt) &&
		commit->kind == TRANS_STMT_COMMIT && !commit->chain;
}

static bool
is_vacuum(const Script *script, Node *stmt)
{
	return ((VacuumStmt *) stmt)->is_vacuumcmd;
}

static bool
moves_database(const Script *script, Node *stmt)
{
	ListCell   *lc;

	foreach(lc, ((AlterDatabaseStmt *) stmt)->options)
	{
		if (strcmp(lfirst_node(DefElem, lc)->defname, "tablespace") == 0)
			return true;
	}
	return false;
}

static bool
index_concurrently(const Script *script, Node *stmt)
{
	return ((IndexStmt *) stmt)->concurrent;
}

static bool
drop_concurrently(const Script *script, Node *stmt)
{
	return ((DropStmt *) stmt)->concurrent;
}

static bool
reindex_concurrently(const Script *script, Node *stmt)
{
	return option_is(((ReindexStmt *) stmt)->params, "concurrently", true);
}

static bool
reindex_many(const Script *script, Node *stmt)
{
	ReindexStmt *reindex = (ReindexStmt *) stmt;

	return reindex->kind == REINDEX_OBJECT_SCHEMA ||
		reindex->kind == REINDEX_OBJECT_SYSTEM ||
		reindex->kind == REINDEX_OBJECT_DATABASE;
}

static bool
cluster_all(const Script *script, Node *stmt)
{
	return ((ClusterStmt *) stmt)->relation == NULL;
}

static bool
detach_concurrently(const Script *script, Node *stmt)
{
	ListCell   *lc;

	foreach(lc, ((AlterTableStmt *) stmt)->cmds)
	{
		AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == AT_DetachPartition &&
			((PartitionCmd *) cmd->def)->concurrent)
			return true;
	}
	return false;
}

/* create_slot is on by default, and off without a connection */
static bool
makes_slot(const Script *script, Node *stmt)
{
	List	   *options = ((CreateSubscriptionStmt *) stmt)->options;

	return !option_is(options, "create_slot", false) &&
		!option_is(options, "connect", false);
}

/* refresh is on by default wherever it can be given */
static bool
refreshes(const Script *script, Node *stmt)
{
	AlterSubscriptionStmt *alter = (AlterSubscriptionStmt *) stmt;

	switch (alter->kind)
	{
		case ALTER_SUBSCRIPTION_REFRESH:
			return true;
		case ALTER_SUBSCRIPTION_SET_PUBLICATION:
		case ALTER_SUBSCRIPTION_ADD_PUBLICATION:
		case ALTER_SUBSCRIPTION_DROP_PUBLICATION:
			return !option_is(alter->options, "refresh", false);
		default:
			return false;
	}
}

static bool
changes_slot(const Script *script, Node *stmt)
{
	AlterSubscriptionStmt *alter = (AlterSubscriptionStmt *) stmt;
	ListCell   *lc;

	if (alter->kind != ALTER_SUBSCRIPTION_OPTIONS)
		return false;
	foreach(lc, alter->options)
	{
		const char *name = lfirst_node(DefElem, lc)->defname;

		if (strcmp(name, "failover") == 0 || strcmp(name, "two_phase") == 0)
			return true;
	}
	return false;
}

/* Only a subscription that the script itself takes off its slot may go. */
static bool
drops_slot(const Script *script, Node *stmt)
{
	const char *name = ((DropSubscriptionStmt *) stmt)->subname;
	ListCell   *lc;

	foreach(lc, script->statements)
	{
		Node	   *before = ((ScriptStatement *) lfirst(lc))->raw->stmt;
		AlterSubscriptionStmt *alter = (AlterSubscriptionStmt *) before;
		ListCell   *option;

		if (before == stmt)
			break;
		if (!IsA(before, AlterSubscriptionStmt) ||
			strcmp(alter->subname, name) != 0)
			continue;
		foreach(option, alter->options)
		{
			DefElem    *def = lfirst(option);

			if (strcmp(def->defname, "slot_name") == 0 && def->arg != NULL &&
				pg_strcasecmp(defGetString(def), "none") == 0)
				return false;
		}
	}
	return true;
}

static bool
deallocate_all(const Script *script, Node *stmt)
{
	return ((DeallocateStmt *) stmt)->name == NULL;
}

static bool
close_all(const Script *script, Node *stmt)
{
	return ((ClosePortalStmt *) stmt)->portalname == NULL;
}

/* SET TRANSACTION ISOLATION LEVEL, or the setting of that name */
static bool
sets_isolation(const Script *script, Node *stmt)
{
	VariableSetStmt *set = (VariableSetStmt *) stmt;
	ListCell   *lc;

	if (set->kind == VAR_SET_VALUE && list_length(set->args) == 1 &&
		pg_strcasecmp(set->name, "transaction_isolation") == 0)
		return differs("transaction_isolation", ExtractSetVariableArgs(set));
	if (set->kind != VAR_SET_MULTI || strcmp(set->name, "TRANSACTION") != 0)
		return false;
	foreach(lc, set->args)
	{
		DefElem    *option = lfirst(lc);
		A_Const    *value = (A_Const *) option->arg;

		if (strcmp(option->defname, "transaction_isolation") == 0)
			return differs(option->defname, strVal(&value->val));
	}
	return false;
}

static bool
sets_snapshot(const Script *script, Node *stmt)
{
	VariableSetStmt *set = (VariableSetStmt *) stmt;

	return set->kind == VAR_SET_MULTI &&
		strcmp(set->name, "TRANSACTION SNAPSHOT") == 0;
}

/* A setting of the scanner, to another value than the one now in force. */
static bool
sets_quoting(const Script *script, Node *stmt)
{
	static const char *const settings[] = {
		"standard_conforming_strings", "backslash_quote",
		"escape_string_warning"
	};
	VariableSetStmt *set = (VariableSetStmt *) stmt;
	int			i;

	for (i = 0; i < lengthof(settings); i++)
	{
		if (set->kind != VAR_RESET_ALL &&
			(set->name == NULL || pg_strcasecmp(set->name, settings[i]) != 0))
			continue;
		switch (set->kind)
		{
			case VAR_SET_VALUE:
				return list_length(set->args) == 1 &&
					differs(settings[i], ExtractSetVariableArgs(set));
			case VAR_SET_DEFAULT:
			case VAR_RESET:
			case VAR_RESET_ALL:
				if (differs(settings[i],
							GetConfigOptionResetString(settings[i])))
					return true;
				break;
			default:
				break;
		}
	}
	return false;
}

static bool
copies_in(const Script *script, Node *stmt)
{
	CopyStmt   *copy = (CopyStmt *) stmt;

	return copy->is_from && copy->filename == NULL;
}

static bool
copies_out(const Script *script, Node *stmt)
{
	CopyStmt   *copy = (CopyStmt *) stmt;

	return !copy->is_from && copy->filename == NULL;
}

/* Is this boolean option given, with this value?  No value means true. */
static bool
option_is(List *options, const char *name, bool value)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst(lc);
		bool		given;

		if (strcmp(option->defname, name) != 0)
			continue;
		if (option->arg == NULL)
			given = true;
		else if (!parse_bool(defGetString(option), &given))
			continue;
		if (given == value)
			return true;
	}
	return false;
}

/* Has the setting another value now? */
static bool
differs(const char *setting, const char *value)
{
	const char *now = GetConfigOption(setting, false, false);

	return value != NULL &&
		pg_strcasecmp(boolean_word(now), boolean_word(value)) != 0;
}

/* One spelling for each boolean; all else as it is. */
static const char *
boolean_word(const char *value)
{
	bool		boolean;

	if (!parse_bool(value, &boolean))
		return value;
	return boolean ? "on" : "off";
}
