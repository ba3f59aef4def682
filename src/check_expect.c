/*
 * check_expect.c
 *	  Is the answer of a check the expected one?
 *
 * What is expected is a word ('no rows', 'tap'), or a value with an operator
 * before it, or a range 'LOW..HIGH'.  Values are compared in the type that the
 * query returned, so that '< 5 minutes' works for an interval; a number of any
 * type is compared as numeric, so that '< 0.005' works for a count.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "check.h"
#include "errors.h"
#include "subxact.h"

/* an operator, and for which signs of value minus operand it holds */
typedef struct ExpectOperator
{
	const char *symbol;
	bool		less;
	bool		equal;
	bool		greater;
} ExpectOperator;

/* longer symbols before those that they begin with */
static const ExpectOperator operators[] = {
	{"<=", true, true, false},
	{"<>", true, false, true},
	{"!=", true, false, true},
	{">=", false, true, true},
	{"<", true, false, false},
	{">", false, false, true},
	{"=", false, true, false},
};

static const ExpectOperator equals = {"=", false, true, false};

/* a comparison, through a subtransaction: input functions raise */
typedef struct Comparison
{
	Oid			type;
	Datum		value;
	const char *operand;
	int			sign;
} Comparison;

static const ExpectOperator *expect_operator(const char **expect);
static char *range_low(const char *expect, const char **high);
static const char *type_text(Oid type, Datum value);
static bool compare_in_subxact(void *arg);
static bool holds(const ExpectOperator *op, int sign);
static bool compare(CheckResult *result, const CheckRows *rows, const char *operand, int *sign);
static void judge_tap(CheckResult *result, const CheckRows *rows);
static void judge_no_rows(CheckResult *result, const CheckRows *rows);
static void judge_value(CheckResult *result, const CheckRows *rows);

bool
expect_is_tap(const char *expect)
{
	return pg_strcasecmp(expect, "tap") == 0 || pg_strcasecmp(expect, "pgtap") == 0;
}

/* Skips white space and an operator; "=" when there is none. */
static const ExpectOperator *
expect_operator(const char **expect)
{
	const char *p = *expect;
	const ExpectOperator *op = &equals;

	while (*p == ' ')
		p++;
	for (int i = 0; i < lengthof(operators); i++)
	{
		size_t		length = strlen(operators[i].symbol);

		if (strncmp(p, operators[i].symbol, length) == 0)
		{
			op = &operators[i];
			p += length;
			break;
		}
	}
	while (*p == ' ')
		p++;
	*expect = p;
	return op;
}

/* The lower end of "LOW..HIGH", and where the upper one starts; NULL: none. */
static char *
range_low(const char *expect, const char **high)
{
	const char *dots = strstr(expect, "..");

	if (dots == NULL || dots == expect || dots[2] == '\0' || strstr(dots + 1, "..") != NULL)
		return NULL;
	*high = dots + 2;
	return pnstrdup(expect, dots - expect);
}

/* Raises MG006 for what cannot be expected of anything. */
void
check_expect(const char *expect)
{
	const char *operand = expect;

	if (expect == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("expect must not be null"),
				 errhint("It is a value such as 'true', '0', '< 0.005' or '1..5', or 'no rows', or 'tap'.")));
	(void) expect_operator(&operand);
	if (*operand == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("expect \"%s\" has no value in it", expect),
				 errhint("It is a value such as 'true', '0', '< 0.005' or '1..5', or 'no rows', or 'tap'.")));
}

/* Fills status, value and detail of a result from what came back. */
void
check_judge(CheckResult *result, const CheckRows *rows)
{
	result->status = "failed";
	if (expect_is_tap(result->check->expect))
		judge_tap(result, rows);
	else if (pg_strcasecmp(result->check->expect, "no rows") == 0)
		judge_no_rows(result, rows);
	else
		judge_value(result, rows);
}

/* Counts the TAP lines of one value; lines of subtests are indented. */
void
check_tap(CheckRows *rows, const char *text)
{
	char	   *line = pstrdup(text);
	char	   *next;

	for (; line != NULL; line = next)
	{
		bool		todo;

		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		todo = strstr(line, "# TODO") != NULL || strstr(line, "# todo") != NULL;
		if (strncmp(line, "1..", 3) == 0)
			rows->planned = atoi(line + 3);
		else if (strncmp(line, "ok", 2) == 0 || (todo && strncmp(line, "not ok", 6) == 0))
			rows->passed++;
		else if (strncmp(line, "not ok", 6) == 0)
			rows->failed++;
		else if (strncmp(line, "Bail out!", 9) != 0)
			continue;
		if ((strncmp(line, "not ok", 6) == 0 || line[0] == 'B') && !todo && rows->failure == NULL)
			rows->failure = line;
	}
}

