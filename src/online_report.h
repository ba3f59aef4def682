/*
 * online_report.h
 *	  Between a worker and whoever waits for it: how it starts, what it says.
 */
#ifndef MIGMGR_ONLINE_REPORT_H
#define MIGMGR_ONLINE_REPORT_H

#include "storage/dsm.h"
#include "storage/s_lock.h"
#include "storage/spin.h"

#define PROGRESS_LINES 16
#define PROGRESS_LENGTH 256

/* what a worker is told, in bgw_extra */
typedef struct OnlineStart
{
	Oid			database;
	Oid			session_user;
	int64		ticket;
	dsm_handle	report;
} OnlineStart;

typedef enum ReportStage
{
	REPORT_NONE, REPORT_DONE, REPORT_ERROR, REPORT_BUSY
} ReportStage;

/* in shared memory; the waiter reads all but the lines when the worker is gone */
struct OnlineReport
{
	slock_t		mutex;			/* of the lines */
	int			lines;			/* written so far; the last few are kept */
	char		progress[PROGRESS_LINES][PROGRESS_LENGTH];
	char		current[PROGRESS_LENGTH];	/* what runs now */
	pid_t		waiter;
	ReportStage stage;
	int			sqlstate;
	char		message[2048];
	char		detail[4096];
	char		hint[1024];
	char		context[1024];
	char		status[32];
	char		class[32];
	char		reversible[256];
	int			statements;
	int64		ms;
};

#endif							/* MIGMGR_ONLINE_REPORT_H */
