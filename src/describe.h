/*
 * describe.h
 *	  Objects of the schema, described: what describe() and
 *	  schema_fingerprint() are made of.  Inside the room only.
 *
 * A whole is an object with its parts: a relation with its columns,
 * constraints, indexes ... Whoever describes one adds rows; when the whole is
 * done they go to the sink, and everything allocated for them goes away.
 */
#ifndef MIGMGR_DESCRIBE_H
#define MIGMGR_DESCRIBE_H

#include "access/htup.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

/* catalogs, each by the index whose columns a row is looked up with */
typedef enum DescribeReader
{
	READ_CLASS,					/* oid */
	READ_NAMESPACE,				/* oid */
	READ_PROC,					/* oid */
	READ_TYPE,					/* oid */
	READ_ATTRIBUTE,				/* attrelid, attnum */
	READ_AGGREGATE,				/* aggfnoid */
	READ_AMOP_OID,				/* oid */
	READ_AMPROC_OID,			/* oid */
	READ_ATTRDEF,				/* adrelid, adnum */
	READ_ATTRDEF_OID,			/* oid */
	READ_CONSTRAINT,			/* conrelid, contypid */
	READ_CONSTRAINT_TYPE,		/* contypid */
	READ_CONSTRAINT_OID,		/* oid */
	READ_DEPEND,				/* classid, objid, objsubid */
	READ_DEPEND_REFERENCE,		/* refclassid, refobjid, refobjsubid */
	READ_DESCRIPTION,			/* objoid, classoid, objsubid */
	READ_ENUM,					/* enumtypid, enumsortorder */
	READ_EXTENSION,				/* oid */
	READ_INDEX,					/* indrelid */
	READ_INHERITS,				/* inhrelid, inhseqno */
	READ_POLICY,				/* polrelid */
	READ_POLICY_OID,			/* oid */
	READ_PUBLICATION_NAMESPACE_OID, /* oid */
	READ_PUBLICATION_REL_OID,	/* oid */
	READ_REWRITE,				/* ev_class */
	READ_REWRITE_OID,			/* oid */
	READ_SEQUENCE,				/* seqrelid */
	READ_STATISTIC_EXT,			/* stxrelid */
	READ_STATISTIC_EXT_OID,		/* oid */
	READ_TRIGGER,				/* tgrelid */
	READ_TRIGGER_OID,			/* oid */
	DESCRIBE_READERS			/* how many */
} DescribeReader;

/* the names and values of an object, or the raw ones among them */
typedef struct DescribeFacts
{
	int			count;
	int			size;
	JsonbPair  *pairs;
} DescribeFacts;

/* one object that was described */
typedef struct DescribeRow
{
	const char *kind;
	const char *identity;
	const char *parent;			/* 'kind identity', or NULL */
	StringInfoData definition;
	ObjectAddress address;
	ObjectAddress part;			/* what it is made of that has dependencies of
								 * its own; may be none */
	bool		with_facts;		/* false: nobody asks for facts and needs */
	bool		has_raw;		/* the fact raw, be it empty; true at first */
	DescribeFacts facts;
	DescribeFacts raw;
	Jsonb	   *ready_facts;	/* instead of all of these */
} DescribeRow;

/* privileges that are not the default ones, one a line; there may be none */
typedef struct DescribedGrants
{
	List	   *lines;
} DescribedGrants;

/* one call, for named objects or for everything */
typedef struct Describer
{
	bool		everything;		/* all there is, rather than a few */
	bool		with_facts;
	Snapshot	snapshot;
	MemoryContext context;		/* of the call */
	MemoryContext scratch;		/* of a whole; the current one while it is
								 * described */
	List	   *rows;			/* of the whole: DescribeRow *, in scratch */
	struct KnownNeeds *needs;	/* of the whole, in scratch */
	void		(*sink) (struct Describer *d);	/* takes d->rows */
	void	   *sink_state;
	int			guc_level;
	struct Reader *readers[DESCRIBE_READERS];
	HTAB	   *namespaces;
	HTAB	   *roles;
	HTAB	   *types;
	HTAB	   *classes;
	HTAB	   *members;		/* of extensions, when everything is described */
	struct ExpressionMemo *expressions;
} Describer;

