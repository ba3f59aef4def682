/*
 * spi_util.c
 *	  SPI without the ceremony.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "spi_util.h"

#define MAX_ARGS 24

/*
 * Runs one statement with text parameters; the caller is connected to SPI.
 * A result code other than expect is a bug of migmgr's and raised as such.
 * Results are in SPI_tuptable until the next call.
 */
void
spi_exec(const char *sql, int expect, int nargs, const char *const *args)
{
	Oid			types[MAX_ARGS];
	Datum		values[MAX_ARGS];
	char		nulls[MAX_ARGS] = {0};
	int			result;

	if (nargs > MAX_ARGS)
		elog(ERROR, "too many parameters: %d", nargs);
	for (int i = 0; i < nargs; i++)
	{
		types[i] = TEXTOID;
		nulls[i] = args[i] == NULL ? 'n' : ' ';
		values[i] = args[i] == NULL ? (Datum) 0 : CStringGetTextDatum(args[i]);
	}

	result = SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0);
	if (result != expect)
		elog(ERROR, "SPI returned %s for: %s", SPI_result_code_string(result), sql);
}

/* Value of a column as text, in the SPI procedure's context; NULL when null. */
char *
spi_text(uint64 row, const char *column)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	int			attnum = SPI_fnumber(desc, column);

	if (attnum <= 0)
		elog(ERROR, "no column \"%s\" in the result", column);
	if (row >= SPI_processed)
		elog(ERROR, "no row " UINT64_FORMAT " in the result", row);
	return SPI_getvalue(SPI_tuptable->vals[row], desc, attnum);
}

/* Value of an integer column, or if_null. */
int64
spi_int64(uint64 row, const char *column, int64 if_null)
{
	char	   *text = spi_text(row, column);

	return text == NULL ? if_null : (int64) strtoll(text, NULL, 10);
}

/* Value of a boolean column, or if_null. */
bool
spi_bool(uint64 row, const char *column, bool if_null)
{
	char	   *text = spi_text(row, column);

	return text == NULL ? if_null : text[0] == 't';
}
