# Backups that the server itself sees; then a streaming standby: history can be read and verified there, nothing can be
# written, and after promotion the ledger goes on.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use IPC::Run;
use Test::More;
use MigmgrTest;

my $db = 'app';
my $primary = new_node('primary', allows_streaming => 1, has_archiving => 1);
install($primary, $db);
my $standby = PostgreSQL::Test::Cluster->new('standby');

# of pg_basebackup the server keeps the history file, with the label
my $seen = sub { return $primary->safe_psql($db, "SELECT source, label, location FROM migmgr.backups WHERE source = '$_[0]'") };
my $preflight = sub { return $primary->safe_psql($db, "SELECT status, detail FROM migmgr.preflight() WHERE name = '$_[0]'") };
is($seen->('base backup'), '', 'no base backup was seen');
is($preflight->('backup'), 'warning|no backup is recorded', 'nor is one on record');
$primary->backup('base');
is($seen->('base backup'), 'base backup|pg_basebackup base backup|pg_basebackup', 'a base backup is seen');
is($preflight->('backup'),
	'warning|no backup is recorded; the server saw a base backup (pg_basebackup base backup) end 0 minutes ago, which is not on record',
	'and preflight says that it is not on record');
wait_until($primary, $db, q(SELECT last_archived_wal LIKE '%.backup' FROM pg_stat_archiver));
like($seen->('WAL archive'), qr/^WAL archive\|[0-9A-F]{24}\.[0-9A-F]{8}\.backup\|$/, 'the last file archived is its history');
like($preflight->('archive'), qr/^ok\|[0-9A-F]{24}\S+ archived 0 minutes ago$/, 'the archive works');

# one that goes on
my $slow = IPC::Run::start([ 'pg_basebackup', '-d', $primary->connstr('postgres'), '-D', $primary->backup_dir . '/slow',
	'--max-rate=32', '--checkpoint=fast', '--wal-method=none', '--no-sync' ], '>', \my $slow_out, '2>', \my $slow_err);
wait_until($primary, $db, q(SELECT EXISTS (SELECT FROM migmgr.backups WHERE source = 'base backup, running' AND note LIKE 'streaming%sent')));
pass('a base backup that goes on is seen');
IPC::Run::kill_kill($slow);

# another tool is known by the label that it gives
$primary->safe_psql($db, "SELECT pg_backup_start('pgBackRest backup started at 2026-11-24 02:00:00', true); SELECT pg_backup_stop(false)");
is($seen->('base backup'), 'base backup|pgBackRest backup started at 2026-11-24 02:00:00|pgBackRest', 'one by pgBackRest');

# a label typed in another encoding is shown as well as can be
my $history = $primary->data_dir . '/pg_wal/0000000100000000000000FF.00000028.backup';
append_to_file($history, "LABEL: caf\xe9 by night\n");
like($seen->('base backup'), qr/^base backup\|caf\\351 by night\|$/m, 'a label that is no text here');
unlink($history);
$primary->safe_psql($db, "SELECT migmgr.record_backup('by hand', now() + interval '1 second', 1000, verified => true)");
like($preflight->('backup'), qr/^ok\|the last backup "by hand" was taken 0 minutes ago, 1000 bytes, verified$/, 'and one on record');

# an archive that fails
$primary->append_conf('postgresql.conf', "archive_command = 'false'");
$primary->reload;
$primary->safe_psql($db, 'SELECT pg_switch_wal()');
wait_until($primary, $db, q(SELECT failed_count > 0 FROM pg_stat_archiver));
like($preflight->('archive'), qr/^warning\|[0-9A-F]{24} fails since /, 'an archive that fails is a warning');
like($primary->safe_psql($db, q(SELECT note FROM migmgr.backups WHERE source = 'WAL archive')), qr/^failing since /, 'and says so in the view');
$primary->append_conf('postgresql.conf', "archive_command = 'true'");
$primary->reload;

$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

apply($primary, $db, '001', 'CREATE TABLE qc_jobs (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), status text,'
	  . ' started_at timestamptz, last_heartbeat_at timestamptz, completed_at timestamptz,'
	  . ' error_message text, organisation_id uuid)');
apply($primary, $db, '002', 'CREATE TABLE t2 (i int)', "rollback_sql => 'DROP TABLE t2'");
$primary->safe_psql($db, "SELECT FROM migmgr.watch('qc_jobs')");
$primary->safe_psql($db,
	"INSERT INTO qc_jobs (status, started_at) SELECT 'running', now() - interval '1 day' FROM generate_series(1, 5)");
error_of($primary, $db, "SELECT migmgr.apply('003', 'broken', 'SELECT nothing')");
wait_until($primary, $db, 'SELECT count(*) = 1 FROM migmgr.attempts');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

