-- What each statement is judged to be, against tables of every kind.  A row
-- below is a statement, its class and its rule; only rows that are judged
-- otherwise are printed.
\set test guard_classes
\set ECHO none
\i test/include/database.sql

CREATE SCHEMA other;
CREATE ROLE regress_migmgr_classes;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (x integer, y integer);
CREATE DOMAIN plain AS integer;
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE FUNCTION idx(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION other_f(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION inlined() RETURNS integer LANGUAGE sql VOLATILE AS 'SELECT 7';
CREATE FUNCTION inlined_stable() RETURNS integer LANGUAGE sql STABLE AS 'SELECT 7';
CREATE FUNCTION noisy() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN 7; END';
CREATE FUNCTION trg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TABLE parent (id integer PRIMARY KEY, v text);
CREATE TABLE big (id integer PRIMARY KEY, a integer, n integer NOT NULL, v varchar(10), w varchar(10), num numeric(8, 2),
  ts timestamp, tsz timestamptz, c char(5), j json, arr varchar(5)[], d plain, p positive, m mood, def text DEFAULT 'x', nd text NOT NULL DEFAULT 'x',
  gen integer GENERATED ALWAYS AS (id + 1) STORED, ref integer REFERENCES parent, u integer UNIQUE, proven integer,
  CONSTRAINT a_positive CHECK (a > 0), CONSTRAINT is_there CHECK (proven > 0 AND proven IS NOT NULL));
CREATE INDEX big_w ON big (w);
CREATE INDEX big_idx ON big (idx(a));
CREATE INDEX big_ts ON big (ts);
CREATE INDEX big_part ON big (id) WHERE v = 'x';
CREATE TRIGGER old_trigger BEFORE INSERT ON big FOR EACH ROW EXECUTE FUNCTION trg();
CREATE POLICY old_policy ON big USING (true);
CREATE RULE old_rule AS ON UPDATE TO big WHERE false DO INSTEAD NOTHING;
CREATE STATISTICS old_statistics ON a, n FROM big;
INSERT INTO parent VALUES (1, 'x');
INSERT INTO big (id, a, n, ref, u, proven, p) VALUES (1, 1, 1, 1, 1, 1, 1);
CREATE TABLE clear (id integer PRIMARY KEY, a integer, v varchar(10));
CREATE TABLE emptied (id integer, a integer);
INSERT INTO emptied VALUES (1, 1);
DELETE FROM emptied;
CREATE TABLE unkeyed (a integer);
INSERT INTO unkeyed VALUES (1);
CREATE UNLOGGED TABLE unlogged (a integer);
INSERT INTO unlogged VALUES (1);
CREATE TABLE parted (id integer, v text) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE loose (id integer, v text);
INSERT INTO loose VALUES (11, 'x');
INSERT INTO part1 VALUES (1, 'x');
CREATE TABLE other.hidden (a integer);
CREATE VIEW vw AS SELECT id FROM big;
CREATE VIEW barrier WITH (security_barrier) AS SELECT id FROM big;
CREATE MATERIALIZED VIEW mv AS SELECT id FROM big;
CREATE SEQUENCE seq;
CREATE TEMP TABLE tmp (id integer, a integer);
SET client_min_messages = error;
CREATE PUBLICATION pub FOR TABLE parent;
SET client_min_messages = warning;
CREATE TABLE locked (id integer PRIMARY KEY);
ALTER TABLE locked ENABLE ROW LEVEL SECURITY;
CREATE TABLE uses_domain (p positive);
INSERT INTO uses_domain VALUES (1);
CREATE DOMAIN unused AS integer;

CREATE TABLE cases (n integer GENERATED ALWAYS AS IDENTITY, sql text, class text, rule text);
COPY cases (sql, class, rule) FROM stdin WITH (DELIMITER '|');
SELECT 1|none|select
SELECT * FROM big|none|select
WITH x AS (DELETE FROM big RETURNING *) SELECT * FROM x|destructive|delete-everything
WITH x AS (UPDATE big SET a = 1 WHERE id = 1 RETURNING *) SELECT * FROM x|data|update
SELECT * INTO fresh FROM big|additive|create-table-as
INSERT INTO big (id) VALUES (2)|data|insert
INSERT INTO tmp VALUES (2)|none|insert
UPDATE big SET a = 1|destructive|update-everything
UPDATE big SET a = 1 WHERE true|destructive|update-everything
UPDATE big SET a = 1 WHERE 1 = 1|destructive|update-everything
UPDATE big SET a = 1 WHERE id = 1|data|update
DELETE FROM big|destructive|delete-everything
DELETE FROM big WHERE id = 1|data|delete
DELETE FROM tmp|none|delete-everything
DELETE FROM nosuch|additive|delete-everything
MERGE INTO big USING parent ON big.id = parent.id WHEN MATCHED THEN DELETE|data|merge
TRUNCATE big|destructive|truncate
TRUNCATE tmp|none|truncate
TRUNCATE tmp, big|destructive|truncate
COPY big TO '/dev/null'|none|copy
COPY parent FROM '/dev/null'|data|copy
EXPLAIN DELETE FROM big|none|explain
EXPLAIN ANALYZE DELETE FROM big|destructive|delete-everything
EXPLAIN (ANALYZE off) DELETE FROM big|none|explain
EXPLAIN ANALYZE CREATE TABLE fresh AS SELECT 1|additive|create-table-as
PREPARE q AS DELETE FROM big|destructive|delete-everything
DECLARE c CURSOR FOR SELECT 1|none|select
LOCK TABLE big IN ACCESS EXCLUSIVE MODE|blocking|lock-table
LOCK TABLE big IN ROW EXCLUSIVE MODE|none|lock-table
SET work_mem = '1MB'|none|session
SHOW work_mem|none|session
RESET ALL|none|session
DO $$BEGIN END$$|none|opaque
CALL nosuch()|none|opaque
CHECKPOINT|none|session
VACUUM big|none|vacuum
ANALYZE big|none|vacuum
VACUUM FULL big|rewriting|vacuum-full
VACUUM (FULL) big|rewriting|vacuum-full
VACUUM (FULL false) big|none|vacuum
CLUSTER big USING big_pkey|rewriting|cluster
REINDEX TABLE big|blocking|reindex
REINDEX INDEX big_w|blocking|reindex
REINDEX TABLE CONCURRENTLY big|additive|reindex
REINDEX DATABASE regress_migmgr_guard_classes|blocking|reindex
CREATE TABLE fresh (id integer PRIMARY KEY, x serial, ref integer REFERENCES big)|additive|create-table
CREATE TABLE IF NOT EXISTS big (id integer)|none|create-table
CREATE TABLE big (id integer)|additive|create-table
CREATE TEMP TABLE fresh (id integer)|none|create-table
CREATE TABLE pg_temp.fresh (id integer)|none|create-table
CREATE TABLE hidden (a integer)|restrictive|shadowing-table
CREATE TABLE fresh AS SELECT 1|additive|create-table-as
CREATE TEMP TABLE fresh AS SELECT 1|none|create-table-as
CREATE TABLE part2 PARTITION OF parted FOR VALUES FROM (20) TO (30)|additive|create-table
CREATE FOREIGN TABLE ft (a integer) SERVER nosuch|additive|create-foreign-table
ALTER TABLE big ADD COLUMN x integer|additive|add-column
ALTER TABLE big ADD COLUMN x integer DEFAULT 5 NOT NULL|additive|add-column
ALTER TABLE big ADD COLUMN x text DEFAULT 'a'::text|additive|add-column
ALTER TABLE big ADD COLUMN x text[] DEFAULT ARRAY['a', 'b']|additive|add-column
ALTER TABLE big ADD COLUMN x timestamptz DEFAULT now()|additive|add-column
ALTER TABLE big ADD COLUMN x timestamptz DEFAULT CURRENT_TIMESTAMP|additive|add-column
ALTER TABLE big ADD COLUMN x timestamptz DEFAULT now() - interval '1 day'|additive|add-column
ALTER TABLE big ADD COLUMN x integer DEFAULT inlined_stable()|additive|add-column
ALTER TABLE big ADD COLUMN x timestamptz DEFAULT clock_timestamp()|rewriting|add-column-volatile-default
ALTER TABLE big ADD COLUMN x uuid DEFAULT gen_random_uuid()|rewriting|add-column-volatile-default
ALTER TABLE big ADD COLUMN x integer DEFAULT noisy()|rewriting|add-column-volatile-default
ALTER TABLE big ADD COLUMN x integer DEFAULT inlined()|additive|add-column
ALTER TABLE big ADD COLUMN x integer DEFAULT nosuch()|additive|add-column
ALTER TABLE big ADD COLUMN x integer DEFAULT nextval('seq')|rewriting|add-column-volatile-default
ALTER TABLE big ADD COLUMN x serial|rewriting|add-column-serial
ALTER TABLE big ADD COLUMN x bigserial PRIMARY KEY|rewriting|add-column-serial
ALTER TABLE big ADD COLUMN x integer GENERATED ALWAYS AS IDENTITY|rewriting|add-column-identity
ALTER TABLE big ADD COLUMN x integer GENERATED ALWAYS AS (id * 2) STORED|rewriting|add-column-generated
ALTER TABLE big ADD COLUMN x integer NOT NULL|restrictive|add-column-not-null
ALTER TABLE big ADD COLUMN x integer UNIQUE|blocking|add-column-unique
ALTER TABLE big ADD COLUMN x integer CHECK (x > 0)|blocking|add-column-check
ALTER TABLE big ADD COLUMN x integer REFERENCES parent|additive|add-column
ALTER TABLE big ADD COLUMN x integer DEFAULT 1 REFERENCES parent|blocking|add-column-foreign-key
ALTER TABLE big ADD COLUMN x plain|additive|add-column
ALTER TABLE big ADD COLUMN x positive|rewriting|add-column-domain
ALTER TABLE big ADD COLUMN x positive DEFAULT 1|rewriting|add-column-domain
ALTER TABLE big ADD COLUMN IF NOT EXISTS a integer|additive|add-column
ALTER TABLE IF EXISTS nosuch ADD COLUMN a integer|none|alter-table
ALTER TABLE nosuch ADD COLUMN a integer|additive|alter-table
ALTER TABLE tmp DROP COLUMN a|none|alter-table
ALTER TABLE tmp ALTER COLUMN a TYPE bigint|none|alter-table
ALTER TABLE clear ADD COLUMN x integer NOT NULL|additive|add-column-not-null
ALTER TABLE emptied ADD COLUMN x integer NOT NULL|additive|add-column-not-null
ALTER TABLE big DROP COLUMN a|destructive|drop-column
ALTER TABLE big DROP COLUMN IF EXISTS nosuch|additive|drop-column
ALTER TABLE big ADD COLUMN x integer, DROP COLUMN a|destructive|drop-column
ALTER TABLE big DROP COLUMN a, ADD COLUMN a integer|destructive|drop-column
ALTER TABLE clear DROP COLUMN a|destructive|drop-column
ALTER TABLE big ALTER COLUMN v TYPE varchar(20)|type_change|alter-column-type-scan
ALTER TABLE big ALTER COLUMN w TYPE varchar(20)|type_change|alter-column-type
ALTER TABLE big ALTER COLUMN w TYPE varchar|type_change|alter-column-type
ALTER TABLE big ALTER COLUMN w TYPE text|type_change|alter-column-type
ALTER TABLE big ALTER COLUMN w TYPE varchar(5)|rewriting|alter-column-type-rewrite
ALTER TABLE big ALTER COLUMN w TYPE char(20)|rewriting|alter-column-type-rewrite
ALTER TABLE big ALTER COLUMN c TYPE text|rewriting|alter-column-type-rewrite
ALTER TABLE big ALTER COLUMN num TYPE numeric(10, 2)|type_change|alter-column-type
ALTER TABLE big ALTER COLUMN num TYPE numeric|type_change|alter-column-type
ALTER TABLE big ALTER COLUMN num TYPE numeric(10, 3)|rewriting|alter-column-type-rewrite
ALTER TABLE big ALTER COLUMN n TYPE bigint|rewriting|alter-column-type-rewrite
ALTER TABLE big ALTER COLUMN n TYPE integer|type_change|alter-column-type
ALTER TABLE big ALTER COLUMN n TYPE oid|type_change|alter-column-type
ALTER TABLE big ALTER COLUMN n TYPE text|rewriting|alter-column-type-rewrite
ALTER TABLE big ALTER COLUMN n TYPE integer USING n + 1|rewriting|alter-column-type-rewrite
ALTER TABLE big ALTER COLUMN n TYPE integer USING n|type_change|alter-column-type
ALTER TABLE big ALTER COLUMN a TYPE integer|type_change|alter-column-type-scan
ALTER TABLE big ALTER COLUMN j TYPE jsonb|rewriting|alter-column-type-rewrite
ALTER TABLE big ALTER COLUMN m TYPE text|rewriting|alter-column-type-rewrite
ALTER TABLE big ALTER COLUMN arr TYPE varchar(9)[]|rewriting|alter-column-type-rewrite
ALTER TABLE big ALTER COLUMN n TYPE plain|type_change|alter-column-type
ALTER TABLE big ALTER COLUMN n TYPE positive|rewriting|alter-column-type-rewrite
ALTER TABLE big ALTER COLUMN d TYPE integer|type_change|alter-column-type
ALTER TABLE big ALTER COLUMN n TYPE nosuch|rewriting|alter-column-type-rewrite
ALTER TABLE clear ALTER COLUMN a TYPE bigint|type_change|alter-column-type
ALTER TABLE parted ALTER COLUMN v TYPE varchar|type_change|alter-column-type
ALTER TABLE parted ALTER COLUMN v TYPE varchar(5)|rewriting|alter-column-type-rewrite
ALTER TYPE pair ALTER ATTRIBUTE x TYPE bigint|type_change|alter-column-type
ALTER TYPE pair ADD ATTRIBUTE z integer|additive|add-column
ALTER TYPE pair DROP ATTRIBUTE x|destructive|drop-column
ALTER TABLE big ALTER COLUMN a SET NOT NULL|blocking|set-not-null-scan
ALTER TABLE big ALTER COLUMN proven SET NOT NULL|restrictive|set-not-null
ALTER TABLE big ALTER COLUMN n SET NOT NULL|additive|set-not-null
ALTER TABLE emptied ALTER COLUMN a SET NOT NULL|blocking|set-not-null-scan
ALTER TABLE big ALTER COLUMN n DROP NOT NULL|relaxing|drop-not-null
ALTER TABLE big ALTER COLUMN a DROP NOT NULL|additive|drop-not-null
ALTER TABLE big ALTER COLUMN a SET DEFAULT 5|additive|set-default
ALTER TABLE big ALTER COLUMN def SET DEFAULT 'y'|replacing|set-default
ALTER TABLE big ALTER COLUMN def DROP DEFAULT|replacing|set-default
ALTER TABLE big ALTER COLUMN nd DROP DEFAULT|restrictive|drop-default
ALTER TABLE big ALTER COLUMN gen DROP EXPRESSION|restrictive|drop-expression
ALTER TABLE big ALTER COLUMN n ADD GENERATED ALWAYS AS IDENTITY|restrictive|add-identity
ALTER TABLE big ALTER COLUMN a SET STATISTICS 100|additive|set-statistics
ALTER TABLE big ALTER COLUMN a SET (n_distinct = 5)|additive|set-column-options
ALTER TABLE big ALTER COLUMN def SET STORAGE EXTERNAL|additive|set-storage
ALTER TABLE big ADD CONSTRAINT k CHECK (n > 0)|blocking|add-check
ALTER TABLE big ADD CONSTRAINT k CHECK (n > 0) NOT VALID|restrictive|add-check
ALTER TABLE clear ADD CONSTRAINT k CHECK (a > 0) NOT VALID|additive|add-check
ALTER TABLE big VALIDATE CONSTRAINT a_positive|additive|validate-constraint
ALTER TABLE big ADD FOREIGN KEY (n) REFERENCES parent|blocking|add-foreign-key
ALTER TABLE big ADD FOREIGN KEY (n) REFERENCES parent NOT VALID|restrictive|add-foreign-key
ALTER TABLE big ADD UNIQUE (a)|blocking|add-unique
ALTER TABLE big ADD PRIMARY KEY (id)|blocking|add-primary-key
ALTER TABLE big ADD EXCLUDE (a WITH =)|blocking|add-exclusion
ALTER TABLE big ADD CONSTRAINT k UNIQUE USING INDEX nosuch|additive|add-constraint
ALTER TABLE big DROP CONSTRAINT a_positive|relaxing|drop-constraint
ALTER TABLE big DROP CONSTRAINT big_ref_fkey|relaxing|drop-foreign-key
ALTER TABLE big DROP CONSTRAINT big_u_key|destructive|drop-unique
ALTER TABLE big DROP CONSTRAINT big_pkey|destructive|drop-primary-key
ALTER TABLE big DROP CONSTRAINT IF EXISTS nosuch|additive|drop-constraint
ALTER TABLE big ALTER CONSTRAINT big_ref_fkey DEFERRABLE|relaxing|alter-constraint
ALTER TABLE big RENAME CONSTRAINT a_positive TO b|relaxing|rename-constraint
ALTER TABLE big RENAME TO b|destructive|rename-table
ALTER TABLE big RENAME COLUMN a TO b|destructive|rename-column
ALTER TABLE tmp RENAME TO b|none|rename-table
ALTER TABLE IF EXISTS nosuch RENAME TO b|none|rename-table
ALTER VIEW vw RENAME TO b|destructive|rename-view
ALTER SEQUENCE seq RENAME TO b|destructive|rename-sequence
ALTER INDEX big_w RENAME TO b|additive|rename-index
ALTER TABLE big_w RENAME TO b|additive|rename-index
ALTER TYPE mood RENAME TO b|destructive|rename-type
ALTER TYPE mood RENAME VALUE 'sad' TO 'b'|destructive|rename-enum-value
ALTER TYPE mood ADD VALUE 'b'|relaxing|add-enum-value
ALTER SCHEMA other RENAME TO b|destructive|rename-schema
ALTER FUNCTION idx(integer) RENAME TO b|destructive|rename-function
ALTER TRIGGER old_trigger ON big RENAME TO b|replacing|rename-trigger
ALTER POLICY old_policy ON big RENAME TO b|replacing|rename-policy
ALTER RULE old_rule ON big RENAME TO b|replacing|rename-rule
ALTER TABLE big SET SCHEMA other|destructive|set-schema
ALTER FUNCTION idx(integer) SET SCHEMA other|destructive|set-schema
ALTER TABLE big SET TABLESPACE pg_default|additive|set-tablespace
ALTER TABLE big SET TABLESPACE pg_global|rewriting|set-tablespace
ALTER TABLE ALL IN TABLESPACE pg_default SET TABLESPACE pg_default|rewriting|set-tablespace
ALTER TABLE big SET ACCESS METHOD heap|additive|set-access-method
ALTER TABLE big SET ACCESS METHOD nosuch|rewriting|set-access-method
ALTER TABLE big SET UNLOGGED|rewriting|set-unlogged
ALTER TABLE big SET LOGGED|additive|set-logged
ALTER TABLE unlogged SET LOGGED|rewriting|set-logged
ALTER TABLE big SET WITHOUT OIDS|additive|without-oids
ALTER TABLE big SET (fillfactor = 70)|additive|set-options
ALTER TABLE big RESET (fillfactor)|additive|set-options
ALTER VIEW barrier SET (security_barrier = false)|security|weaken-view
ALTER VIEW barrier RESET (security_barrier)|security|weaken-view
ALTER VIEW barrier SET (security_barrier)|additive|set-options
ALTER TABLE big REPLICA IDENTITY NOTHING|restrictive|replica-identity
ALTER TABLE big REPLICA IDENTITY FULL|additive|replica-identity
ALTER TABLE big CLUSTER ON big_pkey|additive|cluster-on
ALTER TABLE big OWNER TO regress_migmgr_classes|security|owner
ALTER TABLE big OWNER TO CURRENT_USER|additive|owner
ALTER FUNCTION idx(integer) OWNER TO regress_migmgr_classes|security|owner
ALTER FUNCTION idx(integer) OWNER TO CURRENT_USER|additive|owner
REASSIGN OWNED BY regress_migmgr_classes TO CURRENT_USER|security|reassign-owned
DROP OWNED BY regress_migmgr_classes|destructive|drop-owned
ALTER TABLE big ENABLE ROW LEVEL SECURITY|restrictive|enable-row-security
ALTER TABLE big DISABLE ROW LEVEL SECURITY|additive|disable-row-security
ALTER TABLE locked DISABLE ROW LEVEL SECURITY|security|disable-row-security
ALTER TABLE big FORCE ROW LEVEL SECURITY|restrictive|force-row-security
ALTER TABLE big NO FORCE ROW LEVEL SECURITY|additive|no-force-row-security
CREATE POLICY p ON big USING (true)|relaxing|create-policy
CREATE POLICY old_policy ON big USING (true)|replacing|replace-policy
CREATE POLICY p ON big AS RESTRICTIVE USING (true)|restrictive|restrictive-policy
ALTER POLICY old_policy ON big USING (false)|security|alter-policy
DROP POLICY old_policy ON big|destructive|drop-policy
DROP POLICY IF EXISTS nosuch ON big|none|drop-policy
DROP POLICY IF EXISTS nosuch ON nosuch|none|drop-policy
CREATE TRIGGER t BEFORE INSERT ON big FOR EACH ROW EXECUTE FUNCTION trg()|restrictive|create-trigger
CREATE TRIGGER t AFTER INSERT ON big FOR EACH ROW EXECUTE FUNCTION trg()|additive|create-trigger
CREATE CONSTRAINT TRIGGER t AFTER INSERT ON big FOR EACH ROW EXECUTE FUNCTION trg()|restrictive|create-trigger
CREATE OR REPLACE TRIGGER old_trigger AFTER INSERT ON big FOR EACH ROW EXECUTE FUNCTION trg()|replacing|replace-trigger
DROP TRIGGER old_trigger ON big|destructive|drop-trigger
DROP TRIGGER IF EXISTS nosuch ON big|none|drop-trigger
ALTER TABLE big DISABLE TRIGGER old_trigger|security|disable-trigger
ALTER TABLE big DISABLE TRIGGER ALL|security|disable-trigger
ALTER TABLE big ENABLE TRIGGER old_trigger|restrictive|enable-trigger
ALTER TABLE big ENABLE ALWAYS TRIGGER old_trigger|restrictive|enable-trigger
CREATE RULE r AS ON DELETE TO big DO INSTEAD NOTHING|restrictive|create-rule
DROP RULE old_rule ON big|destructive|drop-rule
ALTER TABLE big DISABLE RULE old_rule|security|disable-rule
ALTER TABLE parted ATTACH PARTITION loose FOR VALUES FROM (10) TO (20)|blocking|attach-partition
ALTER TABLE parted DETACH PARTITION part1|destructive|detach-partition
ALTER TABLE parted DETACH PARTITION part1 CONCURRENTLY|destructive|detach-partition
ALTER TABLE loose INHERIT big|restrictive|inherit
ALTER TABLE loose NO INHERIT big|destructive|no-inherit
CREATE INDEX ON big (a)|blocking|create-index
CREATE INDEX CONCURRENTLY ON big (a)|additive|create-index
CREATE UNIQUE INDEX ON big (a)|blocking|create-index
CREATE UNIQUE INDEX CONCURRENTLY ON big (a)|restrictive|create-unique-index
CREATE INDEX IF NOT EXISTS big_w ON big (w)|none|create-index
CREATE INDEX ON tmp (a)|none|create-index
CREATE UNIQUE INDEX ON emptied (a)|blocking|create-index
DROP INDEX big_w|destructive|drop-index
DROP INDEX CONCURRENTLY big_w|destructive|drop-index
DROP INDEX IF EXISTS nosuch|none|drop-index
REFRESH MATERIALIZED VIEW mv|blocking|refresh-materialized-view
REFRESH MATERIALIZED VIEW CONCURRENTLY mv|additive|refresh-materialized-view
REFRESH MATERIALIZED VIEW mv WITH NO DATA|destructive|refresh-with-no-data
DROP TABLE big|destructive|drop-table
DROP TABLE IF EXISTS nosuch|none|drop-table
DROP TABLE IF EXISTS nosuch, tmp|none|drop-table
DROP TABLE tmp, big|destructive|drop-table
DROP TABLE clear|destructive|drop-table
DROP SCHEMA other CASCADE|destructive|drop-schema
DROP VIEW vw|destructive|drop-view
DROP MATERIALIZED VIEW mv|destructive|drop-materialized-view
DROP SEQUENCE seq|destructive|drop-sequence
DROP TYPE mood|destructive|drop-type
DROP DOMAIN plain|destructive|drop-domain
DROP FUNCTION idx(integer)|destructive|drop-function
DROP FUNCTION IF EXISTS nosuch(integer)|none|drop-function
DROP FUNCTION IF EXISTS nosuch(nosuch)|none|drop-function
DROP STATISTICS old_statistics|relaxing|drop-statistics
DROP PUBLICATION pub|destructive|drop-publication
DROP EXTENSION plpgsql|destructive|drop-extension
DROP EXTENSION IF EXISTS nosuch|none|drop-extension
DROP LANGUAGE plpgsql|destructive|drop-language
DROP ROLE regress_migmgr_classes|destructive|drop-role
DROP DATABASE nosuch|destructive|drop-database
CREATE VIEW fresh AS SELECT 1|additive|create-view
CREATE OR REPLACE VIEW fresh AS SELECT 1|additive|create-view
CREATE OR REPLACE VIEW vw AS SELECT id FROM big|replacing|replace-view
CREATE OR REPLACE VIEW barrier AS SELECT id FROM big|security|replace-view-options
CREATE OR REPLACE VIEW barrier WITH (security_barrier) AS SELECT id FROM big|replacing|replace-view
CREATE TEMP VIEW fresh AS SELECT 1|none|create-view
CREATE FUNCTION fresh(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'|additive|create-function
CREATE OR REPLACE FUNCTION other_f(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'|replacing|replace-function
CREATE OR REPLACE FUNCTION other_f(integer) RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'|security|security-definer
CREATE OR REPLACE FUNCTION idx(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'|restrictive|replace-index-function
CREATE FUNCTION other_f(integer, integer DEFAULT 1) RETURNS integer LANGUAGE sql AS 'SELECT 1'|restrictive|ambiguous-overload
CREATE FUNCTION other_f(text, integer DEFAULT 1) RETURNS integer LANGUAGE sql AS 'SELECT 1'|additive|create-function
CREATE FUNCTION other_f(integer, integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'|additive|create-function
ALTER FUNCTION other_f(integer) STABLE|replacing|alter-function
ALTER FUNCTION idx(integer) STABLE|restrictive|alter-function
ALTER FUNCTION other_f(integer) SECURITY DEFINER|security|security-definer
CREATE SEQUENCE fresh|additive|create-sequence
CREATE SEQUENCE IF NOT EXISTS seq|none|create-sequence
ALTER SEQUENCE seq RESTART|restrictive|alter-sequence-numbers
ALTER SEQUENCE seq OWNED BY NONE|additive|alter-sequence
CREATE TYPE fresh AS ENUM ('a')|additive|create-type
CREATE TYPE fresh AS (a integer)|additive|create-type
CREATE DOMAIN fresh AS integer CHECK (VALUE > 0)|additive|create-domain
ALTER DOMAIN positive ADD CHECK (VALUE < 9)|blocking|check-domain
ALTER DOMAIN positive ADD CHECK (VALUE < 9) NOT VALID|restrictive|restrict-domain
ALTER DOMAIN positive SET NOT NULL|blocking|check-domain
ALTER DOMAIN positive DROP NOT NULL|relaxing|relax-domain
ALTER DOMAIN positive SET DEFAULT 1|replacing|domain-default
ALTER DOMAIN unused ADD CHECK (VALUE < 9)|additive|alter-domain
CREATE CAST (mood AS integer) WITH INOUT AS IMPLICIT|restrictive|create-cast
CREATE SCHEMA fresh|additive|create-schema
CREATE SCHEMA IF NOT EXISTS other|none|create-schema
CREATE EXTENSION IF NOT EXISTS plpgsql|none|create-extension
ALTER EXTENSION plpgsql UPDATE|replacing|alter-extension
CREATE STATISTICS fresh ON a, n FROM big|additive|create-statistics
GRANT SELECT ON big TO regress_migmgr_classes|relaxing|grant
GRANT SELECT ON big TO PUBLIC|security|grant-to-public
GRANT SELECT ON big TO regress_migmgr_classes WITH GRANT OPTION|security|grant-with-option
REVOKE SELECT ON big FROM regress_migmgr_classes|restrictive|revoke
GRANT EXECUTE ON FUNCTION idx(integer) TO PUBLIC|security|grant-to-public
GRANT USAGE ON SCHEMA other TO regress_migmgr_classes|relaxing|grant
GRANT regress_migmgr_classes TO CURRENT_USER|security|grant-role
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC|security|default-privileges
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO regress_migmgr_classes|relaxing|default-privileges
COMMENT ON TABLE big IS 'x'|additive|comment
COMMENT ON TABLE migmgr.ledger IS 'x'|additive|comment
SECURITY LABEL ON TABLE big IS 'x'|security|security-label
CREATE PUBLICATION fresh FOR TABLE big|additive|create-publication
CREATE PUBLICATION fresh FOR TABLE unkeyed|restrictive|publish-without-identity
CREATE PUBLICATION fresh FOR ALL TABLES|restrictive|publish-all-tables
ALTER PUBLICATION pub ADD TABLE unkeyed|restrictive|publish-without-identity
ALTER PUBLICATION pub DROP TABLE parent|destructive|unpublish
ALTER PUBLICATION pub SET TABLE big|destructive|unpublish
CREATE ROLE fresh|additive|create-role
CREATE ROLE fresh SUPERUSER|security|create-powerful-role
ALTER ROLE regress_migmgr_classes SUPERUSER|security|alter-role
ALTER ROLE regress_migmgr_classes SET event_triggers = off|security|alter-role-set
ALTER DATABASE postgres SET session_replication_role = replica|security|alter-database-set
ALTER SYSTEM SET work_mem = '1MB'|security|alter-system
CREATE EVENT TRIGGER fresh ON ddl_command_start EXECUTE FUNCTION trg()|security|create-event-trigger
DROP TABLE migmgr.ledger|protected|own-object
DROP EXTENSION migmgr|protected|own-object
DROP SCHEMA migmgr_internal CASCADE|protected|own-object
DROP EVENT TRIGGER migmgr_guard_start|protected|own-object
ALTER EVENT TRIGGER migmgr_guard_start DISABLE|protected|own-object
ALTER TABLE migmgr.ledger DISABLE TRIGGER ALL|protected|own-object
CREATE OR REPLACE FUNCTION migmgr_internal.guard_start() RETURNS event_trigger LANGUAGE plpgsql AS ''|protected|own-object
CREATE TABLE migmgr.fresh (a integer)|protected|own-object
TRUNCATE migmgr.ledger|protected|own-object
SELECT * FROM migmgr.ledger|none|select
UPDATE migmgr.ledger SET event = '' WHERE seq = 1|data|update
\.

-- every relation counts as large
SET migmgr.small_relation = 0;
SET search_path = public, other;
SET timezone = 'UTC';
\set ECHO queries
-- judged otherwise than expected
SELECT c.n, c.sql, c.class AS expected, v.class, c.rule AS expected_rule, v.rule, v.reason
  FROM cases AS c CROSS JOIN LATERAL migmgr_internal.classify(c.sql) AS v
 WHERE (v.class, v.rule) IS DISTINCT FROM (c.class, c.rule) ORDER BY c.n;
SELECT count(*) > 250 AS all_asked FROM cases;

-- nothing was run, locked or left behind
BEGIN;
SELECT count(v.*) > 0 AS judged FROM cases AS c CROSS JOIN LATERAL migmgr_internal.classify(c.sql) AS v;
SELECT pg_current_xact_id_if_assigned() IS NULL AS no_xid;
SELECT relation::regclass, mode FROM pg_locks
 WHERE pid = pg_backend_pid() AND locktype = 'relation' AND mode <> 'AccessShareLock';
COMMIT;
BEGIN READ ONLY;
SELECT count(v.*) > 0 AS judged FROM cases AS c CROSS JOIN LATERAL migmgr_internal.classify(c.sql) AS v;
COMMIT;

-- timestamps depend on the time zone of the session
SELECT class, rule FROM migmgr_internal.classify('ALTER TABLE big ALTER COLUMN tsz TYPE timestamp');
SELECT class, rule FROM migmgr_internal.classify('ALTER TABLE big ALTER COLUMN ts TYPE timestamptz');
SET timezone = 'Europe/Berlin';
SELECT class, rule FROM migmgr_internal.classify('ALTER TABLE big ALTER COLUMN tsz TYPE timestamp');
RESET timezone;

-- below the limit, what only takes long does not count
RESET migmgr.small_relation;
SELECT v.command, v.class, v.rule, v.reason FROM migmgr_internal.classify($$
ALTER TABLE big ADD COLUMN x serial;
ALTER TABLE big ADD CHECK (a > 1);
ALTER TABLE big ALTER COLUMN n TYPE bigint;
CREATE INDEX ON big (a);
CREATE UNIQUE INDEX ON big (a);
CREATE UNIQUE INDEX ON emptied (a);
ALTER TABLE emptied ALTER COLUMN a SET NOT NULL;
DROP TABLE emptied;
CLUSTER big USING big_pkey;
ALTER DOMAIN positive ADD CHECK (VALUE < 9);
$$) AS v;

-- what is new in this transaction is free
BEGIN;
CREATE TABLE fresh (id integer PRIMARY KEY, a integer, b integer);
INSERT INTO fresh VALUES (1, 1, 1);
CREATE FUNCTION fresh_f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE TYPE fresh_t AS ENUM ('a');
ALTER TABLE big ADD COLUMN x integer;
SET migmgr.small_relation = 0;
SELECT v.command, v.class, v.rule, v.reason FROM migmgr_internal.classify($$
ALTER TABLE fresh ADD COLUMN x serial;
ALTER TABLE fresh DROP COLUMN a;
ALTER TABLE fresh ALTER COLUMN a TYPE bigint;
ALTER TABLE fresh RENAME TO fresher;
ALTER TABLE fresh ENABLE ROW LEVEL SECURITY;
CREATE UNIQUE INDEX ON fresh (a);
CREATE TRIGGER t BEFORE INSERT ON fresh FOR EACH ROW EXECUTE FUNCTION trg();
GRANT SELECT ON fresh TO PUBLIC;
REVOKE ALL ON FUNCTION fresh_f() FROM PUBLIC;
TRUNCATE fresh;
DELETE FROM fresh;
DROP FUNCTION fresh_f();
DROP TYPE fresh_t;
DROP TABLE fresh;
ALTER TABLE big DROP COLUMN x;
ALTER TABLE big RENAME COLUMN x TO y;
ALTER TABLE big ADD CHECK (x > 0) NOT VALID;
ALTER TABLE big ADD CHECK (x > a) NOT VALID;
ALTER TABLE big ALTER COLUMN x SET DEFAULT 1;
$$) AS v;
ROLLBACK;

-- every sub-command that this server has is covered
SELECT migmgr_internal.alter_rule_gaps();
\connect postgres
DROP DATABASE regress_migmgr_guard_classes;
DROP ROLE regress_migmgr_classes;
