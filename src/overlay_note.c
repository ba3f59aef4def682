/*
 * overlay_note.c
 *	  What a statement that is only planned would do to names, columns and rows.
 *
 * Noted is what a later statement of a script may be judged by, and nothing
 * that would need running: what DO, CALL or a function does stays unknown.
 */
#include "postgres.h"

#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_conversion.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "facts.h"
#include "overlay.h"

typedef void (*note_fn) (Node *stmt);

static void follow_settings(Node *stmt);
static void overlay_note(Node *stmt, int number);
static void note_effects(Node *stmt);
static Oid	note_new_relation(RangeVar *relation, char relkind, bool if_not_exists);
static void note_named(Oid classid, List *names);
static void note_create_table(Node *stmt);
static void note_create_as(Node *stmt);
static void note_select(Node *stmt);
static void note_create_view(Node *stmt);
static void note_create_sequence(Node *stmt);
static void note_create_index(Node *stmt);
static void note_create_schema(Node *stmt);
static void note_create_extension(Node *stmt);
static void note_create_function(Node *stmt);
static void note_create_trigger(Node *stmt);
static void note_create_policy(Node *stmt);
static void note_create_rule(Node *stmt);
static void note_create_statistics(Node *stmt);
static void note_create_publication(Node *stmt);
static void note_composite(Node *stmt);
static void note_enum(Node *stmt);
static void note_range(Node *stmt);
static void note_domain(Node *stmt);
static void note_define(Node *stmt);
static void note_conversion(Node *stmt);
static void note_drop(Node *stmt);
static void note_rename(Node *stmt);
static void note_set_schema(Node *stmt);
static void note_alter_table(Node *stmt);
static void note_truncate(Node *stmt);
static void note_insert(Node *stmt);
static void note_merge(Node *stmt);
static void note_copy(Node *stmt);
static void note_refresh(Node *stmt);

static const struct
{
	note_fn		note;
}			notes[] = {
	[T_CreateStmt] = {note_create_table},
	[T_CreateForeignTableStmt] = {note_create_table},
	[T_CreateTableAsStmt] = {note_create_as},
	[T_SelectStmt] = {note_select},
	[T_ViewStmt] = {note_create_view},
	[T_CreateSeqStmt] = {note_create_sequence},
	[T_IndexStmt] = {note_create_index},
	[T_CreateSchemaStmt] = {note_create_schema},
	[T_CreateExtensionStmt] = {note_create_extension},
	[T_CreateFunctionStmt] = {note_create_function},
	[T_CreateTrigStmt] = {note_create_trigger},
	[T_CreatePolicyStmt] = {note_create_policy},
	[T_RuleStmt] = {note_create_rule},
	[T_CreateStatsStmt] = {note_create_statistics},
	[T_CreatePublicationStmt] = {note_create_publication},
	[T_CompositeTypeStmt] = {note_composite},
	[T_CreateEnumStmt] = {note_enum},
	[T_CreateRangeStmt] = {note_range},
	[T_CreateDomainStmt] = {note_domain},
	[T_DefineStmt] = {note_define},
	[T_CreateConversionStmt] = {note_conversion},
	[T_DropStmt] = {note_drop},
	[T_RenameStmt] = {note_rename},
	[T_AlterObjectSchemaStmt] = {note_set_schema},
	[T_AlterTableStmt] = {note_alter_table},
	[T_TruncateStmt] = {note_truncate},
	[T_InsertStmt] = {note_insert},
	[T_MergeStmt] = {note_merge},
	[T_CopyStmt] = {note_copy},
	[T_RefreshMatViewStmt] = {note_refresh},
};

/*
 * Calls fn for each statement of a script, as if those before it had run, and
 * at last once with NULL.  guess: what nobody can know before it runs, such as
 * how many rows come into a table, counts for the worse.
 */
