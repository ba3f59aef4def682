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

/* 18: ExecutorRun lost execute_once */
#if PG_VERSION_NUM >= 180000
#define mg_ExecutorRun(desc, dir, count) ExecutorRun(desc, dir, count)
#else
#define mg_ExecutorRun(desc, dir, count) ExecutorRun(desc, dir, count, true)
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

#endif							/* MIGMGR_COMPAT_H */
