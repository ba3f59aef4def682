-- Versions that count as applied, or no longer do, without a run: marks append, and everything that reads the ledger understands them.
\set test marks
\set ECHO none
\i test/include/database.sql
\set ECHO all
SET TimeZone = 'UTC';
CREATE VIEW public.standing AS SELECT version, name, status, left(checksum, 8) AS sum, note FROM migmgr.history;

SELECT version, status FROM migmgr.apply_file('001_one.sql', E'CREATE TABLE one (id int);\n-- migmgr:down\nDROP TABLE one;\n');
SELECT version, status FROM migmgr.apply('002', 'two', 'CREATE TABLE two (id int);', 'DROP TABLE two;');

-- mark_applied: the number, not the text
SELECT version, status, environment, regexp_replace(detail, 'since .* by', 'since TIME by') AS detail FROM migmgr.mark_applied('{004,003,002,003}', 'ran with psql');
SELECT * FROM public.standing;
SELECT version, status, detail LIKE 'marked applied % no checksum recorded; nothing was done' AS says FROM migmgr.apply('003', 'three', 'CREATE TABLE three (id int)');
SELECT to_regclass('three') IS NULL AS nothing_ran;
-- order, requires and rollback know it
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('003.5', 'between', 'CREATE TABLE t (id int)')$$);
SELECT version, status FROM migmgr.apply_file('005_five.sql', E'-- migmgr:requires 003\nCREATE TABLE five (id int);');
SELECT * FROM public.caught($$SELECT * FROM migmgr.rollback('003', 'x')$$) \gx
-- a listing that was remembered lends its name and checksum
CREATE FUNCTION public.compare(more text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT concat_ws(' ', file, version, status) FROM migmgr.compare_files((SELECT string_agg(format(E'%s  %s_%s.sql\n', COALESCE(checksum, repeat('f', 64)), version, COALESCE(name, 'x')), '')
    FROM migmgr.history WHERE status NOT IN ('renamed', 'failed', 'marked reverted', 'rolled back')) || more) $$;
SELECT public.compare(repeat('b', 64) || '  006_six.sql');
SELECT version, status, detail FROM migmgr.mark_applied('{006}', 'by hand') WHERE version IS NOT NULL;
SELECT * FROM public.standing WHERE version = '006';

-- mark_reverted: the number, not the objects
SELECT * FROM migmgr.mark_reverted('{002,004}', 'never mind');
SELECT version, status FROM migmgr.mark_reverted('{002}', 'again');
SELECT version, status, note FROM public.standing WHERE version IN ('002', '004');
SELECT version, type, identity, state FROM migmgr.objects WHERE version = '002';
SELECT state, message, detail FROM public.caught($$SELECT * FROM migmgr.rollback('002', 'x')$$);
SELECT version, status FROM migmgr.mark_applied('{002}', 'there again') WHERE version IS NOT NULL;

-- mark_renamed: text, objects and the way back go along
SELECT version, status, detail ~ '^from 001, applied ' AS says FROM migmgr.mark_renamed('001', '20260101120000', 'timestamps from now on');
SELECT * FROM public.standing WHERE version IN ('001', '20260101120000');
SELECT version, type, identity, state FROM migmgr.objects WHERE identity = 'public.one';
SELECT version, status FROM migmgr.apply_file('20260101120000_one.sql', E'CREATE TABLE one (id int);\n-- migmgr:down\nDROP TABLE one;\n');
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('20260101120000', 'one', 'SELECT 1')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rollback('001', 'x')$$);
SELECT version, status FROM migmgr.mark_renamed('20260101120000', '007', 'and back') ;
SELECT version, status FROM migmgr.rollback('007', 'the way back went along');
SELECT to_regclass('one') IS NULL AS dropped;
SELECT version, status FROM public.standing WHERE version IN ('001', '007', '20260101120000');
SELECT public.compare('') LIMIT 1;

