/*
 * gate.c
 *	  Everything that must surround a migration, asked in one place.
 *
 * The questions themselves are SQL (migmgr_internal.gate), so that preflight()
 * asks the same ones.  Here is when they are asked, and what an answer leads
 * to.  Where nothing is configured nothing is asked: a look at the index of
 * events tells, and the answer is kept until the ledger says that a setting
 * changed.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

#include "check.h"
#include "errors.h"
#include "gate.h"
#include "invalidation.h"
#include "ledger.h"
#include "migmgr.h"
#include "own_table.h"
#include "spi_util.h"

/* what an item refuses with, and which waiver lets it pass */
typedef struct GateItem
{
	const char *item;
	int			sqlerrcode;
	const char *waiver;
} GateItem;

static const GateItem items[] = {
	{"approval", ERRCODE_MG_NOT_APPROVED, "approval"},
	{"window", ERRCODE_MG_OUTSIDE_WINDOW, "window"},
	{"backup", ERRCODE_MG_NO_BACKUP, "backup"},
	{"staging", ERRCODE_MG_NOT_STAGED, "staging"},
	{"soak", ERRCODE_MG_SOAKS, "soak"},
	{"checks", ERRCODE_MG_CHECK_FAILED, "checks"},
	{"naming", ERRCODE_MG_BAD_NAME, "naming"},
};

/* what stands in the way, in the caller's context */
typedef struct GateAnswer
{
	int			missing;
	int			sqlerrcode;		/* of the first */
	StringInfoData lines;
	StringInfoData hints;
} GateAnswer;

static Oid	asked_relid = InvalidOid;	/* the ledger that was looked at */
static bool asked = false;		/* is anything configured in it? */

static char *refuse(const RunRequest *request, PolicyEnvironment environment, const GateAnswer *answer);
static bool gate_configured(void);
static bool rule_is_set(void);
static void ask(const RunRequest *request, GateAnswer *answer);
static void warn(const RunRequest *request);
static void gate_arguments(const RunRequest *request, const char **args);
static void ask_checks(const RunRequest *request, PolicyEnvironment environment, GateAnswer *answer);
static void missing(const RunRequest *request, GateAnswer *answer, const char *item,
					const char *line, const char *hint);
static char *checksum_array(const RunRequest *request);

void
gate_init(void)
{
	invalidation_forget(&asked_relid);
}

/* See gate.h. */
char *
gate_check(const RunRequest *request, PolicyEnvironment environment)
{
	GateAnswer	answer = {0};

	policy_begin_run(request->version);
	initStringInfo(&answer.lines);
	initStringInfo(&answer.hints);
	if (gate_configured())
		ask(request, &answer);
	if (gate_configured() && request->action == RUN_APPLY)
		warn(request);
	if (request->action == RUN_APPLY)
		ask_checks(request, environment, &answer);

	return refuse(request, environment, &answer);
}

/* Raises what is missing, or returns it in a dry run; NULL when nothing is. */
static char *
refuse(const RunRequest *request, PolicyEnvironment environment, const GateAnswer *answer)
{
	const char *verb = request->action == RUN_APPLY ? "apply" : "roll back";
	bool		one_line = strchr(answer->lines.data, '\n') == NULL;

	if (answer->missing == 0)
		return NULL;
	if (request->dry_run)
		return answer->lines.data;
	if (one_line)
		ereport(ERROR,
				(errcode(answer->sqlerrcode),
				 errmsg("cannot %s \"%s\" in %s: %s", verb, request->version,
						policy_environment_name(environment), answer->lines.data),
				 errhint("%s", answer->hints.data)));
	ereport(ERROR,
			(errcode(answer->sqlerrcode),
			 errmsg_plural("cannot %s \"%s\" in %s: %d condition is not met",
						   "cannot %s \"%s\" in %s: %d conditions are not met", answer->missing,
						   verb, request->version, policy_environment_name(environment), answer->missing),
			 errdetail_internal("%s", answer->lines.data),
			 errhint("%s", answer->hints.data)));
}

