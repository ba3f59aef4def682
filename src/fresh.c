/*
 * fresh.c
 *	  Which objects this transaction has made itself.
 *
 * The server remembers it for relations only (rd_createSubid), and the xmin of
 * a catalog row tells "written", not "made".  So the object access hook notes
 * each object when it is made.  A rolled-back subtransaction needs no
 * bookkeeping: its objects are gone and their OIDs do not come back.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_transform.h"
#include "catalog/pg_trigger.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "facts.h"
#include "overlay.h"

typedef struct FreshKey
{
	Oid			classid;
	Oid			objid;
	int32		subid;
} FreshKey;

typedef struct FreshEntry
{
	FreshKey	key;
	bool		is_new;
} FreshEntry;

/* in TopTransactionContext, so it goes with the transaction */
static HTAB *fresh = NULL;

static void fresh_xact_callback(XactEvent event, void *arg);
static FreshEntry *fresh_entry(Oid classid, Oid objid, int32 subid, bool *found);
static bool replaceable(Oid classid);
static bool existed_before(Oid classid, Oid objid);

void
fresh_init(void)
{
	RegisterXactCallback(fresh_xact_callback, NULL);
}

static void
fresh_xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		fresh = NULL;
}

/* Notes an object that has just been made, or replaced by OR REPLACE. */
void
fresh_created(Oid classid, Oid objid, int32 subid)
{
	bool		found;
	FreshEntry *entry = fresh_entry(classid, objid, subid, &found);

	if (!found)
		entry->is_new = !replaceable(classid) || !existed_before(classid, objid);
}

/* Notes an object that has just been altered: unless made here, it is old. */
void
fresh_altered(Oid classid, Oid objid, int32 subid)
{
	bool		found;
	FreshEntry *entry = fresh_entry(classid, objid, subid, &found);

	if (!found)
		entry->is_new = false;
}

/* Was this object (or the relation of this column) made in this transaction? */
bool
fresh_is_new(Oid classid, Oid objid, int32 subid)
{
	FreshKey	key = {classid, objid, subid};
	FreshEntry *entry;

	if (overlay_in_use && overlay_made_by(objid) != 0)
		return true;
	if (fresh == NULL)
		return false;
	entry = hash_search(fresh, &key, HASH_FIND, NULL);
	if (entry != NULL && entry->is_new)
		return true;
	return subid != 0 && fresh_is_new(classid, objid, 0);
}

static FreshEntry *
fresh_entry(Oid classid, Oid objid, int32 subid, bool *found)
{
	FreshKey	key = {classid, objid, subid};

	if (fresh == NULL)
	{
		HASHCTL		ctl = {
			.keysize = sizeof(FreshKey),
			.entrysize = sizeof(FreshEntry),
			.hcxt = TopTransactionContext,
		};

		fresh = hash_create("migmgr objects of this transaction", 64, &ctl,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	return hash_search(fresh, &key, HASH_ENTER, found);
}

/* Is this a kind that CREATE OR REPLACE keeps the OID of? */
static bool
replaceable(Oid classid)
{
	return classid == ProcedureRelationId || classid == TriggerRelationId ||
		classid == RewriteRelationId || classid == LanguageRelationId ||
		classid == TransformRelationId;
}

/*
 * OR REPLACE reports a creation too.  The new row is not visible yet, so a
 * visible row is the old one; unless the command has already made its row
 * visible to itself, and then this transaction wrote it.
 */
static bool
existed_before(Oid classid, Oid objid)
{
	HeapTuple	row = fact_row(classid, objid, false);
	bool		before;

	if (!HeapTupleIsValid(row))
		return false;
	before = !TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row->t_data));
	heap_freetuple(row);
	return before;
}
