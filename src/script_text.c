/*
 * script_text.c
 *	  The text of a script as bytes: canonical form, checksum, shape, secrets.
 *
 * The way to the server changes a file: psql's backtick drops its last
 * newline, $sql$ in an editor adds one in front, Windows brings CR and a byte
 * order mark.  The canonical form takes that back, so that the checksum of an
 * ordinary file (UTF-8, LF, one newline at the end) is what shasum prints.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "parser/parser.h"
#include "utils/builtins.h"

#include "errors.h"
#include "script.h"
#include "script_lex.h"
#include "script_text.h"

#define CHECKSUM_LENGTH		(PG_SHA256_DIGEST_LENGTH * 2)
#define REDACTED			"'<redacted>'"

/* secrets may stand in a body in a body, but not for ever */
#define MAX_REDACT_DEPTH	4

/* bytes on their way into a hash */
typedef struct HashBuffer
{
	pg_cryptohash_ctx *ctx;
	int			used;
	char		bytes[8192];
} HashBuffer;

/* what the next literal is */
typedef enum SecretState
{
	SECRET_NO,
	SECRET_NEXT,				/* a secret */
	SECRET_IF_CONNINFO,			/* a secret if it has a password in it */
	SECRET_CONTINUES			/* more of a secret, if it goes on */
} SecretState;

/* options and key words that a literal with a secret follows */
static const char *const secret_words[] = {
	"password", "sslpassword", "passphrase", "api_key", "secret_key",
	"secret_access_key", "aws_secret_access_key", "access_token"
};

static const char *skip_bom(const char *sql);
static char *to_utf8(const char *sql);
static char *hex_digest(pg_cryptohash_ctx *ctx);
static void hash_bytes(HashBuffer *buffer, const char *bytes, int len);
static bool sums_to(const char *sql, const char *ending, const char *expected);
static bool has_secret_word(const char *sql);
static bool redact_range(StringInfo out, const char *sql, int len, int depth);
static bool redact_token(StringInfo out, const Lexer *lex, SecretState *state,
						 int depth);
static bool redact_string(StringInfo out, const Lexer *lex, int depth);
static SecretState secret_after(const Lexer *lex);
static bool has_password(const char *sql, int len);
static void append_newlines(StringInfo out, const Lexer *lex);

PG_FUNCTION_INFO_V1(migmgr_checksum);
PG_FUNCTION_INFO_V1(migmgr_canonical);
PG_FUNCTION_INFO_V1(migmgr_shape);
PG_FUNCTION_INFO_V1(migmgr_redact);
PG_FUNCTION_INFO_V1(migmgr_check_checksum);

/*
 * The text without CR before LF and without a byte order mark in front.  When
 * it is newline_dropped also one newline in front goes, and exactly one stands
 * at the end; a text of nothing but newlines is then empty.  A CR alone inside
 * the text stays: the server takes it for the end of a line.  palloc'd.
 */
char *
script_clean(const char *sql, bool newline_dropped)
{
	const char *from = skip_bom(sql);
	bool		had_bom = from > sql;
	char	   *result;
	char	   *to;

	if (newline_dropped && from[strspn(from, "\r")] == '\n')
	{
		from += strspn(from, "\r") + 1;
		if (!had_bom)
			from = skip_bom(from);
	}

	result = to = palloc_extended(strlen(from) + 2, MCXT_ALLOC_HUGE);
	while (*from != '\0')
	{
		size_t		plain = strcspn(from, "\r");
		size_t		returns;

		memcpy(to, from, plain);
		to += plain;
		from += plain;
		returns = strspn(from, "\r");
		if (from[returns] != '\n')
		{
			memcpy(to, from, returns);
			to += returns;
		}
		from += returns;
	}

	if (newline_dropped)
	{
		while (to > result && (to[-1] == '\n' || to[-1] == '\r'))
			to--;
		if (to > result)
			*to++ = '\n';
	}
	*to = '\0';
	return result;
}

/* The form in which a script is kept and hashed; palloc'd. */
char *
script_canonical(const char *sql)
{
	return script_clean(sql, true);
}

/*
 * sha256 of the bytes as they are, in UTF-8, as lower-case hex; palloc'd.  In
 * a SQL_ASCII database, where nobody knows the encoding, of the bytes stored.
 */
