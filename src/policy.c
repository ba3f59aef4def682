/*
 * policy.c
 *	  What is allowed here: environment, class to action, exemptions, waivers.
 *
 * Defaults are constants; everything else is an entry of the ledger
 * (environment, policy, waiver), so it is chained, dumped and restored like
 * the rest of history.  A cache holds what the entries amount to until the
 * ledger says that one was appended.  The environment counts from the last
 * epoch on: a copy of a database is production again.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "guard.h"
#include "invalidation.h"
#include "ledger.h"
#include "policy.h"
#include "protect.h"
#include "spi_util.h"

/* an overriding entry; NULL role or schema: any */
typedef struct PolicyRule
{
	PolicyEnvironment environment;
	const char *rule;			/* a class, or "direct_ddl" */
	PolicyAction action;
	char	   *role;
	char	   *schema;
} PolicyRule;

typedef struct PolicyWaiver
{
	int64		seq;			/* of the entry that granted it */
	char	   *what;
	char	   *version;		/* NULL: any, as often as needed; else once */
	TimestampTz until;
} PolicyWaiver;

typedef struct PolicyCache
{
	MemoryContext context;
	PolicyEnvironment environment;
	List	   *rules;			/* of PolicyRule *, newest first */
	List	   *waivers;		/* of PolicyWaiver * */
} PolicyCache;

PG_FUNCTION_INFO_V1(migmgr_environment);
PG_FUNCTION_INFO_V1(migmgr_policy_default);

static const char *const environment_names[] = {
	[ENV_DEVELOPMENT] = "development",
	[ENV_STAGING] = "staging",
	[ENV_PRODUCTION] = "production",
};

static const char *const action_names[] = {
	[ACTION_ALLOW] = "allow",
	[ACTION_WARN] = "warn",
	[ACTION_ASK] = "ask",
	[ACTION_DENY] = "deny",
};

#define SAME(action) {action, action, action}

/* class × environment: development, staging, production */
static const PolicyAction default_actions[NUM_CLASSES][3] = {
	[CLASS_NONE] = SAME(ACTION_ALLOW),
	[CLASS_ADDITIVE] = SAME(ACTION_ALLOW),
	[CLASS_RELAXING] = SAME(ACTION_ALLOW),
	[CLASS_REPLACING] = SAME(ACTION_ALLOW),
	[CLASS_DATA] = SAME(ACTION_ALLOW),
	[CLASS_RESTRICTIVE] = {ACTION_ALLOW, ACTION_WARN, ACTION_ASK},
	[CLASS_BLOCKING] = {ACTION_ALLOW, ACTION_WARN, ACTION_ASK},
	[CLASS_TYPE_CHANGE] = {ACTION_ALLOW, ACTION_WARN, ACTION_ASK},
	[CLASS_REWRITING] = {ACTION_ALLOW, ACTION_WARN, ACTION_ASK},
	[CLASS_SECURITY] = {ACTION_WARN, ACTION_ASK, ACTION_ASK},
	[CLASS_DESTRUCTIVE] = {ACTION_WARN, ACTION_WARN, ACTION_DENY},
	[CLASS_UNCLASSIFIED] = SAME(ACTION_DENY),
	[CLASS_PROTECTED] = SAME(ACTION_DENY),
};

policy_watch_fn policy_watch = NULL;

static PolicyCache *cache = NULL;
static bool cache_valid = false;
static Oid	cache_relid = InvalidOid;	/* the ledger that was read */
static char *running_version = NULL;
static char *approved_version = NULL;	/* whose text somebody has approved */
static List *waivers_used = NIL;	/* of PolicyWaiver *: that this run needs */

static void policy_relcache_callback(Datum arg, Oid relid);
static void policy_xact_callback(XactEvent event, void *arg);
static PolicyCache *policy_read(void);
static void policy_take(PolicyCache *into, uint64 row);
static void policy_take_rule(PolicyCache *into, uint64 row);
static void policy_error_context(void *arg);
static int	name_index(const char *const *names, int count, const char *name);
static const PolicyRule *policy_rule(const char *rule, const Verdict *verdict,
									 PolicyEnvironment environment);
