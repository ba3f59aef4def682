/*
 * guard_setting.c
 *	  Settings that would switch the guard off, and databases that stay.
 *
 * No setting of a session goes around the guard once the library is loaded.
 * What remains is to keep it from being loaded, or its triggers from firing,
 * in the sessions of tomorrow: by ALTER SYSTEM, ALTER DATABASE, ALTER ROLE, or
 * by handing out the right to do so.  Putting things right is not in the way.
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "errors.h"
#include "guc.h"
#include "migmgr.h"
#include "utility_hook.h"

static bool is_guard_setting(const char *name);
static bool loads_library(const char *name);
static VariableSetStmt *assignment_of(Node *stmt);
static bool assignment_weakens(VariableSetStmt *set);
static bool names_migmgr(VariableSetStmt *set);
static char *value_of(Node *arg);
static bool is_protected(const char *database);
static void refuse_database(const char *verb, const char *database);

static bool
loads_library(const char *name)
{
	return pg_strcasecmp(name, "session_preload_libraries") == 0 ||
		pg_strcasecmp(name, "shared_preload_libraries") == 0;
}

/* Does a setting decide whether the guard is there? */
static bool
is_guard_setting(const char *name)
{
	return pg_strcasecmp(name, "event_triggers") == 0 ||
		pg_strcasecmp(name, "session_replication_role") == 0 ||
		loads_library(name) ||
		pg_strncasecmp(name, MIGMGR_EXTENSION ".", strlen(MIGMGR_EXTENSION ".")) == 0;
}

/* The assignment of a statement about later sessions of this database, or NULL. */
static VariableSetStmt *
assignment_of(Node *stmt)
{
	if (IsA(stmt, AlterSystemStmt))
		return castNode(AlterSystemStmt, stmt)->setstmt;
	if (IsA(stmt, AlterRoleSetStmt))
	{
		AlterRoleSetStmt *alter = castNode(AlterRoleSetStmt, stmt);

		return alter->database == NULL || get_database_oid(alter->database, true) == MyDatabaseId ?
			alter->setstmt : NULL;
	}
	if (IsA(stmt, AlterDatabaseSetStmt))
	{
		AlterDatabaseSetStmt *alter = castNode(AlterDatabaseSetStmt, stmt);

		return get_database_oid(alter->dbname, true) == MyDatabaseId ? alter->setstmt : NULL;
	}
	return NULL;
}

/*
 * Would a statement weaken the guard in later sessions of this database, or
 * let somebody else do so?
 */
bool
setting_weakens(Node *stmt)
{
	VariableSetStmt *set = assignment_of(stmt);
	ListCell   *lc;

	if (set != NULL)
		return assignment_weakens(set);
	if (!IsA(stmt, GrantStmt) || castNode(GrantStmt, stmt)->objtype != OBJECT_PARAMETER_ACL ||
		!castNode(GrantStmt, stmt)->is_grant)
		return false;
	foreach(lc, castNode(GrantStmt, stmt)->objects)
	{
		if (is_guard_setting(strVal(lfirst(lc))))
			return true;
	}
	return false;
}

/* What such a statement would do, for its refusal. */
char *
setting_deed(Node *stmt)
{
	VariableSetStmt *set = assignment_of(stmt);
	ListCell   *lc;

	if (set != NULL)
		return set->kind == VAR_RESET_ALL ? pstrdup("reset all settings of later sessions") :
			psprintf("%s %s for later sessions", set->kind == VAR_SET_VALUE ? "set" : "reset", set->name);
	foreach(lc, castNode(GrantStmt, stmt)->objects)
	{
		if (is_guard_setting(strVal(lfirst(lc))))
			return psprintf("grant the right to set %s", strVal(lfirst(lc)));
	}
	return NULL;
}

/*
 * Does an assignment take protection away?  Setting things to what they should
 * be does not; RESET does where the value is what protects.
 */