char *
script_checksum(const char *sql)
{
	pg_cryptohash_ctx *ctx = pg_cryptohash_create(PG_SHA256);
	char	   *bytes = to_utf8(sql);

	if (pg_cryptohash_init(ctx) < 0 ||
		pg_cryptohash_update(ctx, (const uint8 *) bytes, strlen(bytes)) < 0)
		elog(ERROR, "could not compute a checksum: %s",
			 pg_cryptohash_error(ctx));
	if (bytes != sql)
		pfree(bytes);
	return hex_digest(ctx);
}

/*
 * Is this the checksum of the text, or of the file that it may have come from?
 * The text is as received; expected has passed script_check_checksum.  Tried
 * are the canonical form, the text itself, and what psql's backtick cut off.
 */
bool
script_checksum_matches(const char *sql, const char *expected)
{
	return sums_to(script_canonical(sql), "", expected) ||
		sums_to(sql, "", expected) ||
		sums_to(sql, "\n", expected);
}

static bool
sums_to(const char *sql, const char *ending, const char *expected)
{
	char	   *whole = *ending == '\0' ? unconstify(char *, sql) :
		psprintf("%s%s", sql, ending);

	return pg_strcasecmp(script_checksum(whole), expected) == 0;
}

/* Raises MG004 unless it is 64 hexadecimal digits, in either case. */
void
script_check_checksum(const char *checksum)
{
	size_t		len = strlen(checksum);

	if (len != CHECKSUM_LENGTH ||
		strspn(checksum, "0123456789abcdefABCDEF") != len)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_CHECKSUM),
				 errmsg("\"%.*s\" is not a sha256 checksum",
						pg_mbcliplen(checksum, len, 100), checksum),
				 len == CHECKSUM_LENGTH ?
				 errdetail("Character %d is not a hexadecimal digit.",
						   (int) strspn(checksum, "0123456789abcdefABCDEF") + 1) :
				 errdetail("It has %d characters, not %d hexadecimal digits.",
						   pg_mbstrlen(checksum), CHECKSUM_LENGTH),
				 errhint("The first word that \"shasum -a 256 FILE\" prints is one; migmgr.checksum(sql) computes it here.")));
}

/*
 * Hash of the tokens: equal when two texts differ in comments and white space
 * only.  Raises on no text.  Backslashes count as they do with
 * standard_conforming_strings on, so that the hash depends on no setting.
 */
char *
script_shape_hash(const char *sql)
{
	char	   *canonical = script_canonical(sql);
	char	   *bytes = to_utf8(canonical);
	HashBuffer	buffer;
	Lexer		lex;

	buffer.used = 0;
	buffer.ctx = pg_cryptohash_create(PG_SHA256);
	if (pg_cryptohash_init(buffer.ctx) < 0)
		elog(ERROR, "could not compute a hash: %s",
			 pg_cryptohash_error(buffer.ctx));

	script_lex_init(&lex, bytes, strlen(bytes), true);
	while (script_lex_token(&lex) != LEX_END)
	{
		hash_bytes(&buffer, bytes + lex.start, lex.pos - lex.start);
		hash_bytes(&buffer, "\n", 1);
	}
	if (pg_cryptohash_update(buffer.ctx, (uint8 *) buffer.bytes,
							 buffer.used) < 0)
		elog(ERROR, "could not compute a hash: %s",
			 pg_cryptohash_error(buffer.ctx));

	if (bytes != canonical)
		pfree(bytes);
	pfree(canonical);
	return hex_digest(buffer.ctx);
}

/*
 * A copy in which every password is '<redacted>', also in bodies, in quoted
 * statements and in comments; palloc'd.  Says in redacted whether there was
 * one.  Line numbers stay as they were.
 */
char *
script_redact(const char *sql, bool *redacted)
{
	StringInfoData out;

	*redacted = false;
	if (!has_secret_word(sql))
		return pstrdup(sql);
	initStringInfo(&out);
	*redacted = redact_range(&out, sql, strlen(sql), 0);
	return out.data;
}

/* Does a word that a secret follows stand anywhere in a text?  Hardly ever. */
static bool
has_secret_word(const char *sql)
{
	for (; *sql != '\0'; sql++)
	{
		switch (*sql | 0x20)
		{
			case 'a':
			case 'c':
			case 'p':
			case 's':
				if (pg_strncasecmp(sql, "connection", 10) == 0)
					return true;
				for (int i = 0; i < lengthof(secret_words); i++)
				{
					if (pg_strncasecmp(sql, secret_words[i], strlen(secret_words[i])) == 0)
						return true;
				}
				break;
			default:
				break;
		}
	}
	return false;
}

