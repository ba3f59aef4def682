/*
 * describe_needs.c
 *	  What a described object needs, and what addresses are part of.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "describe.h"
#include "spi_util.h"

/* What must be there for an object, an array of text in byte order, or NULL. */
ArrayType *
describe_needs(Describer *d, const ObjectAddress *address)
{
	MemoryContext context = CurrentMemoryContext;
	const char *args[3] = {psprintf("%u", address->classId), psprintf("%u", address->objectId), psprintf("%d", address->objectSubId)};
	Datum		needs;
	bool		isnull;

	SPI_connect();
	spi_exec_snapshot(d->snapshot, "SELECT migmgr_internal.needs($1::pg_catalog.oid, $2::pg_catalog.oid, $3::pg_catalog.int4)",
					  SPI_OK_SELECT, 3, args);
	needs = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		needs = PointerGetDatum(DatumGetArrayTypePCopy(needs));
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return isnull ? NULL : DatumGetArrayTypeP(needs);
}

/* Describes the whole objects that addresses are or are part of. */
void
describe_addresses(Describer *d, ArrayType *classids, ArrayType *objids)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		values[2] = {PointerGetDatum(classids), PointerGetDatum(objids)};
	Oid			types[2] = {OIDARRAYOID, OIDARRAYOID};
	List	   *ids = NIL;
	List	   *lists = NIL;
	ListCell   *lc,
			   *lc2;

	SPI_connect();
	PushActiveSnapshot(d->snapshot);
	SPI_execute_with_args("SELECT w.classid, w.objids_of FROM migmgr_internal.whole_addresses($1, $2) AS w", 2, types, values, NULL, true, 0);
	PopActiveSnapshot();
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		bool		isnull;
		Datum	   *elements;
		int			count;
		List	   *list = NIL;

		deconstruct_array(DatumGetArrayTypePCopy(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull)),
						  OIDOID, sizeof(Oid), true, TYPALIGN_INT, &elements, NULL, &count);
		for (int j = 0; j < count; j++)
			list = lappend_oid(list, DatumGetObjectId(elements[j]));
		lists = lappend(lists, list);
		ids = lappend_oid(ids, DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull)));
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	forboth(lc, ids, lc2, lists)
		describe_named(d, lfirst_oid(lc), lfirst(lc2));
}
