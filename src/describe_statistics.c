/*
 * describe_statistics.c
 *	  Extended statistics of a relation, described.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_statistic_ext.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "describe.h"

static void describe_one(Describer *d, const DescribedRelation *rel, HeapTuple tuple);

void
describe_statistics(Describer *d, const DescribedRelation *rel)
{
	HeapTuple	tuple;

	if (!read_any(d, READ_STATISTIC_EXT, rel->oid))
		return;
	read_seek(d, READ_STATISTIC_EXT, 1, ObjectIdGetDatum(rel->oid));
	while ((tuple = read_next(d, READ_STATISTIC_EXT)) != NULL)
		describe_one(d, rel, tuple);
}

/* They have a schema of their own, which may be none of ours. */
static void
describe_one(Describer *d, const DescribedRelation *rel, HeapTuple tuple)
{
	Form_pg_statistic_ext form = (Form_pg_statistic_ext) GETSTRUCT(tuple);
	const char *schema = namespace_text(d, form->stxnamespace);
	const char *name = quoted_name(&form->stxname);
	char	   *def = schema == NULL ? NULL : server_text(pg_get_statisticsobjdef, 1, ObjectIdGetDatum(form->oid));
	bool		isnull;
	int			target = DatumGetInt32(read_column(d, READ_STATISTIC_EXT, tuple,
												   Anum_pg_statistic_ext_stxstattarget, &isnull));
	DescribeRow *row;
	char	   *comment;

	if (def == NULL)
		return;
	row = describe_row(d, "statistics object", psprintf("%s.%s", schema, name), rel->self,
					   StatisticExtRelationId, form->oid, 0);
	appendStringInfoString(&row->definition, def);
	if (!isnull && target != -1)
	{
		appendStringInfo(&row->definition, " STATISTICS %d", target);
		put_number(row, "statistics", target);
	}
	comment = comment_text(d, StatisticExtRelationId, form->oid, 0);
	append_tail(row, role_text(d, form->stxowner), NULL, comment);
	put_text(row, "name", name);
	put_text(row, "schema", schema);
	put_text(row, "owner", role_text(d, form->stxowner));
	put_text(row, "def", def);
	put_text(row, "comment", comment);
	put_raw(row, "def", "fixed");
}
