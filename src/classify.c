/*
 * classify.c
 *	  From a parse tree to a verdict.
 *
 * The const tables of classify_rules.c say what each kind of statement does;
 * judge functions look at the catalog where that depends on it.  Each finding
 * is first held against what makes it not count: a temporary relation, one
 * that is new in this transaction, an empty or small one.
 *
 * The catalog is looked at as it is now.  What names an object that does not
 * exist is judged additive: it will fail, or an earlier statement of the same
 * script will have made the object, and then it is judged again.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "commands/tablecmds.h"
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"
#include "tcop/cmdtag.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/lsyscache.h"

#include "classify.h"
#include "errors.h"
#include "judge.h"
#include "overlay.h"
#include "protect.h"

static const char *const class_names[] = {
	[CLASS_NONE] = "none",
	[CLASS_ADDITIVE] = "additive",
	[CLASS_RELAXING] = "relaxing",
	[CLASS_REPLACING] = "replacing",
	[CLASS_DATA] = "data",
	[CLASS_RESTRICTIVE] = "restrictive",
	[CLASS_BLOCKING] = "blocking",
	[CLASS_TYPE_CHANGE] = "type_change",
	[CLASS_REWRITING] = "rewriting",
	[CLASS_SECURITY] = "security",
	[CLASS_DESTRUCTIVE] = "destructive",
	[CLASS_UNCLASSIFIED] = "unclassified",
	[CLASS_PROTECTED] = "protected",
};

static const int class_sqlstates[] = {
	[CLASS_NONE] = ERRCODE_MG_UNCLASSIFIED,
	[CLASS_ADDITIVE] = ERRCODE_MG_DIRECT_DDL,
	[CLASS_RELAXING] = ERRCODE_MG_DIRECT_DDL,
	[CLASS_REPLACING] = ERRCODE_MG_DIRECT_DDL,
	[CLASS_DATA] = ERRCODE_MG_DATA,
	[CLASS_RESTRICTIVE] = ERRCODE_MG_RESTRICTIVE,
	[CLASS_BLOCKING] = ERRCODE_MG_BLOCKING,
	[CLASS_TYPE_CHANGE] = ERRCODE_MG_TYPE_CHANGE,
	[CLASS_REWRITING] = ERRCODE_MG_REWRITING,
	[CLASS_SECURITY] = ERRCODE_MG_SECURITY,
	[CLASS_DESTRUCTIVE] = ERRCODE_MG_DESTRUCTIVE,
	[CLASS_UNCLASSIFIED] = ERRCODE_MG_UNCLASSIFIED,
	[CLASS_PROTECTED] = ERRCODE_MG_PROTECTED,
};

static Node *unwrap(Node *stmt);
static void name_target(Judgement *j, const StatementRule *rule);
static void name_relation(Judgement *j, RangeVar *relation, bool creates);
static void judge_unknown(Judgement *j);
static bool counts(const Finding *finding, const RelFacts *rel, const char **why_not);
static void keep_worst(Verdict **worst, const Verdict *candidate);
static Verdict *finish(Judgement *j);

const char *
class_name(MigClass class)
{
	return class_names[class];
}

/* SQLSTATE of a refusal for this class. */
int
class_sqlstate(MigClass class)
{
	return class_sqlstates[class];
}

Verdict *
classify_statement(Node *stmt)
{
	Judgement	j = {0};
	const StatementRule *rule;

	j.stmt = unwrap(stmt);
	j.verdict = palloc0(sizeof(Verdict));
	j.verdict->rule = "none";
	j.verdict->command = GetCommandTagName(CreateCommandTag(j.stmt));

	rule = rule_of_statement(nodeTag(j.stmt));
	if (rule == NULL)
		judge_unknown(&j);
	else
	{
		j.verdict->rule = rule->rule;
		name_target(&j, rule);
		if (rule->judge != NULL)
			rule->judge(&j, rule);
		else
		{
			Finding		finding = {
				.class = rule->class,.rule = rule->rule,
				.reason = rule->reason,.hint = rule->hint,
			};

			judge_find(&j, j.found && !rule->creates ? &j.rel : NULL, &finding);
		}
	}
	return finish(&j);
}

/* The statement inside of what parser and planner put around it. */
static Node *
unwrap(Node *stmt)
{
	for (;;)
	{
		if (IsA(stmt, RawStmt))
			stmt = castNode(RawStmt, stmt)->stmt;
		else if (IsA(stmt, PlannedStmt) && castNode(PlannedStmt, stmt)->utilityStmt != NULL)
			stmt = castNode(PlannedStmt, stmt)->utilityStmt;
		else if (IsA(stmt, Query) && castNode(Query, stmt)->utilityStmt != NULL)
			stmt = castNode(Query, stmt)->utilityStmt;
		else
			return stmt;
	}
}

