/*
 * recipe.h
 *	  The safe way to do what a statement does, for this version of the server.
 */
#ifndef MIGMGR_RECIPE_H
#define MIGMGR_RECIPE_H

#include "judge.h"

extern char *recipe_not_null(const RelFacts *rel, const char *column);
extern char *recipe_add_column(const RelFacts *rel, const ColumnDef *def, const char *then);
extern char *recipe_generated(const RelFacts *rel, const ColumnDef *def);
extern char *recipe_domain(const RelFacts *rel, const ColumnDef *def);
extern char *recipe_validate(const RelFacts *rel, const Constraint *constraint);
extern char *recipe_foreign_key(const RelFacts *rel, const Constraint *constraint);
extern char *recipe_key(const RelFacts *rel, const Constraint *constraint);
extern char *recipe_index(const RelFacts *rel, const IndexStmt *stmt);
extern char *recipe_column_type(const RelFacts *rel, const char *column, const ColumnDef *def);
extern char *recipe_attach(const RelFacts *parent, const RelFacts *partition, const PartitionBoundSpec *bound);
extern char *recipe_drop_table(const RelFacts *rel);

#endif							/* MIGMGR_RECIPE_H */
