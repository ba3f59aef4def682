# A production database with the guard in force, dumped and restored in every
# way there is: history, texts, evidence and job_dlq are equal, and the copy
# says that it is one until somebody resumes it.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $node = new_node('restore');
my $dir = PostgreSQL::Test::Utils::tempdir;
my $connect = "host='" . $node->host . "' port=" . $node->port;

# A schema whose restore runs DDL of every kind on populated tables.
$node->safe_psql('postgres', 'CREATE ROLE dba LOGIN');
install($node, 'live', 'OWNER dba');
$node->safe_psql('live', "SELECT FROM migmgr.grant_access('dba', 'admin')");
my $up = <<'SQL';
CREATE TABLE org (id int PRIMARY KEY, name text UNIQUE CHECK (name <> ''));
CREATE TABLE qc_jobs (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), org int NOT NULL REFERENCES org,
  status text NOT NULL, started_at timestamptz, last_heartbeat_at timestamptz, organisation_id uuid,
  error_message text, completed_at timestamptz);
CREATE INDEX ON qc_jobs (status) WHERE status = 'running';
CREATE FUNCTION upd() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER upd BEFORE UPDATE ON qc_jobs FOR EACH ROW EXECUTE FUNCTION upd();
ALTER TABLE qc_jobs ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON qc_jobs USING (status <> 'secret');
INSERT INTO org SELECT i, 'org ' || i FROM generate_series(1, 50) AS i;
INSERT INTO qc_jobs (org, status) SELECT id, 'running' FROM org;
CREATE MATERIALIZED VIEW load AS SELECT org, count(*) FROM qc_jobs GROUP BY org;
CREATE VIEW busy AS SELECT * FROM qc_jobs WHERE status = 'running';
SQL
$node->safe_psql('live', <<"SQL", connstr => $node->connstr('live') . ' user=dba');
SELECT migmgr.apply('001', 'schema', \$s\$$up\$s\$, note => E'caf\\u00e9 \\\\ tab\\t');
SELECT migmgr.apply('002', 'gone', 'CREATE TABLE gone (i int)', rollback_sql => 'DROP TABLE gone');
INSERT INTO gone VALUES (1), (2), (3);
SELECT migmgr.rollback('002', 'not needed', on_data => 'archive');
SELECT FROM migmgr.watch('qc_jobs');
SELECT FROM migmgr.sweep(now_at => now() + interval '1 day', dry_run => true);
CREATE TABLE by_hand (i int);
ALTER TABLE by_hand ADD j int;
SQL
$node->safe_psql('live', <<'SQL');
INSERT INTO migmgr.job_dlq (job_id, job_type, payload, failure_reason)
SELECT id::text, 'qc', jsonb_build_object('org', org), E'it\tdied' FROM qc_jobs LIMIT 20;
SELECT migmgr.set_environment('staging');
SELECT migmgr.set_policy('production', 'rewriting', 'deny');
SQL
error_of($node, 'live', "SELECT migmgr.apply('003', 'broken', 'CREATE TABLE x (i int); SELECT nothing')",
	'-U', 'dba');
wait_until($node, 'live', 'SELECT count(*) = 1 FROM migmgr.attempts');
verify_ok($node, 'live', 'before the dump');

my $records = records($node, 'live');
my $ddl_log = records($node, 'live', 'migmgr_internal.ddl_log');
like($ddl_log, qr/by_hand/, 'DDL outside of migrations is in the dump');

sub dump_live
{
	my ($file, @options) = @_;

	$node->command_ok([ 'pg_dump', '-f', "$dir/$file", @options, 'live' ],
		"pg_dump @options");
	return;
}

