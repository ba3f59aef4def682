# Migrations that run in a worker: who it runs as, who may wait, who is told
# what when there is none, and what a cancel leaves.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

# one slot is the launcher's of logical replication, one is left
my $node = new_node('online', conf => 'max_worker_processes = 2');
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
