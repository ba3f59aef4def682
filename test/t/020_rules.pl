# Every statement and every ALTER TABLE sub-command that this server knows has
# a row in the guard's rule tables: a new major is noticed here first.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $include = PostgreSQL::Test::Cluster->new('rules')->config_data('--includedir-server');
my $rules = slurp_file('src/classify_rules.c') . slurp_file('src/compat.h');

# nodes that no client sends: they are parts of others, or made by the planner
my %inner = map { $_ => 1 } qw(PlannedStmt RawStmt ReplicaIdentityStmt);

my $tags = -e "$include/nodes/nodetags.h" ? 'nodetags.h' : 'nodes.h';
my %statements = map { $_ => 1 } slurp_file("$include/nodes/$tags") =~ /\bT_(\w+Stmt)\b/g;
cmp_ok(scalar(keys %statements), '>', 100, 'the server knows statements');
my @missing = grep { !$inner{$_} && $rules !~ /\[T_$_\]/ } sort keys %statements;
is("@missing", '', 'every statement has a rule');

my ($enum) = slurp_file("$include/nodes/parsenodes.h") =~ /typedef enum AlterTableType\s*\{(.*?)\}/s;
my @commands = $enum =~ /^\s*(AT_\w+)/mg;
cmp_ok(scalar(@commands), '>', 60, 'the server knows sub-commands of ALTER TABLE');
@missing = grep { $rules !~ /\[$_\]/ } @commands;
is("@missing", '', 'every sub-command of ALTER TABLE has a rule');
is($commands[-1], 'AT_ReAddStatistics', 'the last one is the last that alter_rule_gaps() asks for');

done_testing();
