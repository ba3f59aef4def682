# The configuration that comes with migmgr, tried: postgres_exporter reads it,
# asks view metrics as a role that is no more than a viewer, and shows the
# figures to who scrapes it.  Where there is a Prometheus, it does, and each
# panel of the dashboard has its query answered.
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
CREATE TABLE jobs (id bigint PRIMARY KEY, status text, started_at timestamptz, last_heartbeat_at timestamptz);
SELECT FROM migmgr.watch('jobs');
INSERT INTO jobs VALUES (1, 'running', now(), now()), (2, 'running', now() - interval '1 hour', now() - interval '1 hour');
SELECT FROM migmgr.sweep();
SELECT migmgr.add_check('empty', 'SELECT count(*) FROM t', '0', '{schedule}');
INSERT INTO t VALUES (1);
SELECT FROM migmgr.run_checks('schedule');
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

# every row of the view is there, with its value
my @rows = split /\n/, $node->safe_psql('shop', <<'SQL');
SELECT concat(name, '|', coalesce((SELECT string_agg(l.value, ' ') FROM jsonb_each_text(labels) AS l), ''), '|', value)
  FROM migmgr.metrics WHERE name NOT IN ('last_change_seconds', 'sweep_age_seconds')
SQL
cmp_ok(scalar(@rows), '>', 20, 'the view has figures');
my @missing = grep {
	my ($name, $object, $value) = split /\|/;
	$page !~ /^migmgr_value\{[^}]*name="\Q$name\E",object="\Q$object\E"[^}]*\} \Q$value\E$/m;
} @rows;
is("@missing", '', 'and the exporter shows all of them');
like($page, qr/name="flag_percent",object="dark"[^}]*\} 25$/m, 'a flag');
like($page, qr/name="dead_letters",object="pending"[^}]*\} 2$/m, 'dead letters');
like($page, qr/name="status",object="ledger"[^}]*\} 0$/m, 'a topic of status');
unlike($page, qr/pg_exporter_last_scrape_error 1/, 'without an error');

# a Prometheus that scrapes it answers what each panel of the dashboard asks
my $dashboard = decode_json(slurp_file("$folder/migmgr_grafana.json"));
my ($prometheus) = grep { -x } map { "$_/prometheus" } split /:/, $ENV{PATH};
SKIP:
{
	skip 'prometheus is not installed', 3 + @{ $dashboard->{panels} } if !$prometheus;
	my $data = PostgreSQL::Test::Utils::tempdir();
	my $api_port = PostgreSQL::Test::Cluster::get_free_port();
	append_to_file("$data/prometheus.yml", <<"CONF");
scrape_configs:
  - job_name: migmgr
    scrape_interval: 1s
    static_configs: [{targets: ['127.0.0.1:$port']}]
CONF
	my $server = IPC::Run::start(
		[ $prometheus, "--config.file=$data/prometheus.yml", "--storage.tsdb.path=$data/tsdb", "--web.listen-address=127.0.0.1:$api_port" ],
		'>&', "$PostgreSQL::Test::Utils::log_path/prometheus.log");
	my $http = HTTP::Tiny->new(timeout => 5);
	my $api = sub {
		my ($path, %form) = @_;
		my $answer = $http->post_form("http://127.0.0.1:$api_port/api/v1/$path", \%form);
		return $answer->{content} =~ /^\{/ ? decode_json($answer->{content}) : { error => $answer->{content} };
	};
	poll(sub { return scalar @{ $api->('query', query => 'migmgr_value')->{data}{result} // [] } }, 'Prometheus has scraped it');

	foreach my $panel (@{ $dashboard->{panels} })
	{
		my ($target, @more) = @{ $panel->{targets} };
		my $answer = $api->('query', query => $target->{expr} =~ s/\$instance/127.0.0.1:.*/r);
		my @series = @{ $answer->{data}{result} // [] };
		my ($label) = $target->{legendFormat} =~ /\{\{(\w+)\}\}/;

		ok(@more == 0 && @series > 0 && !grep({ defined $label && $_->{metric}{$label} eq '' } @series),
			"panel \"$panel->{title}\" has " . @series . ' series') or diag($answer->{error} // "nothing for $target->{expr}");
	}
	my ($instance) = grep { $_->{name} eq 'instance' } @{ $dashboard->{templating}{list} };
	my ($metric, $label) = $instance->{query} =~ /^label_values\((\w+), (\w+)\)$/;
	my $answer = $http->get("http://127.0.0.1:$api_port/api/v1/label/$label/values?match[]=$metric");
	is_deeply(decode_json($answer->{content})->{data}, ["127.0.0.1:$port"], 'and the variable finds its instance');
	is($api->('query', query => 'migmgr_value{name=')->{status}, 'error', 'a query that is none would show');
	IPC::Run::kill_kill($server);
}
IPC::Run::kill_kill($exporter);

$node->stop;
done_testing();