void
overlay_each(Script *script, bool guess, void (*fn) (ScriptStatement *statement, void *arg), void *arg)
{
	int			settings = NewGUCNestLevel();
	ListCell   *lc;

	overlay_begin(guess);
	PG_TRY();
	{
		foreach(lc, script->statements)
		{
			ScriptStatement *statement = lfirst(lc);

			CHECK_FOR_INTERRUPTS();
			fn(statement, arg);
			overlay_note(statement->raw->stmt, statement->number);
			follow_settings(statement->raw->stmt);
		}
		fn(NULL, arg);
	}
	PG_FINALLY();
	{
		overlay_end();
	}
	PG_END_TRY();
	AtEOXact_GUC(false, settings);
}

/*
 * SET search_path and SET TimeZone decide what later statements mean, so they
 * are followed, until the end of the plan.
 */
static void
follow_settings(Node *stmt)
{
	const char *name = NULL;
	char	   *value = NULL;

	if (IsA(stmt, VariableSetStmt))
	{
		VariableSetStmt *set = castNode(VariableSetStmt, stmt);

		name = set->name;
		if (set->kind == VAR_SET_VALUE)
			value = ExtractSetVariableArgs(set);
		else if (set->kind != VAR_SET_DEFAULT && set->kind != VAR_RESET)
			return;
	}
	else if (IsA(stmt, SelectStmt) && list_length(castNode(SelectStmt, stmt)->targetList) == 1)
	{
		/*
		 * as pg_dump writes it: SELECT pg_catalog.set_config('search_path',
		 * '', false)
		 */
		Node	   *call = linitial_node(ResTarget, castNode(SelectStmt, stmt)->targetList)->val;
		List	   *args = IsA(call, FuncCall) ? castNode(FuncCall, call)->args : NIL;

		if (list_length(args) != 3 || strcmp(strVal(llast(castNode(FuncCall, call)->funcname)), "set_config") != 0 ||
			!IsA(linitial(args), A_Const) || !IsA(lsecond(args), A_Const) ||
			!IsA(&linitial_node(A_Const, args)->val, String) || !IsA(&lsecond_node(A_Const, args)->val, String))
			return;
		name = strVal(&linitial_node(A_Const, args)->val);
		value = strVal(&lsecond_node(A_Const, args)->val);
	}
	if (name == NULL || (pg_strcasecmp(name, "search_path") != 0 && pg_strcasecmp(name, "timezone") != 0))
		return;
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, DEBUG1, false);
}

/* Takes the effects of a statement in; the next one is judged after it. */
static void
overlay_note(Node *stmt, int number)
{
	MemoryContext old = MemoryContextSwitchTo(overlay_context());

	overlay_begin_statement(number);
	note_effects(stmt);
	MemoryContextSwitchTo(old);
}

static void
note_effects(Node *stmt)
{
	int			tag = nodeTag(stmt);

	if (tag < lengthof(notes) && notes[tag].note != NULL)
		notes[tag].note(stmt);
}

/* A relation that a statement makes; InvalidOid when it exists, or cannot. */
static Oid
note_new_relation(RangeVar *relation, char relkind, bool if_not_exists)
{
	char		persistence = relation->relpersistence;
	Oid			namespace;

	if (relation->schemaname != NULL && strcmp(relation->schemaname, "pg_temp") == 0)
		persistence = RELPERSISTENCE_TEMP;
	namespace = persistence == RELPERSISTENCE_TEMP ? overlay_temporary() :
		fact_creation_namespace(relation->schemaname);
	if (!OidIsValid(namespace) || OidIsValid(fact_relname_relid(relation->relname, namespace)))
		return InvalidOid;
	return overlay_make_relation(namespace, relation->relname, relkind, persistence);
}

/* An object in a schema that is named by a List of String. */
static void
note_named(Oid classid, List *names)
{
	char	   *schema;
	char	   *name;
	Oid			namespace;

	DeconstructQualifiedName(names, &schema, &name);
	namespace = fact_creation_namespace(schema);
	if (OidIsValid(namespace))
		(void) overlay_make(classid, namespace, name);
}

