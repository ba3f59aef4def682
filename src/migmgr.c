/*
 * migmgr.c
 *	  Module magic and initialisation, nothing else.
 *
 * Words used all over the source:
 *	  migration   a version, a name and SQL text
 *	  script      the text of a migration, or of its way back
 *	  statement   one statement of a script
 *	  class       what a statement does: additive, destructive, ...
 *	  verdict     the class of one statement, with the fact behind it
 *	  ledger      the append-only chain of everything that happened
 *	  entry       one row of the ledger
 *	  home        the database that a ledger belongs to
 *	  attempt     an apply or rollback that failed
 *	  job         a migration on its way in a background worker
 *	  watch       a job table that the watchdog sweeps
 *	  sweep       one pass over a watched job table
 */
#include "postgres.h"

#include "fmgr.h"

#include "flag.h"
#include "gate.h"
#include "guard.h"
#include "guc.h"
#include "launcher.h"
#include "ledger.h"
#include "mode.h"
#include "online.h"
#include "policy.h"
#include "progress_share.h"
#include "run.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

/*
 * Runs on preload, or when the first function of migmgr is called: both work.
 * Settings come first because the others read them; the guard comes last
 * because from then on DDL is judged.
 */
void
_PG_init(void)
{
	guc_init();
	ledger_init();
	policy_init();
	flag_init();
	mode_init();
	gate_init();
	progress_share_init();
	run_init();
	online_init();
	launcher_init();
	guard_init();
}
