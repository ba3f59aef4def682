/*
 * script.h
 *	  The text of a migration: canonical form, checksum, statements, sections.
 */
#ifndef MIGMGR_SCRIPT_H
#define MIGMGR_SCRIPT_H

#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"

/* one statement of a script */
typedef struct ScriptStatement
{
	RawStmt    *raw;			/* as the server's own parser made it */
	int			number;			/* 1-based */
	int			line;			/* 1-based line of its first token */
	int			offset;			/* byte offset of its first token in text */
	char	   *text;			/* its own text, without leading comments and
								 * trailing semicolon */
} ScriptStatement;

/* a parsed script; everything lives in the context current at script_parse */
typedef struct Script
{
	char	   *text;			/* what was parsed; raw locations point into
								 * it */
	List	   *statements;		/* of ScriptStatement */
} Script;

/*
 * A migration file taken apart; a section that is absent or has no statement
 * is NULL.
 */
typedef struct ScriptFile
{
	char	   *version;
	char	   *name;
	char	   *up;				/* up section, blank lines kept so that line
								 * numbers are those of the file; not NULL */
	char	   *down;			/* likewise */
	char	   *verify;			/* likewise */
	List	   *flags;			/* of char *: -- migmgr:flag NAME */
	List	   *requires;		/* of char *: -- migmgr:requires VERSION */
	List	   *replaces;		/* of char *: -- migmgr:replaces VERSION ... */
	char	   *lock_timeout;	/* -- migmgr:lock_timeout 2s */
	bool		online;			/* -- migmgr:online */
} ScriptFile;

/*
 * Canonical form once, when a text comes in: one leading newline is dropped
 * each time.  script_checksum hashes the bytes it is given.
 */
extern char *script_canonical(const char *sql);
extern char *script_checksum(const char *sql);
extern void script_check_checksum(const char *checksum);
extern bool script_checksum_matches(const char *sql, const char *expected);
extern char *script_shape_hash(const char *sql);
extern char *script_redact(const char *sql, bool *redacted);
extern Script *script_parse(const char *sql, const char *what);
extern Script *script_parse_online(const char *sql, const char *what);
extern bool script_needs_online(const char *sql);
extern Script *script_split(const char *sql, const char *what);
extern char *script_brief(const char *sql);
extern char *script_up(const char *what, const char *sql);
extern ScriptFile *script_file(const char *file, const char *sql);

extern void script_check_version(const char *version);
extern char *script_version_key(const char *version);
extern int	script_compare_versions(const char *a, const char *b);

#endif							/* MIGMGR_SCRIPT_H */
