# The ways around an event-trigger guard, on a server that preloads migmgr:
# B1 to B30 of doc/bypasses.md, by their numbers.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $node = new_node('bypass', conf => <<'CONF');
migmgr.small_relation = 0
migmgr.protected_databases = 'live, "Second One"'
log_min_messages = log
CONF
my $version = $node->safe_psql('postgres', 'SHOW server_version_num');

sub sql { return $node->safe_psql('live', @_); }

sub refused
{
	my ($sql, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return like(error_of($node, 'live', $sql), $pattern, $name);
}

sub passes
{
	my ($sql, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is(error_of($node, 'live', $sql), '', $name);
}

# Rows of verify() about ways around the guard.
sub doors
{
	return sql("SELECT concat_ws(' | ', object, status, detail) FROM migmgr.verify()"
		  . " WHERE check_name IN ('bypass', 'guard') AND status <> 'ok'");
}

sub last_log
{
	return sql("SELECT concat_ws('|', command, object, class, rule, action) FROM migmgr.ddl_log ORDER BY id DESC LIMIT 1");
}

$node->safe_psql('postgres', 'CREATE ROLE app LOGIN; CREATE ROLE other');
install($node, 'live');
sql("SELECT migmgr.set_environment('production')");
sql(<<'SQL');
CREATE SCHEMA app AUTHORIZATION app;
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE INDEX CONCURRENTLY t_v ON t (v);
INSERT INTO t SELECT i, 'x' FROM generate_series(1, 1000) AS i;
CREATE TABLE child (id int REFERENCES t);
CREATE TABLE empty (id int);
CREATE TYPE kind AS (a int);
CREATE TABLE typed (k kind, i int);
INSERT INTO typed VALUES (ROW(1), 1);
CREATE FUNCTION does_nothing() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
SQL
is(doors(), '', 'nothing is open at the beginning');
like(sql("SELECT detail FROM migmgr.verify() WHERE check_name = 'guard' AND object = 'level'"), qr/^preloaded: not seen: single-user mode$/, 'the level is preloaded');
like(sql("SELECT value FROM migmgr.status WHERE topic = 'guard'"), qr/^preloaded/, 'status says so');

# B1 event triggers
refused("DROP EVENT TRIGGER migmgr_guard_$_", qr/MG108/, "B1 drop $_") foreach qw(start end drop rewrite);
refused("ALTER EVENT TRIGGER migmgr_guard_start $_", qr/MG108/, "B1 $_")
  foreach ('DISABLE', 'ENABLE REPLICA', 'RENAME TO x', 'OWNER TO app');
passes('ALTER EVENT TRIGGER migmgr_guard_start OWNER TO CURRENT_USER', 'B1 the same owner');
refused('CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION does_nothing()', qr/MG105/, 'B1 a new event trigger');
refused('DO $$BEGIN EXECUTE \'DROP EVENT TRIGGER migmgr_guard_start\'; END$$', qr/MG108/, 'B1 in a DO block');

# B2 replica mode, in every way it can be had
refused($_, qr/MG101/, "B2 $_") foreach (
	'SET session_replication_role = replica; DROP TABLE child',
	"SELECT set_config('session_replication_role', 'replica', false); DROP TABLE child",
	'SET session_replication_role = replica; TRUNCATE child, t');
is(do { local $ENV{PGOPTIONS} = '-c session_replication_role=replica'; error_of($node, 'live', 'DROP TABLE child') =~ /MG101/ }, 1, 'B2 PGOPTIONS');
refused($_, qr/MG105: .*guard-setting/s, "B2 $_") foreach (
	'GRANT SET ON PARAMETER session_replication_role TO app',
	'GRANT ALTER SYSTEM ON PARAMETER session_preload_libraries TO app',
	'ALTER ROLE app SET session_replication_role = replica',
	'ALTER ROLE app IN DATABASE live SET session_replication_role = replica',
	'ALTER DATABASE live SET session_replication_role = replica',
	"ALTER SYSTEM SET session_replication_role = 'replica'",
	"ALTER SYSTEM SET shared_preload_libraries = ''",
	'ALTER SYSTEM RESET ALL',
	"ALTER DATABASE live SET session_preload_libraries = 'auto_explain'",
	"ALTER DATABASE live SET session_preload_libraries = 'auto_explain, migmgr'",    # one library of that name
	"ALTER DATABASE live SET migmgr.small_relation = '1GB'");
passes($_, "B2 harmless: $_") foreach (
	'GRANT SET ON PARAMETER work_mem TO app', 'REVOKE SET ON PARAMETER session_replication_role FROM app',
	'ALTER DATABASE live SET work_mem = 4096', 'ALTER ROLE app RESET session_replication_role',
	"ALTER DATABASE live SET session_preload_libraries = auto_explain, migmgr",
	"ALTER DATABASE live SET session_preload_libraries = 'auto_explain', '\$libdir/migmgr'");
$node->safe_psql('postgres', 'GRANT SET ON PARAMETER session_replication_role TO app');
like(doors(), qr/^parameter session_replication_role \| warning \| SET granted to app/, 'B2 a grant from elsewhere is reported');
sql('REVOKE SET ON PARAMETER session_replication_role FROM app');
$node->safe_psql('postgres', 'ALTER ROLE app IN DATABASE live SET session_replication_role = replica');
like(doors(), qr/^setting session_replication_role of role app in database live \| warning/, 'B2 a setting from elsewhere is reported');
sql('ALTER ROLE app IN DATABASE live RESET session_replication_role');

# B3 event triggers switched off
SKIP:
{
	skip 'no event_triggers before 17', 7 if $version < 170000;
	refused('SET event_triggers = off; DROP TABLE child', qr/MG101/, 'B3 the hook does not look at it');
	refused('SET event_triggers = off; ALTER TABLE t ADD UNIQUE (v)', qr/MG103/, 'B3 nor for what drops nothing');
	sql('SET event_triggers = off; CREATE TABLE b3 (i int)');
	is(last_log(), 'CREATE TABLE|public.b3|additive|create-table|allow', 'B3 and it logs');
	refused('ALTER DATABASE live SET event_triggers = off', qr/MG105/, 'B3 not for the database');
	passes('ALTER DATABASE live SET event_triggers = on', 'B3 on is no harm');
	$node->safe_psql('postgres', 'ALTER ROLE app IN DATABASE live SET event_triggers = off');
	like(doors(), qr/setting event_triggers of role app in database live \| failed/, 'B3 reported');
	$node->safe_psql('postgres', 'ALTER ROLE app IN DATABASE live RESET event_triggers');
	is(doors(), '', 'B3 closed again');
}

# B5 TRUNCATE: one refusal, before it waits for a lock
refused("TRUNCATE $_", qr/MG101: .*truncate table public\.t\b/, "B5 $_") foreach ('t CASCADE', 'empty, t, child', 'ONLY t, child');
passes('TRUNCATE empty', 'B5 an empty table loses nothing');
passes('BEGIN; CREATE TABLE fresh (i int); INSERT INTO fresh VALUES (1); TRUNCATE fresh; ROLLBACK', 'B5 nor a new one');
passes('CREATE TEMP TABLE tmp AS SELECT 1 AS i; TRUNCATE tmp', 'B5 nor a temporary one');
refused('DO $$BEGIN EXECUTE \'TRUNCATE t CASCADE\'; END$$', qr/MG101/, 'B5 in a DO block');
refused('TRUNCATE migmgr.ledger', qr/MG108/, 'B5 the ledger');
my $holder = $node->background_psql('live');
$holder->query_safe('BEGIN; LOCK TABLE child IN ACCESS SHARE MODE');
refused("SET lock_timeout = '5s'; TRUNCATE t CASCADE", qr/MG101/, 'B5 does not wait for a lock');
$holder->query_safe('ROLLBACK');
$holder->quit;

# B6 what rewrites or blocks
refused('CLUSTER t USING t_pkey', qr/MG102/, 'B6 CLUSTER');
refused('VACUUM FULL t', qr/MG102/, 'B6 VACUUM FULL');
refused('VACUUM FULL', qr/MG102/, 'B6 VACUUM FULL of all');
refused("REINDEX $_", qr/MG103/, "B6 REINDEX $_") foreach ('TABLE t', 'INDEX t_v', 'SCHEMA public', 'DATABASE live');
refused('BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE', qr/MG103/, 'B6 LOCK');
passes($_, "B6 harmless: $_") foreach ('VACUUM t', 'ANALYZE', 'REINDEX TABLE CONCURRENTLY t',
	'BEGIN; LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE; ROLLBACK', 'COPY t TO STDOUT');
sql("SELECT migmgr.set_policy('production', 'rewriting', 'warn')");
sql('VACUUM FULL t');
is(last_log(), 'VACUUM|public.t|rewriting|vacuum-full|warn', 'B6 recorded after its own commits');
sql('CLUSTER t USING t_pkey');
is(last_log(), 'CLUSTER|public.t|rewriting|cluster|warn', 'B6 CLUSTER recorded');
sql("SELECT migmgr.set_policy('production', 'rewriting', NULL)");

# B7 shared objects
refused('REASSIGN OWNED BY app TO other', qr/MG105/, 'B7 REASSIGN OWNED');
refused('DROP OWNED BY app', qr/MG101/, 'B7 DROP OWNED');
foreach my $db ('postgres', 'live')
{
	my $from = $db eq 'live' ? 'template1' : $db;

	like(error_of($node, $from, 'DROP DATABASE live'), qr/MG108: .*cannot drop database "live": it is protected.*HINT/s, "B7 DROP DATABASE from $from");
	like(error_of($node, $from, 'DROP DATABASE live WITH (FORCE)'), qr/MG108/, "B7 by force, from $from");
	like(error_of($node, $from, 'ALTER DATABASE live RENAME TO gone'), qr/MG108/, "B7 RENAME from $from");
	like(error_of($node, $from, "ALTER DATABASE live SET session_preload_libraries = ''"), qr/MG108/, "B7 its settings, from $from");
	like(error_of($node, $from, 'DROP DATABASE "Second One"'), qr/MG108/, "B7 whether it is there or not, from $from");
}
passes('CREATE DATABASE plain', 'B7 other databases: create');
passes('ALTER DATABASE plain RENAME TO plainer', 'B7 rename');
passes('DROP DATABASE plainer', 'B7 drop');
is(last_log(), 'DROP DATABASE|plainer|destructive|drop-database|allow', 'B7 recorded');
passes("ALTER ROLE app PASSWORD 'secret'", 'B7 a role');
is(sql("SELECT class, action, sql FROM migmgr.ddl_log ORDER BY id DESC LIMIT 1"),
	"security|allow|ALTER ROLE app PASSWORD '<redacted>'", 'B7 recorded without its password');

# B8, B9, B10 the guard itself
refused($_, qr/MG108/, "B8-B10 $_") foreach (
	'DROP FUNCTION migmgr_internal.guard_start() CASCADE', 'DROP FUNCTION migmgr_internal.row_guard() CASCADE',
	'CREATE OR REPLACE FUNCTION migmgr_internal.guard_start() RETURNS event_trigger LANGUAGE plpgsql AS \'BEGIN END\'',
	'ALTER FUNCTION migmgr_internal.guard_start() RENAME TO x', 'ALTER FUNCTION migmgr_internal.guard_start() OWNER TO app',
	'ALTER FUNCTION migmgr_internal.guard_start() SET SCHEMA public', 'ALTER FUNCTION migmgr_internal.guard_start() SET work_mem = 64',
	'DROP EXTENSION migmgr', 'DROP EXTENSION migmgr CASCADE', 'DROP SCHEMA migmgr CASCADE', 'DROP SCHEMA migmgr_internal CASCADE',
	'ALTER EXTENSION migmgr DROP EVENT TRIGGER migmgr_guard_start', 'ALTER EXTENSION migmgr DROP FUNCTION migmgr_internal.guard_start()',
	'ALTER SCHEMA migmgr RENAME TO x', 'ALTER TABLE migmgr.ledger DISABLE TRIGGER ALL', 'ALTER TABLE migmgr.ledger ADD COLUMN x int',
	'DROP TRIGGER row_guard ON migmgr.ledger', 'CREATE TRIGGER x BEFORE INSERT ON migmgr.ledger FOR EACH ROW EXECUTE FUNCTION migmgr_internal.row_guard()');
like(error_of($node, 'live', 'DROP OWNED BY CURRENT_USER'), qr/MG10[18]|2BP01/, 'B10 DROP OWNED of the installer');
sql("UPDATE pg_proc SET prosrc = 'migmgr_version', probin = '\$libdir/other' WHERE oid = 'migmgr_internal.guard_end()'::regprocedure");
like(doors(), qr/function migmgr_internal\.guard_end\(\) \| failed \| replaced/, 'B9 a replaced function is reported');
sql("UPDATE pg_proc SET prosrc = 'migmgr_guard_end', probin = '\$libdir/migmgr' WHERE oid = 'migmgr_internal.guard_end()'::regprocedure");

# B11 what decides is in the ledger
refused($_, qr/MG301|MG108|42501/, "B11 $_") foreach ("DELETE FROM migmgr.ledger WHERE event = 'environment'",
	"UPDATE migmgr.ledger SET detail = '{}'", "SET session_replication_role = replica; DELETE FROM migmgr.ledger");

# B13 catalog DML: not refused, but it changes nothing for the hook, and shows
sql("UPDATE pg_event_trigger SET evtenabled = 'D' WHERE evtname LIKE 'migmgr%'");
refused('DROP TABLE child', qr/MG101/, 'B13 disabled event triggers: the hook judges');
refused('ALTER TABLE t ADD UNIQUE (v)', qr/MG103/, 'B13 what drops nothing, too');
sql('CREATE TABLE b13 (i int)');
is(last_log(), 'CREATE TABLE|public.b13|additive|create-table|allow', 'B13 and records');
like(doors(), qr/event trigger migmgr_guard_start \| failed \| disabled/, 'B13 verify() names the trigger');
sql("UPDATE pg_event_trigger SET evtenabled = 'A' WHERE evtname LIKE 'migmgr%'");
like(doors(), qr/^system catalogs \| warning \| \d statements changed rows of pg_catalog\.pg_event_trigger, pg_catalog\.pg_proc/, 'B13 and the statements');
like(slurp_file($node->logfile), qr/LOG:  migmgr: UPDATE of system catalog pg_catalog\.pg_event_trigger by/, 'B13 the server log has it');
is(sql("SELECT DISTINCT concat_ws('|', command, class, action) FROM migmgr.ddl_log WHERE rule = 'catalog-dml'"), 'UPDATE|protected|seen', 'B13 so has ddl_log');
refused(q{SELECT migmgr.apply('b13', 'x', $$UPDATE pg_class SET reltuples = 0 WHERE oid = 't'::regclass$$)}, qr/MG105: .*catalog-dml/s, 'B13 not in a migration');
is(sql("UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'migmgr.ledger'::regclass RETURNING 1") =~ /1/, 1, 'B13 a superuser can');
like(doors(), qr/table migmgr\.ledger \| failed \| row_guard is disabled/, 'B13 and verify() names the table');
sql("UPDATE pg_trigger SET tgenabled = 'A' WHERE tgrelid = 'migmgr.ledger'::regclass");

# B15 EXPLAIN ANALYZE, EXECUTE
sql('EXPLAIN ANALYZE CREATE TABLE b15 AS SELECT 1 AS i');
is(last_log(), 'CREATE TABLE AS|public.b15|additive|create-table-as|allow', 'B15 EXPLAIN ANALYZE CREATE TABLE AS is recorded');
sql('PREPARE p AS SELECT 1 AS i; CREATE TABLE b15b AS EXECUTE p');
is(last_log(), 'CREATE TABLE AS|public.b15b|additive|create-table-as|allow', 'B15 CREATE TABLE AS EXECUTE too');
sql("SELECT migmgr.set_policy('production', 'direct_ddl', 'deny')");
refused($_, qr/MG110/, "B15 direct DDL: $_") foreach ('EXPLAIN ANALYZE CREATE TABLE b15c AS SELECT 1', 'SELECT 1 AS i INTO b15c',
	'CREATE SCHEMA b15c CREATE TABLE x (i int)', 'REASSIGN OWNED BY other TO app', 'ALTER TABLE t_v RENAME TO t_w');

passes($_, "B15 no DDL: $_") foreach ('EXPLAIN CREATE TABLE b15c AS SELECT 1', 'EXPLAIN ANALYZE SELECT 1', 'VACUUM t', 'REINDEX INDEX CONCURRENTLY t_v');
sql("SELECT migmgr.set_policy('production', 'direct_ddl', NULL)");

# B17 who asks is who is judged
sql(<<'SQL');
CREATE FUNCTION drop_it() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN DROP TABLE child; END';
SELECT migmgr.set_policy('production', 'destructive', 'allow', for_role => 'app');
SQL
refused('SELECT drop_it()', qr/MG101/, 'B17 SECURITY DEFINER: the definer is judged');
is(sql('SET ROLE app; CREATE TABLE app.mine (i int); DROP TABLE app.mine; SELECT 1'), 1, 'B17 an exempted role');
sql("SELECT migmgr.set_policy('production', 'destructive', NULL, for_role => 'app')");

# B20, B21, B22, B23 what hides
refused($_, qr/MG10/, "B20 $_") foreach ('CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING', 'CREATE UNIQUE INDEX ON t (v)');
refused($_, qr/MG101/, "B21-B23 $_") foreach (
	'ALTER TABLE t RENAME TO t_old', 'ALTER TABLE t SET SCHEMA app', 'ALTER TABLE t ADD COLUMN a int, DROP COLUMN v, ADD COLUMN b int',
	'DROP TYPE kind CASCADE', 'ALTER INDEX t RENAME TO u', 'DROP TABLE IF EXISTS nothing, child',
	'DO $$BEGIN EXECUTE format(\'DROP %s child\', \'TABLE\'); END$$');

# B25 extension scripts pass
passes('CREATE EXTENSION pg_trgm; ALTER EXTENSION pg_trgm UPDATE', 'B25 an extension');

# B28 an event trigger that comes first
sql("SELECT migmgr.waive('security', 'B28', '1 minute')");
sql(<<'SQL');
CREATE TABLE victim AS SELECT 1 AS i;
CREATE FUNCTION raises() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE 'mine ran'; END$$;
CREATE EVENT TRIGGER aaa ON ddl_command_start EXECUTE FUNCTION raises();
SQL
my ($status, undef, $stderr) = $node->psql('live', 'SET client_min_messages = notice; DROP TABLE victim');
like($stderr, qr/^(?!.*mine ran).*destructive/s, 'B28 the hook comes before every event trigger');
sql("SELECT migmgr.set_policy('production', 'destructive', 'allow'); DROP EVENT TRIGGER aaa; SELECT migmgr.set_policy('production', 'destructive', NULL)");

# B19, B30 are reported
like(sql("SELECT detail FROM migmgr.verify() WHERE check_name = 'bypass' AND object = 'other databases'"), qr/postgres/, 'B19 databases with a guard of their own, or none');
like(sql("SELECT detail FROM migmgr.verify() WHERE check_name = 'library'"), qr/^sha256 [0-9a-f]{64}$/, 'B30 the checksum of the library');

# Where migmgr is not installed it has no say, but for protected databases.
is(error_of($node, 'postgres', $_), '', "no migmgr here: $_") foreach (
	'CREATE TABLE x AS SELECT 1 AS i; TRUNCATE x; DROP TABLE x', 'CREATE ROLE third; ALTER ROLE third SET session_replication_role = replica; DROP ROLE third',
	'CREATE DATABASE y', 'DROP DATABASE y');

# Levels: session preload; and then the extension or the library is gone
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->safe_psql('postgres', "ALTER DATABASE live SET session_preload_libraries = 'migmgr'");
$node->restart;
like(sql("SELECT value FROM migmgr.status WHERE topic = 'guard'"), qr/^session preload; not seen: /, 'level: session preload');
refused('TRUNCATE t CASCADE', qr/MG101/, 'session preload: B5 as the first statement');
refused('ALTER EVENT TRIGGER migmgr_guard_start DISABLE', qr/MG108/, 'session preload: B1');
$node->safe_psql('postgres', "ALTER ROLE app IN DATABASE live SET session_preload_libraries = 'auto_explain'");
like(doors(), qr/setting session_preload_libraries of role app in database live \| warning/, 'session preload: a role without it is reported');
$node->safe_psql('postgres', 'ALTER ROLE app IN DATABASE live RESET session_preload_libraries; ALTER DATABASE live RESET session_preload_libraries');
like(sql("SELECT value FROM migmgr.status WHERE topic = 'guard'"), qr/^event triggers only; not seen: /, 'level: event triggers only');
like(doors(), qr/^level \| warning \| event triggers only/m, 'verify() warns');

# B18 without preload the first statement of a session
sql('TRUNCATE t CASCADE');
is(sql('SELECT count(*) FROM t'), 0, 'B18 TRUNCATE as the first statement passes');
sql('INSERT INTO t VALUES (1)');
refused('CREATE TABLE b18 (i int); TRUNCATE t CASCADE', qr/MG101/, 'B18 not after the first DDL');
if ($version >= 170000)
{
	like(sql('SELECT migmgr.enable_login_guard()'), qr/every new session loads migmgr/, 'B18 login guard');
	is(sql('SELECT migmgr.enable_login_guard() IS NOT NULL'), 't', 'B18 twice');
	like(sql("SELECT value FROM migmgr.status WHERE topic = 'guard'"), qr/^login guard; not seen: /, 'level: login guard');
	refused('TRUNCATE t CASCADE', qr/MG101/, 'B18 TRUNCATE as the first statement is judged');
	refused($_, qr/MG108/, "B18 $_") foreach ('DROP EVENT TRIGGER migmgr_guard_login', 'ALTER EVENT TRIGGER migmgr_guard_login DISABLE');
	like($node->safe_psql('live', 'SELECT current_user', connstr => $node->connstr('live') . ' user=app'), qr/app/, 'B18 an ordinary role logs in');
	like(error_of($node, 'live', 'SET ROLE app; SELECT migmgr.disable_login_guard()'), qr/42501/, 'B18 who may not disable it');
}
else
{
	refused('SELECT migmgr.enable_login_guard()', qr/0A000: .*needs PostgreSQL 17.*HINT:  .*session_preload_libraries = 'migmgr'/s, 'B18 no login guard before 17');
	like(sql('SELECT migmgr.disable_login_guard()'), qr/there is no login guard/, 'B18 nothing to disable');
}

# The library is missing: sessions work, DDL does not, and there is a way out.
my ($library) = map { chomp; "$_/migmgr.so" } `pg_config --pkglibdir`;
rename $library, "$library.away" or die "cannot move $library: $!";
is(sql('SELECT count(*) FROM t; INSERT INTO t VALUES (2); SELECT 1') =~ /1/, 1, 'library missing: queries work');
like(slurp_file($node->logfile), qr/login guard could not load the library/, 'library missing: the login guard says so') if $version >= 170000;
refused('CREATE TABLE x (i int)', qr/58P01/, 'library missing: no DDL');
foreach my $trigger (split /\n/, sql("SELECT evtname FROM pg_event_trigger WHERE evtname LIKE 'migmgr%'"))
{
	passes("ALTER EVENT TRIGGER $trigger DISABLE", "library missing: $trigger can be disabled");
}
passes('CREATE TABLE x (i int)', 'library missing: and then DDL works');
rename "$library.away", $library or die "cannot move $library back: $!";
like(doors(), qr/event trigger migmgr_guard_start \| failed \| disabled/, 'library back: verify() names what was disabled');
sql("SELECT migmgr.unprotect('repair'); ALTER EVENT TRIGGER $_ ENABLE ALWAYS")
  foreach split /\n/, sql("SELECT evtname FROM pg_event_trigger WHERE evtname LIKE 'migmgr%'");
unlike(doors(), qr/failed/, 'library back: repaired as verify() says');

sql("SELECT migmgr.unprotect('the end'); DROP EXTENSION migmgr");
passes('TRUNCATE t CASCADE; DROP TABLE child; CREATE TABLE y (i int)', 'extension dropped: nobody is in the way');
is(sql("SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'migmgr%'"), 0, 'extension dropped: its event triggers too');

$node->stop;
done_testing();
