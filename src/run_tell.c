/*
 * run_tell.c
 *	  Who listens is told that a migration begins, and that it has ended.
 *
 * The end goes out with its commit.  For the start a run that commits by itself
 * has a transaction of its own, before the first try.  A function cannot send
 * anything before its caller commits, so a background worker has to, which is
 * too dear for a migration that takes a few milliseconds: its start is told
 * with its end, almost at once.  So policy tell_start is "auto", unless somebody sets it: a
 * function's start is told where a statement takes as long as there is data, or
 * nobody knows how long, and when a lock was not to be had.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "facts.h"
#include "flag.h"
#include "invalidation.h"
#include "ledger.h"
#include "migmgr.h"
#include "run.h"
#include "run_tell.h"
#include "spi_util.h"
#include "tell.h"

typedef enum TellStart
{
	TELL_OFF, TELL_AUTO, TELL_ON
} TellStart;

static Oid	rule_relid = InvalidOid;	/* the ledger that said so;
										 * InvalidOid: ask */
static TellStart rule;

static TellStart tell_start(void);
static char *start_detail(const Run *run);

void
run_start_init(void)
{
	invalidation_forget(&rule_relid);
}

static TellStart
tell_start(void)
{
	if (rule_relid != ledger_relid())
	{
		RecordScope scope;
		char	   *value;

		rule_relid = ledger_relid();
		/* most have nobody who set anything: to ask takes longer than to look */
		rule = policy_environment() == ENV_DEVELOPMENT ? TELL_OFF : TELL_AUTO;
		if (!own_any(MIGMGR_SCHEMA, "ledger", "ledger_event", BTEqualStrategyNumber, CStringGetTextDatum("policy")))
			return rule;
		rule = TELL_OFF;		/* should the question fail */
		SPI_connect();
		record_begin(&scope);
		spi_exec("SELECT migmgr_internal.policy_value('tell_start') AS value", SPI_OK_SELECT, 0, NULL);
		value = spi_text(0, "value");
		rule = strcmp(value, "on") == 0 ? TELL_ON : strcmp(value, "auto") == 0 ? TELL_AUTO : TELL_OFF;
		record_end(&scope);
		SPI_finish();
	}
	return rule;
}

/* See run_tell.h. */
void
run_start_judged(Run *run, const Node *statement, const Verdict *verdict)
{
	switch (nodeTag(statement))
	{
		case T_SelectStmt:
		case T_DoStmt:
		case T_CallStmt:
		case T_CopyStmt:
		case T_CreateTableAsStmt:
		case T_RefreshMatViewStmt:
			run->lasting = true;
			return;
		default:
			break;
	}
	if (verdict->class == CLASS_DATA || verdict->class == CLASS_BLOCKING ||
		verdict->class == CLASS_TYPE_CHANGE || verdict->class == CLASS_REWRITING ||
		(verdict->scans == TRI_YES && OidIsValid(verdict->relid) && !fact_small(verdict->relid)))
		run->lasting = true;
}

/* See run_tell.h. */
void
run_start_send(Run *run)
{
	const RunRequest *request = run->request;

	if (run->start_told || request->dry_run || request->commits)
		return;
	if (tell_start() == TELL_OFF || (tell_start() == TELL_AUTO && !run->lasting && run->attempts == 1))
		return;
	run->start_told = true;
	start_send(request->version, start_detail(run));
}

/* See run_tell.h. */
void
run_start_late(const Run *run)
{
	if (!run->start_told && tell_start() != TELL_OFF)
		tell_event("started", run->request->version, start_detail(run));
}

/* See run_tell.h. */
bool
run_start_tell(Run *run)
{
	if (run->request->dry_run || !run->request->commits || tell_start() == TELL_OFF)
		return false;
	run->start_told = true;
	tell_event("started", run->request->version, start_detail(run));
	return true;
}

/* {"action": "apply", "name": "create_orders"} */
static char *
start_detail(const Run *run)
{
	const RunRequest *request = run->request;
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"action\": \"%s\"", request->repeatable ? "repeat" :
					 request->action == RUN_APPLY ? "apply" : "rollback");
	if (request->name != NULL)
	{
		appendStringInfoString(&json, ", \"name\": ");
		escape_json(&json, request->name);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* Tells who listens, and binds the flags of what was applied; after its record. */
void
run_tell(const Run *run)
{
	const RunRequest *request = run->request;
	StringInfoData json;

	start_sent();
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"name\": ");
	escape_json(&json, request->name);
	appendStringInfo(&json, ", \"class\": \"%s\", \"statements\": %d, \"ms\": %.0f}",
					 class_name(run->class), list_length(run->done), run->ms);
	tell_event(request->action == RUN_APPLY ? "applied" : "rolled back", request->version, json.data);
	if (request->action == RUN_APPLY)
		flag_applied(request->version, request->flags);
}