/* Fills in what the statement is about, from the field that its rule names. */
static void
name_target(Judgement *j, const StatementRule *rule)
{
	Verdict    *v = j->verdict;
	char	   *node = (char *) j->stmt;

	v->lock = rule->lock;
	if (rule->relation != 0)
	{
		RangeVar   *relation = *(RangeVar **) (node + rule->relation - 1);

		if (relation != NULL)
			name_relation(j, relation, rule->creates);
	}
	else if (rule->names != 0)
	{
		List	   *names = *(List **) (node + rule->names - 1);

		v->object = fact_names(names, &v->namespace);
		/* the session may not have its temporary schema yet */
		j->temporary = list_length(names) == 2 && strcmp(strVal(linitial(names)), "pg_temp") == 0;
		j->own |= protect_owns_schema(v->namespace);
	}
	else if (rule->name != 0)
	{
		char	   *name = *(char **) (node + rule->name - 1);

		v->object = name == NULL ? NULL : pstrdup(quote_identifier(name));
	}
}

static void
name_relation(Judgement *j, RangeVar *relation, bool creates)
{
	Verdict    *v = j->verdict;
	Oid			relid;

	if (creates && (relation->relpersistence == RELPERSISTENCE_TEMP ||
					(relation->schemaname != NULL && strcmp(relation->schemaname, "pg_temp") == 0)))
	{
		j->rel.temporary = true;
		v->object = pstrdup(quote_identifier(relation->relname));
		return;
	}
	if (creates)
	{
		v->namespace = fact_creation_namespace(relation->schemaname);
		relid = OidIsValid(v->namespace) ? fact_relname_relid(relation->relname, v->namespace) : InvalidOid;
		j->own |= protect_owns_schema(v->namespace);
	}
	else
		relid = fact_relid(relation);

	j->found = fact_relation(relid, &j->rel);
	if (creates && OidIsValid(v->namespace) && isAnyTempNamespace(v->namespace))
		j->rel.temporary = true;
	if (j->found)
	{
		v->relid = relid;
		v->namespace = j->rel.namespace;
		v->object = j->rel.name;
		j->own |= protect_owns_schema(v->namespace);
	}
	else
	{
		j->absent = !creates;
		v->object = quote_qualified_identifier(relation->schemaname ? relation->schemaname :
											   OidIsValid(v->namespace) ? fact_namespace_name(v->namespace) : NULL,
											   relation->relname);
	}
}

/* A statement without a rule: refused if the server calls it DDL. */
static void
judge_unknown(Judgement *j)
{
	if (GetCommandLogLevel(j->stmt) == LOGSTMT_DDL)
	{
		Finding		finding = {
			.class = CLASS_UNCLASSIFIED,.rule = "unclassified",
			.reason = "migmgr has no rule for this statement",
			.hint = "Please report it, with the server version.",
		};

		judge_find(j, NULL, &finding);
	}
}

/*
 * Takes a finding into the verdict if it counts.  rel: the relation whose
 * being new, temporary, empty or small makes it not count; or NULL.
 */
void
judge_find(Judgement *j, const RelFacts *rel, const Finding *finding)
{
	Verdict    *v = palloc(sizeof(Verdict));
	const char *why_not = NULL;
	bool		temporary = rel != NULL ? rel->temporary :
		j->temporary || (OidIsValid(j->verdict->namespace) && isAnyTempNamespace(j->verdict->namespace));

	*v = *j->verdict;
	v->class = finding->class;
	v->rule = finding->rule;
	v->reason = unconstify(char *, finding->reason);
	v->hint = unconstify(char *, finding->hint);
	v->column = finding->column;
	v->deed = finding->deed != NULL ? finding->deed : j->deed;
	v->drops = finding->drops;
	v->definition = finding->definition;
	v->rewrites = finding->rewrites;
	v->scans = finding->scans;
	v->firm = NULL;
	v->parts = NIL;

	if ((temporary && finding->class < CLASS_UNCLASSIFIED) || !counts(finding, rel, &why_not))
	{
		v->class = temporary ? CLASS_NONE : CLASS_ADDITIVE;
		v->reason = unconstify(char *, temporary ? "it is temporary" : why_not);
		v->hint = NULL;
		v->definition = false;
	}
	judge_merge(j, v);
}

/* A finding without ceremony, about the relation that the statement names. */
void
judge_add(Judgement *j, MigClass class, const char *rule, const char *reason)
{
	Finding		finding = {.class = class,.rule = rule,.reason = reason};

	judge_find(j, j->found ? &j->rel : NULL, &finding);
}

/* What is known of two parts together. */
static Tristate
either(Tristate a, Tristate b)
{
	return a == TRI_YES || b == TRI_YES ? TRI_YES : Max(a, b);
}

