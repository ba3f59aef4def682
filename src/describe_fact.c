/*
 * describe_fact.c
 *	  Facts of a described object: names and values, as jsonb in the end.
 *
 * What has no value is left out, so none of these puts a null.  Keys are
 * string literals; values live as long as the row.
 */
#include "postgres.h"

#include "common/md5.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "describe.h"

static void add(DescribeFacts *facts, const char *key, JsonbValue value);
static void push_pairs(JsonbParseState **state, const DescribeFacts *facts);

static void
add(DescribeFacts *facts, const char *key, JsonbValue value)
{
	JsonbPair  *pair;

	if (facts->count == facts->size)
	{
		facts->size = Max(16, 2 * facts->size);
		facts->pairs = facts->pairs == NULL ? palloc(facts->size * sizeof(JsonbPair))
			: repalloc(facts->pairs, facts->size * sizeof(JsonbPair));
	}
	pair = &facts->pairs[facts->count++];
	pair->key = string_value(key);
	pair->value = value;
}

JsonbValue
string_value(const char *text)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = unconstify(char *, text);
	value.val.string.len = strlen(text);
	return value;
}

void
put_value(DescribeRow *row, const char *key, JsonbValue value)
{
	if (row->with_facts)
		add(&row->facts, key, value);
}

void
put_text(DescribeRow *row, const char *key, const char *value)
{
	if (row->with_facts && value != NULL)
		add(&row->facts, key, string_value(value));
}

void
put_flag(DescribeRow *row, const char *key, bool value)
{
	JsonbValue	yes = {.type = jbvBool};

	yes.val.boolean = true;
	if (value)
		put_value(row, key, yes);
}

void
put_number(DescribeRow *row, const char *key, int64 value)
{
	if (row->with_facts)
		add(&row->facts, key, number_value(value));
}

JsonbValue
number_value(int64 value)
{
	JsonbValue	number = {.type = jbvNumeric};

	number.val.numeric = int64_to_numeric(value);
	return number;
}

/* A list of char *, as an array of strings. */
void
put_list(DescribeRow *row, const char *key, List *texts)
{
	if (texts != NIL)
		put_value(row, key, list_value(texts));
}

JsonbValue
list_value(List *texts)
{
	JsonbValue	array = {.type = jbvArray};

	array.val.array.nElems = list_length(texts);
	array.val.array.rawScalar = false;
	array.val.array.elems = palloc(Max(1, list_length(texts)) * sizeof(JsonbValue));
	for (int i = 0; i < list_length(texts); i++)
		array.val.array.elems[i] = string_value(list_nth(texts, i));
	return array;
}

/*
 * Raw values: those of a fact of this name that stay when a thing that the
 * fact mentions is renamed.
 */
void
put_raw(DescribeRow *row, const char *key, const char *value)
{
	if (row->with_facts && value != NULL)
		add(&row->raw, key, string_value(value));
}

void
put_raw_oid(DescribeRow *row, const char *key, Oid value)
{
	if (row->with_facts && OidIsValid(value))
		put_raw(row, key, psprintf("%u", value));
}

/* ... of something long, such as the tree of an expression */
void
put_raw_md5(DescribeRow *row, const char *key, const char *value)
{
	if (row->with_facts && value != NULL)
		put_raw(row, key, md5_of(value));
}

void
put_raw_value(DescribeRow *row, const char *key, JsonbValue value)
{
	if (row->with_facts)
		add(&row->raw, key, value);
}

/* md5() of a text, in the current context. */
char *
md5_of(const char *text)
{
	char	   *sum = palloc(33);
	const char *problem = NULL;

	if (!pg_md5_hash(text, strlen(text), sum, &problem))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute %s hash: %s", "MD5", problem)));
	return sum;
}

/* All facts of a row, in the current context. */
Jsonb *
facts_jsonb(DescribeRow *row)
{
	JsonbParseState *state = NULL;
	JsonbValue	key = string_value("raw");

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_pairs(&state, &row->facts);
	if (row->has_raw)
	{
		pushJsonbValue(&state, WJB_KEY, &key);
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_pairs(&state, &row->raw);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static void
push_pairs(JsonbParseState **state, const DescribeFacts *facts)
{
	for (int i = 0; i < facts->count; i++)
	{
		pushJsonbValue(state, WJB_KEY, &facts->pairs[i].key);
		pushJsonbValue(state, WJB_VALUE, &facts->pairs[i].value);
	}
}
