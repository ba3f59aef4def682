/*
 * facts.c
 *	  Facts about the catalog as it is now.
 *
 * Names are looked up without locks and without privilege checks: the answer
 * is for a judgement, the statement itself will look again.  Where a relation
 * must be opened, an AccessShareLock is taken only if it is free and given
 * back at once; if it is not free, the worse answer is given.  Nothing here
 * assigns a transaction id.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "facts.h"
#include "guc.h"

#define HAS_STORAGE(relkind) \
	((relkind) == RELKIND_RELATION || (relkind) == RELKIND_MATVIEW)

/* beyond this a table is not searched for a live row: it counts as not empty */
#define EMPTY_SCAN_BLOCKS 2048

static Relation open_if_free(Oid relid);
static void close_again(Relation rel);
static bool has_rows(Relation rel);
static int64 storage_blocks(Relation rel);
static bool over_storage(Oid relid, bool (*holds) (Relation rel, int64 *sum));
static bool adds_no_row(Relation rel, int64 *sum);
static bool stays_small(Relation rel, int64 *sum);
static bool depends_on(Oid refclassid, Oid refobjid, bool (*wanted) (Form_pg_depend depend, List **found),
					   List **found);

/* OID of a schema by name (NULL: the one that new objects go to), or InvalidOid. */
Oid
fact_namespace(const char *schema)
{
	return schema == NULL ? fact_creation_namespace(NULL) : LookupNamespaceNoError(schema);
}

/* Schema that a new object goes to, without creating a temporary one. */
Oid
fact_creation_namespace(const char *schema)
{
	List	   *path;
	Oid			result = InvalidOid;

	if (schema != NULL)
		return LookupNamespaceNoError(schema);
	path = fetch_search_path(false);
	if (path != NIL)
		result = linitial_oid(path);
	list_free(path);
	return result;
}

/* OID of a relation by name, or InvalidOid: no lock, no error. */
Oid
fact_relid(const RangeVar *relation)
{
	Oid			namespace;

	if (relation == NULL || relation->relname == NULL)
		return InvalidOid;
	if (relation->catalogname != NULL &&
		strcmp(relation->catalogname, get_database_name(MyDatabaseId)) != 0)
		return InvalidOid;
	if (relation->schemaname == NULL)
		return RelnameGetRelid(relation->relname);
	namespace = LookupNamespaceNoError(relation->schemaname);
	return OidIsValid(namespace) ? get_relname_relid(relation->relname, namespace) : InvalidOid;
}

/* Fills in what is known of a relation; false when there is none. */
bool
fact_relation(Oid relid, RelFacts *facts)
{
	HeapTuple	tuple;
	Form_pg_class form;

	memset(facts, 0, sizeof(RelFacts));
	if (!OidIsValid(relid))
		return false;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_class) GETSTRUCT(tuple);
	facts->relid = relid;
	facts->namespace = form->relnamespace;
	facts->owner = form->relowner;
	facts->relkind = form->relkind;
	facts->persistence = form->relpersistence;
	facts->temporary = form->relpersistence == RELPERSISTENCE_TEMP;
	facts->is_new = fresh_is_new(RelationRelationId, relid, 0);
	facts->name = facts->temporary ? pstrdup(NameStr(form->relname)) :
		quote_qualified_identifier(get_namespace_name(form->relnamespace), NameStr(form->relname));
	ReleaseSysCache(tuple);
	return true;
}

/* Is this column (or its relation) new in this transaction? */
bool
fact_column_new(Oid relid, const char *column)
{
	AttrNumber	attnum = get_attnum(relid, column);

	return attnum != InvalidAttrNumber && fresh_is_new(RelationRelationId, relid, attnum);
}

/*
 * Has the relation, with its partitions and children, no row?  Rows that this
 * transaction cannot see yet, and a relation that is locked away, count as
 * rows.
 */
bool
fact_empty(Oid relid)
{
	return over_storage(relid, adds_no_row);
}

/*
 * Are heap and TOAST of the relation, with its partitions and children, below
 * migmgr.small_relation?  (Indexes do not count: building or rebuilding them
 * takes time in proportion to the heap.)
 */
bool
fact_small(Oid relid)
{
	return over_storage(relid, stays_small);
}

/* Does a predicate hold for all that stores rows of a relation? */
static bool
over_storage(Oid relid, bool (*holds) (Relation rel, int64 *sum))
{
	List	   *relids;
	ListCell   *lc;
	int64		sum = 0;
	bool		result = true;

	relids = find_all_inheritors(relid, NoLock, NULL);
	foreach(lc, relids)
	{
		char		relkind = get_rel_relkind(lfirst_oid(lc));
		Relation	rel;

		if (relkind == RELKIND_FOREIGN_TABLE)
			result = false;
		if (!HAS_STORAGE(relkind))
			continue;
		rel = open_if_free(lfirst_oid(lc));
		if (rel == NULL)
			return false;
		result = holds(rel, &sum);
		close_again(rel);
		if (!result)
			break;
	}
	list_free(relids);
	return result;
}

static bool
adds_no_row(Relation rel, int64 *sum)
{
	return !has_rows(rel);
}

static bool
stays_small(Relation rel, int64 *sum)
{
	*sum += storage_blocks(rel);
	return *sum * (BLCKSZ / 1024) < guc_small_relation;
}

