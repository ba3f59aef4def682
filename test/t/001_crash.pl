# What is left of an apply whose server dies: everything or nothing.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $db = 'crash';
my $node = new_node('crash', conf => 'restart_after_crash = on');
install($node, $db);

my $wait = 'options => \'{"lock_timeout": "10min"}\'';
my $half =
  'CREATE TABLE first_half (i int); INSERT INTO first_half VALUES (1);'
  . ' SELECT pg_advisory_xact_lock(42); CREATE TABLE second_half (i int)';

is(apply($node, $db, '001', 'CREATE TABLE jobs (id int PRIMARY KEY)',
		"rollback_sql => 'SELECT pg_advisory_xact_lock_shared(42); DROP TABLE jobs'"),
	'applied', 'a migration before the crashes');

# A session that keeps advisory lock 42, where the scripts stop.
sub keeper
{
	my $session = $node->background_psql($db);
	$session->query_safe('SELECT pg_advisory_lock(42)');
	return $session;
}

sub apply_half
{
	my ($version) = @_;
	return "SELECT status FROM migmgr.apply('$version', 'half', '$half', $wait)";
}

# Ends psql sessions whose server is gone, whatever they think of it.
sub forget
{
	foreach my $session (@_)
	{
		eval { $session->{run}->kill_kill };
	}
	return;
}

# Ledger and schema are as before, and the apply that died works now.
sub nothing_happened
{
	my ($version, $before, $name) = @_;

	is(records($node, $db), $before, "$name: no record of it");
	is($node->safe_psql($db,
			"SELECT to_regclass('first_half'), to_regclass('second_half')"),
		'|', "$name: nothing of the script");
	is($node->safe_psql($db,
			"SELECT count(*) FROM migmgr.history WHERE version = '$version'"),
		'0', "$name: not in history");
	verify_ok($node, $db, $name);
	is(apply($node, $db, $version, $half,
			'rollback_sql => \'DROP TABLE first_half, second_half\''),
		'applied', "$name: applied now");
	is($node->safe_psql($db,
			"SELECT status FROM migmgr.rollback('$version', 'again', on_data => 'discard')"),
		'rolled back', "$name: and taken back");
	return;
}

# A backend, in the middle of the script.
{
	my $before = records($node, $db);
	my $keeper = keeper();
	my ($session, $pid) = session_waiting($node, $db, apply_half('002'));

	kill_backend($node, $pid);
	forget($session, $keeper);
	nothing_happened('002', $before, 'backend killed in the script');
}

# The postmaster, in the middle of the script.
{
	my $before = records($node, $db);
	my $keeper = keeper();
	my ($session) = session_waiting($node, $db, apply_half('003'));

	crash_and_start($node);
	forget($session, $keeper);
	nothing_happened('003', $before, 'postmaster killed in the script');
}

# A backend, between the ledger entry and the commit.
{
	my $before = records($node, $db);
	my $session = $node->background_psql($db);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');

	(my $free = apply_half('004')) =~ s/SELECT pg_advisory_xact_lock\(42\); //;
	$session->query_safe('BEGIN');
	is($session->query_safe($free), 'applied', 'applied, not committed');
	kill_backend($node, $pid);
	forget($session);
	nothing_happened('004', $before, 'backend killed before the commit');
}

# The postmaster, as soon as the client was told.
{
	my $head = $node->safe_psql($db, <<'SQL');
SELECT status FROM migmgr.apply('005', 'told', 'CREATE TABLE told (i int)');
SELECT migmgr.head();
SQL
	crash_and_start($node);
	is("applied\n" . $node->safe_psql($db, 'SELECT migmgr.head()'),
		$head, 'killed after the commit: the head is the one that was told');
	is($node->safe_psql($db,
			"SELECT status FROM migmgr.history WHERE version = '005'"),
		'applied', 'killed after the commit: in history');
	is($node->safe_psql($db, "SELECT to_regclass('told')"),
		'told', 'killed after the commit: the table is there');
	is(apply($node, $db, '005', 'CREATE TABLE told (i int)'),
		'already applied', 'killed after the commit: not to be applied twice');
	verify_ok($node, $db, 'killed after the commit');
	like(slurp_file($node->logfile), qr/entry \d+, applied, head \Q${\substr($head, 8)}\E/,
		'killed after the commit: the head is in the server log');
}

# A backend, in the middle of a rollback.
{
	my $before = records($node, $db);
	my $keeper = keeper();
	my ($session, $pid) = session_waiting($node, $db,
		"SET migmgr.lock_timeout = '10min'; SELECT migmgr.rollback('001', 'test')");

	kill_backend($node, $pid);
	forget($session, $keeper);
	is(records($node, $db), $before, 'killed in a rollback: no record of it');
	is($node->safe_psql($db, "SELECT to_regclass('jobs')"),
		'jobs', 'killed in a rollback: the table is still there');
	verify_ok($node, $db, 'killed in a rollback');
}

# Not a crash: a session that is ended leaves nothing, one that is cancelled
# leaves the attempt.
foreach my $how ('terminate', 'cancel')
{
	my $before = records($node, $db);
	my $keeper = keeper();
	my ($session, $pid) = session_waiting($node, $db, apply_half('006'));

	$node->safe_psql($db, "SELECT pg_${how}_backend($pid)");
	wait_until($node, $db,
		"SELECT NOT EXISTS (SELECT FROM pg_locks WHERE pid = $pid)");
	if ($how eq 'cancel')
	{
		wait_until($node, $db,
			"SELECT count(*) = 1 FROM migmgr.attempts WHERE version = '006'"
			  . " AND sqlstate = '57014' AND statement = 3");
		$before = records($node, $db);
		pass('the cancelled attempt is recorded');
	}
	is(records($node, $db), $before, "$how: no other record of it");
	is($node->safe_psql($db, "SELECT to_regclass('first_half')"),
		'', "$how: nothing of the script");
	verify_ok($node, $db, $how);
	forget($session, $keeper);
}
is(apply($node, $db, '006', 'CREATE TABLE later (i int)'),
	'applied', 'after terminate and cancel: applied now');

# A client that is killed has not been told; the server finishes all the same.
{
	my $keeper = keeper();
	my ($session) = session_waiting($node, $db, apply_half('007'));

	forget($session);
	$keeper->query_safe('SELECT pg_advisory_unlock(42)');
	$keeper->quit;
	ok($node->poll_query_until($db,
			"SELECT count(*) = 1 FROM migmgr.history WHERE version = '007' AND status = 'applied'"),
		'client killed: the server finishes the apply');
	is(apply($node, $db, '007', $half), 'already applied', 'client killed: the next one hears so');
}

# No worker to be had: the attempt is in the server log, and the error says so.
$node->append_conf('postgresql.conf', 'max_worker_processes = 0');
$node->restart;
my $before = records($node, $db);
my $log_position = -s $node->logfile;
my $error = error_of($node, $db,
	"SELECT migmgr.apply('008', 'lost', 'SELECT 1/0')");
like($error, qr/22012: migration "008" failed at statement 1, line 1/,
	'no worker: the error is the one of the script');
like($error, qr/not recorded: no free background worker/,
	'no worker: the detail says that it is not recorded');
like(slurp_file($node->logfile, $log_position),
	qr/migmgr: apply of "008" failed: .*division by zero/,
	'no worker: the server log has it');
is(records($node, $db), $before, 'no worker: no record');
is(apply($node, $db, '008', 'CREATE TABLE fine (i int)'),
	'applied', 'no worker: apply itself needs none');

$node->stop;
done_testing();
