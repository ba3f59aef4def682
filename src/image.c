/*
 * image.c
 *	  What older objects were like before a script touched them.
 *
 * An old snapshot does not show how an object was: pg_get_indexdef() and its
 * like answer with today's names.  So each object is described before the first
 * statement that touches it, under the lock of that statement, whole: a
 * relation with all its parts.  The guard shows every utility statement, nested
 * ones included, before it runs, and every object before it is dropped.  What
 * gets changed without having been shown is noted, so that nobody takes the
 * images for complete.  The cost is that of what is touched.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "facts.h"
#include "guard_state.h"
#include "image.h"
#include "ledger.h"
#include "protect.h"
#include "spi_util.h"

typedef struct ImageKey
{
	Oid			classid;
	Oid			objid;
	int32		subid;
} ImageKey;

typedef enum ImageState
{
	IMAGE_TAKEN,				/* described before it was touched */
	IMAGE_CREATED,				/* made by this script */
	IMAGE_ADDED,				/* older; the script has only made parts of it */
	IMAGE_MISSED				/* changed, and not described before */
} ImageState;

typedef struct ImageEntry
{
	ImageKey	key;
	ImageState	state;
} ImageEntry;

struct Images
{
	HTAB	   *entries;
	List	   *created;		/* of ImageEntry *, in order */
	List	   *before;			/* of char *: JSON arrays */
	List	   *missed;			/* of char * */
	List	   *pending;		/* of ObjectAddress *: to be described next */
	bool		tangled;		/* what was made was changed afterwards */
	bool		busy;			/* describing: what happens is our own doing */
};

/* what SQL functions take as parallel arrays */
typedef struct AddressArrays
{
	StringInfoData classids;
	StringInfoData objids;
	StringInfoData subids;
} AddressArrays;

static Images *images(void);
static ImageEntry *image_find(Oid classid, Oid objid, int32 subid);
static ImageEntry *image_enter(Oid classid, Oid objid, int32 subid, ImageState state);
static ImageState state_of_whole(Oid classid, Oid objid);
static ObjectAddress whole_of(Oid classid, Oid objid, bool self);
static bool is_clone(Oid classid, Oid objid);
static void take_wanted(void);
static char *described(const AddressArrays *addresses);
static void addresses_begin(AddressArrays *addresses);
static void addresses_add(AddressArrays *addresses, const ImageKey *key);
static void addresses_end(AddressArrays *addresses);
static char *identity_of(const ImageKey *key);
static bool is_whole(const ImageKey *key);
static void add_line(List **lines, char *line);

/* The images of the script that is watched; NULL: none are taken now. */
static Images *
images(void)
{
	Images	   *current = guard_script == NULL ? NULL : guard_script->images;

	return current == NULL || current->busy || creating_extension ? NULL : current;
}

