/*
 * run_record.c
 *	  What a run leaves behind: texts, statements, objects, one ledger entry.
 *
 * Written last, as the owner of the ledger, with nothing of the caller's SQL
 * running any more.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/json.h"

#include "ledger.h"
#include "run.h"
#include "spi_util.h"

static void json_key(StringInfo json, const char *key);
static void json_text(StringInfo json, const char *key, const char *value);
static void json_int(StringInfo json, const char *key, int64 value);
static void json_list(StringInfo json, const char *key, const List *values);
static const char *write_script(const char *text, List **stored);
static void write_statements(const Run *run);
static void write_objects(const Run *run);
static char *entry_detail(const Run *run, const char *down, const char *verify, const List *stored);
static void json_lost(StringInfo json, const List *objects);

/* Appends `"key": ` to an object under construction. */
static void
json_key(StringInfo json, const char *key)
{
	if (json->data[json->len - 1] != '{' && json->data[json->len - 1] != '[')
		appendStringInfoString(json, ", ");
	escape_json(json, key);
	appendStringInfoString(json, ": ");
}

static void
json_text(StringInfo json, const char *key, const char *value)
{
	if (value == NULL)
		return;
	json_key(json, key);
	escape_json(json, value);
}

static void
json_int(StringInfo json, const char *key, int64 value)
{
	json_key(json, key);
	appendStringInfo(json, INT64_FORMAT, value);
}

static void
json_list(StringInfo json, const char *key, const List *values)
{
	ListCell   *lc;

	if (values == NIL)
		return;
	json_key(json, key);
	appendStringInfoChar(json, '[');
	foreach(lc, values)
	{
		if (lc != list_head(values))
			appendStringInfoString(json, ", ");
		escape_json(json, lfirst(lc));
	}
	appendStringInfoChar(json, ']');
}

/*
 * Records a finished run.  Fills run->seq.  Takes CHAIN (in ledger_append), so
 * nothing that can wait comes after it.
 */
void
run_record(Run *run)
{
	const RunRequest *request = run->request;
	LedgerEntry entry = {0};
	RecordScope scope;
	const char *down = NULL,
			   *verify = NULL;
	List	   *stored = NIL;

	SPI_connect();
	record_begin(&scope);
	(void) write_script(request->text, &stored);
	if (request->down != NULL)
		down = write_script(request->down, &stored);
	if (request->verify != NULL)
		verify = write_script(request->verify, &stored);
	record_end(&scope);

	entry.event = request->action == RUN_APPLY ? "applied" : "rolled back";
	entry.version = request->version;
	entry.name = request->name;
	entry.checksum = request->checksum;
	entry.detail = entry_detail(run, down, verify, stored);
	run->seq = ledger_append(&entry);

	record_begin(&scope);
	write_statements(run);
	write_objects(run);
	record_end(&scope);
	SPI_finish();
}

/*
 * Keeps a canonical text once; returns its checksum.  Passwords are redacted;
 * the checksum of what is kept instead goes to the end of stored, for the
 * chain to hold.
 */
static const char *
write_script(const char *text, List **stored)
{
	bool		redacted;
	const char *kept = script_redact(text, &redacted);
	const char *args[5];

	args[0] = script_checksum(text);
	args[1] = kept;
	args[2] = script_shape_hash(text);
	args[3] = redacted ? "true" : "false";
	args[4] = redacted ? script_checksum(kept) : args[0];
	if (redacted)
		*stored = lappend(*stored, unconstify(char *, args[4]));
	spi_exec("INSERT INTO migmgr_internal.script (checksum, text, shape, redacted, stored)"
			 " VALUES ($1, $2, $3, $4::pg_catalog.bool, $5) ON CONFLICT (checksum) DO NOTHING",
			 SPI_OK_INSERT, 5, args);
	return args[0];
}

