/*
 * ledger.c
 *	  The append-only chain of everything that happened.
 *
 * Rows get in only while the static flag "recording" is up, and only C code
 * of this library raises it.  A flag that a session could set (a setting, a
 * key of an advisory lock) would be a door; so would a privilege, because
 * pg_write_all_data has it.  The flag falls with the transaction or the
 * subtransaction that raised it.
 *
 * What the chain proves is forward integrity: a superuser can cut its tail or
 * build it anew, and that shows only against a head that was kept elsewhere.
 * So every new head goes to the server log.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "invalidation.h"
#include "ledger.h"
#include "lock.h"
#include "migmgr.h"
#include "own_table.h"
#include "script.h"
#include "spi_util.h"

#define CHAIN_WAIT_MS 5000
#define NUM_HASHED 9			/* columns that are hashed as text */

/* head of the chain as an appender needs it */
typedef struct Head
{
	int64		seq;
	char	   *hash;
} Head;

PG_FUNCTION_INFO_V1(migmgr_ledger_append);
PG_FUNCTION_INFO_V1(migmgr_ledger_state);
PG_FUNCTION_INFO_V1(migmgr_resume);

static bool recording = false;
static SubTransactionId recording_subid = InvalidSubTransactionId;
static bool appended = false;	/* in this transaction */
static bool head_uncertain = false; /* a subtransaction was undone since */
static char head_message[256];	/* logged at commit */
static Oid	ledger_oid = InvalidOid;	/* of the table, while it stays the
										 * same */
static Oid	state_relid = InvalidOid;
static LedgerState state_cache = LEDGER_ABSENT;

static void ledger_xact_callback(XactEvent event, void *arg);
static void ledger_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
									SubTransactionId parentSubid, void *arg);
static void ledger_format_head(int64 seq, const char *event, const char *hash);
static void ledger_refresh_head(void);
static bool is_home(const char *detail);
static Head ledger_head(void);
static void check_stale(int64 seq);
static Head ledger_write(Head head, const LedgerEntry *entry);
static char *ledger_hash(const char *prev_hash, int64 seq, TimestampTz at, const char *const *fields);
static void ledger_write_epoch(Head *head, const char *reason);

void
ledger_init(void)
{
	RegisterXactCallback(ledger_xact_callback, NULL);
	RegisterSubXactCallback(ledger_subxact_callback, NULL);
	invalidation_forget(&ledger_oid);
	invalidation_forget(&state_relid);
}

/*
 * OID of the extension, or InvalidOid where migmgr is not installed.  The
 * server has no cache for it and the guard asks at every DDL statement: while
 * the ledger is the same table, the extension is the same.
 */
Oid
ledger_extension(void)
{
	static Oid	of_relid = InvalidOid;
	static Oid	extension = InvalidOid;
	Oid			relid = ledger_relid();

	if (!OidIsValid(relid) || relid != of_relid || !OidIsValid(extension))
	{
		extension = get_extension_oid(MIGMGR_EXTENSION, true);
		of_relid = relid;
	}
	return extension;
}

/* OID of migmgr.ledger, or InvalidOid.  Every object that is made asks for it. */
Oid
ledger_relid(void)
{
	if (!OidIsValid(ledger_oid))
	{
		Oid			namespace = get_namespace_oid(MIGMGR_SCHEMA, true);

		if (OidIsValid(namespace))
			ledger_oid = get_relname_relid("ledger", namespace);
	}
	return ledger_oid;
}

/* Owner of the ledger: the role that records. */
Oid
ledger_owner(void)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(ledger_relid()));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table migmgr.ledger does not exist"),
				 errhint("Run CREATE EXTENSION migmgr.")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * What ties a ledger to this database, together with the token in
 * migmgr_internal.home: pg_upgrade keeps all three, a template copy has
 * another database, a restore no token.  The numbers alone would not do: a new
 * server that is set up the way the old one was hands out the same ones.
 */
char *
ledger_home(void)
{
	return psprintf("%u/%u", MyDatabaseId, ledger_relid());
}

/* May migmgr's own code write now?  For other rooms' row guards and hooks. */
bool
ledger_recording(void)
{
	return recording;
}

/*
 * From here to record_end, SQL is migmgr's own.  Everything comes back by
 * itself when the transaction or subtransaction aborts.  A scope in a scope
 * finds all as it needs it: no caller's SQL runs in there.
 */
