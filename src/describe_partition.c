/*
 * describe_partition.c
 *	  What a partitioned table is partitioned by.
 *
 * The server opens the relation to say it, and waits for whoever has locked
 * it.  A key made of columns is written here, from the row of the catalog;
 * one with expressions is left to the server.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_partitioned_table.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "describe.h"

static const char *strategy_text(char strategy);
static bool append_keys(Describer *d, StringInfo out, const DescribedRelation *rel, HeapTuple tuple);
static bool append_key(Describer *d, StringInfo out, const DescribedRelation *rel, int attnum, Oid opclass,
					   Oid collation);

/* A partition key as pg_get_partkeydef() writes it; NULL: it is gone. */
const char *
partition_key(Describer *d, const DescribedRelation *rel)
{
	HeapTuple	tuple = SearchSysCache1(PARTRELID, ObjectIdGetDatum(rel->oid));
	StringInfoData out;
	bool		written;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	initStringInfo(&out);
	written = heap_attisnull(tuple, Anum_pg_partitioned_table_partexprs, NULL) && append_keys(d, &out, rel, tuple);
	ReleaseSysCache(tuple);
	return written ? out.data : server_text(pg_get_partkeydef, 1, ObjectIdGetDatum(rel->oid));
}

static const char *
strategy_text(char strategy)
{
	return strategy == PARTITION_STRATEGY_HASH ? "HASH" : strategy == PARTITION_STRATEGY_LIST ? "LIST" : "RANGE";
}

/* The whole key; false when it is not to be understood. */
static bool
append_keys(Describer *d, StringInfo out, const DescribedRelation *rel, HeapTuple tuple)
{
	Form_pg_partitioned_table form = (Form_pg_partitioned_table) GETSTRUCT(tuple);
	bool		isnull;
	Datum		value = SysCacheGetAttr(PARTRELID, tuple, Anum_pg_partitioned_table_partclass, &isnull);
	oidvector  *classes = (oidvector *) DatumGetPointer(value);
	oidvector  *collations;

	value = SysCacheGetAttr(PARTRELID, tuple, Anum_pg_partitioned_table_partcollation, &isnull);
	collations = (oidvector *) DatumGetPointer(value);

	appendStringInfoString(out, strategy_text(form->partstrat));
	for (int i = 0; i < form->partnatts; i++)
	{
		appendStringInfoString(out, i == 0 ? " (" : ", ");
		if (!append_key(d, out, rel, form->partattrs.values[i], classes->values[i], collations->values[i]))
			return false;
	}
	appendStringInfoChar(out, ')');
	return true;
}

static bool
append_key(Describer *d, StringInfo out, const DescribedRelation *rel, int attnum, Oid opclass, Oid collation)
{
	Form_pg_attribute column;
	const char *class;

	if (attnum <= 0 || attnum > rel->natts || rel->names[attnum - 1] == NULL)
		return false;
	column = (Form_pg_attribute) GETSTRUCT(rel->columns[attnum - 1]);
	class = opclass_text(d, opclass, column->atttypid);
	if (class == NULL)
		return false;
	appendStringInfoString(out, rel->names[attnum - 1]);
	if (OidIsValid(collation) && collation != column->attcollation)
		appendStringInfo(out, " COLLATE %s", generate_collation_name(collation));
	appendStringInfoString(out, class);
	return true;
}
