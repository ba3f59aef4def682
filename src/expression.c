/*
 * expression.c
 *	  What the parser and the planner think of an expression in a statement.
 *
 * A default, a USING clause or a type with a modifier may name anything, so
 * analysing it may raise.  Each question runs in a subtransaction that is
 * undone, and an error means "cannot know": the statement will raise the same
 * error itself.  Plain constants, by far the commonest defaults, are answered
 * without one.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tupdesc.h"
#include "access/attmap.h"
#include "catalog/heap.h"
#include "catalog/index.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/tablecmds.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "parser/parse_type.h"
#include "parser/parse_utilcmd.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "compat.h"
#include "judge.h"
#include "overlay.h"
#include "subxact.h"

/* one question: what goes in and what comes out */
typedef struct Question
{
	Node	   *raw;			/* expression, or NULL */
	TypeName   *type;			/* wanted type, or NULL */
	Oid			relid;
	AttrNumber	attnum;
	const char *column;
	ColumnDef  *def;
	Oid			partition;
	PartitionBoundSpec *bound;
	MemoryContext context;		/* for text */
	char	   *text;
	Tristate	answer;
	bool		redoes;			/* rebuilds an index or checks a constraint */
} Question;

static bool is_constant(Node *raw);
static Tristate ask(bool (*fn) (void *), Question *question);
static bool volatile_in_subxact(void *arg);
static bool type_in_subxact(void *arg);
static bool not_null_in_subxact(void *arg);
static bool attach_in_subxact(void *arg);
static bool bounds_in_subxact(void *arg);
static Tristate attach_scans(Relation parent, Relation partition, List *bound);
static Tristate rows_are_tested(Relation partition, List *quals);
static bool default_scans(Relation parent, List *bound);
static Relation index_if_free(Oid relid);
static bool lacks_index(Relation parent, Relation partition);
static Node *new_value(Question *q, Relation rel, Oid type, int32 typmod);
static bool rewrites(Node *expr, AttrNumber attnum);
static bool redoes_something(Relation rel, AttrNumber attnum, Oid type, bool new_collation);
static bool redoes_in_children(Relation rel, AttrNumber attnum, Oid type, bool new_collation);
static bool redoes_index(Relation rel, Relation index, AttrNumber attnum, Oid type, bool new_collation);
static List *known_checks(Relation rel);
static List *as_quals(Node *check);

/* Is a default volatile after planning (functions inlined)? */
Tristate
expression_volatile(Node *raw, TypeName *type)
{
	Question	q = {.raw = raw,.type = type};

	if (raw == NULL || is_constant(raw))
		return TRI_NO;
	return ask(volatile_in_subxact, &q);
}

/*
 * Does this change of type rewrite the table?  *redoes: or if not, does it
 * rebuild an index or check a constraint over all rows?
 */
Tristate
expression_type_rewrites(Oid relid, AttrNumber attnum, ColumnDef *def, bool *redoes)
{
	Question	q = {
		.raw = def->raw_default,.type = def->typeName,.relid = relid,.attnum = attnum,.def = def,
	};
	Tristate	answer = ask(type_in_subxact, &q);

	*redoes = q.redoes;
	return answer;
}

/*
 * Is a table scanned when it is attached as a partition, or the default
 * partition for rows that would belong to it?  partition may be InvalidOid: a
 * new table.
 */
Tristate
expression_attach_scans(Oid parent, Oid partition, PartitionBoundSpec *bound)
{
	Question	q = {.relid = parent,.partition = partition,.bound = bound};

	return ask(attach_in_subxact, &q);
}

/*
 * The condition that holds for every row of a partition with these bounds, as
 * it would be written for a table; NULL when there is none, or none can be told.
 */
char *
expression_partition_check(Oid parent, Oid partition, const PartitionBoundSpec *bound)
{
	MemoryContext caller = CurrentMemoryContext;
	Question	q = {
		.relid = parent,.partition = partition,.bound = unconstify(PartitionBoundSpec *, bound),.context = caller,
	};

	if (bound == NULL || !OidIsValid(parent) || !OidIsValid(partition) ||
		overlay_made_by(parent) != 0 || overlay_made_by(partition) != 0)
		return NULL;
	(void) ask(bounds_in_subxact, &q);
	return q.text;
}

