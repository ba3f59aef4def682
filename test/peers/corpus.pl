# corpus.pl DIRECTORY ...
#	  Real migrations there and back: see test/peers/corpus.
#
# VERBOSE=1 lists what came back equal, too.  FROM=VERSION and TO=VERSION set
# for which ones the way back is tried; those before are only applied.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(basename);
use File::Temp qw(tempdir);

$| = 1;
my $work = tempdir(CLEANUP => 1);
my $db;
my $options = $ENV{OPTIONS} || '{"skip_failed": true, "allow_out_of_order": true}';
my $no_schemas = q{n.nspname !~ '^(pg_|information_schema$|migmgr(_internal|_archive_\d+)?$)'};

sub slurp
{
	my ($path) = @_;
	open my $in, '<:raw', $path or die "$path: $!\n";
	local $/;
	my $text = <$in>;
	return defined $text ? $text : '';
}

sub spew
{
	my ($path, $text) = @_;
	open my $out, '>:raw', $path or die "$path: $!\n";
	print $out $text;
	close $out or die "$path: $!\n";
	return $path;
}

# Standard output, or undef and what was said on standard error.
sub run
{
	my (@command) = @_;
	my $pid = open(my $out, '-|');
	die "cannot fork: $!\n" unless defined $pid;
	if ($pid == 0)
	{
		open STDERR, '>:raw', "$work/stderr";
		exec @command or exit 127;
	}
	local $/;
	my $text = <$out>;
	close $out;
	return (defined $text ? $text : '', '') if $? == 0;
	return (undef, slurp("$work/stderr"));
}

# In one session of psql, each statement in a transaction of its own.
sub psql
{
	my ($sql, $base, @more) = @_;
	return run('psql', qw(-X -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=default -v SHOW_CONTEXT=never), @more,
		'-d', $base || $db, '-f', spew("$work/sql", "SET client_min_messages = error;\n$sql"));
}

sub quoted
{
	my ($text) = @_;
	my $tag = 'corpus';
	$tag .= '_' while index($text, "\$$tag\$") >= 0;
	return "\$$tag\$$text\$$tag\$";
}

# The files in order: [version, name of the file as migmgr reads it, text].
sub migrations
{
	my ($directory) = @_;
	my @found;
	foreach my $path (glob("$directory/*.sql $directory/*/migration.sql $directory/*/up.sql"))
	{
		my $name = basename($path);
		$name = (split m{/}, $path)[-2] if $name eq 'migration.sql' || $name eq 'up.sql';
		# Diesel's are in the order of their digits
		$name =~ s/^([\d-]+)/$1 =~ s{-}{}gr/e if $path =~ m{/up\.sql$};
		next if $name =~ /\.down\.sql$/ || $name =~ /^[Rr]__/ || $name !~ /^[VvUu]?\d/;
		$name =~ s/(\.up)?\.sql$//;
		my ($version, $rest) = $name =~ /^[Vv]?([0-9][0-9.\-]*(?:_[0-9.]+(?=__))?)(.*)$/ or next;
		$version =~ s/[.\-]+$//;
		$rest =~ s/^[_.\-]+//;
		(my $key = $version) =~ s/(\d+)/('0' x (40 - length $1)) . $1/ge;
		my $text = slurp($path);
		# what goes back is left out: it is to be derived
		$text =~ s/^--\s*(\+goose\s+down|\+migrate\s+down|migrate:down|migmgr:down)\b.*\z//ims;
		# Flyway's names say more than a number
		push @found, [ $key, $version, $rest, $text, basename($path) =~ /^V.*__/ ? basename($path) : undef ];
	}
	@found = sort { $a->[0] cmp $b->[0] || $a->[2] cmp $b->[2] } @found;
	my %seen;
	# two of one number
	foreach my $one (@found)
	{
		my $n = $seen{ $one->[1] }++;
		$one->[1] .= ".$n" if $n;
	}
	return map { [ $_->[1], $_->[4] || "$_->[1]_" . ($_->[2] eq '' ? 'x' : $_->[2]) . '.sql', $_->[3] ] } @found;
}

# What is compared: the schema, the rows, and how far sequences are.
sub state
{
	my ($schema, $error) = run('pg_dump', '--schema-only', '--exclude-schema=migmgr_archive_*', '-d', $db);
	die "pg_dump: $error" unless defined $schema;
	$schema =~ s/^\\(un)?restrict .*$//mg;
	# a time of day that a view has got instead of now()
	$schema =~ s/'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+[^']*'/'NOW'/g;
	# columns that come back come last, and what is said of them with them
	my $sorted = join "\n", sort map { s{,$}{}r } split /\n/, $schema;
	my ($rows, $said) = psql(<<"SQL");
SELECT concat(c.oid::pg_catalog.regclass, E'\\t', (xpath('//h/text()', query_to_xml(format(
         'SELECT concat(count(*), '' '', md5(string_agg(to_jsonb(t)::text, chr(10) ORDER BY to_jsonb(t)::text COLLATE "C"))) AS h FROM ONLY %s AS t', c.oid::pg_catalog.regclass), false, false, '')))[1])
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND $no_schemas ORDER BY 1;
SELECT concat('sequence ', s.schemaname, '.', s.sequencename, E'\\t', s.last_value)
  FROM pg_catalog.pg_sequences AS s JOIN pg_catalog.pg_namespace AS n ON n.nspname = s.schemaname
 WHERE $no_schemas ORDER BY 1;
