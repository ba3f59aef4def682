/*
 * check_define.c
 *	  add_check() and drop_check(): definitions are entries of the ledger.
 *
 * A check runs as a role that its adder could become with SET ROLE, as the
 * adder if none is named: so nobody gets SQL to run with rights that he does
 * not have himself, whoever calls apply() or verify() later.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"

#include "check.h"
#include "compat.h"
#include "errors.h"
#include "ledger.h"
#include "script.h"
#include "spi_util.h"

#define MAX_NAME 100

PG_FUNCTION_INFO_V1(migmgr_add_check);
PG_FUNCTION_INFO_V1(migmgr_drop_check);

static char *text_arg(FunctionCallInfo fcinfo, int n);
static char *words_arg(FunctionCallInfo fcinfo, int n, const char *what,
					   const char *const *allowed, int nallowed);
static void check_named(const char *name);
static void check_sql(const char *name, const char *sql);
static void check_role(const char *role);
static bool check_there(const char *name, const char *detail, bool *same);

static char *
text_arg(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* An array of known words in its text form; NULL when null. */
static char *
words_arg(FunctionCallInfo fcinfo, int n, const char *what,
		  const char *const *allowed, int nallowed)
{
	Datum	   *words;
	bool	   *nulls;
	int			nwords = 0;
	StringInfoData list;

	if (PG_ARGISNULL(n))
		return NULL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(n), TEXTOID, -1, false, TYPALIGN_INT, &words, &nulls, &nwords);
	initStringInfo(&list);
	for (int i = 0; i < nwords; i++)
	{
		const char *word = nulls[i] ? "null" : TextDatumGetCString(words[i]);
		bool		known = false;

		for (int k = 0; k < nallowed; k++)
			known = known || strcmp(word, allowed[k]) == 0;
		if (!known)
		{
			resetStringInfo(&list);
			for (int k = 0; k < nallowed; k++)
				appendStringInfo(&list, "%s%s", k > 0 ? ", " : "", allowed[k]);
			ereport(ERROR,
					(errcode(ERRCODE_MG_BAD_OPTION),
					 errmsg("%s \"%s\" is not known", what, word),
					 errdetail("Known are: %s.", list.data)));
		}
		appendStringInfo(&list, "%c%s", i == 0 ? '{' : ',', word);
	}
	if (nwords == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("%s must name at least one", what)));
	appendStringInfoChar(&list, '}');
	return list.data;
}

/* Raises MG006 unless a name can be shown in a line of a report. */
static void
check_named(const char *name)
{
	bool		blank = true;

	for (const char *p = name; p != NULL && *p; p++)
	{
		if ((unsigned char) *p < 0x20 || *p == 0x7f)
			ereport(ERROR,
					(errcode(ERRCODE_MG_BAD_OPTION),
					 errmsg("the name of the check has a control character in it")));
		blank = blank && *p == ' ';
	}
	if (blank)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("the check needs a name"),
				 errhint("For example 'no orphaned orders'.")));
	if (pg_mbstrlen(name) > MAX_NAME)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("the name of the check is too long: %d characters, %d at most",
						pg_mbstrlen(name), MAX_NAME)));
}

/*
 * Raises unless the text is a script of statements that a check may have: it
 * asks, or it changes rows that are put back.  Tables need not be there yet.
 */
static void
check_sql(const char *name, const char *sql)
{
	Script	   *script;
	ListCell   *lc;

	if (sql == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("check \"%s\" has no SQL: it is null", name)));
	script = script_parse(sql, psprintf("check \"%s\"", name));
	foreach(lc, script->statements)
	{
		const ScriptStatement *statement = lfirst(lc);
		Node	   *node = statement->raw->stmt;

		switch (nodeTag(node))
		{
			case T_SelectStmt:
				if (((SelectStmt *) node)->intoClause == NULL)
					continue;
				break;
			case T_InsertStmt:
			case T_UpdateStmt:
			case T_DeleteStmt:
			case T_MergeStmt:
				continue;
			case T_VariableSetStmt:
				if (((VariableSetStmt *) node)->kind == VAR_SET_VALUE &&
					strcmp(((VariableSetStmt *) node)->name, "role") != 0 &&
					strcmp(((VariableSetStmt *) node)->name, "session_authorization") != 0 &&
					strncmp(((VariableSetStmt *) node)->name, "transaction_", 12) != 0)
					continue;
				break;
			default:
				break;
		}
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_STATEMENT),
				 errmsg("check \"%s\" cannot have %s in it", name, CreateCommandName(node)),
				 errdetail("Statement %d, line %d.  A check asks: SELECT, or INSERT, UPDATE and DELETE"
						   " that are undone afterwards; SET for settings.",
						   statement->number, statement->line),
				 IsA(node, VariableSetStmt) ? errhint("To run it as another role, name that with run_as.") : 0));
	}
}

