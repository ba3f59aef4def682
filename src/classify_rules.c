/*
 * classify_rules.c
 *	  What every statement, ALTER TABLE sub-command and kind of object does.
 *
 * Tables of constants and their lookup, nothing else.  A row without a judge
 * is the whole truth about its statement; the others say what to look at.
 * A statement of the server that has no row here is refused when it is DDL,
 * and a test fails.  Rule names are stable: policies and users refer to them.
 */
#include "postgres.h"

#include "nodes/parsenodes.h"

#include "compat.h"
#include "judge.h"

#define RELATION(type, field)	.relation = 1 + offsetof(type, field)
#define NAMES(type, field)		.names = 1 + offsetof(type, field)
#define NAME(type, field)		.name = 1 + offsetof(type, field)

static const StatementRule statement_rules[] = {
	/* rows and queries */
	[T_SelectStmt] = {.rule = "select",.judge = judge_select},
	[T_InsertStmt] = {.rule = "insert", RELATION(InsertStmt, relation),.judge = judge_insert},
	[T_UpdateStmt] = {.rule = "update", RELATION(UpdateStmt, relation),.judge = judge_update},
	[T_DeleteStmt] = {.rule = "delete", RELATION(DeleteStmt, relation),.judge = judge_delete},
	[T_MergeStmt] = {.rule = "merge", RELATION(MergeStmt, relation),.judge = judge_merge_into},
	[T_SetOperationStmt] = {.rule = "select"},
	[T_ReturnStmt] = {.rule = "select"},
	[T_PLAssignStmt] = {.rule = "select"},
	[T_Query] = {.rule = "query",.judge = judge_query},
	[T_TruncateStmt] = {.rule = "truncate",.lock = AccessExclusiveLock,.judge = judge_truncate},
	[T_CopyStmt] = {.rule = "copy", RELATION(CopyStmt, relation),.judge = judge_copy},
	[T_ExplainStmt] = {.rule = "explain",.judge = judge_explain},
	[T_PrepareStmt] = {.rule = "prepare",.judge = judge_prepare},
	[T_ExecuteStmt] = {.rule = "execute",.judge = judge_execute},
	[T_DeclareCursorStmt] = {.rule = "cursor",.judge = judge_cursor},
	[T_FetchStmt] = {.rule = "cursor",.judge = judge_fetch},
	[T_ClosePortalStmt] = {.rule = "cursor"},
	[T_DeallocateStmt] = {.rule = "session"},

	/* what only runs other statements, which the guard sees */
	[T_DoStmt] = {.rule = "opaque",.reason = "what it does is judged as it does it"},
	[T_CallStmt] = {.rule = "opaque",.reason = "what it does is judged as it does it"},

	/* session and transaction */
	[T_TransactionStmt] = {.rule = "transaction"},
	[T_VariableSetStmt] = {.rule = "session"},
	[T_VariableShowStmt] = {.rule = "session"},
	[T_ConstraintsSetStmt] = {.rule = "session"},
	[T_DiscardStmt] = {.rule = "session"},
	[T_ListenStmt] = {.rule = "session"},
	[T_NotifyStmt] = {.rule = "session"},
	[T_UnlistenStmt] = {.rule = "session"},
	[T_LoadStmt] = {.rule = "session"},
	[T_CheckPointStmt] = {.rule = "session"},
	[T_LockStmt] = {.rule = "lock-table",.judge = judge_lock},

	/* tables and what hangs on them */
	[T_CreateStmt] = {
		.rule = "create-table", RELATION(CreateStmt, relation),.creates = true,
		.lock = AccessExclusiveLock,.judge = judge_create_table
	},
	[T_CreateForeignTableStmt] = {
		.rule = "create-foreign-table", RELATION(CreateForeignTableStmt, base.relation),.creates = true,
		.lock = AccessExclusiveLock,.judge = judge_create_table
	},
	[T_CreateTableAsStmt] = {
		.rule = "create-table-as",.class = CLASS_ADDITIVE,.lock = AccessExclusiveLock,
		.judge = judge_create_as
	},
	[T_AlterTableStmt] = {
		.rule = "alter-table", RELATION(AlterTableStmt, relation),.judge = judge_alter_table
	},
	[T_AlterTableMoveAllStmt] = {
		.rule = "set-tablespace",.class = CLASS_REWRITING,.lock = AccessExclusiveLock,
		.reason = "every relation of the tablespace is copied under an exclusive lock",
		.hint = "Move one relation at a time, in a quiet hour."
	},
	[T_IndexStmt] = {
		.rule = "create-index", RELATION(IndexStmt, relation),.lock = ShareLock,
		.judge = judge_create_index
	},
	[T_ReindexStmt] = {.rule = "reindex",.lock = ShareLock,.judge = judge_reindex},
	[T_ClusterStmt] = {
		.rule = "cluster", RELATION(ClusterStmt, relation),.lock = AccessExclusiveLock,
		.judge = judge_cluster
	},
	[T_VacuumStmt] = {.rule = "vacuum",.judge = judge_vacuum},
	[T_CreateTrigStmt] = {
		.rule = "create-trigger", RELATION(CreateTrigStmt, relation),.lock = ShareRowExclusiveLock,
		.judge = judge_create_trigger
	},
	[T_RuleStmt] = {
		.rule = "create-rule", RELATION(RuleStmt, relation),.lock = AccessExclusiveLock,
		.judge = judge_create_rule
	},
	[T_CreatePolicyStmt] = {
		.rule = "create-policy", RELATION(CreatePolicyStmt, table),.lock = AccessExclusiveLock,
		.judge = judge_create_policy
	},
	[T_AlterPolicyStmt] = {
		.rule = "alter-policy", RELATION(AlterPolicyStmt, table),.lock = AccessExclusiveLock,
		.class = CLASS_SECURITY,.reason = "who sees or changes which rows is changed"
	},
	[T_CreateStatsStmt] = {
		.rule = "create-statistics",.class = CLASS_ADDITIVE, NAMES(CreateStatsStmt, defnames),
		.lock = ShareUpdateExclusiveLock
	},
	[T_AlterStatsStmt] = {
		.rule = "alter-statistics",.class = CLASS_ADDITIVE, NAMES(AlterStatsStmt, defnames)
	},

	/* views, functions, sequences */
	[T_ViewStmt] = {
		.rule = "create-view", RELATION(ViewStmt, view),.creates = true,
		.lock = AccessExclusiveLock,.judge = judge_create_view
	},
	[T_RefreshMatViewStmt] = {
		.rule = "refresh-materialized-view", RELATION(RefreshMatViewStmt, relation),
		.judge = judge_refresh
	},
	[T_CreateFunctionStmt] = {
		.rule = "create-function", NAMES(CreateFunctionStmt, funcname),.judge = judge_create_function
	},
	[T_AlterFunctionStmt] = {
		.rule = "alter-function",.class = CLASS_RESTRICTIVE,.judge = judge_alter_function
	},
	[T_CreateSeqStmt] = {
		.rule = "create-sequence",.class = CLASS_ADDITIVE, RELATION(CreateSeqStmt, sequence),
		.lock = AccessExclusiveLock,.creates = true,.judge = judge_create_sequence
	},
	[T_AlterSeqStmt] = {
		.rule = "alter-sequence", RELATION(AlterSeqStmt, sequence),.lock = ShareRowExclusiveLock,
		.judge = judge_alter_sequence
	},

	/* types and operators */
	[T_DefineStmt] = {.rule = "define",.class = CLASS_ADDITIVE, NAMES(DefineStmt, defnames)},
	[T_CompositeTypeStmt] = {
		.rule = "create-type",.class = CLASS_ADDITIVE, RELATION(CompositeTypeStmt, typevar),.creates = true
	},
	[T_CreateEnumStmt] = {.rule = "create-type",.class = CLASS_ADDITIVE, NAMES(CreateEnumStmt, typeName)},
	[T_CreateRangeStmt] = {.rule = "create-type",.class = CLASS_ADDITIVE, NAMES(CreateRangeStmt, typeName)},
	[T_CreateDomainStmt] = {
		.rule = "create-domain",.class = CLASS_ADDITIVE, NAMES(CreateDomainStmt, domainname)
	},
	[T_AlterEnumStmt] = {.rule = "alter-enum", NAMES(AlterEnumStmt, typeName),.judge = judge_alter_enum},
	[T_AlterDomainStmt] = {.rule = "alter-domain", NAMES(AlterDomainStmt, typeName),.judge = judge_alter_domain},
	[T_AlterTypeStmt] = {
		.rule = "alter-type",.class = CLASS_RESTRICTIVE, NAMES(AlterTypeStmt, typeName),
		.reason = "the functions or the storage of a base type are changed"
	},
	[T_CreateCastStmt] = {
		.rule = "create-cast",.class = CLASS_RESTRICTIVE,
		.reason = "existing expressions may be resolved differently"
	},
	[T_CreateOpClassStmt] = {
		.rule = "create-operator-class",.class = CLASS_RESTRICTIVE, NAMES(CreateOpClassStmt, opclassname),
		.reason = "existing expressions may be resolved differently"
	},
	[T_CreateOpFamilyStmt] = {
		.rule = "create-operator-family",.class = CLASS_ADDITIVE, NAMES(CreateOpFamilyStmt, opfamilyname)
	},
	[T_AlterOpFamilyStmt] = {
		.rule = "alter-operator-family",.class = CLASS_RESTRICTIVE, NAMES(AlterOpFamilyStmt, opfamilyname),
		.reason = "existing expressions may be resolved differently"
	},
	[T_AlterOperatorStmt] = {
		.rule = "alter-operator",.class = CLASS_RESTRICTIVE,
		.reason = "existing expressions may be planned differently"
	},
	[T_AlterCollationStmt] = {.rule = "alter-collation",.class = CLASS_ADDITIVE, NAMES(AlterCollationStmt, collname)},
	[T_CreateConversionStmt] = {
		.rule = "create-conversion",.class = CLASS_ADDITIVE, NAMES(CreateConversionStmt, conversion_name)
	},
	[T_CreateTransformStmt] = {.rule = "create-transform",.class = CLASS_ADDITIVE},
	[T_CreatePLangStmt] = {.rule = "create-language",.class = CLASS_ADDITIVE, NAME(CreatePLangStmt, plname)},
	[T_CreateAmStmt] = {.rule = "create-access-method",.class = CLASS_ADDITIVE, NAME(CreateAmStmt, amname)},
	[T_AlterTSDictionaryStmt] = {
		.rule = "alter-text-search",.class = CLASS_RESTRICTIVE, NAMES(AlterTSDictionaryStmt, dictname),
		.reason = "stored text search vectors no longer match"
	},
	[T_AlterTSConfigurationStmt] = {
		.rule = "alter-text-search",.class = CLASS_RESTRICTIVE, NAMES(AlterTSConfigurationStmt, cfgname),
		.reason = "stored text search vectors no longer match"
	},

	/* any kind of object */
	[T_DropStmt] = {.rule = "drop",.lock = AccessExclusiveLock,.judge = judge_drop},
	[T_RenameStmt] = {.rule = "rename",.lock = AccessExclusiveLock,.judge = judge_rename},
	[T_AlterObjectSchemaStmt] = {.rule = "set-schema",.lock = AccessExclusiveLock,.judge = judge_set_schema},
	[T_AlterOwnerStmt] = {.rule = "owner",.judge = judge_owner},
	[T_AlterObjectDependsStmt] = {.rule = "depends-on-extension",.class = CLASS_ADDITIVE,.judge = judge_depends},
	[T_CommentStmt] = {.rule = "comment",.class = CLASS_ADDITIVE,.judge = judge_comment},
	[T_SecLabelStmt] = {
		.rule = "security-label",.class = CLASS_SECURITY,.reason = "a security label is changed",
		.judge = judge_comment
	},

	/* schemas, extensions, privileges */
	[T_CreateSchemaStmt] = {
		.rule = "create-schema",.class = CLASS_ADDITIVE, NAME(CreateSchemaStmt, schemaname),
		.judge = judge_create_schema
	},
	[T_CreateExtensionStmt] = {
		.rule = "create-extension",.class = CLASS_ADDITIVE, NAME(CreateExtensionStmt, extname),
		.judge = judge_create_extension
	},
	[T_AlterExtensionStmt] = {
		.rule = "alter-extension",.class = CLASS_REPLACING, NAME(AlterExtensionStmt, extname),
		.judge = judge_alter_extension
	},
	[T_AlterExtensionContentsStmt] = {
		.rule = "alter-extension",.class = CLASS_SECURITY, NAME(AlterExtensionContentsStmt, extname),
		.reason = "what belongs to an extension is dropped and dumped with it",
		.judge = judge_alter_extension_contents
	},
	[T_GrantStmt] = {.rule = "grant",.judge = judge_grant},
	[T_GrantRoleStmt] = {.rule = "grant-role",.judge = judge_grant_role},
	[T_AlterDefaultPrivilegesStmt] = {.rule = "default-privileges",.judge = judge_default_privileges},
	[T_DropOwnedStmt] = {
		.rule = "drop-owned",.class = CLASS_DESTRUCTIVE,.lock = AccessExclusiveLock,
		.reason = "everything the role owns here is dropped, and its grants with it",
		.hint = "Drop the objects by name, or REASSIGN OWNED first."
	},
	[T_ReassignOwnedStmt] = {
		.rule = "reassign-owned",.class = CLASS_SECURITY,.lock = AccessExclusiveLock,
		.reason = "everything the role owns here gets another owner"
	},

	/* replication and foreign data */
	[T_CreatePublicationStmt] = {
		.rule = "create-publication",.class = CLASS_ADDITIVE, NAME(CreatePublicationStmt, pubname),
		.judge = judge_create_publication
	},
	[T_AlterPublicationStmt] = {
		.rule = "alter-publication", NAME(AlterPublicationStmt, pubname),.judge = judge_alter_publication
	},
	[T_CreateSubscriptionStmt] = {
		.rule = "create-subscription",.class = CLASS_RESTRICTIVE, NAME(CreateSubscriptionStmt, subname),
		.reason = "rows from elsewhere are written here"
	},
	[T_AlterSubscriptionStmt] = {
		.rule = "alter-subscription",.class = CLASS_RESTRICTIVE, NAME(AlterSubscriptionStmt, subname),
		.reason = "what is replicated to here, or from where, is changed"
	},
	[T_DropSubscriptionStmt] = {
		.rule = "drop-subscription",.class = CLASS_DESTRUCTIVE, NAME(DropSubscriptionStmt, subname),
		.reason = "replication to here ends, and the slot at the publisher goes with it"
	},
	[T_CreateFdwStmt] = {.rule = "create-foreign-data-wrapper",.class = CLASS_ADDITIVE, NAME(CreateFdwStmt, fdwname)},
	[T_AlterFdwStmt] = {
		.rule = "alter-foreign-data-wrapper",.class = CLASS_RESTRICTIVE, NAME(AlterFdwStmt, fdwname),
		.reason = "foreign tables may read other data"
	},
	[T_CreateForeignServerStmt] = {
		.rule = "create-server",.class = CLASS_ADDITIVE, NAME(CreateForeignServerStmt, servername)
	},
	[T_AlterForeignServerStmt] = {
		.rule = "alter-server",.class = CLASS_RESTRICTIVE, NAME(AlterForeignServerStmt, servername),
		.reason = "foreign tables may read other data"
	},
	[T_CreateUserMappingStmt] = {
		.rule = "create-user-mapping",.class = CLASS_ADDITIVE, NAME(CreateUserMappingStmt, servername)
	},
	[T_AlterUserMappingStmt] = {
		.rule = "alter-user-mapping",.class = CLASS_RESTRICTIVE, NAME(AlterUserMappingStmt, servername),
		.reason = "foreign tables may read other data"
	},
	[T_DropUserMappingStmt] = {
		.rule = "drop-user-mapping",.class = CLASS_DESTRUCTIVE, NAME(DropUserMappingStmt, servername),
		.reason = "the role can no longer read the server's foreign tables",.hint = NULL
	},
	[T_ImportForeignSchemaStmt] = {
		.rule = "import-foreign-schema",.class = CLASS_ADDITIVE, NAME(ImportForeignSchemaStmt, local_schema)
	},

	/* shared objects: no event trigger sees them */
	[T_CreateRoleStmt] = {.rule = "create-role", NAME(CreateRoleStmt, role),.judge = judge_create_role},
	[T_AlterRoleStmt] = {
		.rule = "alter-role",.class = CLASS_SECURITY,.reason = "what a role may do is changed"
	},
	[T_AlterRoleSetStmt] = {
		.rule = "alter-role-set",.class = CLASS_SECURITY,.reason = "settings of every new session are changed"
	},
	[T_DropRoleStmt] = {.rule = "drop-role",.class = CLASS_DESTRUCTIVE,.reason = "who logs in with the role no longer can"},
	[T_CreatedbStmt] = {.rule = "create-database",.class = CLASS_ADDITIVE, NAME(CreatedbStmt, dbname)},
	[T_AlterDatabaseStmt] = {
		.rule = "alter-database",.class = CLASS_SECURITY, NAME(AlterDatabaseStmt, dbname),
		.reason = "who may connect is changed"
	},
	[T_AlterDatabaseSetStmt] = {
		.rule = "alter-database-set",.class = CLASS_SECURITY, NAME(AlterDatabaseSetStmt, dbname),
		.reason = "settings of every new session are changed"
	},
	[T_AlterDatabaseRefreshCollStmt] = {.rule = "alter-database",.class = CLASS_ADDITIVE, NAME(AlterDatabaseRefreshCollStmt, dbname)},
	[T_DropdbStmt] = {
		.rule = "drop-database",.class = CLASS_DESTRUCTIVE, NAME(DropdbStmt, dbname),
		.reason = "the whole database is lost"
	},
	[T_CreateTableSpaceStmt] = {.rule = "create-tablespace",.class = CLASS_ADDITIVE, NAME(CreateTableSpaceStmt, tablespacename)},
	[T_AlterTableSpaceOptionsStmt] = {
		.rule = "alter-tablespace",.class = CLASS_ADDITIVE, NAME(AlterTableSpaceOptionsStmt, tablespacename)
	},
	[T_DropTableSpaceStmt] = {
		.rule = "drop-tablespace",.class = CLASS_DESTRUCTIVE, NAME(DropTableSpaceStmt, tablespacename),
		.reason = "a tablespace is dropped"
	},
	[T_AlterSystemStmt] = {.rule = "alter-system",.class = CLASS_SECURITY,.reason = "settings of the whole server are changed"},
	[T_CreateEventTrigStmt] = {
		.rule = "create-event-trigger",.class = CLASS_SECURITY, NAME(CreateEventTrigStmt, trigname),
		.reason = "it runs in every session's DDL"
	},
	[T_AlterEventTrigStmt] = {
		.rule = "alter-event-trigger",.class = CLASS_SECURITY, NAME(AlterEventTrigStmt, trigname),
		.reason = "it no longer sees the DDL it was made for, or sees more",.judge = judge_comment
	},
};

