/*
 * overlay.h
 *	  What earlier statements of a script that is only planned would have done.
 *
 * While an overlay is in use the fact_... functions answer as if those
 * statements had run.  What does not exist yet gets a made-up OID, which no
 * catalog knows: whoever asks a catalog about it finds nothing.
 */
#ifndef MIGMGR_OVERLAY_H
#define MIGMGR_OVERLAY_H

#include "nodes/parsenodes.h"

#include "script.h"

/* a column that the script adds, changes or drops */
typedef struct OverlayColumn
{
	char	   *name;
	bool		gone;
	bool		added;
	bool		retyped;		/* its type is no longer what the catalog says */
	bool		not_null;
	bool		has_default;
	AttrNumber	attnum;			/* in the catalog, or InvalidAttrNumber */
} OverlayColumn;

/* a relation that the script makes or changes */
typedef struct OverlayRelation
{
	Oid			relid;			/* hash key */
	int			made_by;		/* number of the statement, 0: it exists */
	bool		gone;
	Oid			namespace;
	char	   *name;
	char		relkind;
	char		persistence;
	Oid			table;			/* of an index */
	bool		filled;			/* may have rows that the catalog cannot know */
	bool		grown;			/* ... so many that it may be large */
	bool		emptied;
	List	   *columns;		/* of OverlayColumn * */
	List	   *checks;			/* of Constraint *: CHECKs that are validated */
	List	   *unchecked;		/* of Constraint *: those that are not yet */
} OverlayRelation;

/* is one in use?  Then these are worth asking. */
extern bool overlay_in_use;

extern void overlay_each(Script *script, bool guess,
						 void (*fn) (ScriptStatement *statement, void *arg), void *arg);
extern void overlay_begin(bool guess);
extern void overlay_end(void);
extern bool overlay_guesses(void);

extern bool overlay_find(Oid classid, Oid scope, const char *name, Oid *objid);
extern int	overlay_made_by(Oid objid);
extern bool overlay_dropped(Oid classid, Oid scope, const char *name);
extern OverlayRelation *overlay_relation(Oid relid);
extern OverlayColumn *overlay_column(Oid relid, const char *name);
extern List *overlay_search_path(bool implicit);
extern char *overlay_identity(Oid objid);
extern Oid	overlay_scope(Oid objid);

/* the drops of a statement: did all come back later? */
extern bool overlay_came_back(int statement, int *by, List **objids);

/* ... or is there one that did not, as far as the overlay knows its kind? */
extern bool overlay_stays_dropped(int statement);

/* overlay_note.c takes effects in by these */
extern void overlay_begin_statement(int number);
extern Oid	overlay_make(Oid classid, Oid scope, const char *name);
extern Oid	overlay_make_relation(Oid namespace, const char *name, char relkind, char persistence);
extern void overlay_drop(Oid classid, Oid scope, const char *name, Oid objid);
extern void overlay_move(Oid classid, Oid objid, Oid scope, const char *name, Oid to_scope, const char *to_name);
extern OverlayRelation *overlay_change(Oid relid);
extern OverlayColumn *overlay_change_column(Oid relid, const char *name);
extern Oid	overlay_temporary(void);
extern char *overlay_function_name(const char *name, const Oid *types, int count);
extern MemoryContext overlay_context(void);

#endif							/* MIGMGR_OVERLAY_H */
