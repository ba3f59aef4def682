/*
 * login_guard.c
 *	  A login event trigger that loads the library into every session.
 *
 * Without preload a session has no hook before its first DDL, so a TRUNCATE
 * that comes first is not seen.  From 17 on an event trigger at login loads
 * the library: no restart, no superuser's configuration file.  The trigger
 * calls PL/pgSQL that swallows every error: with a function in C, a server
 * that has lost the library would let nobody in.
 *
 * The trigger belongs to the extension, so it is protected and goes with it.
 * A dump does not bring it back: a restored database begins without.
 */
#include "postgres.h"

#include "catalog/pg_event_trigger.h"
#include "commands/dbcommands.h"
#include "commands/event_trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "compat.h"
#include "ledger.h"
#include "spi_util.h"

#define LOGIN_TRIGGER	"migmgr_guard_login"

PG_FUNCTION_INFO_V1(migmgr_load);
PG_FUNCTION_INFO_V1(migmgr_enable_login_guard);
PG_FUNCTION_INFO_V1(migmgr_disable_login_guard);

static void check_server(void);
static void check_superuser(const char *what);
static void record_login_guard(bool enabled);
static Datum say(const char *what);

/* migmgr_internal.load(): being called is all it does. */
Datum
migmgr_load(PG_FUNCTION_ARGS)
{
	PG_RETURN_VOID();
}

static void
check_server(void)
{
	if (mg_has_login_event)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("the login guard needs PostgreSQL 17"),
			 errdetail("This is PostgreSQL %s, where no event trigger fires at login.", PG_VERSION),
			 errhint("Load migmgr with every session instead: ALTER DATABASE %s SET session_preload_libraries = 'migmgr';",
					 quote_identifier(get_database_name(MyDatabaseId)))));
}

static void
check_superuser(const char *what)
{
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s the login guard", what),
				 errdetail("Only a superuser may change what happens at every login.")));
}

static void
record_login_guard(bool enabled)
{
	LedgerEntry entry = {.event = "login guard"};

	entry.detail = enabled ? "{\"enabled\": true}" : "{\"enabled\": false}";
	ledger_append(&entry);
}

static Datum
say(const char *what)
{
	return PointerGetDatum(cstring_to_text(psprintf("%s: database %s", what, get_database_name(MyDatabaseId))));
}

/*
 * migmgr.enable_login_guard(): makes the trigger, or puts it right.  The
 * statements are migmgr's own, so the guard does not look at them.
 */
Datum
migmgr_enable_login_guard(PG_FUNCTION_ARGS)
{
	RecordScope scope;

	check_server();
	check_superuser("enable");
	SPI_connect();
	record_begin(&scope);
	if (!OidIsValid(get_event_trigger_oid(LOGIN_TRIGGER, true)))
	{
		spi_exec("CREATE EVENT TRIGGER " LOGIN_TRIGGER " ON login"
				 " EXECUTE FUNCTION migmgr_internal.guard_login()", SPI_OK_UTILITY, 0, NULL);
		spi_exec("COMMENT ON EVENT TRIGGER " LOGIN_TRIGGER
				 " IS 'migmgr: loads the guard at login'", SPI_OK_UTILITY, 0, NULL);
		spi_exec("ALTER EXTENSION migmgr ADD EVENT TRIGGER " LOGIN_TRIGGER, SPI_OK_UTILITY, 0, NULL);
	}
	spi_exec("ALTER EVENT TRIGGER " LOGIN_TRIGGER " ENABLE ALWAYS", SPI_OK_UTILITY, 0, NULL);
	record_end(&scope);
	SPI_finish();
	record_login_guard(true);
	return say("every new session loads migmgr when it logs in");
}

/* migmgr.disable_login_guard(): the audited way to be rid of it. */
Datum
migmgr_disable_login_guard(PG_FUNCTION_ARGS)
{
	RecordScope scope;

	check_superuser("disable");
	if (!OidIsValid(get_event_trigger_oid(LOGIN_TRIGGER, true)))
		return say("there is no login guard");
	SPI_connect();
	record_begin(&scope);
	spi_exec("ALTER EXTENSION migmgr DROP EVENT TRIGGER " LOGIN_TRIGGER, SPI_OK_UTILITY, 0, NULL);
	spi_exec("DROP EVENT TRIGGER " LOGIN_TRIGGER, SPI_OK_UTILITY, 0, NULL);
	record_end(&scope);
	SPI_finish();
	record_login_guard(false);
	return say("new sessions load migmgr with their first DDL only");
}
