/*
 * tell.c
 *	  What happens is told to who listens on channel migmgr.
 *
 * One small JSON object an event, the same members first in all of them.  A
 * notification goes out with the commit, so what was undone was never told.
 * That something begins is told by another transaction: see run_tell.c.
 */
#include "postgres.h"

#include "commands/async.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "ledger.h"
#include "policy.h"
#include "tell.h"

#define MAX_PAYLOAD 7999		/* the server's own limit, which is private */

PG_FUNCTION_INFO_V1(migmgr_tell);

static void member(StringInfo json, const char *key, const char *value);

static void
member(StringInfo json, const char *key, const char *value)
{
	appendStringInfo(json, "%s\"%s\": ", json->len > 1 ? ", " : "", key);
	escape_json(json, value);
}

/* See tell.h.  What does not fit into a notification is left out, and said. */
void
tell_event(const char *event, const char *version, const char *detail)
{
	StringInfoData json;
	size_t		length = detail == NULL ? 0 : strlen(detail);

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	member(&json, "event", event);
	if (version != NULL)
		member(&json, "version", version);
	member(&json, "database", get_database_name(MyDatabaseId));
	member(&json, "environment", policy_environment_name(policy_environment()));
	if (length > 2 && json.len + length < MAX_PAYLOAD)
		appendStringInfo(&json, ", %s", detail + 1);
	else
		appendStringInfoString(&json, length > 2 ? ", \"cut\": true}" : "}");
	if (json.len <= MAX_PAYLOAD)
		Async_Notify("migmgr", json.data);
	pfree(json.data);
}

/* migmgr_internal.tell(event, version, detail): for migmgr's own functions. */
Datum
migmgr_tell(PG_FUNCTION_ARGS)
{
	char	   *detail = PG_ARGISNULL(2) ? NULL : JsonbToCString(NULL, &PG_GETARG_JSONB_P(2)->root, 0);

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("event must not be null")));
	tell_event(text_to_cstring(PG_GETARG_TEXT_PP(0)),
			   PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)), detail);
	PG_RETURN_VOID();
}
