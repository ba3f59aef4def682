/*
 * watch.c
 *	  Watched job tables: how their columns are named, and what hangs on them.
 *
 * A watch names tables by schema and name, so that it survives dump and
 * restore, and is resolved against the catalog when it is used.  A backend
 * keeps what it resolved, with the plans made for it, until the watch or one
 * of its two tables changes: a heartbeat must cost no more than its UPDATE.
 *
 * Nothing here writes: watch_define.c does.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/rls.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "utils/varlena.h"

#include "compat.h"
#include "errors.h"
#include "invalidation.h"
#include "ledger.h"
#include "migmgr.h"
#include "spi_util.h"
#include "watch.h"

/* one entry of the cache; the watch itself may outlive it while pinned */
typedef struct WatchSlot
{
	Oid			relid;			/* key */
	Watch	   *watch;
} WatchSlot;

/* defaults are the names of the runbooks' qc_jobs */
const WatchColumn watch_columns[NUM_JOB_COLUMNS] = {
	[JOB_ID] = {"id", true, true, "key"},
	[JOB_STATUS] = {"status", true, true, "state"},
	[JOB_HEARTBEAT] = {"last_heartbeat_at", true, true, "time"},
	[JOB_STARTED] = {"started_at", false, true, "time"},
	[JOB_ORGANISATION] = {"organisation_id", false, true, "any"},
	[JOB_ERROR] = {"error_message", false, true, "text"},
	[JOB_COMPLETED] = {"completed_at", false, true, "stamp"},
	[JOB_ATTEMPTS] = {"attempts", false, false, "integer"},
	[JOB_MAX_ATTEMPTS] = {"max_attempts", false, false, "integer"},
	[JOB_PROGRESS] = {"progress", false, true, "any"},
};

const char *const watch_states[NUM_JOB_STATES] = {
	[JOB_RUNNING] = "running",
	[JOB_FAILED] = "failed",
	[JOB_PENDING] = "pending",
	[JOB_DONE] = "completed",
};

const char *const dlq_columns[NUM_DLQ_COLUMNS] = {
	[DLQ_ID] = "id",
	[DLQ_JOB_ID] = "job_id",
	[DLQ_JOB_TYPE] = "job_type",
	[DLQ_PAYLOAD] = "payload",
	[DLQ_FAILURE_REASON] = "failure_reason",
	[DLQ_FAILURE_CODE] = "failure_code",
	[DLQ_FAILURE_STACK] = "failure_stack",
	[DLQ_ATTEMPT_COUNT] = "attempt_count",
	[DLQ_MAX_RETRIES] = "max_retries",
	[DLQ_LAST_ATTEMPT_AT] = "last_attempt_at",
	[DLQ_NEXT_RETRY_AT] = "next_retry_at",
	[DLQ_STATUS] = "status",
	[DLQ_METADATA] = "metadata",
	[DLQ_ORGANISATION_ID] = "organisation_id",
	[DLQ_CREATED_BY] = "created_by",
	[DLQ_RESOLVED_BY] = "resolved_by",
	[DLQ_RESOLVED_AT] = "resolved_at",
	[DLQ_RESOLUTION_NOTES] = "resolution_notes",
	[DLQ_CREATED_AT] = "created_at",
	[DLQ_UPDATED_AT] = "updated_at",
};

/* types of those that migmgr computes with; the others take any text */
static const char *const dlq_kinds[NUM_DLQ_COLUMNS] = {
	[DLQ_ID] = "uuid",
	[DLQ_PAYLOAD] = "json",
	[DLQ_ATTEMPT_COUNT] = "integer",
	[DLQ_MAX_RETRIES] = "integer",
	[DLQ_LAST_ATTEMPT_AT] = "stamp",
	[DLQ_NEXT_RETRY_AT] = "stamp",
	[DLQ_STATUS] = "state",
	[DLQ_METADATA] = "json",
	[DLQ_RESOLVED_AT] = "stamp",
	[DLQ_CREATED_AT] = "stamp",
	[DLQ_UPDATED_AT] = "stamp",
};

PG_FUNCTION_INFO_V1(migmgr_watch_changed);

static HTAB *watch_cache = NULL;
static Oid	watch_table = InvalidOid;	/* migmgr_internal.watch */
static uint64 watch_generation = 0;

