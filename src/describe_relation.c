/*
 * describe_relation.c
 *	  Tables, views, materialized views and foreign tables, described; and what
 *	  is read once of a relation for all its parts.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_description.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "describe.h"

/* the relations that one inherits from or is a partition of */
typedef struct Parents
{
	List	   *names;			/* of char * */
	const char *oids;			/* joined by commas, or NULL */
} Parents;

static void read_parts(Describer *d, DescribedRelation *rel);
static const char **read_comments(Describer *d, const DescribedRelation *rel);
static void describe_table(Describer *d, const DescribedRelation *rel);
static void describe_origin(Describer *d, DescribeRow *row, const DescribedRelation *rel);
static Parents parents_of(Describer *d, Oid relid);
static void describe_server(DescribeRow *row, Oid relid);
static void describe_storage(Describer *d, DescribeRow *row, const DescribedRelation *rel);
static void describe_security(DescribeRow *row, Form_pg_class class);
static void describe_replica_identity(DescribeRow *row, const DescribedRelation *rel);
static void describe_query(Describer *d, DescribeRow *row, const DescribedRelation *rel);
static void put_view_columns(Describer *d, DescribeRow *row, const DescribedRelation *rel);
static const char *kind_of(char relkind);

/* A relation with its parts, a sequence, or the columns of a composite type. */
void
describe_relation(Describer *d, HeapTuple tuple)
{
	Form_pg_class class = (Form_pg_class) GETSTRUCT(tuple);
	DescribedRelation rel = {
		.oid = class->oid,
		.relkind = class->relkind,
		.owner = class->relowner,
		.name = NameStr(class->relname),
		.tuple = tuple,
	};

	if (!is_described_relation(d, class))
		return;
	rel.schema = namespace_text(d, class->relnamespace);
	rel.identity = psprintf("%s.%s", rel.schema, quote_identifier(rel.name));
	rel.kind = kind_of(rel.relkind);
	rel.self = psprintf("%s %s", rel.kind, rel.identity);
	if (rel.relkind == RELKIND_SEQUENCE)
	{
		describe_sequence(d, &rel);
		return;
	}
	if (rel.relkind == RELKIND_VIEW || rel.relkind == RELKIND_MATVIEW)
	{
		rel.query = server_text(pg_get_viewdef, 1, ObjectIdGetDatum(rel.oid));
		if (rel.query == NULL)
			return;
	}
	read_parts(d, &rel);
	if (rel.relkind != RELKIND_COMPOSITE_TYPE)
		describe_table(d, &rel);
	else if (d->everything)
		describe_composite_type(d, class->reltype);
	describe_columns(d, &rel);
	describe_constraints(d, &rel);
	describe_indexes(d, &rel);
	describe_triggers(d, &rel);
	describe_policies(d, &rel);
	describe_rules(d, &rel);
	describe_statistics(d, &rel);
}

/*
 * Is this a relation of ours?  Neither a temporary one, nor a member of an
 * extension, nor one that is part of something else.  Of a composite type it is
 * the type that is a member.
 */
bool
is_described_relation(Describer *d, Form_pg_class class)
{
	return kind_of(class->relkind) != NULL && class->relpersistence != RELPERSISTENCE_TEMP &&
		namespace_text(d, class->relnamespace) != NULL &&
		(class->relkind == RELKIND_COMPOSITE_TYPE ? !is_extension_member(d, TypeRelationId, class->reltype)
		 : !is_extension_member(d, RelationRelationId, class->oid));
}

static const char *
kind_of(char relkind)
{
	switch (relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			return "table";
		case RELKIND_VIEW:
			return "view";
		case RELKIND_MATVIEW:
			return "materialized view";
		case RELKIND_FOREIGN_TABLE:
			return "foreign table";
		case RELKIND_SEQUENCE:
			return "sequence";
		case RELKIND_COMPOSITE_TYPE:
			return "type";
		default:
			return NULL;
	}
}

