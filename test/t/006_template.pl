# A database copied by CREATE DATABASE ... TEMPLATE is not the ledger's home,
# a renamed one still is, and a new CREATE EXTENSION begins a new ledger.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MigmgrTest;

my $node = new_node('template');

install($node, 'live');
apply($node, 'live', '001', 'CREATE TABLE t1 (i int)', "rollback_sql => 'DROP TABLE t1'");
$node->safe_psql('live', "SELECT migmgr.set_environment('development')");
my $records = records($node, 'live');

$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE live');
is(records($node, 'copy'), $records, 'a copy has equal records');
state_is($node, 'copy', 'restored', 'copy');
like(verify_fails($node, 'copy'), qr/\Ahome \|[^\n]*\Z/, 'verify() fails for that alone');
is($node->safe_psql('copy', 'SELECT migmgr.environment()'), 'production',
	'a copy of development is in production again');
like(error_of($node, 'copy', "SELECT migmgr.apply('002', 'x', 'CREATE TABLE t2 (i int)')"),
	qr/MG303: .*copied.*HINT:  .*resume/s, 'no apply before resume()');
like(error_of($node, 'copy', "SELECT migmgr.rollback('001')"), qr/MG303/, 'no rollback');
like(error_of($node, 'copy', "SELECT migmgr.set_environment('staging')"), qr/MG303/, 'no setting');
is(error_of($node, 'copy', 'CREATE TABLE by_hand (i int); DROP TABLE by_hand'), '', 'DDL is observed only');
is(records($node, 'copy'), $records, 'none of it left a record');
is($node->safe_psql('copy', "SELECT to_regclass('t2'), to_regclass('t1')"), '|t1', 'nor anything else');

like(error_of($node, 'copy', "SELECT migmgr.resume(NULL)"), qr/22004/, 'resume() needs a reason');
like(error_of($node, 'copy', "SELECT migmgr.resume('')"), qr/22004/, 'one that says something');
like($node->safe_psql('copy', "SELECT migmgr.resume('a copy for staging')"), qr/resumed/, 'resumed');
like($node->safe_psql('copy', "SELECT migmgr.resume('again')"), qr/nothing to resume/, 'once');
state_is($node, 'copy', 'in force', 'resumed copy');
verify_ok($node, 'copy', 'resumed copy');
is($node->safe_psql('copy',
		"SELECT detail::jsonb ->> 'reason', detail::jsonb ->> 'database' FROM migmgr.ledger ORDER BY seq DESC LIMIT 1"),
	'a copy for staging|copy', 'the reason is in the ledger');
like(error_of($node, 'copy', 'DROP TABLE t1'), qr/MG101/, 'the guard is in force');
is(apply($node, 'copy', '002', 'CREATE TABLE t2 (i int)'), 'applied', 'apply goes on');
is($node->safe_psql('copy', "SELECT status FROM migmgr.rollback('001')"), 'rolled back',
	'what the original applied can be taken back');
verify_ok($node, 'copy', 'copy, at the end');

# A session that knew the old state learns of the new one.
$node->safe_psql('postgres', 'CREATE DATABASE second TEMPLATE copy');
my $session = $node->background_psql('second');
is($session->query_safe('SELECT migmgr_internal.ledger_state()'), 'restored', 'second copy, first session');
$node->safe_psql('second', "SELECT migmgr.resume('from another session')");
is($session->query_safe('SELECT migmgr_internal.ledger_state()'), 'in force', 'second copy, told to the first');
$session->quit;

# A damaged copy is not resumed.
$node->safe_psql('postgres', 'CREATE DATABASE damaged TEMPLATE copy');
$node->safe_psql('damaged', "UPDATE pg_trigger SET tgenabled = 'D' WHERE tgname = 'row_guard'");
$node->safe_psql('damaged', "UPDATE migmgr.ledger SET name = 'other' WHERE seq = 2");
$node->safe_psql('damaged', "UPDATE pg_trigger SET tgenabled = 'A' WHERE tgname = 'row_guard'");
like(error_of($node, 'damaged', "SELECT migmgr.resume('x')"), qr/MG302: .*entry 2/, 'a damaged copy is refused');
state_is($node, 'damaged', 'restored', 'damaged copy');

# The original has noticed nothing; a new name changes nothing.
is(records($node, 'live'), $records, 'the original is as it was');
$node->safe_psql('postgres', 'ALTER DATABASE live RENAME TO renamed');
state_is($node, 'renamed', 'in force', 'renamed');
is($node->safe_psql('renamed', 'SELECT migmgr.environment()'), 'development', 'renamed: the environment stays');
verify_ok($node, 'renamed', 'renamed');

# A new extension has a new ledger.
$node->safe_psql('renamed', <<'SQL');
SELECT FROM migmgr.unprotect('a new beginning', '1 minute');
DROP EXTENSION migmgr;
SQL
$node->safe_psql('renamed', 'CREATE EXTENSION migmgr');
state_is($node, 'renamed', 'new', 'created again');
is(apply($node, 'renamed', '002', 'CREATE TABLE t2 (i int)'), 'applied', 'created again: apply begins');
state_is($node, 'renamed', 'in force', 'created again');
is($node->safe_psql('renamed', "SELECT string_agg(event, ' ' ORDER BY seq) FROM migmgr.ledger"),
	'epoch applied', 'created again: a ledger of its own');
verify_ok($node, 'renamed', 'created again');

$node->stop;
done_testing();