/* Raises unless the caller could SET ROLE to this role. */
static void
check_role(const char *role)
{
	Oid			oid = get_role_oid(role, true);

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" does not exist", role)));
	if (!mg_member_can_set_role(GetUserId(), oid))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" may not add a check that runs as \"%s\"",
						GetUserNameFromId(GetUserId(), false), role),
				 errdetail("A check runs as a role that its adder could become with SET ROLE."),
				 errhint("GRANT %s TO %s; or let a member of it add the check.", quote_identifier(role),
						 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
}

/* Is there a check of this name; is it the same as the detail of a new one? */
static bool
check_there(const char *name, const char *detail, bool *same)
{
	const char *args[2] = {name, detail};
	RecordScope scope;
	bool		there;

	record_begin(&scope);
	spi_exec("SELECT c.detail = $2::pg_catalog.jsonb AS same"
			 " FROM migmgr_internal.check_definition AS c WHERE c.name = $1",
			 SPI_OK_SELECT, 2, args);
	there = SPI_processed > 0;
	*same = there && spi_bool(0, "same", false);
	record_end(&scope);
	return there;
}

/* add_check(name, sql, expect, run_at, run_as, environments): what was added. */
Datum
migmgr_add_check(PG_FUNCTION_ARGS)
{
	static const char *const moments[] = {"before", "after", "verify", "schedule"};
	static const char *const environments[] = {"development", "staging", "production"};
	MemoryContext context = CurrentMemoryContext;
	LedgerEntry entry = {.event = "check"};
	const char *adder = GetUserNameFromId(GetUserId(), false);
	const char *args[8];
	bool		same;

	args[0] = text_arg(fcinfo, 0);
	check_named(args[0]);
	args[1] = text_arg(fcinfo, 1);
	check_sql(args[0], args[1]);
	args[2] = text_arg(fcinfo, 2);
	check_expect(args[2]);
	args[3] = words_arg(fcinfo, 3, "run_at", moments, lengthof(moments));
	if (args[3] == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("run_at must not be null")));
	args[4] = PG_ARGISNULL(4) ? adder : text_arg(fcinfo, 4);
	check_role(args[4]);
	args[5] = words_arg(fcinfo, 5, "environment", environments, lengthof(environments));
	args[6] = adder;
	args[7] = namespace_search_path;

	SPI_connect();
	spi_exec("SELECT pg_catalog.jsonb_build_object('name', $1, 'sql', $2, 'expect', $3, 'run_at', $4::pg_catalog.text[],"
			 " 'run_as', $5, 'environments', $6::pg_catalog.text[], 'adder', $7, 'search_path', $8)::pg_catalog.text AS detail",
			 SPI_OK_SELECT, 8, args);
	entry.detail = MemoryContextStrdup(context, spi_text(0, "detail"));
	if (check_there(args[0], entry.detail, &same) && !same)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("there is another check \"%s\"", args[0]),
				 errhint("Take it away first: SELECT migmgr.drop_check(%s);", quote_literal_cstr(args[0]))));
	SPI_finish();
	if (!same)
		ledger_append(&entry);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("check \"%s\" %s as %s at %s in %s", args[0],
											  same ? "is there already: it runs" : "runs", args[4], args[3],
											  args[5] == NULL ? "every environment" : args[5])));
}

/* drop_check(name): that it is gone. */
Datum
migmgr_drop_check(PG_FUNCTION_ARGS)
{
	LedgerEntry entry = {.event = "check dropped"};
	char	   *name = text_arg(fcinfo, 0);
	StringInfoData detail;
	bool		same;

	check_named(name);
	SPI_connect();
	if (!check_there(name, "{}", &same))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no check \"%s\"", name),
				 errhint("SELECT name FROM migmgr.checks; lists them.")));
	SPI_finish();
	initStringInfo(&detail);
	appendStringInfoString(&detail, "{\"name\": ");
	escape_json(&detail, name);
	appendStringInfoChar(&detail, '}');
	entry.detail = detail.data;
	ledger_append(&entry);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("check \"%s\" is dropped", name)));
}
