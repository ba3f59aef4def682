# What is queued starts by itself when it can, and says why when it cannot:
# after a restart, when no worker was free, when its role is gone.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

# beside the server's own launcher and migmgr's there is room for two
my $node = new_node('queue', conf => 'max_worker_processes = 4');
my @busy = ('busy1', 'busy2');

foreach my $db ('shop', @busy)
{
	install($node, $db);
	$node->safe_psql($db, 'CREATE TABLE t (i int)');
}

# Sessions that hold up the worker of each other database.
sub take_all_slots
{
	my ($version) = @_;
	my @writers;

	foreach my $db (@busy)
	{
		my $writer = $node->background_psql($db);

		$writer->query_safe('BEGIN; INSERT INTO t VALUES (1)');
		push @writers, $writer;
		$node->safe_psql($db, "SELECT FROM migmgr.submit('${version}_busy.sql', 'CREATE INDEX CONCURRENTLY b$version ON t (i)', start => true)");
		wait_until($node, $db, "SELECT count(*) = 1 FROM pg_stat_progress_create_index WHERE datname = current_database() AND phase LIKE 'waiting%'");
	}
	return @writers;
}

# Queues a migration; the warning that it does not start.
sub submit
{
	my ($version, $before) = @_;
	my (undef, undef, $warning) = $node->psql('shop', ($before // '') . "SELECT FROM migmgr.submit('${version}_index.sql', 'CREATE INDEX CONCURRENTLY i$version ON t (i)', start => true)");

	return $warning;
}

sub status_of
{
	my ($version) = @_;
	return $node->safe_psql('shop', "SELECT status FROM migmgr.history WHERE version = '$version'");
}

my @writers = take_all_slots('1');
like(submit('1'), qr/WARNING:  no background worker is free: ticket \d+ stays queued\nHINT:  It starts when one is\./, 'no worker is free: it says what happens next');
is(status_of('1'), 'queued', 'it is queued');
$_->query_safe('COMMIT') foreach (@writers);
$_->quit foreach (@writers);
wait_until($node, 'shop', "SELECT status = 'applied' FROM migmgr.history WHERE version = '1'");
pass('it starts by itself when one is free');

# a restart: what was running is for people, what was queued starts
@writers = take_all_slots('2');
submit('2');
is(status_of('2'), 'queued', 'another one is queued');
$node->restart;
eval { $_->quit } foreach (@writers);
wait_until($node, 'shop', "SELECT status = 'applied' FROM migmgr.history WHERE version = '2'");
pass('it starts by itself after a restart');
is($node->safe_psql('busy1', "SELECT status FROM migmgr.history WHERE version = '2'"), 'partly applied', 'what was cut off does not');
is(error_of($node, $_, 'CALL migmgr.run_pending()'), '', 'but when it is called again') foreach (@busy);

# unless it is not to
@writers = take_all_slots('3');
submit('3');
$node->append_conf('postgresql.conf', 'migmgr.start_queued = off');
$node->restart;
eval { $_->quit } foreach (@writers);
is($node->safe_psql('shop', "SELECT concat_ws(' ', object, status, detail, hint) FROM migmgr.verify() WHERE check_name = 'online'"),
	"version 3 warning queued: 0 of 1 statements done CALL migmgr.run_pending('3'); goes on with it; SELECT migmgr.withdraw('3', 'reason'); takes it back.",
	'start_queued = off: it stays queued, and verify() says what to call');
is(error_of($node, 'shop', "CALL migmgr.run_pending('3')"), '', 'which does it');
is(status_of('3'), 'applied', 'to the end');

# the role that has asked is dropped while its job waits for the one before it
{
	my $writer = $node->background_psql('shop');

	$node->safe_psql('shop', q(SELECT migmgr.set_environment('development'); CREATE ROLE bob LOGIN; SELECT FROM migmgr.grant_access('bob', 'operator')));
	$writer->query_safe('BEGIN; INSERT INTO t VALUES (1)');
	submit('4');
	wait_until($node, 'shop', "SELECT count(*) = 1 FROM pg_stat_progress_create_index WHERE datname = current_database() AND phase LIKE 'waiting%'");
	is(submit('5', 'SET SESSION AUTHORIZATION bob; '), '', 'one that comes after it, of another role');
	$node->safe_psql('shop', 'SET migmgr.apply_wait = 0; DROP OWNED BY bob; DROP ROLE bob');
	is(status_of('5'), 'queued', 'which is dropped meanwhile');
	$writer->query_safe('COMMIT');
	$writer->quit;
	wait_until($node, 'shop', "SELECT status = 'failed' FROM migmgr.history WHERE version = '5'");
	is($node->safe_psql('shop', "SELECT concat_ws(' ', object, status, detail) FROM migmgr.verify() WHERE check_name = 'online'"),
		'version 5 failed failed: 0 of 1 statements done; it stopped with: role "bob", which has asked for it, does not exist any more', 'verify() says why it does not run');
	is(error_of($node, 'shop', 'CALL migmgr.run_pending()'), '', 'somebody else goes on with it');
	is($node->safe_psql('shop', "SELECT status, applied_by FROM migmgr.history WHERE version = '5'"),
		'applied|' . $node->safe_psql('shop', 'SELECT current_user'), 'in their own name');
	verify_ok($node, 'shop', 'nothing is lost');
}

$node->stop;
done_testing();
