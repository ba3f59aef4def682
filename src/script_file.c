/*
 * script_file.c
 *	  Migration files: what the name says, and the sections in the text.
 *
 * A marker is a comment line of its own at top level: never inside a literal,
 * a body or parentheses.  Our own are "-- migmgr:NAME"; a name we do not know
 * is an error, because a misspelt "down" would run as part of the way up.
 * dbmate's, goose's and sql-migrate's are read too.
 */
#include "postgres.h"

#include <ctype.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "parser/parser.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "compat.h"
#include "errors.h"
#include "script.h"
#include "script_lex.h"
#include "script_text.h"

#define FILE_HINT	"A migration file is called VERSION_name.sql, for example 001_create_job_dlq.sql or 20240131120000_add_heartbeat.sql."

/* the sections of a file */
typedef enum SectionKind
{
	SECTION_UP, SECTION_DOWN, SECTION_VERIFY
} SectionKind;

#define NUM_SECTIONS (SECTION_VERIFY + 1)

/* a file while it is taken apart */
typedef struct FileReader
{
	const char *file;			/* for messages */
	const char *sql;
	ScriptFile *result;
	SectionKind current;
	int			from;			/* where its text begins */
	char	   *section[NUM_SECTIONS];
	int			marker_line[NUM_SECTIONS];	/* 0: no marker yet */
	int			line;			/* of offset line_at */
	int			line_at;
	int			code_tokens;	/* tokens of the current section */
} FileReader;

typedef struct Marker Marker;
typedef void (*marker_fn) (FileReader *reader, const Marker *marker,
						   const Lexer *lex, char *value);

typedef enum MarkerValue
{
	VALUE_NONE, VALUE_ONE, VALUE_LIST
} MarkerValue;

/* a comment with a meaning */
struct Marker
{
	const char *prefix;			/* 'migmgr:' */
	const char *name;			/* 'down'; words separated by one space */
	MarkerValue value;
	SectionKind section;		/* of a marker that begins one */
	marker_fn	read;
};

static void read_section(FileReader *reader, const Marker *marker,
						 const Lexer *lex, char *value);
static void read_flag(FileReader *reader, const Marker *marker,
					  const Lexer *lex, char *value);
static void read_versions(FileReader *reader, const Marker *marker,
						  const Lexer *lex, char *value);
static void read_lock_timeout(FileReader *reader, const Marker *marker,
							  const Lexer *lex, char *value);
static void read_online(FileReader *reader, const Marker *marker,
						const Lexer *lex, char *value);
static void read_nothing(FileReader *reader, const Marker *marker,
						 const Lexer *lex, char *value);

#define OURS "migmgr:"

static const Marker markers[] = {
	{.prefix = OURS,.name = "up",.section = SECTION_UP,.read = read_section},
	{.prefix = OURS,.name = "down",.section = SECTION_DOWN,.read = read_section},
	{.prefix = OURS,.name = "verify",.section = SECTION_VERIFY,.read = read_section},
	{.prefix = OURS,.name = "flag",.value = VALUE_ONE,.read = read_flag},
	{.prefix = OURS,.name = "requires",.value = VALUE_LIST,.read = read_versions},
	{.prefix = OURS,.name = "replaces",.value = VALUE_LIST,.read = read_versions},
	{.prefix = OURS,.name = "lock_timeout",.value = VALUE_ONE,.read = read_lock_timeout},
	{.prefix = OURS,.name = "online",.read = read_online},

	{.prefix = "migrate:",.name = "up transaction:false",.section = SECTION_UP,.read = read_online},
	{.prefix = "migrate:",.name = "down transaction:false",.section = SECTION_DOWN,.read = read_online},
	{.prefix = "migrate:",.name = "up",.section = SECTION_UP,.read = read_section},
	{.prefix = "migrate:",.name = "down",.section = SECTION_DOWN,.read = read_section},

	{.prefix = "+goose",.name = "up",.section = SECTION_UP,.read = read_section},
	{.prefix = "+goose",.name = "down",.section = SECTION_DOWN,.read = read_section},
	{.prefix = "+goose",.name = "statementbegin",.read = read_nothing},
	{.prefix = "+goose",.name = "statementend",.read = read_nothing},
	{.prefix = "+goose",.name = "no transaction",.read = read_online},

	{.prefix = "+migrate",.name = "up notransaction",.section = SECTION_UP,.read = read_online},
	{.prefix = "+migrate",.name = "down notransaction",.section = SECTION_DOWN,.read = read_online},
	{.prefix = "+migrate",.name = "up",.section = SECTION_UP,.read = read_section},
	{.prefix = "+migrate",.name = "down",.section = SECTION_DOWN,.read = read_section},
	{.prefix = "+migrate",.name = "statementbegin",.read = read_nothing},
	{.prefix = "+migrate",.name = "statementend",.read = read_nothing},
};

