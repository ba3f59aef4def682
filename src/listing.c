/*
 * listing.c
 *	  Lists of files with their checksums, as sha256sum prints them.
 *
 * compare_files() takes them apart here, into a JSON array of objects with
 * file, checksum, and the version and name that apply_file() would give it, or
 * the problem that it would have with it.  In C because a folder of some
 * hundred files is compared before each of its migrations is applied.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "errors.h"
#include "script.h"
#include "subxact.h"

#define BLANKS " \t\r"
#define HEX "0123456789abcdefABCDEF"
#define BOM "\xEF\xBB\xBF"
#define HOW_TO_LIST "Pass what this prints, or a checksum.txt made with it: sha256sum migrations/" "*.sql"

/* a line of the listing */
typedef struct Listed
{
	const char *file;			/* hash key */
	const char *checksum;
} Listed;

/* a file that is taken apart in a subtransaction */
typedef struct Parting
{
	const char *file;
	const char *sql;			/* NULL: only its name is known */
	ScriptFile *parts;
	const char *shape;
} Parting;

PG_FUNCTION_INFO_V1(migmgr_listed_file);
PG_FUNCTION_INFO_V1(migmgr_listed_files);

static HTAB *make_files(void);
static uint32 file_hash(const void *key, Size keysize);
static int	file_match(const void *a, const void *b, Size keysize);
static bool read_line(char *line, int number, Listed *listed);
static bool split_plain(char *line, char **checksum, char **file);
static bool split_tagged(char *line, char **checksum, char **file);
static void check_sum(const char *checksum, int number);
static void unescape(char *file);
static void add_file(StringInfo json, const char *file, const char *checksum, const char *sql);
static bool take_apart(void *arg);
static void add_text(StringInfo json, const char *key, const char *value);
static Datum parsed_jsonb(const char *json);

/* migmgr_internal.listed_file(file, checksum, sql) */
Datum
migmgr_listed_file(PG_FUNCTION_ARGS)
{
	StringInfoData json;

	initStringInfo(&json);
	add_file(&json, text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)),
			 PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)));
	PG_RETURN_DATUM(parsed_jsonb(json.data));
}

/* migmgr_internal.listed_files(listing): the files of its lines, in their order */
Datum
migmgr_listed_files(PG_FUNCTION_ARGS)
{
	char	   *next = PG_ARGISNULL(0) ? pstrdup("") : text_to_cstring(PG_GETARG_TEXT_PP(0));
	HTAB	   *files = make_files();
	StringInfoData json;
	int			number = 0;

	if (GetDatabaseEncoding() == PG_UTF8 && strncmp(next, BOM, strlen(BOM)) == 0)
		next += strlen(BOM);
	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	while (next != NULL)
	{
		char	   *line = next;
		Listed		listed;
		Listed	   *first;
		bool		found;

		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		if (!read_line(line, ++number, &listed))
			continue;
		first = hash_search(files, &listed.file, HASH_ENTER, &found);
		if (found && strcmp(first->checksum, listed.checksum) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_MG_BAD_SCRIPT),
					 errmsg("line %d of the listing gives file \"%s\" a second checksum", number, listed.file),
					 errhint("Make the listing anew: sha256sum migrations/*.sql")));
		if (found)
			continue;
		first->checksum = listed.checksum;
		if (json.len > 1)
			appendStringInfoChar(&json, ',');
		add_file(&json, listed.file, listed.checksum, NULL);
	}
	appendStringInfoChar(&json, ']');
	if (hash_get_num_entries(files) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("the listing is empty"),
				 errdetail("It has no line with a checksum and a file."),
				 errhint("In psql: \\set listing `cat migrations/checksum.txt` and then SELECT * FROM migmgr.compare_files(:'listing');")));
	PG_RETURN_DATUM(parsed_jsonb(json.data));
}

