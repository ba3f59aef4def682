# Files against the database and back: a folder that lost its migrations gets
# them back byte for byte, what was done by hand in one database becomes a
# migration of another, and the recorded state survives dump and restore.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $node = new_node('elsewhere');
my $folder = PostgreSQL::Test::Utils::tempdir();
my %files = (
	'001_plain.sql' => "CREATE TABLE plain (id int PRIMARY KEY);\n",
	'002_ugly.sql' => "-- \x{e4}\x{2603} 'quotes' \$\$dollars\$\$ \\backslash\\\n\n\tCREATE VIEW ugly AS SELECT 'a\\n|b'::text AS \"x y\";\n\n-- migmgr:down\nDROP VIEW ugly;\n",
	'003_windows.sql' => "CREATE TABLE windows (id int);\r\n-- end\r\n");

sub write_file
{
	my ($name, $text) = @_;
	open my $file, '>:raw', "$folder/$name" or die $!;
	my $bytes = $text;
	utf8::encode($bytes);
	print $file $bytes;
	close $file;
	return $bytes;
}

# a file of the folder through psql's backticks, as people do it
sub apply_file
{
	my ($db, $name) = @_;
	return $node->safe_psql($db,
		"\\set sql `cat $folder/$name`\nSELECT status FROM migmgr.apply_file('$name', :'sql');");
}

sub compare
{
	my ($db) = @_;
	return $node->safe_psql($db,
		"\\set listing `cd $folder && sha256sum *.sql`\nSELECT concat_ws(' ', file, version, status) FROM migmgr.compare_files(:'listing') OFFSET 1;");
}

install($node, 'live');
my %bytes = map { $_ => write_file($_, $files{$_}) } sort keys %files;
is(apply_file('live', $_), 'applied', "$_ is applied") foreach sort keys %files;
is(compare('live'), "001_plain.sql 001 applied\n002_ugly.sql 002 applied\n003_windows.sql 003 applied",
	'each file has the sum of what was applied, the one with CRLF too');

# the folder loses two of them; the command is that of doc/elsewhere.md
unlink "$folder/002_ugly.sql", "$folder/003_windows.sql";
like(compare('live'), qr/002 missing file\n 003 missing file|002 missing file\n003 missing file/, 'two files are missing');
my $doc = slurp_file("$ENV{SANDBOX}/src/doc/elsewhere.md") if defined $ENV{SANDBOX} && -f "$ENV{SANDBOX}/src/doc/elsewhere.md";
$doc //= slurp_file('doc/elsewhere.md');
my ($command) = $doc =~ /```sh\n(psql -XAt.*?)```/s;
ok(defined $command, 'the command is there');
$command =~ s{migrations/}{$folder/}g;
local $ENV{PGHOST} = $node->host;
local $ENV{PGPORT} = $node->port;
local $ENV{PGDATABASE} = 'live';
is(system('sh', '-c', $command), 0, 'the command of the manual runs');
is(sha256_hex(slurp_file("$folder/002_ugly.sql")), sha256_hex($bytes{'002_ugly.sql'}), 'byte for byte');
is(slurp_file("$folder/003_windows.sql"), "CREATE TABLE windows (id int);\n-- end\n", 'CRLF came back as LF');
is(compare('live'), "001_plain.sql 001 applied\n002_ugly.sql 002 applied\n003_windows.sql 003 applied", 'all is well again');

# what was done by hand here is a migration there
$node->safe_psql('live', <<'SQL');
SELECT migmgr.set_environment('development');
CREATE TABLE by_hand (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, plain int REFERENCES plain, t text DEFAULT 'x' CHECK (t <> ''));
CREATE INDEX ON by_hand (plain);
ALTER TABLE by_hand ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON by_hand USING (true);
ALTER TABLE plain ADD COLUMN note text NOT NULL DEFAULT 'none';
CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + 1';
SQL
write_file('004_by_hand.sql', $node->safe_psql('live', "SELECT sql FROM migmgr.capture('004_by_hand.sql')") . "\n");
is($node->safe_psql('live', 'SELECT drift FROM migmgr.drift()'), 'none', 'captured: no drift left');
install($node, 'other');
is(apply_file('other', $_), 'applied', "$_ is applied elsewhere") foreach sort (keys %files, '004_by_hand.sql');
is($node->safe_psql('other', 'SELECT migmgr.schema_fingerprint()'), $node->safe_psql('live', 'SELECT migmgr.schema_fingerprint()'),
	'both have the same schema');
is($node->safe_psql('other', 'SELECT drift FROM migmgr.drift()'), 'none', 'no drift there');
is($node->safe_psql('other', "SELECT status FROM migmgr.rollback('004', 'and back')"), 'rolled back', 'the way back that was captured works');
is($node->safe_psql('other', 'SELECT drift FROM migmgr.drift()'), 'none', 'no drift after it');

# the recorded state survives dump and restore
$node->safe_psql('live', "SELECT migmgr.baseline('100', 'start'); CREATE TABLE drifted (id int)");
is(apply($node, 'live', '100.5', 'CREATE TABLE due (id serial PRIMARY KEY); CREATE FUNCTION due(a int) RETURNS int LANGUAGE sql AS $$SELECT 1$$'),
	'applied', 'a migration that nobody has described yet');
my $before = $node->safe_psql('live', 'SELECT object, drift, present FROM migmgr.drift()');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$folder/live.dump", 'live' ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-d', 'restored', "$folder/live.dump" ], 'restore');
is($node->safe_psql('restored', 'SELECT object, drift, present FROM migmgr.drift()'), $before, 'the same drift in the restored database');
is($node->safe_psql('restored', "SELECT status FROM migmgr.verify() WHERE check_name = 'state'"), 'ok', 'its recordings are under the chain');
$node->safe_psql('restored', "SELECT migmgr.resume('a test'), migmgr.set_environment('development')");
is(apply($node, 'restored', '101', 'ALTER TABLE plain RENAME TO plainer'), 'applied', 'a rename goes on');
is($node->safe_psql('restored', 'SELECT object, drift, present FROM migmgr.drift()'), $before, 'and is no drift');
$node->safe_psql('restored', 'ALTER TABLE due ADD COLUMN by_hand int');
is($node->safe_psql('restored', "SELECT object, drift FROM migmgr.drift() WHERE object LIKE '%due%'"), 'table column public.due.by_hand|extra',
	'what was due before the dump is recorded before it changes here');

$node->stop;
done_testing();