/* Past a byte order mark, where the encoding has room for one. */
static const char *
skip_bom(const char *sql)
{
	if (GetDatabaseEncoding() != PG_UTF8 &&
		pg_database_encoding_max_length() > 1)
		return sql;
	return strncmp(sql, "\xEF\xBB\xBF", 3) == 0 ? sql + 3 : sql;
}

/* The same text when it is UTF-8 already or cannot be converted. */
static char *
to_utf8(const char *sql)
{
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		return unconstify(char *, sql);
	return pg_server_to_any(sql, strlen(sql), PG_UTF8);
}

/* Ends the hash and frees it. */
static char *
hex_digest(pg_cryptohash_ctx *ctx)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char	   *result = palloc(CHECKSUM_LENGTH + 1);

	if (pg_cryptohash_final(ctx, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute a checksum: %s",
			 pg_cryptohash_error(ctx));
	pg_cryptohash_free(ctx);
	result[hex_encode((char *) digest, sizeof(digest), result)] = '\0';
	return result;
}

static void
hash_bytes(HashBuffer *buffer, const char *bytes, int len)
{
	if (buffer->used + len > (int) sizeof(buffer->bytes))
	{
		if (pg_cryptohash_update(buffer->ctx, (uint8 *) buffer->bytes,
								 buffer->used) < 0)
			elog(ERROR, "could not compute a hash: %s",
				 pg_cryptohash_error(buffer->ctx));
		buffer->used = 0;
	}
	if (len > (int) sizeof(buffer->bytes))
	{
		if (pg_cryptohash_update(buffer->ctx, (const uint8 *) bytes, len) < 0)
			elog(ERROR, "could not compute a hash: %s",
				 pg_cryptohash_error(buffer->ctx));
		return;
	}
	memcpy(buffer->bytes + buffer->used, bytes, len);
	buffer->used += len;
}

/* Appends the text without its secrets; was there one? */
static bool
redact_range(StringInfo out, const char *sql, int len, int depth)
{
	Lexer		lex;
	SecretState state = SECRET_NO;
	bool		found = false;

	if (depth > MAX_REDACT_DEPTH)
	{
		appendBinaryStringInfo(out, sql, len);
		return false;
	}

	script_lex_init(&lex, sql, len, standard_conforming_strings);
	while (script_lex_next(&lex) != LEX_END)
		found |= redact_token(out, &lex, &state, depth);
	return found;
}

/* Appends one token; state is what the tokens before say of it. */
static bool
redact_token(StringInfo out, const Lexer *lex, SecretState *state, int depth)
{
	const char *token = lex->sql + lex->start;
	const char *body = lex->sql + lex->body_start;
	int			body_len = lex->body_end - lex->body_start;
	bool		found = false;

	switch (lex->kind)
	{
		case LEX_STRING:
		case LEX_DOLLAR:
			if (*state == SECRET_CONTINUES && lex->continues)
			{
				append_newlines(out, lex);
				return true;
			}
			if (*state == SECRET_NEXT ||
				(*state == SECRET_IF_CONNINFO && has_password(body, body_len)))
			{
				appendStringInfoString(out, REDACTED);
				append_newlines(out, lex);
				*state = SECRET_CONTINUES;
				return true;
			}
			*state = SECRET_NO;
			if (lex->kind == LEX_STRING)
				return redact_string(out, lex, depth);
			break;
		case LEX_LINE_COMMENT:
		case LEX_BLOCK_COMMENT:
			break;
		case LEX_SPACE:
			body_len = 0;
			break;
		default:
			*state = secret_after(lex);
			body_len = 0;
			break;
	}

	if (body_len > 0)
	{
		appendBinaryStringInfo(out, token, body - token);
		found = redact_range(out, body, body_len, depth + 1);
		token = body + body_len;
	}
	appendBinaryStringInfo(out, token, lex->sql + lex->pos - token);
	return found;
}

/*
 * Appends a string, which may be a statement to EXECUTE that has a password
 * in it, in doubled quotes.
 */
