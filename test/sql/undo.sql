-- The SQL that undoes a difference: what it looks like, and that it leads back.
\set test undo
\set ECHO none
\i test/include/database.sql
SET client_min_messages = error;
SET jit = off;
SELECT migmgr.set_environment('development') \gset
CREATE ROLE regress_migmgr_reader_u;
CREATE ROLE regress_migmgr_writer_u;
CREATE ROLE regress_migmgr_super_u SUPERUSER;
\i test/include/undo.sql
\set ECHO all
SELECT public.undo_base();
CREATE FUNCTION public.show(VARIADIC statements text[]) RETURNS TABLE (line text) LANGUAGE sql AS $$
  -- queries and the names of the installer read differently elsewhere
  SELECT regexp_replace(replace(l, 'OWNER TO ' || current_user, 'OWNER TO ME'), ' AS\s+SELECT\s.*', ' AS SELECT ...')
    FROM (SELECT unnest('outcome: ' || c.outcome || array_remove(c.undone, NULL) || ARRAY(SELECT 'not back: ' || n FROM unnest(c.notes) AS n) || ARRAY[replace(c.detail, 'OWNER ' || current_user, 'OWNER ME')])
            FROM public.undo_check(statements) AS c) AS c(l)
$$;
\pset tuples_only
\pset format unaligned

-- what was made goes, dependents first
SELECT line FROM public.show('CREATE TABLE app.new1 (id serial PRIMARY KEY, org bigint REFERENCES app.org)', 'CREATE TABLE app.new2 (id int REFERENCES app.new1)',
  'CREATE VIEW app.new_view AS SELECT * FROM app.new1 JOIN app.new2 USING (id)', 'ALTER TABLE app.item ADD COLUMN extra app.new1');
SELECT line FROM public.show('CREATE TABLE app.a (id int PRIMARY KEY)', 'CREATE TABLE app.b (id int PRIMARY KEY REFERENCES app.a)', 'ALTER TABLE app.a ADD FOREIGN KEY (id) REFERENCES app.b');

-- what was changed is changed back; a type takes its values along
SELECT line FROM public.show('ALTER TABLE app.item ALTER s TYPE text, ALTER n SET DEFAULT 7, ALTER k SET NOT NULL', 'ALTER TABLE app.item DISABLE ROW LEVEL SECURITY',
  'REVOKE SELECT ON app.item FROM regress_migmgr_reader_u', 'COMMENT ON COLUMN app.item.n IS NULL', 'ALTER TABLE app.item RESET (fillfactor)');
SELECT line FROM public.show('ALTER TABLE app.item ALTER m DROP DEFAULT', 'DROP VIEW app.item_view CASCADE', 'ALTER TABLE app.item ALTER m TYPE app.colour USING ''red''');
SELECT line FROM public.show('ALTER TABLE app.item ALTER d TYPE timestamptz', 'ALTER POLICY own ON app.item USING (d > now())');

-- names go back, also in a circle, and a name that was given to something else
SELECT line FROM public.show('ALTER TABLE app.apart RENAME TO tmp', 'ALTER TABLE app.unlogged RENAME TO apart', 'ALTER TABLE app.tmp RENAME TO unlogged',
  'ALTER TABLE app.org RENAME COLUMN name TO tmp', 'ALTER TABLE app.org RENAME COLUMN parent TO name', 'ALTER TABLE app.org RENAME COLUMN tmp TO parent');
SELECT line FROM public.show('ALTER TABLE app.apart RENAME TO apart_old', 'CREATE TABLE app.apart (z int)', 'CREATE VIEW app.v AS SELECT * FROM app.apart');
SELECT line FROM public.show('ALTER TABLE app.unlogged RENAME a TO a_old', 'ALTER TABLE app.unlogged ADD a text', 'ALTER TABLE app.unlogged ALTER a_old SET DEFAULT 3');
SELECT line FROM public.show('ALTER SCHEMA app RENAME TO app2', 'CREATE TABLE app2.fresh (a app2.mood)', 'ALTER TABLE app2.apart ADD b2 app2.pos');
SELECT line FROM public.show('CREATE SCHEMA fresh', 'ALTER TABLE app.apart SET SCHEMA fresh');

-- an enum made anew, in the way that everybody knows
SELECT line FROM public.show('ALTER TYPE app.mood RENAME TO mood_old', 'CREATE TYPE app.mood AS ENUM (''ok'', ''other'')', 'DROP VIEW app.item_view CASCADE', 'ALTER TABLE app.item ALTER m DROP DEFAULT',
  'ALTER TABLE app.item ALTER m TYPE app.mood USING m::text::app.mood', 'DROP CAST (app.mood_old AS int)', 'DROP TYPE app.mood_old', 'ALTER TABLE app.item ALTER m SET DEFAULT ''other''');
SELECT line FROM public.show('ALTER TYPE app.mood RENAME VALUE ''ok'' TO ''fine''', 'ALTER TYPE app.colour ADD VALUE ''blue''');

-- a view with other columns: it is made again with all that hangs on it
SELECT line FROM public.show('CREATE OR REPLACE VIEW app.item_view AS SELECT id, n, m, org FROM app.item');
SELECT line FROM public.show('DROP FUNCTION app.twice(int) CASCADE', 'CREATE FUNCTION app.twice(a int) RETURNS bigint LANGUAGE sql IMMUTABLE AS ''SELECT 2::bigint''');

-- partitions
SELECT line FROM public.show('ALTER TABLE app.part DETACH PARTITION app.part1', 'ALTER TABLE app.part ATTACH PARTITION app.apart FOR VALUES FROM (30) TO (40)');
SELECT line FROM public.show('DROP TABLE app.part');

-- what does not come back is said
SELECT line FROM public.show('ALTER TABLE app.item DROP COLUMN s', 'DROP SEQUENCE app.free_seq', 'DROP TABLE app.apart',
  'DROP USER MAPPING FOR regress_migmgr_reader_u SERVER regress_migmgr_srv', 'CREATE USER MAPPING FOR regress_migmgr_reader_u SERVER regress_migmgr_srv OPTIONS (password ''x'')');
SELECT line FROM public.show('ALTER USER MAPPING FOR regress_migmgr_reader_u SERVER regress_migmgr_srv OPTIONS (ADD password ''x'')', 'ALTER TABLE app.child NO INHERIT app.base');

-- an owner who is gone
SELECT u.sql, u.irreversible FROM migmgr_internal.undo('[{"kind": "schema", "identity": "s", "facts": {"name": "s", "owner": "nobody_of_that_name"}}]', '[]', false) AS u ORDER BY u.n;
SELECT count(*) FROM migmgr_internal.undo(NULL, NULL);

-- at random; test/t/030_undo.pl has many more
SELECT c.outcome IN ('equal', 'explained') AS leads_back, count(*) FROM generate_series(1, 8) AS seed, public.undo_check(public.undo_migration(seed)) AS c GROUP BY 1;

\connect postgres
DROP DATABASE regress_migmgr_undo;
DROP ROLE regress_migmgr_reader_u, regress_migmgr_writer_u, regress_migmgr_super_u;
