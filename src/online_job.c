/*
 * online_job.c
 *	  The job of a worker as it is recorded, statement by statement.
 *
 * All of it is written by migmgr's own code in the worker's transactions, or
 * in that of the caller who asks for the job.  What is done stays done: a
 * worker that comes later reads here where to go on.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "errors.h"
#include "ledger.h"
#include "migmgr.h"
#include "online.h"
#include "own_table.h"
#include "spi_util.h"

#define JOB_COLUMNS \
	"SELECT o.ticket, o.version, o.name, o.action, o.file, o.checksum, o.note, o.options, o.on_data," \
	" o.session_role, o.role, o.search_path, o.status, o.statements, o.done, o.pid, o.message" \
	" FROM migmgr_internal.online_state AS o"

static char *keep(MemoryContext context, const char *column);
static OnlineJob *read_job(MemoryContext context);
static void exec_own(const char *sql, int expect, int nargs, const char *const *args);

/* A column of the first row, copied into context; NULL stays NULL. */
static char *
keep(MemoryContext context, const char *column)
{
	char	   *text = spi_text(0, column);

	return text == NULL ? NULL : MemoryContextStrdup(context, text);
}

static OnlineJob *
read_job(MemoryContext context)
{
	OnlineJob  *job;

	if (SPI_processed == 0)
		return NULL;
	job = MemoryContextAllocZero(context, sizeof(OnlineJob));
	job->ticket = spi_int64(0, "ticket", 0);
	job->version = keep(context, "version");
	job->name = keep(context, "name");
	job->action = keep(context, "action");
	job->file = keep(context, "file");
	job->checksum = keep(context, "checksum");
	job->note = keep(context, "note");
	job->options = keep(context, "options");
	job->on_data = keep(context, "on_data");
	job->session_role = keep(context, "session_role");
	job->role = keep(context, "role");
	job->search_path = keep(context, "search_path");
	job->status = keep(context, "status");
	job->statements = spi_int64(0, "statements", 0);
	job->done = spi_int64(0, "done", 0);
	job->pid = spi_int64(0, "pid", 0);
	job->message = keep(context, "message");
	return job;
}

/* The unfinished job of a version, or NULL. */
OnlineJob *
online_job(const char *version)
{
	MemoryContext context = CurrentMemoryContext;
	OnlineJob  *job;
	RecordScope scope;

	if (!own_any(MIGMGR_INTERNAL, "online_job", "online_job_pkey", BTEqualStrategyNumber,
				 CStringGetTextDatum(version)))
		return NULL;
	SPI_connect();
	record_begin(&scope);
	spi_exec(JOB_COLUMNS " WHERE o.version = $1", SPI_OK_SELECT, 1, &version);
	job = read_job(context);
	record_end(&scope);
	SPI_finish();
	return job;
}

/* The unfinished job of a ticket, or NULL. */
OnlineJob *
online_job_of(int64 ticket)
{
	MemoryContext context = CurrentMemoryContext;
	const char *arg = psprintf(INT64_FORMAT, ticket);
	OnlineJob  *job;
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	spi_exec(JOB_COLUMNS " WHERE o.ticket = $1::pg_catalog.int8", SPI_OK_SELECT, 1, &arg);
	job = read_job(context);
	record_end(&scope);
	SPI_finish();
	return job;
}

/*
 * Raises MG203 when a version before this one is on its way, or has stopped
 * half-way.  Asked under APPLY, as all that check_order() asks.
 */
