# pg_cron runs the sweep: nobody else moves the stale jobs, whoever scheduled
# it; and what it says to those who ask in the wrong place.  In the same minutes
# it runs the checks that watch over what was applied.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $library = `pg_config --pkglibdir`;
chomp $library;
plan skip_all => 'this server has no pg_cron' if !-e "$library/pg_cron.so";

my $node = PostgreSQL::Test::Cluster->new('cron');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = 'pg_cron, migmgr'
cron.database_name = 'jobs'
cron.host = '@{[ $node->host ]}'
timezone = 'UTC'
client_min_messages = warning
CONF
$node->start;
install($node, 'jobs');
install($node, 'elsewhere');

# before CREATE EXTENSION pg_cron, and in the other database
like(error_of($node, 'jobs', q(SELECT FROM migmgr.schedule('sweep', '* * * * *'))),
	qr/MG404.*HINT:  CREATE EXTENSION pg_cron;/s, 'pg_cron is loaded but not created');
my $elsewhere = error_of($node, 'elsewhere', q(SELECT FROM migmgr.schedule('sweep', '*/5 * * * *', seconds => 10)));
like($elsewhere, qr/MG405.*database "jobs"/s, 'pg_cron is in another database');
my ($line) = $elsewhere =~ /(SELECT cron\.schedule_in_database\(.*?\);)/;
ok($line, 'the hint has the line to run there');

$node->safe_psql('jobs', <<'SQL');
SELECT migmgr.set_environment('development');
CREATE EXTENSION pg_cron;
CREATE TABLE qc_jobs (id bigint PRIMARY KEY, status text, started_at timestamptz, last_heartbeat_at timestamptz,
  completed_at timestamptz, error_message text);
CREATE ROLE dba LOGIN;
CREATE ROLE other LOGIN;
SELECT migmgr.grant_access('dba', 'operator'), migmgr.grant_access('other', 'admin');
ALTER TABLE qc_jobs OWNER TO dba;
SELECT FROM migmgr.watch('qc_jobs');
SQL
$node->safe_psql('jobs', $line);
is($node->safe_psql('jobs', 'SELECT jobname, schedule, command, database FROM cron.job'),
	'migmgr_sweep_elsewhere|*/5 * * * *|CALL migmgr.run_sweeps(10)|elsewhere', 'and it works');
is($node->safe_psql('jobs', 'SELECT count(*) FROM migmgr.schedules'), '0', 'a job of another database is none of ours');

# who may not
my @dba = ('-U', 'dba');
like(error_of($node, 'jobs', q(SELECT FROM migmgr.schedule('sweep', '* * * * *')), @dba),
	qr/MG403.*GRANT USAGE ON SCHEMA cron TO dba;/s, 'a role without USAGE is told what to grant');
$node->safe_psql('jobs', 'GRANT USAGE ON SCHEMA cron TO dba, other');

# what pg_cron does not take
my $version = $node->safe_psql('jobs', q(SELECT split_part(extversion, '-', 1)::numeric >= 1.5 FROM pg_extension WHERE extname = 'pg_cron'));
SKIP:
{
	skip 'this pg_cron knows seconds', 1 if $version eq 't';
	like(error_of($node, 'jobs', q(SELECT FROM migmgr.schedule('sweep', '30 seconds')), @dba),
		qr/MG006.*seconds => 55/s, 'intervals of seconds need pg_cron 1.5');
}
like(error_of($node, 'jobs', q(SELECT FROM migmgr.schedule('sweep', 'whenever')), @dba),
	qr/MG006.*"whenever".*five fields/s, 'a schedule that is none');
is($node->safe_psql('jobs', q(SELECT count(*) FROM migmgr.schedules)), '0', 'nothing is scheduled yet');

# the sweep itself: 50 of 80 are stale when the minute comes
$node->safe_psql('jobs', <<'SQL');
INSERT INTO qc_jobs (id, status, started_at, last_heartbeat_at)
SELECT i, 'running', now() - interval '1 hour', CASE WHEN i > 50 THEN now() + interval '1 hour' END FROM generate_series(1, 80) AS i;
SQL
is($node->safe_psql('jobs', q(SELECT task, schedule, command, status FROM migmgr.schedule('sweep', '* * * * *')), extra_params => \@dba),
	'sweep|* * * * *|CALL migmgr.run_sweeps()|scheduled', 'scheduled by the owner of the jobs');
is($node->safe_psql('jobs', q(SELECT task, role, status FROM migmgr.schedules)),
	'sweep|dba|scheduled', 'and everybody who may look sees it');

# runbook 002: error rate above 1 % for 5 minutes, after an apply
$node->safe_psql('jobs', <<'SQL');
SELECT migmgr.apply('001', 'app_log', 'CREATE TABLE app_log (at timestamptz DEFAULT now(), level text)', rollback_sql => 'DROP TABLE app_log');
SELECT migmgr.add_check('error rate', $$SELECT count(*) FILTER (WHERE level = 'error')::numeric / greatest(count(*), 1)
  FROM public.app_log WHERE at > now() - interval '5 minutes'$$, expect => '<= 0.01', run_at => '{schedule}');
