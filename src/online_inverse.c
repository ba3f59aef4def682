/*
 * online_inverse.c
 *	  The way back of a script that runs online, statement by statement.
 *
 * What a statement in a transaction of its own has done is found as it is for a
 * whole script.  Of one that commits while it runs, what it is about is
 * described before and after.  Each is written down with its statement; put
 * together from the last to the first they are the way back.  It is not tried:
 * that would be building everything again.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "inverse.h"
#include "ledger.h"
#include "online.h"
#include "spi_util.h"

static char *kept_text(MemoryContext context, uint64 row, const char *column);

/* See online.h. */
void
online_find_inverse(const Run *run, const GuardResult *effect, const RunStatement *done, OnlineInverse *result)
{
	Run			one = *run;
	StringInfoData loses;
	ListCell   *lc;

	one.effect = unconstify(GuardResult *, effect);
	one.done = list_make1(unconstify(RunStatement *, done));
	inverse_find(&one);
	initStringInfo(&loses);
	foreach(lc, one.inverse->reasons)
		appendStringInfo(&loses, "%s%s", loses.len > 0 ? "; " : "", (char *) lfirst(lc));
	result->sql = one.inverse->script;
	result->loses = loses.len > 0 ? loses.data : NULL;
}

static char *
kept_text(MemoryContext context, uint64 row, const char *column)
{
	char	   *text = spi_text(row, column);

	return text == NULL ? NULL : MemoryContextStrdup(context, text);
}

/* See online.h. */
char *
online_describe(const char *relids)
{
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;
	char	   *image;

	SPI_connect();
	record_begin(&scope);
	spi_exec_latest("SELECT migmgr_internal.image(pg_catalog.array_fill("
					"'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, ARRAY[pg_catalog.cardinality($1::pg_catalog._oid)]),"
					" $1::pg_catalog._oid) AS image",
					SPI_OK_SELECT, 1, &relids);
	image = kept_text(context, 0, "image");
	record_end(&scope);
	SPI_finish();
	return image == NULL ? pstrdup("[]") : image;
}

/* See online.h.  An index that was dropped concurrently is built so, too. */
void
online_lead_back(const char *before, const char *after, OnlineInverse *result)
{
	MemoryContext context = CurrentMemoryContext;
	const char *args[2] = {before, after};
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	spi_exec_latest("SELECT COALESCE(pg_catalog.string_agg(pg_catalog.concat(pg_catalog.regexp_replace(u.sql,"
					" '^CREATE (UNIQUE )?INDEX ', 'CREATE \\1INDEX CONCURRENTLY '), E';\\n'), '' ORDER BY u.n)"
					" FILTER (WHERE u.sql IS NOT NULL), '') AS sql,"
					" pg_catalog.string_agg(u.irreversible, '; ' ORDER BY u.n) AS loses"
					" FROM migmgr_internal.undo($1::pg_catalog.jsonb, $2::pg_catalog.jsonb) AS u",
					SPI_OK_SELECT, 2, args);
	result->sql = kept_text(context, 0, "sql");
	result->loses = kept_text(context, 0, "loses");
	record_end(&scope);
	SPI_finish();
}

/*
 * See online.h.  The statements of a job that is done, the last first; false
 * when there is one of which nobody knows what it did.
 */
bool
online_way_back(const char *version, OnlineInverse *result, char **unknown)
{
	MemoryContext context = CurrentMemoryContext;
	StringInfoData sql;
	StringInfoData loses;
	RecordScope scope;

	initStringInfo(&sql);
	initStringInfo(&loses);
	*unknown = NULL;
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT o.n, o.command, o.undo, o.loses FROM migmgr_internal.online_statement AS o"
			 " WHERE o.version = $1 ORDER BY o.n DESC",
			 SPI_OK_SELECT, 1, &version);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		char	   *undo = spi_text(i, "undo");
		char	   *lost = spi_text(i, "loses");

		if (undo == NULL)
			*unknown = psprintf("statement %s, %s", spi_text(i, "n"), spi_text(i, "command"));
		else
			appendStringInfoString(&sql, undo);
		if (lost != NULL)
			appendStringInfo(&loses, "%s%s", loses.len > 0 ? "; " : "", lost);
		MemoryContextSwitchTo(old);
	}
	record_end(&scope);
	SPI_finish();
	result->sql = sql.data;
	result->loses = loses.len > 0 ? loses.data : NULL;
	return *unknown == NULL;
}
