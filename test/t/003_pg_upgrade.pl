# pg_upgrade to a new cluster of the same major, guard in force: the database
# stays the ledger's home.
use strict;
use warnings;
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $old = new_node('old');
my $db = 'upgraded';

install($old, $db);
my @versions = map { sprintf('%03d', $_) } 1 .. 5;
foreach my $version (@versions)
{
	apply($old, $db, $version, "CREATE TABLE t$version (i int); INSERT INTO t$version VALUES (1)",
		"rollback_sql => 'DROP TABLE t$version'");
}
$old->safe_psql($db, "SELECT migmgr.rollback('005', 'test', on_data => 'discard')");
$old->safe_psql($db, "SELECT migmgr.set_environment('staging')");
$old->safe_psql($db, 'CREATE TABLE by_hand (i int)');
$old->safe_psql($db, 'CREATE TABLE qc_jobs (id uuid PRIMARY KEY, status text, started_at timestamptz,'
	  . ' last_heartbeat_at timestamptz, completed_at timestamptz, error_message text, organisation_id uuid)');
$old->safe_psql($db, "SELECT FROM migmgr.watch('qc_jobs')");
error_of($old, $db, "SELECT migmgr.apply('006', 'broken', 'SELECT nothing')");
wait_until($old, $db, 'SELECT count(*) = 1 FROM migmgr.attempts');

my $records = records($old, $db);
my $ddl_log = records($old, $db, 'migmgr_internal.ddl_log');
my $head = $old->safe_psql($db, 'SELECT migmgr.head()');
my $home = "SELECT d.oid, 'migmgr.ledger'::regclass::oid FROM pg_database AS d WHERE d.datname = '$db'";
my $home_before = $old->safe_psql($db, $home);
$old->stop;

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$new->append_conf('postgresql.conf', "shared_preload_libraries = 'migmgr'\ntimezone = 'UTC'");
my $bindir = $new->config_data('--bindir');

# It writes files where it runs.
chdir(dirname($new->basedir)) or die;
command_ok([
		'pg_upgrade', '--no-sync', '-b', $bindir, '-B', $bindir,
		'-d', $old->data_dir, '-D', $new->data_dir,
		'-s', $new->host, '-p', $old->port, '-P', $new->port
	],
	'pg_upgrade');
$new->start;

is(records($new, $db), $records, 'the records are equal');
is(records($new, $db, 'migmgr_internal.ddl_log'), $ddl_log, 'and nothing was logged');
is($new->safe_psql($db, $home), $home_before, 'database and ledger keep their OIDs');
state_is($new, $db, 'in force', 'upgraded');
verify_ok($new, $db, 'upgraded');
is($new->safe_psql($db, "SELECT count(*) FROM migmgr.verify('$head') WHERE check_name = 'head' AND status = 'ok'"),
	'1', 'the head from before is in the chain');
is($new->safe_psql($db, 'SELECT migmgr.environment()'), 'staging', 'the environment is the same');
is($new->safe_psql($db,
		"SELECT count(*) FROM pg_event_trigger AS e JOIN pg_proc AS p ON p.oid = e.evtfoid"
		  . " WHERE p.pronamespace = 'migmgr_internal'::regnamespace AND e.evtenabled <> 'A'"),
	'0', 'event triggers are ENABLE ALWAYS');
is($new->safe_psql($db, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'row\\_guard%' AND tgenabled <> 'A'"),
	'0', 'row triggers are ENABLE ALWAYS');
like(error_of($new, $db, 'SET session_replication_role = replica; DELETE FROM migmgr.ledger'),
	qr/MG301/, 'the ledger is closed');

$new->safe_psql($db, "SELECT migmgr.set_environment('production')");
like(error_of($new, $db, 'DROP TABLE by_hand'), qr/MG101/, 'the guard refuses');
is(apply($new, $db, '001', 'CREATE TABLE t001 (i int); INSERT INTO t001 VALUES (1)'),
	'already applied', 'what was applied stays so');
is(apply($new, $db, '006', 'CREATE TABLE t006 (i int)'), 'applied', 'apply goes on');
is($new->safe_psql($db, "SELECT status FROM migmgr.rollback('004', 'test', on_data => 'discard')"),
	'rolled back', 'a migration from before can be taken back');
verify_ok($new, $db, 'at the end');

$new->stop;
done_testing();
