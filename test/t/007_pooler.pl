# Through PgBouncer in transaction mode, where each transaction may get another
# server session: nothing of migmgr stays behind in one.
use strict;
use warnings;
use File::Basename qw(dirname);
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my ($pgbouncer) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin',
  ($ENV{MIGMGR_CACHE} // '/var/cache/migmgr') . '/pgbouncer';
plan skip_all => 'PgBouncer is not installed' if !$pgbouncer;

my $db = 'app';
my $clients = 20;
my $applies = 5;
my $node = new_node('pooled', conf => "migmgr.apply_wait = '10s'");
install($node, $db);
$node->safe_psql($db, <<'SQL');
CREATE TABLE qc_jobs (id bigint PRIMARY KEY, status text, started_at timestamptz, last_heartbeat_at timestamptz,
  completed_at timestamptz, error_message text, organisation_id uuid);
INSERT INTO qc_jobs (id, status, started_at) SELECT i, 'running', now() FROM generate_series(1, 1000) AS i;
SELECT FROM migmgr.watch('qc_jobs');
CREATE ROLE somebody;
SQL

# The pooler: five server sessions for all clients.
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $dir = dirname($node->data_dir);
my $user = $node->safe_psql($db, 'SELECT current_user');
append_to_file("$dir/users", qq("$user" ""\n));
append_to_file("$dir/pgbouncer.ini", <<"INI");
[databases]
* = host=${\$node->host} port=${\$node->port}
[pgbouncer]
listen_addr =
listen_port = $port
unix_socket_dir = ${\$node->host}
auth_type = trust
auth_file = $dir/users
pool_mode = transaction
default_pool_size = 5
max_client_conn = 100
logfile = $dir/pgbouncer.log
INI
my $pooler = IPC::Run::start([ $pgbouncer, '-q', "$dir/pgbouncer.ini" ], '<', \undef, '>', "$dir/pgbouncer.out", '2>&1');
my $through = 'host=' . $node->host . " port=$port dbname=$db user=$user";

# One transaction per call; a lost connection or any error fails the client.
sub pgbench
{
	my ($name, $script, @options) = @_;

	append_to_file("$dir/$name.sql", $script);
	my ($out, $err);
	my $done = IPC::Run::run([ 'pgbench', '-n', '-f', "$dir/$name.sql", @options, $through ],
		'<', \undef, '>', \$out, '2>', \$err);
	ok($done && $out =~ /number of failed transactions: 0/ && $err !~ /error/i, "$name through the pooler")
	  or diag("$out\n$err");
	return;
}

my $tries = 10 * $PostgreSQL::Test::Utils::timeout_default;
until (IPC::Run::run([ 'psql', '-XAtc', 'SELECT 1', $through ], '>', \my $out, '2>', \my $err))
{
	die "the pooler does not answer: $err" if --$tries == 0;
	select(undef, undef, undef, 0.1);
}

# Versions unlike for each client; scripts that set what a session keeps.
pgbench('apply', <<'SQL', '-c', $clients, '-t', $applies, '-j', 2);
SELECT status FROM migmgr.apply(
  concat(:client_id, '.', (SELECT count(*) FROM migmgr.ledger WHERE version LIKE concat(:client_id, '.%'))), 'pooled',
  format('SET work_mem = ''77MB''; SET search_path = pg_temp; SET ROLE somebody; RESET ROLE; SET lock_timeout = 0; CREATE TABLE public.t_%s_%s (i int)',
    :client_id::int, (SELECT count(*) FROM migmgr.ledger WHERE version LIKE concat(:client_id, '.%'))),
  options => '{"allow_out_of_order": true}');
SQL

# Applies in a transaction of several statements, half of them given up.
pgbench('transactions', <<'SQL', '-c', $clients, '-t', 2, '-j', 2);
BEGIN;
SELECT status FROM migmgr.apply(format('x.%s.%s', :client_id::int, EXTRACT(epoch FROM clock_timestamp())), 'given up',
  format('CREATE TABLE u_%s (i int)', :client_id::int), options => '{"allow_out_of_order": true}');
SAVEPOINT s;
SELECT count(*) FROM migmgr.history;
ROLLBACK;
SQL

pgbench('heartbeats', <<'SQL', '-c', $clients, '-t', 100, '-j', 2);
\set id random(1, 1000)
SELECT migmgr.heartbeat('qc_jobs', :id::bigint);
SQL

# Failures leave nothing in a server session either.
my @failing = map {
	IPC::Run::start([ 'psql', '-XAtc', "SELECT migmgr.apply('y$_', 'fails', 'SET work_mem = ''77MB''; SELECT nothing')", $through ],
		'<', \undef, '>', "$dir/out$_", '2>', "$dir/err$_")
} 1 .. 10;
$_->finish foreach @failing;
is(scalar(grep { slurp_file("$dir/err$_") =~ /migration "y$_" failed|before it failed/ } 1 .. 10),
	10, 'failing applies fail with their own error');

pgbench('settings', <<'SQL', '-c', $clients, '-t', 20, '-j', 2);
SELECT 1 / (current_setting('work_mem') = '4MB' AND current_setting('lock_timeout') = '0'
  AND current_setting('search_path') = '"$user", public' AND current_user = session_user)::int;
SQL

is($node->safe_psql($db, "SELECT count(*) FROM migmgr.history WHERE name = 'pooled' AND status = 'applied'"),
	$clients * $applies, 'every apply is in history');
is($node->safe_psql($db, "SELECT count(*) FROM pg_class WHERE relname LIKE 't\\_%' AND relkind = 'r'"),
	$clients * $applies, 'and did its work');
is($node->safe_psql($db, "SELECT count(*) FROM migmgr.ledger WHERE name = 'given up'"),
	'0', 'nothing of those that were given up');
is($node->safe_psql($db, 'SELECT count(*) FROM qc_jobs WHERE last_heartbeat_at IS NOT NULL') > 500 ? 'most' : 'few',
	'most', 'heartbeats arrived');
is($node->safe_psql($db, "SELECT count(*) FROM pg_locks WHERE locktype IN ('object', 'advisory') AND pid <> pg_backend_pid()"),
	'0', 'no lock is left');
verify_ok($node, $db, 'pooled');
cmp_ok($node->safe_psql('postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE datname = '$db' AND backend_type = 'client backend'"),
	'<=', 6, 'it was a pool');

$pooler->signal('TERM');
eval { $pooler->finish };
$node->stop;
done_testing();
