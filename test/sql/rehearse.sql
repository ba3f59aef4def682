-- rehearse(): run for real, measured, undone.
\set test rehearse
\i test/include/database.sql
\set VERBOSITY default

CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount numeric NOT NULL, note text);
INSERT INTO orders (amount) SELECT n FROM generate_series(1, 1000) AS n;
CREATE INDEX orders_amount ON orders (amount);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE VIEW big AS SELECT * FROM orders WHERE amount > 500;
CREATE TABLE held (what text);
SELECT status FROM migmgr.apply('001', 'first', 'CREATE TABLE applied (i int)');
CREATE TABLE public.before (f text, locks bigint, settings text);
INSERT INTO public.before SELECT public.fingerprint(), 0, '';

-- milliseconds and bytes differ from run to run, and definitions from version to version
CREATE FUNCTION public.same(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT regexp_replace(regexp_replace(regexp_replace(t, 'for \d+ ms', 'for N ms', 'g'), '\d+ (kB|bytes|MB)', 'N bytes', 'g'),
    '; way back: ([a-z, ]+).*', '; way back: \1')
$$;
CREATE FUNCTION public.rehearsed(sql text, options jsonb DEFAULT '{}')
  RETURNS TABLE (n int, command text, object text, class text, lock text, action text, rule text, "r w" text, "rewrites scans" text, rows bigint, locks text, detail text, reason text)
  LANGUAGE sql AS $$
  SELECT r.statement, r.command, r.object, r.class, r.lock_mode, r.action, r.rule, concat(r.blocks_reads, ' ', r.blocks_writes),
         concat(r.rewrites, ' ', r.scans), r.rows, public.same(r.locks), public.same(r.detail), r.reason
    FROM migmgr.rehearse(sql, options) AS r WHERE r.ms >= 0
$$;
\x on
-- one of each: created, changed, written again, read, dropped, allowed and not
SELECT * FROM public.rehearsed('CREATE TABLE fresh (i int); ALTER TABLE fresh ADD j int; INSERT INTO fresh SELECT 1');
SELECT * FROM public.rehearsed('ALTER TABLE orders ADD due date; ALTER TABLE orders ALTER note SET DEFAULT ''x''; UPDATE orders SET note = ''y'' WHERE id <= 10');
INSERT INTO parent SELECT generate_series(1, 100);
SELECT * FROM public.rehearsed('ALTER TABLE parent ALTER id TYPE bigint');
SELECT * FROM public.rehearsed('ALTER TABLE orders ADD CHECK (amount > 0); CREATE INDEX ON orders (note)');
SELECT * FROM public.rehearsed('ALTER TABLE orders ADD parent_id int REFERENCES parent');
SELECT * FROM public.rehearsed('DROP VIEW big; DROP TABLE orders; TRUNCATE parent; GRANT CREATE ON SCHEMA public TO PUBLIC');
SELECT * FROM public.rehearsed('DROP POLICY IF EXISTS none ON orders; DROP VIEW big; CREATE VIEW big AS SELECT * FROM orders WHERE amount > 600');
-- the way back that would be kept
SELECT detail FROM migmgr.rehearse('CREATE TABLE fresh (i int)') WHERE statement IS NULL;
SELECT substring(detail FROM 'way back.*') FROM migmgr.rehearse('CREATE INDEX orders_note ON orders (note)') WHERE statement IS NULL;
-- what a DO block does is seen, not guessed
SELECT * FROM public.rehearsed($s$DO $$BEGIN EXECUTE 'ALTER TABLE orders DROP COLUMN note CASCADE'; END$$$s$);
-- sections of a file: the way up is rehearsed
SELECT * FROM public.rehearsed(E'SELECT 1;\n-- migmgr:down\nDROP TABLE nowhere;');

-- what does not go back is named
SELECT n, detail FROM public.rehearsed('INSERT INTO orders (amount) VALUES (1), (2); SELECT nextval(''orders_id_seq'')');
SELECT n, detail FROM public.rehearsed('SELECT pg_advisory_lock(77)');
SELECT pg_advisory_unlock(77);
SELECT n, detail FROM public.rehearsed('COPY parent TO PROGRAM ''cat >/dev/null''');
\x off

-- what fails
\set VERBOSITY verbose
\set ON_ERROR_STOP off
SELECT * FROM public.caught($$SELECT * FROM migmgr.rehearse('SELECT 1; ALTER TABLE orders ADD id int')$$) \gx
SELECT n, action, reason, detail FROM public.rehearsed('SELECT 1; ALTER TABLE orders ADD id int; SELECT 2', '{"on_error": "report"}');
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rehearse('SELECT 1; COMMIT')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rehearse('CREATE INDEX CONCURRENTLY ON orders (note)')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rehearse(NULL)$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rehearse('')$$);
-- never what is migmgr's own
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rehearse('DROP EXTENSION migmgr')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rehearse('DROP TABLE migmgr.ledger')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rehearse('DELETE FROM migmgr.ledger')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rehearse('SELECT * FROM migmgr.rehearse(''SELECT 1'')')$$);