/* the relation that parts are described of */
typedef struct DescribedRelation
{
	Oid			oid;
	char		relkind;
	Oid			owner;
	const char *schema;			/* quoted */
	const char *name;			/* as it is */
	const char *identity;		/* qualified and quoted */
	const char *kind;
	const char *self;			/* 'kind identity' */
	HeapTuple	tuple;			/* of pg_class */
	int			natts;
	HeapTuple  *columns;		/* of pg_attribute, by attnum - 1; may be NULL */
	const char **names;			/* of columns, quoted; NULL: dropped */
	const char **comments;		/* by attnum, the first that on itself; NULL:
								 * there is none */
	List	   *constraints;	/* HeapTuple of pg_constraint */
	List	   *indexes;		/* HeapTuple of pg_index */
	char	   *query;			/* of a view */
} DescribedRelation;

/* how a type is written, and what columns of it have when nobody says otherwise */
typedef struct ColumnType
{
	struct
	{
		Oid			oid;
		int32		typmod;
	}			key;
	bool		exists;
	char		storage;
	Oid			collation;
	const char *text;
} ColumnType;

/* describe.c: a call, and the rows of a whole */
extern void describe_begin(Describer *d, bool everything, bool with_facts);
extern void describe_end(Describer *d);
extern void describe_everything(Describer *d);
extern void describe_named(Describer *d, Oid classid, List *objids);
extern DescribeRow *describe_row(Describer *d, const char *kind, const char *identity,
								 const char *parent, Oid classid, Oid objid, int32 subid);

/* describe_fact.c: facts of a row; NULL, NIL, false and zero OIDs are left out */
extern void put_text(DescribeRow *row, const char *key, const char *value);
extern void put_flag(DescribeRow *row, const char *key, bool value);
extern void put_number(DescribeRow *row, const char *key, int64 value);
extern void put_list(DescribeRow *row, const char *key, List *texts);
extern void put_value(DescribeRow *row, const char *key, JsonbValue value);
extern void put_raw(DescribeRow *row, const char *key, const char *value);
extern void put_raw_oid(DescribeRow *row, const char *key, Oid value);
extern void put_raw_md5(DescribeRow *row, const char *key, const char *value);
extern void put_raw_value(DescribeRow *row, const char *key, JsonbValue value);
extern JsonbValue string_value(const char *text);
extern JsonbValue number_value(int64 value);
extern JsonbValue list_value(List *texts);
extern Jsonb *facts_jsonb(DescribeRow *row);
extern char *md5_of(const char *text);

/* describe_text.c: texts that most objects have */
extern const char *namespace_text(Describer *d, Oid nspid);
extern char *quoted_name(const NameData *name);
extern const char *role_text(Describer *d, Oid role);
extern const ColumnType *type_of(Describer *d, Oid type, int32 typmod);
extern const char *type_text(Describer *d, Oid type, int32 typmod);
extern const char *type_text_plain(Oid type);
extern char *relation_text(Oid relid);
extern const char *storage_text(char storage);
extern char *collation_text(Oid collation);
extern const char *tablespace_text(Oid tablespace);
extern char *comment_text(Describer *d, Oid classid, Oid objid, int32 subid);
extern bool is_extension_member(Describer *d, Oid classid, Oid objid);
extern List *array_texts(Datum array);
extern List *sorted_texts(Datum array);
extern List *fdw_option_texts(Datum array);
extern DescribedGrants *grants_of(Describer *d, const Acl *acl, ObjectType type, Oid owner);
extern void put_grants(DescribeRow *row, const DescribedGrants *grants);
extern void append_list(StringInfo out, const char *before, List *texts, const char *after);
extern void append_tail(DescribeRow *row, const char *owner, const DescribedGrants *grants, const char *comment);

