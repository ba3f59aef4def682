/*
 * guc.c
 *	  All settings, sorted by name, one block each.
 *
 * Settings hold limits, never decisions: what is allowed is a policy entry in
 * the ledger.  A setting that could weaken the guard is superuser-only.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "guc.h"
#include "progress.h"

int			guc_apply_wait = 1000;
int			guc_check_timeout = 10000;
int			guc_lock_timeout = 2000;
int			guc_max_script_size = 16 * 1024;
char	   *guc_organisation_id = NULL;
char	   *guc_protected_databases = NULL;
int			guc_progress_messages = PROGRESS_AUTO;
int			guc_rehearse_limit = 256 * 1024;
int			guc_small_relation = 16 * 1024;
bool		guc_start_queued = true;

static const struct config_enum_entry progress_messages[] = {
	{"off", PROGRESS_OFF, false},
	{"auto", PROGRESS_AUTO, false},
	{"on", PROGRESS_ON, false},
	{NULL, 0, false}
};

/* Defines the settings and reserves the prefix; called once, on load. */
void
guc_init(void)
{
	DefineCustomIntVariable("migmgr.apply_wait",
							"Sets how long an apply waits for another one to finish.",
							"Then it fails and names the session that holds the lock.",
							&guc_apply_wait,
							1000, 0, 10000,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomIntVariable("migmgr.check_timeout",
							"Sets how long one named check may run.",
							"A check that runs longer is stopped, and counts as not passed.",
							&guc_check_timeout,
							10000, 1, 600000,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomIntVariable("migmgr.lock_timeout",
							"Sets the lock budget of one script.",
							"All statements of a script together wait no longer than this for locks.",
							&guc_lock_timeout,
							2000, 1, 600000,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomIntVariable("migmgr.max_script_size",
							"Sets the largest script that is accepted.",
							NULL,
							&guc_max_script_size,
							16 * 1024, 1, 512 * 1024,
							PGC_SUSET, GUC_UNIT_KB,
							NULL, NULL, NULL);

	DefineCustomStringVariable("migmgr.organisation_id",
							   "Sets the organisation whose dead letters a session may see.",
							   "For the row security of migmgr.job_dlq; set it with ALTER ROLE, or let a service set it.",
							   &guc_organisation_id,
							   "",
							   PGC_SUSET, 0,
							   NULL, NULL, NULL);

	DefineCustomEnumVariable("migmgr.progress_messages",
							 "Sets whether a run tells its client about each statement.",
							 "By INFO messages; \"auto\" is for psql, and only once a run has taken a second.",
							 &guc_progress_messages,
							 PROGRESS_AUTO, progress_messages,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);

	DefineCustomStringVariable("migmgr.protected_databases",
							   "Sets the databases that nobody may drop or rename.",
							   "A list of names, for the server's configuration file: it counts in every database of a server that preloads migmgr, with or without migmgr in it.",
							   &guc_protected_databases,
							   "",
							   PGC_SIGHUP, GUC_LIST_INPUT,
							   NULL, NULL, NULL);

	DefineCustomIntVariable("migmgr.rehearse_limit",
							"Sets the size of a table up to which a rehearsal reads or writes it as a whole.",
							"Above it rehearse() refuses, unless its option max_size says otherwise.",
							&guc_rehearse_limit,
							256 * 1024, 0, 1024 * 1024 * 1024,
							PGC_USERSET, GUC_UNIT_KB,
							NULL, NULL, NULL);

	DefineCustomIntVariable("migmgr.small_relation",
							"Sets the size below which blocking and rewriting do not count.",
							"A statement that rewrites or locks a smaller relation is judged as if it did not.",
							&guc_small_relation,
							16 * 1024, 0, 1024 * 1024,
							PGC_SUSET, GUC_UNIT_KB,
							NULL, NULL, NULL);

	DefineCustomBoolVariable("migmgr.start_queued",
							 "Sets whether queued migrations start by themselves after a restart.",
							 "By the launcher of a server that preloads migmgr; also when no background worker was free before.",
							 &guc_start_queued,
							 true,
							 PGC_SIGHUP, 0,
							 NULL, NULL, NULL);

	MarkGUCPrefixReserved("migmgr");
}
