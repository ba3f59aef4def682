/*
 * script.c
 *	  A script's text taken apart into statements.
 *
 * The server's own parser splits, and the trees it makes are the ones that run
 * later: what was judged is what is executed.  It rejects a text as a whole and
 * knows neither statements nor lines then, nor what psql would have made of a
 * backslash or a colon; finding that out for a good message is most of this
 * file.  Nothing here looks at the catalog.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "utils/builtins.h"

#include "compat.h"
#include "errors.h"
#include "guc.h"
#include "script.h"
#include "script_lex.h"
#include "script_rules.h"
#include "script_text.h"

/* beyond that the parse trees alone would take gigabytes */
#define MAX_STATEMENTS	250000

/* of a statement or line in a message */
#define MAX_EXCERPT		80

/* of the server's own message */
#define MAX_MESSAGE		200

/* where in a text the server's parser stopped */
typedef struct ErrorPlace
{
	int			offset;			/* byte at which it stopped */
	LexKind		token;			/* what begins there; LEX_SPACE: nothing */
	int			statement;		/* number of that statement */
	int			statement_start;
	int			line;
	int			copy_offset;	/* of a COPY FROM STDIN before it, or -1 */
	int			copy_statement;
} ErrorPlace;

/* what to say about a psql command; the first whose name fits */
typedef struct PsqlCommand
{
	const char *name;			/* without the backslash; NULL: any other */
	const char *hint;
} PsqlCommand;

static bool is_nothing_but(const char *text, const char *characters);

static const PsqlCommand psql_commands[] = {
	{"i", "Apply each file by itself: a script cannot read others."},
	{"ir", "Apply each file by itself: a script cannot read others."},
	{"include", "Apply each file by itself: a script cannot read others."},
	{"restrict", "pg_dump writes this line for psql: take it and \\unrestrict out."},
	{"unrestrict", "pg_dump writes this line for psql: take it and \\restrict out."},
	{"set", "Write the value into the script: there are no psql variables in the server."},
	{"copy", "Write the rows as INSERT statements, or load them with psql outside apply."},
	{".", "It ends the data of COPY FROM STDIN: write the rows as INSERT statements (pg_dump --inserts)."},
	{"c", "A script runs in the database that it is applied to: take the line out."},
	{"connect", "A script runs in the database that it is applied to: take the line out."},
	{NULL, "The script runs in the server, which knows no psql commands: take it out."}
};

/* characters that look like white space or quotes and are neither */
static const struct
{
	const char *bytes;			/* in UTF-8 */
	const char *name;
}			lookalikes[] = {
	{"\xEF\xBB\xBF", "U+FEFF, a byte order mark"},
	{"\xC2\xA0", "U+00A0, a no-break space"},
	{"\xE2\x80\x8B", "U+200B, a zero-width space"},
	{"\xE2\x80\x8E", "U+200E, a direction mark"},
	{"\xE2\x80\x8F", "U+200F, a direction mark"},
	{"\xE2\x80\xAE", "U+202E, a direction mark"},
	{"\xE2\x80\x98", "U+2018, a typographic quote"},
	{"\xE2\x80\x99", "U+2019, a typographic quote"},
	{"\xE2\x80\x9C", "U+201C, a typographic quote"},
	{"\xE2\x80\x9D", "U+201D, a typographic quote"},
	{"\xE3\x80\x80", "U+3000, an ideographic space"},
	{"\x1A", "U+001A, an end-of-file mark of Windows (Ctrl-Z)"},
};

static void check_size(const char *sql, const char *what);
static List *parse_text(const char *sql, const char *what);
static List *list_statements(const char *sql, List *raw);
static void unwrap(Script *script);
static bool has_word(const char *sql, const char *word);
static void check_statements(const Script *script, const char *what, bool online);
pg_noreturn static void report_parse_error(ErrorData *edata, int position, const char *sql, const char *what);
static void find_place(ErrorPlace *place, const char *sql, int offset);
static void report_copy(const ErrorPlace *place, const char *sql, const char *what);
static void report_psql_command(const ErrorPlace *place, const char *sql, const char *what);
static void report_psql_variable(const ErrorPlace *place, const char *sql, const char *what);
static const char *syntax_hint(const ErrorPlace *place, const char *sql);
static char *place_detail(const ErrorPlace *place, const char *sql, const char *what, bool *redacted);
static char *redacted_line(const char *sql, int from, int line_start);
static char *pointed_line(const char *sql, int offset);
static char *line_from(const char *sql, int offset);
static bool is_utf8(void);