# All that has to be true of a restored database, and of its first steps.
sub check_restored
{
	my ($db, $name) = @_;
	my %log = map { $_ => 1 }
	  split(/\n/, records($node, $db, 'migmgr_internal.ddl_log'));

	is(records($node, $db), $records, "$name: the records are equal");
	is(join("\n", grep { !$log{$_} } split(/\n/, $ddl_log)),
		'', "$name: the log of DDL is there");
	is($node->safe_psql($db, 'SELECT count(*) FROM load'),
		'50', "$name: the data is there");
	state_is($node, $db, 'restored', $name);
	like(verify_fails($node, $db), qr/\Ahome \|[^\n]*restored[^\n]*\Z/,
		"$name: verify() fails for that, and nothing else");
	like(error_of($node, $db, "SELECT migmgr.apply('003', 'x', 'CREATE TABLE x (i int)')"),
		qr/MG303/, "$name: no apply before resume()");
	is(error_of($node, $db, 'CREATE TABLE before_resume (i int); DROP TABLE before_resume'),
		'', "$name: the guard only observes");
	is($node->safe_psql($db,
			'SELECT count(*) FROM migmgr_internal.ddl_log'
			  . " WHERE object = 'public.before_resume' AND command IN ('CREATE TABLE', 'DROP TABLE')"),
		'2', "$name: but it logs");

	like($node->safe_psql($db, "SELECT migmgr.resume('test of $name')"),
		qr/resumed/, "$name: resumed");
	verify_ok($node, $db, "$name, resumed");
	is($node->safe_psql($db, 'SELECT object, rows, state FROM migmgr.archives'),
		'public.gone|3|kept', "$name: what a rollback has kept is there");
	like(error_of($node, $db, "DO \$\$BEGIN EXECUTE (SELECT format('DROP SCHEMA %I CASCADE', archive)"
				. " FROM migmgr.archives); END\$\$"),
		qr/MG108/, "$name: and protected");
	state_is($node, $db, 'in force', $name);
	is($node->safe_psql($db, 'SELECT migmgr.environment()'),
		'production', "$name: and in production again");
	like(error_of($node, $db, 'DROP TABLE by_hand'), qr/MG101/, "$name: the guard refuses");
	is(apply($node, $db, '003', 'CREATE TABLE x (i int)'), 'applied', "$name: apply goes on");
	error_of($node, $db, "SELECT migmgr.apply('004', 'broken', 'SELECT nothing')");
	wait_until($node, $db, 'SELECT count(*) = 2 FROM migmgr.attempts');
	like($node->safe_psql($db, 'SELECT status FROM migmgr.history ORDER BY version'),
		qr/\Aapplied\nrolled back\napplied\nfailed\Z/, "$name: one history");
	verify_ok($node, $db, "$name, at the end");
	return;
}

sub restore_check_drop
{
	my ($name, @command) = @_;

	$node->safe_psql('postgres', 'CREATE DATABASE back OWNER dba');
	$node->command_ok(\@command, "restore, $name");
	check_restored('back', $name);
	$node->safe_psql('postgres', 'DROP DATABASE back');
	return;
}

my @psql = ('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', "$connect dbname=back");
my @pg_restore = ('pg_restore', '--exit-on-error', '-d', "$connect dbname=back");

dump_live('plain', '-Fp');
restore_check_drop('plain', @psql, '-f', "$dir/plain");
restore_check_drop('plain, single transaction', @psql, '-1', '-f', "$dir/plain");

dump_live('inserts', '-Fp', '--inserts');
restore_check_drop('plain with inserts', @psql, '-f', "$dir/inserts");

dump_live('custom', '-Fc');
restore_check_drop('custom', @pg_restore, "$dir/custom");
restore_check_drop('custom, single transaction', @pg_restore, '--single-transaction', "$dir/custom");
restore_check_drop('custom, jobs', @pg_restore, '--jobs=4', "$dir/custom");

dump_live('directory', '-Fd', '--jobs=4');
restore_check_drop('directory, jobs', @pg_restore, '--jobs=4', "$dir/directory");

dump_live('owner', '-Fc', '-U', 'dba');
restore_check_drop('dumped by the owner', @pg_restore, "$dir/owner");