static void watch_cache_create(void);
static void watch_relcache_callback(Datum arg, Oid relid);
static Watch *watch_load(Oid relid);
static char *watch_duration(int64 us);
static void watch_load_row(Watch *watch, Oid *dlq_relid);
static void watch_load_columns(Watch *watch);
static bool watch_has_beat_index(Relation rel, AttrNumber status, AttrNumber beat);
static void watch_free(Watch *watch);
pg_noreturn static void watch_refuse_unwatched(Oid relid);

/*
 * The watch of a table; the caller gives it back with watch_unpin, in
 * PG_FINALLY where anything between can raise.  Raises MG401 when the table
 * is not watched, MG402 when it no longer fits its watch.
 */
Watch *
watch_pin(Oid relid)
{
	WatchSlot  *slot;
	Watch	   *watch;
	bool		found;

	watch_cache_create();
	slot = hash_search(watch_cache, &relid, HASH_ENTER, &found);
	if (!found)
		slot->watch = NULL;

	if (slot->watch == NULL || !slot->watch->valid)
	{
		watch = watch_load(relid);
		if (slot->watch != NULL)
		{
			slot->watch->linked = false;
			if (slot->watch->pins == 0)
				watch_free(slot->watch);
		}
		slot->watch = watch;
	}
	slot->watch->pins++;
	return slot->watch;
}

void
watch_unpin(Watch *watch)
{
	if (--watch->pins == 0 && !watch->linked)
		watch_free(watch);
}

static void
watch_cache_create(void)
{
	HASHCTL		ctl = {.keysize = sizeof(Oid),.entrysize = sizeof(WatchSlot)};

	if (watch_cache != NULL)
		return;
	watch_cache = hash_create("migmgr watches", 16, &ctl, HASH_ELEM | HASH_BLOBS);
	invalidation_register(watch_relcache_callback);
}

/* A table of a watch, or the table of watches, has changed: load it anew. */
static void
watch_relcache_callback(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	WatchSlot  *slot;
	bool		all = !OidIsValid(relid) || relid == watch_table;

	watch_generation++;
	hash_seq_init(&status, watch_cache);
	while ((slot = hash_seq_search(&status)) != NULL)
	{
		if (slot->watch != NULL &&
			(all || relid == slot->relid || relid == slot->watch->dlq.relid))
			slot->watch->valid = false;
	}
}

/*
 * AFTER trigger of migmgr_internal.watch, for each statement: tells every
 * backend, whoever changed it and however.
 */
Datum
migmgr_watch_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("watch_changed() can only be called as a trigger")));
	CacheInvalidateRelcache(trigdata->tg_relation);
	return PointerGetDatum(NULL);
}

/* Reads and resolves a watch, into a memory context of its own. */
static Watch *
watch_load(Oid relid)
{
	uint64		generation = watch_generation;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "migmgr watch",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Watch	   *watch = palloc0(sizeof(Watch));
	Oid			dlq_relid;

	watch->context = context;
	watch->relid = relid;
	watch->name = watch_qualified(relid);
	watch_load_row(watch, &dlq_relid);
	watch->stale_text = watch_duration(watch->stale_us);
	watch_load_columns(watch);
	dlq_describe(dlq_relid, &watch->dlq);

	/* it is complete: from here on it belongs to the cache */
	MemoryContextSetParent(context, TopMemoryContext);
	MemoryContextSwitchTo(old);
	watch->valid = (generation == watch_generation);
	watch->linked = true;
	return watch;
}

/* A duration as people say it, whatever intervalstyle is. */
static char *
watch_duration(int64 us)
{
	if (us % USECS_PER_HOUR == 0)
		return psprintf(INT64_FORMAT " h", us / USECS_PER_HOUR);
	if (us % USECS_PER_MINUTE == 0)
		return psprintf(INT64_FORMAT " min", us / USECS_PER_MINUTE);
	return psprintf("%g s", (double) us / USECS_PER_SEC);
}