PG_FUNCTION_INFO_V1(migmgr_script_statements);

/*
 * The statements of a text; everything is in the current memory context.
 * what names the text in messages: 'migration "001"'.  Raises MG002, MG003,
 * MG009 or what the server's parser says, with statement and line.
 */
Script *
script_parse(const char *sql, const char *what)
{
	Script	   *script = script_split(sql, what);

	check_statements(script, what, false);
	return script;
}

/* Likewise, with statements that run by themselves. */
Script *
script_parse_online(const char *sql, const char *what)
{
	Script	   *script = script_split(sql, what);

	check_statements(script, what, true);
	return script;
}

/*
 * Is there a statement that can only run by itself?  Nearly every text is
 * answered by the words that are not in it.  One that cannot be parsed needs
 * nothing: whoever runs it will say what is wrong.
 */
bool
script_needs_online(const char *sql)
{
	static const char *const words[] = {"concurrently", "vacuum", "reindex", "cluster"};
	MemoryContext context = CurrentMemoryContext;
	volatile bool result = false;
	bool		found = false;

	for (int i = 0; i < lengthof(words) && !found; i++)
		found = has_word(sql, words[i]);
	if (!found)
		return false;

	PG_TRY();
	{
		Script	   *script = script_split(sql, "the script");
		ListCell   *lc;

		foreach(lc, script->statements)
		{
			ScriptRefusal refusal;

			if (script_refuses(script, lfirst(lc), &refusal))
				result |= refusal.online;
		}
	}
	PG_CATCH();
	{
		if (geterrcode() == ERRCODE_QUERY_CANCELED || geterrcode() == ERRCODE_ADMIN_SHUTDOWN)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return result;
}

/* Is word, in lower case, anywhere in the text, in any case? */
static bool
has_word(const char *sql, const char *word)
{
	size_t		length = strlen(word);

	for (const char *p = sql; *p; p++)
	{
		if ((*p | 0x20) == word[0] && pg_strncasecmp(p, word, length) == 0)
			return true;
	}
	return false;
}

static bool
is_nothing_but(const char *text, const char *characters)
{
	return text[strspn(text, characters)] == '\0';
}

/* Likewise, with statements that no script may have: to look at them. */
Script *
script_split(const char *sql, const char *what)
{
	Script	   *script = palloc0(sizeof(Script));

	check_size(sql, what);

	script->text = pstrdup(sql);
	script->statements = list_statements(script->text,
										 parse_text(script->text, what));
	unwrap(script);

	if (script->statements == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("%s is empty", what),
				 *sql == '\0' ? errdetail("The text has no characters.") :
				 errdetail("It has no statement to run, only white space, comments, semicolons or BEGIN and COMMIT."),
				 is_nothing_but(sql, " \t\r\n;") ?
				 errhint("Did psql's backtick find no file? \\set sql `cat FILE` gives an empty text then.") :
				 errhint("One that is to do nothing says so with a statement: SELECT 1;")));
	return script;
}

/*
 * The first line of a statement for a message, clipped; palloc'd.
 */
char *
script_brief(const char *sql)
{
	return script_excerpt(sql, 0, strlen(sql));
}

/*
 * Line ends between two offsets; CR and LF together are one, as psql counts
 * them too.
 */
int
script_line(const char *sql, int from, int to)
{
	int			lines = 0;
	int			i;

	for (i = from; i < to; i++)
	{
		if (sql[i] == '\n' || (sql[i] == '\r' && sql[i + 1] != '\n'))
			lines++;
	}
	return lines;
}

/*
 * The first line of sql[offset .. end) without passwords, trimmed and
 * clipped; palloc'd.
 */