# In two steps: an empty ledger first, then its rows.
$node->safe_psql('postgres', 'CREATE DATABASE back OWNER dba');
$node->command_ok([ @pg_restore, '--schema-only', "$dir/custom" ], 'restore of the schema only');
state_is($node, 'back', 'new', 'schema only');
verify_ok($node, 'back', 'schema only');
$node->command_ok([ @pg_restore, '--data-only', "$dir/custom" ], 'restore of the data only');
$node->safe_psql('back', 'REFRESH MATERIALIZED VIEW load');
check_restored('back', 'schema, then data');
$node->safe_psql('postgres', 'DROP DATABASE back');

# A schema without its data is a beginning.
$node->safe_psql('postgres', 'CREATE DATABASE back');
$node->command_ok([ @pg_restore, '--schema-only', "$dir/custom" ], 'restore of the schema only, to stay');
is(apply($node, 'back', '010', 'CREATE TABLE x (i int)'), 'applied', 'schema only: apply begins');
state_is($node, 'back', 'in force', 'schema only');

# Where a ledger is in force, no other gets in; job_dlq is no evidence.
my @evidence = ('migmgr.ledger', map { "migmgr_internal.$_" } qw(script statement object attempt));
my $before = records($node, 'back', @evidence);
ok(!$node->run_log([ @psql, '-f', "$dir/plain" ]), 'a dump does not get into a database with a ledger in force');
ok(!$node->run_log([ 'pg_restore', '--data-only', '--disable-triggers', '-d', "$connect dbname=back", "$dir/custom" ]),
	'nor its data without triggers');
is(records($node, 'back', @evidence), $before, 'no row of it got in');
verify_ok($node, 'back', 'after these tries');
$node->safe_psql('postgres', 'DROP DATABASE back');

# A dump with a changed row is refused at that row.
(my $tampered = slurp_file("$dir/plain")) =~ s/^(\d+\t[^\n]*\tapplied\t001\t)schema\t/$1schemb\t/m
  or die 'no such row in the dump';
append_to_file("$dir/tampered", $tampered);
$node->safe_psql('postgres', 'CREATE DATABASE back');
like(error_of($node, 'back', "\\i $dir/tampered"),
	qr/MG302: cannot restore ledger entry \d+: it does not continue the chain/, 'a tampered dump');
is($node->safe_psql('back', 'SELECT count(*) FROM migmgr.ledger'), '0', 'a tampered dump: no row of it');
$node->safe_psql('postgres', 'DROP DATABASE back');

# --clean into the live database: only in a session that has said why.
dump_live('clean', '-Fp', '--clean', '--if-exists');
like(error_of($node, 'live', "\\i $dir/clean", '-1'), qr/MG108: [^\n]*migmgr/, '--clean into the live database is refused');
is(records($node, 'live'), $records, '--clean refused: the ledger is untouched');
verify_ok($node, 'live', '--clean refused');
is(error_of($node, 'live', "SET client_min_messages = error;\n"
		  . "SELECT FROM migmgr.unprotect('restore into the live database', '10 minutes');\n\\i $dir/clean"),
	'', '--clean works where unprotect() was called');
check_restored('live', '--clean');

$node->stop;

# Two servers set up alike give their objects the same numbers; the copy is
# still none of the ledger's home.
my $home = "SELECT d.oid, 'migmgr.ledger'::regclass::oid FROM pg_database AS d WHERE d.datname = 'app'";
my @twins = map { new_node($_) } ('first', 'second');
install($twins[0], 'app');
is(apply($twins[0], 'app', $_, "CREATE TABLE t$_ (i int)"), 'applied', "first server: $_") foreach 1 .. 3;
$twins[0]->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/twin", 'app' ], 'first server: pg_dump');
$twins[1]->safe_psql('postgres', 'CREATE DATABASE app');
$twins[1]->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'app', "$dir/twin" ], 'second server: restore');
is($twins[1]->safe_psql('app', $home), $twins[0]->safe_psql('app', $home), 'second server: equal numbers');
state_is($twins[1], 'app', 'restored', 'second server');
like($twins[1]->safe_psql('app', "SELECT migmgr.resume('moved to the second server')"), qr/resumed/, 'second server: resumed');
verify_ok($twins[1], 'app', 'second server');
$_->stop foreach @twins;

done_testing();
