-- migmgr's own objects: nobody changes them, in any environment; unprotect()
-- is the audited way, and a copied database only observes.
\set test guard_protect
\set ECHO none
\i test/include/database.sql
\set ECHO all
CREATE ROLE regress_migmgr_other;
CREATE ROLE regress_migmgr_super SUPERUSER;
-- even where everything else is allowed
SELECT migmgr.set_environment('development');
SELECT migmgr.set_policy('development', c, 'allow') IS NOT NULL AS set FROM unnest('{destructive,security,unclassified}'::text[]) AS c;
CREATE FUNCTION members() RETURNS text LANGUAGE sql AS $$
  SELECT md5(string_agg(concat(pg_describe_object(d.classid, d.objid, 0), c.relowner, c.relname, c.relnamespace, c.relrowsecurity,
                               p.proowner, p.proname, p.prosrc, p.proconfig, t.tgs, e.evtenabled), ',' ORDER BY d.classid, d.objid))
    FROM pg_depend AS d
    LEFT JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
    LEFT JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
    LEFT JOIN pg_event_trigger AS e ON d.classid = 'pg_event_trigger'::regclass AND e.oid = d.objid
    LEFT JOIN LATERAL (SELECT string_agg(concat(tgname, tgenabled), ',' ORDER BY tgname) AS tgs FROM pg_trigger WHERE tgrelid = c.oid) AS t ON true
   WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'migmgr')
$$;
SELECT members() AS members \gset
SELECT n, c.state, c.message FROM (VALUES
    (1, 'DROP EXTENSION migmgr'), (2, 'DROP EXTENSION migmgr CASCADE'), (3, 'DROP SCHEMA migmgr CASCADE'),
    (4, 'DROP SCHEMA migmgr_internal CASCADE'), (5, 'DROP TABLE migmgr.ledger'), (6, 'DROP TABLE migmgr.ledger CASCADE'),
    (7, 'ALTER TABLE migmgr.ledger ADD COLUMN x integer'), (8, 'ALTER TABLE migmgr.ledger DROP COLUMN detail'),
    (9, 'ALTER TABLE migmgr.ledger DISABLE TRIGGER ALL'), (10, 'ALTER TABLE migmgr.ledger ENABLE TRIGGER row_guard'),
    (11, 'ALTER TABLE migmgr.ledger RENAME TO x'), (12, 'ALTER TABLE migmgr.ledger RENAME COLUMN seq TO x'),
    (13, 'ALTER TABLE migmgr.ledger SET SCHEMA public'), (14, 'ALTER TABLE migmgr.ledger OWNER TO regress_migmgr_other'),
    (15, 'ALTER TABLE migmgr.ledger ENABLE ROW LEVEL SECURITY'), (16, 'ALTER TABLE migmgr.ledger DROP CONSTRAINT ledger_pkey'),
    (17, 'ALTER INDEX migmgr.ledger_event RENAME TO x'), (18, 'DROP INDEX migmgr.ledger_event'), (19, 'CREATE INDEX ON migmgr.ledger (at)'),
    (20, 'CREATE TRIGGER x BEFORE INSERT ON migmgr.ledger FOR EACH ROW EXECUTE FUNCTION migmgr_internal.row_guard()'),
    (21, 'DROP TRIGGER row_guard ON migmgr.ledger'), (22, 'ALTER TRIGGER row_guard ON migmgr.ledger RENAME TO x'),
    (23, 'CREATE RULE x AS ON INSERT TO migmgr.ledger DO INSTEAD NOTHING'), (24, 'CREATE POLICY x ON migmgr.ledger'),
    (25, 'CREATE TABLE x () INHERITS (migmgr.ledger)'), (26, 'CREATE TABLE x (seq bigint REFERENCES migmgr.ledger)'),
    (27, 'TRUNCATE migmgr.ledger'), (28, 'ALTER VIEW migmgr.policy RENAME TO x'), (29, 'CREATE OR REPLACE VIEW migmgr.policy AS SELECT 1'),
    (30, 'DROP VIEW migmgr.policy'), (31, 'CREATE TABLE migmgr.x (a integer)'), (32, 'CREATE VIEW migmgr_internal.x AS SELECT 1'),
    (33, 'CREATE FUNCTION migmgr.x() RETURNS integer LANGUAGE sql AS ''SELECT 1'''),
    (34, 'CREATE OR REPLACE FUNCTION migmgr.head() RETURNS text LANGUAGE sql AS ''SELECT NULL::text'''),
    (35, 'CREATE OR REPLACE FUNCTION migmgr_internal.guard_start() RETURNS event_trigger LANGUAGE plpgsql AS ''BEGIN END'''),
    (36, 'ALTER FUNCTION migmgr.head() SET search_path = public'), (37, 'ALTER FUNCTION migmgr.head() RENAME TO x'),
    (38, 'ALTER FUNCTION migmgr.head() SET SCHEMA public'), (39, 'ALTER FUNCTION migmgr.head() OWNER TO regress_migmgr_other'),
    (40, 'DROP FUNCTION migmgr.head()'), (41, 'DROP FUNCTION migmgr_internal.guard_start() CASCADE'),
    (42, 'ALTER EXTENSION migmgr DROP FUNCTION migmgr.head()'), (43, 'ALTER EXTENSION migmgr ADD TABLE public.x'),
    (44, 'ALTER EXTENSION migmgr SET SCHEMA public'), (45, 'ALTER SCHEMA migmgr RENAME TO x'),
    (46, 'ALTER SCHEMA migmgr OWNER TO regress_migmgr_other'), (47, 'DROP EVENT TRIGGER migmgr_guard_start'),
    (48, 'ALTER EVENT TRIGGER migmgr_guard_start DISABLE'), (49, 'ALTER EVENT TRIGGER migmgr_guard_end ENABLE'),
    (50, 'ALTER EVENT TRIGGER migmgr_guard_start RENAME TO x'),
    (51, 'ALTER EVENT TRIGGER migmgr_guard_start OWNER TO regress_migmgr_super'),
    (52, 'ALTER SEQUENCE migmgr_internal.attempt_id_seq RESTART'), (53, 'DROP SEQUENCE migmgr_internal.attempt_id_seq CASCADE'),
    (54, 'DO $$BEGIN EXECUTE ''DROP TABLE migmgr.ledger''; END$$'),
    (55, 'SELECT * FROM migmgr.apply(''1'', ''x'', ''DROP TABLE migmgr.ledger'')'),
    (56, 'SELECT * FROM migmgr.apply(''2'', ''x'', ''DROP EVENT TRIGGER migmgr_guard_start'', options => ''{"skip_failed": true}'')'),
    (57, 'SELECT * FROM migmgr.apply(''3'', ''x'', ''DO $x$BEGIN DROP EXTENSION migmgr; END$x$'', options => ''{"skip_failed": true}'')')) AS q(n, sql),
  LATERAL public.caught(q.sql) AS c ORDER BY n;
