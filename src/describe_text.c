/*
 * describe_text.c
 *	  Texts that most described objects have: names, types, comments, grants.
 *
 * What is asked again and again, the same for thousands of columns, is kept
 * for the call.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_description.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "describe.h"

/* what is kept by OID */
typedef struct TextEntry
{
	Oid			oid;
	const char *text;			/* may be NULL */
} TextEntry;

typedef struct TextKey
{
	Oid			oid;
	int32		typmod;
} TextKey;

/* a line of grants: to whom, and by whom if it is not the owner */
typedef struct GrantLine
{
	const char *role;
	const char *privilege;
} GrantLine;

/* by the number of their bit; 17 has one more */
static const char *const privilege_names[] = {
	"INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "EXECUTE",
	"USAGE", "CREATE", "TEMPORARY", "CONNECT", "SET", "ALTER SYSTEM", "MAINTAIN",
};

static TextEntry *kept_text(Describer *d, HTAB **table, Oid oid, bool *found);
static bool is_described_namespace(const char *name);
static void find_members(Describer *d);
static List *grant_lines(Describer *d, const Acl *acl, Oid owner);
static const char *grant_role(Describer *d, const AclItem *item, bool grantable, Oid owner);
static List *with_all(List *lines, int all);
static bool equal_texts(const List *a, const List *b);
static int	compare_text(const ListCell *a, const ListCell *b);
static int	compare_line(const ListCell *a, const ListCell *b);