SQL
	die "rows: $said" unless defined $rows;
	my (%rows, %sequences);
	foreach (split /\n/, $rows)
	{
		my ($what, $value) = split /\t/;
		next unless defined $value;
		if (s/^sequence //) { $sequences{$what} = $value }
		else { $rows{$what} = $value unless $value =~ /^0 / }
	}
	return { schema => $schema, sorted => $sorted, rows => \%rows, sequences => \%sequences };
}

# Lines of one text that the other lacks, as a few lines of a diff.
sub difference
{
	my ($one, $two) = @_;
	my (@lines, %count);
	$count{$_}++ foreach grep { /\S/ } split /\n/, $one;
	$count{$_}-- foreach grep { /\S/ } split /\n/, $two;
	foreach my $line (grep { /\S/ } split /\n/, $one) { if ($count{$line} > 0) { push @lines, "- $line"; $count{$line} = 0 } }
	foreach my $line (grep { /\S/ } split /\n/, $two) { if ($count{$line} < 0) { push @lines, "+ $line"; $count{$line} = 0 } }
	@lines = ('(the same lines in another order)') unless @lines;
	my $most = $ENV{LINES_SHOWN} || 12;
	splice @lines, $most, @lines - $most, '  ...' if @lines > $most;
	return join("\n", map { "      $_" } @lines) . "\n";
}

# Keys of two hashes whose values differ.
sub differing
{
	my ($one, $two) = @_;
	my %all = (%$one, %$two);
	return sort grep { ($one->{$_} // '') ne ($two->{$_} // '') } keys %all;
}

# A migration with roles made as it asks for them.
sub attempt
{
	my ($sql, $base, @more) = @_;
	my ($out, $error);
	for (1 .. 30)
	{
		($out, $error) = psql($sql, $base, @more);
		last if defined $out || $error !~ /role "([^"]+)" does not exist/;
		psql("CREATE ROLE \"$1\";", 'postgres');
	}
	return ($out, $error);
}

sub first_lines
{
	my ($error) = @_;
	$error =~ s/^psql:[^ ]* //mg;
	$error =~ s/\s+\z//;
	my @lines = split /\n/, $error;
	@lines = (@lines[ 0 .. 5 ], '...') if @lines > 7;
	return join ' / ', @lines;
}

sub fresh_database
{
	psql("DROP DATABASE IF EXISTS \"$db\" WITH (FORCE);", 'postgres');
	my (undef, $error) = psql("CREATE DATABASE \"$db\";", 'postgres');
	die $error if $error;
	(undef, $error) = psql("CREATE EXTENSION migmgr; SELECT migmgr.set_environment('development');");
	die $error if $error;
	return;
}

