# undo() on migrations made at random from a pool of statements over all kinds
# of objects: up, the SQL that undo() derives from the descriptions before and
# after, and the fingerprint must be the one before.  Where it is not, undo()
# must have said what does not come back.  On some of them pg_dump is asked as
# well.
#
# The same ones each time; SEED=n begins elsewhere, STEPS=n sets how many.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $seed = $ENV{SEED} || 1;
my $steps = $ENV{STEPS} || 60;
my $dumped = $ENV{DUMPED} || 5;
diag("seed $seed");

my $db = 'undo';
my $node = new_node('undo', conf => "jit = off\nfsync = off");
install($node, $db);
$node->safe_psql($db, <<'SQL');
SELECT migmgr.set_environment('development');
CREATE ROLE regress_migmgr_reader_u;
CREATE ROLE regress_migmgr_writer_u;
CREATE ROLE regress_migmgr_super_u SUPERUSER;
SQL
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-f', 'test/include/undo.sql' ], 'the pool of statements');
$node->safe_psql($db, 'SELECT undo_base()');

my $last = $seed + $steps - 1;
$node->safe_psql($db, "CREATE TABLE public.result AS SELECT seed, c.* FROM generate_series($seed, $last) AS seed, public.undo_check(public.undo_migration(seed)) AS c");
diag($node->safe_psql($db, <<'SQL'));
SELECT format('of %s migrations %s came back equal, %s with what is irreversible named, %s did not; %s statements, %s to undo them', count(*),
  count(*) FILTER (WHERE outcome = 'equal'), count(*) FILTER (WHERE outcome = 'explained'), count(*) FILTER (WHERE outcome NOT IN ('equal', 'explained')),
  sum(cardinality(ran)), sum(cardinality(undone))) FROM public.result
SQL
is($node->safe_psql($db, <<'SQL'), '', 'every migration leads back, or it is said what does not');
SELECT concat(E'seed ', seed, ': ', outcome, E'\n  ', array_to_string(ran, E';\n  '), E'\n  undo: ', array_to_string(undone, E';\n  '), E'\n  ', detail)
  FROM public.result WHERE outcome NOT IN ('equal', 'explained')
SQL
cmp_ok($node->safe_psql($db, "SELECT count(*) FROM public.result WHERE outcome = 'equal'"), '>=', $steps * 0.8, 'most come back whole');

# with pg_dump: the same up and down, for real
sub dump_schema
{
	my ($dump) = run_command([ 'pg_dump', '--schema-only', '--exclude-schema=public', '-d', $node->connstr($db) ]);
	$dump =~ s/^\\(un)?restrict .*$//mg;
	return $dump;
}
my $before = dump_schema();
my $ok = 0;
my @seeds = split /\n/, $node->safe_psql($db, <<"SQL");
SELECT seed FROM public.result WHERE outcome = 'equal' AND notes = '{}' AND undone <> '{}' ORDER BY seed LIMIT $dumped
SQL
foreach my $n (@seeds)
{
	$node->safe_psql($db, <<"SQL");
SET client_min_messages = error;
SET check_function_bodies = off;
DO \$do\$
DECLARE
  s text;
BEGIN
  FOREACH s IN ARRAY (SELECT ran || undone FROM public.result WHERE seed = $n) LOOP
    EXECUTE s;
  END LOOP;
END
\$do\$
SQL
	is(dump_schema(), $before, "seed $n: pg_dump finds no difference") or last;
}

$node->stop;
done_testing();
