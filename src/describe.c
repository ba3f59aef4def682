/*
 * describe.c
 *	  One call that describes objects of the schema, named ones or all.
 *
 * Most objects are described in C, by describe_*.c, from the rows of the
 * catalogs; the kinds that are few by views of SQL, each asked only when its
 * catalog has rows of ours.  Texts are the server's own (pg_get_*def,
 * format_type), with the settings that they depend on pinned.
 *
 * Others may change the schema meanwhile.  Nothing is locked here; the server
 * opens relations for what only it can write: views, and expressions with more
 * than columns in them.  What is gone when its text is asked for is left out.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_conversion.h"
#include "catalog/pg_default_acl.h"
#include "catalog/pg_event_trigger.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_seclabel.h"
#include "catalog/pg_subscription.h"
#include "catalog/pg_transform.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping.h"
#include "fmgr.h"
#include "funcapi.h"
#include "jit/jit.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "describe.h"
#include "spi_util.h"

/* The two questions that a view of SQL is asked; each text is planned once. */
#define VIEW(name) \
	.all = "SELECT d.kind, d.identity, d.parent, d.definition, d.facts, d.classid, d.objid, d.objsubid" \
	" FROM migmgr_internal.described_" name " AS d", \
	.named = "SELECT d.kind, d.identity, d.parent, d.definition, d.facts, d.classid, d.objid, d.objsubid" \
	" FROM migmgr_internal.described_" name " AS d" \
	" WHERE d.whole OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[])"

/* a catalog of whole objects, and how they are described: in C or by a view */
typedef struct DescribeRule
{
	Oid			classid;
	DescribeReader reader;		/* with describe */
	void		(*describe) (Describer *d, HeapTuple row);
	const char *all;
	const char *named;
} DescribeRule;

static const DescribeRule rules[] = {
	{NamespaceRelationId, READ_NAMESPACE, describe_schema},
	{RelationRelationId, READ_CLASS, describe_relation},
	{TypeRelationId, READ_TYPE, describe_type},
	{ProcedureRelationId, READ_PROC, describe_function},
	{OperatorRelationId, VIEW("operator")},
	{OperatorFamilyRelationId, VIEW("operator_family")},
	{OperatorClassRelationId, VIEW("operator_class")},
	{DefaultAclRelationId, VIEW("default_privileges")},
	{PublicationRelationId, VIEW("publication")},
	{SubscriptionRelationId, VIEW("subscription")},
	{EventTriggerRelationId, VIEW("event_trigger")},
	{ForeignDataWrapperRelationId, VIEW("wrapper")},
	{ForeignServerRelationId, VIEW("server")},
	{UserMappingRelationId, VIEW("user_mapping")},
	{ExtensionRelationId, READ_EXTENSION, describe_extension},
	{TSConfigRelationId, VIEW("ts_config")},
	{TSDictionaryRelationId, VIEW("ts_dictionary")},
	{TSParserRelationId, VIEW("ts_parser")},
	{TSTemplateRelationId, VIEW("ts_template")},
	{CastRelationId, VIEW("cast")},
	{CollationRelationId, VIEW("collation")},
	{ConversionRelationId, VIEW("conversion")},
	{TransformRelationId, VIEW("transform")},
	{LanguageRelationId, VIEW("language")},
	{AccessMethodRelationId, VIEW("access_method")},
};

/* labels are on objects of any kind */
static const DescribeRule label_rule = {SecLabelRelationId, VIEW("security_label") " AND d.classid OPERATOR(pg_catalog.=) $2::pg_catalog.oid"};

static void pin_settings(void);
static void pin(bool as_it_is, const char *name, const char *value);
static void walk_catalog(Describer *d, const DescribeRule *rule);
static bool has_rows_of_ours(Describer *d, Oid classid);
static void describe_one(Describer *d, const DescribeRule *rule, HeapTuple row);
static void describe_by_view(Describer *d, const char *sql, Oid classid, const char *objids);
static void take_row(Describer *d, uint64 number);
static void give_rows(Describer *d);
static void keep_rows(Describer *d);

PG_FUNCTION_INFO_V1(migmgr_describe);

/*
 * Begins a call; the caller sets the sink, which gets the rows of one whole
 * after the other.  Ends with describe_end, or by an error.
 */