static bool is_other_part(const Verdict *whole, const Verdict *part);
static PolicyAction action_here(const Verdict *verdict);
static PolicyAction action_in(const Verdict *verdict, PolicyEnvironment environment);
static bool policy_waived(const Verdict *verdict);

void
policy_init(void)
{
	invalidation_register(policy_relcache_callback);
	RegisterXactCallback(policy_xact_callback, NULL);
}

/* The ledger sends an invalidation of its own table when a setting changes. */
static void
policy_relcache_callback(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == cache_relid)
		cache_valid = false;
}

static void
policy_xact_callback(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	policy_set_version(NULL);
	approved_version = NULL;
	waivers_used = NIL;
}

/* The version that runs now, or NULL; it lives as long as the transaction. */
void
policy_set_version(const char *version)
{
	running_version = version == NULL ? NULL : MemoryContextStrdup(TopTransactionContext, version);
}

/* The version that runs now, or NULL. */
const char *
policy_version(void)
{
	return running_version;
}

/*
 * A run is about to be tried: waivers that an earlier try needed are not used
 * up by it, but for that of its text, which was looked at before the first.
 */
void
policy_begin_run(const char *version)
{
	ListCell   *lc;

	approved_version = NULL;
	foreach(lc, waivers_used)
	{
		const PolicyWaiver *waiver = lfirst(lc);

		if (strcmp(waiver->what, "checksum") != 0 || strcmp(waiver->version, version) != 0)
			waivers_used = foreach_delete_current(waivers_used, lc);
	}
}

/* Somebody has approved its text: what is asked is answered. */
void
policy_set_approved(const char *version)
{
	approved_version = MemoryContextStrdup(TopTransactionContext, version);
}

/*
 * Records that the waivers which the run of this version needed are used up.
 * Matching one writes nothing, because a statement may have to be the first
 * of its transaction; so it is done here, with the record of the run.
 */
void
policy_use_waivers(const char *version)
{
	ListCell   *lc;

	foreach(lc, waivers_used)
	{
		const PolicyWaiver *waiver = lfirst(lc);
		LedgerEntry entry = {.event = "waiver used",.version = version};

		if (strcmp(waiver->version, version) != 0)
			continue;
		entry.detail = psprintf("{\"what\": \"%s\", \"entry\": " INT64_FORMAT "}", waiver->what, waiver->seq);
		ledger_append(&entry);
	}
	waivers_used = NIL;
}

PolicyEnvironment
policy_environment(void)
{
	return ledger_state() == LEDGER_ABSENT ? ENV_PRODUCTION : policy_read()->environment;
}

const char *
policy_environment_name(PolicyEnvironment environment)
{
	return environment_names[environment];
}

const char *
policy_action_name(PolicyAction action)
{
	return action_names[action];
}

/*
 * What this verdict leads to here: the strictest of what all its parts lead
 * to, since the worst class need not be the one that is forbidden.
 */
PolicyAction
policy_action(const Verdict *verdict)
{
	PolicyAction action = action_here(verdict);
	ListCell   *lc;

	foreach(lc, verdict->parts)
	{
		if (is_other_part(verdict, lfirst(lc)))
			action = Max(action, action_here(lfirst(lc)));
	}
	return policy_watch == NULL ? action : policy_watch(verdict, action);
}

PolicyAction
policy_action_in(const Verdict *verdict, PolicyEnvironment environment)
{
	PolicyAction action = action_in(verdict, environment);
	ListCell   *lc;

	foreach(lc, verdict->parts)
	{
		if (is_other_part(verdict, lfirst(lc)))
			action = Max(action, action_in(lfirst(lc), environment));
	}
	return action;
}

/*
 * Has a part something to say that the whole does not?  A drop of a definition
 * is worth it only as the worst: it may come back.
 */
