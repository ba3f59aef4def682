/*
 * catalog_dml.c
 *	  Notices when somebody changes the system catalogs by hand.
 *
 * A superuser may UPDATE pg_trigger or DELETE FROM pg_attribute, and no
 * trigger fires.  It is not refused: that is how a damaged database is
 * repaired, and who is superuser has other ways.  It leaves a trace instead,
 * in the server log, which he cannot take back, and in ddl_log, and verify()
 * tells of both the trace and what it did to migmgr.  In a script it is judged
 * like anything that weakens security: a migration has no business there.
 */
#include "postgres.h"

#include "catalog/catalog.h"
#include "commands/extension.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

#include "guard_state.h"
#include "mode.h"

static ExecutorStart_hook_type previous_hook = NULL;

static void executor_start(QueryDesc *query, int flags);
static Oid	changed_catalog(const PlannedStmt *plan);
static void notice_change(Oid relid, CmdType operation);
static const char *command_of(CmdType operation);

void
catalog_dml_init(void)
{
	previous_hook = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
}

static void
executor_start(QueryDesc *query, int flags)
{
	if ((flags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
		mode_check_plan(query->plannedstmt);
	if ((query->operation != CMD_SELECT || query->plannedstmt->hasModifyingCTE) &&
		(flags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
	{
		Oid			relid = changed_catalog(query->plannedstmt);

		if (OidIsValid(relid) && IsUnderPostmaster && !creating_extension && !guard_steps_aside())
			notice_change(relid, query->operation);
	}
	if (previous_hook != NULL)
		previous_hook(query, flags);
	else
		standard_ExecutorStart(query, flags);
}

/* The first system catalog whose rows a plan changes, or InvalidOid. */
static Oid
changed_catalog(const PlannedStmt *plan)
{
	ListCell   *lc;

	foreach(lc, plan->resultRelations)
	{
		Oid			relid = rt_fetch(lfirst_int(lc), plan->rtable)->relid;

		if (IsCatalogRelationOid(relid))
			return relid;
	}
	return InvalidOid;
}

static const char *
command_of(CmdType operation)
{
	return operation == CMD_INSERT ? "INSERT" : operation == CMD_UPDATE ? "UPDATE" :
		operation == CMD_DELETE ? "DELETE" : operation == CMD_SELECT ? "WITH" : "MERGE";
}

static void
notice_change(Oid relid, CmdType operation)
{
	Verdict    *verdict = palloc0(sizeof(Verdict));
	char	   *name = get_rel_name(relid);

	verdict->rule = "catalog-dml";
	verdict->command = command_of(operation);
	verdict->object = psprintf("pg_catalog.%s", name != NULL ? name : "?");
	verdict->relid = relid;
	verdict->deed = psprintf("change rows of system catalog %s", verdict->object);
	verdict->reason = "what the server knows of its objects is changed, and no trigger fires";
	if (guard_script != NULL)
	{
		verdict->class = CLASS_SECURITY;
		guard_judge(verdict, true);
		return;
	}
	verdict->class = CLASS_PROTECTED;
	ereport(LOG,
			(errmsg("migmgr: %s of system catalog %s by \"%s\"", verdict->command, verdict->object,
					GetUserNameFromId(GetSessionUserId(), true))));
	ddl_log_note(verdict, "seen");
}
