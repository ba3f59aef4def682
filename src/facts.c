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
#include "catalog/partition.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/policy.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "parser/parse_type.h"
#include "rewrite/rewriteSupport.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "facts.h"
#include "guc.h"
#include "overlay.h"

#define HAS_STORAGE(relkind) \
	((relkind) == RELKIND_RELATION || (relkind) == RELKIND_MATVIEW)

/* beyond this a table is not searched for a live row: it counts as not empty */
#define EMPTY_SCAN_BLOCKS 2048

/* tables that reference one: enough to say that there are many */
#define MAX_REFERENCING 100

/* what measure() adds up, beside its sum */
static double estimated_rows;

static Relation open_if_free(Oid relid);
static void close_again(Relation rel);
static bool has_rows(Relation rel);
static bool find_row(Relation rel);
static int64 storage_blocks(Relation rel);
static bool over_storage(Oid relid, bool (*holds) (Relation rel, int64 *sum), int64 *sum);
static bool adds_no_row(Relation rel, int64 *sum);
static bool stays_small(Relation rel, int64 *sum);
static bool measure(Relation rel, int64 *sum);
static bool is_domain(Form_pg_depend depend, List **found);
static bool depends_on(Oid refclassid, Oid refobjid, int32 refobjsubid,
					   bool (*wanted) (Form_pg_depend depend, List **found), List **found);

/* OID of a schema by name (NULL: the one that new objects go to), or InvalidOid. */
Oid
fact_namespace(const char *schema)
{
	Oid			result;

	if (schema == NULL)
		return fact_creation_namespace(NULL);
	if (overlay_find(NamespaceRelationId, InvalidOid, schema, &result))
		return result;
	return LookupNamespaceNoError(schema);
}

/* Schema that a new object goes to, without creating a temporary one. */
Oid
fact_creation_namespace(const char *schema)
{
	List	   *path;
	Oid			result = InvalidOid;

	if (schema != NULL)
		return fact_namespace(schema);
	path = fact_search_path(false);
	if (path != NIL)
		result = linitial_oid(path);
	list_free(path);
	return result;
}

/* Name of a schema, or NULL. */
char *
fact_namespace_name(Oid namespace)
{
	return overlay_made_by(namespace) != 0 ? overlay_identity(namespace) : get_namespace_name(namespace);
}

/* The schemas of the search path; implicit: with those that are not named. */
List *
fact_search_path(bool implicit)
{
	return overlay_in_use ? overlay_search_path(implicit) : fetch_search_path(implicit);
}

/* OID of a relation in a schema, or InvalidOid. */
Oid
fact_relname_relid(const char *name, Oid namespace)
{
	Oid			result;

	if (overlay_find(RelationRelationId, namespace, name, &result))
		return result;
	return get_relname_relid(name, namespace);
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
	{
		Oid			result = InvalidOid;
		ListCell   *lc;

		if (!overlay_in_use)
			return RelnameGetRelid(relation->relname);
		foreach(lc, overlay_search_path(true))
		{
			result = fact_relname_relid(relation->relname, lfirst_oid(lc));
			if (OidIsValid(result))
				break;
		}
		return result;
	}
	namespace = fact_namespace(relation->schemaname);
	return OidIsValid(namespace) ? fact_relname_relid(relation->relname, namespace) : InvalidOid;
}

/* Fills in what is known of a relation; false when there is none. */
bool
fact_relation(Oid relid, RelFacts *facts)
{
	OverlayRelation *planned = overlay_relation(relid);
	HeapTuple	tuple;

	memset(facts, 0, sizeof(RelFacts));
	if (!OidIsValid(relid))
		return false;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		facts->namespace = form->relnamespace;
		facts->owner = form->relowner;
		facts->relkind = form->relkind;
		facts->persistence = form->relpersistence;
		facts->name = form->relpersistence == RELPERSISTENCE_TEMP ? pstrdup(NameStr(form->relname)) :
			quote_qualified_identifier(fact_namespace_name(form->relnamespace), NameStr(form->relname));
		facts->is_new = fresh_is_new(RelationRelationId, relid, 0);
		ReleaseSysCache(tuple);
	}
	else if (planned == NULL)
		return false;
	facts->relid = relid;
	if (planned != NULL)
	{
		facts->namespace = planned->namespace;
		facts->persistence = planned->persistence;
		facts->made_by = planned->made_by;
		facts->name = planned->persistence == RELPERSISTENCE_TEMP ? pstrdup(planned->name) :
			quote_qualified_identifier(fact_namespace_name(planned->namespace), planned->name);
		if (planned->made_by != 0)
		{
			facts->relkind = planned->relkind;
			facts->owner = GetUserId();
			facts->is_new = true;
		}
	}
	facts->temporary = facts->persistence == RELPERSISTENCE_TEMP;
	return true;
}