/* Blocks of heap and TOAST. */
static int64
storage_blocks(Relation rel)
{
	int64		blocks = RelationGetNumberOfBlocks(rel);
	Relation	toast;

	if (!OidIsValid(rel->rd_rel->reltoastrelid))
		return blocks;
	toast = open_if_free(rel->rd_rel->reltoastrelid);
	if (toast != NULL)
	{
		blocks += RelationGetNumberOfBlocks(toast);
		close_again(toast);
	}
	return blocks;
}

/* Is there a live row?  Looked for only in a heap of moderate size. */
static bool
has_rows(Relation rel)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(rel);
	Snapshot	snapshot;
	TableScanDesc scan;
	TupleTableSlot *slot;
	bool		found;

	if (blocks == 0)
		return false;
	if (blocks > EMPTY_SCAN_BLOCKS)
		return true;
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	slot = table_slot_create(rel, NULL);
	scan = table_beginscan(rel, snapshot, 0, NULL);
	found = table_scan_getnextslot(scan, ForwardScanDirection, slot);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	return found;
}

/* Opens a relation if nobody keeps us from it; NULL otherwise. */
static Relation
open_if_free(Oid relid)
{
	Relation	rel;

	if (!ConditionalLockRelationOid(relid, AccessShareLock))
		return NULL;
	rel = try_relation_open(relid, NoLock);
	if (rel == NULL)
		UnlockRelationOid(relid, AccessShareLock);
	return rel;
}

static void
close_again(Relation rel)
{
	relation_close(rel, AccessShareLock);
}

/* "schema.name" of a List of String; *namespace gets its schema or InvalidOid. */
char *
fact_names(List *names, Oid *namespace)
{
	char	   *schema;
	char	   *name;

	*namespace = InvalidOid;
	if (names == NIL || list_length(names) > 3)
		return NULL;
	DeconstructQualifiedName(names, &schema, &name);
	*namespace = fact_namespace(schema);
	if (schema == NULL && OidIsValid(*namespace))
		schema = get_namespace_name(*namespace);
	return quote_qualified_identifier(schema, name);
}

/* Relations (a List of Oid) with a column of this type. */
static bool
is_column(Form_pg_depend depend, List **found)
{
	if (depend->classid == RelationRelationId && depend->objsubid > 0)
		*found = list_append_unique_oid(*found, depend->objid);
	return false;
}

List *
fact_type_users(Oid type)
{
	List	   *found = NIL;

	depends_on(TypeRelationId, type, is_column, &found);
	return found;
}

/* Is this the expression of a generated column? */
static bool
is_generated(Oid attrdef)
{
	ObjectAddress column = GetAttrDefaultColumnAddress(attrdef);

	return OidIsValid(column.objectId) &&
		get_attgenerated(column.objectId, column.objectSubId) != '\0';
}

/* Does an index, a constraint or a generated column need this function? */
static bool
is_stored_use(Form_pg_depend depend, List **found)
{
	if (depend->classid == AttrDefaultRelationId)
		return is_generated(depend->objid);
	if (depend->classid == RelationRelationId && depend->objsubid > 0)
		return get_attgenerated(depend->objid, depend->objsubid) != '\0';
	return depend->classid == ConstraintRelationId ||
		(depend->classid == RelationRelationId &&
		 get_rel_relkind(depend->objid) == RELKIND_INDEX);
}

bool
fact_used_by_index(Oid function)
{
	return depends_on(ProcedureRelationId, function, is_stored_use, NULL);
}

/* Walks the objects that depend on one until wanted() says enough. */
static bool
depends_on(Oid refclassid, Oid refobjid, bool (*wanted) (Form_pg_depend depend, List **found),
		   List **found)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		result = false;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(refclassid));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(refobjid));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, 2, key);
	while (!result && HeapTupleIsValid(tuple = systable_getnext(scan)))
		result = wanted((Form_pg_depend) GETSTRUCT(tuple), found);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

/* OID of the index of a relation's primary key, or InvalidOid. */
Oid
fact_primary_key(Oid relid)
{
	Relation	catalog = table_open(IndexRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			result = InvalidOid;

	ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, IndexIndrelidIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);

		if (form->indisprimary && form->indisvalid)
			result = form->indexrelid;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

/* Table of an index, or InvalidOid. */
Oid
fact_index_table(Oid index)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Oid			table = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		table = ((Form_pg_index) GETSTRUCT(tuple))->indrelid;
		ReleaseSysCache(tuple);
	}
	return table;
}

/*
 * Copy of an object's catalog row, or NULL.  self: as this very command has
 * just written it; otherwise as it is visible.
 */
HeapTuple
fact_row(Oid classid, Oid objid, bool self)
{
	Relation	catalog;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	catalog = table_open(classid, AccessShareLock);
	ScanKeyInit(&key, get_object_attnum_oid(classid), BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(objid));
	scan = systable_beginscan(catalog, get_object_oid_index(classid), true,
							  self ? SnapshotSelf : NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return tuple;
}

/* Owner of an object, or InvalidOid where its kind has none. */
Oid
fact_owner(const ObjectAddress *address)
{
	AttrNumber	attnum = get_object_attnum_owner(address->classId);
	Relation	catalog;
	HeapTuple	row;
	bool		isnull;
	Datum		owner;

	if (attnum == InvalidAttrNumber)
		return InvalidOid;
	row = fact_row(address->classId, address->objectId, false);
	if (!HeapTupleIsValid(row))
		return InvalidOid;
	catalog = table_open(address->classId, AccessShareLock);
	owner = heap_getattr(row, attnum, RelationGetDescr(catalog), &isnull);
	table_close(catalog, AccessShareLock);
	return isnull ? InvalidOid : DatumGetObjectId(owner);
}