/* What watch() stored, read as the owner; raises MG401 when there is nothing. */
static void
watch_load_row(Watch *watch, Oid *dlq_relid)
{
	MemoryContext context = CurrentMemoryContext;
	const char *args[2];
	RecordScope scope;
	char	   *dlq;

	args[0] = get_namespace_name(get_rel_namespace(watch->relid));
	args[1] = get_rel_name(watch->relid);

	SPI_connect();
	record_begin(&scope);
	watch_table = get_relname_relid("watch", get_namespace_oid(MIGMGR_INTERNAL, false));
	spi_exec("SELECT pg_catalog.format('%I.%I', w.dlq_schema, w.dlq_table) AS dlq, w.job_type, w.max_retries,"
			 " w.batch_size, w.count_attempts,"
			 " (EXTRACT(epoch FROM w.stale_after) * 1000000)::pg_catalog.int8 AS stale_us,"
			 " w.columns, w.statuses FROM migmgr_internal.watch AS w"
			 " WHERE w.job_schema = $1 AND w.job_table = $2",
			 SPI_OK_SELECT, 2, args);
	if (SPI_processed == 0)
		watch_refuse_unwatched(watch->relid);

	dlq = spi_text(0, "dlq");
	watch->job_type = MemoryContextStrdup(context, spi_text(0, "job_type"));
	watch->stale_us = spi_int64(0, "stale_us", 0);
	watch->max_retries = (int) spi_int64(0, "max_retries", 0);
	watch->batch_size = (int) spi_int64(0, "batch_size", 1000);
	watch->count_attempts = spi_bool(0, "count_attempts", true);

	/* the two mappings, one column per key */
	args[0] = spi_text(0, "columns");
	args[1] = spi_text(0, "statuses");
	for (int i = 0; i < NUM_JOB_COLUMNS + NUM_JOB_STATES; i++)
	{
		const char *pair[2];
		char	   *value;
		bool		state = i >= NUM_JOB_COLUMNS;

		pair[0] = state ? args[1] : args[0];
		pair[1] = state ? watch_states[i - NUM_JOB_COLUMNS] : watch_columns[i].key;
		spi_exec("SELECT $1::pg_catalog.jsonb ->> $2 AS value", SPI_OK_SELECT, 2, pair);
		value = spi_text(0, "value");
		if (value == NULL)
			continue;
		value = MemoryContextStrdup(context, value);
		if (state)
			watch->state[i - NUM_JOB_COLUMNS] = value;
		else
			watch->column[i] = value;
	}

	*dlq_relid = watch_table_relid(dlq);
	if (!OidIsValid(*dlq_relid))
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_JOB_TABLE),
				 errmsg("dead-letter queue %s of the watch on %s does not exist", dlq, watch->name),
				 errhint("Create or rename it back, or call migmgr.watch('%s', dlq_table => ...) with the one to use.", watch->name)));
	record_end(&scope);
	SPI_finish();
	MemoryContextSwitchTo(context);
}

/* Says what is watched instead; recording and connected to SPI. */
static void
watch_refuse_unwatched(Oid relid)
{
	char	   *names;
	char	   *gone;

	spi_exec("SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', w.job_schema, w.job_table), ', ') AS names,"
			 " pg_catalog.string_agg(pg_catalog.format('%I.%I', w.job_schema, w.job_table), ', ')"
			 " FILTER (WHERE pg_catalog.to_regclass(pg_catalog.format('%I.%I', w.job_schema, w.job_table)) IS NULL) AS gone"
			 " FROM (SELECT * FROM migmgr_internal.watch AS i ORDER BY i.job_schema, i.job_table) AS w",
			 SPI_OK_SELECT, 0, NULL);
	names = spi_text(0, "names");
	gone = spi_text(0, "gone");
	ereport(ERROR,
			(errcode(ERRCODE_MG_NOT_WATCHED),
			 errmsg("table %s is not watched", watch_qualified(relid)),
			 gone != NULL ? errdetail("Watched, but no longer there: %s. A watch goes by name: was the table renamed?", gone) :
			 names != NULL ? errdetail("Watched are: %s.", names) : errdetail("No table is watched."),
			 errhint("SELECT * FROM migmgr.watch('%s');", watch_qualified(relid))));
}

