# A random sequence of applies, failures, trial runs, rollbacks and crashes.
# After each restart: verify() is content, what was acknowledged is there, once.
# At the end: the scripts of history, run on an empty database, give the schema.
#
# SEED=n repeats a sequence, STEPS=n sets its length.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $seed = $ENV{SEED} || time ^ $$;
my $steps = $ENV{STEPS} || 80;
diag("seed $seed");
srand($seed);

my $db = 'random';
my $node = new_node('random', conf => 'restart_after_crash = on');
install($node, $db);

my $options = q(options => '{"skip_failed": true, "allow_out_of_order": true, "lock_timeout": "10min"}');
my %applied;    # version => 1 while it must be there
my %gone;       # version => 1 when it must not be there
my %maybe;      # version => 1 when its client was never told
my @tables;     # applied versions that made a table, in order
my $next = 0;
my %count;

sub pick { return $_[ int(rand(@_)) ]; }

# A script of a new version and its way back; tables are named after versions.
sub script
{
	my ($version) = @_;
	my @parents = grep { $applied{$_} } @tables;
	my $kind = @parents ? pick(qw(table table column index function view data)) : 'table';
	my $parent = @parents ? 't' . pick(@parents) : undef;

	return ("ALTER TABLE $parent ADD c$version int DEFAULT $version", "ALTER TABLE $parent DROP c$version")
	  if $kind eq 'column';
	return ("CREATE INDEX i$version ON $parent (id)", "DROP INDEX i$version") if $kind eq 'index';
	return ("CREATE FUNCTION f$version() RETURNS int LANGUAGE sql AS ''SELECT $version''", "DROP FUNCTION f$version()")
	  if $kind eq 'function';
	return ("CREATE VIEW v$version AS SELECT $version AS n", "DROP VIEW v$version") if $kind eq 'view';
	return ("INSERT INTO $parent (v) VALUES (''$version'')", undef) if $kind eq 'data';
	push @tables, $version;
	return ("CREATE TABLE t$version (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text); INSERT INTO t$version (v) VALUES (''$version'')",
		"DROP TABLE t$version");
}

sub apply_sql
{
	my ($version, $up, $down, $dry_run) = @_;

	return "SELECT status FROM migmgr.apply('$version', 'm$version', '$up', "
	  . ($down ? "rollback_sql => '$down', " : '')
	  . ($dry_run ? 'dry_run => true, ' : '')
	  . "$options)";
}

