/*
 * run_history.c
 *	  What the ledger says about a version, and whether it is its turn.
 *
 * Everything here is asked after the APPLY lock was taken, with a snapshot
 * newer than the lock, so the answers hold until the run is recorded.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/json.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "errors.h"
#include "ledger.h"
#include "migmgr.h"
#include "online.h"
#include "own_table.h"
#include "run.h"
#include "spi_util.h"

/* what stands in the way of a version; NULL what does not */
typedef struct OrderAnswer
{
	char	   *same;			/* version with the same content */
	char	   *later;			/* version after it that is applied */
	char	   *baseline;		/* that version, if it is a baseline */
	char	   *failed;			/* version before it that failed, and with
								 * what */
	char	   *message;
	const char *missing;		/* version before it that compare_files()
								 * knows */
} OrderAnswer;

static char *keep(MemoryContext context, char *text);
static char *json_array(const List *texts);
static bool order_in_doubt(const RunRequest *request);
static void ask_order(const RunRequest *request, OrderAnswer *answer);
static void check_requires(const RunRequest *request);

/* Copies a value of the SPI context into the caller's; NULL stays NULL. */
static char *
keep(MemoryContext context, char *text)
{
	return text == NULL ? NULL : MemoryContextStrdup(context, text);
}

/* A List of char * as a JSON array. */
static char *
json_array(const List *texts)
{
	StringInfoData json;
	ListCell   *lc;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	foreach(lc, texts)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoString(&json, ", ");
		escape_json(&json, lfirst(lc));
	}
	appendStringInfoChar(&json, ']');
	return json.data;
}

/* The last thing that happened to a version; event is NULL when nothing did. */
VersionState *
version_state(const char *version)
{
	MemoryContext context = CurrentMemoryContext;
	VersionState *state = palloc0(sizeof(VersionState));
	RecordScope scope;

	if (!own_any(MIGMGR_SCHEMA, "ledger", "ledger_version", BTEqualStrategyNumber,
				 CStringGetTextDatum(version)))
		return state;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT l.event, l.event IN (" DONE_EVENTS ") AS done,"
			 " COALESCE((d.detail ->> 'origin')::pg_catalog.int8, l.seq) AS seq, l.name, l.checksum,"
			 " COALESCE(d.detail ->> 'applied_by', l.role) AS role,"
			 " pg_catalog.to_char(COALESCE((d.detail ->> 'applied_at')::pg_catalog.timestamptz, l.at),"
			 "   'YYYY-MM-DD HH24:MI:SS TZ') AS at,"
			 " d.detail ->> 'class' AS class, d.detail ->> 'reversible' AS reversible, d.detail ->> 'down' AS down,"
			 " d.detail ->> 'derived' AS derived, d.detail ->> 'online' AS online,"
			 " d.detail ->> 'statements' AS statements, d.detail ->> 'ms' AS ms"
			 " FROM migmgr.ledger AS l CROSS JOIN LATERAL (SELECT l.detail::pg_catalog.jsonb AS detail) AS d"
			 " WHERE l.version = $1 AND l.event IN (" DONE_EVENTS ", " UNDONE_EVENTS ")"
			 " ORDER BY l.seq DESC LIMIT 1",
			 SPI_OK_SELECT, 1, &version);
	if (SPI_processed > 0)
	{
		state->event = keep(context, spi_text(0, "event"));
		state->done = spi_bool(0, "done", false);
		state->seq = spi_int64(0, "seq", 0);
		state->name = keep(context, spi_text(0, "name"));
		state->checksum = keep(context, spi_text(0, "checksum"));
		state->at = keep(context, spi_text(0, "at"));
		state->role = keep(context, spi_text(0, "role"));
		state->class = keep(context, spi_text(0, "class"));
		state->reversible = keep(context, spi_text(0, "reversible"));
		state->down = keep(context, spi_text(0, "down"));
		state->derived = keep(context, spi_text(0, "derived"));
		state->online = spi_text(0, "online") != NULL;
		state->statements = spi_int64(0, "statements", 0);
		state->ms = spi_int64(0, "ms", 0);
	}
	record_end(&scope);
	SPI_finish();
	return state;
}

/*
 * Raises when it is not this version's turn: the same content is applied under
 * another version (MG008), a version after it is applied (MG202), one before
 * it failed or is known and missing (MG203).
 */