static void
note_create_table(Node *stmt)
{
	CreateStmt *create = (CreateStmt *) stmt;
	char		relkind = IsA(stmt, CreateForeignTableStmt) ? RELKIND_FOREIGN_TABLE :
		create->partspec != NULL ? RELKIND_PARTITIONED_TABLE : RELKIND_RELATION;
	Oid			relid = note_new_relation(create->relation, relkind, create->if_not_exists);
	ListCell   *lc;

	if (!OidIsValid(relid))
		return;
	(void) overlay_make(TypeRelationId, overlay_relation(relid)->namespace, create->relation->relname);
	foreach(lc, create->tableElts)
	{
		if (IsA(lfirst(lc), ColumnDef))
		{
			OverlayColumn *column = overlay_change_column(relid, lfirst_node(ColumnDef, lc)->colname);

			column->added = true;
			column->not_null = lfirst_node(ColumnDef, lc)->is_not_null;
		}
	}
}

static void
note_create_as(Node *stmt)
{
	CreateTableAsStmt *create = castNode(CreateTableAsStmt, stmt);
	Oid			relid = note_new_relation(create->into->rel,
										  create->objtype == OBJECT_MATVIEW ? RELKIND_MATVIEW : RELKIND_RELATION,
										  create->if_not_exists);

	if (OidIsValid(relid))
		overlay_change(relid)->filled = true;
}

static void
note_select(Node *stmt)
{
	SelectStmt *select = castNode(SelectStmt, stmt);

	if (select->intoClause != NULL)
		(void) note_new_relation(select->intoClause->rel, RELKIND_RELATION, false);
}

static void
note_create_view(Node *stmt)
{
	(void) note_new_relation(castNode(ViewStmt, stmt)->view, RELKIND_VIEW, false);
}

static void
note_create_sequence(Node *stmt)
{
	(void) note_new_relation(castNode(CreateSeqStmt, stmt)->sequence, RELKIND_SEQUENCE, false);
}

/* An index without a name gets the one that the server would choose first. */
static void
note_create_index(Node *stmt)
{
	IndexStmt  *create = castNode(IndexStmt, stmt);
	Oid			table = fact_relid(create->relation);
	RelFacts	rel;
	char	   *name = create->idxname;
	Oid			relid;

	if (!fact_relation(table, &rel))
		return;
	if (name == NULL)
	{
		StringInfoData columns;
		ListCell   *lc;

		initStringInfo(&columns);
		foreach(lc, create->indexParams)
			appendStringInfo(&columns, "%s%s", columns.len > 0 ? "_" : "",
							 lfirst_node(IndexElem, lc)->name ? lfirst_node(IndexElem, lc)->name : "expr");
		name = makeObjectName(create->relation->relname, columns.data, "idx");
	}
	if (OidIsValid(fact_relname_relid(name, rel.namespace)))
		return;
	relid = overlay_make_relation(rel.namespace, name, RELKIND_INDEX, rel.persistence);
	overlay_change(relid)->table = table;
}

/* A schema, and what is made with it. */
static void
note_create_schema(Node *stmt)
{
	CreateSchemaStmt *create = castNode(CreateSchemaStmt, stmt);
	const char *name = create->schemaname;
	ListCell   *lc;

	if (name == NULL && create->authrole != NULL)
		name = create->authrole->rolename;
	if (name == NULL || OidIsValid(fact_namespace(name)))
		return;
	(void) overlay_make(NamespaceRelationId, InvalidOid, name);
	foreach(lc, create->schemaElts)
	{
		Node	   *element = copyObject(lfirst(lc));
		RangeVar   *relation = IsA(element, CreateStmt) ? castNode(CreateStmt, element)->relation :
			IsA(element, ViewStmt) ? castNode(ViewStmt, element)->view :
			IsA(element, CreateSeqStmt) ? castNode(CreateSeqStmt, element)->sequence :
			IsA(element, IndexStmt) ? castNode(IndexStmt, element)->relation : NULL;

		if (relation != NULL && relation->schemaname == NULL)
			relation->schemaname = pstrdup(name);
		note_effects(element);
	}
}

