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
	return join ' ', map { "$_=" . delete $rest{$_} } grep { exists $rest{$_} } qw(event version what mode flag percent name class action sqlstate letters);
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
	'event=applied version=001 name=first class=additive',
	'event=flag version=001 flag=dark percent=0',
	'event=waiver what=soak',
	'event=flag flag=dark percent=5',
	'event=mode mode=frozen',
	'event=mode mode=normal',
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
is_deeply([ map { line($_) } @events ], [ 'event=applied version=003.1 name=index class=additive', 'event=flag version=003.1 flag=indexed percent=0' ],
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

$node->stop;
done_testing();
