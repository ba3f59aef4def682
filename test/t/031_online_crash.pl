# kill -9 in every phase of a concurrent build, and a restart in the middle of
# a script: calling again goes on where it stopped, with every index valid and
# every statement done once.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $node = new_node('crash', conf => 'restart_after_crash = on');
my $db = 'live';

install($node, $db);
# an index over these holds still while a lock is held: 7 in the build, 8 in
# the validation, which evaluates them for rows that came during the build
$node->safe_psql($db, <<'SQL');
CREATE TABLE done (n int);
CREATE FUNCTION held(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  PERFORM pg_catalog.pg_advisory_lock_shared(CASE WHEN i < 0 THEN 8 ELSE 7 END);
  PERFORM pg_catalog.pg_advisory_unlock_shared(CASE WHEN i < 0 THEN 8 ELSE 7 END);
  RETURN i;
END$$;
SQL

sub sql { return $node->safe_psql($db, @_); }

sub session
{
	my ($sql) = @_;
	my $session = $node->background_psql($db, on_error_stop => 0);

	$session->query_safe($sql);
	return $session;
}

sub wait_phase
{
	my ($phase) = @_;
	wait_until($node, $db, "SELECT count(*) = 1 FROM pg_stat_progress_create_index WHERE phase LIKE '$phase%'");
	return;
}

# Each opens what makes the build stop in its phase, and returns the sessions
# that must stay.
my %phases = (
	'waiting for writers before build' => sub {
		my ($start) = @_;
		my $writer = session('BEGIN; INSERT INTO %t VALUES (1)');
		$start->();
		return $writer;
	},
	'building index' => sub {
		my ($start) = @_;
		my $lock = session('SELECT pg_advisory_lock(7)');
		$start->();
		return $lock;
	},
	'waiting for writers before validation' => sub {
		my ($start) = @_;
		my $lock = session('SELECT pg_advisory_lock(7)');
		$start->();
		wait_phase('building index');
		my $writer = session('BEGIN; INSERT INTO %t VALUES (2)');
		$lock->query_safe('SELECT pg_advisory_unlock(7)');
		return ($lock, $writer);
	},
	'index validation' => sub {
		my ($start) = @_;
		my $lock = session('SELECT pg_advisory_lock(7), pg_advisory_lock(8)');
		$start->();
		wait_phase('building index');
		sql('INSERT INTO %t VALUES (-1)');
		$lock->query_safe('SELECT pg_advisory_unlock(7)');
		return $lock;
	},
	'waiting for old snapshots' => sub {
		my ($start) = @_;
		my $lock = session('SELECT pg_advisory_lock(7)');
		$start->();
		wait_phase('building index');
		my $reader = session('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM done');
		$lock->query_safe('SELECT pg_advisory_unlock(7)');
		return ($lock, $reader);
	},
);

my $version = 10;
foreach my $phase (sort keys %phases)
{
	my $table = "t$version";
	my $text = "\$sql\$INSERT INTO done VALUES ($version);\nCREATE INDEX CONCURRENTLY i$version ON $table (held(i));\nINSERT INTO done VALUES ($version + 100);\$sql\$";

	sql("CREATE TABLE $table (i int); INSERT INTO $table SELECT generate_series(1, 10)");
	no warnings 'redefine';
	my $sql = \&sql;
	local *session = do
	{
		my $old = \&session;
		sub { my ($s) = @_; $s =~ s/%t/$table/; return $old->($s); };
	};
	local *sql = sub { my ($s, @rest) = @_; $s =~ s/%t/$table/; return $sql->($s, @rest); };

	my @sessions = $phases{$phase}->(sub { $sql->("SELECT FROM migmgr.submit('${version}_crash.sql', $text, start => true)") });
	wait_phase($phase);
	my $pid = sql('SELECT pid FROM pg_stat_progress_create_index');
	is(sql("SELECT status FROM migmgr.history WHERE version = '$version'"), 'running', "$phase: running");
	kill_backend($node, $pid);
	eval { $_->quit } foreach @sessions;

	is(sql("SELECT status, done, statements FROM migmgr.pending"), 'partly applied|1|3', "$phase: cut off after the first statement");
	like(sql("SELECT detail FROM migmgr.verify() WHERE check_name = 'online'"), qr/^partly applied: 1 of 3 statements done; its worker was cut off/, "$phase: verify() says so");
	is(sql("SELECT hint FROM migmgr.verify() WHERE check_name = 'online'"), "CALL migmgr.run_pending('$version'); goes on with it; SELECT migmgr.withdraw('$version', 'reason'); takes it back.", "$phase: and how to go on");
	is(error_of($node, $db, "CALL migmgr.run('${version}_crash.sql', $text)"), '', "$phase: calling again goes on");
	is(sql("SELECT string_agg(n::text, ' ' ORDER BY n) FROM done WHERE n % 100 = $version"), "$version " . ($version + 100), "$phase: every statement once");
	is(sql("SELECT c.relname, i.indisvalid AND i.indisready AND i.indislive FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE i.indrelid = '$table'::regclass"),
		"i$version|t", "$phase: one index, and it is done");
	is(sql("SET enable_seqscan = off; SELECT count(*) FROM $table WHERE held(i) IS NOT NULL") , sql("SELECT count(*) FROM $table"), "$phase: with every row in it");
	$version++;
}

# REINDEX leaves copies behind, DROP half an index.
{
	sql("CREATE TABLE r (i int); INSERT INTO r SELECT generate_series(1, 10); CREATE INDEX r_i ON r (held(i)); SELECT migmgr.waive('destructive', 'test')");
	my $text = '$$REINDEX INDEX CONCURRENTLY r_i; DROP INDEX CONCURRENTLY r_i;$$';
	my $reader = session('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM done');

	sql("SELECT FROM migmgr.submit('50_reindex.sql', $text, start => true)");
	wait_phase('waiting for old snapshots');
	kill_backend($node, sql('SELECT pid FROM pg_stat_progress_create_index'));
	eval { $reader->quit };
	is(sql("SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE i.indrelid = 'r'::regclass"),
		'r_i r_i_ccnew', 'REINDEX: a copy is left');

	my $writer = session('BEGIN; INSERT INTO r VALUES (11)');
	sql("CALL migmgr.run_pending('0')");
	my $caller = $node->background_psql($db, on_error_stop => 0);
	$caller->query_until(qr/sent/, "\\echo sent\nCALL migmgr.run_pending();\n");
	wait_until($node, $db, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'migmgr online' AND wait_event_type = 'Lock')");
	$writer->query_safe('COMMIT');
	$writer->quit;
	$caller->query_safe('SELECT 1');
	$caller->quit;
	is(sql("SELECT status FROM migmgr.history WHERE version = '50'"), 'applied', 'REINDEX, DROP: done');
	is(sql("SELECT count(*) FROM pg_index WHERE indrelid = 'r'::regclass"), '0', 'with nothing left');
}

# A restart in the middle of ten statements, and a crash of the whole server.
foreach my $how ('restart', 'crash')
{
	my $base = $how eq 'restart' ? 1000 : 2000;
	my $number = $how eq 'restart' ? '60' : '61';
	my $text = join('', map { $_ == 6 ? "CREATE INDEX CONCURRENTLY ${how}_i ON t10 (i);\n" : "INSERT INTO done VALUES ($base + $_);\n" } (1 .. 10));
	my $writer = session('BEGIN; INSERT INTO t10 VALUES (3)');

	sql("SELECT FROM migmgr.submit('${number}_ten.sql', \$\$$text\$\$, start => true)");
	wait_phase('waiting for writers before build');
	$how eq 'restart' ? $node->restart : crash_and_start($node);
	eval { $writer->quit };
	is(sql('SELECT status, done, statements FROM migmgr.pending'), 'partly applied|5|10', "$how: five of ten are done");
	is(error_of($node, $db, 'CALL migmgr.run_pending()'), '', "$how: run_pending() goes on");
	is(sql("SELECT string_agg((n - $base)::text, ' ' ORDER BY n) FROM done WHERE n > $base AND n < $base + 1000"), '1 2 3 4 5 7 8 9 10', "$how: each once");
	is(sql("SELECT indisvalid FROM pg_index WHERE indexrelid = '${how}_i'::regclass"), 't', "$how: the index is valid");
}

verify_ok($node, $db, 'at the end');
$node->stop;
done_testing();
