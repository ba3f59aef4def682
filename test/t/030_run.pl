# CALL run(): what it holds while it waits, and for how long others do.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/../perl";
use MigmgrTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('run', conf => 'autovacuum = off');
install($node, 'shop');
$node->safe_psql('shop', <<'SQL');
CREATE TABLE orders (id int);
INSERT INTO orders SELECT generate_series(1, 1000);
CREATE TABLE items (id int);
CREATE TABLE other (id int);
INSERT INTO other SELECT generate_series(1, 1000);
CREATE TABLE longest (ms float);
-- reads until the column is there, and keeps the longest it had to wait
CREATE PROCEDURE read_until(made text) LANGUAGE plpgsql AS $$
DECLARE
  start timestamptz;
  longest interval := '0';
BEGIN
  LOOP
    start := clock_timestamp();
    PERFORM count(*) FROM orders;
    longest := greatest(longest, clock_timestamp() - start);
    COMMIT;
    EXIT WHEN EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'items'::regclass AND attname = made);
    PERFORM pg_sleep(0.002);
  END LOOP;
  INSERT INTO longest VALUES (extract(epoch FROM longest) * 1000);
END
$$;
SQL

# a session that has read a table and stays in its transaction
sub holder
{
	my ($table) = @_;
	my $session = $node->background_psql('shop', on_error_stop => 0);
	$session->query_safe("BEGIN; SELECT count(*) FROM $table");
	return $session;
}

# a session that has been sent SQL and does not answer yet
sub sent
{
	my ($sql) = @_;
	my $session = $node->background_psql('shop', on_error_stop => 0);
	$session->query_until(qr/sent/, "\\echo sent\n$sql;\n");
	return $session;
}

# true once migmgr.progress shows such a row
sub shown
{
	my ($where) = @_;
	wait_until($node, 'shop', "SELECT EXISTS (SELECT FROM migmgr.progress WHERE $where)");
	return;
}

# does something to the process p when it is between two tries
sub between
{
	my ($sql) = @_;
	$node->safe_psql('shop', <<"SQL");
DO \$\$
DECLARE
  p record;
BEGIN
  LOOP
    SELECT * INTO p FROM migmgr.progress WHERE state LIKE 'attempt % comes after %';
    EXIT WHEN FOUND;
    PERFORM pg_stat_clear_snapshot(), pg_sleep(0.001);
  END LOOP;
  $sql;
END
\$\$
SQL
	return;
}

# One budget for both tables: 600 ms of waiting for the first leave 400 ms for
# the second, so that readers of the first never wait for more than 1000 ms.
{
	my $orders = holder('orders');
	my $items = holder('items');
	my $reader = sent("CALL read_until('added')");
	my $run = sent("CALL migmgr.run('001_add.sql',"
		  . " 'ALTER TABLE orders ADD added int; ALTER TABLE items ADD added int',"
		  . " options => '{\"lock_timeout\": \"1000ms\", \"max_retries\": 10}')");

	shown("statement = 1 AND state = 'waits for a lock' AND statement_ms > 600");
	$orders->query_safe('COMMIT');
	shown("state ~ 'attempt 3'");
	$items->query_safe('COMMIT');
	$run->quit;
	wait_until($node, 'shop', 'SELECT count(*) = 1 FROM longest');
	$_->quit foreach ($orders, $items, $reader);

	is( $node->safe_psql('shop',
			"SELECT detail::jsonb ->> 'attempts' FROM migmgr.ledger WHERE version = '001'"),
		3, 'the third attempt succeeds');
	my $longest = $node->safe_psql('shop',
		"SELECT round(l.ms), l.ms < 1000 + 300 FROM longest AS l");
	like($longest, qr/t$/, "no reader waits longer than the budget: $longest ms");
	is( $node->safe_psql('shop',
			"SELECT jsonb_array_length(detail::jsonb -> 'waits') FROM migmgr.ledger WHERE version = '001'"),
		2, 'the ledger says what the first two waited for');
	like(
		$node->safe_psql('shop',
			"SELECT detail::jsonb -> 'waits' ->> 1 FROM migmgr.ledger WHERE version = '001'"),
		qr/^attempt 2: \d+ ms for AccessExclusiveLock on public.items behind process \d+ \(user \S+, application "\S+", idle in transaction, transaction open for \d+ s\)$/,
		'and behind whom');
}

