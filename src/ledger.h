/*
 * ledger.h
 *	  The append-only chain of everything that happened, and who may write it.
 */
#ifndef MIGMGR_LEDGER_H
#define MIGMGR_LEDGER_H

#include "utils/jsonb.h"

/* where this ledger stands: see "Home" in the manual */
typedef enum LedgerState
{
	LEDGER_ABSENT,				/* migmgr is not installed in this database */
	LEDGER_NEW,					/* no entry yet */
	LEDGER_RESTORED,			/* its last epoch names another home */
	LEDGER_IN_FORCE
} LedgerState;

/* what an appender says; the rest (who, when, hash) the ledger knows itself */
typedef struct LedgerEntry
{
	const char *event;			/* 'applied', 'rolled back', 'watch', ... */
	const char *version;		/* or NULL */
	const char *name;			/* or NULL */
	const char *checksum;		/* of the script, or NULL */
	const char *detail;			/* JSON object as text, or NULL for {} */
} LedgerEntry;

/* saved identity while migmgr's own code writes; see record_begin */
typedef struct RecordScope
{
	bool		nested;			/* in another scope: nothing to give back */
	Oid			save_userid;
	int			save_sec_context;
	int			save_nestlevel;
} RecordScope;

extern void ledger_init(void);

extern Oid	ledger_relid(void);
extern Oid	ledger_owner(void);
extern Oid	ledger_extension(void);
extern LedgerState ledger_state(void);
extern bool ledger_recording(void);
extern char *ledger_home(void);
extern char *ledger_client(void);

/*
 * True when the ledger can be read without a wait: for what an ordinary
 * statement asks, which may never wait for migmgr.  The locks stay.
 */
extern bool ledger_readable(void);

/* a member of the detail of an entry as text, or NULL */
extern char *ledger_field(const char *detail, const char *key);

/* takes CHAIN, writes the epoch first when this home has none; returns seq */
extern int64 ledger_append(const LedgerEntry *entry);

/* Raises MG303 in a restored or copied database that was not resumed. */
extern void ledger_check_home(void);

/*
 * Raises 40001 when this transaction's snapshot is older than the head: what
 * it would decide on is no longer true.
 */
extern void ledger_check_snapshot(void);

/*
 * Between the two, SQL run through SPI is migmgr's own: current user is the
 * ledger's owner, search_path is pinned, the row guard admits its rows.
 * Never run a caller's SQL inside.  On error the state comes back by itself
 * (subtransaction or transaction abort); record_end is for the normal way.
 */
extern void record_begin(RecordScope *scope);
extern void record_end(RecordScope *scope);

#endif							/* MIGMGR_LEDGER_H */
