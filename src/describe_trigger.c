/*
 * describe_trigger.c
 *	  Triggers and rules of a relation, described.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "rewrite/rewriteDefine.h"
#include "rewrite/rewriteSupport.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "describe.h"

static void describe_trigger(Describer *d, const DescribedRelation *rel, HeapTuple tuple);
static void describe_rule(Describer *d, const DescribedRelation *rel, HeapTuple tuple);
static void put_definition(DescribeRow *row, const char *name, const char *def, char enabled);

void
describe_triggers(Describer *d, const DescribedRelation *rel)
{
	HeapTuple	tuple;

	if (!((Form_pg_class) GETSTRUCT(rel->tuple))->relhastriggers)
		return;
	read_seek(d, READ_TRIGGER, 1, ObjectIdGetDatum(rel->oid));
	while ((tuple = read_next(d, READ_TRIGGER)) != NULL)
		if (!((Form_pg_trigger) GETSTRUCT(tuple))->tgisinternal)
			describe_trigger(d, rel, tuple);
}

static void
describe_trigger(Describer *d, const DescribedRelation *rel, HeapTuple tuple)
{
	static const AttrNumber raw[] = {
		Anum_pg_trigger_tgfoid, Anum_pg_trigger_tgtype, Anum_pg_trigger_tgqual, Anum_pg_trigger_tgattr,
		Anum_pg_trigger_tgargs, Anum_pg_trigger_tgoldtable, Anum_pg_trigger_tgnewtable,
		Anum_pg_trigger_tgdeferrable, Anum_pg_trigger_tginitdeferred, Anum_pg_trigger_tgconstrrelid, 0
	};
	Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);
	const char *name = quoted_name(&form->tgname);
	char	   *def = server_text(pg_get_triggerdef, 1, ObjectIdGetDatum(form->oid));
	DescribeRow *row;
	char	   *comment;

	if (def == NULL)
		return;
	row = describe_row(d, "trigger", psprintf("%s on %s", name, rel->identity), rel->self,
					   TriggerRelationId, form->oid, 0);
	put_definition(row, name, def, form->tgenabled);
	if (OidIsValid(form->tgparentid))
		appendStringInfoString(&row->definition, "\n  INHERITED");
	put_flag(row, "inherited", OidIsValid(form->tgparentid));
	put_flag(row, "constraint", OidIsValid(form->tgconstraint));
	if (row->with_facts)
		put_raw_md5(row, "def", columns_text(d, READ_TRIGGER, tuple, "/", raw));
	comment = comment_text(d, TriggerRelationId, form->oid, 0);
	put_text(row, "comment", comment);
	append_tail(row, NULL, NULL, comment);
}

/* Rules other than that of a view, which is its query. */
void
describe_rules(Describer *d, const DescribedRelation *rel)
{
	HeapTuple	tuple;

	if (!((Form_pg_class) GETSTRUCT(rel->tuple))->relhasrules)
		return;
	read_seek(d, READ_REWRITE, 1, ObjectIdGetDatum(rel->oid));
	while ((tuple = read_next(d, READ_REWRITE)) != NULL)
		if (strcmp(NameStr(((Form_pg_rewrite) GETSTRUCT(tuple))->rulename), ViewSelectRuleName) != 0)
			describe_rule(d, rel, tuple);
}

static void
describe_rule(Describer *d, const DescribedRelation *rel, HeapTuple tuple)
{
	static const AttrNumber raw[] = {
		Anum_pg_rewrite_ev_type, Anum_pg_rewrite_is_instead, Anum_pg_rewrite_ev_qual, Anum_pg_rewrite_ev_action, 0
	};
	Form_pg_rewrite form = (Form_pg_rewrite) GETSTRUCT(tuple);
	const char *name = quoted_name(&form->rulename);
	char	   *def = server_text(pg_get_ruledef, 1, ObjectIdGetDatum(form->oid));
	DescribeRow *row;
	char	   *comment;

	if (def == NULL)
		return;
	for (int len = strlen(def); len > 0 && def[len - 1] == ';'; len--)
		def[len - 1] = '\0';
	row = describe_row(d, "rule", psprintf("%s on %s", name, rel->identity), rel->self,
					   RewriteRelationId, form->oid, 0);
	put_definition(row, name, def, form->ev_enabled);
	if (row->with_facts)
		put_raw_md5(row, "def", columns_text(d, READ_REWRITE, tuple, "", raw));
	comment = comment_text(d, RewriteRelationId, form->oid, 0);
	put_text(row, "comment", comment);
	append_tail(row, NULL, NULL, comment);
}

/* What both have: a statement that makes it, and whether it fires. */
static void
put_definition(DescribeRow *row, const char *name, const char *def, char enabled)
{
	const char *mode = enabled == TRIGGER_DISABLED ? "DISABLE"
		: enabled == TRIGGER_FIRES_ON_REPLICA ? "ENABLE REPLICA"
		: enabled == TRIGGER_FIRES_ALWAYS ? "ENABLE ALWAYS" : NULL;

	appendStringInfoString(&row->definition, def);
	if (mode != NULL)
		appendStringInfo(&row->definition, "\n  %s", mode);
	put_text(row, "name", name);
	put_text(row, "def", def);
	put_text(row, "mode", mode);
}
