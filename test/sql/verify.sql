-- verify(): nothing is kept from it that a superuser did behind migmgr's back.
\set test verify
\set ECHO none
\i test/include/database.sql
\i test/include/chain.sql
-- what it says, without what differs from server to server
CREATE FUNCTION public.bad(head text DEFAULT NULL) RETURNS TABLE (check_name text, object text, status text, detail text)
  LANGUAGE sql AS $$
  SELECT v.check_name, public.mask(v.object), v.status, public.mask(v.detail) FROM migmgr.verify(head) AS v
   WHERE v.status <> 'ok' AND v.object IS DISTINCT FROM 'level' AND v.check_name <> 'verify'
     AND v.check_name NOT LIKE 'watch%' AND v.check_name NOT LIKE 'schedule%' AND v.check_name NOT LIKE 'sweep%'
     AND v.check_name NOT IN ('guard', 'bypass', 'indexes', 'constraints')
$$;
CREATE FUNCTION public.guard() RETURNS TABLE (object text, status text, detail text) LANGUAGE sql AS $$
  SELECT v.object, v.status, CASE WHEN v.status <> 'ok' THEN v.detail END FROM migmgr.verify() AS v
   WHERE v.check_name = 'guard' AND v.object <> 'level'
$$;
SET client_min_messages = warning;
\set ECHO all
SET TimeZone = 'UTC';

-- an empty ledger
SELECT check_name, status, detail FROM migmgr.verify() WHERE check_name IN ('chain', 'texts', 'home') AND detail !~ 'row triggers';
-- what is no head
\set VERBOSITY sqlstate
SELECT * FROM migmgr.verify('');
SELECT * FROM migmgr.verify('abc');
\set VERBOSITY default
SELECT state, message, hint FROM public.caught($$SELECT * FROM migmgr.verify('c0ffee')$$);


-- indexes and constraints, while the guard only warns
CREATE TABLE public.t (i int, j int, k int);
INSERT INTO public.t VALUES (1, 1, NULL), (1, 1, NULL);
CREATE UNIQUE INDEX CONCURRENTLY "Broken" ON public.t (i);
CREATE INDEX dropping ON public.t (j);
UPDATE pg_catalog.pg_index SET indislive = false, indisready = false, indisvalid = false WHERE indexrelid = 'public.dropping'::regclass;
ALTER TABLE public.t ADD CONSTRAINT positive CHECK (i > 0) NOT VALID;
CREATE DOMAIN public.d AS int;
ALTER DOMAIN public.d ADD CONSTRAINT small CHECK (VALUE < 10) NOT VALID;
CREATE TABLE public.p (i int) PARTITION BY RANGE (i);
CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES FROM (0) TO (1);
CREATE INDEX p_i ON ONLY public.p (i);
SELECT check_name, object, status, detail, hint FROM migmgr.verify() WHERE check_name IN ('indexes', 'constraints') ORDER BY 1, 2;
CREATE TEMP TABLE tt (i int CHECK (i > 0));
ALTER TABLE tt ADD CONSTRAINT tt_x CHECK (i > 1) NOT VALID;
SELECT count(*) FROM migmgr.verify() WHERE object LIKE '%tt_x%';

-- eight entries as a restore brings them: linked, and not at home until resume()
SELECT count(public.entry(n, 'applied', lpad(n::text, 3, '0'), 'step_' || n, public.script(format('SELECT %s', n)),
  format('{"down": "%s"}', public.script(format('SELECT -%s', n))))) FROM generate_series(1, 8) AS n;
SELECT * FROM public.bad();
-- privileges that somebody gave away, while the guard only observes
BEGIN;
SET LOCAL client_min_messages = error;
GRANT SELECT ON migmgr.ledger TO PUBLIC;
GRANT INSERT, DELETE ON migmgr_internal.script TO pg_monitor;
GRANT EXECUTE ON FUNCTION migmgr_internal.ledger_state() TO PUBLIC;
SELECT * FROM public.bad();
ROLLBACK;

SELECT migmgr.head() AS head8 \gset
SELECT migmgr.resume('a fixture') AS said;
SELECT * FROM public.bad();
SELECT detail FROM migmgr.verify(upper(:'head8')) WHERE check_name = 'head';
SELECT migmgr.head() AS head9 \gset

