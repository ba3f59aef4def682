/*
 * image.h
 *	  What older objects were like before a script touched them.
 */
#ifndef MIGMGR_IMAGE_H
#define MIGMGR_IMAGE_H

#include "catalog/objectaddress.h"
#include "nodes/nodes.h"
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"

typedef struct Images Images;

/* Take images of what the script that is watched touches from here on. */
extern void image_begin(void);

/* From the guard: before a statement, before a drop, after a change. */
extern void image_statement(Node *parsetree);
extern void image_drop(Oid classid, Oid objid, int32 subid);
extern void image_created(Oid classid, Oid objid, int32 subid);
extern void image_altered(Oid classid, Oid objid, int32 subid);

/* Inside the room: what image_see.c finds. */
extern void image_see(Node *parsetree);
extern void image_want(Oid classid, Oid objid);
extern void image_want_renamed(ObjectAddress address);
extern void image_want_mentions(Oid classid, Oid objid, int32 subid);
extern void image_want_referenced(Oid relid);
extern bool image_shared(ObjectType type, Node *stmt);
extern void image_restart(List *options, const char *relation);
extern void image_want_column_mentions(Oid relid, const char *column);
extern void image_want_by_query(const char *sql, const char *arg);
extern void image_miss(const char *what);

extern void image_add(Oid classid, Oid objid);
extern void image_replaced(Oid classid, Oid objid);
extern void image_tangle(Oid classid, Oid objid);
extern bool image_is_made(Oid classid, Oid objid);

/* an object that the script has made and that is still there */
typedef struct ImageMade
{
	ObjectAddress address;
	Oid			whole;			/* what it is described with */
	bool		part;			/* ... is another object */
	bool		of_new;			/* ... made by the script, too */
} ImageMade;

/* Are images taken of the script that is watched? */
extern bool image_active(void);

/*
 * What the script has made, in order: a List of ImageMade *.  simple: it has
 * done nothing else.
 */
extern List *image_made(bool *simple);

/* What it has changed and nobody can describe: a List of char *. */
extern List *image_missed(void);

/*
 * Take none for a while: what runs is known to drop nothing but what the
 * script has made.  false also after an error while images were looked at.
 */
extern void image_pause(bool pause);

/* Has it touched more than it has made? */
extern bool image_any(void);

/* What it has touched, described: as it was, and as it is now. */
extern void image_result(char **before, char **after);

/*
 * After the way back of a script that has only made things: what is left of
 * them, as a List of char *.
 */
extern List *image_left_over(void);

#endif							/* MIGMGR_IMAGE_H */
