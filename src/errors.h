/*
 * errors.h
 *	  SQLSTATEs of migmgr: class MG.
 *
 * MG0xx is a request that cannot be understood, MG1xx a refusal by the guard,
 * MG2xx a migration that cannot run or failed, MG3xx the ledger, MG4xx jobs
 * and schedules.  The README lists them; callers may rely on them:
 *
 *	  EXCEPTION WHEN SQLSTATE 'MG101' THEN ...
 */
#ifndef MIGMGR_ERRORS_H
#define MIGMGR_ERRORS_H

/* MG0xx: the request */
#define ERRCODE_MG_BAD_VERSION			MAKE_SQLSTATE('M','G','0','0','1')
#define ERRCODE_MG_BAD_SCRIPT			MAKE_SQLSTATE('M','G','0','0','2')
#define ERRCODE_MG_TRANSACTION_CONTROL	MAKE_SQLSTATE('M','G','0','0','3')
#define ERRCODE_MG_BAD_CHECKSUM			MAKE_SQLSTATE('M','G','0','0','4')
#define ERRCODE_MG_CHECKSUM_MISMATCH	MAKE_SQLSTATE('M','G','0','0','5')
#define ERRCODE_MG_BAD_OPTION			MAKE_SQLSTATE('M','G','0','0','6')
#define ERRCODE_MG_UNKNOWN_VERSION		MAKE_SQLSTATE('M','G','0','0','7')
#define ERRCODE_MG_SAME_CONTENT			MAKE_SQLSTATE('M','G','0','0','8')
#define ERRCODE_MG_BAD_STATEMENT		MAKE_SQLSTATE('M','G','0','0','9')

/* MG1xx: refused by the guard; MG101 to MG109 are one per class */
#define ERRCODE_MG_DESTRUCTIVE			MAKE_SQLSTATE('M','G','1','0','1')
#define ERRCODE_MG_REWRITING			MAKE_SQLSTATE('M','G','1','0','2')
#define ERRCODE_MG_BLOCKING				MAKE_SQLSTATE('M','G','1','0','3')
#define ERRCODE_MG_RESTRICTIVE			MAKE_SQLSTATE('M','G','1','0','4')
#define ERRCODE_MG_SECURITY				MAKE_SQLSTATE('M','G','1','0','5')
#define ERRCODE_MG_TYPE_CHANGE			MAKE_SQLSTATE('M','G','1','0','6')
#define ERRCODE_MG_DATA					MAKE_SQLSTATE('M','G','1','0','7')
#define ERRCODE_MG_PROTECTED			MAKE_SQLSTATE('M','G','1','0','8')
#define ERRCODE_MG_UNCLASSIFIED			MAKE_SQLSTATE('M','G','1','0','9')
#define ERRCODE_MG_DIRECT_DDL			MAKE_SQLSTATE('M','G','1','1','0')