/* Do validated CHECK constraints already prove that a column is not null? */
Tristate
expression_proves_not_null(Oid relid, const char *column)
{
	Question	q = {.relid = relid,.column = column};

	return ask(not_null_in_subxact, &q);
}

/* NULL, a literal, or a literal cast to something, or CURRENT_TIMESTAMP & co. */
static bool
is_constant(Node *raw)
{
	while (IsA(raw, TypeCast))
		raw = castNode(TypeCast, raw)->arg;
	return IsA(raw, A_Const) || IsA(raw, SQLValueFunction);
}

static Tristate
ask(bool (*fn) (void *), Question *question)
{
	ErrorData  *error;

	question->answer = TRI_UNKNOWN;
	error = subxact_run(fn, question);
	if (error != NULL && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	return question->answer;
}

static bool
volatile_in_subxact(void *arg)
{
	Question   *q = arg;
	ParseState *pstate = make_parsestate(NULL);
	Node	   *expr = transformExpr(pstate, copyObject(q->raw), EXPR_KIND_COLUMN_DEFAULT);
	Oid			type;
	int32		typmod;

	if (q->type != NULL)
	{
		typenameTypeIdAndMod(NULL, q->type, &type, &typmod);
		expr = coerce_to_target_type(pstate, expr, exprType(expr), type, typmod,
									 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
		if (expr == NULL)
			return false;
	}
	assign_expr_collations(pstate, expr);
	expr = (Node *) expression_planner((Expr *) expr);
	q->answer = contain_volatile_functions(expr) ? TRI_YES : TRI_NO;
	return false;
}

static bool
type_in_subxact(void *arg)
{
	Question   *q = arg;
	Relation	rel;
	Oid			type;
	int32		typmod;
	Node	   *expr;

	if (!ConditionalLockRelationOid(q->relid, AccessShareLock))
		return false;
	rel = relation_open(q->relid, NoLock);
	typenameTypeIdAndMod(NULL, q->type, &type, &typmod);
	expr = new_value(q, rel, type, typmod);
	if (expr != NULL)
	{
		q->answer = rewrites(expr, q->attnum) ? TRI_YES : TRI_NO;
		q->redoes = redoes_something(rel, q->attnum, type,
									 GetColumnDefCollation(NULL, q->def, type) !=
									 TupleDescAttr(RelationGetDescr(rel), q->attnum - 1)->attcollation);
	}
	relation_close(rel, NoLock);
	return false;
}

/* The planned expression that fills the column anew; NULL: no such cast. */
static Node *
new_value(Question *q, Relation rel, Oid type, int32 typmod)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), q->attnum - 1);
	ParseState *pstate = make_parsestate(NULL);
	Node	   *expr;

	if (q->raw != NULL)
	{
		ParseNamespaceItem *item = addRangeTableEntryForRelation(pstate, rel, AccessShareLock,
																 NULL, false, true);

		addNSItemToQuery(pstate, item, false, true, true);
		expr = transformExpr(pstate, copyObject(q->raw), EXPR_KIND_ALTER_COL_TRANSFORM);
	}
	else
		expr = (Node *) makeVar(1, q->attnum, att->atttypid, att->atttypmod, att->attcollation, 0);
	expr = coerce_to_target_type(pstate, expr, exprType(expr), type, typmod,
								 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	if (expr == NULL)
		return NULL;
	assign_expr_collations(pstate, expr);
	return (Node *) expression_planner((Expr *) expr);
}

/*
 * Must every row be written again?  Only the column itself, seen through
 * relabelling, unconstrained domains and timestamp casts that do nothing in
 * this time zone, keeps the bits.
 */
