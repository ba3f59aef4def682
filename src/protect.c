/*
 * protect.c
 *	  migmgr's own objects, and unprotect().
 *
 * Its two schemas, what is in them, what hangs on its tables, its event
 * triggers and the extension itself are changed by nobody, in any state of
 * the ledger; by their schema rather than by pg_depend, because that costs a
 * cache lookup instead of a scan, and because foreign objects have no business
 * there.  COMMENT, GRANT and OWNER TO the same owner pass: a restore does
 * them.  unprotect() is the audited way around, for this session, for a time.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_event_trigger.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "facts.h"
#include "ledger.h"
#include "migmgr.h"
#include "protect.h"

#define MAX_UNPROTECT_SECONDS (24 * 3600)

PG_FUNCTION_INFO_V1(migmgr_unprotect);

static TimestampTz lifted_until = 0;
static bool lifted_here = false;	/* in this transaction: ends with its
									 * abort */
static SubTransactionId lifted_subid = InvalidSubTransactionId; /* ... or with this one */

static void protect_xact_callback(XactEvent event, void *arg);
static void protect_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
									 SubTransactionId parentSubid, void *arg);
static bool is_archive(Oid namespace);
static void record_unprotect(const char *reason, const char *until);

void
protect_init(void)
{
	RegisterXactCallback(protect_xact_callback, NULL);
	RegisterSubXactCallback(protect_subxact_callback, NULL);
}

/* Is protection lifted in this session, or is this our own install script? */
bool
protect_lifted(void)
{
	if (creating_extension && CurrentExtensionObject == get_extension_oid(MIGMGR_EXTENSION, true))
		return true;
	return lifted_until != 0 && GetCurrentTimestamp() < lifted_until;
}

/* Is this one of migmgr's schemas?  None is where migmgr is not installed. */
bool
protect_owns_schema(Oid namespace)
{
	if (!OidIsValid(namespace))
		return false;
	if (namespace != get_namespace_oid(MIGMGR_SCHEMA, true) &&
		namespace != get_namespace_oid(MIGMGR_INTERNAL, true) && !is_archive(namespace))
		return false;
	return OidIsValid(ledger_extension());
}

/*
 * Is this the schema of an archive?  By name and owner.  A restore makes them
 * anew, so they are protected where the ledger is in force.
 */
static bool
is_archive(Oid namespace)
{
	HeapTuple	row = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(namespace));
	bool		result;

	if (!HeapTupleIsValid(row))
		return false;
	result = strncmp(NameStr(((Form_pg_namespace) GETSTRUCT(row))->nspname),
					 MIGMGR_ARCHIVE, strlen(MIGMGR_ARCHIVE)) == 0 &&
		ledger_state() == LEDGER_IN_FORCE &&
		((Form_pg_namespace) GETSTRUCT(row))->nspowner == ledger_owner();
	ReleaseSysCache(row);
	return result;
}

/* Relation that an object hangs on, or InvalidOid. */
Oid
protect_relation_of(Oid classid, Oid objid, bool self)
{
	HeapTuple	row;
	Oid			relid = InvalidOid;

	if (classid != TriggerRelationId && classid != RewriteRelationId &&
		classid != PolicyRelationId && classid != ConstraintRelationId &&
		classid != AttrDefaultRelationId)
		return InvalidOid;
	if (classid == AttrDefaultRelationId)
		return GetAttrDefaultColumnAddress(objid).objectId;
	row = fact_row(classid, objid, self);
	if (!HeapTupleIsValid(row))
		return InvalidOid;
	if (classid == TriggerRelationId)
		relid = ((Form_pg_trigger) GETSTRUCT(row))->tgrelid;
	else if (classid == RewriteRelationId)
		relid = ((Form_pg_rewrite) GETSTRUCT(row))->ev_class;
	else if (classid == PolicyRelationId)
		relid = ((Form_pg_policy) GETSTRUCT(row))->polrelid;
	else
		relid = ((Form_pg_constraint) GETSTRUCT(row))->conrelid;
	heap_freetuple(row);
	return relid;
}