static void
note_create_extension(Node *stmt)
{
	(void) overlay_make(ExtensionRelationId, InvalidOid, castNode(CreateExtensionStmt, stmt)->extname);
}

static void
note_create_function(Node *stmt)
{
	CreateFunctionStmt *create = castNode(CreateFunctionStmt, stmt);
	char	   *schema;
	char	   *name;
	Oid			types[FUNC_MAX_ARGS];
	int			count = 0;
	Oid			namespace;
	char	   *full;
	ListCell   *lc;

	DeconstructQualifiedName(create->funcname, &schema, &name);
	namespace = fact_creation_namespace(schema);
	foreach(lc, create->parameters)
	{
		FunctionParameter *parameter = lfirst_node(FunctionParameter, lc);

		if (parameter->mode == FUNC_PARAM_OUT || parameter->mode == FUNC_PARAM_TABLE)
			continue;
		if (count >= FUNC_MAX_ARGS)
			return;
		types[count++] = fact_type(parameter->argType);
	}
	if (!OidIsValid(namespace) || OidIsValid(fact_function(namespace, name, types, count)))
		return;
	full = overlay_function_name(name, types, count);
	(void) overlay_make(ProcedureRelationId, namespace, full);
	(void) overlay_make(ProcedureRelationId, namespace, name);
}

static void
note_create_trigger(Node *stmt)
{
	CreateTrigStmt *create = castNode(CreateTrigStmt, stmt);
	Oid			relid = fact_relid(create->relation);

	if (OidIsValid(relid) && !OidIsValid(fact_part(TriggerRelationId, relid, create->trigname)))
		(void) overlay_make(TriggerRelationId, relid, create->trigname);
}

static void
note_create_policy(Node *stmt)
{
	CreatePolicyStmt *create = castNode(CreatePolicyStmt, stmt);
	Oid			relid = fact_relid(create->table);

	if (OidIsValid(relid) && !OidIsValid(fact_part(PolicyRelationId, relid, create->policy_name)))
		(void) overlay_make(PolicyRelationId, relid, create->policy_name);
}

static void
note_create_rule(Node *stmt)
{
	RuleStmt   *create = castNode(RuleStmt, stmt);
	Oid			relid = fact_relid(create->relation);

	if (OidIsValid(relid) && !OidIsValid(fact_part(RewriteRelationId, relid, create->rulename)))
		(void) overlay_make(RewriteRelationId, relid, create->rulename);
}

static void
note_create_statistics(Node *stmt)
{
	if (castNode(CreateStatsStmt, stmt)->defnames != NIL)
		note_named(StatisticExtRelationId, castNode(CreateStatsStmt, stmt)->defnames);
}

static void
note_create_publication(Node *stmt)
{
	(void) overlay_make(PublicationRelationId, InvalidOid, castNode(CreatePublicationStmt, stmt)->pubname);
}

static void
note_composite(Node *stmt)
{
	RangeVar   *name = castNode(CompositeTypeStmt, stmt)->typevar;
	Oid			relid = note_new_relation(name, RELKIND_COMPOSITE_TYPE, false);

	if (OidIsValid(relid))
		(void) overlay_make(TypeRelationId, overlay_relation(relid)->namespace, name->relname);
}

static void
note_enum(Node *stmt)
{
	note_named(TypeRelationId, castNode(CreateEnumStmt, stmt)->typeName);
}

static void
note_range(Node *stmt)
{
	note_named(TypeRelationId, castNode(CreateRangeStmt, stmt)->typeName);
}

static void
note_domain(Node *stmt)
{
	note_named(TypeRelationId, castNode(CreateDomainStmt, stmt)->domainname);
}

static void
note_define(Node *stmt)
{
	static const Oid classes[] = {
		[OBJECT_TYPE] = TypeRelationId,
		[OBJECT_COLLATION] = CollationRelationId,
		[OBJECT_TSCONFIGURATION] = TSConfigRelationId,
		[OBJECT_TSDICTIONARY] = TSDictionaryRelationId,
		[OBJECT_TSPARSER] = TSParserRelationId,
		[OBJECT_TSTEMPLATE] = TSTemplateRelationId,
	};
	ObjectType	kind = castNode(DefineStmt, stmt)->kind;

	if (kind < lengthof(classes) && OidIsValid(classes[kind]))
		note_named(classes[kind], castNode(DefineStmt, stmt)->defnames);
}

