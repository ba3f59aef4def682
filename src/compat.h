/*
 * compat.h
 *	  All differences between PostgreSQL majors, and nothing else.
 */
#ifndef MIGMGR_COMPAT_H
#define MIGMGR_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "migmgr needs PostgreSQL 15 or newer"
#endif

/* 18: a prefix instead of a suffix, and the suffix is gone */
#ifndef pg_noreturn
#define pg_noreturn pg_attribute_noreturn()
#endif

/* 18: GRANT and REVOKE lock the relation while they look at it */
#if PG_VERSION_NUM >= 180000
#define MG_GRANT_LOCK AccessShareLock
#else
#define MG_GRANT_LOCK NoLock
#endif

/* 18: ExecutorRun lost execute_once */
#if PG_VERSION_NUM >= 180000
#define mg_ExecutorRun(desc, dir, count) ExecutorRun(desc, dir, count)
#else
#define mg_ExecutorRun(desc, dir, count) ExecutorRun(desc, dir, count, true)
#endif

/* 18: PortalRun lost run_once */
#if PG_VERSION_NUM >= 180000
#define mg_PortalRun(portal, dest, qc) PortalRun(portal, FETCH_ALL, true, dest, dest, qc)
#else
#define mg_PortalRun(portal, dest, qc) PortalRun(portal, FETCH_ALL, true, true, dest, dest, qc)
#endif

/* 17: a worker may be of a role that cannot log in */
#if PG_VERSION_NUM >= 170000
#define MG_WORKER_FLAGS BGWORKER_BYPASS_ROLELOGINCHECK
#define mg_worker_needs_login false
#else
#define MG_WORKER_FLAGS 0
#define mg_worker_needs_login true
#endif

/* 16: object_ownercheck replaces one function per kind */
#if PG_VERSION_NUM >= 160000
#define mg_relation_ownercheck(relid, role) \
	object_ownercheck(RelationRelationId, relid, role)
#else
#define mg_relation_ownercheck(relid, role) pg_class_ownercheck(relid, role)
#endif

/* 16: object_aclcheck replaces one function per kind */
#if PG_VERSION_NUM >= 160000
#define mg_namespace_aclcheck(nspid, role, mode) \
	object_aclcheck(NamespaceRelationId, nspid, role, mode)
#else
#define mg_namespace_aclcheck(nspid, role, mode) \
	pg_namespace_aclcheck(nspid, role, mode)
#endif

#if PG_VERSION_NUM >= 160000
#define mg_function_aclcheck(function, role, mode) \
	object_aclcheck(ProcedureRelationId, function, role, mode)
#else
#define mg_function_aclcheck(function, role, mode) \
	pg_proc_aclcheck(function, role, mode)
#endif

/* 16: SET ROLE needs more than membership */
#if PG_VERSION_NUM >= 160000
#define mg_member_can_set_role(member, role) member_can_set_role(member, role)
#else
#define mg_member_can_set_role(member, role) is_member_of_role(member, role)
#endif

/* 16: a field of PgStat_TableStatus lost its prefix */
#if PG_VERSION_NUM >= 160000
#define mg_tabstat_id id
#else
#define mg_tabstat_id t_id
#endif

/* 16: relfilenodes became relfilelocators */
#if PG_VERSION_NUM >= 160000
#define mg_new_storage rd_firstRelfilelocatorSubid
#else
#define mg_new_storage rd_firstRelfilenodeSubid
#endif

/* 17: the test for an autovacuum worker has another name */
#if PG_VERSION_NUM >= 170000
#define mg_is_autovacuum_worker() AmAutoVacuumWorkerProcess()
#else
#define mg_is_autovacuum_worker() IsAutoVacuumWorkerProcess()
#endif

/* 17: a process knows its number by another name */
#if PG_VERSION_NUM >= 170000
#define mg_my_proc_number MyProcNumber
#else
#define mg_my_proc_number (MyProc->pgprocno)
#endif

/* 17: one more argument */
#if PG_VERSION_NUM >= 170000
#define mg_LockHeldByMe(tag, mode) LockHeldByMe(tag, mode, false)
#else
#define mg_LockHeldByMe(tag, mode) LockHeldByMe(tag, mode)
#endif

/* 17: event triggers fire at login */
#if PG_VERSION_NUM >= 170000
#define mg_has_login_event true
#else
#define mg_has_login_event false
#endif

/* 18: an index scan can count for EXPLAIN */
#if PG_VERSION_NUM >= 180000
#define mg_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, NULL, nkeys, 0)
#else
#define mg_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, nkeys, 0)
#endif

/* sub-commands of ALTER TABLE that came and went, each with a given rule */
#if PG_VERSION_NUM < 160000
#define MG_AT_BEFORE_16(rule) \
	[AT_AddColumnRecurse] = rule, [AT_DropColumnRecurse] = rule, \
	[AT_AddConstraintRecurse] = rule, [AT_DropConstraintRecurse] = rule, \
	[AT_ValidateConstraintRecurse] = rule,
#else
#define MG_AT_BEFORE_16(rule)
#endif
#if PG_VERSION_NUM < 180000
#define MG_AT_BEFORE_18(rule) [AT_CheckNotNull] = rule,
#else
#define MG_AT_BEFORE_18(rule)
#endif
#if PG_VERSION_NUM >= 170000
#define MG_AT_FROM_17(rule) [AT_SetExpression] = rule,
#else
#define MG_AT_FROM_17(rule)
#endif

