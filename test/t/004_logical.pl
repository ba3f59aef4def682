# FOR ALL TABLES between two databases that both have migmgr: user tables
# replicate, nothing stalls, and each keeps a history of its own.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $db = 'app';
my $publisher = new_node('publisher', allows_streaming => 'logical');
my $subscriber = new_node('subscriber', allows_streaming => 'logical');
my $t1 = 'CREATE TABLE t1 (id int PRIMARY KEY, v text)';
my $t2 = 'CREATE TABLE t2 (id int PRIMARY KEY, v text)';
my $jobs = 'CREATE TABLE qc_jobs (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), status text,'
  . ' started_at timestamptz, last_heartbeat_at timestamptz, completed_at timestamptz,'
  . ' error_message text, organisation_id uuid)';

foreach my $node ($publisher, $subscriber)
{
	install($node, $db);
	is(apply($node, $db, '001', $t1), 'applied', 'the schema by migration, on ' . $node->name);
	is(apply($node, $db, '002', $jobs), 'applied', 'jobs too');
	$node->safe_psql($db, "SELECT FROM migmgr.watch('qc_jobs')");
	$node->safe_psql($db, "SELECT migmgr.waive('restrictive', 'replication of all tables')");
	$node->safe_psql($db, 'CREATE TABLE by_hand (id int PRIMARY KEY)');
}
$publisher->safe_psql($db, "INSERT INTO t1 SELECT i, 'v' || i FROM generate_series(1, 100) AS i");
$publisher->safe_psql($db, 'CREATE PUBLICATION everything FOR ALL TABLES');
like($publisher->safe_psql($db, 'SELECT schemaname, tablename FROM pg_publication_tables'),
	qr/^migmgr\|ledger$/m, 'the ledger is in the publication');

my $before = records($subscriber, $db);
my $connection = $publisher->connstr . " dbname=$db";
$subscriber->safe_psql($db,
	"CREATE SUBSCRIPTION everything CONNECTION '$connection' PUBLICATION everything");
$subscriber->wait_for_subscription_sync($publisher, 'everything', $db);
is($subscriber->safe_psql($db, 'SELECT count(*) FROM t1'), '100', 'rows from before are copied');
is(records($subscriber, $db), $before, 'the copy of the tables brought no record');

# Everything that writes to migmgr's tables, on the publisher.
$publisher->safe_psql($db,
	"INSERT INTO qc_jobs (status, started_at) SELECT 'running', now() - interval '1 day' FROM generate_series(1, 5)");
$publisher->safe_psql($db, 'SELECT FROM migmgr.sweep()');
$publisher->safe_psql($db, "UPDATE migmgr.job_dlq SET resolution_notes = 'looked at'");
$publisher->safe_psql($db, 'DELETE FROM migmgr.job_dlq WHERE id = (SELECT id FROM migmgr.job_dlq LIMIT 1)');
$publisher->safe_psql($db, "SELECT migmgr.set_environment('staging')");
$publisher->safe_psql($db, 'ALTER TABLE by_hand ADD n int');
is(apply($publisher, $db, '003', $t2, "rollback_sql => 'DROP TABLE t2'"), 'applied', 'a migration');
is($publisher->safe_psql($db, "SELECT status FROM migmgr.rollback('003')"), 'rolled back', 'undone');
$publisher->safe_psql($db, "SELECT FROM migmgr.unwatch('qc_jobs')");
error_of($publisher, $db, "SELECT migmgr.apply('003', 'broken', 'SELECT nothing')");
wait_until($publisher, $db, 'SELECT count(*) = 1 FROM migmgr.attempts');
is(apply($publisher, $db, '003', $t2), 'applied', 'and applied');

$publisher->safe_psql($db, "INSERT INTO t1 VALUES (101, 'after')");
$publisher->wait_for_catchup('everything');
is($subscriber->safe_psql($db, 'SELECT v FROM t1 WHERE id = 101'), 'after', 'user tables go on');
is($subscriber->safe_psql($db, "SELECT count(*) FROM qc_jobs WHERE status = 'failed'"),
	'5', 'what the sweep did to the jobs too');
is(records($subscriber, $db), $before, 'no record came along');
is($subscriber->safe_psql($db, 'SELECT migmgr.environment()'), 'production', 'nor a setting');
verify_ok($subscriber, $db, 'subscriber');
is($subscriber->safe_psql($db,
		'SELECT sum(apply_error_count + sync_error_count) FROM pg_stat_subscription_stats'),
	'0', 'no worker failed');

# The subscriber's own migration for the new table.
is(apply($subscriber, $db, '003', $t2), 'applied', 'the migration on the subscriber');
$subscriber->safe_psql($db, 'ALTER SUBSCRIPTION everything REFRESH PUBLICATION');
$subscriber->wait_for_subscription_sync($publisher, 'everything', $db);
$publisher->safe_psql($db, "INSERT INTO t2 VALUES (1, 'new table')");
$publisher->wait_for_catchup('everything');
is($subscriber->safe_psql($db, 'SELECT v FROM t2'), 'new table', 'the new table replicates');
verify_ok($subscriber, $db, 'subscriber, at the end');
verify_ok($publisher, $db, 'publisher, at the end');


# What no trigger can skip is refused: a TRUNCATE behind migmgr's back stops
# the subscription, and not the subscriber's history.
$before = records($subscriber, $db);
$publisher->safe_psql($db, "UPDATE pg_trigger SET tgenabled = 'D' WHERE tgname = 'row_guard_truncate'");
my $position = -s $subscriber->logfile;
$publisher->safe_psql($db, "SELECT FROM migmgr.unprotect('test'); TRUNCATE migmgr.ledger");
$subscriber->wait_for_log(qr/ERROR:  (MG301: )?cannot truncate table migmgr.ledger/, $position);
is(records($subscriber, $db), $before, 'a TRUNCATE of the publisher does not get through');

$subscriber->safe_psql($db, 'ALTER SUBSCRIPTION everything DISABLE');
$subscriber->stop;
$publisher->stop;
done_testing();
