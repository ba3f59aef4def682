/*
 * script_lex.h
 *	  Tokens of SQL text, for what the server's parser cannot answer.
 */
#ifndef MIGMGR_SCRIPT_LEX_H
#define MIGMGR_SCRIPT_LEX_H

typedef enum LexKind
{
	LEX_END,
	LEX_SPACE,
	LEX_LINE_COMMENT,			/* body: what follows the two dashes */
	LEX_BLOCK_COMMENT,			/* body: what is between the marks */
	LEX_WORD,					/* key word or bare identifier */
	LEX_IDENTIFIER,				/* "quoted"; body: between the quotes */
	LEX_STRING,					/* 'x', E'x', U&'x', B'x'; body likewise */
	LEX_DOLLAR,					/* $tag$x$tag$; body likewise */
	LEX_NUMBER,
	LEX_SYMBOL					/* operator or punctuation */
} LexKind;

/* what may stand in quotes */
typedef enum QuoteRule
{
	QUOTE_DOUBLED,				/* the quote itself, doubled */
	QUOTE_ESCAPED,				/* the same, or after a backslash */
	QUOTE_BITS					/* neither: B'x' and X'x' */
} QuoteRule;

/* a position in a text and the token that ends there */
typedef struct Lexer
{
	const char *sql;
	int			end;
	bool		standard_strings;	/* backslash means nothing in 'x' */

	/* the token: sql[start .. pos) */
	LexKind		kind;
	int			start;
	int			pos;
	int			body_start;
	int			body_end;
	bool		continues;		/* string that goes on from the one before */
	QuoteRule	rule;			/* of the last string */

	/* where it stands */
	int			statement;		/* number of the statement, 1-based */
	bool		in_statement;	/* false between statements */
	int			statement_start;	/* offset of its first token */
	int			parens;			/* open parentheses */
	int			paren_start;	/* offset of the outermost open one */
	int			atomic;			/* open BEGIN ATOMIC, and CASE within */

	/* private */
	int			adjacent;		/* may the next string continue the last? */
	int			words;			/* words of the statement so far */
	char		initials[4];	/* of its first words, see track_word */
	bool		after_begin;
} Lexer;

extern void script_lex_init(Lexer *lex, const char *sql, int len,
							bool standard_strings);
extern LexKind script_lex_next(Lexer *lex);
extern LexKind script_lex_token(Lexer *lex);
extern bool script_lex_is(const Lexer *lex, const char *word);

#endif							/* MIGMGR_SCRIPT_LEX_H */