-- never empty, a summary first, the worst next
SELECT count(*) > 8 AS rows, (array_agg(check_name))[1] AS first, (array_agg(status))[1] AS status FROM migmgr.verify();
SELECT bool_and(status IN ('ok', 'warning', 'failed')) AS known,
       array_agg(status) = array_agg(status ORDER BY array_position('{failed,warning,ok}', status)) AS worst_first
  FROM (SELECT * FROM migmgr.verify() OFFSET 1) AS v;

-- behind its back, in a transaction that is undone each time: what is broken, and all of it
SELECT public.row_guard('D');
\connect
SET TimeZone = 'UTC';
-- T02 every column of a row
BEGIN;
CREATE TEMP TABLE told (col text, told text);
DO $$
DECLARE
  edit text;
BEGIN
  FOREACH edit IN ARRAY ARRAY['at = at + interval ''1 microsecond''', 'event = ''rolled back''', 'version = ''3''', 'name = name || '' ''',
      'checksum = NULL', 'session_role = ''bob''', 'role = ''''', 'client = ''''', 'application = NULL', 'detail = detail || '' ''',
      'hash = repeat(''0'', 64)', 'prev_hash = repeat(''1'', 64)', 'seq = 100'] LOOP
    BEGIN
      EXECUTE 'UPDATE migmgr.ledger SET ' || edit || ' WHERE seq = 3';
      RAISE EXCEPTION 'undone' USING DETAIL = (SELECT string_agg(format('%s: %s', object, split_part(detail, ':', 1)), '; ') FROM public.bad() WHERE check_name = 'chain');
    EXCEPTION WHEN raise_exception THEN
      DECLARE
        said text;
      BEGIN
        GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
        INSERT INTO told VALUES (split_part(edit, ' ', 1), said);
      END;
    END;
  END LOOP;
END
$$;
TABLE told;
ROLLBACK;
-- what is no JSON does not even get in
\set VERBOSITY terse
UPDATE migmgr.ledger SET detail = 'x' WHERE seq = 3;
\set VERBOSITY default

-- T03 deleted, inserted, swapped
BEGIN;
DELETE FROM migmgr.ledger WHERE seq IN (1, 4, 5, 7);
SELECT * FROM public.bad();
ROLLBACK;
BEGIN;
-- the later ones shifted, a forged one in the gap
UPDATE migmgr.ledger SET seq = seq + 100 WHERE seq > 5;
INSERT INTO migmgr.ledger SELECT 6, at, event, version, 'forged', checksum, session_role, role, client, application, detail, repeat('e', 64), repeat('f', 64) FROM migmgr.ledger WHERE seq = 5;
UPDATE migmgr.ledger SET seq = seq - 99 WHERE seq > 100;
SELECT * FROM public.bad();
ROLLBACK;
BEGIN;
UPDATE migmgr.ledger SET seq = CASE seq WHEN 3 THEN 103 ELSE 104 END WHERE seq IN (3, 4);
UPDATE migmgr.ledger SET seq = 207 - seq - 100 WHERE seq > 100;
SELECT * FROM public.bad();
ROLLBACK;
BEGIN;
INSERT INTO migmgr.ledger SELECT 10, at, event, version, 'forged', checksum, session_role, role, client, application, detail, repeat('e', 64), repeat('f', 64) FROM migmgr.ledger WHERE seq = 8;
INSERT INTO migmgr.ledger SELECT -1, at, event, version, 'forged', checksum, session_role, role, client, application, detail, repeat('d', 64), repeat('c', 64) FROM migmgr.ledger WHERE seq = 8;
SELECT * FROM public.bad();
ROLLBACK;

-- T04 the tail cut off: only a head kept outside shows it
BEGIN;
DELETE FROM migmgr.ledger WHERE seq = 9;
SELECT status, count(*) FROM migmgr.verify() WHERE check_name = 'chain' GROUP BY 1;
SELECT * FROM public.bad(:'head9');
ROLLBACK;

-- T05 a forged middle, both ends right
BEGIN;
UPDATE migmgr.ledger SET name = 'forged', hash = migmgr_internal.ledger_hash(prev_hash, seq, at, event, version, 'forged', checksum, session_role, role, client, application, detail)
 WHERE seq = 5;
