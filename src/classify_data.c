/*
 * classify_data.c
 *	  Judges of statements that read and write rows, or wrap others.
 *
 * In a migration rows may be changed; without a condition that looks at a
 * column, UPDATE and DELETE are destructive.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "commands/prepare.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"

#include "judge.h"

static bool mentions_column(Node *node, void *context);
static bool has_condition(Node *where);
static void judge_ctes(Judgement *j, WithClause *with);
static void judge_inner(Judgement *j, Node *stmt);
static void judge_change(Judgement *j, const char *rule, Node *where, const char *reason);
static void nothing_runs(Judgement *j);
static bool is_vacuum_full(VacuumStmt *stmt);

static bool
mentions_column(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef) || IsA(node, SubLink) || IsA(node, CurrentOfExpr) || IsA(node, Var))
		return true;
	return raw_expression_tree_walker(node, mentions_column, context);
}

/* WHERE true, WHERE 1 = 1 and no WHERE at all are the same. */
static bool
has_condition(Node *where)
{
	return mentions_column(where, NULL);
}

/* Judges a statement inside of this one as if it stood alone. */
static void
judge_inner(Judgement *j, Node *stmt)
{
	if (stmt != NULL)
		judge_merge(j, classify_statement(stmt));
}

static void
judge_ctes(Judgement *j, WithClause *with)
{
	ListCell   *lc;

	if (with == NULL)
		return;
	foreach(lc, with->ctes)
		judge_inner(j, lfirst_node(CommonTableExpr, lc)->ctequery);
}

static bool
mentions_relation(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return IsA(node, RangeVar) || raw_expression_tree_walker(node, mentions_relation, context);
}

/* Does a query read whole tables?  That is for its plan to know. */
Tristate
judge_reads(Node *query)
{
	/* CREATE TABLE ... AS EXECUTE */
	if (IsA(query, ExecuteStmt))
		return TRI_UNKNOWN;
	return IsA(query, Query) ? (castNode(Query, query)->rtable != NIL ? TRI_UNKNOWN : TRI_NO) :
		mentions_relation(query, NULL) ? TRI_UNKNOWN : TRI_NO;
}

/* SELECT: its WITH may write, its INTO makes a table. */
void
judge_select(Judgement *j, const StatementRule *rule)
{
	SelectStmt *stmt = castNode(SelectStmt, j->stmt);

	j->scans = judge_reads(j->stmt);
	if (j->scans != TRI_NO)
		j->verdict->lock = stmt->lockingClause != NIL ? RowShareLock : AccessShareLock;
	if (stmt->intoClause != NULL)
	{
		CreateTableAsStmt *create = makeNode(CreateTableAsStmt);

		create->query = (Node *) stmt;
		create->into = stmt->intoClause;
		create->objtype = OBJECT_TABLE;
		judge_inner(j, (Node *) create);
	}
	judge_ctes(j, stmt->withClause);
	if (stmt->larg != NULL)
		judge_ctes(j, stmt->larg->withClause);
	if (stmt->rarg != NULL)
		judge_ctes(j, stmt->rarg->withClause);
}

void
judge_insert(Judgement *j, const StatementRule *rule)
{
	j->passes_own = true;
	j->verdict->lock = RowExclusiveLock;
	judge_add(j, CLASS_DATA, rule->rule, "rows are added");
	if (castNode(InsertStmt, j->stmt)->selectStmt != NULL &&
		((SelectStmt *) castNode(InsertStmt, j->stmt)->selectStmt)->valuesLists == NIL)
		j->scans = TRI_UNKNOWN;
	judge_ctes(j, castNode(InsertStmt, j->stmt)->withClause);
}

/* UPDATE and DELETE; where is their condition. */
static void
judge_change(Judgement *j, const char *rule, Node *where, const char *reason)
{
	Finding		finding = {.class = CLASS_DATA,.rule = rule,.reason = "some rows are changed",.scans = TRI_UNKNOWN};

	j->passes_own = true;
	j->verdict->lock = RowExclusiveLock;
	if (!has_condition(where))
	{
		finding.class = CLASS_DESTRUCTIVE;
		finding.rule = psprintf("%s-everything", rule);
		finding.scans = TRI_YES;
		finding.reason = reason;
		finding.hint = "Give it a WHERE that names the rows.";
		finding.deed = psprintf("%s every row of table %s", rule, judge_name(j));
	}
	judge_find(j, j->found ? &j->rel : NULL, &finding);
}

void
judge_update(Judgement *j, const StatementRule *rule)
{
	UpdateStmt *stmt = castNode(UpdateStmt, j->stmt);

	judge_change(j, rule->rule, stmt->whereClause, "the values that every row has now are lost");
	judge_ctes(j, stmt->withClause);
}

void
judge_delete(Judgement *j, const StatementRule *rule)
{
	DeleteStmt *stmt = castNode(DeleteStmt, j->stmt);

	judge_change(j, rule->rule, stmt->whereClause, "every row is lost");
	judge_ctes(j, stmt->withClause);
}