static bool
rewrites(Node *expr, AttrNumber attnum)
{
	for (;;)
	{
		if (IsA(expr, Var) && castNode(Var, expr)->varattno == attnum)
			return false;
		if (IsA(expr, RelabelType))
			expr = (Node *) castNode(RelabelType, expr)->arg;
		else if (IsA(expr, CoerceToDomain))
		{
			if (DomainHasConstraints(castNode(CoerceToDomain, expr)->resulttype))
				return true;
			expr = (Node *) castNode(CoerceToDomain, expr)->arg;
		}
		else if (IsA(expr, FuncExpr) &&
				 (castNode(FuncExpr, expr)->funcid == F_TIMESTAMPTZ_TIMESTAMP ||
				  castNode(FuncExpr, expr)->funcid == F_TIMESTAMP_TIMESTAMPTZ))
		{
			if (TimestampTimestampTzRequiresRewrite())
				return true;
			expr = linitial(castNode(FuncExpr, expr)->args);
		}
		else
			return true;
	}
}

/*
 * Indexes that cannot be kept, CHECKs that are tested again, here and in what
 * inherits the column.  An index that is locked away counts as one of them.
 */
static bool
redoes_something(Relation rel, AttrNumber attnum, Oid type, bool new_collation)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;
	bool		result = false;

	for (int i = 0; constr != NULL && i < constr->num_check; i++)
	{
		Bitmapset  *columns = NULL;

		pull_varattnos(stringToNode(constr->check[i].ccbin), 1, &columns);
		result |= bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, columns);
	}
	foreach(lc, indexes)
	{
		Relation	index = index_if_free(lfirst_oid(lc));

		if (index == NULL)
			return true;
		result |= redoes_index(rel, index, attnum, type, new_collation);
		index_close(index, NoLock);
	}
	list_free(indexes);
	return result || redoes_in_children(rel, attnum, type, new_collation);
}

static bool
redoes_in_children(Relation rel, AttrNumber attnum, Oid type, bool new_collation)
{
	char	   *name = NameStr(TupleDescAttr(RelationGetDescr(rel), attnum - 1)->attname);
	bool		result = false;
	ListCell   *lc;

	if (!rel->rd_rel->relhassubclass)
		return false;
	foreach(lc, find_inheritance_children(RelationGetRelid(rel), NoLock))
	{
		Relation	child;
		AttrNumber	theirs = get_attnum(lfirst_oid(lc), name);

		if (theirs == InvalidAttrNumber)
			continue;
		if (!ConditionalLockRelationOid(lfirst_oid(lc), AccessShareLock))
			return true;
		child = relation_open(lfirst_oid(lc), NoLock);
		result |= redoes_something(child, theirs, type, new_collation);
		relation_close(child, NoLock);
	}
	return result;
}

/*
 * Plain index columns survive while their operator class takes the new type
 * as it takes the old one (the server's CheckIndexCompatible); an expression
 * or a predicate never does.
 */
static bool
redoes_index(Relation rel, Relation index, AttrNumber attnum, Oid type, bool new_collation)
{
	List	   *exprs = list_concat_copy(RelationGetIndexExpressions(index),
										 RelationGetIndexPredicate(index));
	Oid			old_type = TupleDescAttr(RelationGetDescr(rel), attnum - 1)->atttypid;
	Bitmapset  *columns = NULL;
	bool		isnull;
	oidvector  *opclasses;

	pull_varattnos((Node *) exprs, 1, &columns);
	if (bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, columns))
		return true;
	/* a partitioned one has no file that its partitions' could be made of */
	for (int i = 0; index->rd_rel->relkind == RELKIND_PARTITIONED_INDEX && i < index->rd_index->indnatts; i++)
	{
		if (index->rd_index->indkey.values[i] == attnum)
			return true;
	}
	opclasses = (oidvector *) DatumGetPointer(SysCacheGetAttr(INDEXRELID, index->rd_indextuple,
															  Anum_pg_index_indclass, &isnull));
	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
	{
		Oid			opclass = opclasses->values[i];

		if (index->rd_index->indkey.values[i] != attnum)
			continue;
		if (new_collation || (IsPolymorphicType(index->rd_opcintype[i]) && type != old_type))
			return true;
		if (opclass == GetDefaultOpClass(old_type, index->rd_rel->relam) ?
			opclass != GetDefaultOpClass(type, index->rd_rel->relam) :
			!IsBinaryCoercible(type, index->rd_opcintype[i]))
			return true;
	}
	return false;
}