/* The rows of columns, constraints and indexes: parts are told by each other. */
static void
read_parts(Describer *d, DescribedRelation *rel)
{
	Form_pg_class class = (Form_pg_class) GETSTRUCT(rel->tuple);
	HeapTuple	row;

	rel->natts = class->relnatts;
	rel->comments = read_comments(d, rel);
	rel->columns = palloc0(Max(1, rel->natts) * sizeof(HeapTuple));
	rel->names = palloc0(Max(1, rel->natts) * sizeof(const char *));
	read_seek_from(d, READ_ATTRIBUTE, 2, ObjectIdGetDatum(rel->oid), Int16GetDatum(1));
	while ((row = read_next(d, READ_ATTRIBUTE)) != NULL)
	{
		int			i = ((Form_pg_attribute) GETSTRUCT(row))->attnum - 1;

		if (i >= rel->natts || ((Form_pg_attribute) GETSTRUCT(row))->attisdropped)
			continue;
		rel->columns[i] = heap_copytuple(row);
		rel->names[i] = quote_identifier(NameStr(((Form_pg_attribute) GETSTRUCT(rel->columns[i]))->attname));
	}
	read_seek(d, READ_CONSTRAINT, 1, ObjectIdGetDatum(rel->oid));
	while ((row = read_next(d, READ_CONSTRAINT)) != NULL)
		rel->constraints = lappend(rel->constraints, heap_copytuple(row));
	if (!class->relhasindex)
		return;
	read_seek(d, READ_INDEX, 1, ObjectIdGetDatum(rel->oid));
	while ((row = read_next(d, READ_INDEX)) != NULL)
		rel->indexes = lappend(rel->indexes, heap_copytuple(row));
}

/* Comments on a relation and its columns by their numbers; NULL: there is none. */
static const char **
read_comments(Describer *d, const DescribedRelation *rel)
{
	const char **comments = NULL;
	HeapTuple	row;

	if (!read_any(d, READ_DESCRIPTION, rel->oid))
		return NULL;
	read_seek(d, READ_DESCRIPTION, 2, ObjectIdGetDatum(rel->oid), ObjectIdGetDatum(RelationRelationId));
	while ((row = read_next(d, READ_DESCRIPTION)) != NULL)
	{
		int			i = ((Form_pg_description) GETSTRUCT(row))->objsubid;

		if (comments == NULL)
			comments = palloc0((rel->natts + 1) * sizeof(const char *));
		if (i >= 0 && i <= rel->natts)
			comments[i] = read_text(d, READ_DESCRIPTION, row, Anum_pg_description_description);
	}
	return comments;
}

/* The relation itself, without its parts. */
static void
describe_table(Describer *d, const DescribedRelation *rel)
{
	Form_pg_class class = (Form_pg_class) GETSTRUCT(rel->tuple);
	DescribeRow *row = describe_row(d, rel->kind, rel->identity, NULL, RelationRelationId, rel->oid, 0);
	StringInfo	out = &row->definition;
	const char *comment = rel->comments == NULL ? NULL : rel->comments[0];
	bool		isnull;
	Datum		acl = read_column(d, READ_CLASS, rel->tuple, Anum_pg_class_relacl, &isnull);
	DescribedGrants *grants = isnull ? NULL : grants_of(d, DatumGetAclP(acl), OBJECT_TABLE, rel->owner);
	bool		unlogged = class->relpersistence == RELPERSISTENCE_UNLOGGED;

	appendStringInfo(out, "CREATE %s", unlogged ? "UNLOGGED " : "");
	for (const char *c = rel->kind; *c != '\0'; c++)
		appendStringInfoChar(out, pg_toupper((unsigned char) *c));
	appendStringInfo(out, " %s", rel->identity);
	put_text(row, "name", quote_identifier(rel->name));
	put_text(row, "schema", rel->schema);
	put_text(row, "owner", role_text(d, rel->owner));
	put_grants(row, grants);
	put_text(row, "comment", comment);
	put_flag(row, "unlogged", unlogged);
	describe_origin(d, row, rel);
	describe_storage(d, row, rel);
	describe_security(row, class);
	describe_replica_identity(row, rel);
	if (rel->relkind == RELKIND_VIEW || rel->relkind == RELKIND_MATVIEW)
		describe_query(d, row, rel);
	append_tail(row, role_text(d, rel->owner), grants, comment);
}