void
check_order(const RunRequest *request)
{
	OrderAnswer answer = {0};

	online_check_order(request);
	if (order_in_doubt(request))
		ask_order(request, &answer);
	answer.missing = remembered_missing(request);

	if (answer.same != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_SAME_CONTENT),
				 errmsg("migration \"%s\" has the same content as version \"%s\", which is applied",
						request->version, answer.same),
				 errdetail("Both have checksum %s.", request->checksum),
				 errhint("Drop one of the two files, or change the text if it really is to run twice.")));
	if (answer.failed != NULL && !request->options.skip_failed)
		ereport(ERROR,
				(errcode(ERRCODE_MG_EARLIER_FAILED),
				 errmsg("cannot apply \"%s\": version \"%s\" before it failed and is not applied",
						request->version, answer.failed),
				 errdetail("Its last attempt: %s", answer.message),
				 errhint("Apply \"%s\" first, or pass options => '{\"skip_failed\": true}' once to leave it out for good.", answer.failed)));
	if (answer.missing != NULL && !request->options.skip_failed)
		ereport(ERROR,
				(errcode(ERRCODE_MG_EARLIER_FAILED),
				 errmsg("cannot apply \"%s\": version \"%s\" before it is known and not applied",
						request->version, answer.missing),
				 errdetail("compare_files() has seen a file of version \"%s\".", answer.missing),
				 errhint("Apply \"%s\" first, or pass options => '{\"skip_failed\": true}' to leave it out.", answer.missing)));
	if (answer.later != NULL && !request->options.allow_out_of_order)
		ereport(ERROR,
				(errcode(ERRCODE_MG_OUT_OF_ORDER),
				 errmsg("cannot apply \"%s\": version \"%s\", which comes after it, is applied already",
						request->version, answer.later),
				 answer.baseline ? errdetail("It is a baseline: what comes before it counts as applied.") : 0,
				 errhint("Give it a later version, or pass options => '{\"allow_out_of_order\": true}'.")));
	check_requires(request);
}

/*
 * Can there be anything in the way?  Nearly always there is nothing, and three
 * looks at an index tell.
 */
static bool
order_in_doubt(const RunRequest *request)
{
	Datum		key = CStringGetTextDatum(script_version_key(request->version));

	return own_any(MIGMGR_SCHEMA, "ledger", "ledger_content", BTEqualStrategyNumber,
				   CStringGetTextDatum(request->checksum)) ||
		own_any(MIGMGR_SCHEMA, "ledger", "ledger_order", BTGreaterStrategyNumber, key) ||
		own_any(MIGMGR_INTERNAL, "attempt", "attempt_order", BTLessStrategyNumber, key);
}

/* What is in the way, if anything is; in the current context. */
static void
ask_order(const RunRequest *request, OrderAnswer *answer)
{
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;
	const char *args[3] = {request->version, request->checksum, json_array(request->replaces)};

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT (SELECT l.version FROM migmgr.ledger AS l WHERE l.checksum = $2 AND l.event IN (" DONE_EVENTS ")"
			 "   AND l.version <> $1 AND NOT EXISTS (SELECT FROM migmgr.ledger AS r WHERE r.version = l.version"
			 "     AND r.seq > l.seq AND r.event IN (" DONE_EVENTS ", " UNDONE_EVENTS ")) LIMIT 1) AS same,"
			 " n.version AS later, CASE n.event WHEN 'baseline' THEN n.version END AS baseline,"
			 " f.version AS failed, f.message"
			 " FROM (VALUES (true)) AS v LEFT JOIN (SELECT l.version, l.event FROM migmgr.ledger AS l"
			 "   WHERE l.event IN (" DONE_EVENTS ")"
			 "   AND migmgr_internal.version_key(l.version) > migmgr_internal.version_key($1)"
			 "   AND NOT EXISTS (SELECT FROM migmgr.ledger AS r WHERE r.version = l.version"
			 "     AND r.seq > l.seq AND r.event IN (" DONE_EVENTS ", " UNDONE_EVENTS "))"
			 "   ORDER BY migmgr_internal.version_key(l.version) LIMIT 1) AS n ON true"
			 " LEFT JOIN (SELECT a.version, a.message FROM migmgr_internal.attempt AS a"
			 "   WHERE a.action = 'apply' AND NOT $3::pg_catalog.jsonb OPERATOR(pg_catalog.?) a.version"
			 "   AND migmgr_internal.version_key(a.version) < migmgr_internal.version_key($1)"
			 "   AND NOT EXISTS (SELECT FROM migmgr.ledger AS l WHERE l.at > a.at AND (l.version = a.version"
			 "     AND l.event IN (" DONE_EVENTS ", " UNDONE_EVENTS ", 'withdrawn') OR l.event IN (" DONE_EVENTS ")"
			 "     AND migmgr_internal.version_key(l.version) > migmgr_internal.version_key(a.version)))"
			 "   ORDER BY migmgr_internal.version_key(a.version), a.at DESC LIMIT 1) AS f ON true",
			 SPI_OK_SELECT, 3, args);
	answer->same = keep(context, spi_text(0, "same"));
	answer->later = keep(context, spi_text(0, "later"));
	answer->baseline = keep(context, spi_text(0, "baseline"));
	answer->failed = keep(context, spi_text(0, "failed"));
	answer->message = keep(context, spi_text(0, "message"));
	record_end(&scope);
	SPI_finish();
}

