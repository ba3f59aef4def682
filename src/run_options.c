/*
 * run_options.c
 *	  The options argument: a JSON object whose keys are all known.
 *
 * Options are an argument and not settings, because a pooler loses settings.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "errors.h"
#include "guc.h"
#include "run.h"

#define MAX_RETRIES 100

typedef void (*option_setter) (RunOptions *options, const char *key, const char *value);

typedef struct OptionRow
{
	const char *key;
	option_setter set;
} OptionRow;

static void set_derive(RunOptions *options, const char *key, const char *value);
static void set_lock_timeout(RunOptions *options, const char *key, const char *value);
static void set_max_retries(RunOptions *options, const char *key, const char *value);
static void set_max_size(RunOptions *options, const char *key, const char *value);
static void set_allow_divergence(RunOptions *options, const char *key, const char *value);
static void set_allow_out_of_order(RunOptions *options, const char *key, const char *value);
static void set_proof(RunOptions *options, const char *key, const char *value);
static void set_skip_failed(RunOptions *options, const char *key, const char *value);
static void set_on_error(RunOptions *options, const char *key, const char *value);
pg_noreturn static void bad_value(const char *key, const char *value, const char *expected);
static bool bool_value(const char *key, const char *value);
static char *scalar_text(const char *key, JsonbValue *value);

static const OptionRow option_rows[] = {
	{.key = "allow_divergence",.set = set_allow_divergence},
	{.key = "allow_out_of_order",.set = set_allow_out_of_order},
	{.key = "derive",.set = set_derive},
	{.key = "lock_timeout",.set = set_lock_timeout},
	{.key = "max_retries",.set = set_max_retries},
	{.key = "max_size",.set = set_max_size},
	{.key = "on_error",.set = set_on_error},
	{.key = "proof",.set = set_proof},
	{.key = "skip_failed",.set = set_skip_failed},
};

/* Reads options over the defaults; raises MG006 for what it does not know. */
void
run_options(RunOptions *options, Jsonb *json)
{
	run_options_default(options);
	run_options_read(options, json);
}

/* What holds where nothing is said. */
void
run_options_default(RunOptions *options)
{
	memset(options, 0, sizeof(RunOptions));
	options->lock_timeout = guc_lock_timeout;
	options->max_retries = 3;
	options->max_size = -1;
	options->derive = true;
}

/* Reads options over what they are already. */
void
run_options_read(RunOptions *options, Jsonb *json)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (json == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("options must be a JSON object"),
				 errhint("For example options => '{\"lock_timeout\": \"2s\"}'.")));

	it = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		char	   *key;

		if (token != WJB_KEY)
			continue;
		key = pnstrdup(value.val.string.val, value.val.string.len);
		(void) JsonbIteratorNext(&it, &value, true);
		run_option(options, key, scalar_text(key, &value));
	}
}

/* Sets one option; raises MG006 for a key or a value it does not know. */
void
run_option(RunOptions *options, const char *key, const char *value)
{
	for (int row = 0; row < lengthof(option_rows); row++)
	{
		if (strcmp(option_rows[row].key, key) == 0)
		{
			option_rows[row].set(options, key, value);
			return;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_MG_BAD_OPTION),
			 errmsg("unknown option \"%s\"", key),
			 errhint("Options are allow_divergence, allow_out_of_order, lock_timeout, max_retries, on_error and skip_failed.")));
}

/* A JSON scalar as text; raises for anything else. */
static char *
scalar_text(const char *key, JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		default:
			bad_value(key, "null, an array or an object", "a string, a number or a boolean");
	}
}

static void
bad_value(const char *key, const char *value, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_MG_BAD_OPTION),
			 errmsg("invalid value for option \"%s\": %s", key, value),
			 errdetail("Expected %s.", expected)));
}

static bool
bool_value(const char *key, const char *value)
{
	bool		result;

	if (!parse_bool(value, &result))
		bad_value(key, value, "true or false");
	return result;
}

static void
set_lock_timeout(RunOptions *options, const char *key, const char *value)
{
	int			ms;
	const char *hint;

	if (!parse_int(value, &ms, GUC_UNIT_MS, &hint) || ms < 1 || ms > 600000)
		bad_value(key, value, "a time from 1ms to 10min, such as \"2s\"");
	options->lock_timeout = ms;
}

static void
set_max_retries(RunOptions *options, const char *key, const char *value)
{
	int			retries;

	if (!parse_int(value, &retries, 0, NULL) || retries < 0 || retries > MAX_RETRIES)
		bad_value(key, value, "a number from 0 to 100");
	options->max_retries = retries;
}

static void
set_allow_divergence(RunOptions *options, const char *key, const char *value)
{
	options->allow_divergence = bool_value(key, value);
}

static void
set_max_size(RunOptions *options, const char *key, const char *value)
{
	int			kb;
	const char *hint;

	if (options->max_size < 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("option \"%s\" is for rehearse() only", key)));
	if (!parse_int(value, &kb, GUC_UNIT_KB, &hint) || kb < 0)
		bad_value(key, value, "a size, such as \"1GB\"");
	options->max_size = kb;
}

static void
set_allow_out_of_order(RunOptions *options, const char *key, const char *value)
{
	options->allow_out_of_order = bool_value(key, value);
}

static void
set_skip_failed(RunOptions *options, const char *key, const char *value)
{
	options->skip_failed = bool_value(key, value);
}

static void
set_on_error(RunOptions *options, const char *key, const char *value)
{
	if (strcmp(value, "raise") != 0 && strcmp(value, "report") != 0)
		bad_value(key, value, "\"raise\" or \"report\"");
	options->report = strcmp(value, "report") == 0;
}

static void
set_derive(RunOptions *options, const char *key, const char *value)
{
	options->derive = bool_value(key, value);
}

static void
set_proof(RunOptions *options, const char *key, const char *value)
{
	if (strcmp(value, "auto") == 0)
		options->proof = PROOF_AUTO;
	else if (strcmp(value, "off") == 0)
		options->proof = PROOF_OFF;
	else if (strcmp(value, "force") == 0)
		options->proof = PROOF_FORCE;
	else
		bad_value(key, value, "\"auto\", \"off\" or \"force\"");
}