char *
script_excerpt(const char *sql, int offset, int end)
{
	int			len = strcspn(sql + offset, "\r\n");
	bool		more = offset + len < end;
	bool		redacted;
	char	   *line;
	int			shown;

	/* more than can be shown, so that a password cut in two is still one */
	len = Min(len, end - offset);
	line = pnstrdup(sql + offset, pg_mbcharcliplen(sql + offset, len,
												   MAX_EXCERPT * 4));
	line = script_redact(line, &redacted);
	len = strcspn(line, "\r\n");
	while (len > 0 && strchr(" \t", line[len - 1]) != NULL)
		len--;
	shown = pg_mbcharcliplen(line, len, MAX_EXCERPT);
	return psprintf("%.*s%s", shown, line, more || shown < len ? " ..." : "");
}

/* Raises MG002 for a text that is too large; before any work with it. */
static void
check_size(const char *sql, const char *what)
{
	size_t		size = strlen(sql);
	const char *c;
	int			statements = 0;
	Lexer		lex;

	if (size > (size_t) guc_max_script_size * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_SCRIPT),
				 errmsg("%s is too large: %zu kB, at most %d kB are allowed",
						what, (size + 1023) / 1024, guc_max_script_size),
				 errdetail("The limit is migmgr.max_script_size."),
				 errhint("Load data with COPY outside apply, or let a superuser SET migmgr.max_script_size.")));

	for (c = sql; (c = strchr(c, ';')) != NULL; c++)
		statements++;
	if (statements <= MAX_STATEMENTS)
		return;

	script_lex_init(&lex, sql, size, standard_conforming_strings);
	while (script_lex_next(&lex) != LEX_END)
	{
		if (lex.statement > MAX_STATEMENTS)
			ereport(ERROR,
					(errcode(ERRCODE_MG_BAD_SCRIPT),
					 errmsg("%s has more than %d statements", what,
							MAX_STATEMENTS),
					 errdetail("Statement %d begins in line %d.",
							   MAX_STATEMENTS + 1,
							   script_line(sql, 0, lex.statement_start) + 1),
					 errhint("Divide it, or write many rows as one INSERT.")));
	}
}

/*
 * The server's parse trees.  Without error contexts of callers: PL/pgSQL and
 * SPI would take the position for one in their own query.
 */
static List *
parse_text(const char *sql, const char *what)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *volatile raw = NIL;

	PG_TRY();
	{
		error_context_stack = NULL;
		raw = raw_parser(sql, RAW_PARSE_DEFAULT);
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(context);
		edata = CopyErrorData();
		if (edata->cursorpos <= 0)
			PG_RE_THROW();
		FlushErrorState();
		report_parse_error(edata, edata->cursorpos, sql, what);
	}
	PG_END_TRY();

	return raw;
}

/* Statements with number, line and own text, from the server's trees. */
static List *
list_statements(const char *sql, List *raw)
{
	List	   *result = NIL;
	int			len = strlen(sql);
	int			line = 1;
	int			line_at = 0;
	int			number = 0;
	ListCell   *lc;

	foreach(lc, raw)
	{
		ScriptStatement *stmt = palloc(sizeof(ScriptStatement));
		int			from;
		int			end;
		Lexer		lex;

		stmt->raw = lfirst_node(RawStmt, lc);
		from = stmt->raw->stmt_location;
		end = stmt->raw->stmt_len > 0 ? from + stmt->raw->stmt_len : len;

		/* without comments before and after it, and without semicolon */
		script_lex_init(&lex, sql, end, standard_conforming_strings);
		lex.pos = from;
		script_lex_token(&lex);
		stmt->offset = lex.start;
		end = lex.pos;
		while (script_lex_token(&lex) != LEX_END && lex.in_statement)
			end = lex.pos;

		line += script_line(sql, line_at, stmt->offset);
		line_at = stmt->offset;
		stmt->number = ++number;
		stmt->line = line;
		stmt->text = pnstrdup(sql + stmt->offset, end - stmt->offset);
		result = lappend(result, stmt);
	}
	return result;
}

