-- rollback(): drops what the version made and nothing else, and loses no data unasked.
\set test rollback
\set ECHO none
\i test/include/database.sql
\set ECHO all

CREATE TABLE customers (id int PRIMARY KEY, name text);
INSERT INTO customers VALUES (1, 'Ada'), (2, 'Grace');
SELECT status, reversible FROM migmgr.apply('001', 'orders', $$
CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers);
CREATE INDEX orders_customer ON orders (customer);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
$$, rollback_sql => $$
DROP TRIGGER IF EXISTS touch ON orders;
DROP FUNCTION IF EXISTS touch();
DROP TABLE IF EXISTS orders;
$$);
SELECT status, reversible FROM migmgr.apply('002', 'heartbeat', $$
ALTER TABLE customers ADD COLUMN seen_at timestamptz;
CREATE INDEX customers_seen ON customers (seen_at);
$$, rollback_sql => $$
DROP INDEX IF EXISTS customers_seen;
ALTER TABLE customers DROP COLUMN IF EXISTS seen_at;
$$);
SELECT version, action, type, identity FROM migmgr.objects ORDER BY version, identity;

-- data stops it: counted, named, nothing changed
INSERT INTO orders SELECT g, 1 FROM generate_series(1, 17) g;
UPDATE customers SET seen_at = now() WHERE id = 1;
SELECT public.fingerprint() AS before \gset
SELECT * FROM public.caught($q$SELECT * FROM migmgr.rollback('002')$q$) \gx
SELECT * FROM public.caught($q$SELECT * FROM migmgr.rollback('001')$q$) \gx
SELECT state, message FROM public.caught($q$SELECT * FROM migmgr.rollback('001', dry_run => true)$q$);
SELECT public.fingerprint() = :'before' AS unchanged;

-- given up on purpose, and recorded
SELECT version, status, statements, detail FROM migmgr.rollback('002', 'not needed', on_data => 'discard');
SELECT detail::jsonb - 'ms' - 'undoes' - '{state,counts}'::text[] AS detail FROM migmgr.ledger WHERE event = 'rolled back';
SELECT attname FROM pg_attribute WHERE attrelid = 'customers'::regclass AND attnum > 0 AND NOT attisdropped;
-- without data it just runs; dry run first
DELETE FROM orders WHERE true;
SELECT status, regexp_replace(detail, '\d+ more', 'N more') AS detail FROM migmgr.rollback('001', dry_run => true);
SELECT status FROM migmgr.rollback('001', 'the wrong design');
SELECT to_regclass('orders') AS orders;
-- and applied again
SELECT status FROM migmgr.apply('002', 'heartbeat', 'ALTER TABLE customers ADD COLUMN seen_at timestamptz;', options => '{"derive": false}');
SELECT version, name, status, reversible FROM migmgr.history;

-- what cannot be rolled back
CREATE TEMP TABLE bad (n serial, args text);
INSERT INTO bad (args) VALUES ($q$NULL$q$), ($q$'nope'$q$), ($q$'001'$q$), ($q$'002'$q$), ($q$'002', on_data => 'maybe'$q$);
SELECT b.n, c.* FROM bad b, LATERAL public.caught('SELECT * FROM migmgr.rollback(' || b.args || ')') c ORDER BY b.n;

-- a way back that would destroy more than its version made is refused when it is handed in ...
SELECT state, message FROM public.caught($q$SELECT * FROM migmgr.apply('003', 'trap', 'SELECT 1', rollback_sql => 'DROP TABLE customers')$q$);
SELECT state, message FROM public.caught($q$SELECT * FROM migmgr.apply('003', 'trap', 'SELECT 1', rollback_sql => 'ALTER TABLE customers DROP COLUMN name')$q$);
SELECT state, message FROM public.caught($q$SELECT * FROM migmgr.apply('003', 'trap', 'SELECT 1', rollback_sql => 'TRUNCATE customers')$q$);
SELECT state, message FROM public.caught($q$SELECT * FROM migmgr.apply('003', 'trap', 'SELECT 1', rollback_sql => 'DROP EXTENSION migmgr CASCADE')$q$);
-- ... and, hidden from that, when it runs
SELECT status FROM migmgr.apply('003', 'trap', 'CREATE TABLE bait (i int)', rollback_sql => $$DO $d$BEGIN EXECUTE 'DROP TABLE bait, customers'; END$d$; $$);
SELECT public.fingerprint() AS before \gset
SELECT state, message FROM public.caught($q$SELECT * FROM migmgr.rollback('003', on_data => 'discard')$q$);
SELECT public.fingerprint() = :'before' AS unchanged, (SELECT count(*) FROM customers) AS customers;

