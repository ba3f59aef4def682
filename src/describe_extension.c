/*
 * describe_extension.c
 *	  Extensions, described: that they are there, and in which version.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_extension.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "describe.h"

/* See describe.h.  Not migmgr, which describes, nor what every database has. */
void
describe_extension(Describer *d, HeapTuple tuple)
{
	Form_pg_extension form = (Form_pg_extension) GETSTRUCT(tuple);
	const char *name = quoted_name(&form->extname);
	char	   *schema = get_namespace_name(form->extnamespace);
	char	   *version = quote_literal_cstr(read_text(d, READ_EXTENSION, tuple, Anum_pg_extension_extversion));
	DescribeRow *row;

	if (strcmp(NameStr(form->extname), "migmgr") == 0 || strcmp(NameStr(form->extname), "plpgsql") == 0 || schema == NULL)
		return;
	row = describe_row(d, "extension", name, NULL, ExtensionRelationId, form->oid, 0);
	row->has_raw = false;
	appendStringInfo(&row->definition, "CREATE EXTENSION %s WITH SCHEMA %s VERSION %s", name, quote_identifier(schema), version);
	put_text(row, "name", name);
	put_text(row, "schema", quote_identifier(schema));
	put_text(row, "version", version);
}
