/*
 * run_record.c
 *	  What a run leaves behind: texts, statements, objects, one ledger entry.
 *
 * Written last, as the owner of the ledger, with nothing of the caller's SQL
 * running any more.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "archive.h"
#include "foreign.h"
#include "inverse.h"
#include "ledger.h"
#include "migmgr.h"
#include "own_table.h"
#include "run.h"
#include "spi_util.h"

static void json_key(StringInfo json, const char *key);
static void json_text(StringInfo json, const char *key, const char *value);
static void json_int(StringInfo json, const char *key, int64 value);
static void json_list(StringInfo json, const char *key, const List *values);
static Datum numeric_of(double ms);
static void write_statements(const Run *run);
static void write_objects(const Run *run);
static char *entry_detail(const Run *run, const char *down, const char *derived, const char *verify, const List *stored,
						  const char *state);
static void json_archive(StringInfo json, const char *key, const Archive *archive);
static void json_counts(StringInfo json, const List *counts);
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
			   *derived = NULL,
			   *verify = NULL;
	List	   *stored = NIL;

	foreign_mirror(request);
	SPI_connect();
	record_begin(&scope);
	(void) write_script(request->text, &stored);
	if (request->down != NULL)
		down = write_script(request->down, &stored);
	if (request->verify != NULL)
		verify = write_script(request->verify, &stored);

	if (run->inverse != NULL && run->inverse->script != NULL && run->inverse->script[0] != '\0')
		derived = write_script(run->inverse->script, &stored);

	entry.event = request->repeatable ? "repeated" : request->action == RUN_APPLY ? "applied" : "rolled back";
	entry.version = request->version;
	entry.name = request->name;
	entry.checksum = request->checksum;
	entry.detail = entry_detail(run, down, derived, verify, stored, run_state(run));
	run->seq = ledger_append(&entry);

	write_statements(run);
	write_objects(run);
	inverse_record(run);
	record_end(&scope);
	SPI_finish();

	if (request->action == RUN_APPLY)
		replaces_record(request);
	else
		replaces_undo(request);
}

/*
 * Keeps a canonical text once; returns its checksum.  Passwords are redacted;
 * the checksum of what is kept instead goes to the end of stored, for the
 * chain to hold.  Recording, like the rest.
 */
const char *
write_script(const char *text, List **stored)
{
	bool		redacted;
	const char *kept = script_redact(text, &redacted);
	const char *checksum = script_checksum(text);
	const char *sum_of_kept = redacted ? script_checksum(kept) : checksum;
	OwnTable   *table = own_open(MIGMGR_INTERNAL, "script", RowExclusiveLock);

	if (redacted)
		*stored = lappend(*stored, unconstify(char *, sum_of_kept));
	own_scan(table, "script_pkey", ForwardScanDirection, BTEqualStrategyNumber,
			 CStringGetTextDatum(checksum));
	if (!own_next(table))
	{
		own_set_text(table, "checksum", checksum);
		own_set_text(table, "text", kept);
		own_set_text(table, "shape", script_shape_hash(text));
		own_set(table, "redacted", BoolGetDatum(redacted));
		own_set_text(table, "stored", sum_of_kept);
		own_insert(table);
	}
	own_close(table);
	return checksum;
}

/* The columns that tell of a statement, in a row to come. */
void
run_set_statement(OwnTable *table, const RunStatement *done)
{
	bool		redacted;

	own_set(table, "n", Int32GetDatum(done->number));
	own_set(table, "line", Int32GetDatum(done->line));
	own_set_text(table, "command", done->command);
	own_set_text(table, "object", done->object);
	own_set_text(table, "class", done->class);
	own_set_text(table, "rule", done->rule);
	own_set(table, "ms", numeric_of(done->ms));
	if (done->rows >= 0)
		own_set(table, "row_count", Int64GetDatum(done->rows));
	own_set_text(table, "sql", script_redact(done->text, &redacted));
	if (done->notices != NIL)
		own_set(table, "notices", run_text_array(done->notices));
}

static void
write_statements(const Run *run)
{
	OwnTable   *table = own_open(MIGMGR_INTERNAL, "statement", RowExclusiveLock);
	ListCell   *lc;

	foreach(lc, run->done)
	{
		const RunStatement *done = lfirst(lc);

		own_set(table, "seq", Int64GetDatum(run->seq));
		run_set_statement(table, done);
		own_insert(table);
	}
	own_close(table);
}

