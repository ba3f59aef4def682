/*
 * overlay.c
 *	  What earlier statements of a script that is only planned would have done.
 *
 * A plan must know in line 9 that line 1 makes the table, and may run neither.
 * So each statement's effect on names is noted here, by overlay_note.c, and the
 * facts look here before they look into the catalog.  Names are kept by the
 * same keys that the catalogs have: class, schema or relation, name.
 *
 * It is kept for one call, in a context of its own; whoever begins one ends it
 * in PG_FINALLY.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "compat.h"
#include "facts.h"
#include "overlay.h"

/* made-up OIDs count down from here; no cluster has come that far */
#define FIRST_MADE_OID	((Oid) 4294967000U)

/* a name, and what it stands for by now */
typedef struct OverlayName
{
	char		key[NAMEDATALEN * 4];	/* class/scope/name; a hash of longer
										 * ones */
	Oid			objid;			/* InvalidOid: nothing */
	Oid			before;			/* what it stood for before the script dropped
								 * it */
	char		relkind;		/* of that, if it was a relation */
	int			dropped_by;
	int			back_by;
} OverlayName;

/* an object that the script makes */
typedef struct OverlayObject
{
	Oid			classid;
	Oid			scope;
	char	   *name;
	int			statement;
} OverlayObject;

typedef struct Overlay
{
	MemoryContext context;
	int			statement;		/* whose effects are taken in */
	bool		guesses;
	HTAB	   *names;
	HTAB	   *relations;
	OverlayObject *made;		/* the first has FIRST_MADE_OID, the next one
								 * less */
	int			made_count;
	int			made_size;
	List	   *drops;			/* of OverlayName * */
	Oid			temporary;		/* schema of temporary objects, once there are */
} Overlay;

bool		overlay_in_use = false;
static Overlay *overlay = NULL;

static void name_key(char *key, Oid classid, Oid scope, const char *name);
static OverlayName *name_entry(Oid classid, Oid scope, const char *name, bool create);
static OverlayObject *made_object(Oid objid);
static void add_path(List **path, Oid namespace);