static void
judge_tap(CheckResult *result, const CheckRows *rows)
{
	result->value = psprintf("%d ok, %d not ok", rows->passed, rows->failed);
	if (rows->failure != NULL)
		result->detail = pstrdup(rows->failure);
	else if (rows->passed == 0 && rows->planned != 0)
		result->detail = pstrdup("no test ran: there is no line \"ok\" or \"not ok\"");
	else if (rows->planned >= 0 && rows->planned != rows->passed)
		result->detail = psprintf("%d tests were planned, %d ran", rows->planned, rows->passed);
	else
		result->status = "ok";
}

static void
judge_no_rows(CheckResult *result, const CheckRows *rows)
{
	if (rows->columns == 0)
		result->detail = pstrdup("the last statement returns no rows ever: it is no query");
	else if (rows->count == 0)
		result->status = "ok";
	else
	{
		result->value = rows->first;
		result->detail = psprintf("%s" UINT64_FORMAT " %s instead of none, the first: %s",
								  rows->more ? "more than " : "", rows->count,
								  rows->count == 1 ? "row" : "rows", rows->first);
	}
}

static void
judge_value(CheckResult *result, const CheckRows *rows)
{
	const char *expect = result->check->expect;
	const char *high;
	char	   *low;
	bool		good;
	int			sign;

	result->value = rows->first;
	if (rows->columns != 1)
		result->detail = rows->columns == 0
			? pstrdup("the last statement returns no value: it is no query")
			: psprintf("%d columns came back, one value is expected", rows->columns);
	else if (rows->count != 1)
		result->detail = rows->count == 0 ? pstrdup("no row came back")
			: pstrdup("more than one row came back");
	else if (!rows->single)
		result->detail = pstrdup("the value is null");
	if (result->detail != NULL)
		return;

	/* 0.03, where the division says 0.03000000000000000000 */
	result->value = pstrdup(type_text(rows->type, rows->type != NUMERICOID ? rows->value :
									  DirectFunctionCall1(numeric_trim_scale, rows->value)));
	low = range_low(expect, &high);
	if (low != NULL)
		good = compare(result, rows, low, &sign) && sign >= 0 &&
			compare(result, rows, high, &sign) && sign <= 0;
	else
	{
		const ExpectOperator *op = expect_operator(&expect);

		good = compare(result, rows, expect, &sign) && holds(op, sign);
	}
	if (good)
		result->status = "ok";
	else if (result->detail == NULL)
		result->detail = psprintf("%s instead of %s", result->value, result->check->expect);
}

static bool
holds(const ExpectOperator *op, int sign)
{
	return sign < 0 ? op->less : sign > 0 ? op->greater : op->equal;
}

/* A value as people write it: a boolean in full. */
static const char *
type_text(Oid type, Datum value)
{
	Oid			output;
	bool		varlena;

	if (type == BOOLOID)
		return DatumGetBool(value) ? "true" : "false";
	getTypeOutputInfo(type, &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

/*
 * The sign of value minus operand.  False, and a detail, when the two cannot
 * be compared.
 */
static bool
compare(CheckResult *result, const CheckRows *rows, const char *operand, int *sign)
{
	Comparison	comparison = {.type = rows->type,.value = rows->value,.operand = operand};
	ErrorData  *error = subxact_run(compare_in_subxact, &comparison);

	*sign = comparison.sign;
	if (error == NULL)
		return true;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
		ReThrowError(error);
	result->status = "error";
	result->detail = psprintf("%s cannot be compared with %s: %s", result->value,
							  result->check->expect, error->message);
	return false;
}

/* subxact_fn */
static bool
compare_in_subxact(void *arg)
{
	Comparison *comparison = arg;
	char		category;
	bool		preferred;
	Oid			input,
				param;
	TypeCacheEntry *cache;
	Datum		operand;

	get_type_category_preferred(comparison->type, &category, &preferred);
	if (category == TYPCATEGORY_NUMERIC && comparison->type != NUMERICOID)
	{
		comparison->value = DirectFunctionCall3(numeric_in,
												CStringGetDatum(type_text(comparison->type, comparison->value)),
												ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
		comparison->type = NUMERICOID;
	}
	getTypeInputInfo(comparison->type, &input, &param);
	operand = OidInputFunctionCall(input, unconstify(char *, comparison->operand), param, -1);
	cache = lookup_type_cache(comparison->type, TYPECACHE_CMP_PROC_FINFO);
	if (!OidIsValid(cache->cmp_proc_finfo.fn_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("type %s has no order", format_type_be(comparison->type))));
	comparison->sign = DatumGetInt32(FunctionCall2Coll(&cache->cmp_proc_finfo, C_COLLATION_OID,
													   comparison->value, operand));
	return false;
}