static void
write_objects(const Run *run)
{
	OwnTable   *table;
	ListCell   *lc;

	if (run->effect->objects == NIL)
		return;
	table = own_open(MIGMGR_INTERNAL, "object", RowExclusiveLock);
	foreach(lc, run->effect->objects)
	{
		const GuardObject *object = lfirst(lc);

		own_set(table, "seq", Int64GetDatum(run->seq));
		own_set(table, "n", Int32GetDatum(foreach_current_index(lc) + 1));
		own_set_text(table, "action", object->action);
		own_set_text(table, "type", object->type);
		own_set_text(table, "identity", object->identity);
		if (OidIsValid(object->objid) && strcmp(object->action, "dropped") != 0)
		{
			own_set(table, "classid", ObjectIdGetDatum(object->classid));
			own_set(table, "objid", ObjectIdGetDatum(object->objid));
		}
		own_insert(table);
	}
	own_close(table);
}

/* Milliseconds with three places, as a numeric. */
static Datum
numeric_of(double ms)
{
	return DirectFunctionCall3(numeric_in, CStringGetDatum(psprintf("%.3f", ms)),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

/* A List of char * as an array of text. */
Datum
run_text_array(const List *texts)
{
	Datum	   *values = palloc(sizeof(Datum) * list_length(texts));
	ListCell   *lc;

	foreach(lc, texts)
		values[foreach_current_index(lc)] = CStringGetTextDatum(lfirst(lc));
	return PointerGetDatum(construct_array(values, list_length(texts), TEXTOID, -1, false, TYPALIGN_INT));
}

/* The detail of the ledger entry, a JSON object. */
static char *
entry_detail(const Run *run, const char *down, const char *derived, const char *verify, const List *stored,
			 const char *state)
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
	json_list(&json, "waits", run->recorded_waits);
	json_text(&json, "file", request->file);
	if (request->online)
		json_text(&json, "online", "yes");
	json_text(&json, "received", request->received);
	json_list(&json, "stored", stored);
	if (state != NULL)
	{
		json_key(&json, "state");
		appendStringInfoString(&json, state);
	}
	json_counts(&json, run->counts);
	if (request->action == RUN_APPLY)
	{
		json_text(&json, "reversible", run->reversible);
		json_text(&json, "down", down);
		json_text(&json, "derived", derived);
		json_text(&json, "verify", verify);
		json_text(&json, "note", request->note);
		json_list(&json, "flags", request->flags);
		json_list(&json, "requires", request->requires);
		json_list(&json, "replaces", request->replaces);
		json_archive(&json, "brought_back", run->archive);
	}
	else
	{
		json_int(&json, "undoes", request->undoes);
		json_text(&json, "reason", request->note);
		json_text(&json, "on_data", request->on_data == ON_DATA_DISCARD ? "discard" :
				  request->on_data == ON_DATA_ARCHIVE ? "archive" : "refuse");
		json_archive(&json, "archive", run->archive);
		json_lost(&json, run->effect->objects);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* What was put away or came back; nothing where there is nothing to say. */
static void
json_archive(StringInfo json, const char *key, const Archive *archive)
{
	if (archive == NULL || archive->parts == NIL)
		return;
	json_key(json, key);
	archive_json(json, archive);
}

/* Rows of each table: before where it is known and was there, and after. */
static void
json_counts(StringInfo json, const List *counts)
{
	ListCell   *lc;

	if (counts == NIL)
		return;
	json_key(json, "counts");
	appendStringInfoChar(json, '[');
	foreach(lc, counts)
	{
		const RunCount *count = lfirst(lc);

		appendStringInfoString(json, lc == list_head(counts) ? "{" : ", {");
		json_text(json, "table", count->table);
		if (count->before >= 0)
			json_int(json, "before", count->before);
		else if (count->before == -1)
			json_text(json, "new", "true");
		json_int(json, "after", count->after);
		if (count->estimated)
			json_text(json, "estimated", "true");
		appendStringInfoChar(json, '}');
	}
	appendStringInfoChar(json, ']');
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