/*
 * Takes off one BEGIN at the start with its COMMIT at the end.  The statements
 * between them are counted from 1.
 */
static void
unwrap(Script *script)
{
	ListCell   *lc;

	if (list_length(script->statements) < 2 ||
		!script_is_begin(((ScriptStatement *) linitial(script->statements))->raw->stmt) ||
		!script_is_commit(((ScriptStatement *) llast(script->statements))->raw->stmt))
		return;

	script->statements = list_delete_last(list_delete_first(script->statements));
	foreach(lc, script->statements)
		((ScriptStatement *) lfirst(lc))->number--;
}

/* Raises for the first statement that no script may have. */
static void
check_statements(const Script *script, const char *what, bool online)
{
	ListCell   *lc;

	foreach(lc, script->statements)
	{
		ScriptStatement *stmt = lfirst(lc);
		ScriptRefusal refusal;

		CHECK_FOR_INTERRUPTS();
		if (script_refuses(script, stmt, &refusal) && !(online && refusal.online))
			script_refuse(stmt, &refusal, what);
	}
}

/* Raises what no script may have. */
void
script_refuse(const ScriptStatement *stmt, const ScriptRefusal *refusal, const char *what)
{
	ereport(ERROR,
			(errcode(refusal->sqlstate),
			 errmsg("%s is not allowed in %s", refusal->command, what),
			 errdetail("Statement %d, line %d: %s\n%s",
					   stmt->number, stmt->line,
					   script_brief(stmt->text), refusal->reason),
			 errhint("%s", refusal->hint)));
}

/*
 * Raises the parser's error again, at the right statement and line, or a
 * better one for what only psql understands.
 */
static void
report_parse_error(ErrorData *edata, int position, const char *sql,
				   const char *what)
{
	ErrorPlace	place;
	char	   *detail;
	bool		redacted;

	find_place(&place, sql,
			   pg_mbcharcliplen(sql, strlen(sql), position - 1));
	if (edata->sqlerrcode == ERRCODE_SYNTAX_ERROR)
	{
		report_copy(&place, sql, what);
		report_psql_command(&place, sql, what);
		report_psql_variable(&place, sql, what);
	}

	/* the server names the token, which may be a password or very long */
	detail = place_detail(&place, sql, what, &redacted);
	if (redacted && (place.token == LEX_STRING || place.token == LEX_DOLLAR))
		edata->message = pstrdup("syntax error at or near a password");
	if (strlen(edata->message) > MAX_MESSAGE)
		edata->message = psprintf("%.*s ...",
								  pg_mbcliplen(edata->message,
											   strlen(edata->message),
											   MAX_MESSAGE),
								  edata->message);
	edata->detail = edata->detail == NULL ? detail :
		psprintf("%s\n%s", edata->detail, detail);
	if (edata->hint == NULL)
		edata->hint = pstrdup(syntax_hint(&place, sql));
	edata->cursorpos = 0;
	edata->context = NULL;
	ThrowErrorData(edata);
	pg_unreachable();
}

/* Which statement and line is that offset in?  Was there a COPY before it? */
static void
find_place(ErrorPlace *place, const char *sql, int offset)
{
	int			len = strlen(sql);
	bool		wrapped = false;
	bool		is_copy = false;
	bool		after_from = false;
	Lexer		lex;

	place->offset = offset;
	place->line = script_line(sql, 0, offset) + 1;
	place->copy_offset = -1;

	script_lex_init(&lex, sql, len, standard_conforming_strings);
	while (script_lex_token(&lex) != LEX_END && lex.start < offset)
	{
		if (!lex.in_statement)
			continue;
		if (lex.start == lex.statement_start)
		{
			is_copy = script_lex_is(&lex, "copy");
			if (lex.statement == 1)
				wrapped = script_lex_is(&lex, "begin") ||
					script_lex_is(&lex, "start");
		}
		if (is_copy && after_from && place->copy_offset < 0 &&
			script_lex_is(&lex, "stdin"))
		{
			place->copy_offset = lex.statement_start;
			place->copy_statement = lex.statement;
		}
		after_from = script_lex_is(&lex, "from");
	}

	place->token = lex.start == offset ? lex.kind : LEX_SPACE;
	place->statement = lex.statement;
	place->statement_start = lex.statement_start;
	if (lex.kind == LEX_END && !lex.in_statement)
	{
		/* nothing but a comment that is not closed */
		place->statement++;
		place->statement_start = offset;
	}

	/* counted as script_parse would: without a BEGIN in front */
	if (wrapped && place->statement > 1)
	{
		place->statement--;
		place->copy_statement--;
	}
}