void
judge_merge_into(Judgement *j, const StatementRule *rule)
{
	j->passes_own = true;
	j->verdict->lock = RowExclusiveLock;
	j->scans = TRI_UNKNOWN;
	judge_add(j, CLASS_DATA, rule->rule, "some rows are changed");
	judge_ctes(j, castNode(MergeStmt, j->stmt)->withClause);
}

/* An analysed query (CREATE TABLE AS hands one over): only its kind is known. */
void
judge_query(Judgement *j, const StatementRule *rule)
{
	if (castNode(Query, j->stmt)->commandType != CMD_SELECT)
		judge_add(j, CLASS_DATA, rule->rule, "rows are changed");
}

void
judge_truncate(Judgement *j, const StatementRule *rule)
{
	TruncateStmt *stmt = castNode(TruncateStmt, j->stmt);
	ListCell   *lc;
	bool		found = false;

	foreach(lc, stmt->relations)
	{
		RelFacts	rel;
		ObjectAddress address = InvalidObjectAddress;
		Finding		finding = {
			.class = CLASS_DESTRUCTIVE,.rule = rule->rule,.reason = "every row is lost",
			.rewrites = TRI_YES,
			.hint = "Keep the rows (CREATE TABLE ... AS, or a dump), and empty it with a waiver.",
		};

		if (!fact_relation(fact_relid(lfirst_node(RangeVar, lc)), &rel))
			continue;
		found = true;
		ObjectAddressSet(address, RelationRelationId, rel.relid);
		judge_object(j, &address);
		j->verdict->relid = rel.relid;
		j->verdict->namespace = rel.namespace;
		j->verdict->object = rel.name;
		j->rewrites = TRI_YES;
		if (!j->own && fact_empty(rel.relid))
			continue;			/* pg_restore --jobs truncates what it has
								 * just made */
		finding.deed = psprintf("truncate table %s", rel.name);
		/* pg_restore --jobs does it before it loads a table */
		if (!rel.temporary && !rel.is_new && fact_empty(rel.relid))
		{
			finding.class = CLASS_ADDITIVE;
			finding.reason = "the relation is empty";
		}
		judge_find(j, &rel, &finding);
	}
	if (!found)
		judge_add(j, CLASS_ADDITIVE, rule->rule, "it does not exist");
}

void
judge_copy(Judgement *j, const StatementRule *rule)
{
	CopyStmt   *stmt = castNode(CopyStmt, j->stmt);

	j->passes_own = true;
	j->verdict->lock = stmt->relation == NULL ? NoLock : stmt->is_from ? RowExclusiveLock : AccessShareLock;
	if (stmt->is_from)
		judge_add(j, CLASS_DATA, rule->rule, "rows are added");
	else if (stmt->query != NULL)
		judge_inner(j, stmt->query);
	else
		j->scans = TRI_YES;
}

/* LOCK TABLE that keeps writers out. */
void
judge_lock(Judgement *j, const StatementRule *rule)
{
	LockStmt   *stmt = castNode(LockStmt, j->stmt);
	ListCell   *lc;

	j->verdict->lock = stmt->mode;
	j->passes_own = true;
	if (stmt->mode < ShareLock)
		return;
	foreach(lc, stmt->relations)
	{
		RelFacts	rel;
		Finding		finding = {
			.class = CLASS_BLOCKING,.rule = rule->rule,
			.reason = "others wait until the end of the transaction",
			.hint = "Leave it out: each statement takes the lock that it needs.",
		};

		if (!fact_relation(fact_relid(lfirst_node(RangeVar, lc)), &rel))
			continue;
		j->verdict->relid = rel.relid;
		j->verdict->namespace = rel.namespace;
		j->verdict->object = rel.name;
		judge_find(j, &rel, &finding);
	}
}

/* EXPLAIN ANALYZE runs what it explains. */
void
judge_explain(Judgement *j, const StatementRule *rule)
{
	ExplainStmt *stmt = castNode(ExplainStmt, j->stmt);
	ListCell   *lc;

	foreach(lc, stmt->options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "analyze") == 0 && defGetBoolean(option))
			judge_inner(j, stmt->query);
	}
}

/* The statement inside is only looked at. */
static void
nothing_runs(Judgement *j)
{
	ListCell   *lc;

	j->rewrites = j->scans = j->verdict->rewrites = j->verdict->scans = TRI_NO;
	foreach(lc, j->parts)
		((Verdict *) lfirst(lc))->rewrites = ((Verdict *) lfirst(lc))->scans = TRI_NO;
}

/* PREPARE does nothing yet, but an EXECUTE of the same script will. */
void
judge_prepare(Judgement *j, const StatementRule *rule)
{
	judge_inner(j, castNode(PrepareStmt, j->stmt)->query);
	nothing_runs(j);
}

void
judge_execute(Judgement *j, const StatementRule *rule)
{
	PreparedStatement *prepared = FetchPreparedStatement(castNode(ExecuteStmt, j->stmt)->name, false);

	if (prepared != NULL && prepared->plansource->raw_parse_tree != NULL)
		judge_inner(j, prepared->plansource->raw_parse_tree->stmt);
}