static bool
is_other_part(const Verdict *whole, const Verdict *part)
{
	return part->class > CLASS_ADDITIVE && part->class < CLASS_UNCLASSIFIED && !part->definition &&
		whole->class < CLASS_UNCLASSIFIED &&
		(part->class != whole->class || strcmp(part->rule, whole->rule) != 0 || part->namespace != whole->namespace ||
		 (part->deed != NULL && strcmp(part->deed, whole->deed) != 0));
}

/*
 * Entries beat constants, the more specific and then the newer entry wins, a
 * waiver lets pass what is not protected, an approval answers what is asked.  A
 * new installation asks nobody, a restored one only observes.
 */
static PolicyAction
action_here(const Verdict *verdict)
{
	LedgerState state;
	PolicyAction action;

	if (verdict->class == CLASS_PROTECTED)
		return protect_lifted() ? ACTION_ALLOW : ACTION_DENY;
	if (verdict->class <= CLASS_NONE)
		return ACTION_ALLOW;
	state = ledger_state();
	if (state == LEDGER_ABSENT)
		return ACTION_ALLOW;

	action = action_in(verdict, policy_read()->environment);
	if (action == ACTION_ASK && running_version != NULL && approved_version != NULL &&
		strcmp(running_version, approved_version) == 0)
		return ACTION_ALLOW;
	if (action >= ACTION_ASK && policy_waived(verdict))
		action = ACTION_WARN;
	if (action == ACTION_ASK && state == LEDGER_NEW)
		action = ACTION_WARN;
	if (action > ACTION_WARN && state == LEDGER_RESTORED)
		action = ACTION_WARN;
	return action;
}

static PolicyAction
action_in(const Verdict *verdict, PolicyEnvironment environment)
{
	const PolicyRule *rule = policy_rule(class_name(verdict->class), verdict, environment);

	return rule != NULL && verdict->class != CLASS_PROTECTED ? rule->action :
		default_actions[verdict->class][environment];
}

PolicyEnvironment
policy_environment_of(const char *name)
{
	int			environment = name_index(environment_names, lengthof(environment_names), name);

	if (environment < 0)
		ereport(ERROR,
				(errcode(ERRCODE_MG_BAD_OPTION),
				 errmsg("environment \"%s\" is not known", name),
				 errdetail("Known are: development, staging, production.")));
	return environment;
}

PolicyAction
policy_direct_ddl(const Verdict *verdict)
{
	const PolicyRule *rule;

	if (ledger_state() != LEDGER_IN_FORCE)
		return ACTION_ALLOW;
	rule = policy_rule("direct_ddl", verdict, policy_read()->environment);
	if (rule == NULL)
		return ACTION_ALLOW;
	return rule->action >= ACTION_ASK && policy_waives("direct_ddl", NULL) ? ACTION_WARN : rule->action;
}

/* The entry that applies to a rule, for the caller's role and the schema. */
static const PolicyRule *
policy_rule(const char *rule, const Verdict *verdict, PolicyEnvironment environment)
{
	PolicyCache *policy = policy_read();
	const PolicyRule *best = NULL;
	int			best_score = -1;
	ListCell   *lc;

	foreach(lc, policy->rules)
	{
		const PolicyRule *candidate = lfirst(lc);
		int			score = (candidate->role != NULL ? 2 : 0) + (candidate->schema != NULL ? 1 : 0);

		if (candidate->environment != environment || strcmp(candidate->rule, rule) != 0 ||
			score <= best_score)
			continue;
		if (candidate->role != NULL &&
			strcmp(candidate->role, GetUserNameFromId(GetUserId(), false)) != 0)
			continue;
		if (candidate->schema != NULL &&
			(!OidIsValid(verdict->namespace) || get_namespace_name(verdict->namespace) == NULL ||
			 strcmp(candidate->schema, get_namespace_name(verdict->namespace)) != 0))
			continue;
		best = candidate;
		best_score = score;
	}
	return best;
}

/* Has somebody taken responsibility for this class, now and for what runs? */
static bool
policy_waived(const Verdict *verdict)
{
	return policy_waives(class_name(verdict->class), running_version);
}

/*
 * Is this waived now, for this version (NULL: for none)?  A waiver for
 * anything goes first: one for this version is good for one run.
 */
