# What listeners on channel migmgr are told: small JSON, the same members first,
# for what was committed, and nothing for what was not.
use strict;
use warnings;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $node = new_node('tell');
install($node, 'shop');

# The events that a script makes while it listens itself, in their order.
sub told
{
	my ($script) = @_;
	my ($out, $err);

	$node->psql('shop', "LISTEN migmgr;\n$script", stdout => \$out, stderr => \$err, on_error_stop => 0);
	return map { decode_json($_) } $out =~ /with payload "(\{.*?\})" received/g;
}

# One event as text, without what differs from run to run.
sub line
{
	my ($event) = @_;
	my %rest = %$event;

	is($rest{database}, 'shop', "$rest{event}: which database");
	is($rest{environment}, 'production', "$rest{event}: which environment");
	return join ' ', map { "$_=" . delete $rest{$_} } grep { exists $rest{$_} } qw(event version what mode flag percent action name class sqlstate letters);
}

my @events = told(<<'SQL');
SELECT FROM migmgr.apply_file('001_first.sql', E'-- migmgr:flag dark\nCREATE TABLE t (a integer);\n-- migmgr:down\nDROP TABLE t;\n');
SELECT migmgr.waive('soak', 'a test');
SELECT migmgr.set_flag('dark', 5, 'some');
SELECT FROM migmgr.set_mode('frozen', 'a test');
SELECT FROM migmgr.set_mode('normal', 'a test');
SELECT FROM migmgr.rollback('001', 'back');
SQL
is_deeply([ map { line($_) } @events ], [
	'event=started version=001 action=apply name=first',
	'event=applied version=001 name=first class=additive',
	'event=flag version=001 flag=dark percent=0',
	'event=waiver what=soak',
	'event=flag flag=dark percent=5',
	'event=mode mode=frozen',
	'event=mode mode=normal',
	'event=started version=001 action=rollback name=first',
	'event=flag version=001 flag=dark percent=0',
	'event=rolled back version=001 name=first class=destructive' ], 'apply, flag, waiver, mode, rollback');

@events = told(<<'SQL');
BEGIN;
SELECT FROM migmgr.apply('002', 'second', 'CREATE TABLE u (a integer)');
SELECT migmgr.waive('destructive', 'a test');
ROLLBACK;
SELECT FROM migmgr.apply('002', 'second', 'CREATE TABLE u (a integer)', dry_run => true);
SELECT FROM migmgr.apply('002', 'second', 'CREATE TABLE u (a integer)', checksum => 'x');
SQL
is(scalar(@events), 0, 'nothing is told of what was undone, tried or refused at the door');

# a failure is told by the worker that records it
@events = told(<<'SQL');
SELECT FROM migmgr.apply('002', 'second', 'CREATE TABLE u (a nonsense)');
DO $$
BEGIN
  FOR i IN 1..500 LOOP
    EXIT WHEN EXISTS (SELECT FROM migmgr.attempts);
    PERFORM pg_sleep(0.01);
    COMMIT;
  END LOOP;
END
$$;
SELECT 1;
SQL
is_deeply([ map { line($_) } @events ], ['event=failed version=002 action=apply sqlstate=42704'], 'a failed apply');
like($events[0]{message}, qr/type "nonsense" does not exist/, 'with its message');

# the start, which others hear while the migration goes on: it waits for a lock
# that we hold, and only then the end comes
sub held
{
	my ($session_sql, $expected, $name) = @_;
	my ($holder, $listener, $session) = map { $node->background_psql('shop', on_error_stop => 0) } 1 .. 3;
	my $out = '';

	$holder->query_safe('SELECT pg_advisory_lock(42)');
	$listener->query_safe('LISTEN migmgr');
	$session->query_until(qr/sent/, "\\echo sent\n$session_sql;\n");
	for (1 .. 200)
	{
		$out .= $listener->query('SELECT pg_sleep(0.02)');
		last if $out =~ /payload/;
	}
	my @events = map { line(decode_json($_)) } $out =~ /with payload "(\{.*?\})" received/g;
	is_deeply(\@events, [ $expected->[0] ], "$name: the start is told while it goes on");
	wait_until($node, 'shop', q(SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted));

	$holder->query_safe('SELECT pg_advisory_unlock(42)');
	$out = '';
	for (1 .. 200)
	{
		$out .= $listener->query('SELECT pg_sleep(0.02)');
		last if $out =~ /payload/;
	}
	@events = map { line(decode_json($_)) } $out =~ /with payload "(\{.*?\})" received/g;
	shift @$expected;
	is_deeply(\@events, $expected, "$name: and then the end");
	$_->quit for $session, $listener, $holder;
}

my $wait = 'SELECT pg_advisory_xact_lock(42)';
held("SELECT FROM migmgr.apply('001.1', 'held', '$wait; CREATE TABLE h (a integer)')",
	[ 'event=started version=001.1 action=apply name=held', 'event=applied version=001.1 name=held class=additive' ], 'apply()');
held("CALL migmgr.run('001.2_held.sql', '$wait;')",
	[ 'event=started version=001.2 action=apply name=held', 'event=applied version=001.2 name=held class=none' ], 'CALL run()');
held("SELECT FROM migmgr.submit('001.3_held.sql', 'CREATE INDEX CONCURRENTLY h_a ON h (a); $wait;', start => true)",
	[ 'event=started version=001.3 action=apply name=held', 'event=applied version=001.3 name=held class=additive' ], 'a worker');