my %total;
my @table;
foreach my $directory (@ARGV)
{
	my $project = basename(abs_path($directory));
	my @all = migrations($directory);
	my %count = map { $_ => 0 } qw(files skipped refused equal order said rows seq wrong stopped again);
	my $trying = !$ENV{FROM};
	$db = "corpus_$project";
	my $keep = "${db}_keep";
	my @done;
	psql("DROP DATABASE IF EXISTS \"$keep\" WITH (FORCE);", 'postgres');
	fresh_database();
	if (-f "$directory/prelude.sql")
	{
		my (undef, $why) = attempt(slurp("$directory/prelude.sql"));
		die "prelude.sql: $why" if $why;
	}
	print "== $project: ", scalar(@all), " migrations\n";
	my $before = state();
	foreach my $one (@all)
	{
		my ($version, $file, $text) = @$one;
		my $next_trying = $trying || $version eq ($ENV{FROM} // '');
		$before = state() if $next_trying && !$trying;
		my $say = sub { printf "%s %s: %s\n", $_[0], $file, $_[1] };
		my $call = 'CALL migmgr.run(' . quoted($file) . ', ' . quoted($text) . ", options => '$options');";
		$count{files}++;
		my ($up, $said) = attempt($call);
		if (!defined $up)
		{
			psql("CREATE DATABASE \"$keep\" TEMPLATE \"$db\";", 'postgres');
			my ($plain, $why) = attempt($text, $keep, ($text =~ /CONCURRENTLY|^\s*(BEGIN|COMMIT)\b/mi ? () : '-1'));
			psql("DROP DATABASE \"$keep\" WITH (FORCE);", 'postgres');
			if (defined $plain)
			{
				$count{refused}++;
				$say->('REFUSED', first_lines($said));
				# on without it
				attempt($text, $db, ($text =~ /CONCURRENTLY|^\s*(BEGIN|COMMIT)\b/mi ? () : '-1'));
				push @done, $text;
				$before = state();
			}
			else
			{
				$count{skipped}++;
				$say->('skipped', 'fails in plain psql, too: ' . first_lines($why));
			}
			next;
		}
		($version) = split /\|/, $up;
		$trying = 1 if $ENV{FROM} && $version eq $ENV{FROM};
		if (!$trying)
		{
			push @done, $call;
			next;
		}
		my ($reversible) = psql("SELECT reversible FROM migmgr.history WHERE version = " . quoted($version) . ' LIMIT 1;');
		chomp $reversible;
		my $after = state();
		my $fine = 1;
		my $at_last;
		my $is_said = $reversible =~ /but|^no/;
		push @done, $call;
		my ($back, $no) = psql('SELECT * FROM migmgr.rollback(' . quoted($version) . ", 'corpus', on_data => '" . ($ENV{ON_DATA} || 'archive') . "');");
		# one that runs online goes on by itself
		for (my $n = 0; defined $back && $back =~ /\|queued\|/ && $n < 300; $n++)
		{
			my ($status) = psql("SELECT pg_catalog.pg_sleep(0.1); SELECT status FROM migmgr.history WHERE version = " . quoted($version) . ' LIMIT 1;');
			next if $status =~ /^(queued|running)/m;
			($back, $no) = (undef, $status) if $status =~ /^failed/m;
			last;
		}
		my $then = state();
		if (!defined $back)
		{
			$fine = 0;
			if ($then->{schema} ne $after->{schema} || differing($then->{rows}, $after->{rows}))
			{
				$count{wrong}++;
				$say->('WRONG', 'refused, and changed something: ' . first_lines($no));
			}
			elsif ($reversible =~ /^(no|nothing)/ && $after->{schema} eq $before->{schema} && !differing($after->{rows}, $before->{rows}))
			{
				$count{equal}++;
			}
			elsif ($is_said)
			{
				$count{said}++;
				$say->('said', "$reversible\n      " . first_lines($no));
			}
			else
			{
				$count{stopped}++;
				$say->('STOPPED', "$reversible\n      " . first_lines($no));
			}
		}
		else
		{
			my @rows = differing($then->{rows}, $before->{rows});
			my @sequences = differing($then->{sequences}, $before->{sequences});
			$count{seq}++ if @sequences;
			if ($then->{schema} eq $before->{schema} && !@rows)
			{
				$count{equal}++;
				$say->('equal', $reversible) if $ENV{VERBOSE};
			}
			elsif ($then->{sorted} eq $before->{sorted} && !@rows)
			{
				$count{order}++;
				$say->('order of columns', $reversible) if $ENV{VERBOSE};
			}
			elsif ($is_said && $then->{sorted} eq $before->{sorted})
			{
				$count{rows}++;
				$say->('rows', "@rows: $reversible");
			}
			elsif ($is_said)
			{
				$count{said}++;
				$say->('said', "$reversible\n" . difference($before->{sorted}, $then->{sorted}));
			}
			else
			{
				$fine = 0;
				$count{wrong}++;
				$say->('WRONG', "$reversible" . (@rows ? " rows of @rows" : '') . "\n" . ($then->{sorted} eq $before->{sorted} ? '' : difference($before->{sorted}, $then->{sorted})));
			}
			my ($again, $problem) = attempt($call);
			$at_last = defined $again ? state() : undef;
			if (!defined $again)
			{
				$fine = 0;
				$count{again}++;
				$say->('AGAIN', first_lines($problem));
			}
			elsif ($at_last->{sorted} ne $after->{sorted})
			{
				$fine = 0;
				$count{again}++;
				$say->('AGAIN', "$reversible\n" . difference($after->{sorted}, $at_last->{sorted}));
			}
			else
			{
				my @other = differing($at_last->{rows}, $after->{rows});
				if (my @lost = grep { ($at_last->{rows}{$_} // '0 ') =~ s/ .*//r ne ($after->{rows}{$_} // '0 ') =~ s/ .*//r } @other)
				{
					$fine = 0;
					$count{again}++;
					$say->('AGAIN', join ', ', map { "$_: " . ($after->{rows}{$_} // 'no row') . ' then, ' . ($at_last->{rows}{$_} // 'no row') . ' now' } @lost);
				}
			}
			$fine &&= $at_last->{schema} eq $after->{schema};
		}
		# on from where it was, whatever became of it
		if (!$fine)
		{
			fresh_database();
			psql($_) foreach @done;
		}
		$before = $fine && $at_last ? $at_last : state();
		last if $ENV{TO} && $version eq $ENV{TO};
	}
	$total{$_} += $count{$_} foreach keys %count;
	push @table, [ $project, \%count ];
	psql("DROP DATABASE IF EXISTS \"$_\" WITH (FORCE);", 'postgres') foreach $ENV{KEEP} ? () : ($db, $keep);
}

my @columns = qw(files skipped refused equal order rows said stopped wrong again seq);
printf "\n%-24s%s\n", 'project', join '', map { sprintf '%8s', $_ } @columns;
foreach my $row (@table, [ 'all', \%total ])
{
	printf "%-24s%s\n", $row->[0], join '', map { sprintf '%8d', $row->[1]{$_} // 0 } @columns;
}
exit(($total{wrong} || $total{again} || $total{stopped} || $total{refused}) ? 1 : 0);
