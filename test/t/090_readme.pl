# The README says what is true: its example prints what it prints, and its
# reference has every function, view, setting and SQLSTATE.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# The example runs in this folder, by shell and psql as a reader would.
my $readme = slurp_file('README.md');
my $manual = slurp_file('doc/manual.md');
my $errors = slurp_file('src/errors.h');

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE shop');
my $folder = PostgreSQL::Test::Utils::tempdir;

# Times and the role are the machine's.
sub masked
{
	my ($text) = @_;

	$text =~ s/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/TIME/g;
	$text =~ s/TIME by \w+/TIME by ROLE/g;
	return $text;
}

# What the command prints, on both channels in their order; blanks at line
# ends are no part of it.
sub printed
{
	my ($command, $input) = @_;
	my $output = '';

	IPC::Run::run($command, '<', \$input, '>&', \$output,
		init => sub { chdir $folder or die "$folder: $!" });
	$output =~ s/[ \t]+$//mg;
	$output =~ s/\n+\z/\n/;
	return $output;
}

# Runs the blocks of a text, and compares what is shown after them.  What
# differs is collected, so that the right text can be copied from the log.
my $variables = '';
my %differs;

sub check_blocks
{
	my ($name, $example) = @_;
	my $shown = '';
	my $number = 0;

	while ($example =~ /^```(\w+)\n(.*?)^```$/msg)
	{
		my ($language, $text) = ($1, $2);

		if ($language eq 'sh')
		{
			printed([ 'sh', '-e' ], $text);
			is($?, 0, 'the shell commands run');
		}
		elsif ($language eq 'sql')
		{
			$number++;
			$shown = printed([ 'psql', '-X', '-d', $node->connstr('shop') ],
				$variables . $text);
			# Variables live as long as psql does, so each gets them.
			$variables .= "$_\n" foreach $text =~ /^(\\set .*)$/mg;
		}
		else
		{
			is(masked($shown), masked($text),
				"block $number of the $name prints what is shown")
			  or $differs{$text} = $shown;
		}
	}
	return $number;
}

my ($example) = $readme =~ /^## Five minutes\n(.*?)^## /ms
  or BAIL_OUT('README.md has no section "Five minutes"');
cmp_ok(check_blocks('example', $example), '>=', 5, 'the example has its blocks');
cmp_ok(check_blocks('manual', $manual), '>=', 1, 'the manual has its blocks');
# What stands on top is of the example.
my ($top) = $readme =~ /^```\n\w+=# ALTER.*?\n(.*?)^```/ms;
ok(index($example, $top) > 0, 'the refusal on top is that of the example');

if (%differs)
{
	my $right = $readme;

	$right =~ s/\Q$_\E/$differs{$_}/ foreach keys %differs;
	append_to_file(($ENV{TESTLOGDIR} || "$ENV{TESTDIR}/tmp_check/log") . '/README.md', $right);
}

# Reference
my $functions = $node->safe_psql('shop',
	q{SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'migmgr'::regnamespace ORDER BY 1});
ok($readme =~ /`(?:CALL )?\Q$_\E\(/, "README has function $_")
  foreach split /\n/, $functions;
my $relations = $node->safe_psql('shop',
	q{SELECT relname FROM pg_class WHERE relnamespace = 'migmgr'::regnamespace AND relkind IN ('r', 'v') ORDER BY 1});
ok($readme =~ /^\| `\Q$_\E` \|/m, "README has table or view $_")
  foreach split /\n/, $relations;
my $settings = $node->safe_psql('shop',
	q{LOAD 'migmgr'; SELECT name FROM pg_settings WHERE name LIKE 'migmgr.%' ORDER BY 1});
ok($readme =~ /^### `\Q$_\E`$/m, "README has setting $_")
  foreach split /\n/, $settings;
my @states = $errors =~ /('M','G','\d','\d','\d')/g;
s/[',]//g foreach @states;
cmp_ok(scalar @states, '>', 30, 'errors.h has its SQLSTATEs');
ok($readme =~ /^\| `$_` \|/m, "README has SQLSTATE $_") foreach @states;

# Levels are those of the contract; a table's is that of reading it.
my $access = $node->safe_psql('shop',
	q{SELECT DISTINCT ON (1) substring(object from '^migmgr\.([a-z_]+)'), level FROM migmgr_internal.access()
	  WHERE object LIKE 'migmgr.%' ORDER BY 1, privilege = 'SELECT' DESC});
foreach my $line (split /\n/, $access)
{
	my ($name, $level) = split /\|/, $line;
	ok($readme =~ /^\| `(?:CALL )?\Q$name\E(?:\([^`]*)?` \| $level \|/m,
		"README has $name at level $level");
}

# No function is shown that does not exist.
my %exists = map { $_ => 1 } split /\n/, "$functions\n$relations";
foreach my $text ($readme, $manual)
{
	my %named = map { $_ => 1 } $text =~ /\bmigmgr\.([a-z_]+)\(/g;
	ok($exists{$_}, "function $_ exists") foreach sort keys %named;
}

$node->stop;
done_testing();
