# migmgr-apply, the script that is installed: every layout of a folder, what it
# refuses, and how it ends.
use strict;
use warnings;
use File::Path 'make_path';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $node = new_node('folder');
my $top = PostgreSQL::Test::Utils::tempdir;

# Makes a folder of files: name => text.
sub folder
{
	my ($name, %files) = @_;

	foreach my $file (keys %files)
	{
		my ($path) = "$top/$name/$file" =~ m,^(.*)/,;

		make_path($path);
		open my $out, '>:raw', "$top/$name/$file" or die "$name/$file: $!";
		print $out $files{$file};
		close $out;
	}
	return "$top/$name";
}

# Runs the script: exit status, what it says, what it complains of.
sub run_script
{
	my ($db, $in, @args) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'migmgr-apply', '-d', $node->connstr($db), @args ], '<', \$in, '>', \$out, '2>', \$err);
	return ($? >> 8, $out, $err);
}

# versions and names in history
sub history
{
	my ($db) = @_;
	return $node->safe_psql($db, "SELECT concat_ws(' ', version, name, status, reversible) FROM migmgr.history");
}

my %layouts = (
	plain => {
		'001_one.sql' => "CREATE TABLE one (t text DEFAULT '\\\\ :x \$\$ ''');\n-- migmgr:down\nDROP TABLE one;\n",
		'002_two.sql' => "CREATE TABLE two (i int);",
		'010_ten.sql' => "CREATE TABLE ten (i int);\r\n\r\n\n\n",
		'9_nine.sql' => "\xEF\xBB\xBFCREATE TABLE nine (i int);\n",
		'readme.txt' => "no migration\n",
	},
	pairs => {
		'1_one.up.sql' => "CREATE TABLE one (i int);\n",
		'1_one.down.sql' => "DROP TABLE one;\n",
		'2_two.up.sql' => "CREATE TABLE two (i int);",
	},
	flyway => {
		'V1__one.sql' => "CREATE TABLE one (i int);\n",
		'V1_1__two.sql' => "CREATE TABLE two (i int);\n",
		'R__z_base.sql' => "CREATE OR REPLACE VIEW z_base AS SELECT i FROM two;\n",
		'R__a_top.sql' => "-- migmgr:requires z_base\nCREATE OR REPLACE VIEW a_top AS SELECT i FROM z_base;\n",
	},
	dbmate => {
		'db/migrations/20240101000000_one.sql' => "-- migrate:up\nCREATE TABLE one (i int);\n\n-- migrate:down\nDROP TABLE one;\n",
		'db/migrations/20240102000000_two.sql' => "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY one_i ON one (i);\n\n-- migrate:down\nDROP INDEX one_i;\n",
	},
	supabase => {
		'supabase/config.toml' => "project_id = \"x\"\n",
		'supabase/migrations/20240101000000_one.sql' => "create table one (i int);\n",
		'supabase/migrations/20240102000000_two.sql' => "alter table one enable row level security;\n",
	},
	golang => {
		'000001_one.up.sql' => "CREATE TABLE one (i int);\n",
		'000001_one.down.sql' => "DROP TABLE one;\n",
		'000002_it\'s "two".up.sql' => "CREATE TABLE two (i int);\n",
		'000002_it\'s "two".down.sql' => "DROP TABLE two;\n",
	},
	sqlx => {
		'migrations/20240101000000_one.sql' => "-- Add migration script here\nCREATE TABLE one (i int);\n",
		'migrations/20240102000000_two.sql' => "CREATE TABLE two (i int);\n",
	},
	diesel => {
		'migrations/00000000000000_diesel_initial_setup/up.sql' => "CREATE TABLE one (i int);\n",
		'migrations/00000000000000_diesel_initial_setup/down.sql' => "DROP TABLE one;\n",
		'migrations/2024-01-02-000000_two/up.sql' => "CREATE TABLE two (i int);\n",
		'migrations/2024-01-02-000000_two/down.sql' => "DROP TABLE two;\n",
	},
	'prisma, with a space' => {
		'prisma/schema.prisma' => "// no migration\n",
		'prisma/migrations/migration_lock.toml' => "provider = \"postgresql\"\n",
		'prisma/migrations/20240101000000_one/migration.sql' => "CREATE TABLE \"one\" (\"i\" integer);\n",
		'prisma/migrations/20240102000000_two/migration.sql' => "CREATE TABLE \"two\" (\"i\" integer);\n",
	},
);
my %histories = (
	plain => "001 one applied by script\n002 two applied no: no rollback script was given\n9 nine applied no: no rollback script was given\n010 ten applied no: no rollback script was given",
	pairs => "1 one applied by script\n2 two applied no: no rollback script was given",
	flyway => "1 one applied no: no rollback script was given\n1.1 two applied no: no rollback script was given",
	dbmate => "20240101000000 one applied by script\n20240102000000 two applied by script",
	supabase => "20240101000000 one applied no: no rollback script was given\n20240102000000 two applied no: no rollback script was given",
	golang => "000001 one applied by script\n000002 it's \"two\" applied by script",
	sqlx => "20240101000000 one applied no: no rollback script was given\n20240102000000 two applied no: no rollback script was given",
	diesel => "00000000000000 diesel_initial_setup applied by script\n20240102000000 two applied by script",
	'prisma, with a space' => "20240101000000 one applied no: no rollback script was given\n20240102000000 two applied no: no rollback script was given",
);