/* The error is most likely in the data of a COPY FROM STDIN. */
static void
report_copy(const ErrorPlace *place, const char *sql, const char *what)
{
	if (place->copy_offset < 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_MG_BAD_SCRIPT),
			 errmsg("COPY FROM STDIN is not allowed in %s", what),
			 errdetail("Statement %d, line %d: %s\nThe data would have to come from the client, which has already sent the script.",
					   place->copy_statement,
					   script_line(sql, 0, place->copy_offset) + 1,
					   line_from(sql, place->copy_offset)),
			 errhint("Write the rows as INSERT statements (pg_dump --inserts), or load them with psql's \\copy outside apply.")));
}

/* A backslash outside of quotes is psql's. */
static void
report_psql_command(const ErrorPlace *place, const char *sql,
					const char *what)
{
	const char *name = sql + place->offset + 1;
	int			len;
	int			i;

	if (place->token != LEX_SYMBOL || sql[place->offset] != '\\')
		return;
	len = strcspn(name, " \t\r\n;");
	len = pg_mbcharcliplen(name, len, 32);
	for (i = 0; psql_commands[i].name != NULL; i++)
	{
		if (len == strlen(psql_commands[i].name) &&
			strncmp(name, psql_commands[i].name, len) == 0)
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_MG_BAD_SCRIPT),
			 errmsg("psql command \\%.*s in %s", len, name, what),
			 errdetail("Statement %d, line %d: %s", place->statement,
					   place->line,
					   line_from(sql, place->offset)),
			 errhint("%s", psql_commands[i].hint)));
}

/* :name, :'name', :"name" and :{?name} are psql's too. */
static void
report_psql_variable(const ErrorPlace *place, const char *sql,
					 const char *what)
{
	const char *variable = sql + place->offset;
	bool		redacted;
	int			len;

	if (place->token != LEX_SYMBOL || variable[0] != ':')
		return;
	if (variable[1] == '\'' || variable[1] == '"')
	{
		len = strcspn(variable + 2, "'\"\r\n") + 2;
		if (variable[len] == variable[1])
			len++;
	}
	else if (strncmp(variable, ":{?", 3) == 0)
		len = strcspn(variable, "}\r\n") + 1;
	else if (IS_HIGHBIT_SET(variable[1]) || variable[1] == '_' ||
			 pg_tolower((unsigned char) variable[1]) != (unsigned char) variable[1] ||
			 pg_toupper((unsigned char) variable[1]) != (unsigned char) variable[1])
		len = strcspn(variable + 1, " \t\r\n,;()'\"+-*/=<>:.") + 1;
	else
		return;

	len = pg_mbcharcliplen(variable, Min(len, strlen(variable)), 64);
	ereport(ERROR,
			(errcode(ERRCODE_MG_BAD_SCRIPT),
			 errmsg("psql variable %.*s in %s", len, variable, what),
			 errdetail_internal("%s", place_detail(place, sql, NULL,
												   &redacted)),
			 errhint("The script is sent as it is, so that \\set has no effect in it: write the value into the script.")));
}

