# Many sessions at once, all let go at the same moment: of one version exactly
# one applies it, of different versions none is lost, and the chain holds.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $db = 'busy';
my $sessions = 12;
my $node = new_node('busy', conf => 'max_prepared_transactions = 2');
install($node, $db);

# Runs SQL, a text for each session, at the same time; returns what each said.
# psql prints errors as SQLSTATE and message.
sub race
{
	my (@sql) = @_;
	my $gate = $node->background_psql($db);
	my (@runs, @out, @err);

	$gate->query_safe('SELECT pg_advisory_lock(1)');
	foreach my $i (0 .. $#sql)
	{
		($out[$i], $err[$i]) = ('', '');
		push @runs, IPC::Run::start([
				'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr($db),
				'-c', 'SELECT FROM pg_advisory_lock_shared(1)',
				'-c', 'SELECT FROM pg_advisory_unlock_shared(1)', '-c', $sql[$i]
			],
			'<', \undef, '>', \$out[$i], '2>', \$err[$i]);
	}
	wait_until($node, $db, "SELECT count(*) = ${\scalar @sql} FROM pg_locks"
		  . " WHERE locktype = 'advisory' AND objid = 1 AND NOT granted");
	$gate->query_safe('SELECT pg_advisory_unlock(1)');
	$_->finish foreach @runs;
	$gate->quit;
	return map { $out[$_] . $err[$_] } 0 .. $#sql;
}

sub locked { return scalar(grep { /ERROR:  MG204: .*DETAIL:  held by process \d+ \(role /s } @_); }

my $slow = "CREATE TABLE %s (i int); INSERT INTO %1\$s SELECT generate_series(1, 20000); CREATE INDEX ON %1\$s (i)";

# One version, patient sessions: one applies it, the others hear so.
{
	my @said = race(map {
			"SET migmgr.apply_wait = '10s'; SELECT status FROM migmgr.apply('001', 'same', '"
			  . sprintf($slow, 't1') . "')"
	} 1 .. $sessions);

	is(scalar(grep { $_ eq "applied\n" } @said), 1, 'one version: one session applies it');
	is(scalar(grep { $_ eq "already applied\n" } @said), $sessions - 1, 'the others hear so')
	  or diag(@said);
}

# One version, sessions that do not wait: they are told who has the lock.
{
	my @said = race(map {
			"SET migmgr.apply_wait = 0; SELECT status FROM migmgr.apply('002', 'same', '"
			  . sprintf($slow, 't2') . "')"
	} 1 .. $sessions);
	my $already = grep { $_ eq "already applied\n" } @said;

	is(scalar(grep { $_ eq "applied\n" } @said), 1, 'not waiting: one session applies it');
	is($already + locked(@said), $sessions - 1, 'not waiting: the others are told by whom')
	  or diag(@said);
}

# The holder is known, and named.
{
	my $holder = $node->background_psql($db);
	my $pid = $holder->query_safe("SET application_name = 'deploy 42'; SELECT pg_backend_pid()");

	$holder->query_safe('BEGIN');
	$holder->query_safe("SELECT status FROM migmgr.apply('003', 'held', 'CREATE TABLE t3 (i int)')");
	my $start = time;
	my $error = error_of($node, $db, "SELECT migmgr.apply('004', 'other', 'CREATE TABLE t4 (i int)')");
	like($error, qr/MG204: another migration is running in this database\nDETAIL:  held by process $pid \(role \S+, application "deploy 42", idle in transaction for \d+ s\)/,
		'the detail names process, role and application');
	cmp_ok(time - $start, '<', 5, 'and the wait for it is bounded');
	like(error_of($node, $db, "SELECT migmgr.rollback('001')"), qr/MG204/, 'a rollback is told the same');
	is($node->safe_psql($db, 'SELECT count(*) FROM migmgr.history'), '2', 'history can be read meanwhile');
	is($node->safe_psql($db, 'VACUUM ANALYZE; SELECT 1'), '1', 'VACUUM does not wait for it');
	$holder->query_safe('SAVEPOINT s');
	$holder->query_safe('ROLLBACK');
	$holder->quit;
	is(apply($node, $db, '004', 'CREATE TABLE t4 (i int)'), 'applied', 'free again');
}

# A failing apply after a good one in one transaction: the attempt is recorded
# at once, though this session holds the ledger and will undo its own entry.
{
	my $session = $node->background_psql($db, on_error_stop => 0);

	$session->query_safe('BEGIN');
	$session->query_safe("SELECT status FROM migmgr.apply('005', 'given up', 'CREATE TABLE t5 (i int)')");
	$session->query_safe('SAVEPOINT s');
	my $start = time;
	$session->query("SELECT migmgr.apply('006', 'bad', 'SELECT nothing')");
	cmp_ok(time - $start, '<', 5, 'a failing apply does not wait for its own transaction');
	wait_until($node, $db, "SELECT count(*) = 1 FROM migmgr.attempts WHERE version = '006'");
	$session->query('ROLLBACK');
	$session->quit;
	is($node->safe_psql($db, "SELECT version, status FROM migmgr.history WHERE version > '004'"),
		'006|failed', 'the attempt stays, what was undone does not');
	is(apply($node, $db, '006', 'CREATE TABLE t6 (i int)'), 'applied', 'and is made good');
}

# Two-phase commit: not with an entry in the ledger, but with DDL.
like(error_of($node, $db, "BEGIN; SELECT migmgr.apply('007', 'x', 'CREATE TABLE t7 (i int)'); PREPARE TRANSACTION 'apply'"),
	qr/MG213/, 'a transaction that applied cannot be prepared');
is(error_of($node, $db, "BEGIN; CREATE TABLE by_hand (i int); PREPARE TRANSACTION 'ddl'"),
	'', 'one with other DDL can');
is(apply($node, $db, '007', 'CREATE TABLE t7 (i int)'), 'applied', 'apply beside a prepared transaction');
is(error_of($node, $db, "COMMIT PREPARED 'ddl'"), '', 'which then commits');
is($node->safe_psql($db, "SELECT count(*) FROM migmgr_internal.ddl_log WHERE object = 'public.by_hand'"),
	'1', 'and has logged its DDL');

# Different versions, a third of them failing: what succeeded is there, what
# failed is an attempt, and each appears once.
{
	my @said = race(map {
			my $sql = sprintf($slow, "d$_") . ($_ % 3 ? '' : '; SELECT nothing');
			"SET migmgr.apply_wait = '10s'; SELECT status FROM migmgr.apply('1.$_', 'different', '$sql',"
			  . q{ options => '{"allow_out_of_order": true, "skip_failed": true}')}
	} 1 .. $sessions);

	is(scalar(grep { $_ eq "applied\n" } @said), $sessions * 2 / 3, 'different versions: all are applied')
	  or diag(@said);
	is(scalar(grep { /42703: migration "1\.\d+" failed at statement 4/ } @said), $sessions / 3,
		'different versions: the bad ones fail by themselves');
	wait_until($node, $db, "SELECT count(*) = $sessions / 3 FROM migmgr.attempts WHERE name = 'different'");
	is($node->safe_psql($db, "SELECT count(*), count(*) FILTER (WHERE status = 'failed'), sum(attempts) FROM migmgr.history"
			  . " WHERE name = 'different'"), join('|', $sessions, $sessions / 3, $sessions), 'history has each once');
	is($node->safe_psql($db, "SELECT count(*) FROM pg_class WHERE relname ~ '^d\\d+\$'"), $sessions * 2 / 3,
		'and the schema what history says');
}

# Appenders that are no migrations wait for each other only for a moment.
{
	my @said = race(map {
			$_ % 2
			  ? "SELECT status FROM migmgr.apply('2.$_', 'mixed', 'CREATE TABLE m$_ (i int)', options => '{\"allow_out_of_order\": true, \"skip_failed\": true}')"
			  : "SELECT 'set' FROM migmgr.set_policy('staging', 'rewriting', CASE WHEN $_ % 4 = 0 THEN 'warn' ELSE 'ask' END)"
	} 1 .. $sessions);

	is(scalar(grep { $_ eq "applied\n" } @said) + locked(@said), $sessions / 2, 'applies beside settings');
	is(scalar(grep { $_ eq "set\n" } @said), $sessions / 2, 'settings beside applies') or diag(@said);
}

# Dumps taken meanwhile see one moment.
{
	my $holder = $node->background_psql($db);
	my $before = records($node, $db);

	$holder->query_safe('BEGIN');
	$holder->query_safe("SELECT status FROM migmgr.apply('9', 'during a dump', 'CREATE TABLE t9 (i int)',"
		  . q{ options => '{"skip_failed": true}')});
	$node->command_ok([ 'pg_dump', '-Fc', '-f', $node->basedir . '/dump', $db ], 'pg_dump beside an apply');
	$holder->query_safe('COMMIT');
	$holder->quit;
	$node->safe_psql('postgres', 'CREATE DATABASE back');
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('back'), $node->basedir . '/dump' ],
		'and restore');
	is(records($node, 'back'), $before, 'has history from before');
}

is($node->safe_psql($db, "SELECT max(seq) = count(*) AND count(DISTINCT prev_hash) = count(*) FROM migmgr.ledger"),
	't', 'the chain has no gap and no fork');
verify_ok($node, $db, 'at the end');

$node->stop;
done_testing();
