/*
 * classify_sql.c
 *	  The judgement of a text as rows, and what the tests ask of the rules.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "catalog/pg_type.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "classify.h"
#include "compat.h"
#include "judge.h"
#include "policy.h"

PG_FUNCTION_INFO_V1(migmgr_classify);
PG_FUNCTION_INFO_V1(migmgr_alter_rule_gaps);

static Datum text_or_null(const char *text, bool *isnull);
static int	line_of(const char *text, int offset);
static Datum tristate(Tristate value, bool *isnull);

/* migmgr_internal.classify(sql) */
Datum
migmgr_classify(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *sql = text_to_cstring(PG_GETARG_TEXT_PP(0));
	List	   *statements = raw_parser(sql, RAW_PARSE_DEFAULT);
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, statements)
	{
		RawStmt    *raw = lfirst_node(RawStmt, lc);
		Verdict    *verdict = classify_statement(raw->stmt);
		Datum		values[12];
		bool		nulls[12] = {0};

		values[0] = Int32GetDatum(foreach_current_index(lc) + 1);
		values[1] = Int32GetDatum(line_of(sql, raw->stmt_location));
		values[2] = text_or_null(verdict->command, &nulls[2]);
		values[3] = text_or_null(verdict->object, &nulls[3]);
		values[4] = text_or_null(class_name(verdict->class), &nulls[4]);
		values[5] = text_or_null(verdict->rule, &nulls[5]);
		values[6] = text_or_null(verdict->lock == NoLock ? NULL :
								 GetLockmodeName(DEFAULT_LOCKMETHOD, verdict->lock), &nulls[6]);
		values[7] = tristate(verdict->rewrites, &nulls[7]);
		values[8] = tristate(verdict->scans, &nulls[8]);
		values[9] = text_or_null(policy_action_name(policy_action(verdict)), &nulls[9]);
		values[10] = text_or_null(verdict->reason, &nulls[10]);
		values[11] = text_or_null(verdict->hint, &nulls[11]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* Line of the first word at or after an offset. */
static int
line_of(const char *text, int offset)
{
	int			line = 1;

	for (const char *c = text; *c != '\0' && (c < text +offset || isspace((unsigned char) *c)); c++)
		line += *c == '\n';
	return line;
}

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

static Datum
tristate(Tristate value, bool *isnull)
{
	*isnull = value == TRI_UNKNOWN;
	return BoolGetDatum(value == TRI_YES);
}

/* migmgr_internal.alter_rule_gaps(): numbers of sub-commands without a rule. */
Datum
migmgr_alter_rule_gaps(PG_FUNCTION_ARGS)
{
	Datum		gaps[AT_ReAddStatistics + 1];
	int			count = 0;

	for (int type = AT_AddColumn; type <= AT_ReAddStatistics; type++)
	{
		if (rule_of_alter(type) == NULL)
			gaps[count++] = Int32GetDatum(type);
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(gaps, count, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}