SELECT * FROM public.bad(:'head9');
ROLLBACK;

-- T06 the whole chain built anew from an edited entry on: whole by itself, not against a head
BEGIN;
UPDATE migmgr.ledger SET name = 'forged' WHERE seq = 5;
DO $$
DECLARE
  e migmgr.ledger;
  before text := (SELECT hash FROM migmgr.ledger WHERE seq = 4);
BEGIN
  FOR e IN SELECT * FROM migmgr.ledger WHERE seq > 4 ORDER BY seq LOOP
    UPDATE migmgr.ledger SET prev_hash = before,
      hash = migmgr_internal.ledger_hash(before, seq, at, event, version, name, checksum, session_role, role, client, application, detail)
     WHERE seq = e.seq RETURNING hash INTO before;
  END LOOP;
END
$$;
SELECT * FROM public.bad();
SELECT * FROM public.bad(:'head9');
SELECT detail FROM migmgr.verify((SELECT hash FROM migmgr.ledger WHERE seq = 4)) WHERE check_name = 'head';
ROLLBACK;

-- T09 many breaks at once: all are told
BEGIN;
UPDATE migmgr.ledger SET name = 'forged' WHERE seq IN (2, 4, 6);
DELETE FROM migmgr.ledger WHERE seq = 7;
SELECT * FROM public.bad();
ROLLBACK;

-- texts: edited, missing, edited with a fitting checksum, a password redacted
BEGIN;
UPDATE migmgr_internal.script SET text = 'SELECT 666' || E'\n' WHERE checksum = migmgr.checksum('SELECT 2');
DELETE FROM migmgr_internal.script WHERE checksum = migmgr.checksum('SELECT -3');
UPDATE migmgr_internal.script SET text = E'SELECT 777\n', stored = migmgr.checksum('SELECT 777') WHERE checksum = migmgr.checksum('SELECT 4');
UPDATE migmgr_internal.script SET text = E'SELECT 888\n', stored = migmgr.checksum('SELECT 888'), redacted = true WHERE checksum = migmgr.checksum('SELECT 5');
SELECT * FROM public.bad();
ROLLBACK;
BEGIN;
UPDATE migmgr_internal.script SET text = E'SELECT 888\n', stored = migmgr.checksum('SELECT 888'), redacted = true WHERE checksum = migmgr.checksum('SELECT 5');
SELECT detail FROM migmgr.verify() WHERE check_name = 'texts';
ROLLBACK;

-- a check that cannot run is a row, and the others still run
BEGIN;
SELECT public.entry(20, 'seal', NULL, NULL, NULL, '{"table": "attempt", "ids": "nonsense"}');
UPDATE migmgr.ledger SET name = 'forged' WHERE seq = 2;
SELECT * FROM public.bad();
ROLLBACK;
SELECT object, status, detail FROM public.guard() WHERE object ~ 'script|row triggers';
SELECT public.row_guard('A');
\connect
SET TimeZone = 'UTC';
SELECT * FROM public.bad();
SELECT object, status FROM public.guard();

-- T08 the same under any setting
SET TimeZone = 'Asia/Kolkata';
SET DateStyle = 'German, DMY';
SET bytea_output = 'escape';
SET extra_float_digits = -15;
SET IntervalStyle = 'sql_standard';
SET lc_messages = 'C';
SELECT * FROM public.bad(:'head9');
RESET ALL;
SET client_min_messages = warning;

-- the guard: triggers that are off, or only on outside replica mode
BEGIN;
UPDATE pg_catalog.pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'migmgr.ledger'::regclass AND tgname = 'row_guard';
UPDATE pg_catalog.pg_trigger SET tgenabled = 'O' WHERE tgrelid = 'migmgr_internal.script'::regclass;
UPDATE pg_catalog.pg_event_trigger SET evtenabled = CASE evtevent WHEN 'sql_drop' THEN 'D'::"char" ELSE 'O' END
 WHERE evtevent IN ('sql_drop', 'table_rewrite') AND evtname LIKE 'migmgr%';
SELECT regexp_replace(object, '^event trigger .*$', 'an event trigger') AS object, status, detail FROM public.guard();
ROLLBACK;
BEGIN;
SET LOCAL session_replication_role = replica;
SELECT * FROM public.guard() WHERE object LIKE 'setting%';
ROLLBACK;

