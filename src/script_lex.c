/*
 * script_lex.c
 *	  Tokens of SQL text, for what the server's parser cannot answer.
 *
 * The server's parser decides what the statements of a script are.  This
 * scanner answers the questions it leaves open: where in a text that it
 * rejects is the bad statement, which comments stand at top level, which
 * literals hold passwords, what is left without comments and white space.
 *
 * It follows the server's scan.l token by token, but it never raises an error
 * on any text: what is not closed reaches to the end.  Every byte belongs to
 * exactly one token.  Bytes with the high bit set are letters, as in the
 * server, which makes it right in every server encoding.  It copies nothing.
 */
#include "postgres.h"

#include <ctype.h>

#include "miscadmin.h"
#include "script_lex.h"

#define IS_SPACE(c) \
	((c) == ' ' || (c) == '\t' || (c) == '\n' || (c) == '\r' || \
	 (c) == '\f' || (c) == '\v')
#define IS_DIGIT(c)		((c) >= '0' && (c) <= '9')
#define IS_LETTER(c) \
	(((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z') || \
	 (c) == '_' || IS_HIGHBIT_SET(c))
#define IS_OPERATOR(c)	((c) != '\0' && strchr("~!@#^&|`?+-*/%<>=", (c)) != NULL)

/* may a quote that comes now go on with the string before it? */
#define ADJACENT_NO			0
#define ADJACENT_SPACE		1	/* only white space or line comments so far */
#define ADJACENT_NEWLINE	2	/* and a newline among them: yes */

static int	peek(const Lexer *lex, int ahead);
static void scan_space(Lexer *lex);
static void scan_line_comment(Lexer *lex);
static void scan_block_comment(Lexer *lex);
static void scan_quoted(Lexer *lex, LexKind kind, int quote_at,
						QuoteRule rule);
static bool scan_prefixed(Lexer *lex);
static bool scan_dollar(Lexer *lex);
static void scan_word(Lexer *lex);
static void scan_number(Lexer *lex);
static void scan_symbol(Lexer *lex);
static int	operator_length(const Lexer *lex);
static void track(Lexer *lex);
static void track_word(Lexer *lex);

/* Starts at the first of len bytes of text, which the caller keeps. */
void
script_lex_init(Lexer *lex, const char *sql, int len, bool standard_strings)
{
	memset(lex, 0, sizeof(Lexer));
	lex->sql = sql;
	lex->end = len;
	lex->standard_strings = standard_strings;
}

/* Goes to the next token of any kind and returns its kind. */
LexKind
script_lex_next(Lexer *lex)
{
	int			c = peek(lex, 0);
	bool		may_continue = lex->adjacent == ADJACENT_NEWLINE;

	CHECK_FOR_INTERRUPTS();

	lex->start = lex->body_start = lex->body_end = lex->pos;
	lex->continues = false;

	if (lex->pos >= lex->end)
	{
		lex->kind = LEX_END;
		return lex->kind;
	}

	if (IS_SPACE(c))
		scan_space(lex);
	else if (c == '-' && peek(lex, 1) == '-')
		scan_line_comment(lex);
	else if (c == '/' && peek(lex, 1) == '*')
		scan_block_comment(lex);
	else if (c == '\'')
	{
		lex->continues = may_continue;
		scan_quoted(lex, LEX_STRING, lex->pos,
					may_continue ? lex->rule :
					lex->standard_strings ? QUOTE_DOUBLED : QUOTE_ESCAPED);
	}
	else if (c == '"')
		scan_quoted(lex, LEX_IDENTIFIER, lex->pos, QUOTE_DOUBLED);
	else if (IS_LETTER(c))
	{
		if (!scan_prefixed(lex))
			scan_word(lex);
	}
	else if (IS_DIGIT(c) || (c == '.' && IS_DIGIT(peek(lex, 1))))
		scan_number(lex);
	else if (c != '$' || !scan_dollar(lex))
		scan_symbol(lex);

	track(lex);
	return lex->kind;
}

/* Like script_lex_next, but passes over white space and comments. */
LexKind
script_lex_token(Lexer *lex)
{
	LexKind		kind;

	do
	{
		kind = script_lex_next(lex);
	} while (kind == LEX_SPACE || kind == LEX_LINE_COMMENT ||
			 kind == LEX_BLOCK_COMMENT);
	return kind;
}

/* Is the token this bare word (given in lower case)? */
bool
script_lex_is(const Lexer *lex, const char *word)
{
	int			len = strlen(word);

	return lex->kind == LEX_WORD && lex->pos - lex->start == len &&
		pg_strncasecmp(lex->sql + lex->start, word, len) == 0;
}

/* The byte so far ahead, or 0 past the end. */
static int
peek(const Lexer *lex, int ahead)
{
	return lex->pos + ahead < lex->end ?
		(unsigned char) lex->sql[lex->pos + ahead] : '\0';
}

static void
scan_space(Lexer *lex)
{
	lex->kind = LEX_SPACE;
	while (lex->pos < lex->end && IS_SPACE(peek(lex, 0)))
	{
		if (lex->adjacent != ADJACENT_NO &&
			(peek(lex, 0) == '\n' || peek(lex, 0) == '\r'))
			lex->adjacent = ADJACENT_NEWLINE;
		lex->pos++;
	}
}

/* Up to the end of the line, which is not part of it. */
static void
scan_line_comment(Lexer *lex)
{
	lex->kind = LEX_LINE_COMMENT;
	lex->pos += 2;
	lex->body_start = lex->pos;
	while (lex->pos < lex->end &&
		   peek(lex, 0) != '\n' && peek(lex, 0) != '\r')
		lex->pos++;
	lex->body_end = lex->pos;
}

/* Block comments nest. */
static void
scan_block_comment(Lexer *lex)
{
	int			depth = 1;

	lex->kind = LEX_BLOCK_COMMENT;
	lex->adjacent = ADJACENT_NO;
	lex->pos += 2;
	lex->body_start = lex->pos;
	while (lex->pos < lex->end)
	{
		if (peek(lex, 0) == '*' && peek(lex, 1) == '/')
		{
			lex->pos += 2;
			if (--depth == 0)
			{
				lex->body_end = lex->pos - 2;
				return;
			}
		}
		else if (peek(lex, 0) == '/' && peek(lex, 1) == '*')
		{
			lex->pos += 2;
			depth++;
		}
		else
			lex->pos++;
	}
	lex->body_end = lex->end;
}

/* A string or identifier whose opening quote is at quote_at. */
static void
scan_quoted(Lexer *lex, LexKind kind, int quote_at, QuoteRule rule)
{
	char		quote = lex->sql[quote_at];

	lex->kind = kind;
	lex->rule = rule;
	lex->adjacent = kind == LEX_STRING ? ADJACENT_SPACE : ADJACENT_NO;
	lex->pos = quote_at + 1;
	lex->body_start = lex->pos;
	while (lex->pos < lex->end)
	{
		char		c = lex->sql[lex->pos];

		if (c == quote)
		{
			if (peek(lex, 1) != quote || rule == QUOTE_BITS)
			{
				lex->body_end = lex->pos++;
				return;
			}
			lex->pos += 2;
		}
		else if (c == '\\' && rule == QUOTE_ESCAPED && lex->pos + 1 < lex->end)
			lex->pos += 2;
		else
			lex->pos++;
	}
	lex->body_end = lex->end;
}

/* E'x', B'x', X'x', N'x', U&'x' and U&"x"; false when it is none of them. */
static bool
scan_prefixed(Lexer *lex)
{
	int			c = tolower(peek(lex, 0));

	if (peek(lex, 1) == '\'' && (c == 'e' || c == 'b' || c == 'x' || c == 'n'))
	{
		scan_quoted(lex, LEX_STRING, lex->pos + 1,
					c == 'b' || c == 'x' ? QUOTE_BITS :
					c == 'e' || !lex->standard_strings ? QUOTE_ESCAPED :
					QUOTE_DOUBLED);
		return true;
	}
	if (c == 'u' && peek(lex, 1) == '&' &&
		(peek(lex, 2) == '\'' || peek(lex, 2) == '"'))
	{
		scan_quoted(lex, peek(lex, 2) == '"' ? LEX_IDENTIFIER : LEX_STRING,
					lex->pos + 2, QUOTE_DOUBLED);
		return true;
	}
	return false;
}

/* $tag$x$tag$; false when no tag begins here. */
static bool
scan_dollar(Lexer *lex)
{
	int			len = 1;
	const char *tag = lex->sql + lex->pos;

	if (IS_DIGIT(peek(lex, 1)))
		return false;
	while (IS_LETTER(peek(lex, len)) || IS_DIGIT(peek(lex, len)))
		len++;
	if (peek(lex, len) != '$')
		return false;
	len++;

	lex->kind = LEX_DOLLAR;
	lex->adjacent = ADJACENT_NO;
	lex->pos += len;
	lex->body_start = lex->pos;
	while (lex->pos + len <= lex->end)
	{
		const char *at = memchr(lex->sql + lex->pos, '$',
								lex->end - lex->pos - (len - 1));

		if (at == NULL)
			break;
		lex->pos = at - lex->sql;
		if (memcmp(at, tag, len) == 0)
		{
			lex->body_end = lex->pos;
			lex->pos += len;
			return true;
		}
		lex->pos++;
	}
	lex->pos = lex->body_end = lex->end;
	return true;
}

static void
scan_word(Lexer *lex)
{
	lex->kind = LEX_WORD;
	lex->adjacent = ADJACENT_NO;
	while (IS_LETTER(peek(lex, 0)) || IS_DIGIT(peek(lex, 0)) ||
		   peek(lex, 0) == '$')
		lex->pos++;
}

/* A number with what sticks to it: 1, 1.5e-3, 0x1F, 1_000 and the junk 1a. */
static void
scan_number(Lexer *lex)
{
	bool		exponent = true;	/* may one come? */
	bool		point = true;	/* may a decimal point come? */

	lex->kind = LEX_NUMBER;
	lex->adjacent = ADJACENT_NO;
	if (peek(lex, 0) == '0' && tolower(peek(lex, 1)) == 'x')
		exponent = point = false;
	while (lex->pos < lex->end)
	{
		int			c = peek(lex, 0);

		if (c == '.' && point && peek(lex, 1) != '.')
		{
			point = false;
			lex->pos++;
		}
		else if (exponent && (c == 'e' || c == 'E') &&
				 (peek(lex, 1) == '+' || peek(lex, 1) == '-') &&
				 IS_DIGIT(peek(lex, 2)))
		{
			exponent = point = false;
			lex->pos += 3;
		}
		else if (IS_DIGIT(c) || IS_LETTER(c))
		{
			point = point && IS_DIGIT(c);
			lex->pos++;
		}
		else
			break;
	}
}

/* An operator, or one of :: := .. , or a single byte of anything else. */
static void
scan_symbol(Lexer *lex)
{
	int			c = peek(lex, 0);
	int			next = peek(lex, 1);

	lex->kind = LEX_SYMBOL;
	lex->adjacent = ADJACENT_NO;
	if (IS_OPERATOR(c))
		lex->pos += operator_length(lex);
	else if (c == '$' && IS_DIGIT(next))
	{
		lex->pos++;
		while (IS_DIGIT(peek(lex, 0)))
			lex->pos++;
	}
	else if ((c == ':' && (next == ':' || next == '=')) ||
			 (c == '.' && next == '.'))
		lex->pos += 2;
	else
		lex->pos++;
}

/*
 * Bytes of the operator that begins here.  A comment ends it, and a plus or
 * minus at its end belongs to what follows unless the operator has a
 * character that SQL itself does not use: a=-1 is a = -1, a@-1 is a @- 1.
 */
static int
operator_length(const Lexer *lex)
{
	int			len = 1;
	int			i;

	while (IS_OPERATOR(peek(lex, len)) &&
		   !(peek(lex, len) == '-' && peek(lex, len + 1) == '-') &&
		   !(peek(lex, len) == '/' && peek(lex, len + 1) == '*'))
		len++;

	for (i = 0; i < len; i++)
	{
		if (strchr("~!@#^&|`?%", peek(lex, i)) != NULL)
			return len;
	}
	while (len > 1 &&
		   (peek(lex, len - 1) == '+' || peek(lex, len - 1) == '-'))
		len--;
	return len;
}

/* Counts statements: a semicolon ends one unless within () or BEGIN ATOMIC. */
static void
track(Lexer *lex)
{
	char		c = lex->sql[lex->start];

	if (lex->kind <= LEX_BLOCK_COMMENT)
		return;

	if (lex->kind == LEX_SYMBOL && c == ';' &&
		lex->parens == 0 && lex->atomic == 0)
	{
		lex->in_statement = false;
		return;
	}

	if (!lex->in_statement)
	{
		lex->in_statement = true;
		lex->statement++;
		lex->statement_start = lex->start;
		lex->words = 0;
		lex->after_begin = false;
		memset(lex->initials, 0, sizeof(lex->initials));
	}

	if (lex->kind == LEX_WORD)
	{
		track_word(lex);
		return;
	}
	lex->after_begin = false;
	if (lex->kind == LEX_SYMBOL && c == '(')
	{
		if (lex->parens++ == 0)
			lex->paren_start = lex->start;
	}
	else if (lex->kind == LEX_SYMBOL && c == ')' && lex->parens > 0)
		lex->parens--;
}

/*
 * CREATE [OR REPLACE] FUNCTION or PROCEDURE may have a body BEGIN ATOMIC ...;
 * END.  CASE and END are reserved words, so counting them is exact.
 */
static void
track_word(Lexer *lex)
{
	const char *initials = lex->initials;
	bool		after_begin = lex->after_begin;

	if (lex->words < lengthof(lex->initials))
	{
		if (script_lex_is(lex, "create") || script_lex_is(lex, "or") ||
			script_lex_is(lex, "replace") || script_lex_is(lex, "function") ||
			script_lex_is(lex, "procedure"))
			lex->initials[lex->words] = tolower(lex->sql[lex->start]);
		lex->words++;
	}

	lex->after_begin = script_lex_is(lex, "begin");
	if (initials[0] != 'c' || lex->parens > 0)
		return;
	if (initials[1] == 'o' && initials[2] == 'r')
		initials += 2;
	if (initials[1] != 'f' && initials[1] != 'p')
		return;

	if (lex->atomic > 0)
	{
		if (script_lex_is(lex, "case"))
			lex->atomic++;
		else if (script_lex_is(lex, "end"))
			lex->atomic--;
	}
	else if (after_begin && script_lex_is(lex, "atomic"))
		lex->atomic = 1;
}