void
record_begin(RecordScope *scope)
{
	scope->nested = recording;
	if (scope->nested)
		return;

	GetUserIdAndSecContext(&scope->save_userid, &scope->save_sec_context);
	scope->save_nestlevel = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	SetUserIdAndSecContext(ledger_owner(),
						   scope->save_sec_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
	recording_subid = GetCurrentSubTransactionId();
	recording = true;
}

void
record_end(RecordScope *scope)
{
	if (scope->nested)
		return;

	recording = false;
	SetUserIdAndSecContext(scope->save_userid, scope->save_sec_context);
	AtEOXact_GUC(true, scope->save_nestlevel);
}

/*
 * Where the ledger stands, cached until an entry about a setting (an epoch is
 * one) is appended by anyone.  Reads with a snapshot of its own, assigns no
 * transaction id.
 */
LedgerState
ledger_state(void)
{
	Oid			relid = ledger_relid();
	Oid			namespace;
	OwnTable   *table;

	if (!OidIsValid(relid) || !OidIsValid(ledger_extension()))
		return LEDGER_ABSENT;
	if (relid == state_relid)
		return state_cache;
	namespace = get_namespace_oid(MIGMGR_INTERNAL, true);
	if (!OidIsValid(namespace) || !OidIsValid(get_relname_relid("home", namespace)))
		return LEDGER_IN_FORCE; /* DROP EXTENSION is under way: strict to the
								 * end */

	table = own_open(MIGMGR_SCHEMA, "ledger", AccessShareLock);
	own_scan(table, "ledger_event", BackwardScanDirection, BTEqualStrategyNumber,
			 CStringGetTextDatum("epoch"));
	if (own_next(table) && is_home(own_text(table, "detail")))
		state_cache = LEDGER_IN_FORCE;
	else
	{
		own_scan(table, "ledger_pkey", ForwardScanDirection, InvalidStrategy, (Datum) 0);
		state_cache = own_next(table) ? LEDGER_RESTORED : LEDGER_NEW;
	}
	own_close(table);

	state_relid = relid;
	return state_cache;
}

/* Does the detail of an epoch name this home, with the token that is here? */
static bool
is_home(const char *detail)
{
	OwnTable   *table = own_open(MIGMGR_INTERNAL, "home", AccessShareLock);
	char	   *home = NULL;
	char	   *named = ledger_field(detail, "home");

	own_scan(table, "home_pkey", ForwardScanDirection, InvalidStrategy, (Datum) 0);
	if (own_next(table))
		home = psprintf("%s/%s", ledger_home(), own_text(table, "token"));
	own_close(table);

	return home != NULL && named != NULL && strcmp(named, home) == 0;
}

/* See ledger.h. */
bool
ledger_readable(void)
{
	static const char *const public[] = {"ledger", "ledger_pkey", "ledger_event"};
	static const char *const private[] = {"home", "home_pkey"};
	Oid			schema = get_namespace_oid(MIGMGR_SCHEMA, true);
	Oid			internal = get_namespace_oid(MIGMGR_INTERNAL, true);

	for (int i = 0; i < lengthof(public) + lengthof(private); i++)
	{
		Oid			relid = i < lengthof(public) ? get_relname_relid(public[i], schema) :
			get_relname_relid(private[i - lengthof(public)], internal);

		if (!OidIsValid(relid) || !ConditionalLockRelationOid(relid, AccessShareLock))
			return false;
	}
	return true;
}

/* See ledger.h. */
char *
ledger_field(const char *detail, const char *key)
{
	LOCAL_FCINFO(fcinfo, 2);
	Datum		value;

	InitFunctionCallInfoData(*fcinfo, NULL, 2, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = CStringGetTextDatum(detail);
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = CStringGetTextDatum(key);
	fcinfo->args[1].isnull = false;
	value = json_object_field_text(fcinfo);
	return fcinfo->isnull ? NULL : TextDatumGetCString(value);
}

/*
 * Appends one entry; returns its seq.  Takes CHAIN to the end of the
 * transaction, so call it last.  The first append in a home writes the epoch
 * before it; a restored ledger takes nothing before resume().
 */
int64
ledger_append(const LedgerEntry *entry)
{
	RecordScope scope;
	Head		head;

	PreventCommandIfReadOnly("writing to the migmgr ledger");
	own_lock(LOCK_CHAIN, CHAIN_WAIT_MS);
	if (strcmp(entry->event, "epoch") != 0)
		ledger_check_home();

	SPI_connect();
	record_begin(&scope);
	head = ledger_head();
	if (ledger_state() == LEDGER_NEW)
		ledger_write_epoch(&head, NULL);
	head = ledger_write(head, entry);
	record_end(&scope);
	SPI_finish();

	if (strcmp(entry->event, "applied") != 0 && strcmp(entry->event, "rolled back") != 0 &&
		strcmp(entry->event, "seal") != 0)
		CacheInvalidateRelcacheByRelid(ledger_relid());
	appended = true;
	return head.seq;
}

/*
 * Head of the chain, read with the newest snapshot, after CHAIN or APPLY was
 * taken.  Connected to SPI, recording.
 */
static Head
ledger_head(void)
{
	OwnTable   *table = own_open(MIGMGR_SCHEMA, "ledger", AccessShareLock);
	Head		head = {0, ""};

	own_scan(table, "ledger_pkey", BackwardScanDirection, InvalidStrategy, (Datum) 0);
	if (own_next(table))
	{
		head.seq = own_int64(table, "seq");
		head.hash = own_text(table, "hash");
	}
	own_close(table);

	check_stale(head.seq);
	return head;
}

/*
 * Raises 40001 when this transaction does not see entry seq, the newest there
 * is.  Only REPEATABLE READ and SERIALIZABLE can be that far behind.
 */
static void
check_stale(int64 seq)
{
	if (!IsolationUsesXactSnapshot())
		return;
	spi_exec("SELECT l.seq FROM migmgr.ledger AS l ORDER BY l.seq DESC LIMIT 1",
			 SPI_OK_SELECT, 0, NULL);
	if ((SPI_processed > 0 ? spi_int64(0, "seq", 0) : 0) != seq)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("the migmgr ledger was written to by another session since this transaction began"),
				 errhint("Try the transaction again, or use READ COMMITTED.")));
}

