/*
 * proof.c
 *	  Tries the way back of a script before the script is kept.
 *
 * In a subtransaction that is undone in any case: deferred constraints now,
 * the way back, and another look at what the script had touched.  It waits for
 * no lock longer than a tenth of a second and is not repeated.  Unless it is
 * asked for, it is not even tried where it would lock an older relation harder
 * than the script has, or would build, rewrite or scan one; nor where it is a
 * single DROP of the one thing that the script has made, which takes longer
 * than what there is to find.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "budget.h"
#include "compat.h"
#include "errors.h"
#include "facts.h"
#include "guard_state.h"
#include "image.h"
#include "inverse.h"
#include "ledger.h"
#include "protect.h"
#include "spi_util.h"
#include "subxact.h"

#define PROOF_WAIT_MS 100

static bool is_one_drop(const Script *down);
static char *too_much(const Run *run);
static char *too_much_of(const Run *run, const Verdict *verdict);
static char *lock_of_made(void);
static bool holds(Oid relid, LOCKMODE mode);
static bool way_back_in_subxact(void *arg);
static void compare(Inverse *inverse);

/* See inverse.h. */
void
proof_run(Run *run)
{
	Inverse    *inverse = run->inverse;
	ProofMode	mode = run->request->options.proof;
	List	   *done = list_copy(run->done);
	MigClass	class = run->class;
	ScriptStatement *current = run->current;
	ErrorData  *error;

	if (mode == PROOF_OFF || run->down == NULL)
		return;
	if (mode == PROOF_AUTO && (inverse->not_proved = lock_of_made()) != NULL)
		return;
	if (mode == PROOF_AUTO && inverse->only_drops && is_one_drop(run->down))
		return;					/* no other order, and nothing else to do */
	if (mode == PROOF_AUTO && (inverse->not_proved = too_much(run)) != NULL)
		return;
	error = subxact_run(way_back_in_subxact, run);
	run->proving = false;
	image_pause(false);
	guard_derived(false);
	run->done = done;
	run->class = class;
	run->current = current;
	budget_begin(run->request->options.lock_timeout);
	if (error != NULL && (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN))
		ReThrowError(error);
	if (error != NULL)
		inverse->not_proved = psprintf("it failed: %s", error->message);
	else
		inverse->proved = inverse->differences == NIL;
	if (mode == PROOF_FORCE && !inverse->proved)
		ereport(ERROR,
				(errcode(ERRCODE_MG_NOT_REVERSIBLE),
				 errmsg("the way back of %s does not lead back", run->what),
				 errdetail("%s", error != NULL ? error->message : proof_words(inverse)),
				 errhint("Correct the way back, or leave out option \"proof\".")));
}

/* Is it a single statement, and not one about rows? */
static bool
is_one_drop(const Script *down)
{
	const ScriptStatement *statement = linitial(down->statements);

	return list_length(down->statements) == 1 &&
		(IsA(statement->raw->stmt, DropStmt) || IsA(statement->raw->stmt, AlterTableStmt));
}

/* What the proof has found, in one text. */
char *
proof_words(const Inverse *inverse)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, inverse->differences)
		appendStringInfo(&text, "%s%s", text.len > 0 ? "\n" : "", (char *) lfirst(lc));
	return text.data;
}

/* Why a statement of it would cost more than the script itself, or NULL. */
static char *
too_much(const Run *run)
{
	ListCell   *lc;
	char	   *reason = NULL;

	foreach(lc, run->down->statements)
	{
		ScriptStatement *statement = lfirst(lc);

		if (reason != NULL)
			break;
		reason = too_much_of(run, classify_statement(statement->raw->stmt));
	}
	return reason;
}

/* The same of one statement; what is new in this transaction is nobody's yet. */
static char *
too_much_of(const Run *run, const Verdict *verdict)
{
	RelFacts	rel;

	if (!fact_relation(verdict->relid, &rel) || rel.is_new || rel.temporary)
		return NULL;
	if ((verdict->rewrites != TRI_NO || verdict->scans != TRI_NO || verdict->class == CLASS_BLOCKING) &&
		!fact_empty(verdict->relid))
		return psprintf("%s would read or write all of %s", verdict->command, rel.name);
	if (verdict->lock != NoLock && !holds(verdict->relid, verdict->lock))
		return psprintf("%s would lock %s in %s", verdict->command, rel.name,
						GetLockmodeName(DEFAULT_LOCKMETHOD, verdict->lock));
	return NULL;
}