/* prose may begin like dbmate's prefix, so an unknown name there is prose */
static const char *const strict_prefixes[] = {OURS, "+goose", "+migrate"};

static void parse_name(const char *file, ScriptFile *result);
static void read_sections(const char *file, const char *sql, ScriptFile *result);
static char *base_name(const char *file);
pg_noreturn static void bad_name(const char *file, const char *detail, const char *hint);
static void read_marker(FileReader *reader, const Lexer *lex, bool own_line);
static const char *after_prefix(const char *comment, const char *prefix);
static const char *after_name(const char *comment, const char *name);
pg_noreturn static void unknown_marker(FileReader *reader, const Lexer *lex, const char *prefix);
static void end_section(FileReader *reader, int to);
static void check_place(FileReader *reader, const Lexer *lex, bool own_line);
static void add_words(List **list, char *value);
static int	reader_line(FileReader *reader, int offset);
static char *marker_text(const Lexer *lex);
static Datum text_array(List *words);

PG_FUNCTION_INFO_V1(migmgr_file_parts);

/*
 * A migration file taken apart; palloc'd.  The text is canonical (or as it
 * came: a byte order mark and CR before LF do no harm).  Raises MG001 for the
 * name and MG002 for a marker.  up is never NULL; down and verify are NULL
 * when absent or without a statement.
 */
ScriptFile *
script_file(const char *file, const char *sql)
{
	ScriptFile *result = palloc0(sizeof(ScriptFile));

	parse_name(file, result);
	read_sections(file, sql, result);
	return result;
}

/* The way up of a text that may have sections, lines as in the text. */
char *
script_up(const char *what, const char *sql)
{
	ScriptFile *file = palloc0(sizeof(ScriptFile));

	read_sections(what, sql, file);
	return file->up;
}

static void
read_sections(const char *file, const char *sql, ScriptFile *result)
{
	FileReader	reader = {0};
	bool		own_line = true;
	Lexer		lex;

	sql = script_clean(sql, false);
	reader.file = file;
	reader.sql = sql;
	reader.result = result;
	reader.line = 1;
	script_lex_init(&lex, sql, strlen(sql), standard_conforming_strings);

	while (script_lex_next(&lex) != LEX_END)
	{
		if (lex.kind == LEX_SPACE)
		{
			own_line = own_line ||
				script_line(sql, lex.start, lex.pos) > 0;
			continue;
		}
		if (lex.kind == LEX_LINE_COMMENT)
			read_marker(&reader, &lex, own_line);
		else if (lex.kind != LEX_BLOCK_COMMENT)
			reader.code_tokens++;
		own_line = false;
	}
	end_section(&reader, lex.end);

	result->up = reader.section[SECTION_UP];
	result->down = reader.section[SECTION_DOWN];
	result->verify = reader.section[SECTION_VERIFY];
}

