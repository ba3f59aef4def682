-- What a script is refused for: every statement is judged as if those before it
-- had run, every violation is told at once, each class counts by itself.
\set test guard_script
\set ECHO none
\i test/include/database.sql
CREATE TABLE t (id integer PRIMARY KEY, a integer, b text, c integer);
INSERT INTO t VALUES (1, 1, 'x', 1);
CREATE TABLE few (id integer PRIMARY KEY);
CREATE VIEW v AS SELECT id FROM t;
CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
SET migmgr.small_relation = 0;
SELECT status FROM migmgr.apply('000', 'zero', 'SELECT 1');
-- apply and plan of one script agree: the same statements, the same rules
CREATE FUNCTION public.both(sql text) RETURNS TABLE (by text, refused text) LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY SELECT 'apply', COALESCE((SELECT string_agg(m[1] || ': ' || m[2], ', ' ORDER BY m[1]::integer, m[2])
    FROM public.caught(format('SELECT * FROM migmgr.apply(''900'', ''x'', %L, dry_run => true)', sql)) AS c,
         regexp_matches(c.detail, 'Statement (\d+), line \d+: [^(]*(?:\(\)[^(]*)?\(rule ([a-z-]+)\)', 'g') AS m), 'nothing');
  RETURN QUERY SELECT 'assert_safe', COALESCE((SELECT string_agg(m[1] || ': ' || m[2], ', ' ORDER BY m[1]::integer, m[2])
    FROM public.caught(format('SELECT migmgr.assert_safe(%L)', sql)) AS c,
         regexp_matches(c.detail, 'Statement (\d+), line \d+: [^(]*(?:\(\)[^(]*)?\(rule ([a-z-]+)\)', 'g') AS m), 'nothing');
END
$$;
\set ECHO all