/* Column names become quoted names and types; literals become quoted. */
static void
watch_load_columns(Watch *watch)
{
	Relation	rel = table_open(watch->relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	AttrNumber	attnums[NUM_JOB_COLUMNS] = {0};

	for (int i = 0; i < NUM_JOB_COLUMNS; i++)
	{
		Form_pg_attribute att;

		if (watch->column[i] == NULL)
			continue;
		attnums[i] = get_attnum(watch->relid, watch->column[i]);
		if (attnums[i] <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_MG_BAD_JOB_TABLE),
					 errmsg("watched table %s has no column \"%s\"", watch->name, watch->column[i]),
					 errdetail("Its watch uses the column as %s.", watch_columns[i].key),
					 errhint("Add the column, or call migmgr.watch('%s', columns => '{\"%s\": \"...\"}').",
							 watch->name, watch_columns[i].key)));
		att = TupleDescAttr(desc, attnums[i] - 1);
		if (!att->attnotnull)
			watch->nullable = bms_add_member(watch->nullable, i);
		watch->typid[i] = att->atttypid;
		watch->type[i] = format_type_extended(att->atttypid, att->atttypmod,
											  FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
		if (i == JOB_STATUS)
			watch->plain_status = watch->column[i];
		watch->column[i] = (char *) quote_identifier(watch->column[i]);
	}
	for (int i = 0; i < NUM_JOB_STATES; i++)
		watch->state[i] = quote_literal_cstr(watch->state[i] ? watch->state[i] : watch_states[i]);

	watch->beat_index = watch_has_beat_index(rel, attnums[JOB_STATUS], attnums[JOB_HEARTBEAT]);
	table_close(rel, AccessShareLock);
}

/*
 * Does an index lead straight to the running jobs with the oldest heartbeat?
 * Either (status, heartbeat), or (heartbeat) where a predicate looks at the
 * status.  It decides how the sweep asks, never what it finds.
 */
static bool
watch_has_beat_index(Relation rel, AttrNumber status, AttrNumber beat)
{
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;
	bool		found = false;

	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		Form_pg_index form = index->rd_index;
		AttrNumber	first = form->indkey.values[0];
		AttrNumber	second = form->indnkeyatts > 1 ? form->indkey.values[1] : 0;
		Bitmapset  *attrs = NULL;

		if (form->indisvalid && index->rd_rel->relam == BTREE_AM_OID)
		{
			pull_varattnos((Node *) RelationGetIndexPredicate(index), 1, &attrs);
			if (first == beat &&
				bms_is_member(status - FirstLowInvalidHeapAttributeNumber, attrs))
				found = true;
			if (first == status && second == beat && bms_is_empty(attrs))
				found = true;
		}
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return found;
}

static void
watch_free(Watch *watch)
{
	for (int i = 0; i < 4; i++)
	{
		if (watch->beat_plan[i / 2][i % 2] != NULL)
			SPI_freeplan(watch->beat_plan[i / 2][i % 2]);
	}
	if (watch->beat_many_plan != NULL)
		SPI_freeplan(watch->beat_many_plan);
	MemoryContextDelete(watch->context);
}

/* All watches by name, with what they resolve to: List of WatchName *. */
List *
watch_list(void)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *result = NIL;
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT pg_catalog.format('%I.%I', w.job_schema, w.job_table) AS name,"
			 " pg_catalog.format('%I.%I', w.dlq_schema, w.dlq_table) AS dlq, w.job_type"
			 " FROM migmgr_internal.watch AS w ORDER BY w.job_schema, w.job_table",
			 SPI_OK_SELECT, 0, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *name = spi_text(i, "name");
		char	   *dlq = spi_text(i, "dlq");
		char	   *job_type = spi_text(i, "job_type");
		MemoryContext old = MemoryContextSwitchTo(context);
		WatchName  *entry = palloc(sizeof(WatchName));

		entry->name = pstrdup(name);
		entry->dlq_name = pstrdup(dlq);
		entry->job_type = pstrdup(job_type);
		entry->relid = watch_table_relid(name);
		entry->dlq_relid = watch_table_relid(dlq);
		result = lappend(result, entry);
		MemoryContextSwitchTo(old);
	}
	record_end(&scope);
	SPI_finish();
	return result;
}

