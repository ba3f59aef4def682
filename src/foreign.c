/*
 * foreign.c
 *	  History tables of other tools: import_history() and mirror_history().
 *
 * What is known about them is sql/66_import.sql.  Here is where the rights
 * change: such a table may be a view over anything and have any trigger, so it
 * is read and written as the caller, and only what came out of it is recorded
 * as the owner.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/pg_crc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "errors.h"
#include "foreign.h"
#include "guc.h"
#include "ledger.h"
#include "lock.h"
#include "migmgr.h"
#include "own_table.h"
#include "run.h"
#include "spi_util.h"

#define NUM_STEP_ARGS 6			/* version, name, checksum, text, file,
								 * Flyway's checksum */

/* one history table, and the SQL for it; NULL where it cannot be written */
typedef struct ForeignTable
{
	char	   *tool;
	char	   *name;
	char	   *query;
	char	   *add;
	char	   *remove;
} ForeignTable;

PG_FUNCTION_INFO_V1(migmgr_import_history);
PG_FUNCTION_INFO_V1(migmgr_mirror_history);
PG_FUNCTION_INFO_V1(migmgr_flyway_checksum);

static ForeignTable *foreign_table(const char *oid);
static char *keep(MemoryContext context, const char *text);
static char *read_rows(const ForeignTable *table);
static void caller_exec(const char *sql, int nargs, const char *const *args);
static void mirror_sync(const ForeignTable *table, int *added, int *removed);
static char *flyway_checksum(const char *sql);
static char *mirror_detail(const ForeignTable *table);

/* import_history(source): a summary, and a row per version */
Datum
migmgr_import_history(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	static const char *const columns[] = {"version", "name", "status", "environment", "detail"};
	ForeignTable *table;
	const char *args[3];
	RecordScope scope;

	run_begin("migmgr.import_history()");
	own_lock(LOCK_APPLY, guc_apply_wait);
	ledger_check_home();
	ledger_check_snapshot();
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);

	table = foreign_table(PG_ARGISNULL(0) ? NULL : psprintf("%u", PG_GETARG_OID(0)));
	args[0] = table->tool;
	args[1] = table->name;
	args[2] = read_rows(table);
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT r.version, r.name, r.status, r.environment, r.detail"
			 " FROM migmgr_internal.import_rows($1, $2, $3::pg_catalog.jsonb) AS r",
			 SPI_OK_SELECT, 3, args);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		Datum		values[lengthof(columns)] = {0};
		bool		nulls[lengthof(columns)] = {0};

		for (int i = 0; i < lengthof(columns); i++)
		{
			char	   *text = spi_text(row, columns[i]);

			nulls[i] = text == NULL;
			values[i] = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
		}
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	record_end(&scope);
	SPI_finish();
	return (Datum) 0;
}

/* mirror_history(history_table): one row */
Datum
migmgr_mirror_history(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LedgerEntry entry = {.event = "mirror"};
	Datum		values[5] = {0};
	bool		nulls[5] = {0};
	ForeignTable *table = NULL;
	int			added = 0,
				removed = 0;

	run_begin("migmgr.mirror_history()");
	own_lock(LOCK_APPLY, guc_apply_wait);
	ledger_check_home();
	ledger_check_snapshot();
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);

	if (!PG_ARGISNULL(0))
	{
		table = foreign_table(psprintf("%u", PG_GETARG_OID(0)));
		if (table->add == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_MG_FOREIGN),
					 errmsg("cannot keep the history table of %s in step", table->tool),
					 errdetail("%s keeps what migmgr cannot make up.", table->name),
					 errhint("It can be imported: SELECT * FROM migmgr.import_history('%s');", table->name)));
		mirror_sync(table, &added, &removed);
	}
	entry.detail = mirror_detail(table);
	(void) ledger_append(&entry);

	nulls[0] = nulls[1] = table == NULL;
	values[0] = table == NULL ? (Datum) 0 : CStringGetTextDatum(table->name);
	values[1] = table == NULL ? (Datum) 0 : CStringGetTextDatum(table->tool);
	values[2] = Int32GetDatum(added);
	values[3] = Int32GetDatum(removed);
	values[4] = CStringGetTextDatum(table == NULL ? "no history table is kept in step" :
									"apply and rollback write to it from now on");
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	return (Datum) 0;
}

/* See foreign.h. */
void
foreign_mirror(const RunRequest *request)
{
	const char *args[NUM_STEP_ARGS] = {
		request->version, request->name, request->checksum, request->text, request->file,
		flyway_checksum(request->text),
	};
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;
	ForeignTable *table;
	char	   *name,
			   *oid;
	bool		late;
	int			added = 0,
				removed = 0;

	if (!own_any(MIGMGR_SCHEMA, "ledger", "ledger_event", BTEqualStrategyNumber,
				 CStringGetTextDatum("mirror")))
		return;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT m.name, pg_catalog.to_regclass(m.name)::pg_catalog.oid AS oid, migmgr_internal.mirror_is_late() AS late"
			 " FROM migmgr_internal.mirror_table() AS m(name)", SPI_OK_SELECT, 0, NULL);
	name = keep(context, spi_text(0, "name"));
	oid = keep(context, spi_text(0, "oid"));
	late = spi_bool(0, "late", false);
	record_end(&scope);
	SPI_finish();
	if (name == NULL)
		return;
	if (oid == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_FOREIGN),
				 errmsg("cannot keep %s in step: it does not exist any more", name),
				 errhint("To go on without: SELECT * FROM migmgr.mirror_history(NULL);")));

	table = foreign_table(oid);
	/* marks are made with the owner's rights, so they wait for a run */
	if (late)
		mirror_sync(table, &added, &removed);
	SPI_connect();
	caller_exec(request->action == RUN_APPLY ? table->add : table->remove, NUM_STEP_ARGS, args);
	SPI_finish();
}