/* MG2xx: running */
#define ERRCODE_MG_VERSION_CHANGED		MAKE_SQLSTATE('M','G','2','0','1')
#define ERRCODE_MG_OUT_OF_ORDER			MAKE_SQLSTATE('M','G','2','0','2')
#define ERRCODE_MG_EARLIER_FAILED		MAKE_SQLSTATE('M','G','2','0','3')
#define ERRCODE_MG_LOCKED				MAKE_SQLSTATE('M','G','2','0','4')
#define ERRCODE_MG_NESTED				MAKE_SQLSTATE('M','G','2','0','5')
#define ERRCODE_MG_IDENTITY_CHANGED		MAKE_SQLSTATE('M','G','2','0','6')
#define ERRCODE_MG_VERIFY_FAILED		MAKE_SQLSTATE('M','G','2','0','7')
#define ERRCODE_MG_NO_ROLLBACK			MAKE_SQLSTATE('M','G','2','0','8')
#define ERRCODE_MG_NOT_APPLIED			MAKE_SQLSTATE('M','G','2','0','9')
#define ERRCODE_MG_ROLLBACK_DATA		MAKE_SQLSTATE('M','G','2','1','0')
#define ERRCODE_MG_ROLLBACK_DEPENDS		MAKE_SQLSTATE('M','G','2','1','1')
#define ERRCODE_MG_LOCK_TIMEOUT			MAKE_SQLSTATE('M','G','2','1','2')
#define ERRCODE_MG_PREPARE				MAKE_SQLSTATE('M','G','2','1','3')
#define ERRCODE_MG_ARCHIVE				MAKE_SQLSTATE('M','G','2','1','4')
#define ERRCODE_MG_NOT_REVERSIBLE		MAKE_SQLSTATE('M','G','2','1','5')
#define ERRCODE_MG_ROLLBACK_CHANGED		MAKE_SQLSTATE('M','G','2','1','6')
#define ERRCODE_MG_SNAPSHOT				MAKE_SQLSTATE('M','G','2','1','7')
#define ERRCODE_MG_DIVERGED				MAKE_SQLSTATE('M','G','2','2','5')
#define ERRCODE_MG_REPLACES				MAKE_SQLSTATE('M','G','2','2','6')
#define ERRCODE_MG_FOREIGN				MAKE_SQLSTATE('M','G','2','2','7')
#define ERRCODE_MG_NEEDS_TOP_LEVEL		MAKE_SQLSTATE('M','G','2','3','0')
#define ERRCODE_MG_TOO_LARGE			MAKE_SQLSTATE('M','G','2','3','1')
#define ERRCODE_MG_NEEDS_WORKER			MAKE_SQLSTATE('M','G','2','3','5')
#define ERRCODE_MG_NO_WORKER			MAKE_SQLSTATE('M','G','2','3','6')
#define ERRCODE_MG_WORKER_ENDED			MAKE_SQLSTATE('M','G','2','3','7')
#define ERRCODE_MG_FOREIGN_INDEX		MAKE_SQLSTATE('M','G','2','3','8')
#define ERRCODE_MG_NOT_SUBMITTED		MAKE_SQLSTATE('M','G','2','3','9')

/* MG25x: what must surround a migration */
#define ERRCODE_MG_NOT_APPROVED			MAKE_SQLSTATE('M','G','2','5','0')
#define ERRCODE_MG_OUTSIDE_WINDOW		MAKE_SQLSTATE('M','G','2','5','1')
#define ERRCODE_MG_NO_BACKUP			MAKE_SQLSTATE('M','G','2','5','2')
#define ERRCODE_MG_NOT_STAGED			MAKE_SQLSTATE('M','G','2','5','3')
#define ERRCODE_MG_CHECK_FAILED			MAKE_SQLSTATE('M','G','2','5','4')
#define ERRCODE_MG_BAD_RECEIPT			MAKE_SQLSTATE('M','G','2','5','5')
#define ERRCODE_MG_BAD_NAME				MAKE_SQLSTATE('M','G','2','5','6')

/* MG3xx: the ledger */
#define ERRCODE_MG_LEDGER_ROW			MAKE_SQLSTATE('M','G','3','0','1')
#define ERRCODE_MG_LEDGER_CHAIN			MAKE_SQLSTATE('M','G','3','0','2')
#define ERRCODE_MG_RESTORED				MAKE_SQLSTATE('M','G','3','0','3')

/* MG4xx: jobs, dead letters, schedules */
#define ERRCODE_MG_NOT_WATCHED			MAKE_SQLSTATE('M','G','4','0','1')
#define ERRCODE_MG_BAD_JOB_TABLE		MAKE_SQLSTATE('M','G','4','0','2')
#define ERRCODE_MG_JOB_PRIVILEGE		MAKE_SQLSTATE('M','G','4','0','3')
#define ERRCODE_MG_NO_CRON				MAKE_SQLSTATE('M','G','4','0','4')
#define ERRCODE_MG_CRON_ELSEWHERE		MAKE_SQLSTATE('M','G','4','0','5')
#define ERRCODE_MG_DLQ					MAKE_SQLSTATE('M','G','4','0','6')

/* MG270 to MG279: flags and modes; those without a name are raised in SQL */
#define ERRCODE_MG_FROZEN				MAKE_SQLSTATE('M','G','2','7','0')
#define ERRCODE_MG_READ_ONLY			MAKE_SQLSTATE('M','G','2','7','1')
/* MG272: the flag is not known */
/* MG273: the flag's migration is not applied */
#define ERRCODE_MG_SOAKS				MAKE_SQLSTATE('M','G','2','7','4')

#endif							/* MIGMGR_ERRORS_H */
