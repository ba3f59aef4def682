/*
 * inverse.c
 *	  The way back that is derived from what a script has done.
 *
 * From the images before and after, undo() of the snapshot room makes SQL.
 * What it cannot bring back, or what no image shows (see inverse_rows.c for
 * rows), is said in words, and kept with the entry.
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "lib/stringinfo.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "errors.h"
#include "facts.h"
#include "guard_state.h"
#include "image.h"
#include "inverse.h"
#include "ledger.h"
#include "spi_util.h"
#include "subxact.h"

/* kinds that are dropped by their name, and nothing else */
static const char *const plain_kinds[] = {
	"table", "view", "materialized view", "index", "sequence", "function", "procedure", "type", "schema", "extension",
};

static char *drop_made(const List *made);
static bool drops_just_made(const Run *run);
static ObjectAddress dropped_by(const Node *statement);
static char *relation_name(Oid relid);
static char *drop_one(const ImageMade *one);
static bool column_is_made(const List *made, Oid relid, int32 column);
static bool goes_with_another(const List *made, int position);
static void derive(Run *run);
static bool derive_script(void *arg);
static char *joined(const List *words);
static char *in_words(const Run *run, const Inverse *inverse);

/* See inverse.h. */
void
inverse_watch(const Run *run)
{
	if (run->request->action == RUN_APPLY && run->request->options.derive)
		image_begin();
}

/* See inverse.h. */
void
inverse_derive(Run *run)
{
	run->inverse = NULL;
	if (!image_active())
	{
		run->reversible = run->down != NULL ? "by script" : "no: no rollback script was given";
		return;
	}
	if (run->down == NULL)
		inverse_find(run);
	else
	{
		run->inverse = palloc0(sizeof(Inverse));
		run->inverse->only_drops = drops_just_made(run);
		run->inverse->as_derived = run->inverse->only_drops && list_length(run->down->statements) == 1;
	}
	proof_run(run);
	run->reversible = in_words(run, run->inverse);
}

/* See inverse.h. */
void
inverse_find(Run *run)
{
	Inverse    *inverse = palloc0(sizeof(Inverse));
	bool		simple;
	List	   *made = image_made(&simple);
	char	   *first;
	char	   *last;

	run->inverse = inverse;
	inverse->reasons = image_missed();
	inverse->script = simple ? drop_made(made) : NULL;
	inverse->only_drops = inverse->script != NULL;
	if (inverse->script == NULL)
		derive(run);
	inverse_rows(inverse->before, &first, &last, &inverse->reasons);
	inverse->script = psprintf("%s%s%s", first, inverse->script, last);
	if (inverse->script[0] != '\0')
		run->down = script_parse(inverse->script, "the derived way back");
}

/*
 * The way back of a script that has only made things: they are dropped in the
 * opposite order.  NULL when there is a kind among them that takes more.
 */
static char *
drop_made(const List *made)
{
	StringInfoData script;

	initStringInfo(&script);
	for (int i = list_length(made) - 1; i >= 0; i--)
	{
		char	   *statement;

		if (goes_with_another(made, i))
			continue;
		statement = drop_one(list_nth(made, i));
		if (statement == NULL)
			return NULL;
		appendStringInfo(&script, "%s;\n", statement);
	}
	return script.data;
}

static char *
relation_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
}

/* The statement that drops one object, or NULL. */
static char *
drop_one(const ImageMade *one)
{
	char	   *kind = getObjectTypeDescription(&one->address, false);
	char	   *identity = getObjectIdentity(&one->address, false);
	char	   *relation;

	if (strcmp(kind, "trigger") == 0 || strcmp(kind, "policy") == 0 || strcmp(kind, "rule") == 0)
	{
		/* "name on relation" */
		relation = relation_name(one->whole);
		return psprintf("DROP %s %.*s ON %s", str_toupper(kind, strlen(kind), C_COLLATION_OID),
						(int) (strlen(identity) - strlen(relation) - strlen(" on ")), identity, relation);
	}
	if (strcmp(kind, "statistics object") == 0)
		return psprintf("DROP STATISTICS %s", identity);
	if (strcmp(kind, "table constraint") == 0 || strcmp(kind, "table column") == 0)
	{
		relation = relation_name(one->whole);
		return one->address.objectSubId != 0 ?
			psprintf("ALTER TABLE %s DROP COLUMN %s", relation,
					 quote_identifier(get_attname(one->whole, one->address.objectSubId, false))) :
			psprintf("ALTER TABLE %s DROP CONSTRAINT %s", relation,
					 quote_identifier(get_constraint_name(one->address.objectId)));
	}
	for (int i = 0; i < lengthof(plain_kinds); i++)
	{
		if (strcmp(kind, plain_kinds[i]) == 0)
			return psprintf("DROP %s %s", str_toupper(kind, strlen(kind), C_COLLATION_OID), identity);
	}
	return NULL;
}