static bool
not_null_in_subxact(void *arg)
{
	Question   *q = arg;
	Relation	rel;
	Form_pg_attribute att;
	NullTest   *test = makeNode(NullTest);
	List	   *known;

	q->attnum = get_attnum(q->relid, q->column);
	if (q->attnum == InvalidAttrNumber || !ConditionalLockRelationOid(q->relid, AccessShareLock))
		return false;
	rel = relation_open(q->relid, NoLock);
	att = TupleDescAttr(RelationGetDescr(rel), q->attnum - 1);

	test->arg = (Expr *) makeVar(1, q->attnum, att->atttypid, att->atttypmod, att->attcollation, 0);
	test->nulltesttype = IS_NOT_NULL;
	test->location = -1;
	known = known_checks(rel);
	q->answer = known != NIL && predicate_implied_by(list_make1(test), known, true) ? TRI_YES : TRI_NO;
	relation_close(rel, NoLock);
	return false;
}

/* What holds for every row of a relation: its CHECKs, those of a planned script too. */
static List *
known_checks(Relation rel)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	OverlayRelation *planned = overlay_relation(RelationGetRelid(rel));
	List	   *known = NIL;
	ListCell   *lc;

	for (int i = 0; constr != NULL && i < constr->num_check; i++)
	{
		const char *name = constr->check[i].ccname;
		bool		valid = constr->check[i].ccvalid;
		Oid			oid;

		if (overlay_find(ConstraintRelationId, RelationGetRelid(rel), name, &oid) && !OidIsValid(oid))
			continue;
		foreach(lc, planned != NULL ? planned->checks : NIL)
			valid |= lfirst_node(Constraint, lc)->conname != NULL &&
			strcmp(lfirst_node(Constraint, lc)->conname, name) == 0;
		if (valid)
			known = list_concat(known, as_quals(stringToNode(constr->check[i].ccbin)));
	}
	foreach(lc, planned != NULL ? planned->checks : NIL)
	{
		ParseState *pstate = make_parsestate(NULL);
		Node	   *raw = lfirst_node(Constraint, lc)->raw_expr;

		if (raw == NULL)
			continue;
		addNSItemToQuery(pstate, addRangeTableEntryForRelation(pstate, rel, AccessShareLock, NULL, false, true),
						 false, true, true);
		raw = transformExpr(pstate, copyObject(raw), EXPR_KIND_CHECK_CONSTRAINT);
		assign_expr_collations(pstate, raw);
		known = list_concat(known, as_quals(raw));
	}
	return known;
}

/* An expression as a list of conditions that all hold. */
static List *
as_quals(Node *check)
{
	check = eval_const_expressions(NULL, check);
	return make_ands_implicit((Expr *) canonicalize_qual((Expr *) check, true));
}

