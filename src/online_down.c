/*
 * online_down.c
 *	  Ways back of what ran online: its indexes are dropped concurrently.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "online.h"

static void append_drops(StringInfo text, const DropStmt *stmt);

/*
 * An author's way back as it runs online: each index that it drops, and
 * nothing else of it, is a statement of its own with CONCURRENTLY.
 */
char *
online_down(const char *down)
{
	Script	   *script = script_parse_online(down, "the way back");
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, script->statements)
	{
		const ScriptStatement *statement = lfirst(lc);
		DropStmt   *stmt = (DropStmt *) statement->raw->stmt;

		if (IsA(stmt, DropStmt) && stmt->removeType == OBJECT_INDEX && stmt->behavior == DROP_RESTRICT)
			append_drops(&text, stmt);
		else
			appendStringInfo(&text, "%s;\n", statement->text);
	}
	return text.data;
}

static void
append_drops(StringInfo text, const DropStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->objects)
		appendStringInfo(text, "DROP INDEX CONCURRENTLY %s%s;\n", stmt->missing_ok ? "IF EXISTS " : "",
						 NameListToQuotedString(lfirst(lc)));
}
