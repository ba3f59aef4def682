/*
 * facts.h
 *	  Facts about the catalog as it is now, without waiting for anything.
 */
#ifndef MIGMGR_FACTS_H
#define MIGMGR_FACTS_H

#include "access/htup.h"
#include "catalog/objectaddress.h"
#include "nodes/parsenodes.h"

/* what is known of a relation */
typedef struct RelFacts
{
	Oid			relid;
	Oid			namespace;
	Oid			owner;
	char		relkind;
	char		persistence;
	bool		temporary;
	bool		is_new;			/* made in this transaction */
	int			made_by;		/* statement of the planned script, or 0 */
	char	   *name;			/* qualified, quoted */
} RelFacts;

/* what is known of a column */
typedef struct ColumnFacts
{
	AttrNumber	attnum;			/* InvalidAttrNumber: not in the catalog (yet) */
	bool		not_null;
	bool		has_default;
	bool		is_new;			/* made in this transaction */
	bool		retyped;		/* by an earlier statement of a planned script */
} ColumnFacts;

/* what goes with an object, or keeps it */
typedef struct Dependents
{
	List	   *locked;			/* of Oid: relations */
	List	   *names;			/* of char * */
	bool		more;			/* not all, since there are too many */
} Dependents;

extern Oid	fact_namespace(const char *schema);
extern Oid	fact_creation_namespace(const char *schema);
extern char *fact_namespace_name(Oid namespace);
extern List *fact_search_path(bool implicit);
extern Oid	fact_relname_relid(const char *name, Oid namespace);
extern Oid	fact_relid(const RangeVar *relation);
extern bool fact_relation(Oid relid, RelFacts *facts);
extern bool fact_empty(Oid relid);
extern bool fact_small(Oid relid);
extern bool fact_column(Oid relid, const char *name, ColumnFacts *facts);
extern bool fact_column_new(Oid relid, const char *column);
extern Oid	fact_type(TypeName *type);
extern Oid	fact_function(Oid namespace, const char *name, const Oid *types, int count);
extern Oid	fact_part(Oid classid, Oid relid, const char *name);
extern char *fact_identity(const ObjectAddress *address);
extern char *fact_dropped_identity(const ObjectAddress *address);
extern char *fact_names(List *names, Oid *namespace);
extern Oid	fact_primary_key(Oid relid);
extern Oid	fact_index_table(Oid index);
extern AttrNumber fact_index_column(Oid index, int number);
extern List *fact_type_users(Oid type);
extern bool fact_used_by_index(Oid function);
extern bool fact_size(Oid relid, int64 *bytes, double *rows);
extern List *fact_children(Oid relid);
extern Oid	fact_partition_parent(Oid relid);
extern List *fact_referenced(Oid relid, const char *constraint, AttrNumber attnum);
extern List *fact_referencing(Oid relid, AttrNumber attnum);
extern List *fact_foreign_keys_to(Oid relid);
extern List *fact_indexes(Oid relid, AttrNumber attnum);
extern void fact_dependents(const ObjectAddress *address, bool cascade, Dependents *result);
extern List *fact_typed_tables(Oid relid);
extern bool fact_parts_have_index(Oid relid, const IndexStmt *stmt);
extern bool fact_parts_have_key(Oid relid, const Constraint *constraint);
extern bool fact_parts_have_foreign_key(Oid relid, const Constraint *constraint);
extern bool fact_not_null_invalid(Oid relid, AttrNumber attnum);
extern bool fact_row_trigger(Oid relid, const char *name, bool internal);
extern List *fact_viewed(Oid view);
extern List *fact_published(Oid publication);
extern ObjectAddress fact_address(ObjectType type, Node *object, RangeVar *relation);
extern HeapTuple fact_row(Oid classid, Oid objid, bool self);
extern Oid	fact_owner(const ObjectAddress *address);

/* what this transaction has made; kept by the object access hook */
extern void fresh_init(void);
extern void fresh_created(Oid classid, Oid objid, int32 subid);
extern void fresh_altered(Oid classid, Oid objid, int32 subid);
extern bool fresh_is_new(Oid classid, Oid objid, int32 subid);

#endif							/* MIGMGR_FACTS_H */