/* Begins one; guess as overlay_each has it. */
void
overlay_begin(bool guess)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "migmgr overlay",
												  ALLOCSET_DEFAULT_SIZES);
	HASHCTL		names = {
		.keysize = sizeof(((OverlayName *) 0)->key),
		.entrysize = sizeof(OverlayName),
		.hcxt = context,
	};
	HASHCTL		relations = {
		.keysize = sizeof(Oid),
		.entrysize = sizeof(OverlayRelation),
		.hcxt = context,
	};

	overlay = MemoryContextAllocZero(context, sizeof(Overlay));
	overlay->context = context;
	overlay->guesses = guess;
	overlay->names = hash_create("migmgr names", 256, &names, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	overlay->relations = hash_create("migmgr relations", 64, &relations, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	overlay_in_use = true;
}

/* Forgets it; also when there is none. */
void
overlay_end(void)
{
	overlay_in_use = false;
	if (overlay != NULL)
		MemoryContextDelete(overlay->context);
	overlay = NULL;
}

bool
overlay_guesses(void)
{
	return overlay->guesses;
}

MemoryContext
overlay_context(void)
{
	return overlay->context;
}

/* From now on effects are those of this statement. */
void
overlay_begin_statement(int number)
{
	overlay->statement = number;
}

static void
name_key(char *key, Oid classid, Oid scope, const char *name)
{
	int			length = snprintf(key, NAMEDATALEN * 4, "%u/%u/%s", classid, scope, name);

	/* a function with many arguments */
	if (length >= NAMEDATALEN * 4)
		snprintf(key, NAMEDATALEN * 4, "%u/%u/#%u/%.*s", classid, scope,
				 string_hash(name, strlen(name) + 1), NAMEDATALEN, name);
}

static OverlayName *
name_entry(Oid classid, Oid scope, const char *name, bool create)
{
	char		key[NAMEDATALEN * 4];
	OverlayName *entry;
	bool		found;

	name_key(key, classid, scope, name);
	entry = hash_search(overlay->names, key, create ? HASH_ENTER : HASH_FIND, &found);
	if (create && !found)
		memset((char *) entry + sizeof(entry->key), 0, sizeof(OverlayName) - sizeof(entry->key));
	return entry;
}

/*
 * Does the script say what this name stands for?  *objid: the object, or
 * InvalidOid when it is gone.
 */
bool
overlay_find(Oid classid, Oid scope, const char *name, Oid *objid)
{
	OverlayName *entry = overlay_in_use ? name_entry(classid, scope, name, false) : NULL;

	if (entry == NULL)
		return false;
	*objid = entry->objid;
	return true;
}

static OverlayObject *
made_object(Oid objid)
{
	if (!overlay_in_use || objid > FIRST_MADE_OID || FIRST_MADE_OID - objid >= (Oid) overlay->made_count)
		return NULL;
	return &overlay->made[FIRST_MADE_OID - objid];
}

/* Number of the statement that makes an object; 0: none, it exists. */
int
overlay_made_by(Oid objid)
{
	OverlayObject *made = made_object(objid);

	return made == NULL ? 0 : made->statement;
}

/* Schema or relation of an object that the script makes. */
Oid
overlay_scope(Oid objid)
{
	OverlayObject *made = made_object(objid);

	return made == NULL ? InvalidOid : made->scope;
}

/* "schema.name" (or "name on schema.table") of an object that the script makes, or NULL. */
char *
overlay_identity(Oid objid)
{
	OverlayObject *made = made_object(objid);
	char	   *name;

	if (made == NULL)
		return NULL;
	if (made->classid == TriggerRelationId || made->classid == PolicyRelationId ||
		made->classid == RewriteRelationId || made->classid == ConstraintRelationId)
	{
		RelFacts	rel;

		return fact_relation(made->scope, &rel) ?
			psprintf("%s on %s", quote_identifier(made->name), rel.name) : pstrdup(made->name);
	}
	/* a function is kept with its argument types */
	name = made->classid == ProcedureRelationId ? pnstrdup(made->name, strcspn(made->name, "(")) : made->name;
	return quote_qualified_identifier(fact_namespace_name(made->scope), name);
}

/* Has the script dropped an object of this name that existed before? */
bool
overlay_dropped(Oid classid, Oid scope, const char *name)
{
	OverlayName *entry = overlay_in_use ? name_entry(classid, scope, name, false) : NULL;

	return entry != NULL && entry->dropped_by != 0;
}

/* A name that stands for something new from now on; the made-up OID. */
Oid
overlay_make(Oid classid, Oid scope, const char *name)
{
	OverlayName *entry = name_entry(classid, scope, name, true);
	OverlayObject *made;

	if (overlay->made_count == overlay->made_size)
	{
		overlay->made_size = Max(64, overlay->made_size * 2);
		overlay->made = overlay->made == NULL ?
			MemoryContextAlloc(overlay->context, overlay->made_size * sizeof(OverlayObject)) :
			repalloc(overlay->made, overlay->made_size * sizeof(OverlayObject));
	}
	made = &overlay->made[overlay->made_count];
	made->classid = classid;
	made->scope = scope;
	made->name = MemoryContextStrdup(overlay->context, name);
	made->statement = overlay->statement;
	entry->objid = FIRST_MADE_OID - overlay->made_count++;
	if (entry->dropped_by != 0)
		entry->back_by = overlay->statement;
	return entry->objid;
}

/* Likewise for a relation. */
Oid
overlay_make_relation(Oid namespace, const char *name, char relkind, char persistence)
{
	Oid			relid = overlay_make(RelationRelationId, namespace, name);
	OverlayName *entry = name_entry(RelationRelationId, namespace, name, false);
	OverlayRelation *rel = overlay_change(relid);

	rel->made_by = overlay->statement;
	rel->namespace = namespace;
	rel->name = MemoryContextStrdup(overlay->context, name);
	rel->relkind = relkind;
	rel->persistence = persistence;
	if (entry->relkind != relkind)
		entry->back_by = 0;
	return relid;
}

/* A name that stands for nothing from now on. */
void
overlay_drop(Oid classid, Oid scope, const char *name, Oid objid)
{
	char		relkind = classid == RelationRelationId ? get_rel_relkind(objid) : 0;
	OverlayName *entry = name_entry(classid, scope, name, true);
	OverlayRelation *rel = classid == RelationRelationId ? overlay_change(objid) : NULL;

	entry->objid = InvalidOid;
	if (rel != NULL)
		rel->gone = true;
	entry->back_by = 0;
	if (made_object(objid) == NULL && entry->dropped_by == 0)
	{
		entry->before = objid;
		entry->relkind = relkind;
		entry->dropped_by = overlay->statement;
		overlay->drops = lappend(overlay->drops, entry);
	}
}

/* An object has another name or schema from now on. */
void
overlay_move(Oid classid, Oid objid, Oid scope, const char *name, Oid to_scope, const char *to_name)
{
	OverlayObject *made = made_object(objid);
	OverlayName *entry = name_entry(classid, scope, name, true);

	entry->objid = InvalidOid;
	entry = name_entry(classid, to_scope, to_name, true);
	entry->objid = objid;
	if (made != NULL)
	{
		made->scope = to_scope;
		made->name = pstrdup(to_name);
	}
	if (classid == RelationRelationId)
	{
		OverlayRelation *rel = overlay_change(objid);

		rel->namespace = to_scope;
		rel->name = pstrdup(to_name);
	}
}

/* Are all definitions that a statement dropped made again?  *by: where. */
bool
overlay_came_back(int statement, int *by, List **objids)
{
	bool		result = false;
	ListCell   *lc;

	*by = 0;
	*objids = NIL;
	foreach(lc, overlay->drops)
	{
		OverlayName *entry = lfirst(lc);

		if (entry->dropped_by != statement)
			continue;
		if (entry->back_by == 0)
			return false;
		*by = Max(*by, entry->back_by);
		*objids = lappend_oid(*objids, entry->before);
		result = true;
	}
	return result;
}

/* Is there something that a statement dropped and no later one makes again? */
bool
overlay_stays_dropped(int statement)
{
	ListCell   *lc;

	foreach(lc, overlay->drops)
	{
		const OverlayName *entry = lfirst(lc);

		if (entry->dropped_by == statement && entry->back_by == 0)
			return true;
	}
	return false;
}

/* What the script does to a relation, or NULL. */
OverlayRelation *
overlay_relation(Oid relid)
{
	return overlay_in_use ? hash_search(overlay->relations, &relid, HASH_FIND, NULL) : NULL;
}

/* Likewise, made when there is nothing yet: as the catalog has it. */
OverlayRelation *
overlay_change(Oid relid)
{
	bool		found;
	OverlayRelation *rel = hash_search(overlay->relations, &relid, HASH_ENTER, &found);
	HeapTuple	tuple;

	if (found)
		return rel;
	memset(rel, 0, sizeof(OverlayRelation));
	rel->relid = relid;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		rel->namespace = form->relnamespace;
		rel->name = MemoryContextStrdup(overlay->context, NameStr(form->relname));
		rel->relkind = form->relkind;
		rel->persistence = form->relpersistence;
		ReleaseSysCache(tuple);
	}
	return rel;
}