static void
note_conversion(Node *stmt)
{
	note_named(ConversionRelationId, castNode(CreateConversionStmt, stmt)->conversion_name);
}

/* The name of one object of a DROP is free from now on. */
static void
note_drop(Node *stmt)
{
	DropStmt   *drop = castNode(DropStmt, stmt);
	ListCell   *lc;

	foreach(lc, drop->objects)
	{
		Node	   *object = lfirst(lc);
		ObjectAddress address = fact_address(drop->removeType, object, NULL);
		Oid			scope = InvalidOid;
		char	   *schema = NULL;
		char	   *name = NULL;
		RelFacts	rel;

		if (!OidIsValid(address.objectId))
			continue;
		if (address.classId == RelationRelationId && fact_relation(address.objectId, &rel))
		{
			name = strVal(llast(castNode(List, object)));
			overlay_drop(RelationRelationId, rel.namespace, name, address.objectId);
			continue;
		}
		if (IsA(object, String))
			name = strVal(object);
		else if (drop->removeType == OBJECT_POLICY || drop->removeType == OBJECT_TRIGGER ||
				 drop->removeType == OBJECT_RULE)
		{
			List	   *names = castNode(List, object);

			name = strVal(llast(names));
			scope = fact_relid(makeRangeVarFromNameList(list_copy_head(names, list_length(names) - 1)));
		}
		else if (address.classId == ProcedureRelationId)
		{
			Oid		   *types;
			int			count = 0;

			if (overlay_made_by(address.objectId) != 0)
				continue;
			(void) get_func_signature(address.objectId, &types, &count);
			scope = get_func_namespace(address.objectId);
			name = overlay_function_name(get_func_name(address.objectId), types, count);
		}
		else if (address.classId == TypeRelationId || IsA(object, List))
		{
			List	   *names = IsA(object, TypeName) ? castNode(TypeName, object)->names :
				IsA(object, List) && IsA(linitial(castNode(List, object)), String) ? castNode(List, object) : NIL;

			if (names == NIL)
				continue;
			/* the access method comes first */
			if (drop->removeType == OBJECT_OPCLASS || drop->removeType == OBJECT_OPFAMILY)
				names = list_copy_tail(names, 1);
			DeconstructQualifiedName(names, &schema, &name);
			scope = overlay_made_by(address.objectId) != 0 ? overlay_scope(address.objectId) :
				get_object_attnum_namespace(address.classId) != InvalidAttrNumber ?
				get_object_namespace(&address) : InvalidOid;
		}
		if (name != NULL)
			overlay_drop(address.classId, scope, name, address.objectId);
	}
}

static void
note_rename(Node *stmt)
{
	RenameStmt *rename = castNode(RenameStmt, stmt);
	Oid			relid = fact_relid(rename->relation);
	RelFacts	rel;
	Oid			part;

	if (rename->renameType == OBJECT_SCHEMA)
	{
		Oid			namespace = fact_namespace(rename->subname);

		if (OidIsValid(namespace))
			overlay_move(NamespaceRelationId, namespace, InvalidOid, rename->subname, InvalidOid, rename->newname);
		return;
	}
	if (!fact_relation(relid, &rel))
		return;
	if (rename->renameType == OBJECT_COLUMN)
	{
		OverlayColumn *old = overlay_change_column(relid, rename->subname);
		OverlayColumn *new = overlay_change_column(relid, rename->newname);

		*new = *old;
		new->name = pstrdup(rename->newname);
		new->gone = false;
		old->gone = true;
	}
	else if (rename->renameType == OBJECT_TRIGGER || rename->renameType == OBJECT_POLICY ||
			 rename->renameType == OBJECT_RULE || rename->renameType == OBJECT_TABCONSTRAINT)
	{
		Oid			classid = rename->renameType == OBJECT_TRIGGER ? TriggerRelationId :
			rename->renameType == OBJECT_POLICY ? PolicyRelationId :
			rename->renameType == OBJECT_RULE ? RewriteRelationId : ConstraintRelationId;

		part = fact_part(classid, relid, rename->subname);
		if (OidIsValid(part))
			overlay_move(classid, part, relid, rename->subname, relid, rename->newname);
	}
	else if (rename->subname == NULL)
		overlay_move(RelationRelationId, relid, rel.namespace, rename->relation->relname,
					 rel.namespace, rename->newname);
}

