/*
 * classify.h
 *	  What a statement does: its class, its locks, what it rewrites and scans.
 */
#ifndef MIGMGR_CLASSIFY_H
#define MIGMGR_CLASSIFY_H

#include "nodes/nodes.h"
#include "nodes/pg_list.h"
#include "storage/lockdefs.h"

/* from harmless to worst; the class of a script is its worst statement's */
typedef enum MigClass
{
	CLASS_NONE,					/* changes no schema and no data: SELECT, SET */
	CLASS_ADDITIVE,
	CLASS_RELAXING,
	CLASS_REPLACING,
	CLASS_DATA,
	CLASS_RESTRICTIVE,
	CLASS_BLOCKING,
	CLASS_TYPE_CHANGE,
	CLASS_REWRITING,
	CLASS_SECURITY,
	CLASS_DESTRUCTIVE,
	CLASS_UNCLASSIFIED,
	CLASS_PROTECTED
} MigClass;

#define NUM_CLASSES (CLASS_PROTECTED + 1)

typedef enum Tristate
{
	TRI_NO, TRI_YES, TRI_UNKNOWN
} Tristate;

/* judgement of one statement (or of one object it drops) */
typedef struct Verdict
{
	MigClass	class;
	const char *rule;			/* stable rule identity: 'drop-column' */
	const char *command;		/* command tag: 'ALTER TABLE' */
	char	   *object;			/* what it is about: 'public.qc_jobs', or NULL */
	char	   *column;			/* the column it is about, or NULL */
	char	   *deed;			/* what it would do: 'drop table
								 * public.qc_jobs' */
	LOCKMODE	lock;			/* strongest lock on the named object */
	Tristate	rewrites;
	Tristate	scans;
	char	   *reason;			/* the fact behind the class, one sentence */
	char	   *hint;			/* the safe way, or NULL */
	Oid			relid;			/* relation it is about, or InvalidOid */
	Oid			namespace;		/* its schema, for exemptions; or InvalidOid */
	int			statement;		/* number and line in a script, 0 outside */
	int			line;

	bool		drops;			/* the class comes from a drop, so the access
								 * hook will see each object as it goes */
	bool		definition;		/* ... of definitions only: inside a script
								 * the net effect decides */
	bool		concurrent;		/* commits by itself: nothing may raise once
								 * it has begun */
	struct Verdict *firm;		/* when definition: the worst of its other
								 * parts, or NULL */
	List	   *parts;			/* of Verdict *: all that it does, in order */
} Verdict;

extern const char *class_name(MigClass class);
extern int	class_sqlstate(MigClass class);

/*
 * Judges one raw (or analysed utility) statement against the catalog as it is
 * now.  Never raises for an object that does not exist, takes no lock but a
 * conditional AccessShareLock that it gives back, assigns no transaction id.
 * The verdict and all it points to live in the current memory context.
 */
extern Verdict *classify_statement(Node *stmt);

#endif							/* MIGMGR_CLASSIFY_H */
