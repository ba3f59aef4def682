/*
 * describe_sequence.c
 *	  Sequences, described; that of an identity column is part of the column.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_sequence.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "describe.h"

static bool read_owner(Describer *d, Oid relid, ObjectAddress *owner);
static const char *owner_text(Describer *d, const ObjectAddress *owner);

void
describe_sequence(Describer *d, const DescribedRelation *rel)
{
	ObjectAddress owner;
	bool		unlogged = ((Form_pg_class) GETSTRUCT(rel->tuple))->relpersistence == RELPERSISTENCE_UNLOGGED;
	char	   *options;
	const char *owned_by;
	const char *comment;
	bool		isnull;
	Datum		acl;
	DescribedGrants *grants;
	DescribeRow *row;

	if (!read_owner(d, rel->oid, &owner) || (options = sequence_text(d, rel->oid)) == NULL)
		return;
	owned_by = owner_text(d, &owner);
	comment = comment_text(d, RelationRelationId, rel->oid, 0);
	acl = read_column(d, READ_CLASS, rel->tuple, Anum_pg_class_relacl, &isnull);
	grants = isnull ? NULL : grants_of(d, DatumGetAclP(acl), OBJECT_SEQUENCE, rel->owner);
	row = describe_row(d, rel->kind, rel->identity, NULL, RelationRelationId, rel->oid, 0);
	appendStringInfo(&row->definition, "CREATE %sSEQUENCE %s %s", unlogged ? "UNLOGGED " : "", rel->identity, options);
	if (owned_by != NULL)
		appendStringInfo(&row->definition, "\n  OWNED BY %s", owned_by);
	append_tail(row, role_text(d, rel->owner), grants, comment);
	put_text(row, "name", quote_identifier(rel->name));
	put_text(row, "schema", rel->schema);
	put_text(row, "owner", role_text(d, rel->owner));
	put_flag(row, "unlogged", unlogged);
	put_text(row, "sequence_options", options);
	put_text(row, "owned_by", owned_by);
	put_grants(row, grants);
	put_text(row, "comment", comment);
	if (OidIsValid(owner.objectId))
		put_raw(row, "owned_by", psprintf("%u/%d", owner.objectId, owner.objectSubId));
}

/* The column that owns a sequence, if any does; false when that is an identity column. */
static bool
read_owner(Describer *d, Oid relid, ObjectAddress *owner)
{
	HeapTuple	row;

	*owner = InvalidObjectAddress;
	read_seek(d, READ_DEPEND, 3, ObjectIdGetDatum(RelationRelationId), ObjectIdGetDatum(relid), Int32GetDatum(0));
	while ((row = read_next(d, READ_DEPEND)) != NULL)
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(row);

		if (depend->refclassid != RelationRelationId || depend->refobjsubid <= 0)
			continue;
		if (depend->deptype == DEPENDENCY_INTERNAL)
			return false;
		if (depend->deptype == DEPENDENCY_AUTO)
			ObjectAddressSubSet(*owner, RelationRelationId, depend->refobjid, depend->refobjsubid);
	}
	return true;
}

/* ... as OWNED BY takes it; NULL where it is none of ours */
static const char *
owner_text(Describer *d, const ObjectAddress *owner)
{
	HeapTuple	row;
	char	   *column;
	const char *text = NULL;

	if (!OidIsValid(owner->objectId))
		return NULL;
	column = get_attname(owner->objectId, owner->objectSubId, true);
	row = SearchSysCache1(RELOID, ObjectIdGetDatum(owner->objectId));
	if (HeapTupleIsValid(row))
	{
		Form_pg_class class = (Form_pg_class) GETSTRUCT(row);

		if (column != NULL && is_described_relation(d, class))
			text = psprintf("%s.%s.%s", namespace_text(d, class->relnamespace), quote_identifier(NameStr(class->relname)),
							quote_identifier(column));

		ReleaseSysCache(row);
	}
	return text;
}

/* What a sequence is set to, as CREATE and ALTER SEQUENCE take it; NULL: there is none. */
char *
sequence_text(Describer *d, Oid relid)
{
	HeapTuple	row = read_oid(d, READ_SEQUENCE, relid);
	Form_pg_sequence form;

	if (row == NULL)
		return NULL;
	form = (Form_pg_sequence) GETSTRUCT(row);
	return psprintf("AS %s START WITH " INT64_FORMAT " INCREMENT BY " INT64_FORMAT " MINVALUE " INT64_FORMAT
					" MAXVALUE " INT64_FORMAT " CACHE " INT64_FORMAT " %s",
					type_text_plain(form->seqtypid), form->seqstart, form->seqincrement, form->seqmin, form->seqmax,
					form->seqcache, form->seqcycle ? "CYCLE" : "NO CYCLE");
}