/* See gate.h. */
char *
gate_names(const Run *run)
{
	const RunRequest *request = run->request;
	MemoryContext context = CurrentMemoryContext;
	GateAnswer	answer = {0};
	List	   *types = NIL,
			   *identities = NIL;
	const char *args[2];
	char	   *lines = NULL;
	RecordScope scope;
	ListCell   *lc;

	foreach(lc, run->effect->objects)
	{
		const GuardObject *object = lfirst(lc);

		if (strcmp(object->action, "created") != 0)
			continue;
		types = lappend(types, object->type);
		identities = lappend(identities, object->identity);
	}
	if (types == NIL || !gate_configured())
		return NULL;

	args[0] = OidOutputFunctionCall(F_ARRAY_OUT, run_text_array(types));
	args[1] = OidOutputFunctionCall(F_ARRAY_OUT, run_text_array(identities));
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT migmgr_internal.bad_names($1::pg_catalog.text[], $2::pg_catalog.text[]) AS lines",
			 SPI_OK_SELECT, 2, args);
	if (spi_text(0, "lines") != NULL)
		lines = MemoryContextStrdup(context, spi_text(0, "lines"));
	record_end(&scope);
	SPI_finish();
	if (lines == NULL)
		return NULL;

	initStringInfo(&answer.lines);
	initStringInfo(&answer.hints);
	missing(request, &answer, "naming", lines,
			"Name it otherwise, or take responsibility: SELECT migmgr.waive('naming', 'reason');");
	return refuse(request, run->environment, &answer);
}

/* Has anybody ever asked for anything?  Kept until a setting changes. */
static bool
gate_configured(void)
{
	static const char *const events[] = {"require approval", "approved", "rejected"};
	bool		found = false;
	Oid			relid = ledger_relid();

	if (asked_relid == relid)
		return asked;
	for (int i = 0; i < lengthof(events) && !found; i++)
		found = own_any(MIGMGR_SCHEMA, "ledger", "ledger_event", BTEqualStrategyNumber,
						CStringGetTextDatum(events[i]));
	asked = found || rule_is_set();
	asked_relid = relid;
	return asked;
}

/* Is any of the rules set that the gate asks about? */
static bool
rule_is_set(void)
{
	RecordScope scope;
	bool		found;

	if (!own_any(MIGMGR_SCHEMA, "ledger", "ledger_event", BTEqualStrategyNumber, CStringGetTextDatum("policy")))
		return false;
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT EXISTS (SELECT FROM migmgr.ledger AS l"
			 " WHERE l.event = 'policy' AND l.event NOT IN ('applied', 'rolled back')"
			 " AND l.detail::pg_catalog.jsonb ->> 'rule' IN"
			 " ('window', 'max_backup_age', 'require_staging', 'soak', 'preflight', 'four_eyes', 'naming')) AS found",
			 SPI_OK_SELECT, 0, NULL);
	found = spi_bool(0, "found", false);
	record_end(&scope);
	SPI_finish();
	return found;
}

/* Asks the ledger, under the APPLY lock; approvals answer "ask". */
static void
ask(const RunRequest *request, GateAnswer *answer)
{
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;
	const char *args[4];

	gate_arguments(request, args);
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT g.item, g.status, g.detail, g.hint FROM migmgr_internal.gate($1, $2::pg_catalog.text[], $3, $4,"
			 " pg_catalog.clock_timestamp()) AS g WHERE g.status = 'failed' OR g.item = 'approved'",
			 SPI_OK_SELECT, 4, args);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		const char *item = spi_text(row, "item");
		MemoryContext old = MemoryContextSwitchTo(context);

		if (strcmp(item, "approved") == 0)
			policy_set_approved(request->version);
		else
			missing(request, answer, item, spi_text(row, "detail"), spi_text(row, "hint"));
		MemoryContextSwitchTo(old);
	}
	record_end(&scope);
	SPI_finish();
}