-- seals: by their own, then rows edited, removed and added under them
SELECT migmgr_internal.seal_batch() >= 0 AS earlier;
SELECT public.row_guard('D');
\connect
SET TimeZone = 'UTC';
SELECT max(seq) AS before FROM migmgr.ledger \gset
INSERT INTO migmgr_internal.attempt (id, at, action, version, session_role, role, sqlstate, message) OVERRIDING SYSTEM VALUE
  SELECT n, '2026-01-01', 'apply', '001', 'me', 'me', '00000', 'message ' || n FROM generate_series(1, 20) AS n WHERE n NOT IN (7, 13);
SELECT object, status, public.mask(detail) AS detail FROM migmgr.verify() WHERE check_name = 'seals' AND object = 'attempt';
SELECT record, rows, seals FROM migmgr.seal() WHERE record = 'attempt';
SELECT record, rows, seals FROM migmgr.seal() WHERE record = 'attempt';
SELECT detail::jsonb ->> 'ids' AS ids, detail::jsonb ->> 'count' AS count FROM migmgr.ledger WHERE event = 'seal' AND seq > :before AND detail::jsonb ->> 'table' = 'attempt';
-- a row that was written before and committed after gets a seal of its own
INSERT INTO migmgr_internal.attempt (id, at, action, version, session_role, role, sqlstate, message) OVERRIDING SYSTEM VALUE
  SELECT n, '2026-01-01', 'apply', '001', 'me', 'me', '00000', 'message ' || n FROM generate_series(7, 7) AS n;
SELECT migmgr_internal.seal_batch() > 0 AS sealed;
SELECT detail::jsonb ->> 'ids' AS ids FROM migmgr.ledger WHERE event = 'seal' AND detail::jsonb ->> 'table' = 'attempt' ORDER BY seq DESC LIMIT 1;
SELECT object, status, detail FROM migmgr.verify() WHERE check_name = 'seals' AND object = 'attempt';
BEGIN;
UPDATE migmgr_internal.attempt SET message = 'another' WHERE id = 3;
SELECT object ~ '^attempt, entry \d+$' AS object, status, detail FROM migmgr.verify() WHERE check_name = 'seals' AND status <> 'ok';
ROLLBACK;
BEGIN;
DELETE FROM migmgr_internal.attempt WHERE id IN (4, 5, 7);
SELECT object ~ '^attempt, entry \d+$' AS object, status, detail FROM migmgr.verify() WHERE check_name = 'seals' AND status <> 'ok' ORDER BY detail;
ROLLBACK;
-- batches are bounded, and no row is in two
SELECT migmgr_internal.seal_record('attempt', 1000) AS rest;
INSERT INTO migmgr_internal.attempt (id, at, action, session_role, role, sqlstate, message) OVERRIDING SYSTEM VALUE
  SELECT n, now(), 'apply', 'me', 'me', '00000', 'x' FROM generate_series(100, 224) AS n;
SELECT migmgr_internal.seal_record('attempt', 50) AS first, migmgr_internal.seal_record('attempt', 50) AS second,
       migmgr_internal.seal_record('attempt', 50) AS third, migmgr_internal.seal_record('attempt', 50) AS none;
SELECT count(*) AS ids, sum(upper(r) - lower(r)) AS sealed FROM (SELECT unnest(migmgr_internal.sealed_ids('attempt')) AS r) AS s WHERE r && int8range(100, 225);
-- a seal that was forged to name a row twice
INSERT INTO migmgr.ledger SELECT seq + 1, at, event, version, name, checksum, session_role, role, client, application, detail, hash,
       migmgr_internal.ledger_hash(hash, seq + 1, at, event, version, name, checksum, session_role, role, client, application, detail)
  FROM migmgr.ledger ORDER BY seq DESC LIMIT 1;
SELECT status, regexp_replace(detail, 'entries \d+ and \d+', 'entries A and B') AS detail FROM migmgr.verify() WHERE check_name IN ('chain', 'seals') AND status <> 'ok';
SELECT public.row_guard('A');
\connect postgres
DROP DATABASE regress_migmgr_verify;