/*
 * Version and name from VERSION_name.sql, VERSION__name.sql, V1__name.sql or
 * VERSION_name.up.sql.  In Flyway's form underscores in the version are dots.
 */
static void
parse_name(const char *file, ScriptFile *result)
{
	char	   *base = base_name(file);
	char	   *version = base;
	char	   *split;
	bool		flyway;

	if ((base[0] == 'R' || base[0] == 'r') && strncmp(base + 1, "__", 2) == 0)
		bad_name(file, "R__ is Flyway's prefix of a repeatable migration, which has no version.", NULL);
	if ((base[0] == 'U' || base[0] == 'u') && isdigit((unsigned char) base[1]))
		bad_name(file, "U is Flyway's prefix of an undo migration.",
				 "Put the way back into the migration's own file, after a line \"-- migmgr:down\".");

	flyway = (base[0] == 'V' || base[0] == 'v') &&
		isdigit((unsigned char) base[1]);
	if (flyway)
		version++;
	if (!isdigit((unsigned char) version[0]))
		bad_name(file, "It does not begin with a version.", NULL);

	split = flyway ? strstr(version, "__") : NULL;
	if (split == NULL)
	{
		flyway = false;
		split = strchr(version, '_');
	}
	if (split == NULL)
	{
		split = version + strspn(version, "0123456789.");
		if (*split != '-' && *split != ' ')
			bad_name(file, "No underscore separates its version from a name.", NULL);
	}

	result->name = split + strspn(split, "_- ");
	*split = '\0';
	if (*result->name == '\0')
		bad_name(file, "It has no name after the version.", NULL);
	for (split = version; flyway && *split != '\0'; split++)
	{
		if (*split == '_')
			*split = '.';
	}
	script_check_version(version);
	result->version = version;
}

/* The last part of the path, without .sql and .up; a copy. */
static char *
base_name(const char *file)
{
	const char *c;
	const char *base = file;
	char	   *copy;
	size_t		len;

	if (file == NULL || *file == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_VERSION),
				 errmsg("a migration file needs a name"),
				 errdetail("The file name is %s.",
						   file == NULL ? "NULL" : "empty"),
				 errhint(FILE_HINT)));

	for (c = file; *c != '\0'; c++)
	{
		if (*c == '/' || *c == '\\')
			base = c + 1;
		else if ((unsigned char) *c < ' ' || *c == 0x7F)
			bad_name(file, "It has a control character in it.",
					 "Is this the text, and the arguments the wrong way round? The order is apply_file(file, sql).");
	}

	copy = pstrdup(base);
	len = strlen(copy);
	if (len < 4 || pg_strcasecmp(copy + len - 4, ".sql") != 0)
		bad_name(file, "It does not end in .sql.", NULL);
	len -= 4;
	if (len >= 3 && pg_strncasecmp(copy + len - 3, ".up", 3) == 0)
		len -= 3;
	else if (len >= 5 && pg_strncasecmp(copy + len - 5, ".down", 5) == 0)
		bad_name(file, "A .down file is the way back, not a migration.",
				 "Give its text to apply(version, name, sql, rollback_sql), or put it into the migration's own file after a line \"-- migmgr:down\".");
	copy[len] = '\0';
	return copy;
}

static void
bad_name(const char *file, const char *detail, const char *hint)
{
	int			shown = 0;

	while ((unsigned char) file[shown] >= ' ' && file[shown] != 0x7F)
		shown++;
	shown = pg_mbcliplen(file, shown, 120);
	ereport(ERROR,
			(errcode(ERRCODE_MG_BAD_VERSION),
			 errmsg("\"%.*s\" is not the name of a migration file",
					shown, file),
			 errdetail_internal("%s", detail),
			 errhint("%s", hint != NULL ? hint : FILE_HINT)));
}