/* An entry of a table that lives as long as the call. */
static TextEntry *
kept_text(Describer *d, HTAB **table, Oid oid, bool *found)
{
	if (*table == NULL)
	{
		HASHCTL		ctl = {
			.keysize = sizeof(Oid),
			.entrysize = sizeof(TextEntry),
			.hcxt = d->context,
		};

		*table = hash_create("migmgr described names", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	return hash_search(*table, &oid, HASH_ENTER, found);
}

/* The quoted name of a schema whose contents are described, or NULL. */
const char *
namespace_text(Describer *d, Oid nspid)
{
	bool		found;
	TextEntry  *entry = kept_text(d, &d->namespaces, nspid, &found);

	if (!found)
	{
		char	   *name = get_namespace_name(nspid);

		entry->text = name == NULL || !is_described_namespace(name) ? NULL
			: MemoryContextStrdup(d->context, quote_identifier(name));
	}
	return entry->text;
}

/* Not the server's own, nor migmgr's, nor the archives. */
static bool
is_described_namespace(const char *name)
{
	return strncmp(name, "pg_", 3) != 0 && strcmp(name, "information_schema") != 0 &&
		strcmp(name, "migmgr") != 0 && strcmp(name, "migmgr_internal") != 0 &&
		strncmp(name, "migmgr_archive_", strlen("migmgr_archive_")) != 0;
}

/* A name, quoted, that stays when the row it is of does not. */
char *
quoted_name(const NameData *name)
{
	return pstrdup(quote_identifier(NameStr(*name)));
}

/* The quoted name of a role, as pg_get_userbyid() knows it. */
const char *
role_text(Describer *d, Oid role)
{
	bool		found;
	TextEntry  *entry = kept_text(d, &d->roles, role, &found);

	if (!found)
	{
		char	   *name = GetUserNameFromId(role, true);

		if (name == NULL)
			name = psprintf("unknown (OID=%u)", role);
		entry->text = MemoryContextStrdup(d->context, quote_identifier(name));
	}
	return entry->text;
}

/* A type with its modifier; kept for the call. */
const ColumnType *
type_of(Describer *d, Oid type, int32 typmod)
{
	TextKey		key = {type, typmod};
	bool		found;
	ColumnType *entry;
	HeapTuple	row;

	if (d->types == NULL)
	{
		HASHCTL		ctl = {
			.keysize = sizeof(TextKey),
			.entrysize = sizeof(ColumnType),
			.hcxt = d->context,
		};

		d->types = hash_create("migmgr described types", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(d->types, &key, HASH_ENTER, &found);
	if (found)
		return entry;
	row = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	entry->exists = HeapTupleIsValid(row);
	if (entry->exists)
	{
		entry->storage = ((Form_pg_type) GETSTRUCT(row))->typstorage;
		entry->collation = ((Form_pg_type) GETSTRUCT(row))->typcollation;
		ReleaseSysCache(row);
	}
	entry->text = MemoryContextStrdup(d->context,
									  format_type_extended(type, typmod, FORMAT_TYPE_TYPEMOD_GIVEN |
														   FORMAT_TYPE_ALLOW_INVALID));
	return entry;
}

/* ... as format_type(type, typmod) writes it */
const char *
type_text(Describer *d, Oid type, int32 typmod)
{
	return type_of(d, type, typmod)->text;
}

/* The same as format_type(type, NULL) writes it. */
const char *
type_text_plain(Oid type)
{
	return format_type_extended(type, -1, FORMAT_TYPE_ALLOW_INVALID);
}

/* A relation as ::regclass::text writes it. */
char *
relation_text(Oid relid)
{
	return DatumGetCString(DirectFunctionCall1(regclassout, ObjectIdGetDatum(relid)));
}

/* A strategy for values that are large, as SET STORAGE takes it. */
const char *
storage_text(char storage)
{
	switch (storage)
	{
		case TYPSTORAGE_PLAIN:
			return "plain";
		case TYPSTORAGE_EXTERNAL:
			return "external";
		case TYPSTORAGE_MAIN:
			return "main";
		default:
			return "extended";
	}
}

/* A collation with its schema, or NULL when it is gone. */
char *
collation_text(Oid collation)
{
	HeapTuple	row = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
	char	   *text;

	if (!HeapTupleIsValid(row))
		return NULL;
	text = quote_qualified_identifier(get_namespace_name(((Form_pg_collation) GETSTRUCT(row))->collnamespace),
									  NameStr(((Form_pg_collation) GETSTRUCT(row))->collname));

	ReleaseSysCache(row);
	return text;
}

/* The quoted name of a tablespace; NULL for that of the database. */
const char *
tablespace_text(Oid tablespace)
{
	char	   *name = OidIsValid(tablespace) ? get_tablespace_name(tablespace) : NULL;

	return name == NULL ? NULL : quote_identifier(name);
}

/* The comment on an object, or NULL. */
char *
comment_text(Describer *d, Oid classid, Oid objid, int32 subid)
{
	HeapTuple	row;

	if (!read_any(d, READ_DESCRIPTION, objid))
		return NULL;
	read_seek(d, READ_DESCRIPTION, 3, ObjectIdGetDatum(objid), ObjectIdGetDatum(classid), Int32GetDatum(subid));
	row = read_next(d, READ_DESCRIPTION);
	return row == NULL ? NULL : read_text(d, READ_DESCRIPTION, row, Anum_pg_description_description);
}

/* Does an object belong to an extension? */
bool
is_extension_member(Describer *d, Oid classid, Oid objid)
{
	HeapTuple	row;

	if (d->everything)
	{
		ObjectAddress key = {classid, objid, 0};

		if (d->members == NULL)
			find_members(d);
		return hash_search(d->members, &key, HASH_FIND, NULL) != NULL;
	}
	read_seek(d, READ_DEPEND, 3, ObjectIdGetDatum(classid), ObjectIdGetDatum(objid), Int32GetDatum(0));
	while ((row = read_next(d, READ_DEPEND)) != NULL)
		if (((Form_pg_depend) GETSTRUCT(row))->deptype == DEPENDENCY_EXTENSION)
			return true;
	return false;
}

/* All members of extensions at once. */
static void
find_members(Describer *d)
{
	HASHCTL		ctl = {
		.keysize = sizeof(ObjectAddress),
		.entrysize = sizeof(ObjectAddress),
		.hcxt = d->context,
	};
	HeapTuple	row;

	d->members = hash_create("migmgr members of extensions", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	read_seek(d, READ_DEPEND_REFERENCE, 1, ObjectIdGetDatum(ExtensionRelationId));
	while ((row = read_next(d, READ_DEPEND_REFERENCE)) != NULL)
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(row);
		ObjectAddress key = {depend->classid, depend->objid, 0};

		if (depend->deptype == DEPENDENCY_EXTENSION)
			hash_search(d->members, &key, HASH_ENTER, NULL);
	}
}

/* The elements of a text[], in their order. */
List *
array_texts(Datum array)
{
	Datum	   *elements;
	int			count;
	List	   *texts = NIL;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &count);
	for (int i = 0; i < count; i++)
		texts = lappend(texts, TextDatumGetCString(elements[i]));
	return texts;
}

/* The elements of a text[] in byte order. */
List *
sorted_texts(Datum array)
{
	List	   *texts = array_texts(array);

	list_sort(texts, compare_text);
	return texts;
}

/* Options of a foreign object, as OPTIONS (...) takes them, in byte order. */
List *
fdw_option_texts(Datum array)
{
	List	   *texts = sorted_texts(array);
	ListCell   *lc;

	foreach(lc, texts)
	{
		char	   *value = strchr(lfirst(lc), '=');

		/* without a sign, as split_part() and strpos() take it */
		if (value == NULL)
			lfirst(lc) = psprintf("%s %s", quote_identifier(lfirst(lc)), quote_literal_cstr(lfirst(lc)));
		else
		{
			*value = '\0';
			lfirst(lc) = psprintf("%s %s", quote_identifier(lfirst(lc)), quote_literal_cstr(value + 1));
		}
	}
	return texts;
}

/*
 * What was granted, one privilege a line, NULL where it is what everybody gets
 * by default.  The owner is not named: what he has moves with the ownership.
 * Who has all that an owner has, has ALL: that reads the same on every version.
 */
DescribedGrants *
grants_of(Describer *d, const Acl *acl, ObjectType type, Oid owner)
{
	List	   *own = grant_lines(d, acl, owner);
	List	   *usual = grant_lines(d, acldefault(type, owner), owner);
	int			all = 0;
	DescribedGrants *grants;
	ListCell   *lc;

	foreach(lc, usual)
		if (strcmp(((GrantLine *) lfirst(lc))->role, "OWNER") == 0)
		all++;
	own = with_all(own, all);
	usual = with_all(usual, all);
	if (equal_texts(own, usual))
		return NULL;
	grants = palloc(sizeof(DescribedGrants));
	grants->lines = own;
	return grants;
}

/* Each privilege of each item, as GrantLine *, by role. */
static List *
grant_lines(Describer *d, const Acl *acl, Oid owner)
{
	List	   *lines = NIL;

	for (int i = 0; i < ACL_NUM(acl); i++)
	{
		const AclItem *item = &ACL_DAT(acl)[i];

		for (int bit = 0; bit < N_ACL_RIGHTS; bit++)
		{
			AclMode		mode = (AclMode) 1 << bit;
			GrantLine  *line;

			if ((ACLITEM_GET_PRIVS(*item) & mode) == 0)
				continue;
			line = palloc(sizeof(GrantLine));
			line->role = grant_role(d, item, (ACLITEM_GET_GOPTIONS(*item) & mode) != 0, owner);
			line->privilege = privilege_names[bit];
			lines = lappend(lines, line);
		}
	}
	list_sort(lines, compare_line);
	return lines;
}

/* Who has a privilege, how, and from whom if not from the owner. */
static const char *
grant_role(Describer *d, const AclItem *item, bool grantable, Oid owner)
{
	const char *role = item->ai_grantee == ACL_ID_PUBLIC ? "PUBLIC"
		: item->ai_grantee == owner ? "OWNER" : role_text(d, item->ai_grantee);

	if (grantable && item->ai_grantee != owner)
		role = psprintf("%s WITH GRANT OPTION", role);
	if (item->ai_grantor != owner)
		role = psprintf("%s GRANTED BY %s", role, role_text(d, item->ai_grantor));
	return role;
}

/*
 * GrantLine * as sorted texts; a role that has all the privileges that an owner
 * has, more than one, has ALL.
 */
static List *
with_all(List *lines, int all)
{
	List	   *texts = NIL;

	for (int i = 0, next; i < list_length(lines); i = next)
	{
		const char *role = ((GrantLine *) list_nth(lines, i))->role;

		for (next = i + 1; next < list_length(lines); next++)
			if (strcmp(((GrantLine *) list_nth(lines, next))->role, role) != 0)
				break;
		if (next - i > 1 && next - i == all)
			texts = lappend(texts, psprintf("ALL TO %s", role));
		else
			for (int j = i; j < next; j++)
				texts = lappend(texts, psprintf("%s TO %s", ((GrantLine *) list_nth(lines, j))->privilege, role));
	}
	list_sort(texts, compare_text);
	return texts;
}

static bool
equal_texts(const List *a, const List *b)
{
	if (list_length(a) != list_length(b))
		return false;
	for (int i = 0; i < list_length(a); i++)
		if (strcmp(list_nth(a, i), list_nth(b, i)) != 0)
			return false;
	return true;
}

static int
compare_text(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

static int
compare_line(const ListCell *a, const ListCell *b)
{
	return strcmp(((GrantLine *) lfirst(a))->role, ((GrantLine *) lfirst(b))->role);
}

void
put_grants(DescribeRow *row, const DescribedGrants *grants)
{
	if (row->with_facts && grants != NULL)
		put_value(row, "grants", list_value(grants->lines));
}

/* A list in one text with what stands around it; nothing for NIL. */
void
append_list(StringInfo out, const char *before, List *texts, const char *after)
{
	ListCell   *lc;

	if (texts == NIL)
		return;
	appendStringInfoString(out, before);
	foreach(lc, texts)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoString(out, ", ");
		appendStringInfoString(out, lfirst(lc));
	}
	appendStringInfoString(out, after);
}

/* The last lines of most definitions; NULL where there is no such line. */
void
append_tail(DescribeRow *row, const char *owner, const DescribedGrants *grants, const char *comment)
{
	StringInfo	out = &row->definition;
	ListCell   *lc;

	if (owner != NULL)
	{
		appendStringInfoString(out, "\n  OWNER ");
		appendStringInfoString(out, owner);
	}
	if (grants != NULL)
	{
		/* as jsonb writes an array */
		appendStringInfoString(out, "\n  GRANTS [");
		foreach(lc, grants->lines)
		{
			if (foreach_current_index(lc) > 0)
				appendStringInfoString(out, ", ");
			escape_json(out, lfirst(lc));
		}
		appendStringInfoChar(out, ']');
	}
	if (comment != NULL)
	{
		appendStringInfoString(out, "\n  COMMENT ");
		appendStringInfoString(out, quote_literal_cstr(comment));
	}
}