/* What it is made of or part of. */
static void
describe_origin(Describer *d, DescribeRow *row, const DescribedRelation *rel)
{
	Form_pg_class class = (Form_pg_class) GETSTRUCT(rel->tuple);
	StringInfo	out = &row->definition;
	Parents		parents = parents_of(d, rel->oid);
	bool		isnull;

	if (OidIsValid(class->reloftype))
	{
		appendStringInfo(out, " OF %s", type_text_plain(class->reloftype));
		put_text(row, "of_type", type_text_plain(class->reloftype));
		put_raw_oid(row, "of_type", class->reloftype);
	}
	put_raw(row, "inherits", parents.oids);
	if (!class->relispartition)
	{
		append_list(out, " INHERITS (", parents.names, ")");
		put_list(row, "inherits", parents.names);
	}
	else if (parents.names != NIL)
	{
		Datum		tree = read_column(d, READ_CLASS, rel->tuple, Anum_pg_class_relpartbound, &isnull);
		const char *bound = isnull ? NULL : server_text(pg_get_expr, 2, tree, ObjectIdGetDatum(InvalidOid));

		if (bound != NULL)
			appendStringInfo(out, " PARTITION OF %s %s", (char *) linitial(parents.names), bound);
		put_text(row, "partition_of", linitial(parents.names));
		put_text(row, "bound", bound);
		put_raw(row, "partition_of", parents.oids);
	}
	if (rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		const char *key = partition_key(d, rel);

		if (key != NULL)
			appendStringInfo(out, " PARTITION BY %s", key);
		put_text(row, "partition_by", key);
		put_raw(row, "partition_by", key == NULL ? NULL : "fixed");
	}
	if (rel->relkind == RELKIND_FOREIGN_TABLE)
		describe_server(row, rel->oid);
}

static Parents
parents_of(Describer *d, Oid relid)
{
	Parents		parents = {NIL, NULL};
	StringInfoData oids;
	HeapTuple	row;

	if (!read_any(d, READ_INHERITS, relid))
		return parents;
	initStringInfo(&oids);
	read_seek(d, READ_INHERITS, 1, ObjectIdGetDatum(relid));
	while ((row = read_next(d, READ_INHERITS)) != NULL)
	{
		Oid			parent = ((Form_pg_inherits) GETSTRUCT(row))->inhparent;

		appendStringInfo(&oids, "%s%u", parents.names == NIL ? "" : ",", parent);
		parents.names = lappend(parents.names, relation_text(parent));
	}
	if (parents.names != NIL)
		parents.oids = oids.data;
	return parents;
}

/* The server of a foreign table, and its options. */
static void
describe_server(DescribeRow *row, Oid relid)
{
	HeapTuple	table = SearchSysCache1(FOREIGNTABLEREL, ObjectIdGetDatum(relid));
	HeapTuple	server;
	Oid			serverid;
	Datum		options;
	bool		isnull;

	if (!HeapTupleIsValid(table))
		return;
	serverid = ((Form_pg_foreign_table) GETSTRUCT(table))->ftserver;
	server = SearchSysCache1(FOREIGNSERVEROID, ObjectIdGetDatum(serverid));
	if (HeapTupleIsValid(server))
	{
		const char *name = quote_identifier(pstrdup(NameStr(((Form_pg_foreign_server) GETSTRUCT(server))->srvname)));
		List	   *texts;

		options = SysCacheGetAttr(FOREIGNTABLEREL, table, Anum_pg_foreign_table_ftoptions, &isnull);
		texts = isnull ? NIL : fdw_option_texts(options);
		appendStringInfo(&row->definition, " SERVER %s", name);
		append_list(&row->definition, " OPTIONS (", texts, ")");
		put_text(row, "server", name);
		put_list(row, "fdw_options", texts);
		put_raw_oid(row, "server", serverid);
		ReleaseSysCache(server);
	}
	ReleaseSysCache(table);
}

/* Access method, options, tablespace, and the options of its toast table. */
static void
describe_storage(Describer *d, DescribeRow *row, const DescribedRelation *rel)
{
	Form_pg_class class = (Form_pg_class) GETSTRUCT(rel->tuple);
	StringInfo	out = &row->definition;
	HeapTuple	toast = OidIsValid(class->reltoastrelid) ? read_oid(d, READ_CLASS, class->reltoastrelid) : NULL;
	const char *tablespace = tablespace_text(class->reltablespace);
	bool		isnull;
	Datum		options;
	List	   *texts;

	if (OidIsValid(class->relam) && class->relam != HEAP_TABLE_AM_OID)
	{
		char	   *method = get_am_name(class->relam);

		if (method != NULL)
			appendStringInfo(out, " USING %s", quote_identifier(method));
		put_text(row, "access_method", method == NULL ? NULL : quote_identifier(method));
	}
	options = read_column(d, READ_CLASS, rel->tuple, Anum_pg_class_reloptions, &isnull);
	texts = isnull ? NIL : sorted_texts(options);
	append_list(out, " WITH (", texts, ")");
	put_list(row, "options", texts);
	if (tablespace != NULL)
		appendStringInfo(out, " TABLESPACE %s", tablespace);
	put_text(row, "tablespace", tablespace);
	if (toast == NULL)
		return;
	options = read_column(d, READ_CLASS, toast, Anum_pg_class_reloptions, &isnull);
	texts = isnull ? NIL : sorted_texts(options);
	append_list(out, "\n  TOAST (", texts, ")");
	put_list(row, "toast_options", texts);
}