/* Fills in what is known of a column; false when there is none. */
bool
fact_column(Oid relid, const char *name, ColumnFacts *facts)
{
	OverlayColumn *planned = overlay_column(relid, name);
	HeapTuple	tuple;

	memset(facts, 0, sizeof(ColumnFacts));
	if (planned != NULL)
	{
		facts->attnum = planned->attnum;
		facts->not_null = planned->not_null;
		facts->has_default = planned->has_default;
		facts->is_new = planned->added;
		facts->retyped = planned->retyped;
		return !planned->gone;
	}
	tuple = SearchSysCacheAttName(relid, name);
	if (!HeapTupleIsValid(tuple))
		return false;
	facts->attnum = ((Form_pg_attribute) GETSTRUCT(tuple))->attnum;
	facts->not_null = ((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;
	facts->has_default = ((Form_pg_attribute) GETSTRUCT(tuple))->atthasdef;
	facts->is_new = fresh_is_new(RelationRelationId, relid, facts->attnum);
	ReleaseSysCache(tuple);
	return true;
}

/* Is this column (or its relation) new in this transaction? */
bool
fact_column_new(Oid relid, const char *column)
{
	ColumnFacts facts;

	return fact_column(relid, column, &facts) && facts.is_new;
}

/* OID of a type by name, or InvalidOid. */
Oid
fact_type(TypeName *type)
{
	char	   *schema;
	char	   *name;
	List	   *path;
	ListCell   *lc;
	Oid			result;

	if (!overlay_in_use || type->names == NIL || type->pct_type)
		return LookupTypeNameOid(NULL, type, true);
	DeconstructQualifiedName(type->names, &schema, &name);
	path = schema != NULL ? list_make1_oid(fact_namespace(schema)) : overlay_search_path(true);
	foreach(lc, path)
	{
		if (overlay_find(TypeRelationId, lfirst_oid(lc), name, &result))
		{
			if (OidIsValid(result))
				return result;
		}
		else if (SearchSysCacheExists2(TYPENAMENSP, CStringGetDatum(name), ObjectIdGetDatum(lfirst_oid(lc))))
			break;
	}
	return lc == NULL && schema == NULL ? InvalidOid : LookupTypeNameOid(NULL, type, true);
}

/* OID of the function with these input arguments, or InvalidOid. */
Oid
fact_function(Oid namespace, const char *name, const Oid *types, int count)
{
	Oid			result;

	if (overlay_in_use &&
		overlay_find(ProcedureRelationId, namespace, overlay_function_name(name, types, count), &result))
		return result;
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name),
						   PointerGetDatum(buildoidvector(types, count)), ObjectIdGetDatum(namespace));
}

/* OID of a constraint, trigger, policy or rule of a relation, or InvalidOid. */
Oid
fact_part(Oid classid, Oid relid, const char *name)
{
	Oid			result;

	if (overlay_find(classid, relid, name, &result))
		return result;
	if (!OidIsValid(relid) || overlay_made_by(relid) != 0)
		return InvalidOid;
	if (classid == ConstraintRelationId)
		return get_relation_constraint_oid(relid, name, true);
	if (classid == TriggerRelationId)
		return get_trigger_oid(relid, name, true);
	if (classid == PolicyRelationId)
		return get_relation_policy_oid(relid, name, true);
	return get_rewrite_oid(relid, name, true);
}

/* What an object is called, or NULL when there is none. */
char *
fact_identity(const ObjectAddress *address)
{
	if (overlay_made_by(address->objectId) != 0)
		return overlay_identity(address->objectId);
	return getObjectIdentity(address, true);
}

/*
 * What an object is called that is about to be dropped.  A base type goes
 * before its functions, so what their arguments are cannot be told any more.
 */
char *
fact_dropped_identity(const ObjectAddress *address)
{
	HeapTuple	tuple;
	Form_pg_proc form;
	char	   *result = NULL;

	if (address->classId != ProcedureRelationId)
		return getObjectIdentity(address, true);
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(address->objectId));
	if (!HeapTupleIsValid(tuple))
		return NULL;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	for (int i = 0; i < form->pronargs && result == NULL; i++)
	{
		if (!SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(form->proargtypes.values[i])))
			result = quote_qualified_identifier(get_namespace_name(form->pronamespace), NameStr(form->proname));
	}
	ReleaseSysCache(tuple);
	return result != NULL ? result : getObjectIdentity(address, true);
}

/*
 * Has the relation, with its partitions and children, no row?  Rows that this
 * transaction cannot see yet, and a relation that is locked away, count as
 * rows.
 */
bool
fact_empty(Oid relid)
{
	OverlayRelation *planned = overlay_relation(relid);
	int64		sum = 0;

	if (planned != NULL && (planned->filled || planned->emptied))
		return !planned->filled;
	return over_storage(relid, adds_no_row, &sum);
}

/*
 * Are heap and TOAST of the relation, with its partitions and children, below
 * migmgr.small_relation?  (Indexes do not count: building or rebuilding them
 * takes time in proportion to the heap.)
 */
bool
fact_small(Oid relid)
{
	OverlayRelation *planned = overlay_relation(relid);
	int64		sum = 0;

	if (planned != NULL && (planned->grown || planned->emptied))
		return !planned->grown;
	return over_storage(relid, stays_small, &sum);
}