/* Takes the verdict of a part (a column, an inner statement) into the whole. */
void
judge_merge(Judgement *j, const Verdict *v)
{
	j->rewrites = either(j->rewrites, v->rewrites);
	j->scans = either(j->scans, v->scans);
	j->parts = v->parts != NIL ? list_concat(j->parts, v->parts) : lappend(j->parts, unconstify(Verdict *, v));
	if (!v->definition)
		keep_worst(&j->firm, v);
	else if (v->firm != NULL)
		keep_worst(&j->firm, v->firm);
	if (v->class > j->verdict->class || j->verdict->reason == NULL ||
		(v->class == j->verdict->class && j->verdict->definition && !v->definition))
	{
		bool		concurrent = j->verdict->concurrent;
		LOCKMODE	lock = Max(j->verdict->lock, v->lock);

		if (v->class >= j->verdict->class)
			j->worst = *j->verdict = *v;
		else
			j->verdict->reason = v->reason;
		j->verdict->concurrent |= concurrent;
		j->verdict->lock = lock;
	}
	else if (j->worst.rule != NULL)
	{
		/* of several objects the verdict is about the one that is worst off */
		j->verdict->object = j->worst.object;
		j->verdict->relid = j->worst.relid;
		j->verdict->namespace = j->worst.namespace;
	}
}

static void
keep_worst(Verdict **worst, const Verdict *candidate)
{
	if (*worst != NULL && (*worst)->class >= candidate->class)
		return;
	*worst = palloc(sizeof(Verdict));
	**worst = *candidate;
}

/* Notes that the statement is about this object. */
void
judge_object(Judgement *j, const ObjectAddress *address)
{
	if (overlay_made_by(address->objectId) != 0)
		j->own |= protect_owns_schema(overlay_scope(address->objectId));
	else if (OidIsValid(address->objectId) && protect_owns(address))
		j->own = true;
}

/* What the statement is about, for messages. */
char *
judge_name(const Judgement *j)
{
	return j->verdict->object != NULL ? j->verdict->object : pstrdup("it");
}

/* Does a finding count, given the relation that it is about? */
static bool
counts(const Finding *finding, const RelFacts *rel, const char **why_not)
{
	MigClass	class = finding->class;

	if (rel == NULL || class <= CLASS_ADDITIVE || class >= CLASS_UNCLASSIFIED)
		return true;
	*why_not = rel->temporary ? "the relation is temporary" :
		rel->made_by != 0 ? psprintf("statement %d makes the relation", rel->made_by) :
		rel->is_new ? "the relation is new in this transaction" : NULL;
	if (*why_not == NULL && class == CLASS_RESTRICTIVE && OidIsValid(rel->relid) && fact_empty(rel->relid))
		*why_not = "the relation is empty";
	if (*why_not == NULL && (class == CLASS_BLOCKING || class == CLASS_REWRITING) &&
		OidIsValid(rel->relid) && fact_small(rel->relid))
		*why_not = "the relation is below migmgr.small_relation";
	return *why_not == NULL;
}

/* Puts protection above all, and words where none were given. */
static Verdict *
finish(Judgement *j)
{
	Verdict    *v = j->verdict;

	v->firm = v->definition ? j->firm : NULL;
	v->rewrites = either(j->rewrites, v->rewrites);
	v->scans = either(j->scans, v->scans);
	v->parts = j->parts;
	if (j->absent && v->class > CLASS_ADDITIVE && v->class < CLASS_UNCLASSIFIED)
	{
		/* an earlier statement of the script makes it, or the server refuses */
		v->class = CLASS_ADDITIVE;
		v->hint = NULL;
		v->drops = v->definition = false;
		v->firm = NULL;
		v->parts = NIL;
	}
	if (j->absent && v->class == CLASS_ADDITIVE)
		v->reason = psprintf("relation %s does not exist yet", v->object);
	if (j->own && !j->passes_own && v->class > CLASS_NONE)
	{
		bool		lifted = protect_lifted();

		v->class = lifted ? CLASS_REPLACING : CLASS_PROTECTED;
		v->rule = "own-object";
		v->reason = psprintf(lifted ? "%s belongs to migmgr, whose protection is lifted" : "%s belongs to migmgr",
							 judge_name(j));
		v->hint = NULL;
		v->drops = v->definition = false;
		v->firm = NULL;
		v->parts = NIL;
	}
	if (v->deed == NULL)
	{
		v->deed = asc_tolower(v->command, strlen(v->command));
		if (v->object != NULL)
			v->deed = psprintf("%s %s", v->deed, v->object);
	}
	if (v->firm != NULL)
	{
		if (v->firm->deed == NULL)
			v->firm->deed = v->deed;
		v->firm->parts = v->parts;
	}
	return v;
}