/* See ledger.h. */
void
ledger_check_home(void)
{
	if (ledger_state() == LEDGER_RESTORED)
		ereport(ERROR,
				(errcode(ERRCODE_MG_RESTORED),
				 errmsg("this database is a restored or copied one, and its ledger has not been resumed"),
				 errdetail("The last epoch of the ledger names another home than %s.", ledger_home()),
				 errhint("Check it with SELECT * FROM migmgr.verify(); then SELECT migmgr.resume('reason');")));
}

/* See ledger.h; for callers that hold APPLY and are about to decide. */
void
ledger_check_snapshot(void)
{
	RecordScope scope;

	if (!IsolationUsesXactSnapshot())
		return;
	SPI_connect();
	record_begin(&scope);
	(void) ledger_head();
	record_end(&scope);
	SPI_finish();
}

/* Writes one row after head; connected to SPI, recording. */
static Head
ledger_write(Head head, const LedgerEntry *entry)
{
	static const char *const columns[NUM_HASHED] = {
		"event", "version", "name", "checksum", "session_role", "role", "client", "application", "detail",
	};
	const char *fields[NUM_HASHED] = {
		entry->event, entry->version, entry->name, entry->checksum,
		GetUserNameFromId(GetSessionUserId(), false), GetUserNameFromId(GetOuterUserId(), false),
		ledger_client(), application_name && application_name[0] ? application_name : NULL,
		entry->detail ? entry->detail : "{}",
	};
	TimestampTz at = GetCurrentTimestamp();
	OwnTable   *table = own_open(MIGMGR_SCHEMA, "ledger", RowExclusiveLock);
	Head		result = {.seq = head.seq + 1};

	result.hash = ledger_hash(head.hash, result.seq, at, fields);
	own_set(table, "seq", Int64GetDatum(result.seq));
	own_set(table, "at", TimestampTzGetDatum(at));
	for (int i = 0; i < NUM_HASHED; i++)
		own_set_text(table, columns[i], fields[i]);
	own_set_text(table, "prev_hash", head.hash);
	own_set_text(table, "hash", result.hash);
	own_insert(table);
	own_close(table);

	ledger_format_head(result.seq, entry->event, result.hash);
	return result;
}