/*
 * What kind of table this is; the only one there is for NULL.  Raises MG227
 * when it is of no kind that is known.
 */
static ForeignTable *
foreign_table(const char *oid)
{
	MemoryContext context = CurrentMemoryContext;
	ForeignTable *table = palloc(sizeof(ForeignTable));
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT f.tool, f.source_name, f.query, f.add, f.remove"
			 " FROM migmgr_internal.foreign_format(COALESCE($1::pg_catalog.oid, migmgr_internal.foreign_table())) AS f",
			 SPI_OK_SELECT, 1, &oid);
	table->tool = keep(context, spi_text(0, "tool"));
	table->name = keep(context, spi_text(0, "source_name"));
	table->query = keep(context, spi_text(0, "query"));
	table->add = keep(context, spi_text(0, "add"));
	table->remove = keep(context, spi_text(0, "remove"));
	record_end(&scope);
	SPI_finish();
	return table;
}

static char *
keep(MemoryContext context, const char *text)
{
	return text == NULL ? NULL : MemoryContextStrdup(context, text);
}

/* The rows of the table as a JSON array, read as the caller. */
static char *
read_rows(const ForeignTable *table)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *rows;

	SPI_connect();
	caller_exec(psprintf("SELECT COALESCE(jsonb_agg(to_jsonb(q)), '[]') AS rows FROM (%s) AS q", table->query), 0, NULL);
	rows = keep(context, spi_text(0, "rows"));
	SPI_finish();
	return rows;
}

/*
 * Runs one statement as the caller, with nothing but the catalog in its path.
 * Connected to SPI.
 */
static void
caller_exec(const char *sql, int nargs, const char *const *args)
{
	Oid			types[NUM_STEP_ARGS];
	Datum		values[NUM_STEP_ARGS];
	char		nulls[NUM_STEP_ARGS];
	int			nestlevel = NewGUCNestLevel();
	int			result;

	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	for (int i = 0; i < nargs; i++)
	{
		types[i] = TEXTOID;
		nulls[i] = args[i] == NULL ? 'n' : ' ';
		values[i] = args[i] == NULL ? (Datum) 0 : CStringGetTextDatum(args[i]);
	}
	result = SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "SPI returned %s for: %s", SPI_result_code_string(result), sql);
	AtEOXact_GUC(true, nestlevel);
}

/* Makes the table say what the ledger says. */
static void
mirror_sync(const ForeignTable *table, int *added, int *removed)
{
	const char *rows = read_rows(table);
	MemoryContext context = CurrentMemoryContext;
	List	   *steps = NIL;
	RecordScope scope;
	ListCell   *lc;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT s.version, s.name, s.checksum, s.sql, s.file, s.done"
			 " FROM migmgr_internal.mirror_steps($1::pg_catalog.jsonb) AS s",
			 SPI_OK_SELECT, 1, &rows);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		static const char *const columns[] = {"version", "name", "checksum", "sql", "file", "done"};
		MemoryContext old = MemoryContextSwitchTo(context);
		char	  **step = palloc(sizeof(char *) * lengthof(columns));

		for (int i = 0; i < lengthof(columns); i++)
			step[i] = keep(context, spi_text(row, columns[i]));
		steps = lappend(steps, step);
		MemoryContextSwitchTo(old);
	}
	record_end(&scope);

	foreach(lc, steps)
	{
		const char *const *step = lfirst(lc);
		bool		done = step[NUM_STEP_ARGS - 1][0] == 't';
		const char *args[NUM_STEP_ARGS];

		memcpy(args, step, sizeof(args));
		args[NUM_STEP_ARGS - 1] = args[3] == NULL ? NULL : flyway_checksum(args[3]);
		caller_exec(done ? table->add : table->remove, NUM_STEP_ARGS, args);
		*(done ? added : removed) += 1;
	}
	SPI_finish();
}

static char *
mirror_detail(const ForeignTable *table)
{
	StringInfoData json;

	if (table == NULL)
		return "{\"table\": null}";
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"table\": ");
	escape_json(&json, table->name);
	appendStringInfoString(&json, ", \"tool\": ");
	escape_json(&json, table->tool);
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* migmgr_internal.flyway_checksum(sql) */
Datum
migmgr_flyway_checksum(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32((int32) strtol(flyway_checksum(text_to_cstring(PG_GETARG_TEXT_PP(0))), NULL, 10));
}

/*
 * CRC-32 over the lines of a text without their ends, as a signed number; a
 * byte order mark does not count.
 */
static char *
flyway_checksum(const char *sql)
{
	pg_crc32	crc;

	if (strncmp(sql, "\xEF\xBB\xBF", 3) == 0)
		sql += 3;
	INIT_TRADITIONAL_CRC32(crc);
	while (*sql != '\0')
	{
		size_t		length = strcspn(sql, "\r\n");

		COMP_TRADITIONAL_CRC32(crc, sql, length);
		sql += length;
		sql += strspn(sql, "\r\n");
	}
	FIN_TRADITIONAL_CRC32(crc);
	return psprintf("%d", (int32) crc);
}