/* sub-commands that look after what inherits, beside those that always did */
#if PG_VERSION_NUM >= 170000
#define MG_AT_RECURSES AT_SetExpression,
#define MG_AT_RECURSES_IN_PARTITIONS AT_AddIdentity, AT_SetIdentity, AT_DropIdentity,
#else
#define MG_AT_RECURSES
#define MG_AT_RECURSES_IN_PARTITIONS
#endif

/*
 * 18: NOT NULL is a constraint, which need not be valid.  A key looks after that
 * of its partitions in any case; what is not NOT NULL is not looked after.
 */
#if PG_VERSION_NUM >= 180000
#define mg_not_null_is_constraint true
#define mg_not_null_constraint(relid, attnum) findNotNullConstraintAttnum(relid, attnum)
#else
#define mg_not_null_is_constraint false
#define mg_not_null_constraint(relid, attnum) NULL
#endif

/* 18: ALTER CONSTRAINT has a node of its own, and may enforce a constraint or stop to */
#if PG_VERSION_NUM >= 180000
#define mg_altered_constraint(cmd) castNode(ATAlterConstraint, (cmd)->def)->conname
#define mg_alters_enforced(cmd) castNode(ATAlterConstraint, (cmd)->def)->alterEnforceability
#define mg_becomes_enforced(cmd) castNode(ATAlterConstraint, (cmd)->def)->is_enforced
#else
#define mg_altered_constraint(cmd) castNode(Constraint, (cmd)->def)->conname
#define mg_alters_enforced(cmd) false
#define mg_becomes_enforced(cmd) false
#endif

/* 16: a statistics target is an int2 in its catalog */
#if PG_VERSION_NUM >= 160000
#define mg_DatumGetStatTarget(datum) ((int) DatumGetInt16(datum))
#else
#define mg_DatumGetStatTarget(datum) ((int) DatumGetInt32(datum))
#endif

/*
 * 18: constraints may be not enforced, or of periods, and pg_constraint has
 * NOT NULL, too.  Plain: neither of these.
 */
#if PG_VERSION_NUM >= 180000
#define mg_constraint_is_plain(form) ((form)->conenforced && !(form)->conperiod)
#define mg_constraint_enforced_text(form) ((form)->conenforced ? "true" : "false")
#define mg_constraint_not_null CONSTRAINT_NOTNULL
#define mg_not_null_attnum(tuple) extractNotNullColumn(tuple)
#else
#define mg_constraint_is_plain(form) true
#define mg_constraint_enforced_text(form) ""
#define mg_constraint_not_null 'n'
#define mg_not_null_attnum(tuple) InvalidAttrNumber
#endif

/* 18: generated columns may be virtual, constraints not enforced */
#if PG_VERSION_NUM >= 180000
#define mg_generated_stored(constraint) \
	((constraint)->generated_kind == ATTRIBUTE_GENERATED_STORED)
#define mg_constraint_enforced(constraint) \
	((constraint)->is_enforced || \
	 ((constraint)->contype != CONSTR_CHECK && (constraint)->contype != CONSTR_FOREIGN))
#else
#define mg_generated_stored(constraint) true
#define mg_constraint_enforced(constraint) true
#endif

/* 16: one more argument */
#if PG_VERSION_NUM >= 160000
#define mg_attribute_map(indesc, outdesc) build_attrmap_by_name(indesc, outdesc, false)
#else
#define mg_attribute_map(indesc, outdesc) build_attrmap_by_name(indesc, outdesc)
#endif

/*
 * Recipes that differ.  18: a NOT NULL constraint may be NOT VALID, generated
 * columns need no storage, a foreign key of a partitioned table may be NOT VALID.
 * The arguments of MG_RECIPE_NOT_NULL: table, constraint, column; table,
 * constraint; table, column; table, constraint.
 */
#if PG_VERSION_NUM >= 180000
#define MG_RECIPE_NOT_NULL \
	"ALTER TABLE %s ADD CONSTRAINT %s NOT NULL %s NOT VALID; then, in a migration of its own: " \
	"ALTER TABLE %s VALIDATE CONSTRAINT %s;%.0s%.0s%.0s%.0s"
#define MG_RECIPE_GENERATED \
	"Make it VIRTUAL instead of STORED, which writes nothing.  If it has to be stored: add it to %s as an ordinary column %s, " \
	"fill it by a trigger and old rows in batches."
#define mg_partitioned_fk_not_valid true
#else
#define MG_RECIPE_NOT_NULL \
	"ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s IS NOT NULL) NOT VALID; then, in a migration of its own: " \
	"ALTER TABLE %s VALIDATE CONSTRAINT %s; then ALTER TABLE %s ALTER COLUMN %s SET NOT NULL; " \
	"ALTER TABLE %s DROP CONSTRAINT %s;"
#define MG_RECIPE_GENERATED \
	"Add it to %s as an ordinary column %s, fill it by a trigger and old rows in batches."
#define mg_partitioned_fk_not_valid false
#endif

#endif							/* MIGMGR_COMPAT_H */
