-- drift(), accept_drift(), capture(): what was done by hand, against what was recorded.
\set test drift
\set ECHO none
\i test/include/database.sql
SELECT count(a.*) FROM migmgr.drift() AS d, LATERAL migmgr.accept_drift(d.object, 'helpers of the test') AS a WHERE d.object LIKE 'function %' \gset ignored_
\set ECHO all
SET TimeZone = 'UTC';
CREATE TABLE before_migmgr (id int);
SELECT migmgr.set_environment('development') IS NOT NULL AS free;
CREATE TEMP VIEW seen AS SELECT object, drift, public.mask(detail) AS detail, regexp_replace(changed_by, ' by .*', ' by ROLE') AS changed_by FROM migmgr.drift();

-- what nobody recorded and was made since migmgr is there is drift
SELECT * FROM seen;
SELECT version, status FROM migmgr.apply_file('001_shop.sql', $q$
CREATE TABLE orders (id bigint PRIMARY KEY, amount numeric NOT NULL CHECK (amount > 0), note text DEFAULT 'none');
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON orders USING (true);
CREATE INDEX orders_amount ON orders (amount);
CREATE VIEW totals AS SELECT 1 AS total;
CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE mood AS ENUM ('ok');
CREATE SEQUENCE counter;
$q$);
SELECT version, status FROM migmgr.apply('002', 'more', 'ALTER TABLE orders ADD COLUMN due date; CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS ''SELECT 2''; ALTER TYPE mood ADD VALUE ''sad'';', 'ALTER TABLE orders DROP COLUMN due;');
SELECT object, drift FROM migmgr.drift();
-- what migrations change, rename, drop and take back is no drift
SELECT version, status FROM migmgr.apply('003', 'rename', 'ALTER TABLE orders RENAME TO purchases; ALTER VIEW totals RENAME COLUMN total TO sum; DROP SEQUENCE counter; ALTER TABLE purchases RENAME COLUMN note TO remark');
SELECT object, drift FROM migmgr.drift();
SELECT version, status FROM migmgr.apply('004', 'gone', 'CREATE TABLE short (id int PRIMARY KEY); CREATE INDEX ON short (id)', 'DROP TABLE short');
SELECT version, status FROM migmgr.rollback('004', 'too short');
SELECT object, drift FROM migmgr.drift();

CALL migmgr.run('004.5_online.sql', E'-- migmgr:online\nCREATE INDEX CONCURRENTLY orders_due ON purchases (due);\nALTER TABLE purchases ADD COLUMN online int;\n') \gset ignored_
SELECT object, drift FROM migmgr.drift();

-- by hand, in all the ways: extra, different, missing
CREATE TABLE "By Hand" (id int PRIMARY KEY, t text);
ALTER TABLE purchases ADD COLUMN extra int;
COMMENT ON COLUMN purchases.extra IS 'by night';
DO $$BEGIN EXECUTE 'ALTER TABLE purchases ALTER COLUMN due SET DEFAULT ''2026-01-01'''; END$$;
CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 3';
ALTER TYPE mood ADD VALUE 'glad';
DROP VIEW totals;
SET client_min_messages = error;
DROP INDEX orders_amount;
ALTER TABLE purchases DISABLE ROW LEVEL SECURITY;
SET client_min_messages = warning;
SELECT * FROM seen;
SELECT object, undo_sql FROM migmgr.drift() WHERE drift = 'different' OR object LIKE '%extra' \gx
SELECT object, accept_sql FROM migmgr.drift() WHERE object IN ('view public.totals', 'table public."By Hand"');
SELECT check_name, object, status, public.mask(detail) AS detail FROM migmgr.verify() WHERE check_name IN ('changed', 'row security', 'state', 'objects');

-- bad input changes nothing
SELECT public.fingerprint() AS before \gset
SELECT c.state, c.message, c.hint FROM (VALUES (1, $$accept_drift(NULL, 'r')$$), (2, $$accept_drift('', 'r')$$), (3, $$accept_drift('table public.nope', 'r')$$), (4, $$accept_drift('table public."By Hand"', ' ')$$),
  (5, $$capture(NULL)$$), (6, $$capture('no_version.sql')$$), (7, $$capture('002_more.sql')$$), (8, $$capture('001.5_between.sql')$$)) AS t(n, call), LATERAL public.caught('SELECT * FROM migmgr.' || t.call) AS c ORDER BY t.n;
SELECT public.fingerprint() = :'before' AS unchanged;

-- accept one, undo one, capture the rest
SELECT * FROM migmgr.accept_drift('table public."By Hand"', 'a scratch table');
SELECT undo_sql FROM migmgr.drift() WHERE object = 'table public.purchases' \gexec
SELECT * FROM seen;
SELECT regexp_replace(regexp_replace(sql, '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC', 'TIME', 'g'), ' by \w+', ' by ROLE', 'g') AS sql FROM migmgr.capture('005_by_hand.sql', 'the night of the incident') \gx
SELECT object, drift FROM migmgr.drift();
SELECT version, name, status, note FROM migmgr.history;
SELECT action, type, identity, state FROM migmgr.objects WHERE version = '005';
SELECT version, status FROM migmgr.apply_file('005_by_hand.sql', (SELECT sql FROM migmgr.export('{005}')));
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.capture('006_nothing.sql')$$);
SELECT version, checksum = migmgr.checksum(sql) AS equal FROM migmgr.export('{005}');

-- a baseline records everything: from then on all that is unknown is extra
SELECT baseline, status FROM migmgr.baseline('100', 'start');
SELECT detail::jsonb ->> 'fingerprint' = migmgr.schema_fingerprint() AS fingerprint FROM migmgr.ledger WHERE event = 'baseline';
SELECT * FROM seen;
DROP TABLE before_migmgr;
SELECT * FROM seen;
SELECT accepted FROM migmgr.accept_drift('*', 'as it is');
SELECT * FROM seen;

-- what is compared with is under the chain
SELECT check_name, status FROM migmgr.verify() WHERE check_name IN ('chain', 'state', 'changed');
SELECT state, message FROM public.caught('UPDATE migmgr_internal.state SET described = NULL');
\i test/include/chain.sql
SELECT public.row_guard('D');
\connect
UPDATE migmgr_internal.state SET described = jsonb_set(described, '{definition}', '"edited"') WHERE recording = 1 AND n = 1;
SELECT check_name, object, status FROM migmgr.verify() WHERE check_name = 'state';
\connect postgres
DROP DATABASE regress_migmgr_drift;

-- what was there before migmgr is not drift, until everything is recorded
CREATE DATABASE regress_migmgr_drift;
\connect regress_migmgr_drift
CREATE TABLE old (id int);
CREATE FUNCTION old() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE EXTENSION migmgr;
CREATE FUNCTION new(a int, b text[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, PROCEDURE = int4eq);
CREATE TYPE "Pair" AS (a int, b int);
CREATE CAST ("Pair" AS text) WITH INOUT;
SELECT object, drift, detail, regexp_replace(changed_by, ' by .*', '') AS changed_by FROM migmgr.drift();
SELECT undo_sql FROM migmgr.drift() WHERE drift = 'extra';
SELECT accepted, detail FROM migmgr.accept_drift('*', 'as we found it');
SELECT object, drift, detail FROM migmgr.drift();
CREATE FUNCTION other() RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT object, drift, detail FROM migmgr.drift();
\connect postgres
DROP DATABASE regress_migmgr_drift;