/*
 * What the script has made on an older relation goes again, which locks it;
 * and a foreign key the table that it references, too.
 */
static char *
lock_of_made(void)
{
	ListCell   *lc;

	foreach(lc, guard_script->touched)
	{
		const Touched *touched = lfirst(lc);
		Oid			relids[2] = {InvalidOid, InvalidOid};
		HeapTuple	row;

		if (strcmp(touched->action, "created") != 0)
			continue;
		if (touched->classid == RelationRelationId)
			relids[0] = touched->objsubid != 0 ? touched->objid : fact_index_table(touched->objid);
		else
			relids[0] = protect_relation_of(touched->classid, touched->objid, false);
		row = touched->classid != ConstraintRelationId ? NULL :
			SearchSysCache1(CONSTROID, ObjectIdGetDatum(touched->objid));
		if (HeapTupleIsValid(row))
		{
			if (((Form_pg_constraint) GETSTRUCT(row))->contype == CONSTRAINT_FOREIGN)
				relids[1] = ((Form_pg_constraint) GETSTRUCT(row))->confrelid;
			ReleaseSysCache(row);
		}
		for (int i = 0; i < lengthof(relids); i++)
		{
			RelFacts	rel;

			if (fact_relation(relids[i], &rel) && !rel.is_new && !rel.temporary &&
				!holds(relids[i], AccessExclusiveLock))
				return psprintf("it would lock %s in AccessExclusiveLock", rel.name);
		}
	}
	return NULL;
}

/* Does this transaction hold a lock on the relation that is as strong? */
static bool
holds(Oid relid, LOCKMODE mode)
{
	for (LOCKMODE held = AccessExclusiveLock; held >= mode; held--)
	{
		LOCKTAG		tag;

		SET_LOCKTAG_RELATION(tag, MyDatabaseId, relid);
		if (mg_LockHeldByMe(&tag, held))
			return true;
	}
	return false;
}

/* The way back and a look at what is there then; always undone. */
static bool
way_back_in_subxact(void *arg)
{
	Run		   *run = arg;
	ConstraintsSetStmt *constraints = makeNode(ConstraintsSetStmt);

	constraints->deferred = false;
	AfterTriggerSetState(constraints);
	run->proving = true;
	guard_derived(true);
	image_pause(run->inverse->only_drops);
	if (run->request->down == NULL)
		run_trust_bodies();
	budget_begin(PROOF_WAIT_MS);
	run_statements(run, run->down, "way back, statement");
	compare(run->inverse);
	return false;
}

/*
 * Fills differences: what is not as it was before the script.  A script that
 * has only made things has led back when these are gone.
 */
static void
compare(Inverse *inverse)
{
	MemoryContext context = GetMemoryChunkContext(inverse);
	const char *args[2];
	RecordScope scope;
	char	   *before;
	char	   *now;
	ListCell   *lc;
	MemoryContext old = MemoryContextSwitchTo(context);

	inverse->differences = image_any() ? NIL : image_left_over();
	foreach(lc, image_missed())
		inverse->differences = lappend(inverse->differences, lfirst(lc));
	MemoryContextSwitchTo(old);
	if (!image_any())
		return;

	image_result(&before, &now);
	args[0] = before;
	args[1] = now;
	SPI_connect();
	record_begin(&scope);
	spi_exec_latest("SELECT d.line FROM migmgr_internal.differences($1::pg_catalog.jsonb, $2::pg_catalog.jsonb) AS d",
					SPI_OK_SELECT, 2, args);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *line = spi_text(i, "line");
		bool		known = false;

		foreach(lc, inverse->differences)
			known |= strcmp(lfirst(lc), line) == 0;
		if (!known)
		{
			old = MemoryContextSwitchTo(context);
			inverse->differences = lappend(inverse->differences, pstrdup(line));
			MemoryContextSwitchTo(old);
		}
	}
	record_end(&scope);
	SPI_finish();
}