static void
write_statements(const Run *run)
{
	const char *args[2];
	StringInfoData json;
	ListCell   *lc;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	foreach(lc, run->done)
	{
		const RunStatement *done = lfirst(lc);
		bool		redacted;

		if (lc != list_head(run->done))
			appendStringInfoString(&json, ", ");
		appendStringInfoChar(&json, '{');
		json_int(&json, "n", done->number);
		json_int(&json, "line", done->line);
		json_text(&json, "command", done->command);
		json_text(&json, "object", done->object);
		json_text(&json, "class", done->class);
		json_text(&json, "rule", done->rule);
		json_key(&json, "ms");
		appendStringInfo(&json, "%.3f", done->ms);
		if (done->rows >= 0)
			json_int(&json, "row_count", done->rows);
		json_text(&json, "sql", script_redact(done->text, &redacted));
		json_list(&json, "notices", done->notices);
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoChar(&json, ']');

	args[0] = psprintf(INT64_FORMAT, run->seq);
	args[1] = json.data;
	spi_exec("INSERT INTO migmgr_internal.statement (seq, n, line, command, object, class, rule, ms, row_count, sql, notices)"
			 " SELECT $1::pg_catalog.int8, s.* FROM pg_catalog.jsonb_to_recordset($2::pg_catalog.jsonb)"
			 " AS s (n pg_catalog.int4, line pg_catalog.int4, command pg_catalog.text, object pg_catalog.text,"
			 " class pg_catalog.text, rule pg_catalog.text, ms pg_catalog.numeric, row_count pg_catalog.int8,"
			 " sql pg_catalog.text, notices pg_catalog.text[])",
			 SPI_OK_INSERT, 2, args);
}

static void
write_objects(const Run *run)
{
	const char *args[2];
	StringInfoData json;
	ListCell   *lc;
	int			n = 0;

	if (run->effect->objects == NIL)
		return;
	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	foreach(lc, run->effect->objects)
	{
		const GuardObject *object = lfirst(lc);

		if (n++ > 0)
			appendStringInfoString(&json, ", ");
		appendStringInfoChar(&json, '{');
		json_int(&json, "n", n);
		json_text(&json, "action", object->action);
		json_text(&json, "type", object->type);
		json_text(&json, "identity", object->identity);
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoChar(&json, ']');

	args[0] = psprintf(INT64_FORMAT, run->seq);
	args[1] = json.data;
	spi_exec("INSERT INTO migmgr_internal.object (seq, n, action, type, identity)"
			 " SELECT $1::pg_catalog.int8, o.* FROM pg_catalog.jsonb_to_recordset($2::pg_catalog.jsonb)"
			 " AS o (n pg_catalog.int4, action pg_catalog.text, type pg_catalog.text, identity pg_catalog.text)",
			 SPI_OK_INSERT, 2, args);
}

/* The detail of the ledger entry, a JSON object. */
static char *
entry_detail(const Run *run, const char *down, const char *verify, const List *stored)
{
	const RunRequest *request = run->request;
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	json_text(&json, "environment", policy_environment_name(run->environment));
	json_text(&json, "class", class_name(run->class));
	json_int(&json, "statements", list_length(run->done));
	json_int(&json, "ms", (int64) run->ms);
	json_int(&json, "attempts", run->attempts);
	json_text(&json, "file", request->file);
	json_text(&json, "received", request->received);
	json_list(&json, "stored", stored);
	if (request->action == RUN_APPLY)
	{
		json_text(&json, "reversible", run->reversible);
		json_text(&json, "down", down);
		json_text(&json, "verify", verify);
		json_text(&json, "note", request->note);
		json_list(&json, "flags", request->flags);
		json_list(&json, "requires", request->requires);
	}
	else
	{
		json_int(&json, "undoes", request->undoes);
		json_text(&json, "reason", request->note);
		json_text(&json, "on_data", request->on_data == ON_DATA_DISCARD ? "discard" : "refuse");
		json_lost(&json, run->effect->objects);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* What data a rollback gave up, table by table and column by column. */
static void
json_lost(StringInfo json, const List *objects)
{
	ListCell   *lc;
	bool		first = true;

	foreach(lc, objects)
	{
		const GuardObject *object = lfirst(lc);

		if (object->data_count <= 0 || strcmp(object->action, "dropped") != 0)
			continue;
		if (first)
		{
			json_key(json, "lost");
			appendStringInfoChar(json, '{');
			first = false;
		}
		json_int(json, object->identity, object->data_count);
	}
	if (!first)
		appendStringInfoChar(json, '}');
}