void
online_check_order(const RunRequest *request)
{
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;
	OnlineJob  *job;

	if (!own_any(MIGMGR_INTERNAL, "online_job", "online_job_pkey", BTGreaterStrategyNumber,
				 CStringGetTextDatum("")))
		return;
	job = request->background ? NULL : online_job(request->version);
	if (job != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MG_NEEDS_WORKER),
				 errmsg("cannot apply \"%s\" in a transaction: it is %s online", request->version, job->status),
				 errdetail("%d of %d statements are done.", job->done, job->statements),
				 errhint("Go on with it: CALL migmgr.run_pending(%s);", quote_literal_cstr(job->version))));
	SPI_connect();
	record_begin(&scope);
	spi_exec(JOB_COLUMNS " WHERE migmgr_internal.version_key(o.version) < migmgr_internal.version_key($1)"
			 " ORDER BY migmgr_internal.version_key(o.version) LIMIT 1",
			 SPI_OK_SELECT, 1, &request->version);
	job = read_job(context);
	record_end(&scope);
	SPI_finish();
	if (job == NULL || request->options.skip_failed)
		return;

	ereport(ERROR,
			(errcode(ERRCODE_MG_EARLIER_FAILED),
			 errmsg("cannot apply \"%s\": version \"%s\" before it is %s", request->version, job->version, job->status),
			 strcmp(job->status, "running") == 0
			 ? errdetail("Process %d is at it; %d of %d statements are done.", job->pid, job->done, job->statements)
			 : errdetail("%d of %d statements are done%s%s", job->done, job->statements,
						 job->message ? "; it stopped with: " : ".", job->message ? job->message : ""),
			 strcmp(job->status, "running") == 0
			 ? errhint("Wait for it to end.")
			 : errhint("Go on with it first: CALL migmgr.run_pending(%s);", quote_literal_cstr(job->version))));
}

/* Raises MG204 or MG235 when a version that is to go back is on its way. */
void
online_check_version(const char *version)
{
	OnlineJob  *job = online_job(version);

	if (job == NULL || (strcmp(job->action, "rollback") == 0 && strcmp(job->status, "running") != 0))
		return;
	ereport(ERROR,
			(errcode(strcmp(job->status, "running") == 0 ? ERRCODE_MG_LOCKED : ERRCODE_MG_NOT_APPLIED),
			 errmsg("cannot roll back \"%s\": it is %s", version, job->status),
			 errdetail("%d of %d statements are done.", job->done, job->statements),
			 strcmp(job->status, "running") == 0 ? errhint("Wait for it to end.") :
			 errhint("Go on with it: CALL migmgr.run_pending(%s); or take back what is done: SELECT migmgr.withdraw(%s, 'reason');",
					 quote_literal_cstr(version), quote_literal_cstr(version))));
}

/* One statement of migmgr's own, connected for just that. */
static void
exec_own(const char *sql, int expect, int nargs, const char *const *args)
{
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	spi_exec(sql, expect, nargs, args);
	record_end(&scope);
	SPI_finish();
}

/* Records a job, or makes an unfinished one wait for a worker again. */
void
online_job_write(const RunRequest *request, int64 ticket, int statements)
{
	const char *args[14];

	args[0] = request->version;
	args[1] = psprintf(INT64_FORMAT, ticket);
	args[2] = request->action == RUN_APPLY ? "apply" : "rollback";
	args[3] = request->name;
	args[4] = request->file;
	args[5] = request->checksum;
	args[6] = request->note;
	args[7] = request->options_text ? request->options_text : "{}";
	args[8] = request->on_data == ON_DATA_DISCARD ? "discard" : "refuse";
	args[9] = GetUserNameFromId(GetSessionUserId(), false);
	args[10] = GetUserNameFromId(GetOuterUserId(), false);
	args[11] = GetConfigOption("search_path", false, false);
	args[12] = psprintf("%d", statements);
	args[13] = NULL;
	exec_own("INSERT INTO migmgr_internal.online_job AS j (version, ticket, action, name, file, checksum, note, options, on_data,"
			 " session_role, role, search_path, statements, state, requested_at)"
			 " VALUES ($1, $2::pg_catalog.int8, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::pg_catalog.int4, 'queued',"
			 " pg_catalog.clock_timestamp())"
			 " ON CONFLICT (version) DO UPDATE SET ticket = EXCLUDED.ticket, action = EXCLUDED.action, name = EXCLUDED.name,"
			 " file = EXCLUDED.file, checksum = EXCLUDED.checksum, note = EXCLUDED.note, options = EXCLUDED.options,"
			 " on_data = EXCLUDED.on_data, session_role = EXCLUDED.session_role, role = EXCLUDED.role,"
			 " search_path = EXCLUDED.search_path, statements = EXCLUDED.statements, state = 'queued',"
			 " requested_at = EXCLUDED.requested_at",
			 SPI_OK_INSERT, 13, args);
}