is(records($standby, $db), records($primary, $db), 'the records are equal');
state_is($standby, $db, 'in force', 'standby');
verify_ok($standby, $db, 'standby');
my $head = $primary->safe_psql($db, 'SELECT migmgr.head()');
is($standby->safe_psql($db, 'SELECT migmgr.head()'), $head, 'the head is equal');
is($standby->safe_psql($db, 'SELECT version, status FROM migmgr.history'),
	"001|applied\n002|applied\n003|failed", 'history can be read');
cmp_ok($standby->safe_psql($db, 'SELECT count(*) FROM migmgr.status'), '>', 0, 'status can be read');
my $views = $standby->safe_psql($db, 'SELECT oid::regclass FROM pg_class'
	  . " WHERE relkind = 'v' AND relnamespace = 'migmgr'::regnamespace");
is(error_of($standby, $db, join("\n", map { "TABLE $_;" } split(/\n/, $views))),
	'', 'every view can be read');

is($standby->safe_psql($db, "SELECT command, class, lock_mode, action FROM migmgr.plan("
	  . "'DROP TABLE qc_jobs; CREATE TABLE p (i float DEFAULT random()); ALTER TABLE p ADD j int')"),
	"DROP TABLE|destructive|AccessExclusiveLock|deny\nCREATE TABLE|additive|AccessExclusiveLock|allow\n"
	  . 'ALTER TABLE|additive|AccessExclusiveLock|allow', 'a script can be planned');

# preflight there answers, and names the server to go to
is($standby->safe_psql($db, "SELECT name, status, regexp_replace(detail, '\\d+ (warning|ok|skipped)', 'N \\1', 'g'), hint FROM migmgr.preflight('003') WHERE status = 'failed' OR name = 'running jobs'"),
	"preflight|failed|1 failed, N warnings, N ok, N skipped: apply would be refused in app (production)|\n"
	  . "replication|failed|this is a standby|Connect to the primary server.\n"
	  . 'running jobs|warning|5 running in public.qc_jobs|Wait for them, or stop the workers.', 'preflight on a standby');

my @writers = (
	"migmgr.apply('003', 'x', 'CREATE TABLE x (i int)')",
	"migmgr.apply_file('003_x.sql', 'CREATE TABLE x (i int)')",
	"migmgr.apply('003', 'x', 'CREATE TABLE x (i int)', dry_run => true)",
	"migmgr.rollback('002')",
	"migmgr.submit('003_x.sql', 'CREATE INDEX CONCURRENTLY ON qc_jobs (id)', start => true)",
	"migmgr.apply('003')",
	"migmgr.apply_pending()",
	"migmgr.apply_repeatable('x', 'SELECT 1')",
	"migmgr.withdraw('003')",
	"migmgr.set_environment('staging')",
	"migmgr.set_policy('production', 'rewriting', 'deny')",
	"migmgr.watch('qc_jobs')",
	"migmgr.unwatch('qc_jobs')",
	'migmgr.sweep()',
	'migmgr.seal()',
	"migmgr.unprotect('test', '1 minute')");
foreach my $writer (@writers)
{
	like(error_of($standby, $db, "SELECT $writer"), qr/25006: /, "not on a standby: $writer");
}
foreach my $call ("run('003_x.sql', 'CREATE INDEX CONCURRENTLY ON qc_jobs (id)')", 'run_pending()')
{
	like(error_of($standby, $db, "CALL migmgr.$call"), qr/25006: /, "not on a standby: CALL $call");
}
like($standby->safe_psql($db, "SELECT migmgr.resume('x')"), qr/nothing to resume/,
	'on a standby resume() has nothing to do');
like(error_of($standby, $db, "SELECT $writers[0]"), qr/apply\(\) during recovery/,
	'the message says why');
verify_ok($standby, $db, 'standby, after these tries');

$primary->stop;
$standby->promote;
state_is($standby, $db, 'in force', 'promoted');
verify_ok($standby, $db, 'promoted');
is(apply($standby, $db, '003', 'CREATE TABLE t3 (i int)'), 'applied', 'promoted: apply works');
is($standby->safe_psql($db, "SELECT status FROM migmgr.rollback('002')"), 'rolled back',
	'promoted: rollback works');
is($standby->safe_psql($db, 'SELECT sum(dead_lettered) FROM migmgr.sweep()'), '5', 'promoted: sweep works');
like(error_of($standby, $db, 'DROP TABLE qc_jobs'), qr/MG101/, 'promoted: the guard refuses');
is($standby->safe_psql($db, "SELECT count(*) FROM migmgr.ledger WHERE event = 'epoch'"), '1',
	'promoted: no new epoch');
is($standby->safe_psql($db, "SELECT count(*) FROM migmgr.verify('$head') WHERE check_name = 'head' AND status = 'ok'"),
	'1', 'promoted: the chain goes on from the head of the primary');
verify_ok($standby, $db, 'promoted, at the end');

$standby->stop;
done_testing();