-- all of them, each with its line, its rule, the fact and the way around it
SELECT public.fingerprint() AS before \gset
-- (the recipe for NOT NULL depends on the server's version)
SELECT state, message, regexp_replace(detail, 'ALTER TABLE public.t ADD CONSTRAINT t_b_not_null [^\n]*', 'RECIPE') AS detail, hint
  FROM public.caught($q$SELECT * FROM migmgr.apply('001', 'one', $m$
ALTER TABLE t RENAME COLUMN a TO aa;
ALTER TABLE t DROP COLUMN aa;
CREATE TABLE n (i integer);
CREATE UNIQUE INDEX ON n (i);
DROP VIEW v;
ALTER TABLE t
  ALTER COLUMN b SET NOT NULL,
  DISABLE ROW LEVEL SECURITY,
  ADD COLUMN q uuid DEFAULT gen_random_uuid();
DROP FUNCTION f();
$m$, dry_run => true)$q$) \gx
SELECT public.fingerprint() = :'before' AS unchanged;

-- what an earlier statement makes, renames, drops or fills
SELECT * FROM public.both('CREATE TABLE n (i integer, j integer); ALTER TABLE n ALTER COLUMN j SET NOT NULL; CREATE INDEX ON n (i); ALTER TABLE n DROP COLUMN j; DROP TABLE n');
SELECT * FROM public.both('ALTER TABLE t ADD COLUMN x integer; ALTER TABLE t DROP COLUMN x');
SELECT * FROM public.both('ALTER TABLE t ADD COLUMN x integer; ALTER TABLE t ALTER COLUMN x SET NOT NULL');
SELECT * FROM public.both('ALTER TABLE t RENAME COLUMN a TO aa; ALTER TABLE t DROP COLUMN a');
SELECT * FROM public.both('CREATE SCHEMA s; CREATE TABLE s.t (i integer); SET search_path = s; DROP TABLE t');
SELECT * FROM public.both('SET search_path = pg_catalog; DROP TABLE IF EXISTS t');
SELECT * FROM public.both('DROP TABLE IF EXISTS n; CREATE TABLE n (i integer); CREATE INDEX n_i ON n (i); REINDEX TABLE n');
SELECT * FROM public.both('DROP VIEW v; CREATE VIEW v AS SELECT id, a FROM t');
SELECT * FROM public.both('DROP FUNCTION f(); CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS ''SELECT 2::bigint''; TRUNCATE t');
SELECT * FROM public.both('ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id); TRUNCATE t');
SELECT * FROM public.both('CREATE TEMPORARY TABLE t (i integer); ALTER TABLE t DROP COLUMN i; DROP TABLE t');
-- how many rows will come nobody knows: a plan takes it for many, apply looks when the turn comes
SELECT * FROM public.both('INSERT INTO few SELECT 1 WHERE false; CREATE INDEX ON few (id)');
SELECT * FROM public.both('INSERT INTO few VALUES (1); ALTER TABLE few ADD CONSTRAINT k CHECK (id > 0) NOT VALID');
-- settings of a plan, and of a script that was refused, end with it
SELECT * FROM public.both('SET search_path = s; SELECT 1; DROP TABLE public.t');
SHOW search_path;

-- a class that is allowed does not let pass what a statement does beside it
SELECT migmgr.set_policy('production', 'blocking', 'allow');
SELECT state, message FROM public.caught('CREATE UNIQUE INDEX ON t (c)');
SELECT state, message FROM public.caught('CREATE INDEX t_c ON t (c)');
SELECT public.mask(migmgr.waive('destructive', 'the column is not read'));
SELECT state, message, hint FROM public.caught('ALTER TABLE t DROP COLUMN c, DISABLE TRIGGER ALL');
SELECT state, message, hint FROM public.caught($q$SELECT * FROM migmgr.apply('002', 'two', 'ALTER TABLE t DROP COLUMN c, DISABLE TRIGGER ALL', dry_run => true)$q$);
SELECT state, message FROM public.caught($q$DO 'BEGIN ALTER TABLE t DROP COLUMN c, DISABLE TRIGGER ALL; END'$q$);
SELECT count(*) AS still_there FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'c';
-- in staging a drop is a warning, and security is asked all the same
SELECT migmgr.set_environment('staging') IS NOT NULL AS set;
SELECT state, message FROM public.caught('ALTER TABLE t DROP COLUMN c, DISABLE TRIGGER ALL');
SELECT state, message FROM public.caught('ALTER TABLE t DROP COLUMN c');

-- of several objects each counts: an exemption is for those of its schema
SELECT migmgr.set_environment('production') IS NOT NULL AS set;
CREATE SCHEMA parts;
CREATE TABLE parts.one (i integer);
INSERT INTO parts.one VALUES (1);
SELECT migmgr.set_policy('production', 'destructive', 'allow', in_schema => 'parts');
SELECT sql, action, object FROM unnest('{"TRUNCATE parts.one, t","TRUNCATE t, parts.one","DROP TABLE t, parts.one CASCADE","DROP TABLE parts.one, t CASCADE","DROP TABLE parts.one"}'::text[]) AS sql,
  migmgr.plan(sql, 'production');
SELECT migmgr.set_environment('staging') IS NOT NULL AS set;

-- the DDL log takes its numbers without becoming what lastval() tells of
CREATE TABLE numbered (id serial, n text);
CREATE ROLE regress_migmgr_nobody;
GRANT ALL ON numbered, numbered_id_seq TO regress_migmgr_nobody;
GRANT CREATE ON SCHEMA public TO regress_migmgr_nobody;
SET ROLE regress_migmgr_nobody;
INSERT INTO numbered (n) VALUES ('x'), ('y');
CREATE TABLE later (i integer);
CREATE TABLE latest (i integer);
SELECT lastval();
DROP TABLE later, latest;
RESET ROLE;
SELECT count(DISTINCT id) = count(*) AS unique_ids, count(*) FILTER (WHERE object IN ('public.later', 'public.latest')) AS logged
  FROM migmgr_internal.ddl_log;
DROP OWNED BY regress_migmgr_nobody;
DROP ROLE regress_migmgr_nobody;

-- a base type goes before its own functions, whose arguments are not known then
CREATE EXTENSION citext;
CREATE TABLE names (n citext);
SELECT state, message FROM public.caught('DROP EXTENSION citext CASCADE');
CREATE EXTENSION citext;
SELECT status FROM migmgr.apply('003', 'three', 'DROP EXTENSION citext');
SELECT count(*) AS left FROM pg_extension WHERE extname = 'citext';

\set ECHO none
\connect postgres
DROP DATABASE regress_migmgr_guard_script;
