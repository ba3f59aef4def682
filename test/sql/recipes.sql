-- Recipes: what a hint says instead of a blocking statement is not blocking
-- itself, and does what was wanted.
\set test recipes
\set ECHO none
\i test/include/database.sql
CREATE TABLE ref (id integer PRIMARY KEY);
INSERT INTO ref SELECT generate_series(1, 50);
CREATE TABLE t (id integer PRIMARY KEY, a integer, b integer, v varchar(20));
INSERT INTO t SELECT g, g, g, 'x' FROM generate_series(1, 50) AS g;
CREATE TABLE p (id integer NOT NULL, a integer) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
INSERT INTO p SELECT g, g FROM generate_series(1, 50) AS g;
CREATE TABLE candidate (id integer, a integer);
INSERT INTO candidate SELECT g, g FROM generate_series(100, 150) AS g;
SELECT current_setting('server_version_num')::integer >= 180000 AS is_18 \gset
SELECT migmgr.set_environment('production') \g /dev/null
SELECT status FROM migmgr.apply('0', 'zero', 'SELECT 1') \g /dev/null
SET migmgr.small_relation = 0;
-- recipes accept NOT VALID constraints, unique indexes and the like
SELECT migmgr.set_policy('production', 'restrictive', 'allow') \g /dev/null
CREATE FUNCTION public.recipe(sql text) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(CASE WHEN action IN ('ask', 'deny') THEN hint ELSE action END, E'\n' ORDER BY statement) FROM migmgr.plan(sql)
$$;
-- the steps of a recipe, each as a migration of its own or outside a transaction
CREATE FUNCTION public.steps(VARIADIC sql text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  step text;
  said text := '';
BEGIN
  FOREACH step IN ARRAY sql LOOP
    said := said || (SELECT string_agg(action, ',') FROM migmgr.plan(step)) || ' ';
    EXECUTE step;
  END LOOP;
  RETURN said;
END
$$;
\set ECHO all

-- NOT NULL: on 18 the constraint itself may be NOT VALID
SELECT public.recipe('ALTER TABLE t ALTER COLUMN a SET NOT NULL') = CASE WHEN :'is_18' THEN
  'ALTER TABLE public.t ADD CONSTRAINT t_a_not_null NOT NULL a NOT VALID; then, in a migration of its own: ALTER TABLE public.t VALIDATE CONSTRAINT t_a_not_null;'
  ELSE 'ALTER TABLE public.t ADD CONSTRAINT t_a_not_null CHECK (a IS NOT NULL) NOT VALID; then, in a migration of its own: ALTER TABLE public.t VALIDATE CONSTRAINT t_a_not_null; then ALTER TABLE public.t ALTER COLUMN a SET NOT NULL; ALTER TABLE public.t DROP CONSTRAINT t_a_not_null;'
  END AS as_for_this_version;
SELECT public.steps(VARIADIC CASE WHEN :'is_18' THEN ARRAY[
    'ALTER TABLE public.t ADD CONSTRAINT t_a_not_null NOT NULL a NOT VALID', 'ALTER TABLE public.t VALIDATE CONSTRAINT t_a_not_null']
  ELSE ARRAY['ALTER TABLE public.t ADD CONSTRAINT t_a_not_null CHECK (a IS NOT NULL) NOT VALID',
    'ALTER TABLE public.t VALIDATE CONSTRAINT t_a_not_null', 'ALTER TABLE public.t ALTER COLUMN a SET NOT NULL',
    'ALTER TABLE public.t DROP CONSTRAINT t_a_not_null'] END) NOT LIKE '%ask%' AS passes;
SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a';

-- keys
SELECT public.recipe('ALTER TABLE t ADD CONSTRAINT t_b UNIQUE (b)');
SELECT action FROM migmgr.plan('CREATE UNIQUE INDEX CONCURRENTLY t_b ON public.t (b)');
CREATE UNIQUE INDEX CONCURRENTLY t_b ON public.t (b);
SELECT public.steps('ALTER TABLE public.t ADD CONSTRAINT t_b UNIQUE USING INDEX t_b');
SELECT public.recipe('ALTER TABLE p ADD CONSTRAINT p_id UNIQUE (id)');
CREATE UNIQUE INDEX CONCURRENTLY p1_id ON p1 (id);
SELECT public.steps('ALTER TABLE p1 ADD CONSTRAINT p1_id UNIQUE USING INDEX p1_id', 'ALTER TABLE p ADD CONSTRAINT p_id UNIQUE (id)');
SELECT public.recipe('ALTER TABLE t ADD EXCLUDE USING btree (b WITH =)');

-- indexes of partitioned tables
SELECT public.recipe('CREATE INDEX p_a ON p (a)');
SELECT public.steps('CREATE INDEX p_a ON ONLY p (a)');
CREATE INDEX CONCURRENTLY p1_a ON p1 (a);
SELECT public.steps('ALTER INDEX p_a ATTACH PARTITION p1_a');
SELECT indisvalid FROM pg_index WHERE indexrelid = 'p_a'::regclass;

-- CHECK and FOREIGN KEY
SELECT public.recipe('ALTER TABLE t ADD CONSTRAINT t_positive CHECK (a > 0); ALTER TABLE t ADD CONSTRAINT t_ref FOREIGN KEY (a) REFERENCES ref');
SELECT public.steps('ALTER TABLE t ADD CONSTRAINT t_positive CHECK (a > 0) NOT VALID', 'ALTER TABLE t VALIDATE CONSTRAINT t_positive',
  'ALTER TABLE t ADD CONSTRAINT t_ref FOREIGN KEY (a) REFERENCES ref NOT VALID', 'ALTER TABLE t VALIDATE CONSTRAINT t_ref');
SELECT public.recipe('ALTER TABLE p ADD CONSTRAINT p_ref FOREIGN KEY (a) REFERENCES ref') LIKE
  CASE WHEN :'is_18' THEN 'ALTER TABLE public.p ADD CONSTRAINT p_ref ... NOT VALID%' ELSE 'Add the constraint NOT VALID to each partition%' END AS as_for_this_version;
SELECT public.steps('ALTER TABLE p1 ADD CONSTRAINT p_ref FOREIGN KEY (a) REFERENCES ref NOT VALID', 'ALTER TABLE p1 VALIDATE CONSTRAINT p_ref',
  'ALTER TABLE p ADD CONSTRAINT p_ref FOREIGN KEY (a) REFERENCES ref');

-- partitions
SELECT public.recipe('ALTER TABLE p ATTACH PARTITION candidate FOR VALUES FROM (100) TO (200)');
SELECT public.steps('ALTER TABLE public.candidate ADD CONSTRAINT bounds CHECK (((id IS NOT NULL) AND (id >= 100) AND (id < 200))) NOT VALID',
  'ALTER TABLE public.candidate VALIDATE CONSTRAINT bounds');
SELECT public.recipe('CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (300) TO (400)');
SELECT hint FROM migmgr.plan('CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (300) TO (400)');
SELECT public.steps('CREATE TABLE p3 (LIKE public.p INCLUDING ALL)', 'ALTER TABLE public.p ATTACH PARTITION p3 FOR VALUES FROM (300) TO (400)');
SELECT public.recipe('ALTER TABLE p DETACH PARTITION p1; DROP TABLE p1');

-- columns
SELECT public.recipe('ALTER TABLE t ADD COLUMN u uuid DEFAULT gen_random_uuid(); ALTER TABLE t ADD COLUMN s serial; ALTER TABLE t ADD COLUMN w varchar(7)[] UNIQUE');
SELECT public.steps('ALTER TABLE public.t ADD COLUMN u uuid', 'ALTER TABLE public.t ALTER COLUMN u SET DEFAULT gen_random_uuid()');
SELECT public.recipe('ALTER TABLE t ADD COLUMN g integer GENERATED ALWAYS AS (id + 1) STORED') LIKE
  CASE WHEN :'is_18' THEN 'Make it VIRTUAL%' ELSE 'Add it to public.t as an ordinary column g%' END AS as_for_this_version;
SELECT public.recipe('ALTER TABLE t ALTER COLUMN id TYPE bigint; ALTER TABLE t ALTER COLUMN v TYPE varchar(10)');

\set ECHO none
\connect postgres
DROP DATABASE regress_migmgr_recipes;