char *
watch_depends(const char *schema, const char *relation, const char *column)
{
	MemoryContext context = CurrentMemoryContext;
	const char *args[3];
	RecordScope scope;
	char	   *result = NULL;

	args[0] = schema;
	args[1] = relation;
	args[2] = column;
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT d.what FROM migmgr_internal.watch AS w,"
			 " LATERAL (VALUES"
			 "  (w.job_schema = $1 AND w.job_table = $2 AND $3 IS NULL,"
			 "   pg_catalog.format('the watch on %I.%I', w.job_schema, w.job_table)),"
			 "  (w.dlq_schema = $1 AND w.dlq_table = $2 AND $3 IS NULL,"
			 "   pg_catalog.format('the watch on %I.%I (its dead-letter queue)', w.job_schema, w.job_table)),"
			 "  (w.dlq_schema = $1 AND w.dlq_table = $2 AND $3 = ANY (migmgr_internal.dlq_column_names()),"
			 "   pg_catalog.format('the watch on %I.%I (column %I of its dead-letter queue)', w.job_schema, w.job_table, COALESCE($3, ''))),"
			 "  (w.job_schema = $1 AND w.job_table = $2 AND EXISTS"
			 "   (SELECT FROM pg_catalog.jsonb_each_text(w.columns) AS c WHERE c.value = $3),"
			 "   pg_catalog.format('the watch on %I.%I (%s)', w.job_schema, w.job_table,"
			 "    (SELECT c.key FROM pg_catalog.jsonb_each_text(w.columns) AS c WHERE c.value = $3 LIMIT 1)))"
			 ") AS d(depends, what) WHERE d.depends ORDER BY 1 LIMIT 1",
			 SPI_OK_SELECT, 3, args);
	if (SPI_processed > 0)
		result = MemoryContextStrdup(context, spi_text(0, "what"));
	record_end(&scope);
	SPI_finish();
	return result;
}

/* Is a column of that type usable as kind?  NULL takes any. */
bool
watch_type_ok(const char *kind, Oid typid)
{
	Oid			base = getBaseType(typid);
	char		category = TypeCategory(base);

	if (kind == NULL || strcmp(kind, "any") == 0)
		return true;
	if (strcmp(kind, "key") == 0)
		return OidIsValid(lookup_type_cache(base, TYPECACHE_EQ_OPR)->eq_opr);
	if (strcmp(kind, "state") == 0)
		return category == TYPCATEGORY_STRING || category == TYPCATEGORY_ENUM;
	if (strcmp(kind, "text") == 0)
		return category == TYPCATEGORY_STRING;
	if (strcmp(kind, "integer") == 0)
		return base == INT2OID || base == INT4OID || base == INT8OID;
	if (strcmp(kind, "time") == 0)
		return base == TIMESTAMPTZOID;
	if (strcmp(kind, "stamp") == 0)
		return base == TIMESTAMPTZOID || base == TIMESTAMPOID;
	if (strcmp(kind, "json") == 0)
		return base == JSONBOID || base == JSONOID;
	if (strcmp(kind, "uuid") == 0)
		return base == UUIDOID;
	elog(ERROR, "unknown kind of column: %s", kind);
	return false;
}

/* How an error message calls it. */
const char *
watch_kind_name(const char *kind)
{
	static const char *const names[][2] = {
		{"time", "timestamp with time zone"},
		{"stamp", "a timestamp"},
		{"state", "a text or an enum"},
		{"text", "a text"},
		{"integer", "an integer"},
		{"key", "a type that can be compared"},
	};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (strcmp(names[i][0], kind) == 0)
			return names[i][1];
	}
	return kind;
}

/*
 * Describes a dead-letter queue in the current memory context.  Raises MG402
 * naming every column that it lacks or that has an unusable type.
 */