SELECT members() = :'members' AS unchanged;
SELECT * FROM public.caught('DROP EXTENSION migmgr') \gx
-- what a restore does is allowed
ALTER TABLE migmgr.ledger OWNER TO CURRENT_USER;
ALTER FUNCTION migmgr.head() OWNER TO CURRENT_USER;
ALTER SCHEMA migmgr OWNER TO CURRENT_USER;
ALTER EVENT TRIGGER migmgr_guard_start OWNER TO CURRENT_USER;
COMMENT ON EXTENSION migmgr IS 'the DBA''s own words';
COMMENT ON TABLE migmgr.ledger IS 'the DBA''s own words';
GRANT SELECT ON migmgr.ledger TO regress_migmgr_other;
REVOKE SELECT ON migmgr.ledger FROM regress_migmgr_other;
CREATE EXTENSION IF NOT EXISTS migmgr;
SET client_min_messages = error;
ALTER EXTENSION migmgr UPDATE;
SET client_min_messages = warning;
VACUUM migmgr.ledger;
ANALYZE migmgr.ledger;
REINDEX TABLE migmgr.ledger;
SELECT members() = :'members' AS unchanged;

-- unprotect(): a superuser, with a reason, for this session, for a while
SELECT n, c.state, c.message FROM (VALUES (1, 'unprotect(NULL)'), (2, 'unprotect('''')'), (3, 'unprotect(''x'', ''2 days'')'),
    (4, 'unprotect(''x'', ''-1 hour'')'), (5, 'unprotect(''x'', NULL)')) AS v(n, call),
  LATERAL public.caught('SELECT migmgr.' || call) AS c ORDER BY n;
GRANT USAGE ON SCHEMA migmgr TO regress_migmgr_other;
GRANT EXECUTE ON FUNCTION migmgr.unprotect(text, interval) TO regress_migmgr_other;
SET ROLE regress_migmgr_other;
SELECT state, message FROM public.caught('SELECT migmgr.unprotect(''x'')');
RESET ROLE;
-- rolled back, it is no longer in force
BEGIN;
SELECT migmgr.unprotect('try') LIKE 'migmgr is not protected from this session until %' AS lifted;
ALTER TABLE migmgr.ledger SET (fillfactor = 90);
ROLLBACK;
SELECT state FROM public.caught('ALTER TABLE migmgr.ledger SET (fillfactor = 90)');
BEGIN;
SAVEPOINT a;
SELECT migmgr.unprotect('try') IS NOT NULL AS lifted;
ROLLBACK TO a;
SELECT state FROM public.caught('ALTER TABLE migmgr.ledger SET (fillfactor = 90)');
COMMIT;
SELECT migmgr.unprotect('over at once', '1 microsecond') IS NOT NULL AS lifted;
SELECT state FROM public.caught('DROP EXTENSION migmgr');
SELECT migmgr.unprotect('repair', '5 minutes') IS NOT NULL AS lifted;
ALTER EVENT TRIGGER migmgr_guard_start ENABLE ALWAYS;
ALTER TABLE migmgr.ledger ENABLE ALWAYS TRIGGER row_guard;
SELECT detail::jsonb ->> 'reason' AS reason FROM migmgr.ledger WHERE event = 'unprotect' ORDER BY seq;
-- not in another session, nor after a restart of this one
\connect -
SELECT state FROM public.caught('DROP EXTENSION migmgr');

-- a copy of the database observes, but still guards what is migmgr's
SELECT migmgr.set_environment('production') IS NOT NULL AS set;
CREATE TABLE t (a integer);
\connect postgres
CREATE DATABASE regress_migmgr_guard_copy TEMPLATE regress_migmgr_guard_protect;
\connect regress_migmgr_guard_copy
SELECT migmgr_internal.ledger_state(), migmgr.environment();
SELECT state FROM public.caught('DROP EXTENSION migmgr');
SELECT state FROM public.caught('ALTER EVENT TRIGGER migmgr_guard_end DISABLE');
DROP TABLE t;
-- removing it needs no chain in order
SELECT migmgr.unprotect('only a copy') IS NOT NULL AS lifted;
DROP EXTENSION migmgr;
CREATE TABLE t (a integer);
DROP TABLE t;
SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'migmgr%';
\connect postgres
DROP DATABASE regress_migmgr_guard_copy;

-- in production too, with what depends on it judged as ever
\connect regress_migmgr_guard_protect
SET client_min_messages = warning;
SELECT migmgr.unprotect('remove') IS NOT NULL AS lifted;
CREATE VIEW public.mine AS SELECT seq FROM migmgr.ledger;
SELECT state, message FROM public.caught('DROP EXTENSION migmgr CASCADE');
SELECT public.mask(migmgr.waive('destructive', 'the view is mine')) IS NOT NULL AS waived;
DROP VIEW public.mine;
DROP EXTENSION migmgr;
SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'migmgr%';

-- DROP OWNED and REASSIGN OWNED of the installer: no event for the second
SET SESSION AUTHORIZATION regress_migmgr_super;
CREATE EXTENSION migmgr;
RESET SESSION AUTHORIZATION;
\connect -
SET client_min_messages = error;
SELECT migmgr.set_environment('development') IS NOT NULL AS set;
SELECT state FROM public.caught('REASSIGN OWNED BY regress_migmgr_super TO regress_migmgr_other');
SELECT state FROM public.caught('DROP OWNED BY regress_migmgr_super CASCADE');
SELECT count(*) FROM pg_event_trigger WHERE evtenabled = 'A';
SELECT migmgr.unprotect('done') IS NOT NULL AS lifted;
DROP EXTENSION migmgr;
\connect postgres
DROP DATABASE regress_migmgr_guard_protect;
DROP ROLE regress_migmgr_other;
DROP ROLE regress_migmgr_super;
