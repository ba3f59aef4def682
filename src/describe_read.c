/*
 * describe_read.c
 *	  Rows of the system catalogs by their indexes, for whoever describes.
 *
 * The caches of the server are made for a few objects: one that reads every
 * relation of a large schema through them fills its memory with it.  Here a
 * scan is opened once for each index and then only moved, so that the rows of
 * one relation cost a descent of the index, whether one relation is described
 * or all.  When all are, most owners have no rows in most catalogs: for those
 * catalogs the owners that have some are looked up beforehand.
 *
 * All scans have the one snapshot of the call.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "catalog/indexing.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_description.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication_namespace.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_sequence.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "describe.h"

#define READER_KEYS 3

typedef struct Reader
{
	Relation	rel;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	ScanKeyData keys[READER_KEYS];
	int			nkeys;			/* of the scan: cannot change while it is open */
	bool		owners_known;
	int			nowners;
	Oid		   *owners;			/* in order: those that have rows */
} Reader;

static const struct
{
	Oid			catalog;
	Oid			index;
	bool		sparse;			/* few owners have rows */
}			reader_rules[DESCRIBE_READERS] =

{
	[READ_CLASS] = {RelationRelationId, ClassOidIndexId},
	[READ_NAMESPACE] = {NamespaceRelationId, NamespaceOidIndexId},
	[READ_PROC] = {ProcedureRelationId, ProcedureOidIndexId},
	[READ_TYPE] = {TypeRelationId, TypeOidIndexId},
	[READ_ATTRIBUTE] = {AttributeRelationId, AttributeRelidNumIndexId},
	[READ_AGGREGATE] = {AggregateRelationId, AggregateFnoidIndexId},
	[READ_AMOP_OID] = {AccessMethodOperatorRelationId, AccessMethodOperatorOidIndexId},
	[READ_AMPROC_OID] = {AccessMethodProcedureRelationId, AccessMethodProcedureOidIndexId},
	[READ_ATTRDEF] = {AttrDefaultRelationId, AttrDefaultIndexId},
	[READ_ATTRDEF_OID] = {AttrDefaultRelationId, AttrDefaultOidIndexId},
	[READ_CONSTRAINT] = {ConstraintRelationId, ConstraintRelidTypidNameIndexId},
	[READ_CONSTRAINT_TYPE] = {ConstraintRelationId, ConstraintTypidIndexId},
	[READ_CONSTRAINT_OID] = {ConstraintRelationId, ConstraintOidIndexId},
	[READ_DEPEND] = {DependRelationId, DependDependerIndexId},
	[READ_DEPEND_REFERENCE] = {DependRelationId, DependReferenceIndexId},
	[READ_DESCRIPTION] = {DescriptionRelationId, DescriptionObjIndexId,.sparse = true},
	[READ_ENUM] = {EnumRelationId, EnumTypIdSortOrderIndexId},
	[READ_EXTENSION] = {ExtensionRelationId, ExtensionOidIndexId},
	[READ_INDEX] = {IndexRelationId, IndexIndrelidIndexId},
	[READ_INHERITS] = {InheritsRelationId, InheritsRelidSeqnoIndexId,.sparse = true},
	[READ_POLICY] = {PolicyRelationId, PolicyPolrelidPolnameIndexId,.sparse = true},
	[READ_POLICY_OID] = {PolicyRelationId, PolicyOidIndexId},
	[READ_PUBLICATION_NAMESPACE_OID] = {PublicationNamespaceRelationId, PublicationNamespaceObjectIndexId},
	[READ_PUBLICATION_REL_OID] = {PublicationRelRelationId, PublicationRelObjectIndexId},
	[READ_REWRITE] = {RewriteRelationId, RewriteRelRulenameIndexId},
	[READ_REWRITE_OID] = {RewriteRelationId, RewriteOidIndexId},
	[READ_SEQUENCE] = {SequenceRelationId, SequenceRelidIndexId},
	[READ_STATISTIC_EXT] = {StatisticExtRelationId, StatisticExtRelidIndexId,.sparse = true},
	[READ_STATISTIC_EXT_OID] = {StatisticExtRelationId, StatisticExtOidIndexId},
	[READ_TRIGGER] = {TriggerRelationId, TriggerRelidNameIndexId},
	[READ_TRIGGER_OID] = {TriggerRelationId, TriggerOidIndexId},
};

static Reader *reader(Describer *d, DescribeReader which);
static void begin_scan(Describer *d, Reader *r, int nkeys);
static void seek(Describer *d, Reader *r, int nkeys, bool from, va_list values);
static void find_owners(Describer *d, Reader *r);
static int	compare_oid(const void *a, const void *b);

/* A reader with its catalog and its index open. */
static Reader *
reader(Describer *d, DescribeReader which)
{
	Reader	   *r = d->readers[which];
	MemoryContext old;

	if (r != NULL)
		return r;
	old = MemoryContextSwitchTo(d->context);
	r = palloc0(sizeof(Reader));
	r->rel = table_open(reader_rules[which].catalog, AccessShareLock);
	r->index = index_open(reader_rules[which].index, AccessShareLock);
	r->slot = table_slot_create(r->rel, NULL);
	MemoryContextSwitchTo(old);
	return d->readers[which] = r;
}

/* A scan that compares the first nkeys columns of the index with r->keys. */
static void
begin_scan(Describer *d, Reader *r, int nkeys)
{
	MemoryContext old = MemoryContextSwitchTo(d->context);

	if (r->scan != NULL)
		index_endscan(r->scan);
	r->scan = mg_index_beginscan(r->rel, r->index, d->snapshot, nkeys);
	r->nkeys = nkeys;
	MemoryContextSwitchTo(old);
}