/* What preflight() would warn of, where policy wants to hear it of apply, too. */
static void
warn(const RunRequest *request)
{
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT w.line, w.hint FROM migmgr_internal.preflight_warnings($1) AS w", SPI_OK_SELECT, 1, &request->version);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		char	   *hint = spi_text(row, "hint");

		ereport(WARNING,
				(errmsg("migration \"%s\": %s", request->version, spi_text(row, "line")),
				 hint ? errhint("%s", hint) : 0));
	}
	record_end(&scope);
	SPI_finish();
}

/* See gate.h. */
void
gate_approved(const RunRequest *request)
{
	RecordScope scope;
	const char *args[4];

	if (!gate_configured())
		return;
	gate_arguments(request, args);
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT g.item FROM migmgr_internal.gate_approvals($1, $2::pg_catalog.text[], $3, $4,"
			 " pg_catalog.clock_timestamp()) AS g WHERE g.item = 'approved'",
			 SPI_OK_SELECT, 4, args);
	if (SPI_processed > 0)
		policy_set_approved(request->version);
	record_end(&scope);
	SPI_finish();
}

/* See gate.h. */
void
gate_waivers(const RunRequest *request, PolicyEnvironment environment)
{
	RunRequest	again = *request;

	again.dry_run = true;
	(void) gate_check(&again, environment);
}

/* What the questions are about. */
static void
gate_arguments(const RunRequest *request, const char **args)
{
	args[0] = request->version;
	args[1] = checksum_array(request);
	args[2] = request->action == RUN_APPLY ? "apply" : "rollback";
	args[3] = GetUserNameFromId(GetSessionUserId(), false);
}

/* The team's own checks that are to hold before. */
static void
ask_checks(const RunRequest *request, PolicyEnvironment environment, GateAnswer *answer)
{
	List	   *results = checks_run("before", environment);
	char	   *failures = checks_failures(results);

	if (failures != NULL)
		missing(request, answer, "checks", failures, "SELECT name, sql, expect FROM migmgr.checks; shows what is checked.");
	if (!request->dry_run)
		checks_record(results, "before", request->version);
}

/* Takes in what is not met, unless it is waived. */
static void
missing(const RunRequest *request, GateAnswer *answer, const char *name, const char *line, const char *hint)
{
	const GateItem *item = NULL;

	for (int i = 0; i < lengthof(items); i++)
	{
		if (strcmp(items[i].item, name) == 0)
			item = &items[i];
	}
	if (item == NULL)
		elog(ERROR, "unexpected item \"%s\" of the gate", name);
	if (policy_waives(item->waiver, request->version))
	{
		ereport(WARNING,
				(errmsg("migration \"%s\": %s", request->version, line),
				 errdetail("It is waived.")));
		return;
	}
	if (answer->missing++ == 0)
		answer->sqlerrcode = item->sqlerrcode;
	else
		appendStringInfoChar(&answer->lines, '\n');
	appendStringInfoString(&answer->lines, line);
	if (hint != NULL && strstr(answer->hints.data, hint) == NULL)
		appendStringInfo(&answer->hints, "%s%s", answer->hints.len > 0 ? "\n" : "", hint);
}

/* The checksums by which an approval may name this text. */
static char *
checksum_array(const RunRequest *request)
{
	const char *remembered = remembered_checksum(request->version);
	StringInfoData array;

	initStringInfo(&array);
	appendStringInfo(&array, "{%s", request->checksum);
	if (request->received != NULL)
		appendStringInfo(&array, ",%s", request->received);
	/* of the bytes of the file, which apply() has compared with the text */
	if (remembered != NULL && request->sent != NULL && script_checksum_matches(request->sent, remembered))
		appendStringInfo(&array, ",%s", remembered);
	appendStringInfoChar(&array, '}');
	return array.data;
}
