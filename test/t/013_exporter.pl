# The configuration that comes with migmgr, tried: postgres_exporter reads it,
# asks view metrics as a role that is no more than a viewer, and shows the
# figures to who scrapes it.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Cwd 'abs_path';
use HTTP::Tiny;
use IPC::Run;
use JSON::PP;
use MigmgrTest;

my $program = '/usr/bin/prometheus-postgres-exporter';
plan skip_all => 'prometheus-postgres-exporter is not installed' if !-x $program;

my $node = new_node('exporter');
install($node, 'shop');
$node->safe_psql('shop', <<'SQL');
CREATE ROLE monitor LOGIN;
SELECT migmgr.grant_access('monitor', 'viewer');
SELECT migmgr.apply('001', 'first', 'CREATE TABLE t (a integer)');
SELECT migmgr.set_flag('dark', 0, 'a flag'), migmgr.set_flag('dark', 25, 'a quarter');
SELECT migmgr.dlq_add('1', 'export', 'it failed');
SQL

my $folder = abs_path('doc/monitoring');
my $port = PostgreSQL::Test::Cluster::get_free_port();
local $ENV{DATA_SOURCE_NAME} =
  'host=' . $node->host . ' port=' . $node->port . ' user=monitor dbname=shop sslmode=disable';
my $exporter = IPC::Run::start(
	[
		$program, "--web.listen-address=127.0.0.1:$port",
		"--extend.query-path=$folder/migmgr_postgres_exporter.yaml",
		'--disable-default-metrics', '--disable-settings-metrics'
	],
	'>&', "$PostgreSQL::Test::Utils::log_path/exporter.log");

my $page;
sub poll
{
	my ($code, $what) = @_;
	for (1 .. 100)
	{
		return pass($what) if $code->();
		select(undef, undef, undef, 0.1);
	}
	return fail($what);
}
poll(sub {
	my $answer = HTTP::Tiny->new(timeout => 5)->get("http://127.0.0.1:$port/metrics");
	$page = $answer->{content} // '';
	return $answer->{success} && $page =~ /^migmgr_value/m;
}, 'the exporter answers');
IPC::Run::kill_kill($exporter);

# every row of the view is there, with its value
my @rows = split /\n/, $node->safe_psql('shop', <<'SQL');
SELECT concat(name, '|', coalesce((SELECT string_agg(l.value, ' ') FROM jsonb_each_text(labels) AS l), ''), '|', value)
  FROM migmgr.metrics WHERE name <> 'last_change_seconds'
SQL
cmp_ok(scalar(@rows), '>', 20, 'the view has figures');
my @missing = grep {
	my ($name, $object, $value) = split /\|/;
	$page !~ /^migmgr_value\{[^}]*name="\Q$name\E",object="\Q$object\E"[^}]*\} \Q$value\E$/m;
} @rows;
is("@missing", '', 'and the exporter shows all of them');
like($page, qr/name="flag_percent",object="dark"[^}]*\} 25$/m, 'a flag');
like($page, qr/name="dead_letters",object="pending"[^}]*\} 1$/m, 'dead letters');
like($page, qr/name="status",object="ledger"[^}]*\} 0$/m, 'a topic of status');
unlike($page, qr/pg_exporter_last_scrape_error 1/, 'without an error');

# what the dashboard asks for is there, or comes with watches and checks
my $dashboard = decode_json(slurp_file("$folder/migmgr_grafana.json"));
my %known = map { (split /\|/)[0] => 1 } @rows;
$known{$_} = 1 for qw(jobs_running jobs_stale sweep_age_seconds check_failing rollback_advised);
my @asked = map { $_->{targets}[0]{expr} =~ /name="(\w+)"/ ? $1 : $_->{title} } @{ $dashboard->{panels} };
is(join(' ', grep { !$known{$_} } @asked), '', 'the dashboard asks for nothing else');

$node->stop;
done_testing();
