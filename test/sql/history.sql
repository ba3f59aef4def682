-- The views over what happened: history, attempts, statements, objects.
\set test history
\set ECHO none
\i test/include/database.sql
\i test/include/chain.sql
\set ECHO all
SET TimeZone = 'UTC';

-- nothing yet
SELECT * FROM migmgr.history;
SELECT * FROM migmgr.objects;

-- applied; failed and then applied; applied, rolled back and failed since;
-- only ever failed; rolled back; a rollback that failed
SELECT public.entry(1, 'applied', '001', 'first', public.script('CREATE TABLE a (i int)'),
  '{"environment": "production", "class": "additive", "statements": 1, "ms": 12, "reversible": "yes", "attempts": 1, "note": "as asked for in T-1"}');
SELECT public.failure(2, 'apply', '002', 'second', 'relation "nowhere" does not exist');
SELECT public.entry(3, 'applied', '002', 'second', public.script('CREATE TABLE b (i int)'),
  '{"environment": "production", "class": "data", "statements": 3, "ms": 34, "reversible": "no: it changes rows", "attempts": 2}');
SELECT public.entry(4, 'applied', '10', 'tenth', public.script('CREATE TABLE c (i int)'), '{"environment": "staging", "class": "additive", "statements": 1, "ms": 5}');
SELECT public.entry(5, 'rolled back', '10', 'tenth', public.script('DROP TABLE c'), '{"environment": "staging", "statements": 1, "ms": 6, "reason": "too early"}');
SELECT public.failure(6, 'apply', '10', 'tenth again', 'permission denied');
SELECT public.failure(7, 'apply', '9', 'ninth', 'syntax error');
SELECT public.failure(8, 'apply', '9', 'ninth', 'syntax error again');
SELECT public.entry(9, 'applied', '003', 'third', public.script('CREATE TABLE d (i int)'), '{}');
SELECT public.entry(10, 'rolled back', '003', 'third', public.script('DROP TABLE d'), '{"reason": "not needed"}');
SELECT public.failure(11, 'rollback', '001', 'first', 'table a has rows');
SELECT public.failure(12, 'apply', NULL, NULL, 'a migration needs a version');
SELECT public.entry(13, 'policy', '002', NULL, NULL, '{"about": "a version, but nothing that happened to it"}');
-- what the migrations are said to have made; the guard only observes before resume()
CREATE SCHEMA s;
CREATE TABLE public.kept (id int PRIMARY KEY, "odd.name on x" text DEFAULT 'x', CONSTRAINT positive CHECK (id > 0));
CREATE INDEX kept_index ON public.kept ("odd.name on x");
CREATE VIEW public.kept_view AS SELECT * FROM public.kept;
CREATE FUNCTION s.f(integer, text) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER kept_touch BEFORE INSERT ON public.kept FOR EACH ROW EXECUTE FUNCTION public.touch();
CREATE POLICY own ON public.kept USING (true);
CREATE TYPE s.mood AS ENUM ('x');
CREATE TABLE public.new_name (i int);
SELECT migmgr.resume('a fixture') LIKE 'resumed%' AS resumed;

SELECT version, name, status, applied_at, applied_by, attempts, note FROM migmgr.history;
SELECT version, environment, class, statements, ms, reversible, checksum = migmgr.checksum('CREATE TABLE b (i int)') AS checksum FROM migmgr.history;
SELECT at, action, version, name, sqlstate, message, session_role, role FROM migmgr.attempts;

-- the order of versions, whatever the order of events: the same as version_key's
\set versions '{1,01,1.0,1.00,1.9,1.10,V1__,20240101,202401011200,20240101120000,202401011,00000000,0000000,99999999999999,123456789012345,a,a1,a10,a2,ä1,9999999,10,2,002,1-rc,1-rc2,99999999999999999999,000,1..2,1.a.2}'
SELECT public.row_guard('D');
\connect
INSERT INTO migmgr_internal.attempt (at, action, version, session_role, role, sqlstate, message)
  SELECT now(), 'apply', v, 'me', 'me', '00000', 'x' FROM unnest(:'versions'::text[]) AS v ORDER BY md5(v);
