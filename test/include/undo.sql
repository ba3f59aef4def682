-- For tests of undo(): a schema with something of every kind, a pool of
-- statements that change it, and migrations made of them at random.
--   undo_base()              makes the schema
--   undo_pool                statements; each runs on the schema as it is made
--   undo_migration(seed)     some of them
--   undo_check(statements)   runs them, undoes them, and says what is different;
--                            leaves everything as it was
--   undo_trip(statements, fingerprint)  the same as a migration: apply, rollback by the
--                            derived way back, apply again
CREATE TABLE public.undo_pool (n int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sql text NOT NULL);

CREATE FUNCTION public.undo_base() RETURNS void LANGUAGE plpgsql AS $base$
BEGIN
  CREATE SCHEMA app;
  CREATE SCHEMA "Other S";
  GRANT USAGE ON SCHEMA app TO regress_migmgr_reader_u;
  CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'glad');
  CREATE TYPE app.colour AS ENUM ('red', 'green');
  CREATE DOMAIN app.pos AS int DEFAULT 1 CONSTRAINT positive CHECK (VALUE > 0);
  CREATE DOMAIN app.unused AS text NOT NULL;
  CREATE TYPE app.comp AS (a int, b text);
  CREATE TYPE app.span AS RANGE (subtype = float8);
  CREATE FUNCTION app.twice(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * a';
  CREATE FUNCTION app.greet(name text, greeting text DEFAULT 'hello') RETURNS text LANGUAGE sql AS 'SELECT greeting || name';
  CREATE FUNCTION app.rows_of(n int) RETURNS TABLE (a int, b text) LANGUAGE sql AS 'SELECT 1, ''x''';
  CREATE PROCEDURE app.proc(INOUT a int) LANGUAGE plpgsql AS 'BEGIN a := 1; END';
  CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE FUNCTION app.check_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
  CREATE AGGREGATE app.total(int) (sfunc = int4pl, stype = int, initcond = '0');
  CREATE OPERATOR app.=== (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int);
  CREATE SEQUENCE app.seq INCREMENT 3;
  CREATE SEQUENCE app.free_seq AS smallint;
  CREATE TABLE app.org (id bigint GENERATED ALWAYS AS IDENTITY (START 5) PRIMARY KEY, name text UNIQUE NOT NULL, parent bigint REFERENCES app.org);
  CREATE TABLE app.item (
    id serial PRIMARY KEY, m app.mood DEFAULT 'ok', p app.pos, c app.comp, org bigint NOT NULL CONSTRAINT item_org REFERENCES app.org ON DELETE CASCADE,
    n numeric(10,2) DEFAULT 0 CHECK (n >= 0), d date DEFAULT '2026-01-02', t text DEFAULT app.greet('x'), k int DEFAULT nextval('app.seq'),
    g int GENERATED ALWAYS AS (id * 2) STORED, "Odd ""x" text COLLATE "C", s varchar(20), EXCLUDE USING btree (k WITH =)) WITH (fillfactor = 70);
  COMMENT ON TABLE app.item IS 'it''s';
  COMMENT ON COLUMN app.item.n IS 'amount';
  GRANT SELECT ON app.item TO regress_migmgr_reader_u;
  GRANT UPDATE (n) ON app.item TO regress_migmgr_writer_u;
  CREATE INDEX item_n ON app.item (n DESC) WHERE n > 3;
  CREATE UNIQUE INDEX item_s ON app.item (s) INCLUDE (n);
  CREATE INDEX item_twice ON app.item (app.twice(id)) WITH (fillfactor = 60);
  COMMENT ON INDEX app.item_s IS 'unique';
  CREATE TRIGGER touch BEFORE UPDATE OF n ON app.item FOR EACH ROW WHEN (OLD.n > 1) EXECUTE FUNCTION app.touch();
  CREATE CONSTRAINT TRIGGER check_it AFTER INSERT ON app.item DEFERRABLE FOR EACH ROW EXECUTE FUNCTION app.check_it();
  COMMENT ON TRIGGER touch ON app.item IS 'touches';
  ALTER TABLE app.item ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON app.item FOR SELECT TO regress_migmgr_reader_u USING (org = 1);
  CREATE POLICY ins ON app.item FOR INSERT WITH CHECK (n > 0);
  CREATE VIEW app.item_view AS SELECT id, n, m FROM app.item;
  CREATE VIEW app.view_of_view WITH (security_barrier = true) AS SELECT id, n FROM app.item_view WHERE n > 1;
  GRANT SELECT ON app.item_view TO regress_migmgr_reader_u;
  COMMENT ON VIEW app.item_view IS 'items';
  COMMENT ON COLUMN app.item_view.n IS 'n of view';
  ALTER VIEW app.item_view ALTER n SET DEFAULT 7;
  CREATE RULE no_insert AS ON INSERT TO app.view_of_view DO INSTEAD NOTHING;
  CREATE MATERIALIZED VIEW app.mat AS SELECT id, name FROM app.org;
  CREATE UNIQUE INDEX mat_id ON app.mat (id);
  CREATE STATISTICS app.item_stats ON n, org FROM app.item;
  CREATE TABLE app.part (a int NOT NULL, b text, PRIMARY KEY (a)) PARTITION BY RANGE (a);
  CREATE TABLE app.part1 PARTITION OF app.part FOR VALUES FROM (1) TO (10);
  CREATE TABLE app.part2 PARTITION OF app.part FOR VALUES FROM (10) TO (20) PARTITION BY LIST (a);
  CREATE TABLE app.part2a PARTITION OF app.part2 FOR VALUES IN (11);
  CREATE TABLE app.apart (a int NOT NULL, b text);
  CREATE INDEX part_b ON app.part (b);
  CREATE TRIGGER part_touch BEFORE INSERT ON app.part FOR EACH ROW EXECUTE FUNCTION app.touch();
  CREATE TABLE app.base (x int DEFAULT 1 CONSTRAINT x_positive CHECK (x > 0), y text);
  CREATE TABLE app.child (z int) INHERITS (app.base);
  CREATE TABLE app.typed OF app.comp (PRIMARY KEY (a));
  CREATE UNLOGGED TABLE app.unlogged (a int);
  CREATE PUBLICATION regress_migmgr_pub FOR TABLE app.item (id, n) WHERE (id > 1);
  CREATE FOREIGN DATA WRAPPER regress_migmgr_wrap OPTIONS (a '1');
  CREATE SERVER regress_migmgr_srv TYPE 'x' VERSION '1' FOREIGN DATA WRAPPER regress_migmgr_wrap OPTIONS (host 'h');
  CREATE USER MAPPING FOR regress_migmgr_reader_u SERVER regress_migmgr_srv;
  CREATE FOREIGN TABLE app.foreign_one (a int OPTIONS (k 'v') NOT NULL, b text) SERVER regress_migmgr_srv OPTIONS (z '1');
  CREATE TEXT SEARCH DICTIONARY app.dict (TEMPLATE = simple, stopwords = 'english');
  CREATE TEXT SEARCH CONFIGURATION app.cfg (PARSER = default);
  ALTER TEXT SEARCH CONFIGURATION app.cfg ADD MAPPING FOR word, email WITH app.dict, simple;
  CREATE OPERATOR CLASS app.oc FOR TYPE int USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);
  CREATE CAST (app.mood AS int) WITH INOUT;
  CREATE COLLATION app.coll (LC_COLLATE = 'C', LC_CTYPE = 'POSIX');
  CREATE CONVERSION app.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
  ALTER DEFAULT PRIVILEGES IN SCHEMA "Other S" GRANT SELECT ON TABLES TO regress_migmgr_reader_u;
  CREATE FUNCTION app.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
  CREATE EVENT TRIGGER regress_migmgr_evt ON ddl_command_end WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION app.on_ddl();