void
describe_begin(Describer *d, bool everything, bool with_facts)
{
	memset(d, 0, sizeof(Describer));
	d->everything = everything;
	d->with_facts = with_facts;
	d->context = AllocSetContextCreate(CurrentMemoryContext, "migmgr describe", ALLOCSET_DEFAULT_SIZES);
	/* the rows of most wholes fit into what is kept of it */
	d->scratch = AllocSetContextCreate(d->context, "migmgr described object", 64 * 1024, 64 * 1024, ALLOCSET_DEFAULT_MAXSIZE);
	d->snapshot = RegisterSnapshot(GetLatestSnapshot());
	d->guc_level = NewGUCNestLevel();
	pin_settings();
}

void
describe_end(Describer *d)
{
	read_end(d);
	UnregisterSnapshot(d->snapshot);
	AtEOXact_GUC(true, d->guc_level);
	MemoryContextDelete(d->context);
}

/*
 * What texts of the server depend on, for the rest of the call.  To set a
 * setting takes longer than to describe a column, so only those that differ
 * are set.
 */
static void
pin_settings(void)
{
	pin(strcmp(namespace_search_path, "pg_catalog, pg_temp") == 0, "search_path", "pg_catalog, pg_temp");
	pin(DateStyle == USE_ISO_DATES && DateOrder == DATEORDER_YMD, "datestyle", "ISO, YMD");
	pin(IntervalStyle == INTSTYLE_POSTGRES, "intervalstyle", "postgres");
	pin(strcmp(pg_get_timezone_name(session_timezone), "UTC") == 0, "timezone", "UTC");
	pin(extra_float_digits == 1, "extra_float_digits", "1");
	pin(bytea_output == BYTEA_OUTPUT_HEX, "bytea_output", "hex");
	pin(!quote_all_identifiers, "quote_all_identifiers", "off");
	pin(strcmp(GetConfigOption("lc_monetary", false, false), "C") == 0, "lc_monetary", "C");
}