/* made by the server itself while it works: no client sends them */
#define INTERNAL {.rule = "internal",.class = CLASS_ADDITIVE}

#define SET_EXPRESSION \
	{ \
		.rule = "set-expression",.class = CLASS_REWRITING,.column = true, \
		.deed = "change the expression of column",.rewrites = TRI_YES,.scans = TRI_YES, \
		.judge = judge_set_expression, \
		.reason = "every row is written again under an exclusive lock", \
		.hint = "Add a column with the new expression (on 18 a VIRTUAL one costs nothing), move readers, drop the old one." \
	}

static const AlterRule alter_rules[] = {
	/* sub-commands that only some majors have */
	MG_AT_BEFORE_16(INTERNAL)
	MG_AT_BEFORE_18(INTERNAL)
	MG_AT_FROM_17(SET_EXPRESSION)

	/* columns */
	[AT_AddColumn] = {.rule = "add-column",.class = CLASS_ADDITIVE,.column = true,.deed = "add column",.judge = judge_add_column},
	[AT_AddColumnToView] = INTERNAL,
	[AT_ColumnDefault] = {.rule = "set-default",.column = true,.deed = "change the default of column",.judge = judge_column_default},
	[AT_CookedColumnDefault] = INTERNAL,
	[AT_DropNotNull] = {
		.rule = "drop-not-null",.class = CLASS_RELAXING,.column = true,.deed = "drop NOT NULL of column",
		.reason = "readers may find NULL where there was none",.judge = judge_drop_not_null
	},
	[AT_SetNotNull] = {.rule = "set-not-null",.class = CLASS_RESTRICTIVE,.column = true,.deed = "set NOT NULL on column",.judge = judge_set_not_null},
	[AT_DropExpression] = {
		.rule = "drop-expression",.class = CLASS_RESTRICTIVE,.column = true,.deed = "drop the expression of column",
		.hint = "Keep it generated until nothing relies on it.",
		.reason = "the values stay and are no longer kept up to date"
	},
	[AT_SetStatistics] = {.rule = "set-statistics",.class = CLASS_ADDITIVE,.column = true,.deed = "set statistics of column"},
	[AT_SetOptions] = {.rule = "set-column-options",.class = CLASS_ADDITIVE,.column = true,.deed = "set options of column"},
	[AT_ResetOptions] = {.rule = "set-column-options",.class = CLASS_ADDITIVE,.column = true,.deed = "reset options of column"},
	[AT_SetStorage] = {.rule = "set-storage",.class = CLASS_ADDITIVE,.column = true,.deed = "set storage of column"},
	[AT_SetCompression] = {.rule = "set-compression",.class = CLASS_ADDITIVE,.column = true,.deed = "set compression of column"},
	[AT_DropColumn] = {
		.rule = "drop-column",.class = CLASS_DESTRUCTIVE,.column = true,.deed = "drop column",
		.reason = "the data in the column is lost",
		.hint = "Stop using the column, release, and drop it later with a waiver.",.judge = judge_drop_column
	},
	[AT_AlterColumnType] = {
		.rule = "alter-column-type",.class = CLASS_TYPE_CHANGE,.column = true,.deed = "change the type of column",
		.reason = "code that reads or writes the column meets another type",
		.hint = "Add a column of the new type, fill it in batches, and move readers to it.",
		.judge = judge_column_type
	},
	[AT_AlterColumnGenericOptions] = {
		.rule = "foreign-options",.class = CLASS_RESTRICTIVE,.column = true,.deed = "change foreign options of column",
		.reason = "the column may read other data"
	},
	[AT_AddIdentity] = {
		.rule = "add-identity",.class = CLASS_RESTRICTIVE,.column = true,.deed = "add identity to column",
		.reason = "inserts that give a value may fail",.hint = "Use GENERATED BY DEFAULT AS IDENTITY."
	},
	[AT_SetIdentity] = {
		.rule = "set-identity",.class = CLASS_RESTRICTIVE,.column = true,.deed = "change identity of column",
		.hint = "Before a RESTART, look at the largest number in the column.",
		.reason = "inserts may fail or numbers come twice"
	},
	[AT_DropIdentity] = {
		.rule = "drop-identity",.class = CLASS_RESTRICTIVE,.column = true,.deed = "drop identity of column",
		.hint = "SET DEFAULT nextval() of a sequence in the same statement, where inserts leave the column out.",
		.reason = "inserts that give no value fail"
	},

	/* constraints */
	[AT_AddIndex] = INTERNAL,
	[AT_ReAddIndex] = INTERNAL,
	[AT_AddConstraint] = {.rule = "add-constraint",.class = CLASS_RESTRICTIVE,.judge = judge_add_constraint},
	[AT_ReAddConstraint] = INTERNAL,
	[AT_ReAddDomainConstraint] = INTERNAL,
	[AT_AlterConstraint] = {
		.rule = "alter-constraint",.class = CLASS_RELAXING,.reason = "it is checked at another time, or not at all",
		.judge = judge_alter_constraint
	},
	[AT_ValidateConstraint] = {.rule = "validate-constraint",.class = CLASS_ADDITIVE,.scans = TRI_YES,.judge = judge_validate},
	[AT_AddIndexConstraint] = INTERNAL,
	[AT_DropConstraint] = {.rule = "drop-constraint",.class = CLASS_RELAXING,.judge = judge_drop_constraint},
	[AT_ReAddComment] = INTERNAL,
	[AT_ReAddStatistics] = INTERNAL,

	/* the table as a whole */
	[AT_ChangeOwner] = {.deed = "change the owner of",.rule = "owner",.class = CLASS_SECURITY,.judge = judge_alter_owner},
	[AT_ClusterOn] = {.rule = "cluster-on",.class = CLASS_ADDITIVE},
	[AT_DropCluster] = {.rule = "cluster-on",.class = CLASS_ADDITIVE},
	[AT_SetLogged] = {
		.deed = "make logged",.rule = "set-logged",.class = CLASS_REWRITING,.hint = "There is no way without the rewrite: do it while the table is small, or copy it in batches into a table that is logged.",
		.reason = "every row is written again under an exclusive lock",
		.judge = judge_persistence
	},
	[AT_SetUnLogged] = {
		.deed = "make unlogged",.rule = "set-unlogged",.class = CLASS_REWRITING,
		.hint = "Make a new unlogged table, and fill it.",
		.reason = "every row is written again, and after a crash the table is empty",.judge = judge_persistence
	},
	[AT_DropOids] = {.rule = "without-oids",.class = CLASS_ADDITIVE},
	[AT_SetAccessMethod] = {
		.deed = "change the access method of",.rule = "set-access-method",.class = CLASS_REWRITING,
		.hint = "Make a table of the new access method, copy the rows in batches, keep both alike by a trigger, and rename at the end.",
		.reason = "every row is written again under an exclusive lock",.judge = judge_access_method
	},
	[AT_SetTableSpace] = {
		.deed = "move to another tablespace",.rule = "set-tablespace",.class = CLASS_REWRITING,
		.hint = "For an index: CREATE INDEX CONCURRENTLY ... TABLESPACE, then drop the old one.  For a table, pg_repack moves it with a short lock.",
		.reason = "the relation is copied under an exclusive lock",.judge = judge_tablespace
	},
	[AT_SetRelOptions] = {.deed = "change options of",.rule = "set-options",.class = CLASS_ADDITIVE,.judge = judge_relation_options},
	[AT_ResetRelOptions] = {.deed = "change options of",.rule = "set-options",.class = CLASS_ADDITIVE,.judge = judge_relation_options},
	[AT_ReplaceRelOptions] = INTERNAL,
	[AT_AddOf] = {.rule = "of-type",.class = CLASS_ADDITIVE},
	[AT_DropOf] = {.rule = "of-type",.class = CLASS_ADDITIVE},
	[AT_ReplicaIdentity] = {.deed = "change the replica identity of",.rule = "replica-identity",.class = CLASS_ADDITIVE,.judge = judge_replica_identity},
	[AT_GenericOptions] = {
		.deed = "change foreign options of",.rule = "foreign-options",.class = CLASS_RESTRICTIVE,.reason = "the foreign table may read other data"
	},

	/* triggers and rules */
	[AT_EnableTrig] = {.deed = "enable trigger",.rule = "enable-trigger",.class = CLASS_RESTRICTIVE,.reason = "writes run a trigger that they did not"},
	[AT_EnableAlwaysTrig] = {.deed = "enable trigger",.rule = "enable-trigger",.class = CLASS_RESTRICTIVE,.reason = "writes run a trigger that they did not"},
	[AT_EnableReplicaTrig] = {.deed = "disable trigger",.rule = "disable-trigger",.class = CLASS_SECURITY,.reason = "ordinary writes no longer run the trigger"},
	[AT_EnableTrigAll] = {.deed = "enable triggers of",.rule = "enable-trigger",.class = CLASS_RESTRICTIVE,.reason = "writes run triggers that they did not"},
	[AT_EnableTrigUser] = {.deed = "enable triggers of",.rule = "enable-trigger",.class = CLASS_RESTRICTIVE,.reason = "writes run triggers that they did not"},
	[AT_DisableTrig] = {
		.deed = "disable trigger",.rule = "disable-trigger",.class = CLASS_SECURITY,
		.hint = "Give the load a role of its own and let the trigger leave it alone, rather than everybody.",
		.reason = "what the trigger checks or records no longer is"
	},
	[AT_DisableTrigAll] = {
		.deed = "disable triggers of",.rule = "disable-trigger",.class = CLASS_SECURITY,
		.hint = "SET CONSTRAINTS ... DEFERRED for one load, rather than no foreign keys for everybody.",
		.reason = "triggers no longer run, those of foreign keys among them"
	},
	[AT_DisableTrigUser] = {.deed = "disable triggers of",.rule = "disable-trigger",.class = CLASS_SECURITY,.reason = "what the triggers check or record no longer is"},
	[AT_EnableRule] = {.deed = "enable rule",.rule = "enable-rule",.class = CLASS_RESTRICTIVE,.reason = "statements are rewritten that were not"},
	[AT_EnableAlwaysRule] = {.deed = "enable rule",.rule = "enable-rule",.class = CLASS_RESTRICTIVE,.reason = "statements are rewritten that were not"},
	[AT_EnableReplicaRule] = {.deed = "disable rule",.rule = "disable-rule",.class = CLASS_SECURITY,.reason = "ordinary statements no longer meet the rule"},
	[AT_DisableRule] = {.deed = "disable rule",.rule = "disable-rule",.class = CLASS_SECURITY,.reason = "statements no longer meet the rule"},

	/* row security */
	[AT_EnableRowSecurity] = {
		.deed = "enable row security on",.rule = "enable-row-security",.class = CLASS_RESTRICTIVE,.judge = judge_row_security,
		.hint = "Create the policies first, in the same migration.",
		.reason = "without a policy for them, roles see no row"
	},
	[AT_ForceRowSecurity] = {
		.deed = "force row security on",.rule = "force-row-security",.class = CLASS_RESTRICTIVE,.judge = judge_row_security,
		.hint = "Create a policy for the owner first, in the same migration.",
		.reason = "the owner too sees only what policies let him see"
	},
	[AT_DisableRowSecurity] = {
		.deed = "disable row security on",.rule = "disable-row-security",.class = CLASS_SECURITY,.judge = judge_row_security,
		.reason = "every role with privileges sees every row"
	},
	[AT_NoForceRowSecurity] = {
		.deed = "stop forcing row security on",.rule = "no-force-row-security",.class = CLASS_SECURITY,.judge = judge_row_security,
		.reason = "the owner sees every row"
	},

	/* inheritance and partitions */
	[AT_AddInherit] = {
		.deed = "add a parent to",.rule = "inherit",.class = CLASS_RESTRICTIVE,.reason = "queries of the parent see the rows of this table too"
	},
	[AT_DropInherit] = {
		.deed = "take its parent from",.rule = "no-inherit",.class = CLASS_DESTRUCTIVE,.hint = "Leave it until nothing reads the rows through the parent.",
		.reason = "queries of the parent no longer see the rows of this table"
	},
	[AT_AttachPartition] = {.rule = "attach-partition",.class = CLASS_BLOCKING,.judge = judge_attach},
	[AT_DetachPartition] = {
		.rule = "detach-partition",.class = CLASS_DESTRUCTIVE,.judge = judge_attach,
		.reason = "queries of the parent no longer see the rows of the partition"
	},
	[AT_DetachPartitionFinalize] = {.rule = "detach-partition-finalize",.class = CLASS_ADDITIVE},
};

