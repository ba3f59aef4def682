/*
 * describe_schema.c
 *	  Schemas, described, without what is in them.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_namespace.h"
#include "utils/builtins.h"

#include "describe.h"

void
describe_schema(Describer *d, HeapTuple tuple)
{
	Form_pg_namespace form = (Form_pg_namespace) GETSTRUCT(tuple);
	const char *name = namespace_text(d, form->oid);
	const char *owner;
	const char *comment;
	bool		isnull;
	Datum		acl;
	DescribedGrants *grants;
	DescribeRow *row;

	if (name == NULL || is_extension_member(d, NamespaceRelationId, form->oid))
		return;
	owner = role_text(d, form->nspowner);
	comment = comment_text(d, NamespaceRelationId, form->oid, 0);
	acl = read_column(d, READ_NAMESPACE, tuple, Anum_pg_namespace_nspacl, &isnull);
	grants = isnull ? NULL : grants_of(d, DatumGetAclP(acl), OBJECT_SCHEMA, form->nspowner);
	row = describe_row(d, "schema", name, NULL, NamespaceRelationId, form->oid, 0);
	row->has_raw = false;
	appendStringInfo(&row->definition, "CREATE SCHEMA %s", name);
	append_tail(row, owner, grants, comment);
	put_text(row, "name", name);
	put_text(row, "owner", owner);
	put_grants(row, grants);
	put_text(row, "comment", comment);
}