static bool
assignment_weakens(VariableSetStmt *set)
{
	char	   *value;
	bool		on;

	if (set->kind == VAR_RESET_ALL)
		return true;
	if (set->name == NULL || !is_guard_setting(set->name))
		return false;
	if (loads_library(set->name))
		return set->kind == VAR_SET_VALUE ? !names_migmgr(set) : set->kind != VAR_SET_CURRENT;
	if (set->kind != VAR_SET_VALUE)
		return pg_strcasecmp(set->name, "migmgr.protected_databases") == 0;

	value = list_length(set->args) == 1 ? value_of(linitial(set->args)) : NULL;
	if (value != NULL && pg_strcasecmp(set->name, "event_triggers") == 0)
		return !parse_bool(value, &on) || !on;
	if (value != NULL && pg_strcasecmp(set->name, "session_replication_role") == 0)
		return pg_strcasecmp(value, "origin") != 0;
	/* limits of one's own session, which any user may set */
	return pg_strcasecmp(set->name, "migmgr.apply_wait") != 0 &&
		pg_strcasecmp(set->name, "migmgr.lock_timeout") != 0 &&
		pg_strcasecmp(set->name, "migmgr.organisation_id") != 0;
}

/* Is migmgr among the libraries of an assignment?  Each is an item of its own. */
static bool
names_migmgr(VariableSetStmt *set)
{
	ListCell   *lc;

	foreach(lc, set->args)
	{
		char	   *library = value_of(lfirst(lc));
		char	   *slash = library == NULL ? NULL : strrchr(library, '/');

		if (slash != NULL)
			library = slash + 1;
		if (library != NULL &&
			(strcmp(library, MIGMGR_EXTENSION) == 0 || strcmp(library, MIGMGR_EXTENSION DLSUFFIX) == 0))
			return true;
	}
	return false;
}

/* A constant of the parse tree as text, or NULL. */
static char *
value_of(Node *arg)
{
	A_Const    *constant = IsA(arg, A_Const) ? (A_Const *) arg : NULL;

	if (constant == NULL || constant->isnull)
		return NULL;
	if (IsA(&constant->val, String))
		return strVal(&constant->val);
	if (IsA(&constant->val, Integer))
		return psprintf("%d", intVal(&constant->val));
	if (IsA(&constant->val, Float))
		return constant->val.fval.fval;
	return NULL;
}

/* Is a database one of migmgr.protected_databases? */
static bool
is_protected(const char *database)
{
	List	   *names;
	ListCell   *lc;

	if (database == NULL || guc_protected_databases == NULL || guc_protected_databases[0] == '\0')
		return false;
	/* a list that cannot be read protects all: rather that than none */
	if (!SplitIdentifierString(pstrdup(guc_protected_databases), ',', &names))
		return true;
	foreach(lc, names)
	{
		if (strcmp(lfirst(lc), database) == 0)
			return true;
	}
	return false;
}

/*
 * Raises MG108 for what would take a protected database away, or its guard.
 * Works in every database of the server, for migmgr need not be in this one.
 */
void
setting_check_database(Node *stmt)
{
	if (IsA(stmt, DropdbStmt))
		refuse_database("drop", castNode(DropdbStmt, stmt)->dbname);
	else if (IsA(stmt, RenameStmt) && castNode(RenameStmt, stmt)->renameType == OBJECT_DATABASE)
		refuse_database("rename", castNode(RenameStmt, stmt)->subname);
	else if (IsA(stmt, AlterDatabaseSetStmt) && assignment_weakens(castNode(AlterDatabaseSetStmt, stmt)->setstmt) &&
			 get_database_oid(castNode(AlterDatabaseSetStmt, stmt)->dbname, true) != MyDatabaseId)
		refuse_database("weaken the guard of", castNode(AlterDatabaseSetStmt, stmt)->dbname);
}

static void
refuse_database(const char *verb, const char *database)
{
	if (!is_protected(database))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_MG_PROTECTED),
			 errmsg("cannot %s database \"%s\": it is protected", verb, database),
			 errdetail("migmgr.protected_databases names it."),
			 errhint("Take it out of migmgr.protected_databases in the server's configuration file, then SELECT pg_reload_conf();")));
}