sub check_all
{
	my ($why) = @_;
	my $fails = verify_fails($node, $db);
	my %found = map { split /\|/ } split /\n/,
	  $node->safe_psql($db, "SELECT version, status FROM migmgr.history WHERE status <> 'failed'");
	my $twice = $node->safe_psql($db, <<'SQL');
SELECT string_agg(version, ' ') FROM (SELECT version, event, lag(event) OVER (PARTITION BY version ORDER BY seq) AS before
  FROM migmgr.ledger WHERE version IS NOT NULL) AS e WHERE event = before
SQL

	foreach my $version (keys %maybe)
	{
		$applied{$version} = 1 if ($found{$version} // '') eq 'applied';
		$gone{$version} = 1 if !$applied{$version};
	}
	%maybe = ();
	my @lost = grep { ($found{$_} // '') ne 'applied' } sort keys %applied;
	my @kept = grep { ($found{$_} // '') eq 'applied' } sort keys %gone;
	$count{checks}++;
	return 1 if $fails eq '' && $twice eq '' && !@lost && !@kept;
	fail("$why: everything is as it was acknowledged");
	diag("seed $seed, verify: $fails; twice: $twice; lost: @lost; not undone: @kept");
	BAIL_OUT("the ledger is wrong after $why");
}

# The steps.  Each leaves %applied and %gone as they must be found.
my %step = (
	apply => sub {
		my $version = ++$next;
		is($node->safe_psql($db, apply_sql($version, script($version))), 'applied', "apply $version");
		$applied{$version} = 1;
	},
	failing => sub {
		my $version = ++$next;
		my ($up, $down) = script($version);
		like(error_of($node, $db, apply_sql($version, "$up; SELECT nothing", $down)),
			qr/42703: migration "$version" failed at statement/, "failing $version");
		$gone{$version} = 1;
	},
	dry_run => sub {
		my $version = ++$next;
		is($node->safe_psql($db, apply_sql($version, script($version), 1)), 'dry run', "trial of $version");
		$gone{$version} = 1;
	},
	rollback => sub {
		my $version = $node->safe_psql($db, "SELECT version FROM migmgr.ledger AS l WHERE event = 'applied'"
			  . " AND detail::jsonb ? 'down' AND NOT EXISTS (SELECT FROM migmgr.ledger AS m WHERE m.version = l.version AND m.seq > l.seq)"
			  . ' ORDER BY seq DESC LIMIT 1');
		return if $version eq '';
		my $error = error_of($node, $db, "SELECT migmgr.rollback('$version', 'random', on_data => 'discard')");
		is($error, '', "rollback $version");
		delete $applied{$version};
		$gone{$version} = 1;
	},
	kill_inside => sub {
		my $version = ++$next;
		my ($up, $down) = script($version);
		my $keeper = $node->background_psql($db);
		$keeper->query_safe('SELECT pg_advisory_lock(42)');
		my ($session, $pid) =
		  session_waiting($node, $db, apply_sql($version, "$up; SELECT pg_advisory_xact_lock(42)", $down));
		kill_backend($node, $pid);
		eval { $_->{run}->kill_kill } foreach ($session, $keeper);
		$gone{$version} = 1;
		check_all("kill -9 inside $version");
	},
	kill_somewhere => sub {
		my $version = ++$next;
		my $session = $node->background_psql($db, on_error_stop => 0);
		my $pid = $session->query_safe('SELECT pg_backend_pid()');
		$session->query_until(qr/sent/, "\\echo sent\n" . apply_sql($version, script($version)) . ";\n\\echo done\n");
		select(undef, undef, undef, rand(0.02));
		kill_backend($node, $pid);
		eval { $session->{run}->finish };
		($session->{stdout} =~ /^applied/m ? $applied{$version} : $maybe{$version}) = 1;
		check_all("kill -9 somewhere in $version");
	},
	immediate => sub {
		$node->stop('immediate');
		$node->start;
		check_all('immediate stop');
	},
	crash => sub {
		crash_and_start($node);
		check_all('kill -9 of the postmaster');
	});
my @weighted = (('apply') x 8, ('failing') x 3, ('dry_run') x 2, ('rollback') x 3,
	qw(kill_inside kill_somewhere kill_somewhere immediate crash));

foreach my $step (1 .. $steps)
{
	my $what = pick(@weighted);
	note("step $step: $what");
	$count{$what}++;
	$step{$what}->();
}
check_all('the last step');
pass("after $steps steps everything is as it was acknowledged");
diag(join(', ', map { "$_ $count{$_}" } sort keys %count));

# The strongest oracle: history replayed is the schema.
my @scripts = split /\x01\n?/, $node->safe_psql($db, <<'SQL');
SELECT string_agg(s.text, E'\x01' ORDER BY l.seq)
  FROM migmgr.ledger AS l JOIN migmgr_internal.script AS s
    ON s.checksum = CASE l.event WHEN 'applied' THEN l.checksum
         ELSE (SELECT a.detail::jsonb ->> 'down' FROM migmgr.ledger AS a WHERE a.seq = (l.detail::jsonb ->> 'undoes')::bigint) END
 WHERE l.event IN ('applied', 'rolled back')
SQL
is(scalar(@scripts), $node->safe_psql($db, "SELECT count(*) FROM migmgr.ledger WHERE event IN ('applied', 'rolled back')"),
	'every entry has its script');
$node->safe_psql('postgres', 'CREATE DATABASE replayed');
$node->safe_psql('replayed', join(";\n", @scripts) . ';') if @scripts;
my %schema;
foreach my $name ($db, 'replayed')
{
	$schema{$name} = join("\n", grep { !/^(--|\\|$|CREATE SCHEMA public)/ }
		  split(/\n/, (PostgreSQL::Test::Utils::run_command([ 'pg_dump', '-s', '-n', 'public', '-d', $node->connstr($name) ]))[0]));
}
cmp_ok(length($schema{$db}), '>', 0, 'there is a schema');
is($schema{replayed}, $schema{$db}, 'history replayed gives the schema');

$node->stop;
done_testing();