my $number = 0;
foreach my $layout (sort keys %layouts)
{
	my $db = 'layout' . ++$number;
	my $folder = folder($layout, %{ $layouts{$layout} });
	my $count = grep { /sql$/ && !/down\.sql$/ && !/R__/ } keys %{ $layouts{$layout} };
	my ($status, $out, $err);

	install($node, $db);
	($status, $out, $err) = run_script($db, '', '--plan', $folder);
	is($status, 0, "$layout: a plan");
	like($out, qr/: 0 applied, $count pending, 0 drifted\n/, "$layout: all is pending");
	is(history($db), '', "$layout: and nothing is applied");

	($status, $out, $err) = run_script($db, "yes\n", '--note', "it's a note", $folder);
	is($status . $err, '0', "$layout: applied");
	like($out, qr/Apply $count to $db \(production\)\? \[y\/N\] 1 of $count  applied/, "$layout: after the question");
	$histories{$layout} =~ s/by script/by script[^\\n]*/g;
	$histories{$layout} =~ s/no: no rollback script was given/[^\\n]*/g;
	like(history($db), qr/^$histories{$layout}$/, "$layout: in order, with names and ways back");
	is($node->safe_psql($db, 'SELECT DISTINCT note FROM migmgr.history'), "it's a note", "$layout: with the note");

	($status, $out, $err) = run_script($db, '', '--yes', $folder);
	is($status, 0, "$layout: again");
	like($out, qr/: $count applied, 0 pending, 0 drifted\n(nothing to do\n)?/, "$layout: nothing to do");
	is(verify_fails($node, $db), '', "$layout: verify() finds nothing");
}
# repeatable ones run when their text is new, and what requires them again
{
	my ($db) = grep { $node->safe_psql($_, 'SELECT count(*) FROM migmgr.repeatables') eq '2' } map { "layout$_" } (1 .. $number);
	my ($status, $out, $err);

	is($node->safe_psql($db, "SELECT string_agg(concat(name, ' ', runs), ', ') FROM migmgr.repeatables"), 'a_top 1, z_base 1', 'repeatable ones ran once');
	folder('flyway', 'R__z_base.sql' => "CREATE OR REPLACE VIEW z_base AS SELECT i, i AS j FROM two;\n");
	($status, $out, $err) = run_script($db, '', '-y', "$top/flyway");
	is($status . $err, '0', 'a new text of one');
	like($out, qr/applied  R__z_base .*\napplied  R__a_top /, 'it runs, and what requires it');
}
# the sum of a plain file is what sha256sum prints for it
{
	my ($sums) = run_command([ 'sha256sum', "$top/plain/001_one.sql", "$top/plain/002_two.sql", "$top/plain/010_ten.sql", "$top/plain/9_nine.sql" ]);

	my ($db) = grep { $node->safe_psql($_, 'SELECT count(*) FROM migmgr.history') eq '4' } map { "layout$_" } (1 .. $number);
	is($node->safe_psql($db, "SELECT string_agg(DISTINCT status, ' ') FROM migmgr.compare_files(\$\$$sums\$\$, false)"), 'applied',
		'what is recorded are the sums of the files');
}