/* What may help with a syntax error that is nothing of the above. */
static const char *
syntax_hint(const ErrorPlace *place, const char *sql)
{
	const char *line = sql + place->offset;
	const char *at = sql + place->offset;
	int			len;
	int			i;

	if (strncmp(at, "${", 2) == 0 || strncmp(at, "{{", 2) == 0 ||
		strncmp(at, "{%", 2) == 0)
		return "It looks like a placeholder that another tool fills in: fill it in before the text comes here.";

	while (line > sql && line[-1] != '\n' && line[-1] != '\r')
		line--;
	len = strcspn(line, "\r\n");
	for (i = 0; is_utf8() && i < lengthof(lookalikes); i++)
	{
		const char *found = strstr(line, lookalikes[i].bytes);

		if (found != NULL && found < line + len)
			return psprintf("Line %d has the character %s, which SQL does not take for white space or a quote.",
							place->line, lookalikes[i].name);
	}
	return "Nothing has run: correct the text and send it again.";
}

/*
 * Statement, line, the line itself and a mark below it; palloc'd.  Without the
 * mark when it is redacted.
 */
static char *
place_detail(const ErrorPlace *place, const char *sql, const char *what,
			 bool *redacted)
{
	int			line_start = place->offset;
	char	   *line;

	while (line_start > 0 &&
		   sql[line_start - 1] != '\n' && sql[line_start - 1] != '\r')
		line_start--;
	line = redacted_line(sql, Min(place->statement_start, line_start),
						 line_start);
	*redacted = line != NULL;
	if (line == NULL)
		line = pointed_line(sql, place->offset);
	return psprintf("Statement %d%s%s, line %d:\n%s", place->statement,
					what == NULL ? "" : " of ", what == NULL ? "" : what,
					place->line, line);
}

/*
 * The line that begins at line_start without its passwords, clipped; palloc'd.
 * NULL when the text from there on, which begins at from, has none.
 */
static char *
redacted_line(const char *sql, int from, int line_start)
{
	int			end = line_start + strcspn(sql + line_start, "\r\n");
	int			lines = script_line(sql, from, line_start);
	bool		redacted;
	const char *line;

	line = script_redact(pnstrdup(sql + from, end - from), &redacted);
	if (!redacted)
		return NULL;
	for (; lines > 0 && *line != '\0'; line++)
	{
		if (*line == '\n' || (*line == '\r' && line[1] != '\n'))
			lines--;
	}
	return script_excerpt(line, 0, strlen(line));
}

/* The line around an offset with a caret below it; palloc'd. */
static char *
pointed_line(const char *sql, int offset)
{
	int			from = offset;
	int			before;
	int			skip = 0;
	int			len;
	int			i;
	StringInfoData result;

	while (from > 0 && sql[from - 1] != '\n' && sql[from - 1] != '\r')
		from--;

	/* of a long line only the end before the error is shown */
	before = pg_mbstrlen_with_len(sql + from, offset - from);
	if (before > MAX_EXCERPT / 2)
	{
		skip = pg_mbcharcliplen(sql + from, offset - from,
								before - MAX_EXCERPT / 2);
		before = MAX_EXCERPT / 2 + 3;
	}
	from += skip;
	len = strcspn(sql + from, "\r\n");

	initStringInfo(&result);
	if (skip > 0)
		appendStringInfoString(&result, "...");
	i = pg_mbcharcliplen(sql + from, len, MAX_EXCERPT);
	appendBinaryStringInfo(&result, sql + from, i);
	if (i < len)
		appendStringInfoString(&result, "...");
	for (i = 0; i < result.len; i++)
	{
		if (result.data[i] == '\t')
			result.data[i] = ' ';
	}
	appendStringInfo(&result, "\n%*s^", before, "");
	return result.data;
}

/* What stands in the line from offset on, clipped; palloc'd. */
static char *
line_from(const char *sql, int offset)
{
	return script_excerpt(sql, offset,
						  offset + strcspn(sql + offset, "\r\n"));
}

static bool
is_utf8(void)
{
	return GetDatabaseEncoding() == PG_UTF8;
}

/* migmgr_internal.script_statements(text) */
Datum
migmgr_script_statements(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Script	   *script;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	script = script_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), "the script");
	foreach(lc, script->statements)
	{
		ScriptStatement *stmt = lfirst(lc);
		Datum		values[3];
		bool		nulls[3] = {false};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum(stmt->number);
		values[1] = Int32GetDatum(stmt->line);
		values[2] = CStringGetTextDatum(stmt->text);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
