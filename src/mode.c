/*
 * mode.c
 *	  What the whole database is in: normal, frozen, read only.
 *
 * The mode is what the newest entry about it in the ledger says, until the
 * time that this entry names; a copy of the database is in none.  Every
 * statement that writes asks, so the answer is kept until the ledger says that
 * an entry about a setting was appended by anyone.
 *
 * Read only is the server's own: the transaction becomes a read-only one, and
 * from there on whatever writes is refused by the code that refuses it in any
 * read-only transaction.  What people do most gets a message of ours before,
 * which says why, and until when.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parsetree.h"
#include "tcop/cmdtag.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "errors.h"
#include "guard.h"
#include "guard_state.h"
#include "invalidation.h"
#include "ledger.h"
#include "migmgr.h"
#include "mode.h"
#include "own_table.h"
#include "spi_util.h"

typedef enum ModeKind
{
	MODE_NORMAL, MODE_FROZEN, MODE_READ_ONLY
} ModeKind;

typedef struct DatabaseMode
{
	ModeKind	kind;
	TimestampTz until;			/* DT_NOEND: until somebody ends it */
	TimestampTz silent_until;	/* when the last read only ended, or will */
	char		since[MAXDATELEN + 1];
	char		end[MAXDATELEN + 1];
	char		by[NAMEDATALEN];
	char		reason[201];
} DatabaseMode;

static DatabaseMode mode;
static Oid	mode_relid = InvalidOid;	/* the ledger that was read */
static bool mode_valid = false;
static uint64 mode_changes = 0; /* as far as this session knows */
static Oid	judged_user = InvalidOid;	/* whom may_write() was asked about */
static bool judged_answer = false;

static void mode_relcache_callback(Datum arg, Oid relid);
static ModeKind mode_now(void);
static void mode_read(void);
static void mode_take(OwnTable *table);
static ModeKind mode_kind(const char *detail);
static TimestampTz mode_end(const char *detail);
static void keep_time(char *into, TimestampTz at);
static bool may_write(void);
static bool is_temporary(Oid relid);
pg_noreturn static void refuse_frozen(const char *deed, const char *version);
pg_noreturn static void refuse_write(const char *command);
static char *waived(const char *version);

void
mode_init(void)
{
	invalidation_register(mode_relcache_callback);
}

static void
mode_relcache_callback(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == mode_relid)
	{
		mode_valid = false;
		mode_changes++;
	}
}

/*
 * The mode that holds now.  Where the guard has no say there is none.  In a
 * parallel query, which writes nothing, the last known one will do, and so it
 * will while somebody keeps the ledger locked.
 */
static ModeKind
mode_now(void)
{
	if (!IsUnderPostmaster || !IsTransactionState() || creating_extension || ledger_recording() ||
		!OidIsValid(ledger_relid()))
		return MODE_NORMAL;
	if ((!mode_valid || mode_relid != ledger_relid()) && !IsInParallelMode() && ledger_readable())
		mode_read();
	if (mode.kind != MODE_NORMAL && GetCurrentTimestamp() >= mode.until)
		return MODE_NORMAL;
	return mode.kind;
}

/*
 * Reads the entries about modes since the last epoch, the newest first, down
 * to the last one that made the database read only.
 */
