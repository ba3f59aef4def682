/*
 * describe_expression.c
 *	  Stored expressions as text: defaults, conditions of constraints and of
 *	  indexes.
 *
 * The server writes the text, but it opens the relation for the names of its
 * columns, which costs more than the text and, for thousands of relations,
 * memory that the session does not give back.  The names are known here, so an
 * expression is written with a range table that has them and no relation.
 *
 * What people write into one table they write into others.  The texts of a
 * call are kept, by what they are made from: the stored tree without its
 * positions in the statement, and with the name of each column that it
 * mentions.  Where these are the same, the text is the same.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "common/hashfn.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "nodes/value.h"
#include "utils/memutils.h"
#include "utils/ruleutils.h"

#include "describe.h"

/* when this much is kept, it starts again */
#define MEMO_LIMIT (8 * 1024 * 1024)

typedef struct ExpressionMemo
{
	MemoryContext context;
	Size		size;			/* roughly */
	HTAB	   *texts;
	StringInfoData key;
} ExpressionMemo;

typedef struct MemoKey
{
	const char *data;
	Size		len;
} MemoKey;

typedef struct MemoEntry
{
	MemoKey		key;
	const char *text;			/* NULL: only the server can tell */
} MemoEntry;

static void memo_begin(Describer *d);
static bool memo_key(StringInfo key, const DescribedRelation *rel, const char *tree);
static uint32 hash_key(const void *key, Size size);
static int	compare_key(const void *a, const void *b, Size size);
static char *write_expression(const DescribedRelation *rel, Node *node);
static bool is_laid_out(Node *node, void *context);

/* An expression of a relation as the server writes it; NULL for none. */
const char *
relation_expression(Describer *d, const DescribedRelation *rel, const char *tree)
{
	const char *text = tree == NULL ? NULL : known_expression(d, rel, tree);

	return text !=NULL ? text : expression_text(tree, rel->oid);
}

/*
 * The same without opening the relation: the kept text, made now if there is
 * none.  NULL: only the server can tell.
 */
const char *
known_expression(Describer *d, const DescribedRelation *rel, const char *tree)
{
	ExpressionMemo *memo;
	MemoKey		key;
	MemoEntry  *entry;
	Node	   *node;
	char	   *text = NULL;

	if (d->expressions == NULL)
		memo_begin(d);
	memo = d->expressions;
	if (!memo_key(&memo->key, rel, tree))
		return NULL;
	key.data = memo->key.data;
	key.len = memo->key.len;
	entry = hash_search(memo->texts, &key, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->text;

	node = stringToNode(tree);
	if (!is_laid_out(node, NULL))
		text = MemoryContextStrdup(memo->context, write_expression(rel, node));

	key.data = memcpy(MemoryContextAlloc(memo->context, key.len), key.data, key.len);
	entry = hash_search(memo->texts, &key, HASH_ENTER, NULL);
	entry->text = text;

	memo->size += sizeof(MemoEntry) + key.len + (text == NULL ? 0 : strlen(text));
	return text;
}

/* Between two wholes, since the rows of one mention what is kept: is it too much? */
void
trim_expressions(Describer *d)
{
	if (d->expressions != NULL && d->expressions->size > MEMO_LIMIT)
	{
		MemoryContextDelete(d->expressions->context);
		d->expressions = NULL;
	}
}

static void
memo_begin(Describer *d)
{
	MemoryContext context = AllocSetContextCreate(d->context, "migmgr described expressions", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	HASHCTL		ctl = {
		.keysize = sizeof(MemoKey),
		.entrysize = sizeof(MemoEntry),
		.hash = hash_key,
		.match = compare_key,
		.hcxt = context,
	};

	d->expressions = palloc0(sizeof(ExpressionMemo));
	d->expressions->context = context;
	d->expressions->texts = hash_create("migmgr described expressions", 256, &ctl,
										HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	initStringInfo(&d->expressions->key);
	MemoryContextSwitchTo(old);
}

/*
 * What the text of an expression is made from.  False where more than columns
 * of the relation is mentioned: it as a whole, its system columns, a query.
 */
static bool
memo_key(StringInfo key, const DescribedRelation *rel, const char *tree)
{
	const char *done = tree;
	const char *at = tree;

	resetStringInfo(key);
	while ((at = strchr(at, ':')) != NULL)
	{
		int			skip = 0;
		int			attnum = 0;

		at++;
		if (strncmp(at, "location ", 9) == 0)
			skip = 9;
		else if (strncmp(at, "varattnosyn ", 12) == 0)
			skip = 12;
		else if (strncmp(at, "varattno ", 9) == 0)
		{
			skip = 9;
			attnum = atoi(at + skip);
			if (attnum <= 0 || attnum > rel->natts || rel->names[attnum - 1] == NULL)
				return false;
		}
		else if (strncmp(at, "varno ", 6) == 0 ? strncmp(at + 6, "1 ", 2) != 0 : strncmp(at, "rtable ", 7) == 0)
			return false;
		if (skip == 0)
			continue;
		at += skip;
		appendBinaryStringInfo(key, done, at - done);
		if (attnum > 0)
			appendStringInfoString(key, rel->names[attnum - 1]);
		done = at + strspn(at, "-0123456789");
		at = done;
	}
	appendStringInfoString(key, done);
	return true;
}

static uint32
hash_key(const void *key, Size size)
{
	const MemoKey *memo = key;

	return hash_bytes((const unsigned char *) memo->data, memo->len);
}

static int
compare_key(const void *a, const void *b, Size size)
{
	const MemoKey *x = a;
	const MemoKey *y = b;

	return x->len == y->len ? memcmp(x->data, y->data, x->len) : 1;
}

/* Writes an expression whose columns are those of the relation. */
static char *
write_expression(const DescribedRelation *rel, Node *node)
{
	PlannedStmt *statement = makeNode(PlannedStmt);
	RangeTblEntry *entry = makeNode(RangeTblEntry);
	List	   *names = NIL;

	for (int i = 0; i < rel->natts; i++)
	{
		Form_pg_attribute column = rel->names[i] == NULL ? NULL : (Form_pg_attribute) GETSTRUCT(rel->columns[i]);

		/* one that was dropped has an empty name */
		names = lappend(names, makeString(column == NULL ? "" : NameStr(column->attname)));
	}
	entry->rtekind = RTE_VALUES;
	entry->eref = makeAlias(rel->name, names);
	statement->rtable = list_make1(entry);
	return deparse_expression(node, deparse_context_for_plan_tree(statement, list_make1(unconstify(char *, rel->name))),
							  false, false);
}

/* Does the server lay out anything in lines, which deparse_expression() does not? */
static bool
is_laid_out(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, CaseExpr) || IsA(node, SubLink) || IsA(node, Query))
		return true;
	return expression_tree_walker(node, is_laid_out, context);
}