void
dlq_describe(Oid relid, Dlq *dlq)
{
	Relation	rel = table_open(relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	AttrNumber	job_id = get_attnum(relid, dlq_columns[DLQ_JOB_ID]);
	StringInfoData problems;
	ListCell   *lc;

	initStringInfo(&problems);
	dlq->relid = relid;
	dlq->name = watch_qualified(relid);
	for (int i = 0; i < NUM_DLQ_COLUMNS; i++)
	{
		AttrNumber	attnum = get_attnum(relid, dlq_columns[i]);
		Form_pg_attribute att;

		if (attnum <= 0)
		{
			appendStringInfo(&problems, "%s%s is missing", problems.len ? ", " : "", dlq_columns[i]);
			continue;
		}
		att = TupleDescAttr(desc, attnum - 1);
		dlq->type[i] = format_type_extended(att->atttypid, att->atttypmod,
											FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
		if (!watch_type_ok(dlq_kinds[i], att->atttypid))
			appendStringInfo(&problems, "%s%s is of type %s", problems.len ? ", " : "",
							 dlq_columns[i], format_type_be(att->atttypid));
		if (i == DLQ_ID)
			dlq->id_default = att->atthasdef;
	}
	if (problems.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_JOB_TABLE),
				 errmsg("table %s cannot be a dead-letter queue", dlq->name),
				 errdetail("Column %s.", problems.data),
				 errhint("It needs the columns of migmgr.job_dlq, with these names; or leave dlq_table away to use that one.")));

	dlq->job_index = false;
	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (index->rd_index->indisvalid && index->rd_index->indkey.values[0] == job_id &&
			RelationGetIndexPredicate(index) == NIL)
			dlq->job_index = true;
		index_close(index, AccessShareLock);
	}
	table_close(rel, AccessShareLock);
}

/*
 * Raises MG403 unless the current user may do all of mode with every column
 * of the table; purpose ends the sentence "... is needed to ...".
 */
void
watch_check_rights(Oid relid, AclMode mode, const char *purpose)
{
	static const struct
	{
		AclMode		mode;
		const char *name;
	}			rights[] = {
		{ACL_SELECT, "SELECT"}, {ACL_INSERT, "INSERT"}, {ACL_UPDATE, "UPDATE"}, {ACL_DELETE, "DELETE"},
	};
	char	   *role = GetUserNameFromId(GetUserId(), false);

	if (mg_namespace_aclcheck(get_rel_namespace(relid), GetUserId(), ACL_USAGE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_MG_JOB_PRIVILEGE),
				 errmsg("role \"%s\" may not use schema %s", role,
						quote_identifier(get_namespace_name(get_rel_namespace(relid)))),
				 errdetail("Its table %s is needed to %s.", watch_qualified(relid), purpose),
				 errhint("GRANT USAGE ON SCHEMA %s TO %s;",
						 quote_identifier(get_namespace_name(get_rel_namespace(relid))), quote_identifier(role))));

	for (int i = 0; i < lengthof(rights); i++)
	{
		if ((mode & rights[i].mode) == 0 ||
			pg_class_aclcheck(relid, GetUserId(), rights[i].mode) == ACLCHECK_OK)
			continue;
		if (rights[i].mode != ACL_DELETE &&
			pg_attribute_aclcheck_all(relid, GetUserId(), rights[i].mode, ACLMASK_ALL) == ACLCHECK_OK)
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_MG_JOB_PRIVILEGE),
				 errmsg("role \"%s\" has no %s privilege on table %s", role, rights[i].name, watch_qualified(relid)),
				 errdetail("It is needed to %s; migmgr works with the caller's rights.", purpose),
				 errhint("GRANT %s ON %s TO %s;", rights[i].name, watch_qualified(relid), quote_identifier(role))));
	}
}

/*
 * Raises MG403 where row security would hide rows from the current user: who
 * saw only some of the jobs would believe that there are no others.  The rows
 * of migmgr.job_dlq are all visible to whoever may delete there.
 */
void
watch_check_rls(Oid relid, const char *purpose)
{
	char	   *role = GetUserNameFromId(GetUserId(), false);

	if (check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED)
		return;
	if (relid == get_relname_relid("job_dlq", get_namespace_oid(MIGMGR_SCHEMA, false)))
	{
		watch_check_rights(relid, ACL_DELETE, purpose);
		return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_MG_JOB_PRIVILEGE),
			 errmsg("row security hides rows of table %s from role \"%s\"", watch_qualified(relid), role),
			 errdetail("All of its rows are needed to %s.", purpose),
			 errhint("Use the owner of the table, or ALTER ROLE %s BYPASSRLS;", quote_identifier(role))));
}

/* Qualified and quoted name of a table; raises when there is no such table. */
char *
watch_qualified(Oid relid)
{
	char	   *relation = get_rel_name(relid);

	if (relation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), relation);
}

/* The reverse: OID of a qualified, quoted name, or InvalidOid. */
Oid
watch_table_relid(const char *name)
{
	return RangeVarGetRelid(makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(name))), NoLock, true);
}