static void
mode_read(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "migmgr mode", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TimestampTz replaced = DT_NOEND;
	int64		epoch = 0;
	uint64		before = mode_changes;
	bool		newest = true;
	OwnTable   *table;

	memset(&mode, 0, sizeof(mode));
	mode.silent_until = DT_NOBEGIN;
	judged_user = InvalidOid;
	mode_relid = ledger_relid();
	if (ledger_state() == LEDGER_IN_FORCE)
	{
		table = own_open(MIGMGR_SCHEMA, "ledger", AccessShareLock);
		own_scan(table, "ledger_event", BackwardScanDirection, BTEqualStrategyNumber, CStringGetTextDatum("epoch"));
		if (own_next(table))
			epoch = own_int64(table, "seq");
		own_scan(table, "ledger_event", BackwardScanDirection, BTEqualStrategyNumber, CStringGetTextDatum("mode"));
		while (own_next(table) && own_int64(table, "seq") > epoch)
		{
			char	   *detail = own_text(table, "detail");

			if (newest)
				mode_take(table);
			newest = false;
			if (mode_kind(detail) == MODE_READ_ONLY)
			{
				mode.silent_until = Min(mode_end(detail), replaced);
				break;
			}
			replaced = own_int64(table, "at");
		}
		own_close(table);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	mode_valid = mode_changes == before;
}

/* Takes the entry that the table is at as the mode that holds. */
static void
mode_take(OwnTable *table)
{
	char	   *detail = own_text(table, "detail");
	char	   *reason = ledger_field(detail, "reason");

	mode.kind = mode_kind(detail);
	mode.until = mode_end(detail);
	keep_time(mode.since, own_int64(table, "at"));
	keep_time(mode.end, mode.until);
	strlcpy(mode.by, own_text(table, "role"), sizeof(mode.by));
	strlcpy(mode.reason, reason == NULL ? "" : reason, sizeof(mode.reason));
}

static ModeKind
mode_kind(const char *detail)
{
	char	   *name = ledger_field(detail, "mode");

	if (name == NULL)
		return MODE_NORMAL;
	return strcmp(name, "frozen") == 0 ? MODE_FROZEN :
		strcmp(name, "read only") == 0 ? MODE_READ_ONLY : MODE_NORMAL;
}

static TimestampTz
mode_end(const char *detail)
{
	char	   *until = ledger_field(detail, "until");

	if (until == NULL)
		return DT_NOEND;
	return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(until),
												   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/* In UTC, to the second, as all times in messages of the ledger. */
static void
keep_time(char *into, TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (TIMESTAMP_NOT_FINITE(at) || timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		strlcpy(into, "somebody ends it", MAXDATELEN);
	else
		snprintf(into, MAXDATELEN, "%04d-%02d-%02d %02d:%02d:%02d UTC",
				 tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* See mode.h. */
bool
mode_excuses_silence(int64 stale_us)
{
	if (mode_now() == MODE_READ_ONLY)
		return true;
	return mode.silent_until != DT_NOBEGIN &&
		GetCurrentTimestamp() < mode.silent_until + stale_us;
}

/* See mode.h.  A migration has been asked about as a whole. */
void
mode_check_ddl(const Verdict *verdict)
{
	char	   *waiver;

	if (mode_now() != MODE_FROZEN)
		return;
	waiver = waived(NULL);
	if (waiver == NULL)
		refuse_frozen(psprintf("cannot %s", verdict->deed), NULL);
	ereport(WARNING,
			(errcode(ERRCODE_MG_FROZEN),
			 errmsg("%s: database \"%s\" is frozen", verdict->deed, get_database_name(MyDatabaseId)),
			 errdetail_internal("%s", waiver)));
}

/* See mode.h.  May use up a waiver, which takes CHAIN. */
void
mode_check_run(const char *what, const char *version)
{
	char	   *waiver;

	if (mode_now() != MODE_FROZEN)
		return;
	waiver = waived(version);
	if (waiver == NULL)
		refuse_frozen(psprintf("cannot run %s", what), version);
	ereport(WARNING,
			(errcode(ERRCODE_MG_FROZEN),
			 errmsg("%s: database \"%s\" is frozen", what, get_database_name(MyDatabaseId)),
			 errdetail_internal("%s", waiver)));
}

/* The waiver that lets it pass, in words, or NULL. */
static char *
waived(const char *version)
{
	const char *args[1] = {version};
	char	   *words = NULL;
	MemoryContext caller = CurrentMemoryContext;
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	if (version != NULL)
		spi_exec("SELECT migmgr_internal.use_waiver('frozen', ARRAY[$1]) AS words", SPI_OK_SELECT, 1, args);
	else
		spi_exec("SELECT 'Waived by ' OPERATOR(pg_catalog.||) w.granted_by OPERATOR(pg_catalog.||) ': ' OPERATOR(pg_catalog.||) w.reason"
				 " OPERATOR(pg_catalog.||) '.' AS words FROM migmgr.waivers AS w"
				 " WHERE w.what = 'frozen' AND w.active AND w.version IS NULL LIMIT 1",
				 SPI_OK_SELECT, 0, NULL);
	if (SPI_processed > 0 && spi_text(0, "words") != NULL)
		words = MemoryContextStrdup(caller, spi_text(0, "words"));
	record_end(&scope);
	SPI_finish();
	return words;
}

static void
refuse_frozen(const char *deed, const char *version)
{
	const char *waiver = version == NULL ? "" :
		psprintf(", version => %s", quote_literal_cstr(version));

	ereport(ERROR,
			(errcode(ERRCODE_MG_FROZEN),
			 errmsg("%s: database \"%s\" is frozen", deed, get_database_name(MyDatabaseId)),
			 errdetail("By \"%s\" since %s, until %s: %s.", mode.by, mode.since, mode.end, mode.reason),
			 errhint("Wait for the end of it, or take responsibility: SELECT migmgr.waive('frozen', 'reason'%s);", waiver)));
}

/* See mode.h.  What only reads is not even asked about. */
void
mode_check_plan(const PlannedStmt *plan)
{
	ListCell   *lc;

	if ((plan->commandType == CMD_SELECT && !plan->hasModifyingCTE && plan->rowMarks == NIL) ||
		mode_now() != MODE_READ_ONLY || may_write())
		return;
	foreach(lc, plan->resultRelations)
	{
		if (!is_temporary(rt_fetch(lfirst_int(lc), plan->rtable)->relid))
			refuse_write(plan->commandType == CMD_SELECT ? "WITH" : GetCommandTagName(CreateCommandTag((Node *) plan)));
	}
	XactReadOnly = true;
}

/* See mode.h.  A statement that has no snapshot must not get one from us. */
void
mode_check_utility(Node *stmt)
{
	if (!ActiveSnapshotSet() || mode_now() != MODE_READ_ONLY || may_write())
		return;
	if (IsA(stmt, CopyStmt) && castNode(CopyStmt, stmt)->is_from &&
		!is_temporary(RangeVarGetRelid(castNode(CopyStmt, stmt)->relation, NoLock, true)))
		refuse_write("COPY FROM");
	XactReadOnly = true;
}

static bool
is_temporary(Oid relid)
{
	return OidIsValid(relid) && get_rel_persistence(relid) == RELPERSISTENCE_TEMP;
}

/*
 * migmgr's operators go on writing: whoever may set a flag.  It is asked
 * of the role that the session has set, not of the owner of a function.
 */
static bool
may_write(void)
{
	static const Oid types[] = {TEXTOID, INT4OID, TEXTOID};
	Oid			function;

	if (judged_user == GetOuterUserId())
		return judged_answer;
	/* not by the parser's way: whoever asks need not have USAGE on the schema */
	function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("set_flag"),
							   PointerGetDatum(buildoidvector(types, lengthof(types))),
							   ObjectIdGetDatum(get_namespace_oid(MIGMGR_SCHEMA, true)));
	judged_answer = OidIsValid(function) &&
		mg_function_aclcheck(function, GetOuterUserId(), ACL_EXECUTE) == ACLCHECK_OK;
	judged_user = GetOuterUserId();
	return judged_answer;
}

static void
refuse_write(const char *command)
{
	ereport(ERROR,
			(errcode(ERRCODE_MG_READ_ONLY),
			 errmsg("cannot execute %s: database \"%s\" is read only", command, get_database_name(MyDatabaseId)),
			 errdetail("By \"%s\" since %s, until %s: %s.", mode.by, mode.since, mode.end, mode.reason),
			 errhint("Wait for the end of it.  An admin of migmgr can end it: SELECT * FROM migmgr.set_mode('normal', 'reason');")));
}