/* Says how a job stands: running (in this process), queued or stopped. */
void
online_job_state(int64 ticket, const char *state, const ErrorData *error)
{
	const char *args[5];

	args[0] = psprintf(INT64_FORMAT, ticket);
	args[1] = state;
	args[2] = psprintf("%d", MyProcPid);
	args[3] = error == NULL ? NULL : pstrdup(unpack_sql_state(error->sqlerrcode));
	args[4] = error == NULL ? NULL : error->message;
	exec_own("UPDATE migmgr_internal.online_job AS j SET state = $2,"
			 " pid = CASE WHEN $2 = 'running' THEN $3::pg_catalog.int4 ELSE j.pid END,"
			 " started_at = CASE WHEN $2 = 'running' THEN pg_catalog.clock_timestamp() ELSE j.started_at END,"
			 " stopped_at = CASE WHEN $2 = 'stopped' THEN pg_catalog.clock_timestamp() END,"
			 " sqlstate = $4, message = $5 WHERE j.ticket = $1::pg_catalog.int8",
			 SPI_OK_UPDATE, 5, args);
}

/* The job has come to its end; in the transaction of its ledger entry. */
void
online_job_delete(const char *version)
{
	exec_own("WITH s AS (DELETE FROM migmgr_internal.online_statement AS o WHERE o.version = $1),"
			 " b AS (DELETE FROM migmgr_internal.online_object AS o WHERE o.version = $1),"
			 " t AS (DELETE FROM migmgr_internal.online_target AS o WHERE o.version = $1)"
			 " DELETE FROM migmgr_internal.online_job AS o WHERE o.version = $1",
			 SPI_OK_DELETE, 1, &version);
}

/* From here on the job takes back what is done of it, as who asks for that. */
void
online_job_withdraw(const char *version, const char *reason)
{
	const char *args[5];

	args[0] = version;
	args[1] = reason;
	args[2] = GetUserNameFromId(GetSessionUserId(), false);
	args[3] = GetUserNameFromId(GetOuterUserId(), false);
	args[4] = GetConfigOption("search_path", false, false);
	exec_own("UPDATE migmgr_internal.online_job AS j SET action = 'withdraw', note = $2, session_role = $3, role = $4,"
			 " search_path = $5, state = 'queued' WHERE j.version = $1",
			 SPI_OK_UPDATE, 5, args);
}

/* A statement of a version that is taken back is done no longer. */
void
online_undone(const char *version, int statement)
{
	const char *args[2] = {version, psprintf("%d", statement)};

	exec_own("WITH b AS (DELETE FROM migmgr_internal.online_object AS o WHERE o.version = $1 AND o.n = $2::pg_catalog.int4),"
			 " t AS (DELETE FROM migmgr_internal.online_target AS o WHERE o.version = $1 AND o.n = $2::pg_catalog.int4)"
			 " DELETE FROM migmgr_internal.online_statement AS o WHERE o.version = $1 AND o.n = $2::pg_catalog.int4",
			 SPI_OK_DELETE, 2, args);
}

/*
 * Names of the indexes that a statement made, finished or not; others says
 * whether it did anything else that stays.
 */
List *
online_made(const char *version, int statement, bool *others)
{
	MemoryContext context = CurrentMemoryContext;
	const char *args[2] = {version, psprintf("%d", statement)};
	RecordScope scope;
	List	   *result = NIL;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT CASE WHEN o.action = 'created' AND o.type = 'index' THEN o.identity END AS name FROM migmgr_internal.online_object AS o"
			 " WHERE o.version = $1 AND o.n = $2::pg_catalog.int4 UNION"
			 " SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM migmgr_internal.online_target AS t"
			 " JOIN migmgr_internal.home AS h ON h.token = t.home JOIN pg_catalog.pg_class AS c ON c.oid = t.relid"
			 " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
			 " WHERE t.version = $1 AND t.n = $2::pg_catalog.int4 AND t.kind = 'built' AND c.relkind = 'i'",
			 SPI_OK_SELECT, 2, args);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *name = spi_text(i, "name");

		if (name == NULL)
			*others = true;
		else
		{
			MemoryContext old = MemoryContextSwitchTo(context);

			result = lappend(result, pstrdup(name));
			MemoryContextSwitchTo(old);
		}
	}
	record_end(&scope);
	SPI_finish();
	return result;
}

