# Migrations that run in a worker: who it runs as, who may wait, who is told
# what when there is none, and what a cancel leaves.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

# one slot is the launcher's of logical replication, one migmgr's own, one is left
my $node = new_node('online', conf => 'max_worker_processes = 3');
my $db = 'live';
my $pg15 = $node->safe_psql('postgres', 'SHOW server_version_num') < 170000;

install($node, $db);
install($node, 'other');
$node->safe_psql($db, <<'SQL');
CREATE ROLE app LOGIN;
CREATE ROLE team;
GRANT team TO app;
GRANT CREATE ON SCHEMA public TO team, app;
SELECT migmgr.grant_access('app', 'operator');
CREATE TABLE t (i int);
INSERT INTO t SELECT generate_series(1, 100);
SQL
$node->safe_psql('other', 'CREATE TABLE t (i int)');

sub sql { return $node->safe_psql($db, @_); }

sub status_of
{
	my ($version) = @_;
	return sql("SELECT status FROM migmgr.history WHERE version = '$version'");
}

# A session that keeps every concurrent build on t waiting for writers.
sub writer
{
	my ($in) = @_;
	my $session = $node->background_psql($in // $db, on_error_stop => 0);

	$session->query_safe('BEGIN; INSERT INTO t VALUES (0)');
	return $session;
}

sub wait_phase
{
	my ($phase) = @_;
	wait_until($node, $db, "SELECT count(*) = 1 FROM pg_stat_progress_create_index WHERE phase LIKE '$phase%'");
	return;
}

# Who it runs as: the session's role and the current one, whatever defaults
# they have; never more.
{
	$node->safe_psql($db, 'ALTER ROLE app SET default_transaction_read_only = on');
	my $as_app = "-- migmgr:online\nCREATE TABLE %s AS SELECT session_user AS s, current_user AS c, current_setting('search_path') AS p;";

	$node->safe_psql($db, 'SET default_transaction_read_only = off; SET ROLE team; RESET ROLE; SET search_path = public, pg_catalog;'
		  . " SELECT FROM migmgr.submit('001_who.sql', \$\$" . sprintf($as_app, 'who') . '$$, start => true)',
		extra_params => [ '-U', 'app' ]);
	wait_until($node, $db, "SELECT status = 'applied' FROM migmgr.history WHERE version = '001'");
	is(sql('SELECT * FROM who'), 'app|app|public, pg_catalog', 'a worker runs as the role that asked for it, with its search_path');
	is(sql("SELECT session_role, role FROM migmgr.ledger WHERE event = 'applied' AND version = '001'"), 'app|app', 'and so says the ledger');

	sql("SELECT migmgr.grant_access('team', 'operator')");
	$node->safe_psql($db, 'SET default_transaction_read_only = off; SET ROLE team;'
		  . " SELECT FROM migmgr.submit('002_who.sql', \$\$" . sprintf($as_app, 'who2') . '$$, start => true)',
		extra_params => [ '-U', 'app' ]);
	wait_until($node, $db, "SELECT status = 'applied' FROM migmgr.history WHERE version = '002'");
	is(sql('SELECT s, c FROM who2'), 'app|team', 'after SET ROLE as that role');

	like(error_of($node, $db, "SET default_transaction_read_only = off; CALL migmgr.run('003_theirs.sql', 'CREATE INDEX CONCURRENTLY ON t (i)')",
			'-U', 'app'), qr/42501: .*must be owner of table t/, 'what the role may not, the worker may not');
	sql("SELECT migmgr.withdraw('003')");

	# a role that cannot log in any more
	my $nologin = 'SET SESSION AUTHORIZATION team;'
	  . " SELECT FROM migmgr.submit('003_nologin.sql', \$\$" . sprintf($as_app, 'who3') . '$$, start => true)';
	if ($pg15)
	{
		like(error_of($node, $db, $nologin), qr/MG236: .*"team", which cannot log in/, 'a role that cannot log in has no worker before 17');
		is(sql("SELECT count(*) FROM migmgr.pending WHERE version = '003'"), '0', 'and nothing is left of it');
	}
	else
	{
		is(error_of($node, $db, $nologin), '', 'a role that cannot log in has a worker from 17 on');
		wait_until($node, $db, "SELECT status = 'applied' FROM migmgr.history WHERE version = '003'");
	}
	sql("CREATE ROLE author; SELECT migmgr.grant_access('author', 'author')");
	is(sql("SET ROLE author; SELECT status FROM migmgr.submit('004_x.sql', 'SELECT 4')"), 'submitted', 'an author submits');
	like(error_of($node, $db, "SET ROLE author; SELECT * FROM migmgr.submit('004_x.sql', 'SELECT 4', start => true)"),
		qr/42501: .*permission denied to start a migration/, 'and starts nothing');
	sql("SELECT migmgr.withdraw('004')");
}

# Only what is committed starts.
{
	sql("BEGIN; SELECT * FROM migmgr.submit('010_gone.sql', 'CREATE TABLE gone (i int)', start => true); ROLLBACK");
	sql("BEGIN; SAVEPOINT s; SELECT * FROM migmgr.submit('010_gone.sql', 'CREATE TABLE gone (i int)', start => true); ROLLBACK TO s;"
		  . " SELECT * FROM migmgr.submit('011_here.sql', 'CREATE TABLE here (i int); SELECT 1;', start => true); COMMIT");
	wait_until($node, $db, "SELECT status = 'applied' FROM migmgr.history WHERE version = '011'");
	is(sql("SELECT to_regclass('gone') IS NULL, to_regclass('here') IS NOT NULL, (SELECT count(*) FROM migmgr.pending)"), 't|t|0',
		'a worker starts for what was committed, and for nothing else');
}

# A caller who is cancelled takes the worker with him, and a second one is
# told who is at it.
{
	my $writer = writer();
	my $text = "\$\$CREATE TABLE before (i int); CREATE INDEX CONCURRENTLY c1 ON t (i); CREATE TABLE after (i int);\$\$";
	my $caller = $node->background_psql($db, on_error_stop => 0);
	my $pid = $caller->query_safe('SELECT pg_backend_pid()');

	$caller->query_until(qr/sent/, "\\echo sent\nCALL migmgr.run('020_cancel.sql', $text);\n");
	wait_phase('waiting for writers before build');
	is(status_of('020'), 'running', 'a job that is under way');
	is(sql("SELECT backend_xid IS NULL AND backend_xmin IS NULL FROM pg_stat_activity WHERE pid = $pid"), 't',
		'the caller waits without transaction number and snapshot');
	like(error_of($node, $db, "CALL migmgr.run('020_cancel.sql', $text)"), qr/MG204: .*"020" is running already/, 'a second caller is told');
	like(error_of($node, $db, 'SELECT FROM migmgr.apply(\'021\', \'later\', \'CREATE TABLE later (i int)\')'), qr/MG203: .*"020" before it is running/,
		'a later version waits its turn');
	like(sql("SELECT detail FROM migmgr.verify() WHERE check_name = 'online'"), qr/^running: 1 of 3 statements done, process \d+ is at it/, 'verify() shows it');

	sql("SELECT pg_cancel_backend($pid)");
	$caller->quit;
	wait_until($node, $db, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'migmgr online'");
	is(status_of('020'), 'partly applied', 'cancelled: what was done stays');
	like(sql("SELECT string_agg(sqlstate, ' ') FROM migmgr.attempts WHERE version = '020'"), qr/^57014$/, 'and the cancel is recorded');
	$writer->query_safe('COMMIT');
	$writer->quit;
	is(error_of($node, $db, "CALL migmgr.run('020_cancel.sql', $text)"), '', 'calling again goes on');
	is(status_of('020'), 'applied', 'to the end');
	is(sql("SELECT i.indisvalid, to_regclass('before') IS NOT NULL, to_regclass('after') IS NOT NULL FROM pg_index AS i WHERE i.indexrelid = 'c1'::regclass"), 't|t|t', 'all is there');
	is(sql("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass"), '1', 'once');
}

# No slot: the migration stays queued, and nothing is lost.
{
	my $writer = writer('other');

	$node->safe_psql('other', "SELECT FROM migmgr.submit('1_busy.sql', 'CREATE INDEX CONCURRENTLY ON t (i)', start => true)");
	$node->poll_query_until('other', "SELECT count(*) = 1 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'");
	like(error_of($node, $db, "CALL migmgr.run('030_slot.sql', 'CREATE INDEX CONCURRENTLY c2 ON t (i)')"),
		qr/MG236: .*stays queued: no background worker is free/, 'no slot: the caller is told');
	is(status_of('030'), 'queued', 'and the job waits');
	my (undef, undef, $warning) = $node->psql($db, "SELECT FROM migmgr.submit('031_slot.sql', 'CREATE INDEX CONCURRENTLY c3 ON t (i)', start => true)");
	like($warning, qr/WARNING:  no background worker is free: ticket \d+ stays queued/, 'so does one that nobody waits for');
	$writer->query_safe('COMMIT');
	$writer->quit;
	$node->poll_query_until('other', "SELECT status = 'applied' FROM migmgr.history WHERE version = '1'");
	wait_until($node, $db, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'migmgr online'");
	is(error_of($node, $db, "SET migmgr.apply_wait = '10s'; CALL migmgr.run_pending()"), '', 'run_pending() goes on with all of them');
	is(sql("SELECT string_agg(status, ' ') FROM migmgr.history WHERE version IN ('030', '031')"), 'applied applied', 'in order');
}

# A queue: each starts the next.
{
	my $writer = writer();

	sql("SELECT FROM migmgr.submit('04${_}_q.sql', 'CREATE INDEX CONCURRENTLY q$_ ON t (i)', start => true)") foreach (1 .. 3);
	$writer->query_safe('COMMIT');
	$writer->quit;
	# the next one starts when there is a slot again, or on demand
	wait_until($node, $db, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'migmgr online'");
	sql('CALL migmgr.run_pending()') if sql('SELECT count(*) FROM migmgr.pending');
	is(sql("SELECT string_agg(version, ' ' ORDER BY seq) FROM migmgr.ledger WHERE event = 'applied' AND version LIKE '04%'"), '041 042 043', 'what is queued runs in order');
}

# The way back of what ran online drops its indexes concurrently.
{
	my $indexes = "SELECT count(*) FROM pg_class WHERE relname ~ '^w[0-9]\$'";

	sql("CALL migmgr.run('050_two.sql', 'CREATE INDEX CONCURRENTLY w1 ON t (i); CREATE INDEX CONCURRENTLY w2 ON t (i); ANALYZE t;')");
	is(sql("SELECT reversible FROM migmgr.history WHERE version = '050'"), 'derived; not proved: it runs online', 'a way back is derived');
	my $writer = writer();
	is(sql("SELECT status FROM migmgr.rollback('050', 'not wanted')"), 'queued', 'rollback() hands it to a worker');
	wait_until($node, $db, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'migmgr online' AND wait_event_type = 'Lock')");
	is(error_of($node, $db, "SET lock_timeout = '1s'; INSERT INTO t VALUES (1)"), '', 'nobody waits for it');
	like(error_of($node, $db, "SELECT FROM migmgr.rollback('050')"), qr/MG204: .*cannot roll back "050": it is running/, 'a second one is told');
	sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'migmgr online'");
	wait_until($node, $db, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'migmgr online'");
	is(status_of('050'), 'partly rolled back', 'cancelled: it is half-way');
	is(sql("SELECT hint FROM migmgr.verify() WHERE check_name = 'online'"), "SELECT * FROM migmgr.rollback('050', 'reason'); goes on with it.", 'verify() says how to go on');
	$writer->query_safe('COMMIT');
	$writer->quit;
	sql("SELECT FROM migmgr.rollback('050', 'not wanted')");
	wait_until($node, $db, "SELECT status = 'rolled back' FROM migmgr.history WHERE version = '050'");
	is(sql($indexes), '0', 'the indexes are gone');
	is(sql("SELECT string_agg(sql, '; ' ORDER BY n) FROM migmgr.statements WHERE version = '050' AND event = 'rolled back'"),
		'DROP INDEX CONCURRENTLY public.w2; DROP INDEX CONCURRENTLY public.w1', 'dropped concurrently, the last first');

	sql("CALL migmgr.run('051_three.sql', E'CREATE INDEX CONCURRENTLY w3 ON t (i); CREATE INDEX CONCURRENTLY w4 ON t (i); CREATE TABLE w5 (i int);\\n-- migmgr:down\\nDROP TABLE w5; DROP INDEX w3, w4;')");
	like(error_of($node, $db, "SELECT FROM migmgr.rollback_to('011')"), qr/MG235: .*version "051" goes back online/, 'not in one transaction with others');
	is(status_of('051'), 'applied', 'nothing has begun');
	sql("INSERT INTO w5 VALUES (1); SELECT FROM migmgr.rollback('051', 'not wanted')");
	wait_until($node, $db, "SELECT status = 'partly rolled back' OR note LIKE '%data would be lost%' FROM migmgr.history WHERE version = '051'");
	wait_until($node, $db, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'migmgr online'");
	is(sql("SELECT count(*) FROM w5"), '1', 'data stops it');
	sql("SELECT FROM migmgr.rollback('051', 'not wanted', on_data => 'discard')");
	wait_until($node, $db, "SELECT status = 'rolled back' FROM migmgr.history WHERE version = '051'");
	is(sql("SELECT string_agg(sql, '; ' ORDER BY n) FROM migmgr.statements WHERE version = '051' AND event = 'rolled back'"),
		"DROP TABLE w5; DROP INDEX CONCURRENTLY w3; DROP INDEX CONCURRENTLY w4", "the author's way back, index by index");
	is(sql($indexes), '0', 'all is gone');

	sql('CREATE INDEX theirs ON t (i)');
	like(error_of($node, $db, "CALL migmgr.run('052_greedy.sql', E'CREATE INDEX CONCURRENTLY w6 ON t (i);\\n-- migmgr:down\\nDROP INDEX CONCURRENTLY w6; DROP INDEX CONCURRENTLY theirs;')"),
		qr/MG101: .*cannot drop index public.theirs/, 'a way back that takes more is refused before it begins');
	is(sql($indexes), '0', 'nothing was built');
}

# Each statement leaves the way back to what was before it.
{
	sql("CREATE INDEX v1 ON t (i) WITH (fillfactor = 60); COMMENT ON INDEX v1 IS 'kept'; CREATE TABLE parted (a int) PARTITION BY LIST (a); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1)");
	my $before = sql('SELECT migmgr.schema_fingerprint()');
	sql("SELECT migmgr.waive('destructive', 'test')");
	sql("CALL migmgr.run('053_mixed.sql', 'DROP INDEX CONCURRENTLY v1; CREATE TABLE v2 (i int); CREATE VIEW v3 AS SELECT i FROM v2; ALTER TABLE parted DETACH PARTITION parted_1 CONCURRENTLY; CREATE INDEX CONCURRENTLY v4 ON t (i); UPDATE t SET i = 7 WHERE i > 0')");
	my $after = sql('SELECT migmgr.schema_fingerprint()');
	like(sql("SELECT reversible FROM migmgr.history WHERE version = '053'"), qr/^derived, but: rows of public\.t stay as they were left \(\d+ updated\); not proved: it runs online\z/, 'a way back is derived of all that it did');
	sql("SELECT FROM migmgr.rollback('053', 'not wanted')");
	wait_until($node, $db, "SELECT status = 'rolled back' FROM migmgr.history WHERE version = '053'");
	is(sql('SELECT migmgr.schema_fingerprint()'), $before, 'it leads back');
	isnt($before, $after, 'from something else');
	is(sql("SELECT sql FROM migmgr.statements WHERE version = '053' AND event = 'rolled back' AND sql LIKE 'CREATE INDEX%'"),
		q{CREATE INDEX CONCURRENTLY v1 ON public.t USING btree (i) WITH (fillfactor='60')}, 'an index that went is built concurrently');

	# without anything that wants to run by itself, it is a rollback like any other
	sql("CALL migmgr.run('054_plain.sql', E'-- migmgr:online\nCREATE TABLE v5 (i int); CREATE INDEX v6 ON v5 (i);')");
	is(sql("SELECT status FROM migmgr.rollback('054', 'not wanted', on_data => 'archive')"), 'rolled back', 'in one transaction');
	is(sql('SELECT migmgr.schema_fingerprint()'), $before, 'it leads back, too');
	sql('DROP INDEX v1; DROP TABLE parted, parted_1');
}

# What is half-way can be taken back, if it is indexes alone.
{
	sql("SELECT migmgr.waive('restrictive', 'test'); INSERT INTO t VALUES (5), (5)");
	like(error_of($node, $db, "CALL migmgr.run('060_half.sql', 'CREATE INDEX CONCURRENTLY x1 ON t (i); CREATE UNIQUE INDEX CONCURRENTLY x2 ON t (i);')"),
		qr/23505/, 'a script that fails half-way');
	is(sql("SELECT migmgr.withdraw('060', 'no good') > 0"), 't', 'is withdrawn');
	wait_until($node, $db, 'SELECT count(*) = 0 FROM migmgr_internal.online_job');
	is(sql("SELECT count(*) FROM pg_class WHERE relname IN ('x1', 'x2')"), '0', 'its indexes are gone, the invalid one as well');
	is(sql("SELECT concat_ws(' ', event, version, detail::jsonb ->> 'reason') FROM migmgr.ledger ORDER BY seq DESC LIMIT 1"), 'withdrawn 060 no good', 'the ledger says so');
	is(error_of($node, $db, "SELECT FROM migmgr.apply('061', 'next', 'CREATE TABLE next (i int)')"), '', 'and the next one is free');

	like(error_of($node, $db, "CALL migmgr.run('062_half.sql', 'CREATE INDEX CONCURRENTLY y1 ON t (i); CREATE TABLE y2 (i int); CREATE UNIQUE INDEX CONCURRENTLY y3 ON t (i);')"),
		qr/23505/, 'one that has made a table, too');
	like(error_of($node, $db, "SELECT migmgr.withdraw('062')"), qr/MG208: .*partly applied, and not with indexes alone/, 'is not taken back by itself');
	like(error_of($node, $db, "SELECT migmgr.rollback('062')"), qr/MG209: .*cannot roll back "062": it is partly applied/, 'nor rolled back');
	sql('DELETE FROM t WHERE ctid NOT IN (SELECT DISTINCT ON (i) ctid FROM t)');
	is(error_of($node, $db, 'CALL migmgr.run_pending()'), '', 'it goes on when the data is right');
}

# A database can be dropped with its worker.
{
	my $writer = writer('other');

	$node->safe_psql('other', "SELECT FROM migmgr.submit('2_busy.sql', 'CREATE INDEX CONCURRENTLY again ON t (i)', start => true)");
	$node->poll_query_until('other', "SELECT count(*) = 1 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'");
	is(error_of($node, 'postgres', 'DROP DATABASE other WITH (FORCE)'), '', 'the database of a worker can be dropped');
	wait_until($node, $db, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'migmgr online'");
	$writer->quit;
}

verify_ok($node, $db, 'at the end');
$node->stop;
done_testing();