-- accept_checksum
SELECT version, status FROM migmgr.apply('008', 'eight', E'-- eight\nCREATE TABLE eight (id int);', options => '{"allow_divergence": true}');
SELECT state, hint FROM public.caught($$SELECT * FROM migmgr.apply('008', 'eight', E'-- eighth\nCREATE TABLE eight (id int);')$$);
SELECT accepted_for, status FROM migmgr.accept_checksum('008', upper(migmgr.checksum(E'-- eighth\nCREATE TABLE eight (id int);')), 'a comment');
SELECT accepted_for, status FROM migmgr.accept_checksum('008', migmgr.checksum(E'-- eighth\nCREATE TABLE eight (id int);'), 'a comment');
SELECT version, status FROM migmgr.apply('008', 'eight', E'-- eighth\nCREATE TABLE eight (id int);');
SELECT checksum = migmgr.checksum(E'-- eight\nCREATE TABLE eight (id int);') AS recorded_one_stays FROM migmgr.history WHERE version = '008';
SELECT status FROM migmgr.compare_files(migmgr.checksum(E'-- eighth\nCREATE TABLE eight (id int);') || '  008_eight.sql', false) WHERE version = '008';
SELECT status FROM migmgr.mark_renamed('008', '009', 'accepted goes along');
SELECT status FROM migmgr.compare_files(migmgr.checksum(E'-- eighth\nCREATE TABLE eight (id int);') || '  009_eight.sql', false) WHERE version = '009';

-- export: as it came
SELECT file, version, checksum = encode(sha256(convert_to(sql, 'UTF8')), 'hex') AS equal, rollback_sql, detail FROM migmgr.export('{002,009,003,007}');
SELECT version, status FROM migmgr.apply_file('db/migrations/010_ten.sql', E'CREATE ROLE regress_migmgr_marks PASSWORD ''secret'';\r\n');
SELECT file, version, checksum = migmgr.checksum(sql) AS equal, sql, public.mask(detail) FROM migmgr.export('{010}');
DROP ROLE regress_migmgr_marks;

-- baseline
SELECT version, status FROM migmgr.apply('011', 'eleven', 'SELECT 1/0', options => '{"on_error": "report"}');
SELECT * FROM public.caught($$SELECT * FROM migmgr.apply('012', 'twelve', 'CREATE TABLE twelve (id int)')$$) \gx
SELECT baseline, status FROM migmgr.baseline('100', 'start');
SELECT * FROM public.caught($$SELECT * FROM migmgr.apply('012', 'twelve', 'CREATE TABLE twelve (id int)')$$) \gx
SELECT version, status FROM migmgr.apply_file('101_after.sql', E'-- migmgr:requires 050\nCREATE TABLE after (id int);');
SELECT file, version, status FROM migmgr.compare_files(repeat('c', 64) || E'  050_old.sql\n' || repeat('d', 64) || '  102_new.sql') WHERE version IS NOT NULL;
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('103', 'next', 'CREATE TABLE next (id int)', options => '{"allow_divergence": true}')$$);

