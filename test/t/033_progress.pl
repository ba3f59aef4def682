# View progress where migmgr is preloaded: what runs is in shared memory, so it
# is exact even where pg_stat_activity is told nothing, and gone with whatever
# ends what runs.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $node = new_node('progress', conf => "restart_after_crash = on\nautovacuum = off\n");
my $db = 'shop';

install($node, $db);
$node->safe_psql($db, <<'SQL');
ALTER DATABASE shop SET track_activities = off;
SELECT migmgr.set_environment('development');
CREATE TABLE busy (i int);
CREATE TABLE jobs (id bigint PRIMARY KEY, status text NOT NULL, started_at timestamptz, last_heartbeat_at timestamptz,
  error_message text, completed_at timestamptz);
INSERT INTO jobs VALUES (1, 'running', now() - interval '1 hour');
SELECT migmgr.watch('jobs');
SQL

# The rows of the view, but for times; only shown when times are in order.
sub progress
{
	return $node->safe_psql($db, "SELECT concat_ws(' | ', task, version, statement || ' of ' || statements, left(sql, 40), state, server)"
		  . ' FROM migmgr.progress WHERE started <= clock_timestamp() AND ms >= 0 AND (statement_ms IS NULL OR ms >= statement_ms)');
}

# Runs a statement in the background while another session has a lock; returns
# once it waits, with pid of who holds it.
sub start_blocked
{
	my ($lock, $sql) = @_;
	my $blocker = $node->background_psql($db);
	my $session = $node->background_psql($db, on_error_stop => 0);
	my $pid = $blocker->query_safe('SELECT pg_backend_pid()');

	$blocker->query_safe("BEGIN; $lock");
	$session->query_until(qr/started/, "\\echo started\n$sql;\n");
	wait_until($node, $db, "SELECT EXISTS (SELECT FROM migmgr.progress WHERE waiting_for LIKE 'process $pid (%')");
	return ($blocker, $session, $pid);
}

sub finish
{
	my ($blocker, $session) = @_;

	$blocker->query_safe('COMMIT');
	$session->quit;
	$blocker->quit;
	return;
}

my $busy = 'LOCK TABLE busy';
my $long = q(options => '{"lock_timeout": "60s"}');
my @cases = (
	[ 'apply()', $busy, "SELECT FROM migmgr.apply('1', 'one', 'CREATE TABLE made (i int); ALTER TABLE busy ADD j int; SELECT 3', $long)",
		'migration "1" | 1 | 2 of 3 | ALTER TABLE busy ADD j int | waits for a lock' ],
	[ 'rehearse()', $busy, q(SELECT FROM migmgr.rehearse('SELECT 1; ALTER TABLE busy ADD k int', '{"lock_timeout": "60s"}')),
		'the rehearsal | 2 of 2 | ALTER TABLE busy ADD k int | waits for a lock' ],
	[ 'CALL run()', $busy, q(CALL migmgr.run('2_two.sql', 'ALTER TABLE busy ADD k int', options => '{"lock_timeout": "60s"}')),
		'migration "2" | 2 | 1 of 1 | ALTER TABLE busy ADD k int | waits for a lock' ],
	[ 'rollback()', $busy, q(SELECT FROM migmgr.rollback('2', 'wrong')),
		'rollback of "2" | 2 | 1 of 1 | ALTER TABLE public.busy DROP COLUMN k | waits for a lock' ],
	[ 'sweep()', 'LOCK TABLE migmgr.job_dlq', "SELECT FROM migmgr.sweep('jobs')", 'sweep of public.jobs | waits for a lock' ],
);

foreach my $case (@cases)
{
	my ($name, $lock, $sql, $row) = @$case;
	my ($blocker, $session) = start_blocked($lock, $sql);

	is(progress(), $row, "$name: what runs, while it waits");
	finish($blocker, $session);
	is(progress(), '', "$name: nothing runs after it");
}

# several that were submitted, one after the other
$node->safe_psql($db, q(SELECT FROM migmgr.submit('3_three.sql', E'-- migmgr:lock_timeout 60s\nSELECT 1;'); SELECT FROM migmgr.submit('4_four.sql', E'-- migmgr:lock_timeout 60s\nALTER TABLE busy ADD l int;')));
{
	my ($blocker, $session) = start_blocked($busy, 'SELECT FROM migmgr.apply_pending()');

	is(progress(), 'migration "4" | 4 | 1 of 1 | ALTER TABLE busy ADD l int | waits for a lock', 'apply_pending(): the one that runs now');
	finish($blocker, $session);
	is(progress(), '', 'apply_pending(): nothing runs after it');
}

# a worker, with what the server says of the index that it builds, where it may
$node->safe_psql($db, 'ALTER DATABASE shop RESET track_activities');
{
	my ($blocker, $session) = start_blocked('INSERT INTO busy VALUES (1)', q(CALL migmgr.run('5_five.sql', 'CREATE INDEX CONCURRENTLY busy_i ON busy (i)')));

	is(progress(), 'migration "5" | 5 | 1 of 1 | CREATE INDEX CONCURRENTLY busy_i ON busy | waits for a lock | CREATE INDEX CONCURRENTLY, waiting for writers before build',
		'a worker: the server\'s own progress is joined in');
	finish($blocker, $session);
	is($node->safe_psql($db, "SELECT status FROM migmgr.history WHERE version = '5'"), 'applied', 'and it comes to its end');
	is(progress(), '', 'nothing runs after it');
}

# whose statement it is
{
	my ($blocker, $session) = start_blocked($busy, "SELECT FROM migmgr.apply('6', 'six', 'ALTER TABLE busy ADD m int', $long)");

	$node->safe_psql($db, 'CREATE ROLE looker; CREATE ROLE reader; GRANT pg_read_all_stats TO reader;'
		  . " SELECT FROM migmgr.grant_access('looker', 'viewer'); SELECT FROM migmgr.grant_access('reader', 'viewer')");
	is($node->safe_psql($db, 'SET ROLE looker; SELECT version, statement, sql FROM migmgr.progress'), '6|1|<insufficient privilege>',
		'others see that it runs, and not the text');
	is($node->safe_psql($db, 'SET ROLE reader; SELECT sql FROM migmgr.progress'), 'ALTER TABLE busy ADD m int', 'but whom pg_stat_activity shows it');
	finish($blocker, $session);
}

# an error, a terminated session, a killed one: nothing stays
$node->psql($db, "SELECT FROM migmgr.apply('7', 'seven', 'SELECT 1; SELECT 1/0')");
is(progress(), '', 'nothing runs after an error');
foreach my $signal ('TERM', 'KILL')
{
	my ($blocker, $session) = start_blocked($busy, q(SELECT FROM migmgr.rehearse('ALTER TABLE busy ADD n int', '{"lock_timeout": "60s"}')));
	my $pid = $node->safe_psql($db, 'SELECT pid FROM migmgr.progress');

	if ($signal eq 'KILL')
	{
		kill_backend($node, $pid);
		$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
		is(progress(), '', 'nothing runs after a crash');
		eval { $_->{run}->finish } foreach ($blocker, $session);
	}
	else
	{
		$node->safe_psql($db, "SELECT pg_terminate_backend($pid, 10000)");
		is(progress(), '', 'nothing runs where a session was terminated');
		$blocker->query_safe('COMMIT');
		$blocker->quit;
		eval { $session->{run}->finish };
	}
}

$node->stop;
done_testing();
