-- drift() and verify() with nothing asked for: what migrations leave is recorded when somebody is about to change it.
\set test drift_due
\set ECHO none
\i test/include/database.sql
\set ECHO all
SET TimeZone = 'UTC';
SET client_min_messages = error;
SELECT migmgr.set_environment('development') IS NOT NULL AS free;
CREATE TEMP VIEW seen AS SELECT object, drift, public.mask(detail) AS detail, recorded IS NOT NULL AS known, regexp_replace(changed_by, ' by .*', ' by ROLE') AS changed_by
  FROM migmgr.drift() WHERE object NOT LIKE 'function public.%' AND object NOT LIKE '%objects';
CREATE TEMP VIEW recorded AS SELECT row_number() OVER (ORDER BY r.id) AS n, (SELECT string_agg(concat(s.kind, ' ', s.identity, CASE WHEN s.described IS NULL THEN ' went' END), ', ' ORDER BY s.n)
  FROM migmgr_internal.state AS s WHERE s.recording = r.id) AS objects FROM migmgr_internal.recording AS r ORDER BY r.id;

-- a migration records nothing, whatever it does; and there is no drift
SELECT status FROM migmgr.apply('001', 'orders', $q$
CREATE TABLE orders (id serial PRIMARY KEY, amount numeric CHECK (amount > 0), note text);
CREATE INDEX orders_note ON orders (note);
CREATE VIEW totals AS SELECT sum(amount) FROM orders;
CREATE FUNCTION migrated() RETURNS int LANGUAGE sql AS 'SELECT 1';
$q$);
SELECT status FROM migmgr.apply('002', 'more', 'ALTER TABLE orders ADD COLUMN due date', options => '{"derive": false}');
SELECT status FROM migmgr.apply('003', 'secure', 'ALTER TABLE orders ENABLE ROW LEVEL SECURITY', options => '{"derive": false}');
SELECT status FROM migmgr.apply('004', 'gone', 'CREATE TABLE short (id int GENERATED ALWAYS AS IDENTITY, s bigserial)');
SELECT status FROM migmgr.rollback('004', 'too short');
SELECT * FROM seen;
SELECT * FROM recorded;

-- DDL that is undone leaves no recording, DDL from elsewhere one of what was due
BEGIN;
CREATE TABLE undone (id int);
SELECT count(*) AS recordings FROM migmgr_internal.recording;
-- ... and no lock on what was described for it
SELECT relation::regclass AS locked FROM pg_locks WHERE pid = pg_backend_pid() AND relation IN ('orders'::regclass, 'totals'::regclass);
ROLLBACK;
SELECT * FROM recorded;
ALTER TABLE orders DISABLE ROW LEVEL SECURITY;
ALTER TABLE orders ADD COLUMN byhand int;
SELECT * FROM recorded;
SELECT * FROM seen;
SELECT check_name, object, status, public.mask(detail) AS detail FROM migmgr.verify() WHERE check_name IN ('changed', 'row security', 'state', 'objects');

-- a migration on the same table does not make them its own; its own changes are no drift
SELECT status FROM migmgr.apply('005', 'again', 'ALTER TABLE orders ADD COLUMN again int; ALTER TABLE orders ALTER COLUMN note SET NOT NULL', options => '{"derive": false}');
SELECT object, drift, detail FROM seen;
CREATE TABLE other (id int);
SELECT objects FROM recorded WHERE n = 2;
SELECT object, drift, detail FROM seen;
SELECT accepted FROM migmgr.accept_drift('table public.orders', 'no rows to protect') UNION ALL SELECT a.accepted FROM migmgr.accept_drift('table column public.orders.byhand', 'wanted') AS a
  UNION ALL SELECT a.accepted FROM migmgr.accept_drift('table public.other', 'wanted') AS a;

-- renamed, moved, dropped and made again
SELECT status FROM migmgr.apply('006', 'moves', $q$
ALTER TABLE orders RENAME TO purchases; CREATE SCHEMA shop; ALTER TABLE purchases SET SCHEMA shop; DROP VIEW totals; DROP FUNCTION migrated();
CREATE FUNCTION migrated() RETURNS int LANGUAGE sql AS 'SELECT 2'; ALTER TABLE shop.purchases DROP COLUMN due;
$q$, options => '{"derive": false}');
SELECT * FROM seen;
DROP TABLE other;
SELECT object, drift, detail FROM seen;
SELECT accepted FROM migmgr.accept_drift('table public.other', 'gone');

-- what commits by itself records nothing: the log tells what was done to what is due
SELECT status FROM migmgr.apply('007', 'items', 'CREATE TABLE items (id int PRIMARY KEY, a int, b int); CREATE INDEX items_a ON items (a)');
DROP INDEX CONCURRENTLY items_a;
SELECT * FROM seen;
SELECT status FROM migmgr.apply('008', 'parts', 'CREATE TABLE parts (id int PRIMARY KEY, a int)');
CREATE INDEX CONCURRENTLY parts_a ON parts (a);
SELECT * FROM seen;
CREATE TABLE other (id int);
SELECT * FROM seen WHERE object <> 'table public.other';
SELECT accepted FROM migmgr.accept_drift('*', 'as it is');

-- recordings come under the chain with a seal
SELECT status FROM migmgr.apply('009', 'sealed', 'CREATE TABLE sealed (id int)');
SELECT record, rows FROM migmgr.seal();
SELECT check_name, status, detail FROM migmgr.verify() WHERE check_name = 'state';
\i test/include/chain.sql
SELECT public.row_guard('D');
\connect
SET client_min_messages = error;
UPDATE migmgr_internal.state SET described = jsonb_set(described, '{definition}', '"edited"') WHERE identity = 'public.sealed' AND kind = 'table';
SELECT check_name, status, regexp_replace(detail, '\d+', 'N', 'g') AS detail FROM migmgr.verify() WHERE check_name = 'state';
UPDATE migmgr_internal.state SET described = jsonb_set(described, '{definition}', to_jsonb(E'CREATE TABLE public.sealed\n  OWNER ' || CURRENT_USER)) WHERE identity = 'public.sealed' AND kind = 'table';
SELECT check_name, status FROM migmgr.verify() WHERE check_name = 'state';
DELETE FROM migmgr_internal.recording WHERE id = (SELECT max(id) FROM migmgr_internal.recording);
SELECT check_name, status, regexp_replace(detail, '\d+', 'N', 'g') AS detail FROM migmgr.verify() WHERE check_name = 'state' ORDER BY detail;
\connect postgres
DROP DATABASE regress_migmgr_drift_due;

-- switched off
CREATE DATABASE regress_migmgr_drift_due;
\connect regress_migmgr_drift_due
SET client_min_messages = error;
CREATE EXTENSION migmgr;
SELECT migmgr.set_policy('production', 'record_state', 'off') IS NOT NULL AS off;
SELECT status FROM migmgr.apply('001', 'quiet', 'CREATE TABLE quiet (id int)');
ALTER TABLE quiet ADD COLUMN byhand int;
SELECT object, drift, detail FROM migmgr.drift();
SELECT count(*) AS recorded FROM migmgr_internal.state;
\connect postgres
DROP DATABASE regress_migmgr_drift_due;