static void
pin(bool as_it_is, const char *name, const char *value)
{
	if (!as_it_is)
		(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Everything in the schema. */
void
describe_everything(Describer *d)
{
	for (int i = 0; i < lengthof(rules); i++)
	{
		if (rules[i].describe != NULL)
			walk_catalog(d, &rules[i]);
		else if (has_rows_of_ours(d, rules[i].classid))
			describe_by_view(d, rules[i].all, InvalidOid, NULL);
	}
	if (has_rows_of_ours(d, SecLabelRelationId))
		describe_by_view(d, label_rule.all, InvalidOid, NULL);
}

/* Whole objects of one catalog; those that are gone or none of ours are left out. */
void
describe_named(Describer *d, Oid classid, List *objids)
{
	StringInfoData list;
	ListCell   *lc;

	initStringInfo(&list);
	foreach(lc, objids)
		appendStringInfo(&list, "%c%u", foreach_current_index(lc) == 0 ? '{' : ',', lfirst_oid(lc));
	appendStringInfoChar(&list, '}');
	for (int i = 0; i < lengthof(rules); i++)
	{
		if (rules[i].classid != classid)
			continue;
		if (rules[i].describe == NULL)
			describe_by_view(d, rules[i].named, InvalidOid, list.data);
		else
			foreach(lc, objids)
		{
			HeapTuple	row = read_oid(d, rules[i].reader, lfirst_oid(lc));

			/* others read the same catalog while this one is described */
			if (row != NULL)
				describe_one(d, &rules[i], heap_copytuple(row));
		}
	}
	if (has_rows_of_ours(d, SecLabelRelationId))
		describe_by_view(d, label_rule.named, classid, list.data);
	pfree(list.data);
}

/* Every object of a catalog. */
static void
walk_catalog(Describer *d, const DescribeRule *rule)
{
	SysScanDesc scan = systable_beginscan(read_relation(d, rule->reader), InvalidOid, false, d->snapshot, 0, NULL);
	HeapTuple	row;

	while (HeapTupleIsValid(row = systable_getnext(scan)))
		describe_one(d, rule, row);
	systable_endscan(scan);
}

static void
describe_one(Describer *d, const DescribeRule *rule, HeapTuple row)
{
	MemoryContext old = MemoryContextSwitchTo(d->scratch);

	CHECK_FOR_INTERRUPTS();
	rule->describe(d, row);
	give_rows(d);
	MemoryContextSwitchTo(old);
}

/* Does a catalog have rows that came neither with the server nor with an extension? */
static bool
has_rows_of_ours(Describer *d, Oid classid)
{
	Relation	catalog = table_open(classid, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, d->snapshot, 0, NULL);
	HeapTuple	row;
	bool		found = false;

	while (!found && HeapTupleIsValid(row = systable_getnext(scan)))
	{
		bool		isnull;

		/* the first column of each of them is an OID */
		Oid			oid = DatumGetObjectId(heap_getattr(row, 1, RelationGetDescr(catalog), &isnull));

		found = oid >= FirstNormalObjectId && !is_extension_member(d, classid, oid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/*
 * Objects of a kind that a view of SQL describes: all, or the named ones, where
 * a classid is told to the view if it needs one.
 */
static void
describe_by_view(Describer *d, const char *sql, Oid classid, const char *objids)
{
	const char *args[2] = {objids, psprintf("%u", classid)};

	if (jit_enabled)
		pin(false, "jit", "off");
	SPI_connect();
	spi_exec_snapshot(d->snapshot, sql, SPI_OK_SELECT, objids == NULL ? 0 : OidIsValid(classid) ? 2 : 1, args);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(d->scratch);

		take_row(d, i);
		give_rows(d);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
}

/* A row that a view has described. */
static void
take_row(Describer *d, uint64 number)
{
	HeapTuple	tuple = SPI_tuptable->vals[number];
	TupleDesc	desc = SPI_tuptable->tupdesc;
	bool		isnull;
	DescribeRow *row = describe_row(d, SPI_getvalue(tuple, desc, 1), SPI_getvalue(tuple, desc, 2),
									SPI_getvalue(tuple, desc, 3),
									DatumGetObjectId(SPI_getbinval(tuple, desc, 6, &isnull)),
									DatumGetObjectId(SPI_getbinval(tuple, desc, 7, &isnull)),
									DatumGetInt32(SPI_getbinval(tuple, desc, 8, &isnull)));

	appendStringInfoString(&row->definition, SPI_getvalue(tuple, desc, 4));
	if (d->with_facts)
		row->ready_facts = DatumGetJsonbPCopy(SPI_getbinval(tuple, desc, 5, &isnull));
}

/* A new row of the whole that is being described. */
DescribeRow *
describe_row(Describer *d, const char *kind, const char *identity, const char *parent,
			 Oid classid, Oid objid, int32 subid)
{
	DescribeRow *row = palloc0(sizeof(DescribeRow));

	row->kind = kind;
	row->identity = identity;
	row->parent = parent;
	initStringInfo(&row->definition);
	ObjectAddressSubSet(row->address, classid, objid, subid);
	row->with_facts = d->with_facts;
	row->has_raw = true;
	d->rows = lappend(d->rows, row);
	return row;
}

/* A whole is described. */
static void
give_rows(Describer *d)
{
	if (d->rows != NIL)
		d->sink(d);
	d->rows = NIL;
	d->needs = NULL;
	MemoryContextReset(d->scratch);
	trim_expressions(d);
}

/* describe(classids oid[], objids oid[]): see sql/53_snapshot.sql. */
Datum
migmgr_describe(PG_FUNCTION_ARGS)
{
	Describer	d;
	bool		everything = PG_ARGISNULL(0) || PG_ARGISNULL(1);

	InitMaterializedSRF(fcinfo, 0);
	describe_begin(&d, everything, true);
	d.sink = keep_rows;
	d.sink_state = fcinfo->resultinfo;
	if (everything)
		describe_everything(&d);
	else
		describe_addresses(&d, PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_ARRAYTYPE_P(1));
	describe_end(&d);
	PG_RETURN_NULL();
}

/* The rows of a whole into the result of describe(). */
static void
keep_rows(Describer *d)
{
	ReturnSetInfo *result = d->sink_state;
	ListCell   *lc;

	foreach(lc, d->rows)
	{
		DescribeRow *row = lfirst(lc);
		ArrayType  *needs = describe_needs(d, row);
		Datum		values[9] = {0};
		bool		nulls[9] = {false};

		values[0] = CStringGetTextDatum(row->kind);
		values[1] = CStringGetTextDatum(row->identity);
		nulls[2] = row->parent == NULL;
		if (!nulls[2])
			values[2] = CStringGetTextDatum(row->parent);
		values[3] = PointerGetDatum(cstring_to_text_with_len(row->definition.data, row->definition.len));
		values[4] = JsonbPGetDatum(row->ready_facts != NULL ? row->ready_facts : facts_jsonb(row));
		nulls[5] = needs == NULL;
		values[5] = PointerGetDatum(needs);
		values[6] = ObjectIdGetDatum(row->address.classId);
		values[7] = ObjectIdGetDatum(row->address.objectId);
		values[8] = Int32GetDatum(row->address.objectSubId);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}