# what goes wrong
{
	my $db = 'wrong';
	my $folder = folder('wrong',
		'1_one.sql' => "CREATE TABLE one (i int);\n",
		'2_bad.sql' => "CREATE TABLE two (i int);\nSELECT 1/0;\n",
		'3_three.sql' => "CREATE TABLE three (i int);\n");
	my ($status, $out, $err);

	install($node, $db);
	($status, $out, $err) = run_script($db, "n\n", $folder);
	is($status, 1, 'no is no');
	like($err, qr/nothing was applied/, 'it says so');
	($status, $out, $err) = run_script($db, '', $folder);
	is($status, 1, 'nobody there is no, too');
	is(history($db), '', 'nothing is applied');

	($status, $out, $err) = run_script($db, '', '--yes', '--to=1', $folder);
	is($status, 0, '--to');
	like($out, qr/1 of 1  applied  1 one/, '--to: just that');
	($status, $out, $err) = run_script($db, '', '-y', $folder);
	is($status, 1, 'a failure');
	like($err, qr/ERROR:  migration "2" failed at statement 2, line 2: division by zero/, 'the error');
	like($err, qr/stopped: what is listed above stays applied/, 'and what it means');
	is($node->safe_psql($db, "SELECT string_agg(concat(version, ' ', status), ', ') FROM migmgr.history"), '1 applied, 2 failed', 'nothing comes after a failure');

	folder('wrong', '2_bad.sql' => "CREATE TABLE two (i int);\n");
	($status, $out, $err) = run_script($db, '', '-y', $folder);
	is($status, 0, 'corrected');
	is($node->safe_psql($db, "SELECT string_agg(concat(version, ' ', status), ', ') FROM migmgr.history"), '1 applied, 2 applied, 3 applied', 'it goes on');

	folder('wrong', '1_one.sql' => "CREATE TABLE one (i bigint);\n", '4_four.sql' => "CREATE TABLE four (i int);\n");
	($status, $out, $err) = run_script($db, '', '-y', $folder);
	is($status, 1, 'an applied file was edited');
	like($out, qr/^changed +1_one.sql: applied /m, 'it is named');
	like($out, qr/2 applied, 1 pending, 1 drifted/, 'and counted');
	is($node->safe_psql($db, "SELECT count(*) FROM migmgr.history"), '3', 'nothing is applied');

	($status, $out, $err) = run_script('postgres', '', '-y', $folder);
	is($status, 1, 'a database without migmgr');
	($status, $out, $err) = run_script($db, '', '-y', "$top/nowhere");
	is($status, 1, 'no folder');
	($status, $out, $err) = run_script($db, '', '-y', folder('empty', 'x.txt' => ''));
	is($status, 1, 'no migrations');
	($status, $out, $err) = run_script($db, '', '--nonsense');
	is($status, 2, 'an option that there is not');
	($status, $out, $err) = run_script($db, '', '--to', '77', '-y', folder('few', '1_one.sql' => "CREATE TABLE one (i int);\n"));
	is($status, 1, 'a version that there is not');
}

# 200 files with one in the middle that fails, in more than one line
{
	my $db = 'many';
	my %files = map { sprintf('%03d_n.sql', $_) => "CREATE TABLE n$_ (i int);\n" } (1 .. 200);
	my $folder = folder('many', %files, '100_n.sql' => "CREATE TABLE n100 (i int);\nDO \$\$BEGIN RAISE E'two\\nlines'; END\$\$;\n");
	my ($status, $out, $err);

	install($node, $db);
	($status, $out, $err) = run_script($db, '', '-y', $folder);
	is($status, 1, 'one of 200 fails');
	is(scalar(() = $out =~ /^\d+ of 200  applied  /mg), 99, 'those before it are told of');
	is($node->safe_psql($db, "SELECT string_agg(concat(status, ' ', n), ', ' ORDER BY status) FROM (SELECT status, count(*) AS n FROM migmgr.history GROUP BY status) AS h"),
		'applied 99, failed 1', 'and kept; nothing comes after it');
	($status, $out, $err) = run_script($db, '', '--plan', $folder);
	is($status, 0, 'what failed is pending');
	like($out, qr/^pending +100_n.sql: failed .*two lines$/m, 'it says why, in one line');
	like($out, qr/: 99 applied, 101 pending, 0 drifted\n/, 'the counts are right');
	folder('many', '100_n.sql' => $files{'100_n.sql'});
	($status, $out, $err) = run_script($db, '', '-y', $folder);
	is($status . $err, '0', 'corrected, it goes on');
	is($node->safe_psql($db, "SELECT count(*) FROM migmgr.history WHERE status = 'applied'"), '200', 'to the end');
}

# Ctrl-C while a migration waits
{
	my $db = 'cancelled';
	my $folder = folder('cancelled', '1_one.sql' => "CREATE TABLE one (i int);\n", '2_two.sql' => "-- migmgr:lock_timeout 60s\nALTER TABLE busy ADD j int;\n",
		'3_three.sql' => "CREATE TABLE three (i int);\n");
	my ($out, $err) = ('', '');
	my $blocker;

	install($node, $db);
	$node->safe_psql($db, 'CREATE TABLE busy (i int)');
	$blocker = $node->background_psql($db);
	$blocker->query_safe('BEGIN; LOCK TABLE busy');
	# a test that runs in the background has the signal ignored, and what it starts as well
	local $SIG{INT} = 'DEFAULT';
	my $script = IPC::Run::start([ 'migmgr-apply', '-y', '-d', $node->connstr($db), $folder ], '<', \'', '>', \$out, '2>', \$err);
	wait_until($node, $db, "SELECT EXISTS (SELECT FROM migmgr.progress WHERE version = '2' AND waiting_for IS NOT NULL)");
	$script->signal('INT');
	$script->finish;
	is($script->full_result >> 8, 130, 'Ctrl-C: the exit status says so');
	like($out, qr/1 of 3  applied  1 one/, 'what was done was told before');
	like($err, qr/ERROR: .*migration "2" failed at statement 1.*canceling statement due to user request/, 'the server has cancelled it');
	$blocker->quit;
	is($node->safe_psql($db, "SELECT string_agg(concat(version, ' ', status), ', ') FROM migmgr.history"), '1 applied, 2 failed', 'nothing comes after it');
	wait_until($node, $db, "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend')");
}

$node->stop;
done_testing();