INSERT INTO app_log (level) SELECT CASE WHEN g <= 3 THEN 'error' ELSE 'info' END FROM generate_series(1, 100) AS g;
SQL
is($node->safe_psql('jobs', q(SELECT task, schedule, command, status FROM migmgr.schedule('checks', '* * * * *')), extra_params => \@dba),
	q(checks|* * * * *|SELECT * FROM migmgr.run_checks('schedule')|scheduled), 'the checks are scheduled as well');
my $listener = $node->background_psql('jobs');
$listener->query_safe('LISTEN migmgr');
like(error_of($node, 'jobs', q(SELECT FROM migmgr.schedule('sweep', '* * * * *')), '-U', 'other'),
	qr/MG403.*scheduled by role "dba"/s, 'another role cannot schedule it beside');
$node->poll_query_until('jobs', q(SELECT count(*) = 50 FROM qc_jobs WHERE status = 'failed'))
  or die 'pg_cron did not sweep';
is($node->safe_psql('jobs', q(SELECT count(*), count(DISTINCT job_id), min(created_by) FROM migmgr.job_dlq)),
	'50|50|dba', 'exactly the stale ones, each with its letter');
is($node->safe_psql('jobs', q(SELECT count(*) FROM qc_jobs WHERE status = 'running')), '30', 'the others go on');
$node->poll_query_until('jobs', q(SELECT bool_and(last_status = 'succeeded') FROM migmgr.schedules))
  or die 'pg_cron did not record the runs';
is($node->safe_psql('jobs', q(SELECT stale, dead_lettered, errors, role FROM migmgr.sweeps WHERE stale > 0)),
	'50|50|0|dba', 'recorded as one sweep');
is($node->safe_psql('jobs', q(SELECT string_agg(DISTINCT status, ',') FROM migmgr_internal.watch_checks())),
	'ok', 'verify() has nothing to say about it');

is($node->safe_psql('jobs', q(SELECT name, last_status, last_value FROM migmgr.checks)), 'error rate|failed|0.03', 'the check ran, and fails');
is($node->safe_psql('jobs', q(SELECT DISTINCT run_at FROM migmgr_internal.check_result)), 'schedule', 'as a scheduled one');
my ($topic) = split /\n/, $node->safe_psql('jobs', q(SELECT value, state, hint FROM migmgr.status WHERE topic = 'last'));
like($topic, qr/^rollback advised for 001: check error rate fails since .*\|failed\|SELECT \* FROM migmgr\.rollback\('001', 'check error rate fails'\);$/,
	'status advises to go back, with the call');
is($node->safe_psql('jobs', q(SELECT h ->> 'status', h -> 'rollback_advised' ->> 'version' FROM migmgr.health() AS h)), 'failed|001', 'and so does health()');
like($listener->query('SELECT 1'), qr/"event": "rollback advised", "version": "001", "database": "jobs"/, 'and who listens was told');
$listener->quit;
$node->safe_psql('jobs', q(UPDATE app_log SET level = 'info'));

# a table that cannot be swept shows in pg_cron's own log
$node->safe_psql('jobs', 'ALTER TABLE qc_jobs RENAME TO gone');
$node->poll_query_until('jobs', q(SELECT last_status = 'failed' AND message LIKE '%could not sweep%' FROM migmgr.schedules WHERE task = 'sweep'))
  or die 'the run did not fail';
is($node->safe_psql('jobs', q(SELECT check_name, status FROM migmgr_internal.watch_checks() WHERE check_name IN ('watched table', 'sweep schedule') ORDER BY 1)),
	"sweep schedule|warning\nwatched table|failed", 'a renamed table fails the run and the checks');

$node->poll_query_until('jobs', q(SELECT last_status = 'ok' FROM migmgr.checks)) or die 'the checks did not run again';
is($node->safe_psql('jobs', q(SELECT count(*) FROM migmgr.status WHERE value LIKE 'rollback advised%')), '0', 'errors that end are no reason any more');
is($node->safe_psql('jobs', q(SELECT task, status FROM migmgr.unschedule('checks'))), 'checks|not scheduled any more', 'no more checks');

# ended, by a superuser who did not begin it
is($node->safe_psql('jobs', q(SELECT task, status FROM migmgr.unschedule('sweep'))), 'sweep|not scheduled any more', 'unscheduled');
is($node->safe_psql('jobs', q(SELECT count(*) FROM cron.job WHERE jobname = 'migmgr_sweep')), '0', 'pg_cron has forgotten it');
like(error_of($node, 'jobs', q(SELECT FROM migmgr.unschedule('sweep'))), qr/MG404/, 'twice is once too often');
is($node->safe_psql('jobs', q(SELECT string_agg(event, ',' ORDER BY seq) FROM migmgr.ledger WHERE event LIKE '%schedule')),
	'schedule,schedule,unschedule,unschedule', 'both are in the ledger');

$node->stop;
done_testing();