# Between tries nothing is held, so others get on while the call goes on.
{
	my $items = holder('items');
	my $run = sent("CALL migmgr.run('002_more.sql', 'ALTER TABLE items ADD more int',"
		  . " options => '{\"lock_timeout\": \"50ms\", \"max_retries\": 100}')");
	shown("state ~ 'attempt'");

	my $before = $node->safe_psql('shop', 'SELECT started FROM migmgr.progress');
	$node->safe_psql('shop', 'CREATE INDEX CONCURRENTLY other_id ON other (id)');
	is($node->safe_psql('shop', 'SELECT started FROM migmgr.progress'),
		$before, 'a concurrent index build ends while the call waits');

	$node->safe_psql('shop', 'DELETE FROM other');
	my $size = -1;
	foreach (1 .. 100)
	{
		$node->safe_psql('shop', 'VACUUM other');
		$size = $node->safe_psql('shop', "SELECT pg_relation_size('other')");
		last if $size == 0;
	}
	is($size, 0, 'VACUUM removes what was deleted after the call began');

	my $other = error_of($node, 'shop', "CALL migmgr.run('003_x.sql', 'SELECT 1')");
	like($other, qr/MG204: .*another migration is running/, 'a second caller is refused');
	like($other, qr/DETAIL:  held by process \d+/, 'and told by whom');
	like(error_of($node, 'shop', "SELECT migmgr.unprotect('x'); SET lock_timeout = '10ms'; DROP EXTENSION migmgr"),
		qr/55P03|MG108/, 'the extension cannot be dropped meanwhile');

	# cancelled while it waits to try again
	between('PERFORM pg_cancel_backend(p.pid)');
	$run->quit;
	like($run->{stderr}, qr/canceling statement due to user request/, 'Ctrl-C ends it');
	is( $node->safe_psql('shop',
			"SELECT sqlstate, detail ~ 'Attempt \\d+ waited \\d+ ms for AccessExclusiveLock on public.items' FROM migmgr.attempts WHERE version = '002'"),
		'57014|t', 'the attempt is recorded, with what it waited for');
	is($node->safe_psql('shop', "SELECT count(*) FROM pg_locks WHERE locktype = 'object'"), 0, 'no lock is left');
	$items->query_safe('COMMIT');
	$items->quit;
	is( $node->safe_psql('shop', "CALL migmgr.run('002_more.sql', 'ALTER TABLE items ADD more int')") =~ /^002\|more\|applied/,
		1, 'the next call applies it');
}

# A session that ends between two tries takes APPLY with it.
{
	my $items = holder('items');
	my $run = sent("CALL migmgr.run('003_third.sql', 'ALTER TABLE items ADD third int',"
		  . " options => '{\"lock_timeout\": \"50ms\", \"max_retries\": 100}')");
	between('PERFORM pg_terminate_backend(p.pid, 5000)');
	$items->query_safe('COMMIT');
	$items->quit;
	like($node->safe_psql('shop', "CALL migmgr.run('003_third.sql', 'ALTER TABLE items ADD third int')"),
		qr/^003\|third\|applied/, 'after a terminated session the next one applies');
	eval { $run->quit };
}

# Messages for a person in psql.
{
	my $info = sub {
		my ($settings, $version, $sql) = @_;
		my ($status, $stdout, $stderr) = $node->psql('shop',
			"SET client_min_messages = warning; $settings; SELECT status FROM migmgr.apply('$version', 'x', '$sql')");
		return $stderr;
	};
	is($info->('', '010', 'SELECT 1; SELECT 2'), '', 'no messages for others than psql');
	my $text = $info->("SET migmgr.progress_messages = 'on'", '011', "SELECT 1;\n\nSELECT  2");
	like($text, qr/INFO:  migration "011": statement 1 of 2, \d+ ms: SELECT 1\n/, 'on: the first statement');
	like($text, qr/INFO:  migration "011": statement 2 of 2, \d+ ms: SELECT +2$/, 'on: the second');
	is($info->("SET application_name = 'psql'", '012', 'SELECT 1; SELECT 12'), '', 'auto: none in the first second');
	$text = $info->("SET application_name = 'psql'", '013', 'SELECT 1; SELECT pg_sleep(1.05); SELECT 3');
	unlike($text, qr/statement 1 of 3/, 'auto: not what was quick');
	like($text, qr/statement 2 of 3, 1\d\d\d ms: SELECT pg_sleep.*\n.*statement 3 of 3/, 'auto: from then on each');
	is($info->("SET application_name = 'psql'; SET migmgr.progress_messages = off", '014', 'SELECT pg_sleep(1.06)'),
		'', 'off: none');
}

verify_ok($node, 'shop', 'afterwards');
$node->stop;
done_testing();