/* Reads the comment if it is a marker. */
static void
read_marker(FileReader *reader, const Lexer *lex, bool own_line)
{
	char	   *comment = pnstrdup(lex->sql + lex->body_start,
								   lex->body_end - lex->body_start);
	int			i;

	for (i = 0; i < lengthof(markers); i++)
	{
		const Marker *marker = &markers[i];
		const char *rest = after_prefix(comment, marker->prefix);
		char	   *value;

		if (rest != NULL)
			rest = after_name(rest, marker->name);
		if (rest == NULL)
			continue;

		value = pstrdup(rest);
		while (*value != '\0' && strchr(" \t", value[strlen(value) - 1]) != NULL)
			value[strlen(value) - 1] = '\0';
		if (marker->value == VALUE_NONE && *value != '\0' &&
			strcmp(marker->prefix, "migrate:") == 0)
			continue;			/* prose */

		check_place(reader, lex, own_line);
		if ((marker->value == VALUE_NONE) != (*value == '\0'))
			ereport(ERROR,
					(errcode(ERRCODE_MG_BAD_SCRIPT),
					 marker->value == VALUE_NONE ?
					 errmsg("\"-- %s%s\" takes no value", marker->prefix, marker->name) :
					 errmsg("\"-- %s%s\" needs a value", marker->prefix, marker->name),
					 errdetail("Line %d of %s: %s",
							   reader_line(reader, lex->start), reader->file,
							   marker_text(lex)),
					 marker->value == VALUE_NONE ?
					 errhint("Write the remark on a line of its own.") :
					 errhint("Write it on the same line: -- %s%s VALUE.",
							 marker->prefix, marker->name)));
		marker->read(reader, marker, lex, value);
		return;
	}

	for (i = 0; i < lengthof(strict_prefixes); i++)
	{
		if (after_prefix(comment, strict_prefixes[i]) != NULL)
			unknown_marker(reader, lex, strict_prefixes[i]);
	}
	pfree(comment);
}

/* What follows the prefix in a comment, or NULL when it has another. */
static const char *
after_prefix(const char *comment, const char *prefix)
{
	size_t		len = strlen(prefix);

	comment += strspn(comment, " \t");
	if (pg_strncasecmp(comment, prefix, len) != 0)
		return NULL;
	comment += len;
	if (prefix[len - 1] != ':' && strchr(" \t", *comment) == NULL)
		return NULL;
	return comment + strspn(comment, " \t");
}

/* The value after the name, NULL when the name is another. */
static const char *
after_name(const char *comment, const char *name)
{
	for (; *name != '\0'; name++)
	{
		if (*name == ' ' && strchr(" \t", *comment) != NULL && *comment != '\0')
			comment += strspn(comment, " \t");
		else if (pg_tolower((unsigned char) *comment) == (unsigned char) *name)
			comment++;
		else
			return NULL;
	}
	if (strchr(" \t", *comment) == NULL)
		return NULL;
	return comment + strspn(comment, " \t");
}

static void
unknown_marker(FileReader *reader, const Lexer *lex, const char *prefix)
{
	StringInfoData known;
	int			i;

	initStringInfo(&known);
	for (i = 0; i < lengthof(markers); i++)
	{
		if (strcmp(markers[i].prefix, prefix) == 0)
			appendStringInfo(&known, "%s%s", known.len > 0 ? ", " : "",
							 markers[i].name);
	}
	ereport(ERROR,
			(errcode(ERRCODE_MG_BAD_SCRIPT),
			 errmsg("unknown marker \"%s\"", marker_text(lex)),
			 errdetail("Line %d of %s begins with \"-- %s\".",
					   reader_line(reader, lex->start), reader->file, prefix),
			 errhint("Known are: %s.", known.data)));
}

/*
 * A marker that is not alone on its line, or within a statement, is a mistake
 * that must not go unnoticed.
 */