static void
note_set_schema(Node *stmt)
{
	AlterObjectSchemaStmt *move = castNode(AlterObjectSchemaStmt, stmt);
	Oid			target = fact_namespace(move->newschema);
	RelFacts	rel;

	if (move->relation != NULL && OidIsValid(target) && fact_relation(fact_relid(move->relation), &rel))
		overlay_move(RelationRelationId, rel.relid, rel.namespace, move->relation->relname,
					 target, move->relation->relname);
}

/* The name that the server chooses first for a key without one; NULL: for others. */
static char *
chosen_name(const OverlayRelation *rel, const Constraint *constraint)
{
	StringInfoData columns;
	ListCell   *lc;

	if (constraint->contype == CONSTR_PRIMARY)
		return makeObjectName(rel->name, NULL, "pkey");
	if (constraint->contype != CONSTR_UNIQUE)
		return NULL;
	initStringInfo(&columns);
	foreach(lc, constraint->keys)
		appendStringInfo(&columns, "%s%s", columns.len > 0 ? "_" : "", strVal(lfirst(lc)));
	return makeObjectName(rel->name, columns.data, "key");
}

/* A constraint of a table: that there is one, and what it proves. */
static void
note_constraint(Oid relid, Constraint *constraint)
{
	OverlayRelation *rel = overlay_change(relid);
	const char *name = constraint->conname != NULL ? constraint->conname : chosen_name(rel, constraint);

	if (name != NULL)
		(void) overlay_make(ConstraintRelationId, relid, name);
	if (constraint->indexname != NULL)
		return;
	if (constraint->contype == CONSTR_PRIMARY || constraint->contype == CONSTR_UNIQUE ||
		constraint->contype == CONSTR_EXCLUSION)
	{
		if (name != NULL)
			(void) overlay_make_relation(rel->namespace, name, RELKIND_INDEX, rel->persistence);
		if (constraint->contype == CONSTR_PRIMARY)
		{
			ListCell   *lc;

			foreach(lc, constraint->keys)
				overlay_change_column(relid, strVal(lfirst(lc)))->not_null = true;
		}
	}
	else if (constraint->contype == CONSTR_CHECK)
	{
		if (constraint->skip_validation)
			rel->unchecked = lappend(rel->unchecked, copyObject(constraint));
		else
			rel->checks = lappend(rel->checks, copyObject(constraint));
	}
}

/* VALIDATE CONSTRAINT: what was added NOT VALID is proven now. */
static void
note_validated(Oid relid, const char *name)
{
	OverlayRelation *rel = overlay_change(relid);
	Constraint *constraint = NULL;
	ListCell   *lc;

	foreach(lc, rel->unchecked)
	{
		if (lfirst_node(Constraint, lc)->conname != NULL && strcmp(lfirst_node(Constraint, lc)->conname, name) == 0)
			constraint = lfirst_node(Constraint, lc);
	}
	if (constraint == NULL)
	{
		/* one of the catalog: its name says which */
		constraint = makeNode(Constraint);
		constraint->conname = pstrdup(name);
	}
	rel->checks = lappend(rel->checks, constraint);
}