#define DROP_DATA(w, r, n) {.word = w,.drop_rule = r,.drop_class = CLASS_DESTRUCTIVE, \
	.rename_rule = n,.rename_class = CLASS_DESTRUCTIVE}
#define DROP_DEFINITION(w, r, n) {.word = w,.drop_rule = r,.drop_class = CLASS_DESTRUCTIVE,.definition = true, \
	.rename_rule = n,.rename_class = CLASS_DESTRUCTIVE}

static const ObjectRule object_rules[] = {
	[OBJECT_ACCESS_METHOD] = DROP_DATA("access method", "drop-access-method", "rename"),
	[OBJECT_AGGREGATE] = DROP_DEFINITION("aggregate", "drop-aggregate", "rename-function"),
	[OBJECT_ATTRIBUTE] = DROP_DATA("attribute", "drop-attribute", "rename-attribute"),
	[OBJECT_CAST] = DROP_DEFINITION("cast", "drop-cast", "rename"),
	[OBJECT_COLLATION] = DROP_DATA("collation", "drop-collation", "rename"),
	[OBJECT_COLUMN] = DROP_DATA("column", "drop-column", "rename-column"),
	[OBJECT_CONVERSION] = DROP_DEFINITION("conversion", "drop-conversion", "rename"),
	[OBJECT_DATABASE] = DROP_DATA("database", "drop-database", "rename-database"),
	[OBJECT_DOMAIN] = DROP_DEFINITION("domain", "drop-domain", "rename-type"),
	[OBJECT_DOMCONSTRAINT] = {"constraint", "drop-constraint", CLASS_RELAXING, true, "rename-constraint", CLASS_RELAXING},
	[OBJECT_EVENT_TRIGGER] = DROP_DATA("event trigger", "drop-event-trigger", "rename"),
	[OBJECT_EXTENSION] = DROP_DATA("extension", "drop-extension", "rename"),
	[OBJECT_FDW] = DROP_DATA("foreign-data wrapper", "drop-foreign-data-wrapper", "rename"),
	[OBJECT_FOREIGN_SERVER] = DROP_DATA("server", "drop-server", "rename"),
	[OBJECT_FOREIGN_TABLE] = DROP_DATA("foreign table", "drop-foreign-table", "rename-table"),
	[OBJECT_FUNCTION] = DROP_DEFINITION("function", "drop-function", "rename-function"),
	[OBJECT_INDEX] = {"index", "drop-index", CLASS_DESTRUCTIVE, true, "rename-index", CLASS_ADDITIVE},
	[OBJECT_LANGUAGE] = DROP_DATA("language", "drop-language", "rename"),
	[OBJECT_MATVIEW] = DROP_DATA("materialized view", "drop-materialized-view", "rename-view"),
	[OBJECT_OPCLASS] = DROP_DEFINITION("operator class", "drop-operator-class", "rename"),
	[OBJECT_OPERATOR] = DROP_DEFINITION("operator", "drop-operator", "rename"),
	[OBJECT_OPFAMILY] = DROP_DEFINITION("operator family", "drop-operator-family", "rename"),
	[OBJECT_POLICY] = {"policy", "drop-policy", CLASS_DESTRUCTIVE, true, "rename-policy", CLASS_REPLACING},
	[OBJECT_PROCEDURE] = DROP_DEFINITION("procedure", "drop-procedure", "rename-function"),
	[OBJECT_PUBLICATION] = DROP_DATA("publication", "drop-publication", "rename"),
	[OBJECT_ROLE] = DROP_DATA("role", "drop-role", "rename-role"),
	[OBJECT_ROUTINE] = DROP_DEFINITION("routine", "drop-function", "rename-function"),
	[OBJECT_RULE] = {"rule", "drop-rule", CLASS_DESTRUCTIVE, true, "rename-rule", CLASS_REPLACING},
	[OBJECT_SCHEMA] = DROP_DATA("schema", "drop-schema", "rename-schema"),
	[OBJECT_SEQUENCE] = DROP_DATA("sequence", "drop-sequence", "rename-sequence"),
	[OBJECT_STATISTIC_EXT] = {"statistics object", "drop-statistics", CLASS_RELAXING, true, "rename-statistics", CLASS_ADDITIVE},
	[OBJECT_SUBSCRIPTION] = DROP_DATA("subscription", "drop-subscription", "rename"),
	[OBJECT_TABCONSTRAINT] = {"constraint", "drop-constraint", CLASS_RELAXING, true, "rename-constraint", CLASS_RELAXING},
	[OBJECT_TABLE] = DROP_DATA("table", "drop-table", "rename-table"),
	[OBJECT_TABLESPACE] = DROP_DATA("tablespace", "drop-tablespace", "rename"),
	[OBJECT_TRANSFORM] = DROP_DEFINITION("transform", "drop-transform", "rename"),
	[OBJECT_TRIGGER] = {"trigger", "drop-trigger", CLASS_DESTRUCTIVE, true, "rename-trigger", CLASS_REPLACING},
	[OBJECT_TSCONFIGURATION] = DROP_DEFINITION("text search configuration", "drop-text-search", "rename"),
	[OBJECT_TSDICTIONARY] = DROP_DEFINITION("text search dictionary", "drop-text-search", "rename"),
	[OBJECT_TSPARSER] = DROP_DEFINITION("text search parser", "drop-text-search", "rename"),
	[OBJECT_TSTEMPLATE] = DROP_DEFINITION("text search template", "drop-text-search", "rename"),
	[OBJECT_TYPE] = DROP_DEFINITION("type", "drop-type", "rename-type"),
	[OBJECT_VIEW] = DROP_DEFINITION("view", "drop-view", "rename-view"),
};

/* The row of a statement kind, or NULL. */
const StatementRule *
rule_of_statement(NodeTag tag)
{
	if ((int) tag < 0 || (int) tag >= lengthof(statement_rules) || statement_rules[tag].rule == NULL)
		return NULL;
	return &statement_rules[tag];
}

/* The row of an ALTER TABLE sub-command, or NULL. */
const AlterRule *
rule_of_alter(AlterTableType type)
{
	if ((int) type < 0 || (int) type >= lengthof(alter_rules) || alter_rules[type].rule == NULL)
		return NULL;
	return &alter_rules[type];
}

/* The row of a kind of object, or NULL. */
const ObjectRule *
rule_of_object(ObjectType type)
{
	if ((int) type < 0 || (int) type >= lengthof(object_rules) || object_rules[type].word == NULL)
		return NULL;
	return &object_rules[type];
}