bool
policy_waives(const char *what, const char *version)
{
	PolicyWaiver *used;
	ListCell   *lc;
	const PolicyWaiver *bound = NULL;
	MemoryContext old;

	foreach(lc, policy_read()->waivers)
	{
		const PolicyWaiver *waiver = lfirst(lc);

		if (strcmp(waiver->what, what) != 0 || GetCurrentTimestamp() >= waiver->until)
			continue;
		if (waiver->version == NULL)
			return true;
		if (bound == NULL && version != NULL && strcmp(waiver->version, version) == 0)
			bound = waiver;
	}
	if (bound == NULL)
		return false;
	foreach(lc, waivers_used)
	{
		if (((PolicyWaiver *) lfirst(lc))->seq == bound->seq)
			return true;
	}
	old = MemoryContextSwitchTo(TopTransactionContext);
	used = palloc0(sizeof(PolicyWaiver));
	used->seq = bound->seq;
	used->what = pstrdup(bound->what);
	used->version = pstrdup(bound->version);
	waivers_used = lappend(waivers_used, used);
	MemoryContextSwitchTo(old);
	return true;
}

/*
 * What the entries of the ledger amount to.  An error here refuses the DDL
 * that asked, and says why.
 */
static PolicyCache *
policy_read(void)
{
	ErrorContextCallback callback = {.callback = policy_error_context};
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;
	PolicyCache *fresh;
	RecordScope scope;

	if (cache_valid && cache_relid == ledger_relid())
		return cache;

	callback.previous = error_context_stack;
	error_context_stack = &callback;
	context = AllocSetContextCreate(TopTransactionContext, "migmgr policy", ALLOCSET_SMALL_SIZES);
	fresh = MemoryContextAllocZero(context, sizeof(PolicyCache));
	fresh->context = context;
	fresh->environment = ENV_PRODUCTION;

	/* set first: an invalidation while we read makes it false again */
	cache_relid = ledger_relid();
	cache_valid = true;
	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT l.event, d.detail ->> 'environment' AS environment, d.detail ->> 'rule' AS rule,"
			 " d.detail ->> 'value' AS value, d.detail ->> 'for_role' AS for_role,"
			 " d.detail ->> 'in_schema' AS in_schema, d.detail ->> 'what' AS what,"
			 " (d.detail ->> 'entry')::pg_catalog.int8 AS entry, l.seq, l.version, (EXTRACT(epoch FROM (d.detail ->> 'until')::pg_catalog.timestamptz"
			 " - '2000-01-01 00:00:00+00'::pg_catalog.timestamptz) * 1000000)::pg_catalog.int8 AS until"
			 " FROM migmgr.ledger AS l, LATERAL (SELECT l.detail::pg_catalog.jsonb AS detail) AS d"
			 " WHERE l.event NOT IN ('applied', 'rolled back')"
			 " AND l.event IN ('epoch', 'environment', 'policy', 'waiver', 'waiver used') ORDER BY l.seq",
			 SPI_OK_SELECT, 0, NULL);
	for (uint64 row = 0; row < SPI_processed; row++)
		policy_take(fresh, row);
	if (ledger_state() == LEDGER_RESTORED)
		fresh->environment = ENV_PRODUCTION;	/* until an epoch of this home */
	record_end(&scope);
	SPI_finish();
	MemoryContextSwitchTo(caller);
	error_context_stack = callback.previous;

	MemoryContextSetParent(context, CacheMemoryContext);
	if (cache != NULL)
		MemoryContextDelete(cache->context);
	cache = fresh;
	return cache;
}

static void
policy_error_context(void *arg)
{
	cache_valid = false;
	errcontext("reading migmgr's policy: DDL is refused until it can be read");
}