/* Does a predicate hold for all that stores rows of a relation? */
static bool
over_storage(Oid relid, bool (*holds) (Relation rel, int64 *sum), int64 *sum)
{
	List	   *relids;
	ListCell   *lc;
	bool		result = true;

	if (overlay_made_by(relid) != 0)
		return true;
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
		result = holds(rel, sum);
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
	return *sum == 0 || *sum * (BLCKSZ / 1024) < guc_small_relation;
}

/*
 * Bytes of heap and TOAST and the planner's estimate of rows, of a relation
 * with all that inherits from it; false when one is locked away.
 */
bool
fact_size(Oid relid, int64 *bytes, double *rows)
{
	estimated_rows = 0;
	*bytes = 0;
	if (!over_storage(relid, measure, bytes))
		return false;
	*bytes *= BLCKSZ;
	*rows = estimated_rows;
	return true;
}

static bool
measure(Relation rel, int64 *sum)
{
	BlockNumber pages;
	double		tuples;
	double		visible;
	int64		blocks = storage_blocks(rel);

	*sum += blocks;
	if (blocks > 0)
	{
		table_relation_estimate_size(rel, NULL, &pages, &tuples, &visible);
		estimated_rows += tuples;
	}
	return true;
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

/*
 * Is there a live row?  Looked for only in a heap of moderate size, and not
 * counted as a scan in the statistics: no statement has asked for it.
 */
static bool
has_rows(Relation rel)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(rel);
	struct PgStat_TableStatus *counters = rel->pgstat_info;
	bool		counted = rel->pgstat_enabled;
	volatile bool found = false;

	if (blocks == 0)
		return false;
	if (blocks > EMPTY_SCAN_BLOCKS)
		return true;
	rel->pgstat_info = NULL;
	rel->pgstat_enabled = false;
	PG_TRY();
	{
		found = find_row(rel);
	}
	PG_FINALLY();
	{
		rel->pgstat_info = counters;
		rel->pgstat_enabled = counted;
	}
	PG_END_TRY();
	return found;
}

static bool
find_row(Relation rel)
{
	Snapshot	snapshot;
	TableScanDesc scan;
	TupleTableSlot *slot;
	bool		found;

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
		schema = fact_namespace_name(*namespace);
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
	List	   *types = list_make1_oid(type);
	List	   *found = NIL;
	ListCell   *lc;

	/* what is a domain over a domain is a user, too */
	foreach(lc, types)
	{
		depends_on(TypeRelationId, lfirst_oid(lc), 0, is_column, &found);
		depends_on(TypeRelationId, lfirst_oid(lc), 0, is_domain, &types);
	}
	return found;
}

static bool
is_domain(Form_pg_depend depend, List **found)
{
	if (depend->classid == TypeRelationId && depend->deptype == DEPENDENCY_NORMAL)
		*found = list_append_unique_oid(*found, depend->objid);
	return false;
}

/* Typed tables: those that are OF this composite type (the OID of its relation). */
static bool
is_typed_table(Form_pg_depend depend, List **found)
{
	if (depend->classid == RelationRelationId && depend->objsubid == 0 && depend->deptype == DEPENDENCY_NORMAL)
		*found = list_append_unique_oid(*found, depend->objid);
	return false;
}

List *
fact_typed_tables(Oid relid)
{
	List	   *found = NIL;

	depends_on(TypeRelationId, get_rel_type_id(relid), 0, is_typed_table, &found);
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
	return depends_on(ProcedureRelationId, function, 0, is_stored_use, NULL);
}

/* Walks the objects that depend on one (or on a column) until wanted() says enough. */
static bool
depends_on(Oid refclassid, Oid refobjid, int32 refobjsubid,
		   bool (*wanted) (Form_pg_depend depend, List **found), List **found)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	ScanKeyData key[3];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		result = false;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(refclassid));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(refobjid));
	ScanKeyInit(&key[2], Anum_pg_depend_refobjsubid, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(refobjsubid));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, refobjsubid != 0 ? 3 : 2, key);
	while (!result && HeapTupleIsValid(tuple = systable_getnext(scan)))
		result = wanted((Form_pg_depend) GETSTRUCT(tuple), found);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

static bool
is_foreign_key(Form_pg_depend depend, List **found)
{
	HeapTuple	tuple;

	if (depend->classid != ConstraintRelationId || depend->deptype != DEPENDENCY_NORMAL)
		return false;
	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(depend->objid));
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);

		if (form->contype == CONSTRAINT_FOREIGN && form->confrelid == depend->refobjid)
			*found = list_append_unique_oid(*found, form->conrelid);
		ReleaseSysCache(tuple);
	}
	return list_length(*found) >= MAX_REFERENCING;
}

/*
 * Tables with a foreign key that references a relation, or this column of it;
 * no more of them than anybody would want to read.
 */
List *
fact_referencing(Oid relid, AttrNumber attnum)
{
	List	   *found = NIL;

	depends_on(RelationRelationId, relid, attnum, is_foreign_key, &found);
	return list_delete_oid(found, relid);
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