void
judge_cursor(Judgement *j, const StatementRule *rule)
{
	judge_inner(j, castNode(DeclareCursorStmt, j->stmt)->query);
	nothing_runs(j);
}

/* FETCH, MOVE: as far as the cursor goes. */
void
judge_fetch(Judgement *j, const StatementRule *rule)
{
	j->scans = TRI_UNKNOWN;
}

/* REFRESH MATERIALIZED VIEW [CONCURRENTLY] [WITH NO DATA]. */
void
judge_refresh(Judgement *j, const StatementRule *rule)
{
	RefreshMatViewStmt *stmt = castNode(RefreshMatViewStmt, j->stmt);

	j->passes_own = true;
	j->verdict->lock = stmt->concurrent ? ExclusiveLock : AccessExclusiveLock;
	judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	if (stmt->skipData)
	{
		Finding		finding = {
			.class = CLASS_DESTRUCTIVE,.rule = "refresh-with-no-data",
			.reason = "it cannot be read until it is refreshed again",
			.hint = "Refresh it with data, CONCURRENTLY where it has a unique index.",
		};

		j->rewrites = TRI_YES;
		judge_find(j, j->found ? &j->rel : NULL, &finding);
	}
	else if (stmt->concurrent)
		j->scans = TRI_YES;
	else if (j->found)
	{
		Finding		finding = {
			.class = CLASS_BLOCKING,.rule = rule->rule,.rewrites = TRI_YES,.scans = TRI_YES,
			.reason = "readers wait until it is refreshed",
			.hint = "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index over plain columns and lets others read.",
		};

		judge_find(j, &j->rel, &finding);
	}
}

static bool
is_vacuum_full(VacuumStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->options)
	{
		if (strcmp(lfirst_node(DefElem, lc)->defname, "full") == 0)
			return defGetBoolean(lfirst_node(DefElem, lc));
	}
	return false;
}

/* VACUUM and ANALYZE; FULL writes every row again. */
void
judge_vacuum(Judgement *j, const StatementRule *rule)
{
	VacuumStmt *stmt = castNode(VacuumStmt, j->stmt);
	ListCell   *lc;
	Finding		finding = {
		.class = CLASS_REWRITING,.rule = "vacuum-full",.rewrites = TRI_YES,.scans = TRI_YES,
		.reason = "every row is written again under an exclusive lock",
		.hint = "VACUUM without FULL makes the space usable again.  To shrink the file with a short lock, use pg_repack.",
	};

	j->passes_own = true;
	j->verdict->lock = ShareUpdateExclusiveLock;
	if (!stmt->is_vacuumcmd || !is_vacuum_full(stmt))
		return;
	j->verdict->lock = AccessExclusiveLock;
	if (stmt->rels == NIL)
		judge_find(j, NULL, &finding);
	foreach(lc, stmt->rels)
	{
		RelFacts	rel;

		if (fact_relation(fact_relid(lfirst_node(VacuumRelation, lc)->relation), &rel))
		{
			j->verdict->relid = rel.relid;
			j->verdict->namespace = rel.namespace;
			j->verdict->object = rel.name;
			judge_find(j, &rel, &finding);
		}
	}
}

void
judge_cluster(Judgement *j, const StatementRule *rule)
{
	Finding		finding = {
		.class = CLASS_REWRITING,.rule = rule->rule,.rewrites = TRI_YES,.scans = TRI_YES,
		.reason = "every row is written again under an exclusive lock",
		.hint = "To do it with a short lock, use pg_repack.",
	};

	j->passes_own = true;
	judge_find(j, j->found ? &j->rel : NULL, &finding);
}

/* REINDEX of one index or table by its size, of more than that always. */
void
judge_reindex(Judgement *j, const StatementRule *rule)
{
	ReindexStmt *stmt = castNode(ReindexStmt, j->stmt);
	Finding		finding = {
		.class = CLASS_BLOCKING,.rule = rule->rule,.scans = TRI_YES,
		.reason = "writers wait, and most readers, until it is done",
		.hint = "REINDEX (CONCURRENTLY) ...; outside a transaction.  If it fails, drop the invalid index (..._ccnew) that it leaves.",
	};
	ListCell   *lc;

	j->passes_own = true;
	foreach(lc, stmt->params)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "concurrently") == 0 && defGetBoolean(option))
		{
			j->verdict->concurrent = true;
			j->verdict->lock = ShareUpdateExclusiveLock;
		}
	}
	if (stmt->relation != NULL)
	{
		if (!fact_relation(fact_relid(stmt->relation), &j->rel))
			return;
		j->found = true;
		j->verdict->relid = j->rel.relid;
		j->verdict->namespace = j->rel.namespace;
		j->verdict->object = j->rel.name;
		if (j->rel.relkind == RELKIND_INDEX)
		{
			if (!j->verdict->concurrent)
				j->verdict->lock = AccessExclusiveLock;
			(void) fact_relation(fact_index_table(j->rel.relid), &j->rel);
		}
	}
	judge_add(j, CLASS_ADDITIVE, rule->rule, NULL);
	if (j->verdict->concurrent)
		j->scans = TRI_YES;
	else
		judge_find(j, j->found ? &j->rel : NULL, &finding);
}
