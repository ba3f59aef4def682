# What several TAP tests of migmgr need: a cluster with migmgr preloaded, its
# records as text to compare, and the ways of asking that end in one value.
package MigmgrTest;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  new_node install apply session_waiting error_of records verify_fails
  verify_ok state_is crash_and_start
  kill_backend wait_until
);

# A running cluster with migmgr preloaded.  Named parameters: conf is appended
# to postgresql.conf, the rest goes to init().
sub new_node
{
	my ($name, %params) = @_;
	my $conf = delete $params{conf} // '';

	# with minimal WAL a sequence can go back in a crash
	$conf .= "\nwal_level = replica" if !$params{allows_streaming};

	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(extra => [ '--encoding=UTF8', '--no-locale' ], %params);
	$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = 'migmgr'
timezone = 'UTC'
client_min_messages = warning
$conf
CONF
	$node->start;
	return $node;
}

# A database with migmgr in it; options follow CREATE DATABASE.
sub install
{
	my ($node, $db, $options) = @_;

	$node->safe_psql('postgres',
		"CREATE DATABASE $db" . ($options ? " $options" : ''));
	$node->safe_psql($db, 'CREATE EXTENSION migmgr');
	return;
}

# The status that apply() returns; dies if it raises.  more: further arguments.
sub apply
{
	my ($node, $db, $version, $sql, $more) = @_;

	return $node->safe_psql($db,
		"SELECT status FROM migmgr.apply('$version', 'm$version', "
		  . "\$sql\$$sql\$sql\$"
		  . ($more ? ", $more" : '')
		  . ')');
}

# What SQL raises, with its SQLSTATE; '' when it raises nothing.
sub error_of
{
	my ($node, $db, $sql, @psql_params) = @_;
	my ($status, $stdout, $stderr) = $node->psql($db, $sql,
		on_error_stop => 1,
		extra_params => [ '-v', 'VERBOSITY=verbose', @psql_params ]);

	return $status == 0 ? '' : $stderr;
}

# A session that runs SQL and is known to wait for advisory lock 42, which
# another session holds; returns it and its process.
sub session_waiting
{
	my ($node, $db, $sql) = @_;
	my $session = $node->background_psql($db, on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');

	$session->query_until(qr/sent/, "\\echo sent\n$sql;\n");
	wait_until($node, $db,
		"SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $pid"
		  . " AND locktype = 'advisory' AND NOT granted)");
	return ($session, $pid);
}

# The rows of tables, in one order: equal before and after a restore.  Without
# names: all tables of the extension but the log of DDL, which a restore adds
# to, and what ties the ledger to its database.
sub records
{
	my ($node, $db, @tables) = @_;
	my $names = @tables
	  ? join(', ', map { "'$_'::regclass" } @tables)
	  : "SELECT c.oid FROM pg_extension AS x, unnest(x.extconfig) AS e,"
	  . " pg_class AS c WHERE x.extname = 'migmgr' AND c.oid = e"
	  . " AND c.relkind = 'r' AND c.relname NOT IN ('ddl_log', 'home')";

	return $node->safe_psql($db, <<"SQL");
SELECT concat(c.oid::regclass, ': ', r.line)
  FROM pg_class AS c, xmltable('/table/row/t' PASSING query_to_xml(
    format('SELECT t::text AS t FROM %s AS t', c.oid::regclass), false, false, '')
    COLUMNS line text PATH '.') AS r
 WHERE c.oid IN ($names)
 ORDER BY c.oid::regclass::text COLLATE "C",
   CASE WHEN c.relname = 'ledger' THEN substring(r.line FROM '^\\((\\d+),')::bigint END,
   r.line COLLATE "C"
SQL
}

# Polls until SQL is true; dies if it never is.
sub wait_until
{
	my ($node, $db, $sql) = @_;

	$node->poll_query_until($db, $sql) or die "never came true: $sql";
	return;
}

# The failed checks of verify(), one line each.
sub verify_fails
{
	my ($node, $db) = @_;

	return $node->safe_psql($db,
		"SELECT concat_ws(' | ', check_name, object, detail) FROM migmgr.verify()"
		  . " WHERE status = 'failed' AND check_name <> 'verify'");
}

sub verify_ok
{
	my ($node, $db, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is(verify_fails($node, $db), '', "$name: verify() finds nothing");
}

sub state_is
{
	my ($node, $db, $state, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is($node->safe_psql($db, 'SELECT migmgr_internal.ledger_state()'),
		$state, "$name: the ledger is $state");
}

# Kills one backend, and waits until the server, which restarts itself for
# that, is back.
sub kill_backend
{
	my ($node, $pid) = @_;
	my $position = -s $node->logfile;

	kill('KILL', $pid) or die "cannot kill process $pid";
	$node->wait_for_log(qr/reinitializing.*ready to accept connections/s, $position);
	return;
}

# Kills the postmaster and starts the cluster again: not before the last child
# is gone, which holds the shared memory.
sub crash_and_start
{
	my ($node) = @_;
	my $tries = 10 * $PostgreSQL::Test::Utils::timeout_default;
	my ($pid) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;

	$node->kill9;
	until (!kill(0, $pid) && $node->start(fail_ok => 1))
	{
		die "the server does not start again" if --$tries == 0;
		select(undef, undef, undef, 0.1);
	}
	return;
}

1;