END
$base$;

INSERT INTO public.undo_pool (sql) SELECT btrim(s, E' \n') FROM regexp_split_to_table($pool$
CREATE TABLE app.new1 (id int PRIMARY KEY, org bigint REFERENCES app.org, m app.mood, t text DEFAULT 'x', UNIQUE (t)); CREATE TABLE app.new2 (a int, b int GENERATED BY DEFAULT AS IDENTITY, CHECK (a < b));
CREATE TABLE app.new3 (id serial, c app.comp[], v app.item_view); CREATE INDEX new3_id ON app.new3 (id); CREATE TABLE "Other S"."New T" ("A b" int PRIMARY KEY); GRANT SELECT ON "Other S"."New T" TO regress_migmgr_writer_u;
CREATE TABLE app.a1 (id int PRIMARY KEY); CREATE TABLE app.a2 (id int PRIMARY KEY REFERENCES app.a1); ALTER TABLE app.a1 ADD CONSTRAINT round FOREIGN KEY (id) REFERENCES app.a2; CREATE VIEW app.a3 AS SELECT * FROM app.a1 JOIN app.a2 USING (id);
ALTER TABLE app.item ADD COLUMN extra int; ALTER TABLE app.item ADD COLUMN extra2 text NOT NULL DEFAULT 'q'; ALTER TABLE app.item ADD COLUMN extra3 bigint GENERATED ALWAYS AS IDENTITY; ALTER TABLE app.item ADD COLUMN extra4 app.colour; CREATE INDEX ON app.item (extra, extra2);
ALTER TABLE app.org ADD COLUMN note text, ADD CONSTRAINT note_short CHECK (length(note) < 9); ALTER TABLE app.part ADD COLUMN extra int DEFAULT 4; ALTER TABLE app.base ADD COLUMN extra int; ALTER TABLE app.part ADD CONSTRAINT b_set CHECK (b IS NOT NULL);
ALTER TABLE app.item DROP COLUMN s; ALTER TABLE app.item DROP COLUMN c; ALTER TABLE app.item DROP COLUMN d; ALTER TABLE app.item DROP COLUMN p; ALTER TABLE app.item DROP COLUMN n CASCADE; ALTER TABLE app.item DROP COLUMN "Odd ""x"; ALTER TABLE app.item DROP COLUMN g;
ALTER TABLE app.item DROP COLUMN t; ALTER TABLE app.item DROP COLUMN k; ALTER TABLE app.item DROP COLUMN id CASCADE; ALTER TABLE app.base DROP COLUMN y; ALTER TABLE app.child DROP COLUMN z; ALTER TABLE app.part DROP COLUMN b; ALTER TABLE app.org DROP COLUMN parent; ALTER TABLE app.org DROP COLUMN name CASCADE;
ALTER TABLE app.item RENAME COLUMN n TO amount; ALTER TABLE app.item RENAME COLUMN s TO title; ALTER TABLE app.item RENAME COLUMN "Odd ""x" TO even; ALTER TABLE app.org RENAME COLUMN id TO org_id; ALTER TABLE app.base RENAME COLUMN x TO xx; ALTER TABLE app.part RENAME COLUMN a TO aa;
ALTER TABLE app.item RENAME TO thing; ALTER TABLE app.org RENAME TO organisation; ALTER TABLE app.part RENAME TO parted; ALTER TABLE app.child RENAME TO kid; ALTER VIEW app.item_view RENAME TO items; ALTER SEQUENCE app.seq RENAME TO seq2; ALTER INDEX app.item_n RENAME TO item_amount; ALTER MATERIALIZED VIEW app.mat RENAME TO mat2;
ALTER TABLE app.item SET SCHEMA "Other S"; ALTER TABLE app.org SET SCHEMA "Other S"; ALTER VIEW app.view_of_view SET SCHEMA "Other S"; ALTER TYPE app.mood SET SCHEMA "Other S"; ALTER FUNCTION app.twice(int) SET SCHEMA "Other S"; ALTER SEQUENCE app.free_seq SET SCHEMA "Other S"; ALTER DOMAIN app.pos SET SCHEMA "Other S";
ALTER SCHEMA app RENAME TO app2; ALTER SCHEMA "Other S" RENAME TO other; CREATE SCHEMA fresh; ALTER TABLE app.item SET SCHEMA fresh; ALTER TYPE app.colour SET SCHEMA fresh; DROP SCHEMA "Other S" CASCADE; ALTER SCHEMA app OWNER TO regress_migmgr_writer_u; GRANT CREATE ON SCHEMA app TO regress_migmgr_writer_u; REVOKE USAGE ON SCHEMA app FROM regress_migmgr_reader_u;
ALTER TABLE app.item ALTER n DROP DEFAULT; ALTER TABLE app.item ALTER n SET DEFAULT 7; ALTER TABLE app.item ALTER s SET DEFAULT 'x'; ALTER TABLE app.item ALTER t SET DEFAULT app.greet('y', 'z'); ALTER TABLE app.item ALTER k DROP DEFAULT; ALTER TABLE app.item ALTER d SET DEFAULT now();
ALTER TABLE app.item ALTER n SET NOT NULL; ALTER TABLE app.item ALTER org DROP NOT NULL; ALTER TABLE app.org ALTER name DROP NOT NULL; ALTER TABLE app.base ALTER x SET NOT NULL; ALTER TABLE app.child ALTER x SET DEFAULT 9; ALTER TABLE app.part ALTER b SET NOT NULL; ALTER TABLE app.part1 ALTER b SET DEFAULT 'p1';
ALTER TABLE app.item ALTER s TYPE text; ALTER TABLE app.item ALTER d TYPE timestamptz; ALTER TABLE app.item ALTER k TYPE bigint; ALTER TABLE app.org ALTER name TYPE varchar(50) COLLATE "C"; ALTER TABLE app.base ALTER y TYPE varchar(9); ALTER TABLE app.part ALTER b TYPE varchar(30); ALTER TABLE app.item ALTER m TYPE text;
ALTER TABLE app.item ALTER m DROP DEFAULT, ALTER m TYPE app.colour USING NULL; ALTER TABLE app.item ALTER s TYPE app.colour USING NULL; ALTER TABLE app.item ALTER c TYPE text; ALTER TABLE app.item ALTER "Odd ""x" TYPE text COLLATE "POSIX"; ALTER TABLE app.unlogged ALTER a TYPE int[] USING ARRAY[a];
DROP VIEW app.view_of_view; DROP VIEW app.view_of_view, app.item_view; DROP VIEW app.item_view CASCADE; DROP VIEW app.item_view CASCADE; CREATE VIEW app.item_view AS SELECT id FROM app.item; DROP MATERIALIZED VIEW app.mat; CREATE MATERIALIZED VIEW app.mat AS SELECT id FROM app.org; CREATE INDEX mat_name ON app.mat (name);
CREATE OR REPLACE VIEW app.item_view AS SELECT id, n, m, org, s FROM app.item; CREATE OR REPLACE VIEW app.view_of_view AS SELECT id, n FROM app.item_view; CREATE OR REPLACE VIEW app.view_of_view AS SELECT id, n, 1 AS one FROM app.item_view; CREATE VIEW app.another AS SELECT * FROM app.view_of_view; CREATE RECURSIVE VIEW app.rec (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM rec WHERE n < 9;
ALTER VIEW app.item_view ALTER n DROP DEFAULT; ALTER VIEW app.item_view ALTER id SET DEFAULT 3; COMMENT ON COLUMN app.item_view.n IS NULL; COMMENT ON COLUMN app.item_view.m IS 'mood'; ALTER VIEW app.item_view SET (security_invoker = true); ALTER VIEW app.view_of_view RESET (security_barrier); ALTER VIEW app.item_view OWNER TO regress_migmgr_writer_u; REVOKE SELECT ON app.item_view FROM regress_migmgr_reader_u;
ALTER TABLE app.item DROP CONSTRAINT item_org; ALTER TABLE app.item DROP CONSTRAINT item_n_check; ALTER TABLE app.item DROP CONSTRAINT item_pkey CASCADE; ALTER TABLE app.org DROP CONSTRAINT org_pkey CASCADE; ALTER TABLE app.org DROP CONSTRAINT org_name_key; ALTER TABLE app.item DROP CONSTRAINT item_k_excl; ALTER TABLE app.part DROP CONSTRAINT part_pkey; ALTER TABLE app.base DROP CONSTRAINT x_positive; ALTER TABLE app.typed DROP CONSTRAINT typed_pkey;
ALTER TABLE app.item ADD CONSTRAINT more CHECK (n < 99) NOT VALID; ALTER TABLE app.item ADD UNIQUE (t) WITH (fillfactor = 50); ALTER TABLE app.item ADD CONSTRAINT by_index UNIQUE USING INDEX item_s; ALTER TABLE app.item ADD FOREIGN KEY (k) REFERENCES app.item (id) DEFERRABLE NOT VALID; ALTER TABLE app.apart ADD PRIMARY KEY (a); ALTER TABLE app.base ADD CONSTRAINT own CHECK (y <> '') NO INHERIT; ALTER TABLE app.base ADD CONSTRAINT y_set CHECK (y <> '');
ALTER TABLE app.item ALTER CONSTRAINT item_org DEFERRABLE INITIALLY DEFERRED; ALTER TABLE app.item RENAME CONSTRAINT item_org TO item_org_fk; ALTER TABLE app.item RENAME CONSTRAINT item_pkey TO pk; COMMENT ON CONSTRAINT item_org ON app.item IS 'belongs'; ALTER TABLE app.item DROP CONSTRAINT item_org, ADD CONSTRAINT item_org FOREIGN KEY (org) REFERENCES app.org ON DELETE SET NULL; ALTER INDEX app.item_pkey SET (fillfactor = 77);
DROP INDEX app.item_n; DROP INDEX app.item_s; DROP INDEX app.item_twice; DROP INDEX app.part_b; DROP INDEX app.item_n; CREATE INDEX item_n ON app.item (n); CREATE INDEX org_lower ON app.org (lower(name) text_pattern_ops); ALTER INDEX app.item_n SET (fillfactor = 66); ALTER INDEX app.item_twice RESET (fillfactor); ALTER INDEX app.item_twice ALTER COLUMN 1 SET STATISTICS 9; CREATE INDEX ON app.part (a, b); CREATE UNIQUE INDEX ON app.apart (a); COMMENT ON INDEX app.item_s IS NULL;
ALTER TABLE app.item CLUSTER ON item_pkey; ALTER TABLE app.item CLUSTER ON item_twice; ALTER TABLE app.item REPLICA IDENTITY FULL; ALTER TABLE app.item REPLICA IDENTITY USING INDEX item_pkey; ALTER TABLE app.org REPLICA IDENTITY NOTHING; CREATE UNIQUE INDEX org_ri ON app.org (name); ALTER TABLE app.org REPLICA IDENTITY USING INDEX org_ri;
DROP TRIGGER touch ON app.item; DROP TRIGGER check_it ON app.item; ALTER TABLE app.item DISABLE TRIGGER touch; ALTER TABLE app.item ENABLE ALWAYS TRIGGER check_it; ALTER TRIGGER touch ON app.item RENAME TO poke; CREATE OR REPLACE TRIGGER touch AFTER DELETE ON app.item EXECUTE FUNCTION app.check_it(); CREATE TRIGGER org_touch BEFORE INSERT ON app.org FOR EACH ROW EXECUTE FUNCTION app.touch(); COMMENT ON TRIGGER touch ON app.item IS NULL; DROP TRIGGER part_touch ON app.part; CREATE TRIGGER part_touch2 AFTER UPDATE ON app.part FOR EACH ROW EXECUTE FUNCTION app.touch();
ALTER TABLE app.item DISABLE ROW LEVEL SECURITY; ALTER TABLE app.item FORCE ROW LEVEL SECURITY; ALTER TABLE app.org ENABLE ROW LEVEL SECURITY; DROP POLICY own ON app.item; ALTER POLICY own ON app.item USING (org = 2) WITH CHECK (true); ALTER POLICY own ON app.item TO PUBLIC, regress_migmgr_writer_u; ALTER POLICY own ON app.item RENAME TO mine; CREATE POLICY del ON app.item AS RESTRICTIVE FOR DELETE USING (app.twice(id) > 3); DROP POLICY ins ON app.item; CREATE POLICY ins ON app.item FOR UPDATE USING (true); COMMENT ON POLICY own ON app.item IS 'mine';
DROP RULE no_insert ON app.view_of_view; CREATE OR REPLACE RULE no_insert AS ON INSERT TO app.view_of_view DO INSTEAD SELECT 1; CREATE RULE del AS ON DELETE TO app.unlogged DO ALSO NOTIFY deleted; ALTER TABLE app.unlogged ENABLE ROW LEVEL SECURITY; ALTER RULE no_insert ON app.view_of_view RENAME TO none; COMMENT ON RULE no_insert ON app.view_of_view IS 'none';
DROP STATISTICS app.item_stats; CREATE STATISTICS app.more_stats (ndistinct) ON k, s FROM app.item; ALTER STATISTICS app.item_stats SET STATISTICS 55; ALTER STATISTICS app.item_stats RENAME TO stats2; COMMENT ON STATISTICS app.item_stats IS 'x';
ALTER TABLE app.part DETACH PARTITION app.part1; ALTER TABLE app.part ATTACH PARTITION app.apart FOR VALUES FROM (30) TO (40); DROP TABLE app.part1; DROP TABLE app.part2a; ALTER TABLE app.part2 DETACH PARTITION app.part2a; ALTER TABLE app.part DETACH PARTITION app.part2; CREATE TABLE app.part3 PARTITION OF app.part FOR VALUES FROM (50) TO (60); CREATE TABLE app.part4 PARTITION OF app.part DEFAULT; ALTER TABLE app.child NO INHERIT app.base; ALTER TABLE app.unlogged INHERIT app.base; DROP TABLE app.child; CREATE TABLE app.child2 (w int) INHERITS (app.base); CREATE TABLE app.lists (a int) PARTITION BY LIST (a);
DROP TABLE app.part; DROP TABLE app.base CASCADE; DROP TABLE app.typed; DROP TABLE app.unlogged; DROP TABLE app.apart; DROP TABLE app.item CASCADE; DROP TABLE app.org CASCADE; DROP FOREIGN TABLE app.foreign_one;
ALTER TABLE app.typed NOT OF; ALTER TABLE app.unlogged SET LOGGED; ALTER TABLE app.apart SET UNLOGGED; ALTER TABLE app.item SET (autovacuum_enabled = off, fillfactor = 80); ALTER TABLE app.item RESET (fillfactor); ALTER TABLE app.item SET (toast.autovacuum_enabled = off); ALTER TABLE app.org SET (fillfactor = 55);
ALTER TABLE app.item OWNER TO regress_migmgr_writer_u; ALTER TABLE app.item OWNER TO regress_migmgr_reader_u; GRANT INSERT, DELETE ON app.item TO regress_migmgr_writer_u WITH GRANT OPTION; REVOKE SELECT ON app.item FROM regress_migmgr_reader_u; GRANT ALL ON app.org TO PUBLIC; GRANT SELECT (id, t) ON app.item TO regress_migmgr_reader_u; REVOKE UPDATE (n) ON app.item FROM regress_migmgr_writer_u; REVOKE ALL ON app.apart FROM CURRENT_USER; COMMENT ON TABLE app.item IS NULL; COMMENT ON TABLE app.org IS 'orgs'; COMMENT ON COLUMN app.item.n IS 'other'; COMMENT ON COLUMN app.org.name IS 'name';
ALTER TABLE app.item ALTER t SET STORAGE external; ALTER TABLE app.item ALTER t SET COMPRESSION pglz; ALTER TABLE app.item ALTER n SET STATISTICS 99; ALTER TABLE app.item ALTER n SET (n_distinct = -0.5); ALTER TABLE app.org ALTER id SET GENERATED BY DEFAULT; ALTER TABLE app.org ALTER id SET INCREMENT 4 SET CACHE 9; ALTER TABLE app.org ALTER id DROP IDENTITY; ALTER TABLE app.apart ALTER a ADD GENERATED ALWAYS AS IDENTITY; ALTER TABLE app.item ALTER g DROP EXPRESSION; ALTER TABLE app.item ALTER k DROP DEFAULT, ALTER k SET NOT NULL; ALTER TABLE app.item ALTER k ADD GENERATED BY DEFAULT AS IDENTITY (START 100);
ALTER TYPE app.mood ADD VALUE 'best'; ALTER TYPE app.mood RENAME VALUE 'ok' TO 'fine'; ALTER TYPE app.mood RENAME TO temper; DROP TYPE app.colour; ALTER TYPE app.colour ADD VALUE 'blue' BEFORE 'red'; CREATE TYPE app.shape AS ENUM ('round'); ALTER TABLE app.org ADD COLUMN shape app.shape; ALTER TYPE app.mood OWNER TO regress_migmgr_writer_u; REVOKE USAGE ON TYPE app.mood FROM PUBLIC; COMMENT ON TYPE app.mood IS 'm';
ALTER TYPE app.mood RENAME TO mood_old; CREATE TYPE app.mood AS ENUM ('low', 'ok', 'high'); ALTER TABLE app.item ALTER m DROP DEFAULT; DROP VIEW app.item_view CASCADE; ALTER TABLE app.item ALTER m TYPE app.mood USING 'ok'; DROP CAST (app.mood_old AS int); DROP TYPE app.mood_old;
ALTER DOMAIN app.pos DROP CONSTRAINT positive; ALTER DOMAIN app.pos ADD CONSTRAINT small CHECK (VALUE < 1000) NOT VALID; ALTER DOMAIN app.pos DROP DEFAULT; ALTER DOMAIN app.pos SET DEFAULT 5; ALTER DOMAIN app.unused DROP NOT NULL; ALTER DOMAIN app.pos RENAME CONSTRAINT positive TO plus; ALTER DOMAIN app.unused RENAME TO used; DROP DOMAIN app.unused; CREATE DOMAIN app.email AS text CHECK (VALUE LIKE '%@%'); COMMENT ON DOMAIN app.pos IS 'p'; COMMENT ON CONSTRAINT positive ON DOMAIN app.pos IS 'c'; ALTER DOMAIN app.pos SET NOT NULL;
ALTER TYPE app.comp ADD ATTRIBUTE c int CASCADE; ALTER TYPE app.comp DROP ATTRIBUTE b CASCADE; ALTER TYPE app.comp RENAME ATTRIBUTE a TO aa CASCADE; ALTER TYPE app.comp RENAME TO comp2; CREATE TYPE app.pair AS (l int, r app.comp); ALTER TABLE app.org ADD COLUMN pair app.pair; DROP TYPE app.span; CREATE TYPE app.span2 AS RANGE (subtype = int); COMMENT ON TYPE app.comp IS 'cc'; DROP TYPE app.span; CREATE TYPE app.span AS RANGE (subtype = int8);
CREATE OR REPLACE FUNCTION app.twice(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + a'; CREATE OR REPLACE FUNCTION app.greet(name text, greeting text DEFAULT 'bye') RETURNS text LANGUAGE sql AS 'SELECT name'; CREATE OR REPLACE FUNCTION app.greet(name text, greeting text DEFAULT 'bye') RETURNS text LANGUAGE sql STABLE AS 'SELECT ''x'''; CREATE FUNCTION app.fresh(a app.item) RETURNS app.mood LANGUAGE sql AS 'SELECT a.m'; CREATE FUNCTION app.atomic(a int) RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM app.org WHERE id = a; END; ALTER FUNCTION app.twice(int) RENAME TO double; ALTER FUNCTION app.twice(int) COST 9 SECURITY DEFINER SET search_path = app; REVOKE EXECUTE ON FUNCTION app.twice(int) FROM PUBLIC; ALTER FUNCTION app.greet(text, text) OWNER TO regress_migmgr_writer_u; COMMENT ON FUNCTION app.twice(int) IS '2';
DROP FUNCTION app.rows_of(int); DROP FUNCTION app.rows_of(int); CREATE FUNCTION app.rows_of(n int) RETURNS TABLE (a int) LANGUAGE sql AS 'SELECT 1'; DROP PROCEDURE app.proc(int); CREATE OR REPLACE PROCEDURE app.proc(INOUT a int) LANGUAGE sql AS 'SELECT 2'; DROP AGGREGATE app.total(int); CREATE OR REPLACE AGGREGATE app.total(int) (sfunc = int4pl, stype = int, initcond = '5'); CREATE AGGREGATE app.total2(numeric) (sfunc = numeric_add, stype = numeric); DROP FUNCTION app.twice(int) CASCADE; DROP FUNCTION app.touch() CASCADE; ALTER TABLE app.item ALTER t DROP DEFAULT; DROP FUNCTION app.greet(text, text);
DROP SEQUENCE app.free_seq; CREATE SEQUENCE app.seq3 OWNED BY app.org.name; ALTER SEQUENCE app.seq INCREMENT 5 MAXVALUE 1000 CYCLE; ALTER SEQUENCE app.free_seq OWNED BY app.org.name; ALTER SEQUENCE app.item_id_seq OWNED BY NONE; GRANT USAGE ON SEQUENCE app.seq TO PUBLIC; COMMENT ON SEQUENCE app.seq IS 's'; ALTER SEQUENCE app.free_seq AS bigint; DROP SEQUENCE app.seq CASCADE; ALTER SEQUENCE app.free_seq OWNER TO regress_migmgr_writer_u;
ALTER PUBLICATION regress_migmgr_pub ADD TABLE app.org; ALTER PUBLICATION regress_migmgr_pub SET TABLE app.item, app.org WHERE (id > 7); ALTER PUBLICATION regress_migmgr_pub SET (publish = 'insert'); ALTER PUBLICATION regress_migmgr_pub DROP TABLE app.item; DROP PUBLICATION regress_migmgr_pub; CREATE PUBLICATION regress_migmgr_pub2 FOR ALL TABLES; CREATE PUBLICATION regress_migmgr_pub3 FOR TABLES IN SCHEMA app; ALTER PUBLICATION regress_migmgr_pub OWNER TO regress_migmgr_writer_u; ALTER PUBLICATION regress_migmgr_pub RENAME TO regress_migmgr_pub4;
ALTER SERVER regress_migmgr_srv OPTIONS (SET host 'i', ADD port '1') ; ALTER SERVER regress_migmgr_srv VERSION '2'; ALTER FOREIGN DATA WRAPPER regress_migmgr_wrap OPTIONS (DROP a); ALTER FOREIGN TABLE app.foreign_one OPTIONS (SET z '2'); ALTER FOREIGN TABLE app.foreign_one ALTER a OPTIONS (DROP k); ALTER FOREIGN TABLE app.foreign_one ADD COLUMN c int; ALTER FOREIGN TABLE app.foreign_one DROP COLUMN b; ALTER FOREIGN TABLE app.foreign_one ALTER a TYPE bigint; DROP USER MAPPING FOR regress_migmgr_reader_u SERVER regress_migmgr_srv; CREATE USER MAPPING FOR PUBLIC SERVER regress_migmgr_srv; DROP SERVER regress_migmgr_srv CASCADE; CREATE SERVER regress_migmgr_srv2 FOREIGN DATA WRAPPER regress_migmgr_wrap; GRANT USAGE ON FOREIGN SERVER regress_migmgr_srv TO regress_migmgr_reader_u; DROP FOREIGN DATA WRAPPER regress_migmgr_wrap CASCADE; ALTER SERVER regress_migmgr_srv OWNER TO regress_migmgr_super_u; ALTER FOREIGN TABLE app.foreign_one RENAME TO foreign_two;
DROP TEXT SEARCH CONFIGURATION app.cfg; ALTER TEXT SEARCH CONFIGURATION app.cfg DROP MAPPING FOR email; ALTER TEXT SEARCH CONFIGURATION app.cfg ALTER MAPPING FOR word WITH simple; ALTER TEXT SEARCH CONFIGURATION app.cfg RENAME TO cfg2; ALTER TEXT SEARCH DICTIONARY app.dict (stopwords, accept = false); DROP TEXT SEARCH DICTIONARY app.dict CASCADE; CREATE TEXT SEARCH DICTIONARY app.dict2 (TEMPLATE = simple); CREATE TEXT SEARCH CONFIGURATION app.cfg3 (COPY = pg_catalog.simple); COMMENT ON TEXT SEARCH CONFIGURATION app.cfg IS 'c'; CREATE TEXT SEARCH TEMPLATE app.tmpl (LEXIZE = dsimple_lexize);
DROP OPERATOR app.=== (int, int); CREATE OPERATOR app.!== (FUNCTION = int4ne, LEFTARG = int, RIGHTARG = int); COMMENT ON OPERATOR app.=== (int, int) IS 'o'; ALTER OPERATOR app.=== (int, int) OWNER TO regress_migmgr_writer_u; ALTER OPERATOR app.=== (int, int) SET SCHEMA "Other S"; DROP OPERATOR CLASS app.oc USING btree; DROP OPERATOR FAMILY app.oc USING btree CASCADE; ALTER OPERATOR CLASS app.oc USING btree RENAME TO oc2; CREATE OPERATOR FAMILY app.fam USING hash; ALTER OPERATOR FAMILY app.oc USING btree ADD OPERATOR 1 < (int, int2), FUNCTION 1 btint42cmp(int, int2); DROP CAST (app.mood AS int); CREATE CAST (app.colour AS text) WITH INOUT AS ASSIGNMENT; COMMENT ON CAST (app.mood AS int) IS 'c';
DROP COLLATION app.coll; ALTER COLLATION app.coll RENAME TO coll2; CREATE COLLATION app.coll3 FROM "C"; ALTER TABLE app.org ADD COLUMN sorted text COLLATE app.coll; DROP CONVERSION app.conv; ALTER CONVERSION app.conv RENAME TO conv2; CREATE DEFAULT CONVERSION app.conv4 FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1; COMMENT ON CONVERSION app.conv IS 'c';
ALTER DEFAULT PRIVILEGES IN SCHEMA "Other S" REVOKE SELECT ON TABLES FROM regress_migmgr_reader_u; ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT INSERT ON TABLES TO regress_migmgr_reader_u; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC; ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO PUBLIC;
DROP EVENT TRIGGER regress_migmgr_evt; ALTER EVENT TRIGGER regress_migmgr_evt DISABLE; ALTER EVENT TRIGGER regress_migmgr_evt RENAME TO regress_migmgr_evt2; CREATE EVENT TRIGGER regress_migmgr_evt3 ON sql_drop EXECUTE FUNCTION app.on_ddl(); COMMENT ON EVENT TRIGGER regress_migmgr_evt IS 'e'; CREATE ACCESS METHOD regress_migmgr_am TYPE TABLE HANDLER heap_tableam_handler; CREATE TABLE app.with_am (a int) USING regress_migmgr_am; CREATE LANGUAGE regress_migmgr_lang HANDLER plpgsql_call_handler; CREATE SCHEMA "third ""S" AUTHORIZATION regress_migmgr_writer_u; CREATE TABLE "third ""S"."t ""x" ("c ""y" text DEFAULT 'it''s'); CREATE EXTENSION pg_trgm SCHEMA app; CREATE INDEX org_trgm ON app.org USING gin (name app.gin_trgm_ops); COMMENT ON SCHEMA app IS 'a';
ALTER TABLE app.org ALTER id SET GENERATED BY DEFAULT SET INCREMENT 7; ALTER TABLE app.org ALTER id DROP IDENTITY; ALTER TABLE app.org ALTER id TYPE int; ALTER TABLE app.item ALTER id DROP DEFAULT; ALTER TABLE app.item ALTER id TYPE bigint; ALTER SEQUENCE app.item_id_seq RENAME TO item_numbers; ALTER TABLE app.unlogged ADD PRIMARY KEY (a); ALTER TABLE app.unlogged ALTER a ADD GENERATED ALWAYS AS IDENTITY; ALTER TABLE app.unlogged SET LOGGED;
ALTER TABLE app.item RENAME TO item_old; CREATE TABLE app.item (LIKE app.item_old INCLUDING DEFAULTS INCLUDING CONSTRAINTS); CREATE TABLE app.org_copy AS SELECT id, name FROM app.org; ALTER TABLE app.org_copy ADD PRIMARY KEY (id); ALTER TABLE app.org RENAME TO org_old; ALTER TABLE app.org_copy RENAME TO org; DROP TABLE app.org_old CASCADE; CREATE VIEW app.orgs AS SELECT * FROM app.org;
DROP TABLE app.item CASCADE; DROP TABLE app.org CASCADE; DROP TABLE app.part1; DROP TABLE app.base CASCADE; DROP TABLE app.typed; DROP FOREIGN TABLE app.foreign_one; DROP TYPE app.comp CASCADE; DROP DOMAIN app.pos CASCADE; DROP TYPE app.mood CASCADE; DROP FUNCTION app.check_it() CASCADE; DROP SCHEMA app CASCADE;
ALTER FUNCTION app.touch() RENAME TO touched; ALTER FUNCTION app.touch() SET SCHEMA "Other S"; CREATE OR REPLACE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'; ALTER TABLE app.item DROP COLUMN org CASCADE; ALTER TABLE app.item RENAME COLUMN org TO org_id; ALTER TABLE app.item ALTER org TYPE text USING NULL; ALTER TABLE app.item DROP COLUMN m CASCADE; ALTER TABLE app.item ADD COLUMN m app.colour DEFAULT 'red'; CREATE VIEW app.late AS SELECT id, m FROM app.item;
CREATE TABLE app.lookup (id int PRIMARY KEY, label text); INSERT INTO app.lookup VALUES (1, 'one'), (2, 'two'); INSERT INTO app.org (name) VALUES ('first'), ('second'); ALTER TABLE app.item ADD COLUMN lookup int REFERENCES app.lookup DEFAULT 1; CREATE OR REPLACE VIEW app.item_view AS SELECT id, n, m, (SELECT label FROM app.lookup WHERE lookup.id = item.lookup) AS label FROM app.item; UPDATE app.org SET parent = id; CREATE UNIQUE INDEX lookup_label ON app.lookup (label); ALTER TABLE app.org ADD FOREIGN KEY (name) REFERENCES app.lookup (label) NOT VALID; CREATE POLICY by_label ON app.org USING (EXISTS (SELECT FROM app.lookup WHERE label = name));
ALTER TYPE app.colour RENAME TO colour_old; CREATE TYPE app.colour AS ENUM ('red', 'blue'); ALTER TYPE app.mood ADD VALUE 'grand' AFTER 'ok'; ALTER TABLE app.org ADD COLUMN moods app.mood[] DEFAULT '{ok}'; CREATE INDEX org_moods ON app.org USING gin (moods); CREATE TABLE app.felt (m app.mood PRIMARY KEY, CHECK (m <> 'sad')); CREATE FUNCTION app.felt(m app.mood DEFAULT 'ok') RETURNS SETOF app.felt LANGUAGE sql AS 'SELECT NULL::app.mood'; CREATE DOMAIN app.real_mood AS app.mood CHECK (VALUE <> 'glad'); ALTER TABLE app.felt ADD COLUMN r app.real_mood; CREATE TYPE app.moods AS (a app.mood, b app.real_mood); ALTER TABLE app.felt ADD COLUMN ms app.moods
$pool$, ';(?![^;]*END;)\s*') AS s WHERE btrim(s, E' \n') <> '';

-- Some statements of the pool, at random: mostly near to each other, as those of a migration are.
CREATE FUNCTION public.undo_migration(seed int) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  size int := (SELECT max(n) FROM public.undo_pool);
  start int;
  result text[] := '{}';
BEGIN
  PERFORM setseed((seed % 100000) / 100000.0);
  FOR part IN 1 .. 1 + (random() * 2.4)::int LOOP
    start := 1 + floor(random() * size)::int;
    result := result || ARRAY(SELECT sql FROM public.undo_pool WHERE n >= start ORDER BY n LIMIT 1 + floor(random() * 3)::int);
  END LOOP;
  RETURN result;
END
$$;

-- Statements that fail after others are left out.  The schema comes back by
-- the abort of the subtransaction, whatever undo() did.
CREATE FUNCTION public.undo_check(statements text[], OUT outcome text, OUT ran text[], OUT undone text[], OUT notes text[], OUT detail text) LANGUAGE plpgsql AS $$
DECLARE
  was text := migmgr.schema_fingerprint();
  before jsonb := (SELECT jsonb_agg(to_jsonb(d)) FROM migmgr_internal.describe() AS d);
  after jsonb;
  touched text[];
  s text;
BEGIN
  ran := '{}';
  undone := '{}';
  notes := '{}';
  BEGIN
    SET LOCAL client_min_messages = error;
    SET LOCAL check_function_bodies = off;
    FOREACH s IN ARRAY statements LOOP
      BEGIN
        EXECUTE s;
        ran := ran || s;
      EXCEPTION WHEN OTHERS THEN
        NULL;
      END;
    END LOOP;
    after := (SELECT jsonb_agg(to_jsonb(d)) FROM migmgr_internal.describe() AS d);
    -- objects that changed in any way, with all their parts
    touched := ARRAY(SELECT DISTINCT coalesce(x ->> 'parent', concat(x ->> 'kind', ' ', x ->> 'identity'))
                       FROM (SELECT x FROM jsonb_array_elements(before) AS x EXCEPT SELECT x FROM jsonb_array_elements(after) AS x) AS x
                     UNION SELECT DISTINCT coalesce(x ->> 'parent', concat(x ->> 'kind', ' ', x ->> 'identity'))
                       FROM (SELECT x FROM jsonb_array_elements(after) AS x EXCEPT SELECT x FROM jsonb_array_elements(before) AS x) AS x);
    FOR s, detail IN
      SELECT u.sql, u.irreversible
        FROM migmgr_internal.undo(
          (SELECT jsonb_agg(x) FROM jsonb_array_elements(before) AS x WHERE coalesce(x ->> 'parent', concat(x ->> 'kind', ' ', x ->> 'identity')) = ANY (touched)),
          (SELECT jsonb_agg(x) FROM jsonb_array_elements(after) AS x WHERE coalesce(x ->> 'parent', concat(x ->> 'kind', ' ', x ->> 'identity')) = ANY (touched))) AS u ORDER BY u.n LOOP
      undone := undone || s;
      notes := array_remove(notes || detail, NULL);
    END LOOP;
    detail := NULL;
    FOREACH s IN ARRAY array_remove(undone, NULL) LOOP
      EXECUTE s;
    END LOOP;
    IF migmgr.schema_fingerprint() = was THEN
      outcome := 'equal';
    ELSE
      outcome := CASE WHEN notes = '{}' THEN 'DIFFERENT' ELSE 'explained' END;
      SELECT string_agg(concat_ws(E'\n    ', coalesce(x.identity, y.identity), x.definition, 'BUT NOW', y.definition), E'\n' ORDER BY coalesce(x.identity, y.identity) COLLATE "C") INTO detail
        FROM jsonb_to_recordset(before) AS x(kind text, identity text, definition text)
        FULL JOIN migmgr_internal.describe() AS y ON y.kind = x.kind AND y.identity = x.identity
       WHERE x.definition IS DISTINCT FROM y.definition;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'MG999';
  EXCEPTION
    WHEN SQLSTATE 'MG999' THEN NULL;
    WHEN OTHERS THEN
      outcome := 'FAILED';
      detail := concat(SQLERRM, E'\n    in ', s);
  END;
END
$$;

-- As undo_check(), through migmgr: there, back, and there again.  was is the
-- fingerprint of the schema.
--   equal      the schema is as it was, and then again as the migration left it
--   explained  it is not, and the migration's entry says why
-- Anything else is wrong.
CREATE FUNCTION public.undo_trip(statements text[], was text, OUT outcome text, OUT ran text[], OUT reversible text, OUT detail text) LANGUAGE plpgsql AS $$
DECLARE
  became text;
  now jsonb;
  script text;
  s text;
  step text := 'apply';
BEGIN
  ran := '{}';
  SET LOCAL client_min_messages = error;
  SET LOCAL check_function_bodies = off;
  -- those that run after one another
  BEGIN
    FOREACH s IN ARRAY statements LOOP
      BEGIN
        EXECUTE s;
        ran := ran || s;
      EXCEPTION WHEN OTHERS THEN
        NULL;
      END;
    END LOOP;
    RAISE EXCEPTION USING ERRCODE = 'MG999';
  EXCEPTION WHEN SQLSTATE 'MG999' THEN
    NULL;
  END;
  IF ran = '{}' THEN
    outcome := 'equal';
    RETURN;
  END IF;
  script := array_to_string(ran, E';\n');
  BEGIN
    SELECT a.reversible INTO reversible FROM migmgr.apply('1', 'trip', script) AS a;
    became := migmgr.schema_fingerprint();
    step := 'rollback';
    PERFORM migmgr.rollback('1', 'trip', on_data => 'discard');
    IF migmgr.schema_fingerprint() = was THEN
      step := 'apply again';
      PERFORM migmgr.apply('1', 'trip', script);
      outcome := CASE WHEN migmgr.schema_fingerprint() = became THEN 'equal' ELSE 'DIFFERENT THE SECOND TIME' END;
    ELSE
      outcome := CASE WHEN reversible ~ 'but' THEN 'explained' ELSE 'DIFFERENT' END;
      now := (SELECT jsonb_agg(to_jsonb(d)) FROM migmgr_internal.describe() AS d);
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'MG999';
  EXCEPTION
    WHEN SQLSTATE 'MG999' THEN NULL;
    WHEN SQLSTATE 'MG210' THEN
      outcome := CASE WHEN reversible ~ '^no: .' THEN 'explained' ELSE 'NO WAY BACK' END;
    WHEN OTHERS THEN
      outcome := 'FAILED';
      detail := concat(step, ': ', SQLERRM);
  END;
  IF now IS NOT NULL THEN
    SELECT string_agg(concat_ws(E'\n    ', coalesce(x.identity, y.identity), x.definition, 'BUT NOW', y.definition), E'\n' ORDER BY coalesce(x.identity, y.identity) COLLATE "C") INTO detail
      FROM migmgr_internal.describe() AS x
      FULL JOIN jsonb_to_recordset(now) AS y(kind text, identity text, definition text) ON y.kind = x.kind AND y.identity = x.identity
     WHERE x.definition IS DISTINCT FROM y.definition;
  END IF;
END
$$;