-- replaces: where none is applied it runs, where all are it counts as applied, in between it is refused
SELECT version, status FROM migmgr.mark_reverted('{100}', 'no baseline after all') WHERE version IS NOT NULL;
\set consolidated 'E''-- migmgr:replaces 201 202\\nCREATE TABLE joint (id int);\\n-- migmgr:down\\nDROP TABLE joint;\\n'''
SELECT public.compare('') LIMIT 1;
SELECT version, status FROM migmgr.apply_file('203_joint.sql', :consolidated, dry_run => true);
SELECT version, status FROM migmgr.apply_file('203_joint.sql', :consolidated);
SELECT version, status, note FROM public.standing WHERE version LIKE '20_';
SELECT version, status FROM migmgr.apply_file('201_a.sql', 'SELECT 1');
SELECT version, status FROM migmgr.rollback('203', 'again');
SELECT version, status, note FROM public.standing WHERE version LIKE '20_';
SELECT version, status FROM migmgr.apply_file('201_a.sql', 'CREATE TABLE joint (id int);');
SELECT * FROM public.caught(format('SELECT * FROM migmgr.apply_file(%L, %L)', '203_joint.sql', :consolidated)) \gx
SELECT version, status FROM migmgr.apply_file('202_b.sql', 'SELECT 2;');
SELECT version, status FROM migmgr.apply_file('203_joint.sql', :consolidated, dry_run => true);
SELECT version, status, detail FROM migmgr.apply_file('203_joint.sql', :consolidated);
SELECT version, status, detail ~ '^marked applied' AS says FROM migmgr.apply_file('203_joint.sql', :consolidated);
SELECT version, status, note FROM public.standing WHERE version LIKE '20_';
SELECT file, version, status FROM migmgr.compare_files(migmgr.checksum(:consolidated) || '  203_joint.sql', false) WHERE version LIKE '20_';
SELECT version, checksum = migmgr.checksum(sql) AS equal, detail FROM migmgr.export('{203}');
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rollback('203', 'x')$$);
BEGIN;
SELECT version, status FROM migmgr.mark_reverted('{203}', 'keep them apart') WHERE version IS NOT NULL;
SELECT version, status, note FROM public.standing WHERE version LIKE '20_';
ROLLBACK;
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply_file('204_self.sql', E'-- migmgr:replaces 204\nSELECT 1')$$);
SELECT baseline, status FROM migmgr.baseline('300', 'start');

-- bad input: a clear error, and nothing changed
SELECT public.fingerprint() AS before \gset
SELECT t.n, c.state, c.message, c.detail, c.hint FROM (VALUES
  (1, $$mark_applied(NULL, 'r')$$), (2, $$mark_applied('{}', 'r')$$), (3, $$mark_applied('{001,NULL}', 'r')$$), (4, $$mark_applied('{"0 1"}', 'r')$$),
  (5, $$mark_applied('{020}', NULL)$$), (6, $$mark_applied('{020}', '  ')$$), (7, $$mark_applied('{020,021_x.sql}', 'r')$$),
  (8, $$mark_reverted('{008,777,778}', 'r')$$), (9, $$mark_renamed('777', '778', 'r')$$), (10, $$mark_renamed('004', '778', 'r')$$),
  (11, $$mark_renamed('002', '005', 'r')$$), (12, $$mark_renamed('002', '002', 'r')$$), (13, $$mark_renamed('002', NULL, 'r')$$),
  (14, $$accept_checksum('777', repeat('a', 64), 'r')$$), (15, $$accept_checksum('002', 'abc', 'r')$$), (16, $$accept_checksum('002', NULL, 'r')$$),
  (17, $$accept_checksum('004', repeat('a', 64), 'r')$$), (18, $$baseline('300', 'again')$$), (19, $$baseline('050', 'before')$$),
  (20, $$baseline('400', NULL)$$), (21, $$baseline(NULL, 'x')$$), (22, $$export('{777}')$$), (23, $$export('{}')$$)) AS t(n, call),
  LATERAL public.caught('SELECT * FROM migmgr.' || t.call) AS c ORDER BY t.n;
SELECT public.fingerprint() = :'before' AS unchanged;
-- a migration cannot mark
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('410', 'marks', 'SELECT * FROM migmgr.mark_applied(''{111}'', ''r'');', options => '{"skip_failed": true, "allow_divergence": true}')$$);
SELECT state, message FROM public.caught($$SELECT migmgr_internal.mark('applied', '1', 'x', NULL, '{}')$$);
SELECT state, message FROM public.caught($$SELECT migmgr_internal.ledger_append('marked applied', '1', '{}')$$);
SELECT event, version FROM migmgr.ledger ORDER BY seq;
SELECT check_name, status FROM migmgr.verify() WHERE check_name IN ('chain', 'texts', 'objects');
\connect postgres
DROP DATABASE regress_migmgr_marks;