/*
 * The ticket of the job that waits for a worker longest, and who it runs as;
 * 0 when none waits, or one before it has stopped.
 */
int64
online_next(char **session_role)
{
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;
	int64		ticket = 0;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT j.ticket, j.session_role FROM migmgr_internal.online_job AS j WHERE j.state = 'queued'"
			 " AND NOT EXISTS (SELECT FROM migmgr_internal.online_job AS b WHERE b.state <> 'queued')"
			 " ORDER BY j.ticket LIMIT 1",
			 SPI_OK_SELECT, 0, NULL);
	if (SPI_processed > 0)
	{
		ticket = spi_int64(0, "ticket", 0);
		*session_role = keep(context, "session_role");
	}
	record_end(&scope);
	SPI_finish();
	return ticket;
}

/* The finished statements: a List of RunStatement *, in order. */
List *
online_done(const char *version)
{
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;
	List	   *result = NIL;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT s.n, s.line, s.command, s.object, s.class, s.rule, s.ms, s.row_count, s.sql, s.shape,"
			 " pg_catalog.array_to_string(s.notices, E'\\001') AS notices"
			 " FROM migmgr_internal.online_statement AS s WHERE s.version = $1 ORDER BY s.n",
			 SPI_OK_SELECT, 1, &version);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		RunStatement *done = palloc0(sizeof(RunStatement));
		char	   *notices = spi_text(i, "notices");
		char	   *object = spi_text(i, "object");

		done->number = spi_int64(i, "n", 0);
		done->line = spi_int64(i, "line", 0);
		done->command = pstrdup(spi_text(i, "command"));
		done->object = object == NULL ? NULL : pstrdup(object);
		done->class = pstrdup(spi_text(i, "class"));
		done->rule = pstrdup(spi_text(i, "rule"));
		done->ms = strtod(spi_text(i, "ms"), NULL);
		done->rows = spi_int64(i, "row_count", -1);
		done->text = pstrdup(spi_text(i, "sql"));
		done->shape = pstrdup(spi_text(i, "shape"));
		for (char *next = notices == NULL ? NULL : pstrdup(notices); next != NULL && *next;)
		{
			char	   *end = strchr(next, '\001');

			if (end != NULL)
				*end++ = '\0';
			done->notices = lappend(done->notices, next);
			next = end;
		}
		result = lappend(result, done);
		MemoryContextSwitchTo(old);
	}
	record_end(&scope);
	SPI_finish();
	return result;
}

/* Adds what the finished statements made or changed to effect. */
void
online_effect(const char *version, GuardResult *effect)
{
	MemoryContext context = CurrentMemoryContext;
	RecordScope scope;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT o.action, o.type, o.identity FROM migmgr_internal.online_object AS o WHERE o.version = $1"
			 " ORDER BY o.n, o.place",
			 SPI_OK_SELECT, 1, &version);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		GuardObject *object = palloc0(sizeof(GuardObject));

		object->action = pstrdup(spi_text(i, "action"));
		object->type = pstrdup(spi_text(i, "type"));
		object->identity = pstrdup(spi_text(i, "identity"));
		object->data_count = -1;
		effect->objects = lappend(effect->objects, object);
		MemoryContextSwitchTo(old);
	}
	record_end(&scope);
	SPI_finish();
}

/*
 * Records a finished statement and what it made (List of GuardObject *); its
 * targets have had their time.
 */