static void
check_place(FileReader *reader, const Lexer *lex, bool own_line)
{
	if (!own_line)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("\"%s\" does not stand on a line of its own",
						marker_text(lex)),
				 errdetail("Other text stands before it in line %d of %s.",
						   reader_line(reader, lex->start), reader->file),
				 errhint("Move it to the next line.")));

	if (lex->in_statement && (lex->parens > 0 || lex->atomic > 0))
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("\"%s\" stands inside a statement", marker_text(lex)),
				 errdetail("The statement in which line %d of %s stands begins in line %d and is not closed.",
						   reader_line(reader, lex->start), reader->file,
						   script_line(lex->sql, 0, lex->statement_start) + 1),
				 errhint("Close its parenthesis or body, or move the marker between two statements.")));
}

/* Begins a section, and ends the one before. */
static void
read_section(FileReader *reader, const Marker *marker,
			 const Lexer *lex, char *value)
{
	SectionKind kind = marker->section;
	int			line = reader_line(reader, lex->start);

	if (kind == SECTION_UP && reader->current == SECTION_UP &&
		reader->marker_line[kind] == 0 && reader->code_tokens > 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("\"%s\" comes after the first statement",
						marker_text(lex)),
				 errdetail("What stands before the marker in line %d of %s belongs to the same section.",
						   line, reader->file),
				 errhint("Move the marker to the top of the file, or take it out.")));
	if (reader->marker_line[kind] > 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("\"%s\" stands twice in the file", marker_text(lex)),
				 errdetail("The section begins in line %d and again in line %d of %s.",
						   reader->marker_line[kind], line, reader->file),
				 errhint("Put all statements of a section together.")));

	end_section(reader, lex->start);
	reader->current = kind;
	reader->marker_line[kind] = line;
	reader->from = lex->start;
	reader->code_tokens = 0;
}

/*
 * Keeps the text of the current section, unless it is one that may be absent
 * and has no statement.  Newlines in front make its line numbers those of the
 * file; its marker stays as the first line.
 */
static void
end_section(FileReader *reader, int to)
{
	int		   *marker_line = &reader->marker_line[reader->current];
	int			len = to - reader->from;
	int			padding;
	char	   *section;

	if (reader->code_tokens == 0 && reader->current != SECTION_UP)
		return;
	if (reader->code_tokens > 0 && *marker_line == 0)
		*marker_line = 1;		/* the way up, without a marker */

	padding = Max(*marker_line - 1, 0);
	section = palloc(padding + len + 1);
	memset(section, '\n', padding);
	memcpy(section + padding, reader->sql + reader->from, len);
	section[padding + len] = '\0';
	reader->section[reader->current] = section;
}

static void
read_flag(FileReader *reader, const Marker *marker,
		  const Lexer *lex, char *value)
{
	if (strpbrk(value, " \t,") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("\"%s\" names no flag", marker_text(lex)),
				 errdetail("A flag is one word, in line %d of %s there are more.",
						   reader_line(reader, lex->start), reader->file),
				 errhint("Write one line for each flag: -- migmgr:flag NAME.")));
	add_words(&reader->result->flags, value);
}

static void
read_versions(FileReader *reader, const Marker *marker,
			  const Lexer *lex, char *value)
{
	List	  **list = strcmp(marker->name, "requires") == 0 ?
		&reader->result->requires : &reader->result->replaces;
	ListCell   *lc;

	add_words(list, value);
	foreach(lc, *list)
	{
		const char *version = lfirst(lc);
		size_t		len = strlen(version);

		if (len >= 4 && pg_strcasecmp(version + len - 4, ".sql") == 0)
			ereport(ERROR,
					(errcode(ERRCODE_MG_BAD_SCRIPT),
					 errmsg("\"%s\" is a file name, not a version", version),
					 errdetail("Line %d of %s: %s",
							   reader_line(reader, lex->start), reader->file,
							   marker_text(lex)),
					 errhint("Write the version only, for example -- %s%s 001.",
							 marker->prefix, marker->name)));
		script_check_version(version);
	}
}