void
image_begin(void)
{
	HASHCTL		ctl = {
		.keysize = sizeof(ImageKey),
		.entrysize = sizeof(ImageEntry),
		.hcxt = guard_script->context,
	};

	guard_script->images = MemoryContextAllocZero(guard_script->context, sizeof(Images));
	guard_script->images->entries = hash_create("migmgr images", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static ImageEntry *
image_find(Oid classid, Oid objid, int32 subid)
{
	ImageKey	key = {classid, objid, subid};

	return hash_search(guard_script->images->entries, &key, HASH_FIND, NULL);
}

/* The entry of an object; state is that of a new one. */
static ImageEntry *
image_enter(Oid classid, Oid objid, int32 subid, ImageState state)
{
	ImageKey	key = {classid, objid, subid};
	bool		found;
	ImageEntry *entry = hash_search(guard_script->images->entries, &key, HASH_ENTER, &found);

	if (!found)
		entry->state = state;
	return entry;
}

/* Before a statement of the script, or one that it runs: locks as it will. */
void
image_statement(Node *parsetree)
{
	if (images() == NULL)
		return;
	image_see(parsetree);
	take_wanted();
}

/* Before an object is dropped; it and its whole are still there. */
void
image_drop(Oid classid, Oid objid, int32 subid)
{
	ImageEntry *entry;

	if (images() == NULL)
		return;
	if (classid == AttrDefaultRelationId)
	{
		/* goes with its column, as it came with it */
		ObjectAddress column = GetAttrDefaultColumnAddress(objid);

		entry = image_find(column.classId, column.objectId, column.objectSubId);
	}
	else
		entry = image_find(classid, objid, subid);
	if (entry != NULL && entry->state == IMAGE_CREATED)
		return;
	image_want(classid, objid);
	take_wanted();
}

void
image_created(Oid classid, Oid objid, int32 subid)
{
	MemoryContext old;

	/* a default goes with its column, or was set by a statement that is seen */
	if (images() == NULL || classid == AttrDefaultRelationId || !is_objectclass_supported(classid) ||
		image_find(classid, objid, subid) != NULL)
		return;
	old = MemoryContextSwitchTo(guard_script->context);
	guard_script->images->created = lappend(guard_script->images->created,
											image_enter(classid, objid, subid, IMAGE_CREATED));
	MemoryContextSwitchTo(old);
}

/* A change after the fact: was it seen coming? */
void
image_altered(Oid classid, Oid objid, int32 subid)
{
	ObjectAddress whole;

	if (images() == NULL || image_find(classid, objid, subid) != NULL || image_find(classid, objid, 0) != NULL)
		return;
	whole = whole_of(classid, objid, true);
	if (OidIsValid(whole.objectId))
		image_enter(whole.classId, whole.objectId, 0, IMAGE_MISSED);
}

/*
 * A statement is about to change something so that it may need what was made
 * after it: if the script has made it, to drop all in the opposite order will
 * not do.
 */
void
image_tangle(Oid classid, Oid objid)
{
	ImageEntry *entry = OidIsValid(objid) ? image_find(classid, objid, 0) : NULL;

	if (entry != NULL && entry->state == IMAGE_CREATED)
		guard_script->images->tangled = true;
}

/* A statement is about to make a part of an object, and leave the rest alone. */
void
image_add(Oid classid, Oid objid)
{
	if (OidIsValid(objid))
		image_enter(classid, objid, 0, IMAGE_ADDED);
}

/*
 * A statement is about to replace a part of an object that is described
 * already: it is none that the script makes, though the server will report it
 * as made, and though this transaction may have made it before the script.
 */
void
image_replaced(Oid classid, Oid objid)
{
	if (OidIsValid(objid))
		image_enter(classid, objid, 0, IMAGE_TAKEN);
}

/*
 * The object that this one is described with: the relation of an index, a
 * trigger or the numbers of an identity column, the publication of a member.
 */
static ObjectAddress
whole_of(Oid classid, Oid objid, bool self)
{
	ObjectAddress whole;
	HeapTuple	row;
	Oid			other = InvalidOid;
	int32		column;

	ObjectAddressSet(whole, classid, objid);
	if (classid == RelationRelationId)
	{
		char		relkind = get_rel_relkind(objid);

		if (relkind == RELKIND_INDEX || relkind == RELKIND_PARTITIONED_INDEX)
			other = fact_index_table(objid);
		else if (relkind == RELKIND_COMPOSITE_TYPE)
			ObjectAddressSet(whole, TypeRelationId, get_rel_type_id(objid));
		else if (relkind == RELKIND_SEQUENCE && !sequenceIsOwned(objid, DEPENDENCY_INTERNAL, &other, &column))
			other = InvalidOid;
	}
	else if (classid == TriggerRelationId || classid == RewriteRelationId || classid == PolicyRelationId ||
			 classid == ConstraintRelationId || classid == AttrDefaultRelationId)
	{
		other = protect_relation_of(classid, objid, self);
		if (!OidIsValid(other) && classid == ConstraintRelationId && (row = fact_row(classid, objid, self)) != NULL)
			ObjectAddressSet(whole, TypeRelationId, ((Form_pg_constraint) GETSTRUCT(row))->contypid);
	}
	else if (classid == StatisticExtRelationId)
	{
		row = fact_row(classid, objid, self);
		if (HeapTupleIsValid(row))
			other = ((Form_pg_statistic_ext) GETSTRUCT(row))->stxrelid;
	}
	else if (classid == PublicationRelRelationId)
	{
		row = SearchSysCacheCopy1(PUBLICATIONREL, ObjectIdGetDatum(objid));
		if (HeapTupleIsValid(row))
			ObjectAddressSet(whole, PublicationRelationId, ((Form_pg_publication_rel) GETSTRUCT(row))->prpubid);
	}
	else if (!is_objectclass_supported(classid) || classid == AccessMethodOperatorRelationId ||
			 classid == AccessMethodProcedureRelationId)
		/* members of families: their statements are seen */
		return InvalidObjectAddress;
	else if (classid == TypeRelationId)
	{
		Oid			relid = get_typ_typrelid(objid);

		if (OidIsValid(relid) && get_rel_relkind(relid) != RELKIND_COMPOSITE_TYPE)
			other = relid;
	}
	if (OidIsValid(other))
		ObjectAddressSet(whole, RelationRelationId, other);
	return whole;
}

/*
 * A partition's own copy of a trigger or a constraint goes before the one that
 * it was made for.
 */
static bool
is_clone(Oid classid, Oid objid)
{
	HeapTuple	row;

	if (classid != TriggerRelationId && classid != ConstraintRelationId)
		return false;
	row = fact_row(classid, objid, false);
	return HeapTupleIsValid(row) &&
		OidIsValid(classid == TriggerRelationId ? ((Form_pg_trigger) GETSTRUCT(row))->tgparentid :
				   ((Form_pg_constraint) GETSTRUCT(row))->conparentid);
}

/* Queues the whole of an older object for its image, unless there is one. */
void
image_want(Oid classid, Oid objid)
{
	ObjectAddress whole;
	ImageEntry *entry;
	MemoryContext old;
	ObjectAddress *address;

	/* without its rule a view has no text any more */
	if (!OidIsValid(objid) ||
		(classid != RewriteRelationId && access_is_implicit(classid, objid, 0, false) && !is_clone(classid, objid)))
		return;
	/* itself made here, as an index on an older table can be */
	entry = image_find(classid, objid, 0);
	if (entry != NULL && entry->state == IMAGE_CREATED)
		return;
	whole = whole_of(classid, objid, false);
	if (!OidIsValid(whole.objectId) || access_is_implicit(whole.classId, whole.objectId, 0, false))
		return;
	/* comes and goes with its extension, and is half gone when that goes */
	if (OidIsValid(getExtensionOfObject(whole.classId, whole.objectId)))
		return;
	entry = image_find(whole.classId, whole.objectId, 0);
	if (entry != NULL && entry->state != IMAGE_ADDED)
		return;
	entry = image_enter(whole.classId, whole.objectId, 0, IMAGE_TAKEN);
	entry->state = IMAGE_TAKEN;
	old = MemoryContextSwitchTo(guard_script->context);
	address = palloc(sizeof(ObjectAddress));
	*address = whole;
	guard_script->images->pending = lappend(guard_script->images->pending, address);
	MemoryContextSwitchTo(old);
}

/* Queues all objects that a query finds: columns classid and objid. */
void
image_want_by_query(const char *sql, const char *arg)
{
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	spi_exec_latest(sql, SPI_OK_SELECT, arg == NULL ? 0 : 1, &arg);
	for (uint64 i = 0; i < SPI_processed; i++)
		image_want(spi_int64(i, "classid", 0), spi_int64(i, "objid", 0));
	record_end(&scope);
	SPI_finish();
}

/* Describes what is queued, all at once. */
static void
take_wanted(void)
{
	Images	   *current = guard_script->images;
	AddressArrays addresses;
	MemoryContext old;
	char	   *json;
	ListCell   *lc;

	if (current->pending == NIL)
		return;
	addresses_begin(&addresses);
	foreach(lc, current->pending)
	{
		const ObjectAddress *address = lfirst(lc);
		ImageKey	key = {address->classId, address->objectId, 0};

		addresses_add(&addresses, &key);
	}
	addresses_end(&addresses);
	current->pending = NIL;
	json = described(&addresses);
	old = MemoryContextSwitchTo(guard_script->context);
	current->before = lappend(current->before, pstrdup(json));
	MemoryContextSwitchTo(old);
}

/* The objects as they are now, a JSON array in the current context. */
static char *
described(const AddressArrays *addresses)
{
	MemoryContext context = CurrentMemoryContext;
	const char *args[2] = {addresses->classids.data, addresses->objids.data};
	RecordScope scope;
	char	   *json;

	guard_script->images->busy = true;
	SPI_connect();
	record_begin(&scope);
	spi_exec_latest("SELECT migmgr_internal.image($1::pg_catalog._oid, $2::pg_catalog._oid) AS image",
					SPI_OK_SELECT, 2, args);
	json = spi_text(0, "image");
	json = MemoryContextStrdup(context, json == NULL ? "[]" : json);
	record_end(&scope);
	SPI_finish();
	guard_script->images->busy = false;
	return json;
}

static void
addresses_begin(AddressArrays *addresses)
{
	initStringInfo(&addresses->classids);
	initStringInfo(&addresses->objids);
	initStringInfo(&addresses->subids);
}

static void
addresses_add(AddressArrays *addresses, const ImageKey *key)
{
	char		separator = addresses->classids.len == 0 ? '{' : ',';

	appendStringInfo(&addresses->classids, "%c%u", separator, key->classid);
	appendStringInfo(&addresses->objids, "%c%u", separator, key->objid);
	appendStringInfo(&addresses->subids, "%c%d", separator, key->subid);
}

static void
addresses_end(AddressArrays *addresses)
{
	const char *end = addresses->classids.len == 0 ? "{}" : "}";

	appendStringInfoString(&addresses->classids, end);
	appendStringInfoString(&addresses->objids, end);
	appendStringInfoString(&addresses->subids, end);
}

/* Notes something that no image can be taken of; what is in any context. */
void
image_miss(const char *what)
{
	MemoryContext old;
	ListCell   *lc;

	foreach(lc, guard_script->images->missed)
	{
		if (strcmp(lfirst(lc), what) == 0)
			return;
	}
	old = MemoryContextSwitchTo(guard_script->context);
	guard_script->images->missed = lappend(guard_script->images->missed, pstrdup(what));
	MemoryContextSwitchTo(old);
}

/* Identity of an object that is there, or NULL. */
static char *
identity_of(const ImageKey *key)
{
	ObjectAddress address;

	if (key->classid == RelationRelationId && key->subid != 0)
	{
		HeapTuple	row = SearchSysCacheCopyAttNum(key->objid, key->subid);

		/* not found: dropped */
		if (!HeapTupleIsValid(row))
			return NULL;
	}
	ObjectAddressSubSet(address, key->classid, key->objid, key->subid);
	return getObjectIdentity(&address, true);
}

/* Is an object described by itself, and not as a part? */
static bool
is_whole(const ImageKey *key)
{
	ObjectAddress whole;

	if (key->subid != 0)
		return false;
	whole = whole_of(key->classid, key->objid, false);
	return whole.classId == key->classid && whole.objectId == key->objid;
}

/* What the script has done to the whole of an object; IMAGE_CREATED: made it. */
static ImageState
state_of_whole(Oid classid, Oid objid)
{
	ObjectAddress whole = whole_of(classid, objid, false);
	ImageEntry *entry = image_find(whole.classId, whole.objectId, 0);

	return entry == NULL ? IMAGE_MISSED : entry->state;
}

static void
add_line(List **lines, char *line)
{
	ListCell   *lc;

	foreach(lc, *lines)
	{
		if (strcmp(lfirst(lc), line) == 0)
			return;
	}
	*lines = lappend(*lines, line);
}

bool
image_active(void)
{
	return guard_script != NULL && guard_script->images != NULL;
}

/* See image.h. */
List *
image_missed(void)
{
	Images	   *current = guard_script->images;
	HASH_SEQ_STATUS status;
	ImageEntry *entry;
	List	   *missed = NIL;
	ListCell   *lc;

	foreach(lc, current->missed)
		add_line(&missed, pstrdup(lfirst(lc)));
	hash_seq_init(&status, current->entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		ObjectAddress address;
		char	   *words;

		if (entry->state != IMAGE_MISSED || access_is_implicit(entry->key.classid, entry->key.objid, 0, false))
			continue;
		ObjectAddressSet(address, entry->key.classid, entry->key.objid);
		words = getObjectDescription(&address, true);
		if (words != NULL)
			add_line(&missed, psprintf("%s was changed in a way that was not foreseen", words));
	}
	return missed;
}

/* See image.h. */
List *
image_made(bool *simple)
{
	List	   *made = NIL;
	ListCell   *lc;

	*simple = guard_script->images->before == NIL && !guard_script->images->tangled;
	foreach(lc, guard_script->images->created)
	{
		const ImageKey *key = &((ImageEntry *) lfirst(lc))->key;
		ImageMade  *one;
		ObjectAddress address;
		ObjectAddress whole;

		ObjectAddressSubSet(address, key->classid, key->objid, key->subid);
		if (access_is_implicit(key->classid, key->objid, key->subid, false) || identity_of(key) == NULL)
			continue;
		whole = whole_of(key->classid, key->objid, false);
		one = palloc(sizeof(ImageMade));
		one->address = address;
		one->whole = whole.objectId;
		one->part = !is_whole(key);
		one->of_new = one->part && state_of_whole(key->classid, key->objid) == IMAGE_CREATED;
		made = lappend(made, one);
	}
	return made;
}

/*
 * See image.h.  Of a relation that got new parts and was else left alone, what
 * it was like before is what it is like now without these.
 */
void
image_result(char **before, char **after)
{
	Images	   *current = guard_script->images;
	MemoryContext context = CurrentMemoryContext;
	AddressArrays touched;
	AddressArrays added;
	AddressArrays created;
	StringInfoData taken;
	HASH_SEQ_STATUS status;
	ImageEntry *entry;
	RecordScope scope;
	ListCell   *lc;
	const char *args[6];

	addresses_begin(&touched);
	addresses_begin(&added);
	addresses_begin(&created);
	hash_seq_init(&status, current->entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (entry->state == IMAGE_CREATED)
			addresses_add(&created, &entry->key);
		else if (entry->state == IMAGE_ADDED)
			addresses_add(&added, &entry->key);
		if (entry->state != IMAGE_MISSED && is_whole(&entry->key))
			addresses_add(&touched, &entry->key);
	}
	addresses_end(&touched);
	addresses_end(&added);
	addresses_end(&created);
	*after = described(&touched);

	/* the arrays as one */
	initStringInfo(&taken);
	foreach(lc, current->before)
	{
		const char *part = lfirst(lc);

		if (strlen(part) > 2)
			appendStringInfo(&taken, "%c%.*s", taken.len == 0 ? '[' : ',', (int) strlen(part) - 2, part + 1);
	}
	appendStringInfoString(&taken, taken.len == 0 ? "[]" : "]");

	args[0] = taken.data;
	args[1] = added.classids.data;
	args[2] = added.objids.data;
	args[3] = created.classids.data;
	args[4] = created.objids.data;
	args[5] = created.subids.data;
	current->busy = true;
	SPI_connect();
	record_begin(&scope);
	spi_exec_latest("SELECT migmgr_internal.image_before($1::pg_catalog.jsonb, $2::pg_catalog._oid, $3::pg_catalog._oid,"
					" $4::pg_catalog._oid, $5::pg_catalog._oid, $6::pg_catalog._int4) AS before",
					SPI_OK_SELECT, 6, args);
	*before = MemoryContextStrdup(context, spi_text(0, "before"));
	record_end(&scope);
	SPI_finish();
	current->busy = false;
}

/*
 * See image.h.  For a script that has only made things; else what is described
 * tells.
 */
List *
image_left_over(void)
{
	List	   *lines = NIL;
	ListCell   *lc;

	foreach(lc, guard_script->images->created)
	{
		const ImageKey *key = &((ImageEntry *) lfirst(lc))->key;
		ObjectAddress address;
		char	   *identity;

		ObjectAddressSubSet(address, key->classid, key->objid, key->subid);
		if (access_is_implicit(key->classid, key->objid, key->subid, false) ||
			(identity = identity_of(key)) == NULL)
			continue;
		add_line(&lines, psprintf("%s %s would be left over", getObjectTypeDescription(&address, false), identity));
	}
	return lines;
}

/* See image.h. */
void
image_pause(bool pause)
{
	guard_script->images->busy = pause;
}

/* Has the script made this object? */
bool
image_is_made(Oid classid, Oid objid)
{
	ImageEntry *entry = image_find(classid, objid, 0);

	return entry != NULL && entry->state == IMAGE_CREATED;
}

/* See image.h. */
bool
image_any(void)
{
	return guard_script->images->before != NIL;
}
