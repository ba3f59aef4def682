# A sweep whose server dies: each job is either still running or has its one
# row in the dead-letter queue, and the next sweep does the rest.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $db = 'sweep';
my $jobs = 3000;
my $node = new_node('sweep', conf => "restart_after_crash = on\nmigmgr.lock_timeout = '10min'");
install($node, $db);

# The trigger stops a sweep at its 1500th row, while advisory lock 42 is held.
$node->safe_psql($db, <<"SQL");
SELECT migmgr.set_environment('development');
CREATE TABLE qc_jobs (id bigint PRIMARY KEY, status text, started_at timestamptz, last_heartbeat_at timestamptz,
  completed_at timestamptz, error_message text, organisation_id uuid);
CREATE TABLE job_dlq (LIKE migmgr.job_dlq INCLUDING ALL);
CREATE SEQUENCE moved;
CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS '
BEGIN
  IF nextval(''moved'') = 1500 THEN PERFORM pg_advisory_xact_lock_shared(42); END IF;
  RETURN NEW;
END';
CREATE TRIGGER stop BEFORE INSERT ON job_dlq FOR EACH ROW EXECUTE FUNCTION stop();
INSERT INTO qc_jobs (id, status, started_at)
SELECT i, 'running', now() - interval '1 hour' FROM generate_series(1, $jobs) AS i;
SELECT FROM migmgr.watch('qc_jobs', dlq_table => 'job_dlq', batch_size => 500);
SQL

# Running jobs, failed ones, dead letters, and whether the two are the same.
sub counts
{
	return $node->safe_psql($db, <<'SQL');
SELECT count(*) FILTER (WHERE j.status = 'running'), count(*) FILTER (WHERE j.status = 'failed'), count(d.job_id),
       bool_and((j.status = 'failed') = (d.job_id IS NOT NULL)), count(*) = count(DISTINCT j.id)
  FROM qc_jobs AS j LEFT JOIN job_dlq AS d ON d.job_id = j.id::text
SQL
}

sub sweep_and_crash
{
	my ($sql, $crash) = @_;
	my $keeper = $node->background_psql($db);

	$node->safe_psql($db, "SELECT setval('moved', 1, false)");
	$keeper->query_safe('SELECT pg_advisory_lock(42)');
	my ($session, $pid) = session_waiting($node, $db, $sql);
	$crash->($pid);
	eval { $_->{run}->kill_kill } foreach ($session, $keeper);
	return;
}

my $kill_session = sub { kill_backend($node, $_[0]); };
my $kill_server = sub { crash_and_start($node); };

# As a function it is one transaction.
sweep_and_crash('SELECT FROM migmgr.sweep()', $kill_session);
is(counts(), "$jobs|0|0|t|t", 'sweep(), backend killed: nothing was moved');
verify_ok($node, $db, 'sweep(), backend killed');
sweep_and_crash('SELECT FROM migmgr.sweep()', $kill_server);
is(counts(), "$jobs|0|0|t|t", 'sweep(), postmaster killed: nothing was moved');

# As a procedure it commits each batch.
sweep_and_crash('CALL migmgr.run_sweeps()', $kill_server);
is(counts(), ($jobs - 1000) . '|1000|1000|t|t', 'run_sweeps(), postmaster killed: whole batches were moved');
verify_ok($node, $db, 'run_sweeps(), postmaster killed');

is($node->safe_psql($db, 'SELECT dead_lettered FROM migmgr.sweep()'), $jobs - 1000, 'the next sweep does the rest');
is(counts(), "0|$jobs|$jobs|t|t", 'each job has its one dead letter');
verify_ok($node, $db, 'at the end');

$node->stop;
done_testing();