static void
note_add_column(Oid relid, ColumnDef *def, bool missing_ok)
{
	ColumnFacts there;
	OverlayColumn *column;
	ListCell   *lc;

	if (fact_column(relid, def->colname, &there))
		return;
	column = overlay_change_column(relid, def->colname);
	column->gone = false;
	column->added = true;
	column->not_null = def->is_not_null;
	column->has_default = false;
	column->attnum = InvalidAttrNumber;
	foreach(lc, def->constraints)
	{
		ConstrType	type = lfirst_node(Constraint, lc)->contype;

		column->not_null |= type == CONSTR_NOTNULL || type == CONSTR_PRIMARY || type == CONSTR_IDENTITY;
		column->has_default |= type == CONSTR_DEFAULT || type == CONSTR_GENERATED || type == CONSTR_IDENTITY;
		if (lfirst_node(Constraint, lc)->conname != NULL)
			(void) overlay_make(ConstraintRelationId, relid, lfirst_node(Constraint, lc)->conname);
	}
}

static void
note_alter_table(Node *stmt)
{
	AlterTableStmt *alter = castNode(AlterTableStmt, stmt);
	Oid			relid = fact_relid(alter->relation);
	Oid			part;
	ListCell   *lc;

	if (!OidIsValid(relid))
		return;
	foreach(lc, alter->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AddColumn)
			note_add_column(relid, castNode(ColumnDef, cmd->def), cmd->missing_ok);
		else if (cmd->subtype == AT_DropColumn)
			overlay_change_column(relid, cmd->name)->gone = true;
		else if (cmd->subtype == AT_AlterColumnType)
			overlay_change_column(relid, cmd->name)->retyped = true;
		else if (cmd->subtype == AT_SetNotNull)
			overlay_change_column(relid, cmd->name)->not_null = true;
		else if (cmd->subtype == AT_DropNotNull)
			overlay_change_column(relid, cmd->name)->not_null = false;
		else if (cmd->subtype == AT_ColumnDefault)
			overlay_change_column(relid, cmd->name)->has_default = cmd->def != NULL;
		else if (cmd->subtype == AT_AddConstraint)
			note_constraint(relid, castNode(Constraint, cmd->def));
		else if (cmd->subtype == AT_ValidateConstraint)
			note_validated(relid, cmd->name);
		else if (cmd->subtype == AT_DropConstraint &&
				 OidIsValid(part = fact_part(ConstraintRelationId, relid, cmd->name)))
			overlay_drop(ConstraintRelationId, relid, cmd->name, part);
		else if (cmd->subtype == AT_SetLogged)
			overlay_change(relid)->persistence = RELPERSISTENCE_PERMANENT;
		else if (cmd->subtype == AT_SetUnLogged)
			overlay_change(relid)->persistence = RELPERSISTENCE_UNLOGGED;
	}
}

/* Rows come into a relation; many: as many as nobody knows, or none. */
static void
note_rows(RangeVar *relation, bool many)
{
	Oid			relid = fact_relid(relation);
	OverlayRelation *rel;

	if (!OidIsValid(relid) || (many && !overlay_guesses()))
		return;
	rel = overlay_change(relid);
	rel->filled = true;
	rel->grown |= many;
}

static void
note_truncate(Node *stmt)
{
	ListCell   *lc;

	foreach(lc, castNode(TruncateStmt, stmt)->relations)
	{
		Oid			relid = fact_relid(lfirst_node(RangeVar, lc));

		if (OidIsValid(relid))
		{
			OverlayRelation *rel = overlay_change(relid);

			rel->filled = rel->grown = false;
			rel->emptied = true;
		}
	}
}

static void
note_insert(Node *stmt)
{
	InsertStmt *insert = castNode(InsertStmt, stmt);
	SelectStmt *select = (SelectStmt *) insert->selectStmt;

	note_rows(insert->relation, select != NULL && select->valuesLists == NIL);
}

static void
note_merge(Node *stmt)
{
	note_rows(castNode(MergeStmt, stmt)->relation, true);
}

static void
note_copy(Node *stmt)
{
	if (castNode(CopyStmt, stmt)->is_from)
		note_rows(castNode(CopyStmt, stmt)->relation, true);
}

static void
note_refresh(Node *stmt)
{
	note_rows(castNode(RefreshMatViewStmt, stmt)->relation, true);
}
