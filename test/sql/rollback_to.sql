-- rollback_to(), tag(), note().
\set test rollback_to
\set ECHO none
\i test/include/database.sql
\set ECHO all

SELECT status FROM migmgr.apply('001', 'one', 'CREATE TABLE one (i int)', 'DROP TABLE one');
SELECT migmgr.tag('release 1');
SELECT status FROM migmgr.apply('002', 'two', 'CREATE TABLE two (i int)', 'DROP TABLE two');
SELECT status FROM migmgr.apply('003', 'three', 'ALTER TABLE two ADD COLUMN j int', 'ALTER TABLE two DROP COLUMN j');
SELECT status FROM migmgr.apply('004', 'four', 'CREATE VIEW four AS SELECT j FROM two', 'DROP VIEW four');

-- by itself the oldest of them cannot go
SELECT public.fingerprint() AS before \gset
SELECT * FROM public.caught($$SELECT * FROM migmgr.rollback('002')$$) \gx
SELECT * FROM public.caught($$SELECT * FROM migmgr.rollback('003')$$) \gx
SELECT public.fingerprint() = :'before' AS unchanged;
SELECT version, status, statements, detail FROM migmgr.rollback_to('001', dry_run => true);
SELECT public.fingerprint() = :'before' AS unchanged;
SELECT version, status, statements, detail FROM migmgr.rollback_to('003', 'too early');
SELECT version, status, detail FROM migmgr.rollback_to('003');
SELECT version, status, detail FROM migmgr.rollback_to('release 1', 'start again');
SELECT version, name, status, note FROM migmgr.history;

-- again, with the texts that the ledger has
SELECT version, name, status, reversible, detail FROM migmgr.apply('002');
SELECT status FROM migmgr.rollback('002');
SELECT status FROM migmgr.apply('002');
SELECT status, detail FROM migmgr.apply('003');
SELECT status FROM migmgr.apply('003');

-- all or nothing
INSERT INTO two (i) VALUES (1);
SELECT public.fingerprint() AS before \gset
SELECT * FROM public.caught($$SELECT * FROM migmgr.rollback_to('001')$$) \gx
SELECT public.fingerprint() = :'before' AS unchanged;
SELECT version, status, detail FROM migmgr.rollback_to('release 1', 'keep it', on_data => 'archive');
SELECT version, object, rows, state FROM migmgr.archives;

-- the whole story is kept
SELECT seq, event, version FROM migmgr.ledger WHERE version = '002' OR event = 'tag' ORDER BY seq;
SELECT migmgr.note('002', 'goes out with the next release');
-- a decision that is about no version
SELECT regexp_replace(migmgr.note(NULL, 'drift: option C, says the manager'), '\d+', 'N') AS noted;
SELECT version, detail::jsonb ->> 'note' AS note FROM migmgr.ledger WHERE event = 'note' ORDER BY seq;
SELECT version, status, note FROM migmgr.history WHERE version = '002';
SELECT status FROM migmgr.apply('002', 'two', 'CREATE TABLE two (i int)', 'DROP TABLE two');
SELECT version, status, note FROM migmgr.history WHERE version = '002';

-- one that came as a file comes again as that file, whole
SELECT status FROM migmgr.apply_file('020_three.sql', $$-- migmgr:up
CREATE TABLE three (i int);
-- migmgr:down
DROP TABLE three;
-- migmgr:verify
SELECT to_regclass('three') IS NOT NULL;
$$);
SELECT status FROM migmgr.rollback('020');
SELECT version, name, status, reversible FROM migmgr.apply('020');
SELECT l.seq - lag(l.seq) OVER (ORDER BY l.seq) > 0 AS later, l.checksum = lag(l.checksum) OVER (ORDER BY l.seq) AS same_text,
  l.detail::jsonb ->> 'file' AS file, l.detail::jsonb ? 'down' AS down, l.detail::jsonb ? 'verify' AS verify
  FROM migmgr.ledger AS l WHERE l.version = '020' AND l.event = 'applied' ORDER BY l.seq;
-- but not without what was taken out of its text
CREATE ROLE rollback_to_login;
SELECT migmgr.waive('security', 'test') IS NOT NULL AS waived;
SELECT status FROM migmgr.apply('021', 'login', $$ALTER ROLE rollback_to_login PASSWORD 'secret'$$, 'SELECT 1');
SELECT status FROM migmgr.rollback('021');
SELECT * FROM public.caught($$SELECT * FROM migmgr.apply('021')$$) \gx
DROP ROLE rollback_to_login;


-- mistakes
CREATE TEMP TABLE try (n serial, sql text);
INSERT INTO try (sql) VALUES ($$migmgr.rollback_to('nowhere')$$), ($$migmgr.rollback_to('003')$$), ($$migmgr.rollback_to(NULL)$$), ($$migmgr.tag('release 1')$$), ($$migmgr.tag('002')$$),
  ($$migmgr.tag('')$$), ($$migmgr.tag(E'a\nb')$$), ($$migmgr.tag(NULL)$$), ($$migmgr.note('009', 'x')$$), ($$migmgr.note('002', ' ')$$), ($$migmgr.note(NULL, ' ')$$);
SELECT t.sql, c.state, c.message FROM try AS t, LATERAL public.caught('SELECT * FROM ' || t.sql) AS c ORDER BY t.n;
SELECT check_name, status FROM migmgr.verify() WHERE check_name IN ('chain', 'texts');
\connect postgres
DROP DATABASE regress_migmgr_rollback_to;