/* Is this column among what was made, or its table? */
static bool
column_is_made(const List *made, Oid relid, int32 column)
{
	ListCell   *lc;

	foreach(lc, made)
	{
		const ImageMade *one = lfirst(lc);

		if (one->address.classId == RelationRelationId && one->address.objectId == relid &&
			(one->address.objectSubId == 0 || one->address.objectSubId == column))
			return true;
	}
	return false;
}

/*
 * Does an object need no statement of its own?  A sequence goes with its
 * column, an index with its constraint, a part with the relation that the
 * script has made; unless the part may need something that was made after the
 * relation, and so goes before it.
 */
static bool
goes_with_another(const List *made, int position)
{
	const ImageMade *one = list_nth(made, position);
	Oid			relid;
	int32		column;

	if (one->address.classId == RelationRelationId && one->address.objectSubId == 0)
	{
		/*
		 * an index depends on its columns as a sequence on the one that owns
		 * it
		 */
		if ((get_rel_relkind(one->address.objectId) == RELKIND_SEQUENCE &&
			 (sequenceIsOwned(one->address.objectId, DEPENDENCY_AUTO, &relid, &column) ||
			  sequenceIsOwned(one->address.objectId, DEPENDENCY_INTERNAL, &relid, &column)) &&
			 column_is_made(made, relid, column)) ||
			OidIsValid(get_index_constraint(one->address.objectId)))
			return true;
	}
	if (!one->part)
		return false;
	if (!one->of_new)
		/* a constraint of a new column, and the like, goes with the column */
		return false;
	for (int i = position - 1; i >= 0; i--)
	{
		const ImageMade *before = list_nth(made, i);

		if (before->address.objectId == one->whole)
			return true;
		if (!before->part || before->whole != one->whole)
			return false;
	}
	return true;
}

/*
 * Does the author's way back drop what the script has made, one by one, and
 * nothing else?  Of a script that has done more than make things, no.
 */
static bool
drops_just_made(const Run *run)
{
	bool		simple;
	List	   *made = image_made(&simple);
	List	   *left = NIL;
	ListCell   *lc;

	if (!simple || image_missed() != NIL)
		return false;
	for (int i = 0; i < list_length(made); i++)
	{
		if (!goes_with_another(made, i))
			left = lappend(left, &((ImageMade *) list_nth(made, i))->address);
	}
	if (list_length(left) != list_length(run->down->statements))
		return false;
	foreach(lc, run->down->statements)
	{
		ObjectAddress dropped = dropped_by(((const ScriptStatement *) lfirst(lc))->raw->stmt);
		int			before = list_length(left);
		ListCell   *other;

		foreach(other, left)
		{
			const ObjectAddress *one = lfirst(other);

			if (one->classId == dropped.classId && one->objectId == dropped.objectId &&
				one->objectSubId == dropped.objectSubId)
			{
				left = foreach_delete_current(left, other);
				break;
			}
		}
		if (list_length(left) == before)
			return false;
	}
	return true;
}

/* What a statement drops, when it is one thing and nothing else goes with it. */
static ObjectAddress
dropped_by(const Node *statement)
{
	ObjectAddress address = InvalidObjectAddress;

	if (IsA(statement, DropStmt))
	{
		const DropStmt *drop = castNode(DropStmt, unconstify(Node *, statement));

		if (drop->behavior == DROP_RESTRICT && !drop->concurrent && list_length(drop->objects) == 1)
			address = fact_address(drop->removeType, linitial(drop->objects), NULL);
	}
	else if (IsA(statement, AlterTableStmt))
	{
		const AlterTableStmt *alter = castNode(AlterTableStmt, unconstify(Node *, statement));
		const AlterTableCmd *cmd = linitial(alter->cmds);
		Oid			relid = fact_relid(alter->relation);

		if (list_length(alter->cmds) == 1 && cmd->subtype == AT_DropColumn && cmd->behavior == DROP_RESTRICT &&
			OidIsValid(relid) && get_attnum(relid, cmd->name) > 0)
			ObjectAddressSubSet(address, RelationRelationId, relid, get_attnum(relid, cmd->name));
		else if (list_length(alter->cmds) == 1 && cmd->subtype == AT_DropConstraint &&
				 cmd->behavior == DROP_RESTRICT && OidIsValid(relid))
			ObjectAddressSet(address, ConstraintRelationId, get_relation_constraint_oid(relid, cmd->name, true));
	}
	return address;
}

/*
 * A migration does not fail because its way back cannot be found: then there
 * is none, and it says why.
 */
