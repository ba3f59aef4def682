/*
 * neteffect.h
 *	  Definitions that a script has dropped, and whether they came back.
 */
#ifndef MIGMGR_NETEFFECT_H
#define MIGMGR_NETEFFECT_H

#include "access/xact.h"
#include "catalog/objectaddress.h"
#include "guard_state.h"

/* a definition on its way out, as it was */
typedef struct Dropped
{
	char	   *key;			/* what makes another object the same one */
	Oid			classid;
	Oid			relid;			/* relation it hangs on, or InvalidOid */
	char	   *type;
	char	   *identity;
	char	   *definition;		/* of a policy, else NULL */
	char	   *acl;			/* NULL: its kind has none */
	char	   *options;
	Oid			owner;
	MigClass	class;			/* if it does not come back */
	const char *rule;
	Oid			namespace;
	SubTransactionId subid;
	int			statement;
	int			line;
} Dropped;

extern bool neteffect_dropped(Oid classid, Oid relid, const char *name);
extern void neteffect_queue(const ObjectAddress *address, Oid relid, MigClass class,
							const char *rule, Oid namespace);
extern MigClass neteffect_constraint_class(Oid constraint, const char **rule);
extern void neteffect_statement_end(const struct GuardStatement *statement);
extern void neteffect_judge(GuardResult *result);

#endif							/* MIGMGR_NETEFFECT_H */