/* describe_call.c: what functions of the server and of types say */
extern char *server_text(PGFunction function, int nargs,...);
extern char *function_text(Oid function);
extern char *expression_text(const char *tree, Oid relid);
extern char *columns_text(Describer *d, DescribeReader which, HeapTuple row, const char *separator,
						  const AttrNumber *columns);
extern void append_columns_except(StringInfo out, Describer *d, DescribeReader which, HeapTuple row,
								  const AttrNumber *columns);

/*
 * describe_read.c: rows of a catalog by an index.  A reader has one scan at a
 * time; a row is good until the next one is asked for.  read_any: false means
 * that there are no rows of this owner, true that there may be.
 */
extern bool read_any(Describer *d, DescribeReader which, Oid owner);
extern Relation read_relation(Describer *d, DescribeReader which);
extern HeapTuple read_oid(Describer *d, DescribeReader which, Oid oid);
extern void read_seek(Describer *d, DescribeReader which, int nkeys,...);
extern void read_seek_from(Describer *d, DescribeReader which, int nkeys,...);
extern HeapTuple read_next(Describer *d, DescribeReader which);
extern Datum read_column(Describer *d, DescribeReader which, HeapTuple row, AttrNumber attnum, bool *isnull);
extern char *read_text(Describer *d, DescribeReader which, HeapTuple row, AttrNumber attnum);
extern void read_end(Describer *d);

/*
 * describe_expression.c: the text of a stored expression of a relation as the
 * server writes it; of the second NULL, if only the server can tell
 */
extern const char *relation_expression(Describer *d, const DescribedRelation *rel, const char *tree);
extern const char *known_expression(Describer *d, const DescribedRelation *rel, const char *tree);
extern void trim_expressions(Describer *d);

/* one whole each, from its catalog's row */
extern void describe_relation(Describer *d, HeapTuple tuple);
extern bool is_described_relation(Describer *d, Form_pg_class class);
extern void describe_schema(Describer *d, HeapTuple tuple);
extern void describe_type(Describer *d, HeapTuple tuple);
extern void describe_composite_type(Describer *d, Oid type);
extern void describe_function(Describer *d, HeapTuple tuple);
extern void describe_extension(Describer *d, HeapTuple tuple);

/* of a sequence: options as CREATE SEQUENCE takes them; NULL: there is none */
extern char *sequence_text(Describer *d, Oid relid);

/* how an operator class is written behind a column, and a partition key; NULL: it is gone */
extern const char *opclass_text(Describer *d, Oid opclass, Oid type);
extern const char *partition_key(Describer *d, const DescribedRelation *rel);

/* parts of a relation */
extern void describe_sequence(Describer *d, const DescribedRelation *rel);
extern bool constraint_has_index(Form_pg_constraint form);
extern void describe_columns(Describer *d, const DescribedRelation *rel);
extern void describe_constraints(Describer *d, const DescribedRelation *rel);
extern void describe_indexes(Describer *d, const DescribedRelation *rel);
extern void describe_triggers(Describer *d, const DescribedRelation *rel);
extern void describe_policies(Describer *d, const DescribedRelation *rel);
extern void describe_rules(Describer *d, const DescribedRelation *rel);
extern void describe_statistics(Describer *d, const DescribedRelation *rel);

/* describe_needs.c: array of text, or NULL */
extern ArrayType *describe_needs(Describer *d, const DescribeRow *row);

/*
 * describe_whole.c: describes the whole objects that addresses are or are part
 * of, by describe_named(), all of one catalog at once
 */
extern void describe_addresses(Describer *d, ArrayType *classids, ArrayType *objids);

#endif							/* MIGMGR_DESCRIBE_H */