static void
read_lock_timeout(FileReader *reader, const Marker *marker,
				  const Lexer *lex, char *value)
{
	int			ms;
	const char *hint = NULL;

	if (!parse_int(value, &ms, GUC_UNIT_MS, &hint) || ms < 1)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("\"%s\" is not a lock timeout", value),
				 errdetail("Line %d of %s: %s",
						   reader_line(reader, lex->start), reader->file,
						   marker_text(lex)),
				 errhint("Write it as -- migmgr:lock_timeout 2s, with one of the units us, ms, s, min, h.")));
	if (reader->result->lock_timeout != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("\"%s\" is the second lock timeout", marker_text(lex)),
				 errdetail("Line %d of %s; the first is %s.",
						   reader_line(reader, lex->start), reader->file,
						   reader->result->lock_timeout),
				 errhint("One lock timeout holds for the whole migration: leave one of them.")));
	reader->result->lock_timeout = value;
}

/* Also the markers of other tools that ask for no transaction. */
static void
read_online(FileReader *reader, const Marker *marker,
			const Lexer *lex, char *value)
{
	reader->result->online = true;
	if (strcmp(marker->prefix, "migrate:") == 0 || strcmp(marker->prefix, "+migrate") == 0)
		read_section(reader, marker, lex, value);
}

static void
read_nothing(FileReader *reader, const Marker *marker,
			 const Lexer *lex, char *value)
{
}

/* Adds the words of value, separated by blanks or commas. */
static void
add_words(List **list, char *value)
{
	char	   *word;
	char	   *save;

	for (word = strtok_r(value, " \t,", &save); word != NULL;
		 word = strtok_r(NULL, " \t,", &save))
		*list = lappend(*list, word);
}

/* The line of an offset; offsets come in rising order. */
static int
reader_line(FileReader *reader, int offset)
{
	reader->line += script_line(reader->sql, reader->line_at, offset);
	reader->line_at = offset;
	return reader->line;
}

/* The comment as it stands there, without blanks at its end, clipped. */
static char *
marker_text(const Lexer *lex)
{
	return script_excerpt(lex->sql, lex->start, lex->pos);
}

/* A text[] of the words, in their order. */
static Datum
text_array(List *words)
{
	Datum	   *elements = palloc(sizeof(Datum) * (list_length(words) + 1));
	ListCell   *lc;
	int			n = 0;

	foreach(lc, words)
		elements[n++] = CStringGetTextDatum(lfirst(lc));
	return PointerGetDatum(construct_array(elements, n, TEXTOID,
										   -1, false, TYPALIGN_INT));
}

/* migmgr_internal.file_parts(file, text): one row */
Datum
migmgr_file_parts(PG_FUNCTION_ARGS)
{
	char	   *file = PG_ARGISNULL(0) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *sql = PG_ARGISNULL(1) ? pstrdup("") :
		text_to_cstring(PG_GETARG_TEXT_PP(1));
	ScriptFile *parts = script_file(file, script_canonical(sql));
	TupleDesc	desc;
	Datum		values[10];
	bool		nulls[10] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	values[0] = CStringGetTextDatum(parts->version);
	values[1] = CStringGetTextDatum(parts->name);
	values[2] = CStringGetTextDatum(parts->up);
	nulls[3] = parts->down == NULL;
	values[3] = nulls[3] ? 0 : CStringGetTextDatum(parts->down);
	nulls[4] = parts->verify == NULL;
	values[4] = nulls[4] ? 0 : CStringGetTextDatum(parts->verify);
	values[5] = text_array(parts->flags);
	values[6] = text_array(parts->requires);
	values[7] = text_array(parts->replaces);
	nulls[8] = parts->lock_timeout == NULL;
	values[8] = nulls[8] ? 0 : CStringGetTextDatum(parts->lock_timeout);
	values[9] = BoolGetDatum(parts->online);

	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
