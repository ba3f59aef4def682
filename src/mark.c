/*
 * mark.c
 *	  Versions that count as applied, or no longer do, without a run.
 *
 * The decisions are made in SQL (sql/66_marks.sql), under the lock that apply
 * takes, so that none of them is made beside a run.  What is here gives that
 * SQL the lock and the entries, and nobody else: both functions belong to the
 * owner.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "errors.h"
#include "guc.h"
#include "ledger.h"
#include "lock.h"
#include "run.h"
#include "spi_util.h"

PG_FUNCTION_INFO_V1(migmgr_mark_begin);
PG_FUNCTION_INFO_V1(migmgr_mark);
PG_FUNCTION_INFO_V1(migmgr_keep_text);

/* events that say something about a version without running anything */
static const char *const mark_events[] = {
	"baseline", "captured", "checksum accepted", "imported", "marked applied", "marked reverted",
	"renamed", "renamed away", "superseded",
};

/*
 * mark_begin(function, reason): no run beside this one until the transaction
 * ends.  Raises what forbids to record here, and MG006 for a blank reason.
 */
Datum
migmgr_mark_begin(PG_FUNCTION_ARGS)
{
	char	   *function = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *reason = PG_ARGISNULL(1) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(1));

	run_begin(psprintf("migmgr.%s()", function));
	if (reason[strspn(reason, " \t\r\n\f\v")] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s() needs a reason", function),
				 errhint("It is kept in the ledger, for whoever reads it in a year.")));
	own_lock(LOCK_APPLY, guc_apply_wait);
	ledger_check_home();
	ledger_check_snapshot();
	PG_RETURN_VOID();
}

/* mark(event, version, name, checksum, detail): appends the entry; its seq. */
Datum
migmgr_mark(PG_FUNCTION_ARGS)
{
	LedgerEntry entry = {0};
	int			i = 0;

	entry.event = text_to_cstring(PG_GETARG_TEXT_PP(0));
	while (i < lengthof(mark_events) && strcmp(entry.event, mark_events[i]) != 0)
		i++;
	if (i == lengthof(mark_events))
		ereport(ERROR,
				(errcode(ERRCODE_MG_LEDGER_ROW),
				 errmsg("\"%s\" is not an event that marks a version", entry.event)));
	entry.version = text_to_cstring(PG_GETARG_TEXT_PP(1));
	entry.name = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	entry.checksum = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	entry.detail = JsonbToCString(NULL, &PG_GETARG_JSONB_P(4)->root, 0);
	PG_RETURN_INT64(ledger_append(&entry));
}

/*
 * keep_text(sql): keeps a script in canonical form.  An array of its checksum
 * and, where a password was redacted, the checksum of what is kept instead,
 * which the entry has to name.
 */
Datum
migmgr_keep_text(PG_FUNCTION_ARGS)
{
	char	   *sql = script_canonical(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;
	List	   *stored = NIL;
	char	   *kept = NULL;
	Datum		sums[2];

	SPI_connect();
	record_begin(&scope);
	(void) write_script(sql, &stored);
	if (stored != NIL)
		kept = MemoryContextStrdup(context, linitial(stored));
	record_end(&scope);
	SPI_finish();

	sums[0] = CStringGetTextDatum(script_checksum(sql));
	if (kept != NULL)
		sums[1] = CStringGetTextDatum(kept);
	PG_RETURN_ARRAYTYPE_P(construct_array(sums, kept == NULL ? 1 : 2, TEXTOID, -1, false, TYPALIGN_INT));
}