-- cascades that reach further are refused too
SELECT status FROM migmgr.apply('004', 'view below', 'CREATE TABLE base (i int)', rollback_sql => 'DROP TABLE base CASCADE');
CREATE VIEW stranger AS SELECT * FROM base;
SELECT state, message FROM public.caught($q$SELECT * FROM migmgr.rollback('004')$q$);
SELECT to_regclass('stranger') AS stranger;

-- a later version in the way is named; what was only changed is not to be dropped
SELECT status FROM migmgr.apply('004.1', 'ground', 'CREATE TABLE ground (i int)', rollback_sql => 'DROP TABLE ground');
SELECT status FROM migmgr.apply('004.2', 'house', 'ALTER TABLE ground ADD COLUMN j int; CREATE INDEX ground_j ON ground (j)',
  rollback_sql => 'ALTER TABLE ground DROP COLUMN j');
SELECT public.fingerprint() AS before \gset
SELECT * FROM public.caught($q$SELECT * FROM migmgr.rollback('004.1')$q$) \gx
SELECT state, message FROM public.caught($q$SELECT * FROM migmgr.apply('004.3', 'trap', 'ALTER TABLE customers ADD COLUMN extra int', rollback_sql => 'DROP TABLE customers')$q$);
SELECT status FROM migmgr.apply('004.3', 'trap', 'ALTER TABLE customers ADD COLUMN extra int', rollback_sql => 'DO $d$BEGIN EXECUTE ''DROP TABLE customers''; END$d$',
  options => '{"skip_failed": true}', dry_run => true);
SELECT public.fingerprint() = :'before' AS unchanged;
SELECT status FROM migmgr.rollback('004.2');
SELECT status FROM migmgr.rollback('004.1');

-- a watch in the way is named
SELECT status FROM migmgr.apply('005', 'jobs', 'CREATE TABLE jobs (id uuid PRIMARY KEY, status text NOT NULL, last_heartbeat_at timestamptz, started_at timestamptz,
  organisation_id uuid, error_message text, completed_at timestamptz)', rollback_sql => 'DROP TABLE jobs', options => '{"skip_failed": true}');
SELECT count(*) FROM migmgr.watch('public.jobs');
SELECT * FROM public.caught($q$SELECT * FROM migmgr.rollback('005')$q$) \gx
SELECT count(*) FROM migmgr.unwatch('public.jobs');
SELECT status FROM migmgr.rollback('005');
-- whose own SQL fails: nothing has changed, and what there is to restore
SELECT status FROM migmgr.apply('006', 'fails', 'CREATE TABLE fails (i int)', rollback_sql => 'DROP TABLE fails; SELECT 1 / count(*) FROM customers WHERE false',
  options => '{"proof": "off"}');
SELECT public.fingerprint() AS before \gset
SELECT * FROM public.caught($q$SELECT * FROM migmgr.rollback('006')$q$) \gx
SELECT public.fingerprint() = :'before' AS unchanged;
SELECT migmgr.record_backup('nightly.dump', '2026-01-31 02:00:00+00', 1000, 's3://backups') IS NOT NULL AS recorded;
SELECT state, detail FROM public.caught($q$SELECT * FROM migmgr.rollback('006')$q$) \gx
SELECT status FROM migmgr.verify() WHERE check_name = 'chain';
\connect postgres
DROP DATABASE regress_migmgr_rollback;