static void
describe_security(DescribeRow *row, Form_pg_class class)
{
	if (class->relrowsecurity)
		appendStringInfoString(&row->definition, "\n  ENABLE ROW LEVEL SECURITY");
	if (class->relforcerowsecurity)
		appendStringInfoString(&row->definition, "\n  FORCE ROW LEVEL SECURITY");
	put_flag(row, "row_security", class->relrowsecurity);
	put_flag(row, "force_row_security", class->relforcerowsecurity);
}

static void
describe_replica_identity(DescribeRow *row, const DescribedRelation *rel)
{
	char		identity = ((Form_pg_class) GETSTRUCT(rel->tuple))->relreplident;
	const char *name = NULL;
	ListCell   *lc;

	if (rel->relkind == RELKIND_VIEW || rel->relkind == RELKIND_FOREIGN_TABLE)
		return;
	if (identity == REPLICA_IDENTITY_FULL)
		name = "FULL";
	else if (identity == REPLICA_IDENTITY_NOTHING)
		name = "NOTHING";
	else if (identity == REPLICA_IDENTITY_INDEX)
		foreach(lc, rel->indexes)
	{
		Form_pg_index index = (Form_pg_index) GETSTRUCT((HeapTuple) lfirst(lc));
		char	   *index_name = index->indisreplident ? get_rel_name(index->indexrelid) : NULL;

		if (index_name == NULL)
			continue;
		name = psprintf("USING INDEX %s", quote_identifier(index_name));
		put_raw_oid(row, "replica_identity", index->indexrelid);
	}
	if (name != NULL)
		appendStringInfo(&row->definition, "\n  REPLICA IDENTITY %s", name);
	put_text(row, "replica_identity", name);
}

/* What a view shows. */
static void
describe_query(Describer *d, DescribeRow *row, const DescribedRelation *rel)
{
	char	   *query = rel->query + strspn(rel->query, " ;");
	HeapTuple	rule;

	for (Size length = strlen(query); length > 0 && strchr(" ;", query[length - 1]) != NULL; length--)
		query[length - 1] = '\0';
	appendStringInfo(&row->definition, " AS\n%s", query);
	put_text(row, "query", query);
	if (!row->with_facts)
		return;
	put_view_columns(d, row, rel);
	read_seek(d, READ_REWRITE, 1, ObjectIdGetDatum(rel->oid));
	while ((rule = read_next(d, READ_REWRITE)) != NULL)
		if (strcmp(NameStr(((Form_pg_rewrite) GETSTRUCT(rule))->rulename), "_RETURN") == 0)
		{
			put_raw_md5(row, "query", read_text(d, READ_REWRITE, rule, Anum_pg_rewrite_ev_action));
			ObjectAddressSet(row->part, RewriteRelationId, ((Form_pg_rewrite) GETSTRUCT(rule))->oid);
		}
}

/* The names and types of what a view shows. */
static void
put_view_columns(Describer *d, DescribeRow *row, const DescribedRelation *rel)
{
	List	   *texts = NIL;
	StringInfoData raw;

	initStringInfo(&raw);
	for (int i = 0; i < rel->natts; i++)
	{
		Form_pg_attribute column = rel->columns[i] == NULL ? NULL : (Form_pg_attribute) GETSTRUCT(rel->columns[i]);
		const ColumnType *type = column == NULL ? NULL : type_of(d, column->atttypid, column->atttypmod);

		if (column == NULL)
			continue;
		appendStringInfo(&raw, "%s%s/%u/%d/%u", raw.len == 0 ? "" : ",", NameStr(column->attname),
						 column->atttypid, column->atttypmod, column->attcollation);
		if (!type->exists)
			continue;
		if (OidIsValid(column->attcollation) && column->attcollation != type->collation)
		{
			Datum		collation = DirectFunctionCall1(regcollationout, ObjectIdGetDatum(column->attcollation));

			texts = lappend(texts, psprintf("%s %s COLLATE %s", rel->names[i], type->text, DatumGetCString(collation)));
		}
		else
			texts = lappend(texts, psprintf("%s %s", rel->names[i], type->text));
	}
	put_list(row, "columns", texts);
	if (raw.len > 0)
		put_raw(row, "columns", raw.data);
}