/* Does an object belong to migmgr? */
bool
protect_owns(const ObjectAddress *address)
{
	Oid			relid;

	if (address->classId == RelationRelationId)
		return protect_owns_schema(get_rel_namespace(address->objectId));
	if (address->classId == NamespaceRelationId)
		return protect_owns_schema(address->objectId);
	if (address->classId == ExtensionRelationId)
		return address->objectId == ledger_extension();
	if (address->classId == EventTriggerRelationId)
	{
		Oid			extension = ledger_extension();
		HeapTuple	row = fact_row(address->classId, address->objectId, false);
		Oid			function;

		if (!OidIsValid(extension) || !HeapTupleIsValid(row))
			return false;
		function = ((Form_pg_event_trigger) GETSTRUCT(row))->evtfoid;
		heap_freetuple(row);
		/* one that was dropped and made again is not a member any more */
		return protect_owns_schema(get_func_namespace(function)) ||
			getExtensionOfObject(address->classId, address->objectId) == extension;
	}
	relid = protect_relation_of(address->classId, address->objectId, false);
	if (OidIsValid(relid))
		return protect_owns_schema(get_rel_namespace(relid));
	if (!is_objectclass_supported(address->classId) ||
		get_object_attnum_namespace(address->classId) == InvalidAttrNumber ||
		get_object_catcache_oid(address->classId) < 0)
		return false;
	return protect_owns_schema(get_object_namespace(address));
}

/* Raises MG108 about an object of migmgr. */
void
protect_refuse(const ObjectAddress *address, const char *verb)
{
	char	   *description = getObjectDescription(address, true);

	ereport(ERROR,
			(errcode(ERRCODE_MG_PROTECTED),
			 errmsg("cannot %s %s: it belongs to migmgr", verb,
					description != NULL ? description : "an object"),
			 errdetail("migmgr's own objects are protected in every environment."),
			 errhint("To upgrade or remove migmgr, as a superuser: SELECT migmgr.unprotect('reason');")));
}

static void
protect_xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT && lifted_here)
		lifted_until = 0;
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		lifted_here = false;
}

static void
protect_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
						 SubTransactionId parentSubid, void *arg)
{
	if (!lifted_here || mySubid != lifted_subid)
		return;
	if (event == SUBXACT_EVENT_ABORT_SUB)
		lifted_until = 0;
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		lifted_subid = parentSubid;
}

/*
 * Writes the ledger entry.  A restored ledger that cannot be resumed must not
 * stand in the way of its own removal: then the server log has to do.
 */
static void
record_unprotect(const char *reason, const char *until)
{
	StringInfoData detail;
	LedgerEntry entry = {.event = "unprotect"};

	ereport(LOG,
			(errmsg("migmgr: protection lifted by \"%s\" until %s: %s",
					GetUserNameFromId(GetUserId(), false), until, reason)));
	if (ledger_state() == LEDGER_RESTORED)
		return;
	initStringInfo(&detail);
	appendStringInfoString(&detail, "{\"reason\": ");
	escape_json(&detail, reason);
	appendStringInfoString(&detail, ", \"until\": ");
	escape_json(&detail, until);
	appendStringInfoChar(&detail, '}');
	entry.detail = detail.data;
	ledger_append(&entry);
}

/* migmgr.unprotect(reason, valid_for): lifts protection in this session. */
Datum
migmgr_unprotect(PG_FUNCTION_ARGS)
{
	char	   *reason;
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz until;
	char	   *words;
	const int	utc = 0;

	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to lift the protection of migmgr"),
				 errdetail("Only a superuser may upgrade or remove migmgr.")));
	if (PG_ARGISNULL(0) || VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(0)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("unprotect() needs a reason"),
				 errhint("SELECT migmgr.unprotect('remove migmgr from the test database');")));
	reason = text_to_cstring(PG_GETARG_TEXT_PP(0));
	until = PG_ARGISNULL(1) ? now : DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
																			TimestampTzGetDatum(now),
																			PG_GETARG_DATUM(1)));
	if (until <= now || until > TimestampTzPlusMilliseconds(now, MAX_UNPROTECT_SECONDS * INT64CONST(1000)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unprotect() cannot be valid for that long"),
				 errdetail("valid_for must be more than nothing and at most a day.")));

	words = JsonEncodeDateTime(NULL, TimestampTzGetDatum(until), TIMESTAMPTZOID, &utc);
	record_unprotect(reason, words);
	lifted_until = until;
	lifted_here = true;
	lifted_subid = GetCurrentSubTransactionId();
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("migmgr is not protected from this session until %s", words)));
}