/*
 * The baseline that covers a version: the version itself or the first one
 * after it; NULL when there is none.
 */
char *
version_baseline(const char *version)
{
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;
	char	   *baseline = NULL;

	if (!own_any(MIGMGR_SCHEMA, "ledger", "ledger_event", BTEqualStrategyNumber,
				 CStringGetTextDatum("baseline")))
		return NULL;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT b.version FROM migmgr.ledger AS b WHERE b.event = 'baseline'"
			 " AND migmgr_internal.version_key(b.version) >= migmgr_internal.version_key($1)"
			 " AND NOT EXISTS (SELECT FROM migmgr.ledger AS r WHERE r.version = b.version"
			 "   AND r.seq > b.seq AND r.event IN (" DONE_EVENTS ", " UNDONE_EVENTS "))"
			 " ORDER BY migmgr_internal.version_key(b.version) LIMIT 1",
			 SPI_OK_SELECT, 1, &version);
	if (SPI_processed > 0)
		baseline = keep(context, spi_text(0, "version"));
	record_end(&scope);
	SPI_finish();
	return baseline;
}

/*
 * Has somebody accepted one of the two checksums (received may be NULL) for
 * the version as it was applied at entry seq?
 */
bool
version_accepts(const char *version, int64 seq, const char *checksum, const char *received)
{
	const char *args[4] = {version, psprintf(INT64_FORMAT, seq), checksum, received};
	RecordScope scope;
	bool		accepted;

	if (!own_any(MIGMGR_SCHEMA, "ledger", "ledger_event", BTEqualStrategyNumber,
				 CStringGetTextDatum("checksum accepted")))
		return false;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT l.seq FROM migmgr.ledger AS l WHERE l.version = $1 AND l.event = 'checksum accepted'"
			 " AND l.seq > $2::pg_catalog.int8 AND l.checksum IN ($3, $4) LIMIT 1",
			 SPI_OK_SELECT, 4, args);
	accepted = SPI_processed > 0;
	record_end(&scope);
	SPI_finish();
	return accepted;
}

/* Raises MG203 when a version that the file requires is not applied. */
static void
check_requires(const RunRequest *request)
{
	ListCell   *lc;

	foreach(lc, request->requires)
	{
		const char *version = lfirst(lc);
		VersionState *state = version_state(version);

		if (!state->done && version_baseline(version) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_MG_EARLIER_FAILED),
					 errmsg("cannot apply \"%s\": it requires version \"%s\", which is not applied",
							request->version, version),
					 errhint("Apply \"%s\" first.", version)));
	}
}

/* The texts of the entry that applied a version last; there is one. */
AppliedTexts *
applied_texts(const char *version)
{
	MemoryContext context = CurrentMemoryContext;
	AppliedTexts *texts = palloc0(sizeof(AppliedTexts));
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT l.checksum AS up, d.detail ->> 'file' AS file, d.detail ->> 'down' AS down, d.detail ->> 'verify' AS verify"
			 " FROM migmgr.ledger AS l CROSS JOIN LATERAL (SELECT l.detail::pg_catalog.jsonb AS detail) AS d"
			 " WHERE l.version = $1 AND l.event = 'applied' ORDER BY l.seq DESC LIMIT 1",
			 SPI_OK_SELECT, 1, &version);
	texts->up = keep(context, spi_text(0, "up"));
	texts->file = keep(context, spi_text(0, "file"));
	texts->down = keep(context, spi_text(0, "down"));
	texts->verify = keep(context, spi_text(0, "verify"));
	record_end(&scope);
	SPI_finish();
	return texts;
}

/* The kept text of a script; raises when it is gone. */
char *
script_text(const char *checksum, bool *redacted)
{
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;
	char	   *text = NULL;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT s.text, s.redacted FROM migmgr_internal.script AS s WHERE s.checksum = $1",
			 SPI_OK_SELECT, 1, &checksum);
	if (SPI_processed > 0)
	{
		text = keep(context, spi_text(0, "text"));

		*redacted = spi_bool(0, "redacted", false);
	}
	record_end(&scope);
	SPI_finish();
	if (text == NULL || (!*redacted && strcmp(script_checksum(text), checksum) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_MG_LEDGER_CHAIN),
				 errmsg(text == NULL ? "the text of script %s is missing" : "the text of script %s was edited", checksum),
				 errhint("SELECT * FROM migmgr.verify(); shows what else is missing.")));
	return text;
}

