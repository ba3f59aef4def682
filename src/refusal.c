/*
 * refusal.c
 *	  What a refusal says: every violation, and what to type next.
 *
 * A statement may break several rules, a script has many statements, and
 * whoever is refused wants to hear of all of them at once.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "classify.h"
#include "policy.h"

pg_noreturn static void refuse(List *violations, PolicyEnvironment environment, bool here);
static List *spread(const List *violations, PolicyEnvironment environment, bool here);
static void add_violation(List **violations, const Verdict *whole, const Verdict *part,
						  PolicyEnvironment environment, bool here);
static int	compare_violations(const ListCell *a, const ListCell *b);
static void append_violation(StringInfo text, const Verdict *verdict, bool with_hint);
static char *hint_for(const List *violations, PolicyEnvironment environment, bool here);
static bool all_asked(const List *violations, PolicyEnvironment environment);

void
policy_refuse(List *violations)
{
	refuse(violations, policy_environment(), true);
}

void
policy_refuse_in(List *violations, PolicyEnvironment environment)
{
	refuse(violations, environment, false);
}

static void
refuse(List *violations, PolicyEnvironment environment, bool here)
{
	List	   *all = spread(violations, environment, here);
	int			others = list_length(all) - 1;
	StringInfoData detail;
	const Verdict *worst;
	char	   *message;
	ListCell   *lc;

	list_sort(all, compare_violations);
	worst = linitial(all);
	initStringInfo(&detail);
	foreach(lc, all)
		append_violation(&detail, lfirst(lc), others > 0);

	if (worst->class == CLASS_PROTECTED)
		message = psprintf("cannot %s: it belongs to migmgr", worst->deed);
	else
		message = psprintf("cannot %s: %s in %s", worst->deed, class_name(worst->class),
						   policy_environment_name(environment));
	if (others > 0 && worst->class != CLASS_PROTECTED)
		message = psprintf(ngettext("%s (and %d more violation)", "%s (and %d more violations)", others),
						   message, others);
	ereport(ERROR,
			(errcode(class_sqlstate(worst->class)),
			 errmsg_internal("%s", message),
			 errdetail_internal("%s", detail.data),
			 errhint("%s", hint_for(all, environment, here))));
}

/*
 * Everything that these statements do and that is refused, each once: a List
 * of Verdict * of their own.
 */
static List *
spread(const List *violations, PolicyEnvironment environment, bool here)
{
	List	   *all = NIL;
	ListCell   *lc;

	foreach(lc, violations)
	{
		const Verdict *whole = lfirst(lc);
		int			before = list_length(all);
		ListCell   *part;

		add_violation(&all, whole, whole, environment, here);
		foreach(part, whole->class < CLASS_UNCLASSIFIED ? whole->parts : NIL)
			add_violation(&all, whole, lfirst(part), environment, here);
		/* whoever refuses it has his reasons */
		if (list_length(all) == before)
			all = lappend(all, unconstify(Verdict *, whole));
	}
	return all;
}

/* Adds a part if it is refused by itself and not there yet. */
static void
add_violation(List **violations, const Verdict *whole, const Verdict *part,
			  PolicyEnvironment environment, bool here)
{
	Verdict    *copy;
	ListCell   *lc;

	if (part != whole && (part->class <= CLASS_ADDITIVE || part->definition))
		return;
	copy = palloc(sizeof(Verdict));
	*copy = *part;
	copy->parts = NIL;
	copy->statement = whole->statement;
	copy->line = whole->line;
	if (copy->deed == NULL)
		copy->deed = whole->deed;
	if ((here ? policy_action(copy) : policy_action_in(copy, environment)) < ACTION_ASK)
		return;
	foreach(lc, *violations)
	{
		const Verdict *other = lfirst(lc);

		if (other->statement == copy->statement && other->class == copy->class &&
			strcmp(other->deed, copy->deed) == 0)
			return;
	}
	*violations = lappend(*violations, copy);
}

/* Worst class first, then in the order of the script. */
static int
compare_violations(const ListCell *a, const ListCell *b)
{
	const Verdict *left = lfirst(a);
	const Verdict *right = lfirst(b);

	if (left->class != right->class)
		return (int) right->class - (int) left->class;
	return left->statement - right->statement;
}

/* One violation as a line of the error's detail; with the way around it. */
static void
append_violation(StringInfo text, const Verdict *verdict, bool with_hint)
{
	if (text->len > 0)
		appendStringInfoChar(text, '\n');
	if (verdict->statement > 0)
		appendStringInfo(text, "Statement %d, line %d: ", verdict->statement, verdict->line);
	appendStringInfo(text, "%s would %s, which is %s (rule %s)", verdict->command, verdict->deed,
					 class_name(verdict->class), verdict->rule);
	if (verdict->reason != NULL)
		appendStringInfo(text, ": %s", verdict->reason);
	appendStringInfoChar(text, '.');
	if (with_hint && verdict->hint != NULL)
		appendStringInfo(text, "  %s", verdict->hint);
}

/* The next thing to type: the way around a single violation, the waivers that all of them take. */
static char *
hint_for(const List *violations, PolicyEnvironment environment, bool here)
{
	const char *version = policy_version();
	const Verdict *worst = linitial(violations);
	MigClass	class = NUM_CLASSES;
	bool		first = true;
	StringInfoData hint;
	ListCell   *lc;

	initStringInfo(&hint);
	if (worst->class == CLASS_PROTECTED)
	{
		appendStringInfoString(&hint, "To upgrade or remove migmgr, as a superuser: SELECT migmgr.unprotect('reason');");
		return hint.data;
	}
	if (worst->hint != NULL && list_length(violations) == 1)
		appendStringInfo(&hint, "%s  ", worst->hint);
	if (!here || !all_asked(violations, environment))
		appendStringInfoString(&hint, "To let it pass for an hour: SELECT ");
	else if (version != NULL)
		appendStringInfo(&hint, "Have it approved: SELECT migmgr.approve(%s, 'label');  To let it pass for an hour: SELECT ",
						 quote_literal_cstr(version));
	else
		appendStringInfoString(&hint, "As a migration it can be approved: SELECT * FROM migmgr.submit('001_name.sql', $$ ... $$);"
							   "  To let it pass for an hour: SELECT ");
	foreach(lc, violations)
	{
		const Verdict *verdict = lfirst(lc);

		/* they are in the order of their classes */
		if (verdict->class == class)
			continue;
		class = verdict->class;
		appendStringInfo(&hint, "%smigmgr.waive('%s', 'reason')", first ? "" : ", ", class_name(class));
		first = false;
	}
	appendStringInfoChar(&hint, ';');
	return hint.data;
}

/* Would an approval answer all of them? */
static bool
all_asked(const List *violations, PolicyEnvironment environment)
{
	ListCell   *lc;

	foreach(lc, violations)
	{
		if (policy_action_in(lfirst(lc), environment) != ACTION_ASK)
			return false;
	}
	return true;
}