# as policy says: always, or never
@events = told(<<'SQL');
SELECT migmgr.set_policy('production', 'tell_start', 'on');
SELECT FROM migmgr.apply('001.35', 'short', 'CREATE TABLE s (a integer)');
SELECT FROM migmgr.rollback('001.35', 'back');
SELECT migmgr.set_policy('production', 'tell_start', 'off');
CALL migmgr.run('001.4_quiet.sql', 'SELECT 1;');
SELECT migmgr.set_policy('production', 'tell_start', NULL);
SELECT FROM migmgr.apply('001.5', 'fails', 'SELECT 1/0');
SELECT FROM migmgr.apply('001.5', 'quick', 'CREATE TABLE quick (a integer)', options => '{"skip_failed": true}');
SQL
is_deeply([ map { line($_) } grep { $_->{event} ne 'failed' } @events ], [
	'event=started version=001.35 action=apply name=short', 'event=applied version=001.35 name=short class=additive',
	'event=started version=001.35 action=rollback name=short', 'event=rolled back version=001.35 name=short class=destructive',
	'event=applied version=001.4 name=quiet class=none', 'event=started version=001.5 action=apply name=fails',
	'event=started version=001.5 action=apply name=quick', 'event=applied version=001.5 name=quick class=additive' ], 'policy tell_start');

# and what preflight() warns of is told to the caller, where policy wants that
my $warnings;
$node->psql('shop', <<'SQL', stderr => \$warnings);
SELECT migmgr.set_flag('early', 0, 'new'), migmgr.set_flag('early', 50, 'too early');
SELECT FROM migmgr.submit('001.6_early.sql', E'-- migmgr:flag early\nCREATE TABLE early (a integer);');
SELECT migmgr.set_policy('production', 'preflight', 'on');
SELECT FROM migmgr.apply('001.6');
SELECT migmgr.set_policy('production', 'preflight', NULL);
SQL
like($warnings, qr/WARNING:  migration "001\.6": flags: on before their migration: early \(50 %\)\nHINT:  SELECT migmgr\.set_flag\('early', 0,/,
	'apply warns of a flag that is on too early');

# dead letters: at 10, at 100, not each
$node->safe_psql('shop', <<'SQL');
CREATE TABLE jobs (id bigint PRIMARY KEY, status text NOT NULL, last_heartbeat_at timestamptz, started_at timestamptz);
SELECT FROM migmgr.watch('jobs');
SQL
my $stale = sub { return "INSERT INTO jobs SELECT g, 'running', now() - interval '1 hour' FROM generate_series($_[0], $_[1]) AS g; SELECT FROM migmgr.sweep('jobs');\n" };
@events = told($stale->(1, 9) . $stale->(10, 12) . $stale->(13, 60) . $stale->(61, 150) . $stale->(151, 160));
is_deeply([ map { line($_) } @events ], ['event=dead letters growing letters=12', 'event=dead letters growing letters=150'],
	'dead letters are told of by powers of ten');
is($events[0]{job_table}, 'public.jobs', 'with their table');
@events = told($stale->(1000, 2000) =~ s/SELECT FROM migmgr.sweep\('jobs'\)/CALL migmgr.run_sweeps()/r);
is_deeply([ map { line($_) } @events ], ['event=dead letters growing letters=1161'], 'of a procedure that commits, too');

# a rollback is advised once for each failure
$node->safe_psql('shop', <<'SQL');
SELECT FROM migmgr.apply('002', 'second', 'CREATE TABLE u (a integer)');
SELECT FROM migmgr.apply('003', 'third', 'CREATE TABLE v (a integer)');
SELECT migmgr.add_check('empty', 'SELECT count(*) FROM public.v', '0', '{schedule}');
SQL
@events = told(<<'SQL');
SELECT FROM migmgr.run_checks('schedule');
INSERT INTO v VALUES (1);
SELECT FROM migmgr.run_checks('schedule');
SELECT FROM migmgr.run_checks('schedule');
SQL
is_deeply([ map { line($_) } @events ], ['event=rollback advised version=003'], 'a rollback is advised, once');
is($events[0]{call}, q(SELECT * FROM migmgr.rollback('003', 'check empty fails');), 'with the call to make');

# a worker tells as well, and binds flags
@events = told(<<'SQL');
CALL migmgr.run('003.1_index.sql', E'-- migmgr:flag indexed\nCREATE INDEX CONCURRENTLY jobs_status ON jobs (status);\n');
SELECT 1;
SQL
is_deeply([ map { line($_) } @events ], [ 'event=started version=003.1 action=apply name=index', 'event=applied version=003.1 name=index class=additive', 'event=flag version=003.1 flag=indexed percent=0' ],
	'an online migration');

# drift: when there was DDL by hand since the last look, and not again
@events = told(<<'SQL');
SELECT FROM migmgr.run_checks('schedule');
CREATE TABLE by_hand (a integer);
SELECT FROM migmgr.run_checks('schedule');
SELECT FROM migmgr.run_checks('schedule');
SQL
is_deeply([ map { line($_) } @events ], ['event=drift found'], 'drift is found, once');
is($events[0]{call}, 'SELECT * FROM migmgr.drift();', 'with the call that shows it');

# what is too long is left out, and said
@events = told("SELECT FROM migmgr.apply('004', 'fourth', 'CREATE TABLE w (a integer)', note => repeat('x', 9000));");
is($events[0]{name}, 'fourth', 'a long note is not in the way');

# without a worker to be had the start is not told, and nothing else is the worse for it
$node->append_conf('postgresql.conf', 'max_worker_processes = 0');
$node->restart;
@events = told("SELECT FROM migmgr.apply('005', 'alone', 'SELECT 1; CREATE TABLE alone (a integer)');");
is_deeply([ map { line($_) } @events ], ['event=applied version=005 name=alone class=additive'], 'no worker is free');

$node->stop;
done_testing();