static void
derive(Run *run)
{
	Inverse    *inverse = run->inverse;
	ErrorData  *error = subxact_run(derive_script, run);

	image_pause(false);
	if (error == NULL)
		return;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
		ReThrowError(error);
	inverse->script = "";
	inverse->after = NULL;
	inverse->reasons = lappend(inverse->reasons, psprintf("it was not found: %s", error->message));
}

/* The statements of the way back, and what they cannot do. */
static bool
derive_script(void *arg)
{
	Run		   *run = arg;
	Inverse    *inverse = run->inverse;
	MemoryContext context = CurrentMemoryContext;
	const char *args[2];
	StringInfoData script;
	RecordScope scope;

	image_result(&inverse->before, &inverse->after);
	args[0] = inverse->before;
	args[1] = inverse->after;
	initStringInfo(&script);
	SPI_connect();
	record_begin(&scope);
	spi_exec_latest("SELECT u.sql, u.irreversible FROM migmgr_internal.undo($1::pg_catalog.jsonb, $2::pg_catalog.jsonb) AS u"
					" ORDER BY u.n",
					SPI_OK_SELECT, 2, args);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *sql = spi_text(i, "sql");
		char	   *reason = spi_text(i, "irreversible");
		MemoryContext old = MemoryContextSwitchTo(context);

		if (sql != NULL)
			appendStringInfo(&script, "%s;\n", sql);
		if (reason != NULL)
			inverse->reasons = lappend(inverse->reasons, pstrdup(reason));
		MemoryContextSwitchTo(old);
	}
	record_end(&scope);
	SPI_finish();
	inverse->script = script.data;
	/* it fails here, not later, where it is no SQL */
	if (script.len > 0)
		(void) script_parse(script.data, "the derived way back");
	return true;
}

static char *
joined(const List *words)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, words)
		appendStringInfo(&text, "%s%s", text.len > 0 ? "; " : "", (char *) lfirst(lc));
	return text.data;
}

/* What history and the caller's row say of the way back. */
static char *
in_words(const Run *run, const Inverse *inverse)
{
	bool		by_script = run->request->down != NULL;
	StringInfoData text;

	if (!by_script && inverse->script[0] == '\0')
		return inverse->reasons != NIL ? psprintf("no: %s", joined(inverse->reasons)) : "nothing to take back";
	initStringInfo(&text);
	appendStringInfoString(&text, !by_script ? "derived" : inverse->as_derived ? "by script, as derived" : "by script");
	if (inverse->proved)
		appendStringInfoString(&text, inverse->as_derived ? " and proved" : ", proved");
	if (inverse->reasons != NIL)
		appendStringInfo(&text, ", but: %s", joined(inverse->reasons));
	if (inverse->differences != NIL)
		appendStringInfo(&text, ", but not all would come back: %s", joined(inverse->differences));
	if (inverse->not_proved != NULL)
		appendStringInfo(&text, "; not proved: %s", inverse->not_proved);
	return text.data;
}

/* See inverse.h.  Connected to SPI, recording. */
void
inverse_record(const Run *run)
{
	const Inverse *inverse = run->inverse;
	const char *args[3];

	if (inverse == NULL || inverse->after == NULL || inverse->script == NULL || inverse->script[0] == '\0')
		return;
	args[0] = psprintf(INT64_FORMAT, run->seq);
	args[1] = inverse->before;
	args[2] = inverse->after;
	spi_exec("SELECT migmgr_internal.made_keep($1::pg_catalog.int8, $2::pg_catalog.jsonb, $3::pg_catalog.jsonb)",
			 SPI_OK_SELECT, 3, args);
}

/* See inverse.h. */
void
inverse_check(const Run *run)
{
	MemoryContext context = CurrentMemoryContext;
	const char *args[1] = {psprintf(INT64_FORMAT, run->request->undoes)};
	RecordScope scope;
	char	   *lines;

	SPI_connect();
	record_begin(&scope);
	spi_exec_latest("SELECT pg_catalog.string_agg(c.line, E'\\n') AS lines FROM migmgr_internal.made_changed($1::pg_catalog.int8) AS c",
					SPI_OK_SELECT, 1, args);
	lines = spi_text(0, "lines");
	lines = lines == NULL ? NULL : MemoryContextStrdup(context, lines);
	record_end(&scope);
	SPI_finish();
	if (lines != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_ROLLBACK_CHANGED),
				 errmsg("cannot roll back \"%s\": what it made was changed since", run->request->version),
				 errdetail("%s", lines),
				 errhint("Take that change back first, or write the way back as a new migration; "
						 "SELECT migmgr.rollback_guide(%s); prints what is known of it.",
						 quote_literal_cstr(run->request->version))));
}