/* What the script does to a column, or NULL. */
OverlayColumn *
overlay_column(Oid relid, const char *name)
{
	OverlayRelation *rel = overlay_relation(relid);
	OverlayColumn *result = NULL;
	ListCell   *lc;

	if (rel == NULL)
		return NULL;
	foreach(lc, rel->columns)
	{
		OverlayColumn *column = lfirst(lc);

		if (strcmp(column->name, name) == 0)
			result = column;
	}
	return result;
}

/* Likewise, made when there is nothing yet: as the catalog has it. */
OverlayColumn *
overlay_change_column(Oid relid, const char *name)
{
	OverlayColumn *column = overlay_column(relid, name);
	OverlayRelation *rel;
	HeapTuple	tuple;

	if (column != NULL)
		return column;
	rel = overlay_change(relid);
	column = palloc0(sizeof(OverlayColumn));
	column->name = pstrdup(name);
	tuple = SearchSysCacheAttName(relid, name);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_attribute att = (Form_pg_attribute) GETSTRUCT(tuple);

		column->attnum = att->attnum;
		column->not_null = att->attnotnull;
		column->has_default = att->atthasdef;
		ReleaseSysCache(tuple);
	}
	rel->columns = lappend(rel->columns, column);
	return column;
}

/* The schema that temporary objects of the script go to. */
Oid
overlay_temporary(void)
{
	if (!OidIsValid(overlay->temporary))
		overlay->temporary = overlay_make(NamespaceRelationId, InvalidOid, "pg_temp");
	return overlay->temporary;
}

static void
add_path(List **path, Oid namespace)
{
	if (OidIsValid(namespace) && !list_member_oid(*path, namespace))
		*path = lappend_oid(*path, namespace);
}

/*
 * The search path, with schemas that the script makes; implicit: with those
 * that are searched without being named.
 */
List *
overlay_search_path(bool implicit)
{
	char	   *setting = pstrdup(namespace_search_path);
	List	   *names = NIL;
	List	   *path = NIL;
	ListCell   *lc;

	if (implicit)
	{
		Oid			mine;
		Oid			toast;

		add_path(&path, overlay->temporary);
		GetTempNamespaceState(&mine, &toast);
		add_path(&path, mine);
	}
	(void) SplitIdentifierString(setting, ',', &names);
	if (implicit)
	{
		bool		named = false;

		foreach(lc, names)
			named |= strcmp(lfirst(lc), "pg_catalog") == 0;
		if (!named)
			add_path(&path, PG_CATALOG_NAMESPACE);
	}
	foreach(lc, names)
	{
		const char *name = lfirst(lc);
		Oid			namespace;

		if (strcmp(name, "$user") == 0)
			name = GetUserNameFromId(GetUserId(), true);
		if (name == NULL || strcmp(name, "pg_temp") == 0)
			continue;
		namespace = fact_namespace(name);
		if (OidIsValid(namespace) &&
			(overlay_made_by(namespace) != 0 ||
			 mg_namespace_aclcheck(namespace, GetUserId(), ACL_USAGE) == ACLCHECK_OK))
			add_path(&path, namespace);
	}
	return path;
}

/* How a function is named here: with the types of its input arguments. */
char *
overlay_function_name(const char *name, const Oid *types, int count)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "%s(", name);
	for (int i = 0; i < count; i++)
		appendStringInfo(&text, "%u,", types[i]);
	appendStringInfoChar(&text, ')');
	return text.data;
}
