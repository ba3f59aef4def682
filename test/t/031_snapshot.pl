# Every change of the schema in test/include/changes.sql gives another
# fingerprint.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $db = 'snapshot';
my $node = new_node('snapshot', conf => "jit = off\nfsync = off");
install($node, $db);
$node->safe_psql($db, <<'SQL');
SELECT migmgr.set_environment('development');
CREATE ROLE regress_migmgr_snap_reader;
CREATE ROLE "regress migmgr ""Snap""";
SQL
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), map { ('-f', "test/include/$_.sql") } qw(app changes) ], 'the changes');
$node->safe_psql($db, 'SELECT public.make_app()');
cmp_ok($node->safe_psql($db, 'SELECT count(*) FROM public.change'), '>', 90, 'there are many');
is($node->safe_psql($db, <<'SQL'), '', 'each of them shows');
SET client_min_messages = error;
SELECT c.sql, u.why FROM migmgr.schema_fingerprint() AS f(was), public.change AS c, public.unseen(c.sql, f.was) AS u(why) WHERE u.why IS NOT NULL ORDER BY c.n
SQL

$node->stop;
done_testing();