void
online_write_done(const char *version, const RunStatement *done, const List *objects, const OnlineInverse *inverse)
{
	RecordScope scope;
	OwnTable   *table;
	ListCell   *lc;
	const char *args[2];

	SPI_connect();
	record_begin(&scope);
	table = own_open(MIGMGR_INTERNAL, "online_statement", RowExclusiveLock);
	own_set_text(table, "version", version);
	run_set_statement(table, done);
	own_set_text(table, "shape", script_shape_hash(done->text));
	if (inverse->sql != NULL)
		own_set_text(table, "undo", inverse->sql);
	if (inverse->loses != NULL)
		own_set_text(table, "loses", inverse->loses);
	own_insert(table);
	own_close(table);

	table = own_open(MIGMGR_INTERNAL, "online_object", RowExclusiveLock);
	foreach(lc, objects)
	{
		const GuardObject *object = lfirst(lc);

		own_set_text(table, "version", version);
		own_set(table, "n", Int32GetDatum(done->number));
		own_set(table, "place", Int32GetDatum(foreach_current_index(lc) + 1));
		own_set_text(table, "action", object->action);
		own_set_text(table, "type", object->type);
		own_set_text(table, "identity", object->identity);
		own_insert(table);
	}
	own_close(table);

	args[0] = version;
	args[1] = psprintf("%d", done->number);
	spi_exec("DELETE FROM migmgr_internal.online_target AS t WHERE t.version = $1 AND t.n = $2::pg_catalog.int4",
			 SPI_OK_DELETE, 2, args);
	record_end(&scope);
	SPI_finish();
}

/*
 * Notes an object that outlives a failure of the statement.  Without SPI: the
 * server is in the middle of making it.
 */
void
online_note_target(const char *version, int statement, const char *kind, Oid relid, const char *identity)
{
	RecordScope scope;
	OwnTable   *table;
	OwnTable   *home;

	record_begin(&scope);
	table = own_open(MIGMGR_INTERNAL, "online_target", RowExclusiveLock);
	own_set_text(table, "version", version);
	own_set(table, "n", Int32GetDatum(statement));
	own_set_text(table, "kind", kind);
	own_set(table, "relid", ObjectIdGetDatum(relid));
	own_set_text(table, "identity", identity);
	home = own_open(MIGMGR_INTERNAL, "home", AccessShareLock);
	own_scan(home, "home_pkey", ForwardScanDirection, InvalidStrategy, (Datum) 0);
	if (own_next(home))
		own_set(table, "home", own_datum(home, "token"));
	own_insert(table);
	own_close(home);
	own_close(table);
	record_end(&scope);
}

/* The name that the index of a statement was to have, or NULL. */
char *
online_target_name(const char *version, int statement)
{
	MemoryContext context = CurrentMemoryContext;
	const char *args[2] = {version, psprintf("%d", statement)};
	RecordScope scope;
	char	   *name = NULL;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT t.identity FROM migmgr_internal.online_target AS t"
			 " WHERE t.version = $1 AND t.n = $2::pg_catalog.int4 AND t.kind = 'name'",
			 SPI_OK_SELECT, 2, args);
	if (SPI_processed > 0)
		name = keep(context, "identity");
	record_end(&scope);
	SPI_finish();
	return name;
}

/* Targets of one kind that were noted in this home: a List of Oid. */
List *
online_targets(const char *version, int statement, const char *kind)
{
	MemoryContext context = CurrentMemoryContext;
	const char *args[3] = {version, psprintf("%d", statement), kind};
	RecordScope scope;
	List	   *result = NIL;

	SPI_connect();
	record_begin(&scope);
	spi_exec("SELECT t.relid FROM migmgr_internal.online_target AS t JOIN migmgr_internal.home AS h ON h.token = t.home"
			 " WHERE t.version = $1 AND t.n = $2::pg_catalog.int4 AND t.kind = $3 ORDER BY t.relid",
			 SPI_OK_SELECT, 3, args);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		result = lappend_oid(result, (Oid) spi_int64(i, "relid", 0));
		MemoryContextSwitchTo(old);
	}
	record_end(&scope);
	SPI_finish();
	return result;
}