/*
 * The same as migmgr_internal.ledger_hash(), which is there for those who
 * check: half of the time of an append went into running that.
 */
static char *
ledger_hash(const char *prev_hash, int64 seq, TimestampTz at, const char *const *fields)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "migmgr/ledger/1 %s " INT64_FORMAT " " INT64_FORMAT, prev_hash, seq,
					 at + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY);
	for (int i = 0; i < NUM_HASHED; i++)
	{
		if (fields[i] == NULL)
			appendStringInfoChar(&text, '-');
		else
			appendStringInfo(&text, "%d:%s", pg_mbstrlen(fields[i]), fields[i]);
	}
	return script_checksum(text.data);
}

/* Address of the client, NULL for a local socket and for workers. */
char *
ledger_client(void)
{
	LOCAL_FCINFO(fcinfo, 0);
	Datum		address;

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	address = inet_client_addr(fcinfo);
	return fcinfo->isnull ? NULL :
		TextDatumGetCString(DirectFunctionCall1(network_host, address));
}

/* Writes the entry that makes this database the ledger's home. */
static void
ledger_write_epoch(Head *head, const char *reason)
{
	LedgerEntry epoch = {.event = "epoch"};
	const char *args[3];

	args[0] = ledger_home();
	args[1] = reason;
	args[2] = MIGMGR_VERSION;
	spi_exec("INSERT INTO migmgr_internal.home (token) SELECT pg_catalog.gen_random_uuid()"
			 " WHERE NOT EXISTS (SELECT FROM migmgr_internal.home)",
			 SPI_OK_INSERT, 0, NULL);
	spi_exec("SELECT pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
			 "'home', pg_catalog.concat($1, '/', h.token), 'reason', $2, 'migmgr', $3,"
			 " 'database', pg_catalog.current_database(),"
			 " 'server', pg_catalog.current_setting('server_version')))::pg_catalog.text AS detail"
			 " FROM migmgr_internal.home AS h",
			 SPI_OK_SELECT, 3, args);
	epoch.detail = spi_text(0, "detail");
	*head = ledger_write(*head, &epoch);
	state_relid = InvalidOid;
	CacheInvalidateRelcacheByRelid(ledger_relid());
}

/* The head for the server log; formatted before the commit, logged after it. */
static void
ledger_format_head(int64 seq, const char *event, const char *hash)
{
	snprintf(head_message, sizeof(head_message),
			 "migmgr ledger of database %u: entry " INT64_FORMAT ", %s, head %s", MyDatabaseId, seq, event, hash);
}

/*
 * Before the commit: a subtransaction that wrote an entry may have been undone
 * since, so ask what the head is.
 */
static void
ledger_refresh_head(void)
{
	OwnTable   *table;

	head_message[0] = '\0';
	if (!OidIsValid(ledger_relid()))
		return;					/* dropped in this transaction */
	table = own_open(MIGMGR_SCHEMA, "ledger", AccessShareLock);
	own_scan(table, "ledger_pkey", BackwardScanDirection, InvalidStrategy, (Datum) 0);
	if (own_next(table))
		ledger_format_head(own_int64(table, "seq"), own_text(table, "event"), own_text(table, "hash"));
	own_close(table);
}

static void
ledger_xact_callback(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (appended && head_uncertain)
				ledger_refresh_head();
			break;
		case XACT_EVENT_PRE_PREPARE:
			if (appended)
				ereport(ERROR,
						(errcode(ERRCODE_MG_PREPARE),
						 errmsg("cannot prepare a transaction that has written to the migmgr ledger"),
						 errhint("Use COMMIT instead of PREPARE TRANSACTION.")));
			break;
		case XACT_EVENT_COMMIT:
			if (appended && head_message[0] != '\0')
				ereport(LOG,
						(errmsg_internal("%s", head_message),
						 errhidestmt(true), errhidecontext(true)));
			/* FALLTHROUGH */
		case XACT_EVENT_ABORT:
			if (event == XACT_EVENT_ABORT && appended)
				state_relid = InvalidOid;
			appended = false;
			head_uncertain = false;
			head_message[0] = '\0';
			recording = false;
			recording_subid = InvalidSubTransactionId;
			break;
		default:
			break;
	}
}