SELECT public.row_guard('A');
\connect
SELECT string_agg(version, ' ') AS versions,
       string_agg(version, ' ') = string_agg(version, ' ' ORDER BY migmgr_internal.version_key(version) COLLATE "C") AS in_order
  FROM migmgr.history;

-- statements and objects: there, gone in every way, and of kinds that the database makes by itself
SELECT public.row_guard('D');
\connect
INSERT INTO migmgr_internal.object (seq, n, action, type, identity)
  SELECT 1, row_number() OVER (), v.* FROM (VALUES
    ('created', 'schema', 's'), ('created', 'table', 'public.kept'), ('created', 'table column', 'public.kept."odd.name on x"'),
    ('created', 'index', 'public.kept_index'), ('created', 'index', 'public.kept_pkey'), ('created', 'table constraint', 'positive on public.kept'),
    ('created', 'default value', 'for public.kept."odd.name on x"'), ('created', 'view', 'public.kept_view'),
    ('replaced', 'function', 's.f(integer,pg_catalog.text)'), ('created', 'trigger', 'kept_touch on public.kept'), ('created', 'policy', 'own on public.kept'),
    ('created', 'type', 's.mood'), ('dropped', 'table', 'public.old'), ('dropped', 'view', 'public.kept_view'),
    ('created', 'table', 'public.gone'), ('created', 'function', 'public.gone()'), ('created', 'table', 'public.old_name'),
    ('created', 'table column', 'public.later.c'), ('created', 'trigger', 't on public.later'), ('created', 'index', 'public.later_index')) AS v;
INSERT INTO migmgr_internal.object VALUES
  (2, 1, 'dropped', 'table', 'public.later'), (2, 2, 'dropped', 'index', 'public.later_index'), (3, 1, 'created', 'table', 'public.c');
INSERT INTO migmgr_internal.statement (seq, n, line, command, object, class, rule, ms, row_count, sql, notices) VALUES
  (1, 1, 2, 'CREATE TABLE', 'public.kept', 'additive', 'create-table', 1.5, NULL, 'CREATE TABLE kept ()', '{"a notice"}'),
  (2, 1, 1, 'DROP TABLE', 'public.later', 'destructive', 'drop-table', 0.25, NULL, 'DROP TABLE later', NULL),
  (2, 2, 3, 'ALTER TABLE', 'public.old_name', 'replacing', 'rename-table', 0.1, NULL, 'ALTER TABLE old_name RENAME TO new_name', NULL),
  (2, 3, 4, 'INSERT', 'public.kept', 'data', 'insert', 7, 42, 'INSERT INTO kept VALUES (1)', NULL);
SELECT public.row_guard('A');
\connect
SELECT version, n, line, command, object, class, rule, ms, rows, sql, notices, event FROM migmgr.statements;
SELECT version, action, type, identity, present, state FROM migmgr.objects;
SELECT object, status, detail FROM migmgr.verify() WHERE check_name = 'objects';

-- SELECT on the view is all that a reader needs
CREATE ROLE regress_migmgr_reader;
GRANT USAGE ON SCHEMA migmgr TO regress_migmgr_reader;
GRANT SELECT ON migmgr.history, migmgr.attempts, migmgr.statements, migmgr.objects TO regress_migmgr_reader;
SET ROLE regress_migmgr_reader;
SELECT (SELECT count(*) > 0 FROM migmgr.history) AS history, (SELECT count(*) > 0 FROM migmgr.attempts) AS attempts,
       (SELECT count(*) > 0 FROM migmgr.statements) AS statements, (SELECT count(*) > 0 FROM migmgr.objects) AS objects;
SELECT state FROM public.caught('SELECT * FROM migmgr.ledger') UNION ALL SELECT state FROM public.caught('SELECT * FROM migmgr_internal.attempt');
RESET ROLE;
\connect postgres
DROP DATABASE regress_migmgr_history;
DROP ROLE regress_migmgr_reader;