/* What was listed, by name of the file. */
static HTAB *
make_files(void)
{
	HASHCTL		ctl = {
		.keysize = sizeof(const char *),
		.entrysize = sizeof(Listed),
		.hash = file_hash,
		.match = file_match,
		.hcxt = CurrentMemoryContext,
	};

	return hash_create("migmgr listed files", 256, &ctl, HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

static uint32
file_hash(const void *key, Size keysize)
{
	const char *file = *(const char *const *) key;

	return hash_bytes((const unsigned char *) file, strlen(file));
}

static int
file_match(const void *a, const void *b, Size keysize)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/*
 * One line as sha256sum, shasum -a 256 and both with --tag print it; false for
 * a line without meaning.  The line is scribbled on.
 */
static bool
read_line(char *line, int number, Listed *listed)
{
	char	   *checksum,
			   *file,
			   *end;
	bool		escaped;

	line += strspn(line, BLANKS);
	for (end = line + strlen(line); end > line && strchr(BLANKS, end[-1]) != NULL; end--)
		end[-1] = '\0';
	if (line[0] == '\0' || line[0] == '#' || strncmp(line, "--", 2) == 0)
		return false;

	escaped = line[0] == '\\';
	if (!split_plain(line + escaped, &checksum, &file) && !split_tagged(line + escaped, &checksum, &file))
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("line %d of the listing is not a checksum and a file", number),
				 errdetail("It reads \"%.*s\".", pg_mbcharcliplen(line, strlen(line), 100), line),
				 errhint(HOW_TO_LIST)));
	check_sum(checksum, number);
	if (escaped)
		unescape(file);
	listed->file = file;
	listed->checksum = asc_tolower(checksum, strlen(checksum));
	return true;
}

/* "SUM  FILE", or "SUM *FILE" of what was read in binary mode */
static bool
split_plain(char *line, char **checksum, char **file)
{
	size_t		sum = strspn(line, HEX);
	char	   *rest = line + sum + strspn(line + sum, " \t");

	if (sum == 0 || rest == line + sum || *rest == '\0')
		return false;
	if (rest[0] == '*' && rest[1] != '\0' && rest[1] != ' ' && rest[1] != '\t')
		rest++;
	line[sum] = '\0';
	*checksum = line;
	*file = rest;
	return true;
}

/* "SHA256 (FILE) = SUM" */
static bool
split_tagged(char *line, char **checksum, char **file)
{
	static const char before[] = "SHA256 (";
	static const char between[] = ") = ";
	size_t		length = strlen(line);
	size_t		sum = 0;
	char	   *end;

	while (sum < length && strchr(HEX, line[length - sum - 1]) != NULL)
		sum++;
	end = line + length - sum;
	if (sum == 0 || strncmp(line, before, strlen(before)) != 0 ||
		end - line < (ptrdiff_t) (strlen(before) + 1 + strlen(between)) ||
		strncmp(end - strlen(between), between, strlen(between)) != 0)
		return false;
	end[-(ptrdiff_t) strlen(between)] = '\0';
	*checksum = end;
	*file = line + strlen(before);
	return true;
}

/* Raises MG004 for digits that are no sha256 checksum. */
static void
check_sum(const char *checksum, int number)
{
	int			length = strlen(checksum);

	if (length != 64)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_CHECKSUM),
				 errmsg("line %d of the listing has no sha256 checksum", number),
				 errdetail("A sha256 checksum has 64 hexadecimal digits; \"%.100s\" has %d%s.", checksum, length,
						   length == 32 ? ", as an md5 has" : length == 40 ? ", as a sha1 has" :
						   length == 128 ? ", as a sha512 has" : ""),
				 errhint(HOW_TO_LIST)));
}

/* How sha256sum writes a name with a newline or a backslash in it. */
static void
unescape(char *file)
{
	char	   *to = file;

	for (char *from = file; *from != '\0'; from++)
	{
		if (from[0] == '\\' && (from[1] == '\\' || from[1] == 'n'))
			*to++ = *++from == 'n' ? '\n' : '\\';
		else
			*to++ = *from;
	}
	*to = '\0';
}

/* Appends the object about one file. */
static void
add_file(StringInfo json, const char *file, const char *checksum, const char *sql)
{
	Parting		parting = {.file = file,.sql = sql};
	ErrorData  *error = subxact_run(take_apart, &parting);

	if (error != NULL && (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN))
		ReThrowError(error);
	appendStringInfoChar(json, '{');
	add_text(json, "file", file);
	add_text(json, "checksum", checksum);
	if (error != NULL)
		add_text(json, "problem", error->message);
	else
	{
		add_text(json, "version", parting.parts->version);
		add_text(json, "name", parting.parts->name);
		add_text(json, "shape", parting.shape);
	}
	appendStringInfoChar(json, '}');
}

/*
 * By the function that apply_file() uses; the text is a stand-in where only
 * the name is known.
 */
static bool
take_apart(void *arg)
{
	Parting    *parting = arg;

	parting->parts = script_file(parting->file, script_canonical(parting->sql == NULL ? "SELECT 1;" : parting->sql));
	if (parting->sql != NULL)
		parting->shape = script_shape_hash(parting->sql);
	return false;
}

static void
add_text(StringInfo json, const char *key, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(json, "%s\"%s\":", json->data[json->len - 1] == '{' ? "" : ",", key);
	escape_json(json, value);
}

static Datum
parsed_jsonb(const char *json)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
}