static bool
attach_in_subxact(void *arg)
{
	Question   *q = arg;
	Relation	parent;
	Relation	partition = NULL;
	PartitionBoundSpec *bound;
	List	   *quals;

	if (!ConditionalLockRelationOid(q->relid, AccessShareLock) ||
		(OidIsValid(q->partition) && !ConditionalLockRelationOid(q->partition, AccessShareLock)))
		return false;
	parent = relation_open(q->relid, NoLock);
	if (parent->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return false;
	bound = transformPartitionBound(make_parsestate(NULL), parent, copyObject(q->bound));
	quals = get_qual_from_partbound(parent, bound);
	if (OidIsValid(q->partition))
		partition = relation_open(q->partition, NoLock);
	q->answer = !bound->is_default && default_scans(parent, quals) ? TRI_YES :
		partition == NULL ? TRI_NO : attach_scans(parent, partition, quals);
	return false;
}

static Tristate
attach_scans(Relation parent, Relation partition, List *bound)
{
	List	   *quals = list_concat_copy(bound, RelationGetPartitionQual(parent));

	if (lacks_index(parent, partition) || fact_referenced(RelationGetRelid(parent), NULL, InvalidAttrNumber) != NIL)
		return partition->rd_rel->relkind == RELKIND_FOREIGN_TABLE ? TRI_NO : TRI_YES;
	quals = (List *) eval_const_expressions(NULL, (Node *) quals);
	if (quals == NIL)
		return TRI_NO;
	return rows_are_tested(partition, map_partition_varattnos(quals, 1, partition, parent));
}

/*
 * Are the rows of a partition (or of its own partitions) read, because its
 * constraints do not prove where they belong?
 */
static Tristate
rows_are_tested(Relation partition, List *quals)
{
	PartitionDesc parts;
	Tristate	answer = TRI_NO;

	if (PartConstraintImpliedByRelConstraint(partition, quals))
		return TRI_NO;
	if (partition->rd_rel->relkind == RELKIND_RELATION)
		return TRI_YES;
	if (partition->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return TRI_NO;
	parts = RelationGetPartitionDesc(partition, true);
	for (int i = 0; i < parts->nparts && answer == TRI_NO; i++)
	{
		Relation	part;

		if (!ConditionalLockRelationOid(parts->oids[i], AccessShareLock))
			return TRI_UNKNOWN;
		part = relation_open(parts->oids[i], NoLock);
		answer = rows_are_tested(part, map_partition_varattnos(quals, 1, part, partition));
		relation_close(part, NoLock);
	}
	return answer;
}

static bool
bounds_in_subxact(void *arg)
{
	Question   *q = arg;
	Relation	parent;
	Relation	partition;
	PartitionBoundSpec *bound;
	List	   *quals;
	List	   *names;

	if (!ConditionalLockRelationOid(q->relid, AccessShareLock) ||
		!ConditionalLockRelationOid(q->partition, AccessShareLock))
		return false;
	parent = relation_open(q->relid, NoLock);
	partition = relation_open(q->partition, NoLock);
	if (parent->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return false;
	bound = transformPartitionBound(make_parsestate(NULL), parent, copyObject(q->bound));
	quals = get_qual_from_partbound(parent, bound);
	quals = (List *) eval_const_expressions(NULL, (Node *) quals);
	if (quals == NIL)
		return false;
	quals = map_partition_varattnos(quals, 1, partition, parent);
	names = deparse_context_for(RelationGetRelationName(partition), q->partition);
	q->text = MemoryContextStrdup(q->context,
								  deparse_expression((Node *) make_ands_explicit(quals), names, false, false));
	relation_close(partition, NoLock);
	relation_close(parent, NoLock);
	return false;
}

/* Is there a default partition whose constraints do not keep such rows out? */
static bool
default_scans(Relation parent, List *bound)
{
	Oid			relid = get_default_partition_oid(RelationGetRelid(parent));
	Relation	rel;
	List	   *quals;

	if (!OidIsValid(relid) || bound == NIL)
		return false;
	if (!ConditionalLockRelationOid(relid, AccessShareLock))
		return true;
	rel = relation_open(relid, NoLock);
	quals = map_partition_varattnos(get_proposed_default_constraint(bound), 1, rel, parent);
	return !PartConstraintImpliedByRelConstraint(rel, quals);
}

/* An index, or NULL when it is locked away. */
static Relation
index_if_free(Oid relid)
{
	return ConditionalLockRelationOid(relid, AccessShareLock) ? index_open(relid, NoLock) : NULL;
}

/* Is there an index of the parent that the partition would have to build? */
static bool
lacks_index(Relation parent, Relation partition)
{
	AttrMap    *map = mg_attribute_map(RelationGetDescr(partition), RelationGetDescr(parent));
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(parent))
	{
		Relation	wanted = index_if_free(lfirst_oid(lc));
		bool		found = false;
		ListCell   *other;

		if (wanted == NULL)
			return true;

		foreach(other, RelationGetIndexList(partition))
		{
			Relation	there = index_if_free(lfirst_oid(other));

			if (there == NULL)
				continue;
			found |= CompareIndexInfo(BuildIndexInfo(there), BuildIndexInfo(wanted),
									  there->rd_indcollation, wanted->rd_indcollation,
									  there->rd_opfamily, wanted->rd_opfamily, map);
			index_close(there, NoLock);
		}
		index_close(wanted, NoLock);
		if (!found)
			return true;
	}
	return false;
}
