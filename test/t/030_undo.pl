# Migrations made at random from a pool of statements over all kinds of objects:
# apply, rollback by the derived way back, apply again.  The schema must be what
# it was, and then what the migration made of it; where it is not, the entry of
# the migration must say why.  On some of them pg_dump is asked as well.
#
# The same ones each time; SEED=n begins elsewhere, STEPS=n sets how many.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $seed = $ENV{SEED} || 1;
my $steps = $ENV{STEPS} || 300;
my $dumped = $ENV{DUMPED} || 4;
diag("seed $seed");

my $node = new_node('undo', conf => "jit = off\nfsync = off\nautovacuum = off");
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_migmgr_reader_u;
CREATE ROLE regress_migmgr_writer_u;
CREATE ROLE regress_migmgr_super_u SUPERUSER;
SQL

# half of them each, side by side
my @dbs = ('undo_0', 'undo_1');
foreach my $db (@dbs)
{
	install($node, $db);
	$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-f', 'test/include/undo.sql', '-c', 'SELECT undo_base()',
		'-c', "SELECT migmgr.set_environment('development')" ], 'the pool of statements');
}
my $last = $seed + $steps - 1;
my @runs = map {
	IPC::Run::start([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($dbs[$_]), '-c',
		"CREATE TABLE public.result AS SELECT seed, c.* FROM (SELECT migmgr.schema_fingerprint() AS was OFFSET 0) AS f, generate_series($seed + $_, $last, 2) AS seed, public.undo_trip(public.undo_migration(seed), was) AS c" ])
} (0, 1);
ok($_->finish, 'there, back, and there again') foreach @runs;

sub both
{
	my ($query) = @_;
	return map { split /\n(?=seed )/, $node->safe_psql($_, $query) } @dbs;
}

my @explained = both(<<'SQL');
SELECT format('seed %s: irreversible, because %s', seed, regexp_replace(reversible, '^.*?(but|no): ', '')) FROM public.result WHERE outcome = 'explained'
SQL
my @wrong = both(<<'SQL');
SELECT concat(E'seed ', seed, ': ', outcome, E'\n  ', array_to_string(ran, E';\n  '), E'\n  ', reversible, E'\n  ', detail)
  FROM public.result WHERE outcome NOT IN ('equal', 'explained')
SQL
my $equal = 0;
$equal += $node->safe_psql($_, "SELECT count(*) FROM public.result WHERE outcome = 'equal'") foreach @dbs;
diag($_) foreach @explained;
diag(sprintf 'of %d migrations %d came back equal, %d with what is irreversible named, %d did not', $steps, $equal, scalar @explained, scalar @wrong);
is(join("\n", @wrong), '', 'every migration leads back, or it is said what does not');
is($equal + @explained, $steps, 'all were tried');
cmp_ok($equal, '>=', $steps * 0.95, 'nearly all come back whole');

# with pg_dump
sub dump_schema
{
	my ($dump) = run_command([ 'pg_dump', '--schema-only', '--exclude-schema=public', '-d', $node->connstr($dbs[0]) ]);
	$dump =~ s/^\\(un)?restrict .*$//mg;
	return $dump;
}
my $before = dump_schema();
my @seeds = split /\n/, $node->safe_psql($dbs[0], <<"SQL");
SELECT seed FROM public.result WHERE outcome = 'equal' AND reversible !~ 'but|^no' ORDER BY cardinality(ran) DESC, seed LIMIT $dumped
SQL
foreach my $n (@seeds)
{
	$node->safe_psql($dbs[0], <<"SQL");
SET client_min_messages = error;
SET check_function_bodies = off;
SELECT FROM migmgr.apply('$n', 'trip', (SELECT array_to_string(ran, ';') FROM public.result WHERE seed = $n), options => '{"allow_out_of_order": true}');
SQL
	my $between = dump_schema();
	$node->safe_psql($dbs[0], "SELECT FROM migmgr.rollback('$n', 'trip', on_data => 'discard')");
	isnt($between, $before, "seed $n: pg_dump finds a difference");
	is(dump_schema(), $before, "seed $n: and then none") or last;
}

$node->stop;
done_testing();