/*
 * Moves to the rows whose first columns of the index have these values (Datum,
 * of the type of the column: oid, int2 or int4).
 */
void
read_seek(Describer *d, DescribeReader which, int nkeys,...)
{
	va_list		values;

	va_start(values, nkeys);
	seek(d, reader(d, which), nkeys, false, values);
	va_end(values);
}

/* The same, the last of these columns from the value on. */
void
read_seek_from(Describer *d, DescribeReader which, int nkeys,...)
{
	va_list		values;

	va_start(values, nkeys);
	seek(d, reader(d, which), nkeys, true, values);
	va_end(values);
}

static void
seek(Describer *d, Reader *r, int nkeys, bool from, va_list values)
{
	MemoryContext old;

	if (r->scan == NULL || r->nkeys != nkeys)
		begin_scan(d, r, nkeys);
	for (int i = 0; i < nkeys; i++)
	{
		Oid			type = r->index->rd_opcintype[i];
		bool		or_more = from && i == nkeys - 1;

		ScanKeyInit(&r->keys[i], i + 1, or_more ? BTGreaterEqualStrategyNumber : BTEqualStrategyNumber,
					type == OIDOID ? (or_more ? F_OIDGE : F_OIDEQ) :
					type == INT2OID ? (or_more ? F_INT2GE : F_INT2EQ) : (or_more ? F_INT4GE : F_INT4EQ),
					va_arg(values, Datum));
	}
	old = MemoryContextSwitchTo(d->context);
	index_rescan(r->scan, r->keys, nkeys, NULL, 0);
	MemoryContextSwitchTo(old);
}

/* The next row, in the order of the index; NULL after the last one. */
HeapTuple
read_next(Describer *d, DescribeReader which)
{
	Reader	   *r = d->readers[which];

	/* the scan may allocate what it keeps until it ends */
	MemoryContext old = MemoryContextSwitchTo(d->context);
	bool		found = index_getnext_slot(r->scan, ForwardScanDirection, r->slot);
	HeapTuple	row = found ? ExecFetchSlotHeapTuple(r->slot, false, NULL) : NULL;

	MemoryContextSwitchTo(old);
	return row;
}

/* The row with this OID, or NULL. */
HeapTuple
read_oid(Describer *d, DescribeReader which, Oid oid)
{
	read_seek(d, which, 1, ObjectIdGetDatum(oid));
	return read_next(d, which);
}

/* May there be rows of this owner, the first column of the index? */
bool
read_any(Describer *d, DescribeReader which, Oid owner)
{
	Reader	   *r;

	if (!d->everything || !reader_rules[which].sparse || owner < FirstNormalObjectId)
		return true;
	r = reader(d, which);
	if (!r->owners_known)
		find_owners(d, r);
	return r->nowners > 0 &&
		bsearch(&owner, r->owners, r->nowners, sizeof(Oid), compare_oid) != NULL;
}

/* Reads through the index once, for the owners that have rows. */
static void
find_owners(Describer *d, Reader *r)
{
	MemoryContext old = MemoryContextSwitchTo(d->context);
	int			size = 0;
	bool		isnull;

	r->owners_known = true;
	begin_scan(d, r, 1);
	ScanKeyInit(&r->keys[0], 1, BTGreaterEqualStrategyNumber, F_OIDGE, ObjectIdGetDatum(FirstNormalObjectId));
	index_rescan(r->scan, r->keys, 1, NULL, 0);
	while (index_getnext_slot(r->scan, ForwardScanDirection, r->slot))
	{
		Oid			owner = DatumGetObjectId(slot_getattr(r->slot, r->index->rd_index->indkey.values[0], &isnull));

		CHECK_FOR_INTERRUPTS();
		if (r->nowners > 0 && r->owners[r->nowners - 1] == owner)
			continue;
		if (r->nowners == size)
		{
			size = Max(64, 2 * size);
			r->owners = r->owners == NULL ? palloc(size * sizeof(Oid))
				: repalloc_huge(r->owners, size * sizeof(Oid));
		}
		r->owners[r->nowners++] = owner;
	}
	MemoryContextSwitchTo(old);
}

static int
compare_oid(const void *a, const void *b)
{
	Oid			x = *(const Oid *) a;
	Oid			y = *(const Oid *) b;

	return x < y ? -1 : x > y;
}

/* The catalog itself, open until the end of the call. */
Relation
read_relation(Describer *d, DescribeReader which)
{
	return reader(d, which)->rel;
}

/* A column of a row, which may come from elsewhere than this reader. */
Datum
read_column(Describer *d, DescribeReader which, HeapTuple row, AttrNumber attnum, bool *isnull)
{
	return heap_getattr(row, attnum, RelationGetDescr(reader(d, which)->rel), isnull);
}

/* The same for what is text, or stored like text; NULL when null. */
char *
read_text(Describer *d, DescribeReader which, HeapTuple row, AttrNumber attnum)
{
	bool		isnull;
	Datum		value = read_column(d, which, row, attnum, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* Closes everything. */
void
read_end(Describer *d)
{
	for (int i = 0; i < DESCRIBE_READERS; i++)
	{
		Reader	   *r = d->readers[i];

		if (r == NULL)
			continue;
		if (r->scan != NULL)
			index_endscan(r->scan);
		ExecDropSingleTupleTableSlot(r->slot);
		index_close(r->index, AccessShareLock);
		table_close(r->rel, AccessShareLock);
	}
}
