/*
 * script_version.c
 *	  Versions of migrations: what may be one, and their order.
 *
 * 8 to 14 digits are a timestamp, filled up with zeros; all else is compared
 * in natural order, runs of digits as numbers of any length: 1.9 < 1.10, and
 * 002 comes after 1.  Both follow from one key, a text that sorts that way; C
 * compares the keys, SQL orders by them.  The key is made of digits only, so
 * that it sorts the same in every collation and nobody can forget one.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "errors.h"
#include "script.h"

#define MAX_VERSION_LENGTH	128
#define TIMESTAMP_DIGITS	14
#define MIN_DATE_DIGITS		8

/* each part of a key begins with one of these: their order is the versions' */
#define KEY_END				'0'
#define KEY_BEFORE_DIGITS	'1' /* a byte that sorts before digits: . - + */
#define KEY_NUMBER			'2' /* a run of digits */
#define KEY_AFTER_DIGITS	'3' /* a byte that sorts after digits: letters */

/* a range of code points that nobody can see, or take for something else */
typedef struct InvisibleRange
{
	pg_wchar	first;
	pg_wchar	last;
} InvisibleRange;

/* white space, format and direction marks, line separators: sorted */
static const InvisibleRange invisible[] = {
	{0x0000, 0x0020}, {0x007F, 0x00A0}, {0x00AD, 0x00AD}, {0x034F, 0x034F},
	{0x061C, 0x061C}, {0x115F, 0x1160}, {0x1680, 0x1680}, {0x17B4, 0x17B5},
	{0x180B, 0x180F}, {0x2000, 0x200F}, {0x2028, 0x202F}, {0x205F, 0x206F},
	{0x3000, 0x3000}, {0x3164, 0x3164}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},
	{0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0xE0000, 0xE0FFF}
};

static const char *find_invisible(const char *version);
static pg_wchar code_point(const char *c);
static void append_code(StringInfo key, char c);

PG_FUNCTION_INFO_V1(migmgr_check_version);
PG_FUNCTION_INFO_V1(migmgr_compare_versions);
PG_FUNCTION_INFO_V1(migmgr_version_key);

/* Raises MG001 unless the text can be the version of a migration. */
void
script_check_version(const char *version)
{
	size_t		len = version == NULL ? 0 : strlen(version);
	const char *bad;

	if (len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_VERSION),
				 errmsg("a migration needs a version"),
				 version == NULL ? errdetail("The version is NULL.") :
				 errdetail("The version is empty."),
				 errhint("Give one as in apply('001', 'create_job_dlq', sql), or use apply_file('001_create_job_dlq.sql', sql).")));

	if (pg_mbstrlen(version) > MAX_VERSION_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_VERSION),
				 errmsg("version \"%.*s...\" is too long",
						pg_mbcliplen(version, len, 32), version),
				 errdetail("It has %d characters; a version has at most %d.",
						   pg_mbstrlen(version), MAX_VERSION_LENGTH),
				 errhint("The order of arguments is apply(version, name, sql).")));

	bad = find_invisible(version);
	if (bad != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_VERSION),
				 errmsg("version \"%.*s...\" has white space or an invisible character in it",
						(int) (bad - version), version),
				 errdetail("Character %d is U+%04X.",
						   pg_mbstrlen_with_len(version, bad - version) + 1,
						   code_point(bad)),
				 errhint("Versions look like 001, 1.10 or 20240131120000.")));

	if (len >= 4 && pg_strcasecmp(version + len - 4, ".sql") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_VERSION),
				 errmsg("\"%s\" is a file name, not a version", version),
				 errdetail("apply(version, name, sql) takes version and name apart."),
				 errhint("Use apply_file(file, sql).")));
}

/* Negative, zero or positive; zero only for the same text. */
int
script_compare_versions(const char *a, const char *b)
{
	char	   *key_a = script_version_key(a);
	char	   *key_b = script_version_key(b);
	int			result = strcmp(key_a, key_b);

	pfree(key_a);
	pfree(key_b);
	return result != 0 ? result : strcmp(a, b);
}

/* The first character that nobody can see, or NULL. */
static const char *
find_invisible(const char *version)
{
	const char *c;
	int			i;

	for (c = version; *c != '\0'; c += pg_mblen(c))
	{
		pg_wchar	code = code_point(c);

		for (i = 0; i < lengthof(invisible); i++)
		{
			if (code >= invisible[i].first && code <= invisible[i].last)
				return c;
		}
	}
	return NULL;
}

/* The code point of a character; outside of UTF-8 only ASCII has one. */
static pg_wchar
code_point(const char *c)
{
	if (!IS_HIGHBIT_SET(*c))
		return (unsigned char) *c;
	if (GetDatabaseEncoding() == PG_UTF8)
		return utf8_to_unicode((const unsigned char *) c);
	return 0xFFFD;
}

/*
 * The key by which versions sort; palloc'd.  A run of digits becomes the length
 * of its length, its length and its digits without leading zeros; any other
 * byte its code.  The text itself comes last and breaks ties.
 */
char *
script_version_key(const char *version)
{
	StringInfoData key;
	size_t		len = strlen(version);
	const char *c = version;

	initStringInfo(&key);
	if (len >= MIN_DATE_DIGITS && len < TIMESTAMP_DIGITS &&
		strspn(version, "0123456789") == len)
		c = psprintf("%s%.*s", version,
					 (int) (TIMESTAMP_DIGITS - len), "00000000000000");

	while (*c != '\0')
	{
		int			digits = strspn(c, "0123456789");
		int			zeros = strspn(c, "0");
		char		length[12];

		if (digits == 0)
		{
			appendStringInfoChar(&key, (unsigned char) *c < '0' ? KEY_BEFORE_DIGITS :
								 KEY_AFTER_DIGITS);
			append_code(&key, *c++);
			continue;
		}
		if (zeros == digits)
			zeros--;
		c += zeros;
		digits -= zeros;
		appendStringInfoChar(&key, KEY_NUMBER);
		appendStringInfoChar(&key, '0' + pg_ltoa(digits, length));
		appendStringInfoString(&key, length);
		appendBinaryStringInfo(&key, c, digits);
		c += digits;
	}

	appendStringInfoChar(&key, KEY_END);
	for (c = version; *c != '\0'; c++)
		append_code(&key, *c);
	return key.data;
}

/* Three digits; an index calls this for every entry, so without a format. */
static void
append_code(StringInfo key, char c)
{
	unsigned char code = (unsigned char) c;

	appendStringInfoChar(key, '0' + code / 100);
	appendStringInfoChar(key, '0' + code / 10 % 10);
	appendStringInfoChar(key, '0' + code % 10);
}

/* migmgr_internal.check_version(text): returns its argument */
Datum
migmgr_check_version(PG_FUNCTION_ARGS)
{
	char	   *version = PG_ARGISNULL(0) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(0));

	script_check_version(version);
	PG_RETURN_TEXT_P(cstring_to_text(version));
}

/* migmgr_internal.compare_versions(text, text) */
Datum
migmgr_compare_versions(PG_FUNCTION_ARGS)
{
	char	   *a = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *b = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			result = script_compare_versions(a, b);

	PG_RETURN_INT32(result < 0 ? -1 : result > 0);
}

/* migmgr_internal.version_key(text) */
Datum
migmgr_version_key(PG_FUNCTION_ARGS)
{
	char	   *version = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_TEXT_P(cstring_to_text(script_version_key(version)));
}