-- the limit
SET migmgr.rehearse_limit = '8kB';
SELECT * FROM public.caught($$SELECT * FROM migmgr.rehearse('ALTER TABLE orders ADD CHECK (amount > 0)')$$) \gx
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rehearse('ALTER TABLE orders ALTER id TYPE numeric')$$);
SELECT n, action FROM public.rehearsed('ALTER TABLE orders ADD CHECK (amount > 0)', '{"max_size": "1GB"}');
SELECT n, action FROM public.rehearsed('ALTER TABLE orders ADD due date');
RESET migmgr.rehearse_limit;
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rehearse('SELECT 1', '{"max_size": "big"}')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rehearse('SELECT 1', '{"skip": true}')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('002', 'x', 'SELECT 1', options => '{"max_size": "1GB"}')$$);

-- nothing is left
SELECT public.fingerprint() = f AS same FROM public.before;
SELECT count(*) AS attempts FROM migmgr.attempts;
SELECT count(*) AS rows, max(id) AS id FROM orders;
SET work_mem = '9MB';
SELECT n, class FROM public.rehearsed('SET work_mem = ''1MB''; SET search_path = nowhere; SET ROLE pg_monitor; RESET ROLE; CREATE TEMP TABLE gone (i int)');
SHOW work_mem;
SHOW search_path;
SELECT to_regclass('gone') AS gone, current_user = session_user AS me;
-- the guard and the policy are as before
SELECT state, message FROM public.caught('DROP TABLE orders');
SELECT status FROM migmgr.apply('002', 'x', 'ALTER TABLE orders ADD due date');

-- a dry run is measured as well, and says so in its detail
SELECT status, public.same(detail) AS detail FROM migmgr.apply('003', 'x', 'ALTER TABLE orders ADD paid date; CREATE TABLE third (i int)', dry_run => true);
SELECT status, public.same(detail) AS detail FROM migmgr.apply('003', 'x', 'SELECT 1', dry_run => true);
SELECT status FROM migmgr.apply('003', 'x', 'CREATE TABLE third (i int REFERENCES parent)', rollback_sql => 'DROP TABLE third');
SELECT status, public.same(detail) AS detail FROM migmgr.rollback('003', 'x', dry_run => true);

-- rights are the caller's, and a level is needed
CREATE ROLE regress_migmgr_rehearser;
SELECT levels FROM migmgr.grant_access('regress_migmgr_rehearser', 'operator');
SET ROLE regress_migmgr_rehearser;
\set VERBOSITY sqlstate
SELECT * FROM migmgr.rehearse('ALTER TABLE orders ADD x int');
RESET ROLE;
SET default_transaction_read_only = on;
SELECT * FROM migmgr.rehearse('SELECT 1');
RESET default_transaction_read_only;

\connect postgres
DROP DATABASE regress_migmgr_rehearse;
DROP ROLE regress_migmgr_rehearser;