/* Takes one entry into the cache that is being made. */
static void
policy_take(PolicyCache *into, uint64 row)
{
	char	   *event = spi_text(row, "event");
	MemoryContext old;

	if (strcmp(event, "epoch") == 0)
	{
		into->environment = ENV_PRODUCTION;
		into->waivers = NIL;
	}
	else if (strcmp(event, "environment") == 0)
	{
		int			environment = name_index(environment_names, lengthof(environment_names),
											 spi_text(row, "environment"));

		if (environment >= 0)
			into->environment = environment;
	}
	else if (strcmp(event, "policy") == 0)
		policy_take_rule(into, row);
	else if (strcmp(event, "waiver used") == 0)
	{
		ListCell   *lc;

		foreach(lc, into->waivers)
		{
			if (((PolicyWaiver *) lfirst(lc))->seq == spi_int64(row, "entry", 0))
				into->waivers = foreach_delete_current(into->waivers, lc);
		}
	}
	else
	{
		PolicyWaiver *waiver;

		old = MemoryContextSwitchTo(into->context);
		waiver = palloc0(sizeof(PolicyWaiver));
		waiver->seq = spi_int64(row, "seq", 0);
		waiver->what = pstrdup(spi_text(row, "what"));
		if (spi_text(row, "version") != NULL)
			waiver->version = pstrdup(spi_text(row, "version"));
		waiver->until = spi_int64(row, "until", 0);
		into->waivers = lappend(into->waivers, waiver);
		MemoryContextSwitchTo(old);
	}
}

/* A rule entry takes the place of older ones about the same; no value: only that. */
static void
policy_take_rule(PolicyCache *into, uint64 row)
{
	char	   *role = spi_text(row, "for_role");
	char	   *schema = spi_text(row, "in_schema");
	char	   *name = spi_text(row, "rule");
	char	   *value = spi_text(row, "value");
	int			environment = name_index(environment_names, lengthof(environment_names),
										 spi_text(row, "environment"));
	MemoryContext old;
	PolicyRule *rule;
	ListCell   *lc;

	if (environment < 0 || name == NULL)
		return;
	foreach(lc, into->rules)
	{
		rule = lfirst(lc);
		if (rule->environment == environment && strcmp(rule->rule, name) == 0 &&
			strcmp(rule->role ? rule->role : "", role ? role : "") == 0 &&
			strcmp(rule->schema ? rule->schema : "", schema ? schema : "") == 0)
			into->rules = foreach_delete_current(into->rules, lc);
	}
	if (value == NULL || name_index(action_names, lengthof(action_names), value) < 0)
		return;

	old = MemoryContextSwitchTo(into->context);
	rule = palloc0(sizeof(PolicyRule));
	rule->environment = environment;
	rule->rule = pstrdup(name);
	rule->action = name_index(action_names, lengthof(action_names), value);
	rule->role = role == NULL ? NULL : pstrdup(role);
	rule->schema = schema == NULL ? NULL : pstrdup(schema);
	into->rules = lcons(rule, into->rules);
	MemoryContextSwitchTo(old);
}

static int
name_index(const char *const *names, int count, const char *name)
{
	for (int i = 0; name != NULL && i < count; i++)
	{
		if (strcmp(names[i], name) == 0)
			return i;
	}
	return -1;
}

/* migmgr.environment() */
Datum
migmgr_environment(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(environment_names[policy_environment()]));
}

/* migmgr_internal.policy_default(environment, class): the constant, or NULL. */
Datum
migmgr_policy_default(PG_FUNCTION_ARGS)
{
	int			environment = name_index(environment_names, lengthof(environment_names),
										 text_to_cstring(PG_GETARG_TEXT_PP(0)));
	char	   *rule = text_to_cstring(PG_GETARG_TEXT_PP(1));

	if (environment < 0)
		PG_RETURN_NULL();
	if (strcmp(rule, "direct_ddl") == 0)
		PG_RETURN_TEXT_P(cstring_to_text(action_names[ACTION_ALLOW]));
	for (int class = CLASS_ADDITIVE; class < NUM_CLASSES; class++)
	{
		if (strcmp(class_name(class), rule) == 0)
			PG_RETURN_TEXT_P(cstring_to_text(action_names[default_actions[class][environment]]));
	}
	PG_RETURN_NULL();
}