/* The flag falls with the subtransaction that raised it. */
static void
ledger_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
						SubTransactionId parentSubid, void *arg)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	if (appended)
	{
		state_relid = InvalidOid;
		head_uncertain = true;
	}
	if (recording && recording_subid >= mySubid)
		recording = false;
}

/*
 * migmgr_internal.ledger_append(event, version, detail): for migmgr's own
 * SECURITY DEFINER functions.  What proves that a migration ran is not to be
 * had here, whoever asks.
 */
Datum
migmgr_ledger_append(PG_FUNCTION_ARGS)
{
	static const char *const reserved[] = {
		"applied", "rolled back", "epoch", "resume", "unprotect", "baseline", "captured", "checksum accepted",
		"imported", "marked applied", "marked reverted", "renamed", "renamed away", "superseded",
	};
	LedgerEntry entry = {0};

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("event must not be null")));
	entry.event = text_to_cstring(PG_GETARG_TEXT_PP(0));
	for (int i = 0; i < lengthof(reserved); i++)
	{
		if (strcmp(entry.event, reserved[i]) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_MG_LEDGER_ROW),
					 errmsg("cannot append event \"%s\" to the ledger by hand", entry.event),
					 errdetail("Only migmgr itself records it, when it happens.")));
	}
	if (!PG_ARGISNULL(1))
		entry.version = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (!PG_ARGISNULL(2))
		entry.detail = JsonbToCString(NULL, &PG_GETARG_JSONB_P(2)->root, 0);
	PG_RETURN_INT64(ledger_append(&entry));
}

/* migmgr_internal.ledger_state(): the state in words. */
Datum
migmgr_ledger_state(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {
		[LEDGER_ABSENT] = "absent",
		[LEDGER_NEW] = "new",
		[LEDGER_RESTORED] = "restored",
		[LEDGER_IN_FORCE] = "in force",
	};

	PG_RETURN_TEXT_P(cstring_to_text(names[ledger_state()]));
}

/*
 * migmgr.resume(reason): this database is the ledger's home from here on.
 * The chain is checked first; a broken one is not taken over.
 */
Datum
migmgr_resume(PG_FUNCTION_ARGS)
{
	RecordScope scope;
	Head		head;
	char	   *reason;
	char	   *broken = NULL;
	LedgerState state;

	if (PG_ARGISNULL(0) || VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(0)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("resume() needs a reason"),
				 errhint("SELECT migmgr.resume('restored from the backup of ...');")));
	reason = text_to_cstring(PG_GETARG_TEXT_PP(0));
	state = ledger_state();
	if (state == LEDGER_IN_FORCE)
		PG_RETURN_TEXT_P(cstring_to_text("nothing to resume: this database is the ledger's home already"));

	PreventCommandIfReadOnly("migmgr.resume()");
	own_lock(LOCK_APPLY, 0);
	own_lock(LOCK_CHAIN, CHAIN_WAIT_MS);
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT c.seq FROM (SELECT l.*, pg_catalog.lag(l.hash, 1, '') OVER w AS before,"
			 " pg_catalog.row_number() OVER w AS place FROM migmgr.ledger AS l WINDOW w AS (ORDER BY l.seq)) AS c"
			 " WHERE c.seq <> c.place OR c.prev_hash <> c.before OR c.hash IS DISTINCT FROM"
			 " migmgr_internal.ledger_hash(c.prev_hash, c.seq, c.at, c.event, c.version, c.name, c.checksum,"
			 " c.session_role, c.role, c.client, c.application, c.detail) ORDER BY c.seq LIMIT 1",
			 SPI_OK_SELECT, 0, NULL);
	if (SPI_processed > 0)
		broken = spi_text(0, "seq");
	if (broken != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_LEDGER_CHAIN),
				 errmsg("cannot resume: the ledger is broken at entry %s", broken),
				 errhint("SELECT * FROM migmgr.verify(); shows every break.  Restore from an undamaged backup.")));
	head = ledger_head();
	ledger_write_epoch(&head, reason);
	record_end(&scope);
	SPI_finish();
	appended = true;

	PG_RETURN_TEXT_P(cstring_to_text(psprintf("resumed at entry " INT64_FORMAT ": the guard is in force in database %s",
											  head.seq, get_database_name(MyDatabaseId))));
}