static bool
redact_string(StringInfo out, const Lexer *lex, int depth)
{
	const char *token = lex->sql + lex->start;
	const char *body = lex->sql + lex->body_start;
	int			body_len = lex->body_end - lex->body_start;
	StringInfoData inner;
	StringInfoData clean;
	int			i;

	if (body_len <= 0 || memchr(body, '\'', body_len) == NULL)
	{
		appendBinaryStringInfo(out, token, lex->sql + lex->pos - token);
		return false;
	}

	initStringInfo(&inner);
	initStringInfo(&clean);
	for (i = 0; i < body_len; i++)
	{
		if (i + 1 < body_len && body[i + 1] == '\'' &&
			(body[i] == '\'' ||
			 (body[i] == '\\' && lex->rule == QUOTE_ESCAPED)))
			i++;
		appendStringInfoChar(&inner, body[i]);
	}

	if (redact_range(&clean, inner.data, inner.len, depth + 1))
	{
		appendBinaryStringInfo(out, token, body - token);
		for (i = 0; i < clean.len; i++)
		{
			if (clean.data[i] == '\'')
				appendStringInfoChar(out, '\'');
			appendStringInfoChar(out, clean.data[i]);
		}
		token = body + body_len;
	}
	appendBinaryStringInfo(out, token, lex->sql + lex->pos - token);
	pfree(inner.data);
	pfree(clean.data);
	return token != lex->sql + lex->start;
}

/* What a literal right after this token would be. */
static SecretState
secret_after(const Lexer *lex)
{
	const char *name = lex->sql + lex->start;
	int			len = lex->pos - lex->start;
	int			i;

	if (script_lex_is(lex, "connection"))
		return SECRET_IF_CONNINFO;
	if (lex->kind == LEX_IDENTIFIER)
	{
		name = lex->sql + lex->body_start;
		len = lex->body_end - lex->body_start;
	}
	else if (lex->kind != LEX_WORD)
		return SECRET_NO;

	for (i = 0; i < lengthof(secret_words); i++)
	{
		if (len == strlen(secret_words[i]) &&
			pg_strncasecmp(name, secret_words[i], len) == 0)
			return SECRET_NEXT;
	}
	return SECRET_NO;
}

/* Has this connection string a password: password=x or //user:x@host? */
static bool
has_password(const char *sql, int len)
{
	bool		slashes = false;
	int			i;

	for (i = 0; i < len; i++)
	{
		if (len - i >= 8 && pg_strncasecmp(sql + i, "password", 8) == 0)
			return true;
		if (sql[i] == '/' && i + 1 < len && sql[i + 1] == '/')
			slashes = true;
		if (sql[i] == '@' && slashes)
			return true;
	}
	return false;
}

/* As many newlines as the token has. */
static void
append_newlines(StringInfo out, const Lexer *lex)
{
	int			i;

	for (i = lex->start; i < lex->pos; i++)
	{
		if (lex->sql[i] == '\n')
			appendStringInfoChar(out, '\n');
	}
}

/* migmgr.checksum(text): of the canonical form */
Datum
migmgr_checksum(PG_FUNCTION_ARGS)
{
	char	   *sql = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_TEXT_P(cstring_to_text(script_checksum(script_canonical(sql))));
}

/* migmgr_internal.canonical(text) */
Datum
migmgr_canonical(PG_FUNCTION_ARGS)
{
	char	   *sql = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_TEXT_P(cstring_to_text(script_canonical(sql)));
}

/* migmgr_internal.shape(text) */
Datum
migmgr_shape(PG_FUNCTION_ARGS)
{
	char	   *sql = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_TEXT_P(cstring_to_text(script_shape_hash(sql)));
}

/* migmgr_internal.redact(text) */
Datum
migmgr_redact(PG_FUNCTION_ARGS)
{
	char	   *sql = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		redacted;

	PG_RETURN_TEXT_P(cstring_to_text(script_redact(sql, &redacted)));
}

/* migmgr_internal.check_checksum(text): returns its argument in lower case */
Datum
migmgr_check_checksum(PG_FUNCTION_ARGS)
{
	char	   *checksum = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *c;

	script_check_checksum(checksum);
	for (c = checksum; *c != '\0'; c++)
		*c = pg_tolower((unsigned char) *c);
	PG_RETURN_TEXT_P(cstring_to_text(checksum));
}
