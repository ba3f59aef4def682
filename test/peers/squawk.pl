# squawk.pl PROGRAM
#	  The table of test/peers/squawk, in an empty database.
#
# What a script does to a table with rows is what the server does when it runs
# (test/t/010_accuracy.pl measures it): "stop" scripts lose something, break
# running code, refuse rows that are accepted now, or block and rewrite in
# proportion to the table; "go" scripts do none of that.  A mark on a "stop"
# script is right, one on a "go" script is a false alarm.
#
# migmgr marks what production asks or denies.  Every populated table counts as
# large here (migmgr.small_relation is 0), since a linter cannot know sizes.
# squawk gets the server's version, and is spared its rules of taste: those on
# names, types and timeouts, which say nothing about the statement.
use strict;
use warnings;
use JSON::PP qw(decode_json);

my ($squawk) = @ARGV;
my @taste = qw(prefer-bigint-over-int prefer-bigint-over-smallint prefer-identity prefer-robust-stmts prefer-text-field
  prefer-timestamptz ban-char-field require-timeout-settings require-lock-timeout require-statement-timeout
  require-table-schema identifier-too-long ban-create-domain-with-constraint);

# t has rows, e has none, both exist; new_t is made by the script itself.
my $fixture = <<'SQL';
CREATE EXTENSION migmgr;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN plain_domain AS int;
CREATE DOMAIN hard_domain AS int CHECK (VALUE > 0);
CREATE FUNCTION vol() RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION imm(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END';
CREATE FUNCTION indexed(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION trg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE ref (id int PRIMARY KEY);
INSERT INTO ref SELECT generate_series(1, 1000);
CREATE TABLE t (id int PRIMARY KEY, a int, b text, c varchar(10), ch char(5), d numeric(10,2), ts timestamp, em mood,
  proven int CHECK (proven IS NOT NULL), n int NOT NULL DEFAULT 1, ref_id int REFERENCES ref, free int,
  kept varchar(10) CHECK (kept <> ''));
INSERT INTO t SELECT g, g, 'b', 'c', 'c', g, now(), 'ok', g, g, g, g, 'k' FROM generate_series(1, 1000) AS g;
CREATE TABLE e (LIKE t INCLUDING ALL);
CREATE INDEX t_a ON t (a);
CREATE INDEX t_f ON t (indexed(a));
CREATE UNIQUE INDEX t_uniq ON t (id, n);
ALTER TABLE t ADD CONSTRAINT later CHECK (a > 0) NOT VALID;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY pol ON t AS RESTRICTIVE USING (true);
CREATE TABLE p (id int, a int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000);
CREATE TABLE loose (id int, a int);
INSERT INTO loose SELECT g, g FROM generate_series(1000, 1100) AS g;
CREATE TABLE fits (id int, a int, CHECK (id IS NOT NULL AND id >= 1000 AND id < 2000));
INSERT INTO fits SELECT g, g FROM generate_series(1000, 1100) AS g;
CREATE TABLE bare (id int);
INSERT INTO bare VALUES (1);
CREATE VIEW v WITH (security_barrier) AS SELECT id FROM t;
CREATE MATERIALIZED VIEW mv AS SELECT id FROM t;
CREATE ROLE someone;
ANALYZE;
SQL

my @groups = (
	[ 'a table with rows: what hurts', 'stop', <<'SQL' ],
ALTER TABLE t DROP COLUMN b;
DROP TABLE t CASCADE;
TRUNCATE t;
DELETE FROM t;
UPDATE t SET a = 1 WHERE true;
ALTER TABLE t RENAME COLUMN a TO aa;
ALTER TABLE t RENAME TO tt;
ALTER TABLE t SET SCHEMA information_schema;
DROP VIEW v;
DROP FUNCTION imm(int);
DROP INDEX t_a;
ALTER TYPE mood RENAME VALUE 'ok' TO 'fine';
ALTER TABLE t ADD COLUMN x int NOT NULL;
ALTER TABLE t ADD COLUMN x int DEFAULT vol();
ALTER TABLE t ADD COLUMN x uuid DEFAULT gen_random_uuid();
ALTER TABLE t ADD COLUMN x bigserial;
ALTER TABLE t ADD COLUMN x bigint GENERATED ALWAYS AS IDENTITY;
ALTER TABLE t ADD COLUMN x int GENERATED ALWAYS AS (a + 1) STORED;
ALTER TABLE t ADD COLUMN x hard_domain;
ALTER TABLE t ADD COLUMN x int UNIQUE;
ALTER TABLE t ADD COLUMN x int CHECK (x > 0);
ALTER TABLE t ADD COLUMN x int DEFAULT 1 REFERENCES ref;
ALTER TABLE t ALTER COLUMN free TYPE bigint;
ALTER TABLE t ALTER COLUMN ch TYPE text;
ALTER TABLE t ALTER COLUMN em TYPE text;
ALTER TABLE t ALTER COLUMN d TYPE numeric(12,3);
ALTER TABLE t ALTER COLUMN kept TYPE varchar(20);
ALTER TABLE t ALTER COLUMN free SET NOT NULL;
ALTER TABLE t ALTER COLUMN n DROP DEFAULT;
ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0);
ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES ref;
ALTER TABLE t ADD CONSTRAINT k UNIQUE (a);
ALTER TABLE t ADD CONSTRAINT k EXCLUDE USING btree (a WITH =);
ALTER TABLE t DROP CONSTRAINT t_pkey;
ALTER TABLE t SET UNLOGGED;
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
DROP POLICY pol ON t;
CREATE POLICY q ON t AS RESTRICTIVE USING (a > 1);
ALTER TABLE t DISABLE TRIGGER ALL;
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trg();
CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING;
CREATE OR REPLACE VIEW v AS SELECT id FROM t;
CREATE OR REPLACE FUNCTION indexed(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT -$1';
CREATE INDEX ON t (free);
CREATE UNIQUE INDEX ON t (free);
REINDEX TABLE t;
CLUSTER t USING t_pkey;
REFRESH MATERIALIZED VIEW mv WITH NO DATA;
ALTER TABLE p ATTACH PARTITION loose FOR VALUES FROM (1000) TO (2000);
ALTER TABLE p DETACH PARTITION p1;
CREATE PUBLICATION pub FOR TABLE bare;
GRANT SELECT ON t TO PUBLIC;
REVOKE ALL ON t FROM someone;
LOCK TABLE t IN ACCESS EXCLUSIVE MODE;
ALTER SEQUENCE s RESTART WITH 1;
SQL
	[ 'a table with rows: what does not', 'go', <<'SQL' ],
ALTER TABLE t ADD COLUMN x int;
ALTER TABLE t ADD COLUMN x int NOT NULL DEFAULT 5;
ALTER TABLE t ADD COLUMN x timestamptz DEFAULT now();
ALTER TABLE t ADD COLUMN x timestamptz DEFAULT now() - interval '1 day';
ALTER TABLE t ADD COLUMN x int[] DEFAULT ARRAY[1, 2];
ALTER TABLE t ADD COLUMN x int DEFAULT imm(3);
ALTER TABLE t ADD COLUMN x plain_domain DEFAULT 3;
ALTER TABLE t ADD COLUMN IF NOT EXISTS a int NOT NULL;
ALTER TABLE t DROP COLUMN IF EXISTS nope;
DROP TABLE IF EXISTS nope;
DROP INDEX IF EXISTS nope;
ALTER TABLE t ALTER COLUMN n SET NOT NULL;
ALTER TABLE t ALTER COLUMN n DROP NOT NULL;
ALTER TABLE t ADD CONSTRAINT k CHECK (n > 0) NOT ENFORCED;
ALTER TABLE t VALIDATE CONSTRAINT later;
ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX t_uniq;
ALTER TABLE t SET (fillfactor = 70);
ALTER TABLE p ATTACH PARTITION fits FOR VALUES FROM (1000) TO (2000);
ALTER TYPE mood ADD VALUE 'great';
CREATE INDEX CONCURRENTLY ON t (free);
CREATE INDEX IF NOT EXISTS t_a ON t (a);
CREATE VIEW w AS SELECT id FROM t;
COMMENT ON TABLE t IS 'x';
CREATE TEMPORARY TABLE tmp (id int); DROP TABLE tmp;
DROP POLICY pol ON t; CREATE POLICY pol ON t AS RESTRICTIVE USING (true);
SQL
	[ 'an empty table', 'go', <<'SQL' ],
CREATE INDEX ON e (free);
CREATE UNIQUE INDEX ON e (free);
ALTER TABLE e ADD COLUMN x int NOT NULL;
ALTER TABLE e ADD COLUMN x bigserial;
ALTER TABLE e ADD COLUMN x uuid DEFAULT gen_random_uuid();
ALTER TABLE e ADD COLUMN x int GENERATED ALWAYS AS (a + 1) STORED;
ALTER TABLE e ADD COLUMN x int UNIQUE;
ALTER TABLE e ADD COLUMN x int CHECK (x > 0);
ALTER TABLE e ALTER COLUMN free SET NOT NULL;
ALTER TABLE e ADD CONSTRAINT k CHECK (a > 0);
ALTER TABLE e ADD CONSTRAINT k UNIQUE (a);
ALTER TABLE e ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES ref;
ALTER TABLE e ADD CONSTRAINT k EXCLUDE USING btree (a WITH =);
SQL
	[ 'a table that the script makes', 'go', <<'SQL' ],
CREATE TABLE new_t (id int PRIMARY KEY, a int); CREATE INDEX ON new_t (a);
CREATE TABLE new_t (id int PRIMARY KEY, a int); CREATE UNIQUE INDEX ON new_t (a);
CREATE TABLE new_t (id int PRIMARY KEY, a int REFERENCES ref);
CREATE TABLE new_t (id int PRIMARY KEY, a int); ALTER TABLE new_t ADD CONSTRAINT k CHECK (a > 0);
CREATE TABLE new_t (id int PRIMARY KEY, a int); ALTER TABLE new_t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES ref;
CREATE TABLE new_t (id int PRIMARY KEY, a int); ALTER TABLE new_t ADD COLUMN x int NOT NULL;
CREATE TABLE new_t (id int PRIMARY KEY, a int); ALTER TABLE new_t ADD COLUMN x bigserial;
CREATE TABLE new_t (id int PRIMARY KEY, a int); ALTER TABLE new_t ALTER COLUMN a SET NOT NULL;
CREATE TABLE new_t (id int PRIMARY KEY, a int); ALTER TABLE new_t ALTER COLUMN a TYPE bigint;
CREATE TABLE new_t (id int PRIMARY KEY, a int); ALTER TABLE new_t DROP COLUMN a;
CREATE TABLE new_t (id int PRIMARY KEY, a int); ALTER TABLE new_t RENAME COLUMN a TO aa;
CREATE TABLE new_t (id int PRIMARY KEY, a int); ALTER TABLE new_t RENAME TO newer_t; DROP TABLE newer_t;
CREATE TABLE new_t (id int PRIMARY KEY, a int); TRUNCATE new_t;
CREATE TABLE new_t AS SELECT * FROM ref; CREATE INDEX ON new_t (id);
CREATE SCHEMA ns; CREATE TABLE ns.t (id int, a int); ALTER TABLE ns.t ALTER COLUMN a SET NOT NULL;
SQL
);

open my $setup, '|-', 'psql', '-Xqo', '/dev/null', '-v', 'ON_ERROR_STOP=1' or die "psql: $!";
print {$setup} "SET client_min_messages = error;\n$fixture\nCREATE SEQUENCE s;\n";
close $setup or die 'the tables cannot be made';
my ($major) = `psql -XAtc "SHOW server_version_num"` =~ /^(\d+)\d{4}$/;

# The rules by which squawk marks a script.
sub squawk_rules
{
	my ($sql) = @_;
	my $file = "$ENV{SANDBOX}/case.sql";
	my %seen;

	open my $out, '>', $file or die "$file: $!";
	print {$out} "$sql\n";
	close $out or die "$file: $!";
	my $json = qx("$squawk" --pg-version=$major.0 --assume-in-transaction --reporter=json -e "@{[join ',', @taste]}" "$file" 2>/dev/null);
	$seen{ $_->{rule_name} } = 1 for @{ decode_json($json || '[]') };
	return sort keys %seen;
}

# The rules by which production refuses a script.
sub migmgr_rules
{
	my ($sql) = @_;
	my %seen;

	open my $in, '-|', 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-c', q(SET migmgr.small_relation = 0), '-c',
	  "SELECT rule FROM migmgr.plan(\$sql\$$sql\$sql\$, 'production') WHERE action IN ('ask', 'deny')"
	  or die "psql: $!";
	while (my $line = <$in>) { chomp $line; $seen{$line} = 1; }
	close $in or die "plan() fails: $sql";
	return sort keys %seen;
}

my (@sums, $failed);
printf "%-100s %-5s %-44s %s\n", 'script', '', 'squawk', 'migmgr';
foreach my $group (@groups)
{
	my ($title, $truth, $scripts) = @$group;
	my %sum = (title => $title, truth => $truth, scripts => 0, squawk => 0, migmgr => 0);

	print "\n$title\n";
	foreach my $sql (split /\n/, $scripts)
	{
		next if $sql =~ /NOT ENFORCED/ && $major < 18;
		my @theirs = squawk_rules($sql);
		my @ours = migmgr_rules($sql);
		my $right = (@ours > 0) == ($truth eq 'stop');

		$sum{scripts}++;
		$sum{squawk}++ if @theirs;
		$sum{migmgr}++ if @ours;
		$failed++ unless $right;
		printf "%-100s %-5s %-44s %s%s\n", $sql, $truth, join(' ', @theirs) || '-', join(' ', @ours) || '-',
		  $right ? '' : '   <- WRONG';
	}
	push @sums, \%sum;
}

printf "\n%-36s %8s %24s %24s\n", '', 'scripts', 'squawk', 'migmgr';
foreach my $sum (@sums)
{
	my $word = $sum->{truth} eq 'stop' ? 'flagged' : 'false alarms';

	printf "%-36s %8d %24s %24s\n", $sum->{title}, $sum->{scripts},
	  map { "$sum->{$_} $word" } qw(squawk migmgr);
}
exit($failed ? 1 : 0);
