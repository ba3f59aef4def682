# What a guard must not break: each of these has broken one elsewhere.
# Preloaded, in production, ledger in force, every relation large.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $node = new_node('traps', conf => 'migmgr.small_relation = 0');
my $version = $node->safe_psql('postgres', 'SHOW server_version_num');
my $dir = PostgreSQL::Test::Utils::tempdir;

sub sql { return $node->safe_psql('live', @_); }

sub passes
{
	my ($sql, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is(error_of($node, 'live', $sql), '', $name);
}

sub refused
{
	my ($sql, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return like(error_of($node, 'live', $sql), $pattern, $name);
}

sub logged
{
	return sql('SELECT DISTINCT command FROM migmgr.ddl_log ORDER BY 1');
}

$node->safe_psql('postgres', 'CREATE ROLE app LOGIN');
install($node, 'live');
sql(<<'SQL');
SELECT migmgr.set_environment('production');
GRANT CREATE ON SCHEMA public TO app;
CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL);
INSERT INTO t SELECT i, i FROM generate_series(1, 1000) AS i;
SQL
sql("SET ROLE app; CREATE TABLE theirs (i int); INSERT INTO theirs VALUES (1), (2)");
is(sql('SELECT migmgr_internal.ledger_state()'), 'in force', 'the ledger is in force');

# 1 Statements that must be the first of their transaction, or commit by
# themselves: for a superuser, and for one who has no rights on migmgr.
foreach my $who ('SET ROLE app', 'RESET ROLE')
{
	my $table = $who eq 'RESET ROLE' ? 't' : 'theirs';
	my $column = $who eq 'RESET ROLE' ? 'v' : 'i';

	passes("$who; CREATE INDEX CONCURRENTLY c ON $table ($column)", "1 CREATE INDEX CONCURRENTLY, $who");
	passes("$who; CREATE INDEX CONCURRENTLY IF NOT EXISTS c ON $table ($column)", "1 once more, $who");
	passes("$who; REINDEX INDEX CONCURRENTLY c", "1 REINDEX CONCURRENTLY, $who");
	refused("$who; DROP INDEX CONCURRENTLY c", qr/MG101/, "1 DROP INDEX CONCURRENTLY refused, $who");
	is(sql("SELECT indisvalid AND indisready AND indislive FROM pg_index WHERE indexrelid = 'c'::regclass"), 't', '1 the index is as it was');
	sql("SELECT migmgr.set_policy('production', 'destructive', 'warn')");
	passes("$who; DROP INDEX CONCURRENTLY c", "1 DROP INDEX CONCURRENTLY let pass, $who");
	sql("SELECT migmgr.set_policy('production', 'destructive', NULL)");
	is(sql("SELECT to_regclass('c') IS NULL"), 't', '1 the index is gone');
	is(sql("SELECT string_agg(concat_ws(' ', command, object, action), ', ' ORDER BY id) FROM (SELECT * FROM migmgr.ddl_log WHERE command LIKE '%INDEX' ORDER BY id DESC LIMIT 3) AS l"),
		'CREATE INDEX public.c allow, REINDEX public.c allow, DROP INDEX public.c warn', "1 all three are recorded, $who");
}
sql("INSERT INTO t VALUES (-1, '1')");
refused('CREATE UNIQUE INDEX CONCURRENTLY u ON t (v)', qr/MG104/, '1 what policy refuses');
sql("SELECT migmgr.set_policy('production', 'restrictive', 'allow')");
refused('CREATE UNIQUE INDEX CONCURRENTLY u ON t (v)', qr/23505/, '1 a build that fails, fails by itself');
like(sql("SELECT hint FROM migmgr.verify() WHERE check_name = 'indexes' AND object = 'public.u'"), qr/DROP|REINDEX/, '1 verify() names what it left');
sql("SELECT migmgr.set_policy('production', 'destructive', 'allow'); ");
sql('DROP INDEX CONCURRENTLY u');
sql("SELECT migmgr.set_policy('production', 'destructive', NULL); SELECT migmgr.set_policy('production', 'restrictive', NULL)");
sql(<<'SQL');
CREATE TABLE parted (i int) PARTITION BY RANGE (i);
CREATE TABLE part1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
INSERT INTO parted VALUES (1);
SELECT migmgr.set_policy('production', 'destructive', 'allow');
SQL
passes('ALTER TABLE parted DETACH PARTITION part1 CONCURRENTLY', '1 DETACH PARTITION CONCURRENTLY');
sql("SELECT migmgr.set_policy('production', 'destructive', NULL)");

# A log that cannot be written costs a warning, not an index.
$node->safe_psql('live', "SELECT migmgr.unprotect('trap'); ALTER TABLE migmgr_internal.ddl_log ADD CONSTRAINT never CHECK (command <> 'CREATE INDEX') NOT VALID");
my (undef, undef, $warning) = $node->psql('live', 'CREATE INDEX CONCURRENTLY c2 ON t (v)');
like($warning, qr/WARNING:  migmgr could not write to its DDL log/, '1 a failing log is a warning');
is(sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'c2'::regclass"), 't', '1 and the index is valid');
$node->safe_psql('live', "SELECT migmgr.unprotect('trap'); ALTER TABLE migmgr_internal.ddl_log DROP CONSTRAINT never");

# 2 temporary tables underneath
sql('BEGIN; CREATE MATERIALIZED VIEW mv AS SELECT id, v FROM t; CREATE UNIQUE INDEX mv_id ON mv (id); COMMIT');
passes('REFRESH MATERIALIZED VIEW CONCURRENTLY mv', '2 REFRESH MATERIALIZED VIEW CONCURRENTLY');
refused('REFRESH MATERIALIZED VIEW mv', qr/MG103/, '2 without CONCURRENTLY it blocks');

# 3 extension scripts, with drops in them
SKIP:
{
	my %there = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', 'SELECT name FROM pg_available_extensions');

	foreach my $extension (qw(hstore pg_trgm pgcrypto btree_gist pageinspect))
	{
		skip "no $extension", 3 if !$there{$extension};
		my ($from) = split /\n/, $node->safe_psql('postgres', "SELECT source FROM pg_extension_update_paths('$extension')"
			. " WHERE path LIKE '%--%' AND source IN (SELECT version FROM pg_available_extension_versions WHERE name = '$extension') ORDER BY source LIMIT 1");
		passes("CREATE EXTENSION $extension" . ($from ? " VERSION '$from'" : ''), "3 CREATE EXTENSION $extension");
		passes("ALTER EXTENSION $extension UPDATE", "3 ALTER EXTENSION $extension UPDATE");
		refused("DROP EXTENSION $extension", qr/MG101/, "3 DROP EXTENSION $extension is judged");
	}
}

# 4 what is not there
passes("DROP $_", "4 DROP $_") foreach ('TABLE IF EXISTS nothing', 'TABLE IF EXISTS noschema.nothing', 'INDEX IF EXISTS nothing', 'VIEW IF EXISTS nothing',
	'FUNCTION IF EXISTS nothing(int)', 'TYPE IF EXISTS nothing', 'SCHEMA IF EXISTS nothing', 'EXTENSION IF EXISTS nothing', 'POLICY IF EXISTS nothing ON t',
	'TRIGGER IF EXISTS nothing ON t', 'TRIGGER IF EXISTS nothing ON nothing', 'EVENT TRIGGER IF EXISTS nothing', 'MATERIALIZED VIEW IF EXISTS nothing', 'SEQUENCE IF EXISTS nothing');
passes($_, "4 $_") foreach ('ALTER TABLE IF EXISTS nothing DROP COLUMN x', 'ALTER TABLE t DROP COLUMN IF EXISTS nothing', 'ALTER TABLE t DROP CONSTRAINT IF EXISTS nothing',
	'CREATE TABLE IF NOT EXISTS t (i int)', 'DROP DATABASE IF EXISTS nothing', 'DROP ROLE IF EXISTS nothing');
refused('DROP TABLE nothing', qr/42P01/, '4 the server says so itself');

# 5 sql_drop for what is no drop (18: DROP NOT NULL, NOT ENFORCED)
passes('ALTER TABLE t ALTER v DROP NOT NULL', '5 DROP NOT NULL');
passes('ALTER TABLE t ALTER v SET DEFAULT 1; ALTER TABLE t ALTER v SET DEFAULT 2', '5 SET DEFAULT twice');
passes('CREATE TABLE ident (i int NOT NULL); ALTER TABLE ident ALTER i ADD GENERATED ALWAYS AS IDENTITY; ALTER TABLE ident ALTER i SET GENERATED BY DEFAULT', '5 identity');
passes('CREATE TABLE fk (i int REFERENCES t NOT ENFORCED); ALTER TABLE fk ALTER CONSTRAINT fk_i_fkey NOT ENFORCED', '5 NOT ENFORCED') if $version >= 180000;

# 6 partition maintenance
sql(<<'SQL');
CREATE ROLE partman LOGIN;
CREATE SCHEMA retention AUTHORIZATION partman;
SELECT migmgr.set_policy('production', 'destructive', 'allow', for_role => 'partman', in_schema => 'retention');
SQL
passes('SET ROLE partman; CREATE TABLE retention.p (i int) PARTITION BY RANGE (i); CREATE TABLE retention.p1 PARTITION OF retention.p FOR VALUES FROM (0) TO (10);'
	  . ' INSERT INTO retention.p VALUES (1)', '6 a partition');
passes('SET ROLE partman; ALTER TABLE retention.p DETACH PARTITION retention.p1; DROP TABLE retention.p1', '6 retention by the exempted role in its schema');
sql('SET ROLE partman; CREATE TABLE retention.p2 (i int); INSERT INTO retention.p2 VALUES (1)');
refused('DROP TABLE retention.p2', qr/MG101/, '6 nobody else may');
sql('GRANT CREATE ON SCHEMA public TO partman; SET ROLE partman; CREATE TABLE elsewhere (i int); INSERT INTO elsewhere VALUES (1)');
refused('SET ROLE partman; DROP TABLE elsewhere', qr/MG101/, '6 nor he elsewhere');

# 7 rewrites that table_rewrite does not see are judged as they are
refused($_, qr/MG102/, "7 $_") foreach ('VACUUM FULL t', 'CLUSTER t USING t_pkey', 'ALTER TABLE t SET UNLOGGED', 'ALTER TABLE t ALTER id TYPE bigint');

# 8 drops are judged before they are gone
refused('DROP TABLE t CASCADE', qr/MG101.*public\.t/s, '8 names what would be lost');

# 9 is 004_logical.pl: replica mode, and the apply worker

# 10 an error ends the statement, not the session
is(sql("BEGIN; SAVEPOINT s;\nDO \$\$BEGIN DROP TABLE t; EXCEPTION WHEN SQLSTATE 'MG101' THEN CREATE TABLE instead (i int); END\$\$; COMMIT;\nSELECT to_regclass('instead')"),
	'instead', '10 a refusal is caught like any error');
is(sql("SELECT count(*) FROM migmgr.ddl_log WHERE object = 'public.instead'"), 1, '10 what came instead is recorded once');
is(sql("SELECT count(*) FROM migmgr.ddl_log WHERE object = 'public.t' AND command = 'DROP TABLE'"), 0, '10 what was refused is not');

# 13 and what it does not look at: temporary things
my $rows = sql('SELECT count(*) FROM migmgr.ddl_log');
passes($_, "13 $_") foreach ('CREATE TEMP TABLE a (i int) ON COMMIT DROP', 'BEGIN; CREATE TEMP TABLE a (i int) ON COMMIT DROP; INSERT INTO a VALUES (1); COMMIT',
	'BEGIN; CREATE TEMP TABLE a (i int) ON COMMIT DELETE ROWS; COMMIT', 'CREATE TEMP TABLE a (i serial UNIQUE, v text); DISCARD TEMP',
	'CREATE TEMP TABLE a (i int); INSERT INTO a VALUES (1); DISCARD ALL', 'CREATE TEMP TABLE a AS SELECT 1 AS i; ALTER TABLE a ADD v text; ALTER TABLE a ALTER i TYPE bigint; DROP TABLE a',
	'SELECT 1 AS i INTO TEMP a; TRUNCATE a; CREATE INDEX ON a (i); CLUSTER a USING a_i_idx; VACUUM FULL a; REINDEX TABLE a; DROP TABLE a',
	'CREATE TEMP VIEW a AS SELECT * FROM t; DROP VIEW a', 'CREATE TEMP SEQUENCE a; ALTER SEQUENCE a RESTART; DROP SEQUENCE a',
	'CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS \'SELECT 1\'; DROP FUNCTION pg_temp.f()');
is(sql('SELECT count(*) FROM migmgr.ddl_log'), $rows, '13 none of it is recorded')
  or diag(sql('SELECT command, object, sql FROM migmgr.ddl_log ORDER BY id DESC LIMIT 3'));

# pg_restore --clean of an ordinary database: where migmgr is not in force it
# is nobody's business, where it is, it is refused.
$node->safe_psql('postgres', 'CREATE DATABASE plain');
$node->safe_psql('plain', 'CREATE TABLE a (i int PRIMARY KEY); INSERT INTO a VALUES (1); CREATE VIEW b AS SELECT * FROM a; CREATE INDEX ON a (i)');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/plain", '-d', $node->connstr('plain') ], 'dump of an ordinary database');
$node->command_ok([ 'pg_restore', '--clean', '--if-exists', '-d', $node->connstr('plain'), "$dir/plain" ], 'pg_restore --clean over it');
install($node, 'fresh');
$node->command_ok([ 'pg_restore', '--clean', '--if-exists', '-d', $node->connstr('fresh'), "$dir/plain" ], 'pg_restore --clean into a new database with migmgr');
$node->command_ok([ 'pg_restore', '--clean', '--if-exists', '--no-owner', '-j', '2', '-d', $node->connstr('plain'), "$dir/plain" ], 'pg_restore --clean in parallel');
$node->safe_psql('fresh', "SELECT migmgr.set_environment('production')");
$node->command_fails([ 'pg_restore', '--clean', '--if-exists', '--exit-on-error', '-d', $node->connstr('fresh'), "$dir/plain" ], 'where it is in force it is refused');
is($node->safe_psql('fresh', 'SELECT * FROM b'), 1, 'and nothing is gone');

# The recovery hatch: single-user mode is left alone.
$node->stop;
my ($out, $err);
my $input = "DROP TABLE instead\nTRUNCATE migmgr.job_dlq\n";
IPC::Run::run([ 'postgres', '--single', '-D', $node->data_dir, 'live' ], '<', \$input, '>', \$out, '2>', \$err);
unlike($err, qr/ERROR.*(migmgr|production)/, 'single-user mode: nobody in the way of DROP TABLE');
$node->start;
is(sql("SELECT to_regclass('instead') IS NULL"), 't', 'single-user mode: done');
verify_ok($node, 'live', 'at the end');

$node->stop;
done_testing();
