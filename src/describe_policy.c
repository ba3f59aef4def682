/*
 * describe_policy.c
 *	  Row security policies of a relation, described.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "describe.h"

static void describe_policy(Describer *d, const DescribedRelation *rel, HeapTuple tuple);
static const char *command_text(char command);
static char *roles_text(Datum roles);
static int	compare_names(const void *a, const void *b);

void
describe_policies(Describer *d, const DescribedRelation *rel)
{
	HeapTuple	tuple;

	if (!read_any(d, READ_POLICY, rel->oid))
		return;
	read_seek(d, READ_POLICY, 1, ObjectIdGetDatum(rel->oid));
	while ((tuple = read_next(d, READ_POLICY)) != NULL)
		describe_policy(d, rel, tuple);
}

static void
describe_policy(Describer *d, const DescribedRelation *rel, HeapTuple tuple)
{
	Form_pg_policy form = (Form_pg_policy) GETSTRUCT(tuple);
	const char *name = quoted_name(&form->polname);
	char	   *qual = read_text(d, READ_POLICY, tuple, Anum_pg_policy_polqual);
	char	   *with_check = read_text(d, READ_POLICY, tuple, Anum_pg_policy_polwithcheck);
	const char *using = relation_expression(d, rel, qual);
	const char *check = relation_expression(d, rel, with_check);
	bool		isnull;
	char	   *roles = roles_text(read_column(d, READ_POLICY, tuple, Anum_pg_policy_polroles, &isnull));
	char	   *comment = comment_text(d, PolicyRelationId, form->oid, 0);
	DescribeRow *row;

	/* the table has gone meanwhile */
	if ((qual != NULL && using == NULL) || (with_check != NULL && check == NULL))
		return;
	row = describe_row(d, "policy", psprintf("%s on %s", name, rel->identity), rel->self,
					   PolicyRelationId, form->oid, 0);
	appendStringInfo(&row->definition, "CREATE POLICY %s ON %s%s FOR %s TO %s", name, rel->identity,
					 form->polpermissive ? "" : " AS RESTRICTIVE", command_text(form->polcmd), roles);
	if (using != NULL)
		appendStringInfo(&row->definition, " USING (%s)", using);
	if (check != NULL)
		appendStringInfo(&row->definition, " WITH CHECK (%s)", check);
	append_tail(row, NULL, NULL, comment);
	put_text(row, "name", name);
	put_flag(row, "restrictive", !form->polpermissive);
	put_text(row, "command", command_text(form->polcmd));
	put_text(row, "roles", roles);
	put_text(row, "using", using);
	put_text(row, "check", check);
	put_text(row, "comment", comment);
	put_raw_md5(row, "using", qual);
	put_raw_md5(row, "check", with_check);
}

static const char *
command_text(char command)
{
	switch (command)
	{
		case ACL_SELECT_CHR:
			return "SELECT";
		case ACL_INSERT_CHR:
			return "INSERT";
		case ACL_UPDATE_CHR:
			return "UPDATE";
		case ACL_DELETE_CHR:
			return "DELETE";
		default:
			return "ALL";
	}
}

/* The roles that a policy is for, by name. */
static char *
roles_text(Datum roles)
{
	Datum	   *oids;
	int			count;
	const char **names;
	StringInfoData out;

	deconstruct_array(DatumGetArrayTypeP(roles), OIDOID, sizeof(Oid), true, TYPALIGN_INT, &oids, NULL, &count);
	names = palloc(count * sizeof(char *));
	for (int i = 0; i < count; i++)
	{
		Oid			role = DatumGetObjectId(oids[i]);

		/* then it is for nobody else */
		if (role == ACL_ID_PUBLIC)
			return pstrdup("PUBLIC");
		names[i] = GetUserNameFromId(role, true);
		if (names[i] == NULL)
			names[i] = psprintf("unknown (OID=%u)", role);
	}
	qsort(names, count, sizeof(char *), compare_names);
	initStringInfo(&out);
	for (int i = 0; i < count; i++)
		appendStringInfo(&out, "%s%s", i == 0 ? "" : ", ", quote_identifier(names[i]));
	return out.data;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}