/* Does a recorded script differ from text in comments and white space only? */
bool
same_shape(const char *checksum, const char *text)
{
	const char *args[2] = {checksum, script_shape_hash(text)};
	RecordScope scope;
	bool		same;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT s.checksum FROM migmgr_internal.script AS s WHERE s.checksum = $1 AND s.shape = $2",
			 SPI_OK_SELECT, 2, args);
	same = SPI_processed > 0;
	record_end(&scope);
	SPI_finish();
	return same;
}

/*
 * "type identity" of all that the entry at seq created or replaced, and if
 * changed is true of what it changed too.
 */
List *
version_objects(int64 seq, bool changed)
{
	MemoryContext context = CurrentMemoryContext;
	const char *args[2] = {psprintf(INT64_FORMAT, seq), changed ? "true" : "false"};
	RecordScope scope;
	List	   *objects = NIL;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT pg_catalog.concat(o.type, ' ', o.identity) AS object FROM migmgr_internal.object AS o"
			 " WHERE o.seq = $1::pg_catalog.int8 AND (o.action IN ('created', 'replaced')"
			 " OR o.action = 'changed' AND $2::pg_catalog.bool) ORDER BY o.n",
			 SPI_OK_SELECT, 2, args);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *object = keep(context, spi_text(i, "object"));
		MemoryContext old = MemoryContextSwitchTo(context);

		objects = lappend(objects, object);
		MemoryContextSwitchTo(old);
	}
	record_end(&scope);
	SPI_finish();
	return objects;
}

/*
 * What versions applied after the one that is rolled back made of the objects
 * it has dropped, or in them: one line each, and the last of the versions; or
 * NULL.
 */
char *
later_versions(const RunRequest *request, const List *objects, char **newest)
{
	MemoryContext context = CurrentMemoryContext;
	const char *args[3];
	RecordScope scope;
	StringInfoData dropped;
	char	   *result = NULL;
	ListCell   *lc;

	initStringInfo(&dropped);
	appendStringInfoChar(&dropped, '[');
	foreach(lc, objects)
	{
		const GuardObject *object = lfirst(lc);

		if (strcmp(object->action, "dropped") != 0)
			continue;
		if (dropped.len > 1)
			appendStringInfoString(&dropped, ", ");
		escape_json(&dropped, object->identity);
	}
	appendStringInfoChar(&dropped, ']');

	args[0] = request->version;
	args[1] = psprintf(INT64_FORMAT, request->undoes);
	args[2] = dropped.data;
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT pg_catalog.string_agg(DISTINCT pg_catalog.format('Version \"%s\", applied after it, made %s %s.',"
			 " l.version, o.type, o.identity), E'\\n') AS lines,"
			 " (pg_catalog.array_agg(l.version ORDER BY l.seq DESC))[1] AS newest"
			 " FROM pg_catalog.jsonb_array_elements_text($3::pg_catalog.jsonb) AS d (identity)"
			 " JOIN migmgr_internal.object AS o ON o.identity = d.identity"
			 "   OR pg_catalog.starts_with(o.identity, pg_catalog.concat(d.identity, '.'))"
			 "   OR pg_catalog.right(o.identity, pg_catalog.length(d.identity) + 4) = pg_catalog.concat(' on ', d.identity)"
			 " JOIN migmgr.ledger AS l ON l.seq = o.seq"
			 " WHERE o.seq > $2::pg_catalog.int8 AND o.action IN ('created', 'replaced')"
			 " AND l.event = 'applied' AND l.version <> $1 AND NOT EXISTS (SELECT FROM migmgr.ledger AS r"
			 "   WHERE r.version = l.version AND r.seq > l.seq AND r.event IN (" UNDONE_EVENTS "))",
			 SPI_OK_SELECT, 3, args);
	result = keep(context, spi_text(0, "lines"));
	*newest = keep(context, spi_text(0, "newest"));
	record_end(&scope);
	SPI_finish();
	return result;
}

/*
 * The same when a DROP of the rollback was refused because something depends
 * on what it drops; looked for in the schema as it is, after the undo.
 */
char *
later_dependents(const RunRequest *request, char **newest)
{
	MemoryContext context = CurrentMemoryContext;
	const char *args[1] = {psprintf(INT64_FORMAT, request->undoes)};
	RecordScope scope;
	char	   *result = NULL;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT d.lines, d.newest FROM migmgr_internal.rollback_dependents($1::pg_catalog.int8) AS d",
			 SPI_OK_SELECT, 1, args);
	if (SPI_processed > 0)
	{
		result = keep(context, spi_text(0, "lines"));
		*newest = keep(context, spi_text(0, "newest"));
	}
	record_end(&scope);
	SPI_finish();
	return result;
}
