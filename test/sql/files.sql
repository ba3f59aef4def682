-- compare_files(): a repository's checksums against what is recorded here.
\set test files
\set ECHO none
\i test/include/database.sql
\i test/include/chain.sql
CREATE FUNCTION public.sum(n integer) RETURNS text LANGUAGE sql AS $$SELECT encode(sha256(convert_to(n::text, 'UTF8')), 'hex')$$;
CREATE FUNCTION public.files(listing text, remember boolean DEFAULT false) RETURNS TABLE (file text, version text, status text, detail text)
  LANGUAGE sql AS $$SELECT f.file, f.version, f.status, public.mask(f.detail) FROM migmgr.compare_files(listing, remember) AS f$$;
\set ECHO all
SET TimeZone = 'UTC';

-- nothing is applied yet: all is pending, in the order of versions; every form of a line
SELECT * FROM public.files(E'\uFEFF# migrations of the shop\r\n\r\n' ||
  public.sum(10) || E'  migrations/010_ten.sql\r\n' ||
  upper(public.sum(9)) || E' *migrations/9_nine.sql\r\n' ||
  '-- a comment' || E'\n' ||
  'SHA256 (./1.10_b.sql) = ' || public.sum(3) || E'\n' ||
  public.sum(2) || E'\t/srv/app/migrations/1.9_a.sql   \n' ||
  '\' || public.sum(4) || E'  20260101_new\\\\line.sql\n' ||
  public.sum(10) || '  migrations/010_ten.sql');
SELECT count(*) AS remembered FROM migmgr_internal.remembered_files();

-- bad lines, each with its number
SELECT f.n, c.state, c.message, c.detail FROM (VALUES (1, NULL), (2, ''), (3, E'\n# only a comment\n'), (4, 'migrations/001_a.sql: OK'),
    (5, E'\n' || public.sum(1) || E'  001_a.sql\n' || repeat('a', 40) || '  002_b.sql'), (6, repeat('a', 32) || '  001_a.sql'),
    (7, repeat('a', 65) || '  001_a.sql'), (8, public.sum(1)), (9, '001_a.sql  ' || public.sum(1)),
    (10, public.sum(1) || E'  001_a.sql\n' || public.sum(2) || '  001_a.sql'), (11, 'SHA1 (001_a.sql) = ' || repeat('a', 40)),
    (12, repeat('g', 64) || '  001_a.sql')) AS f(n, listing),
  LATERAL public.caught(format('SELECT * FROM migmgr.compare_files(%L)', f.listing)) AS c ORDER BY f.n;
SELECT hint FROM public.caught('SELECT * FROM migmgr.compare_files('''')') UNION ALL
SELECT hint FROM public.caught('SELECT * FROM migmgr.compare_files(''x'')');

-- some are applied, one was rolled back, one failed
SELECT public.entry(1, 'applied', '001', 'one', public.sum(1), '{}');
SELECT public.entry(2, 'applied', '002', 'two', public.sum(2), '{}');
SELECT public.entry(3, 'applied', '003', 'three', public.sum(3), '{}');
SELECT public.entry(4, 'applied', '004', 'four', public.sum(4), jsonb_build_object('received', public.sum(44))::text);
SELECT public.entry(5, 'applied', '005', 'five', public.sum(5), '{}');
SELECT public.entry(6, 'rolled back', '005', 'five', public.sum(5), '{"reason": "too early"}');
SELECT public.entry(7, 'applied', '008', 'eight', public.sum(8), '{}');
SELECT public.failure(8, 'apply', '010', 'ten', 'relation "x" does not exist');
SELECT migmgr.resume('a fixture') LIKE 'resumed%' AS resumed;
\set listing 'SELECT string_agg(public.sum(s) || ''  '' || f, chr(10)) FROM (VALUES (1, ''001_one.sql''), (22, ''002_two.sql''), (3, ''003_third.sql''), (44, ''004_four.sql''), (5, ''005_five.sql''), (7, ''007_seven.sql''), (10, ''010_ten.sql''), (1, ''011_one_again.sql''), (12, ''012_twelve.sql''), (12, ''013_twelve_again.sql''), (14, ''014_a.sql''), (15, ''014_b.sql''), (16, ''checksum.txt''), (17, ''README.md'')) AS v(s, f)'
SELECT * FROM public.files((:listing));
SELECT file, hint FROM migmgr.compare_files((:listing), false) WHERE hint IS NOT NULL;

-- remembered once, not again while nothing changed
SELECT detail ~ ', remembered: ' AS now FROM public.files((:listing), true) LIMIT 1;
SELECT detail ~ ', remembered already$' AS already FROM public.files((:listing), true) LIMIT 1;
SELECT detail ~ ', remembered already$' AS already FROM public.files((SELECT string_agg(l, E'\r\n' ORDER BY l DESC) FROM regexp_split_to_table((:listing), '\n') AS l), true) LIMIT 1;
SELECT count(*) AS entries FROM migmgr.ledger WHERE event = 'files';
SELECT file, version, name, public.mask(checksum) AS checksum FROM migmgr_internal.remembered_files();
SELECT detail ~ ', remembered: ' AS now FROM public.files(public.sum(1) || '  001_one.sql', true) LIMIT 1;
SELECT file, version, name FROM migmgr_internal.remembered_files();
SELECT count(*) AS entries FROM migmgr.ledger WHERE event = 'files';
SELECT topic, value FROM migmgr.status WHERE topic IN ('applied', 'pending');
SELECT status FROM migmgr.verify() WHERE check_name = 'chain';

-- while applied versions have another file, or none, nothing is applied; unless told
SELECT * FROM public.files((:listing), true) LIMIT 1;
SELECT * FROM public.caught($$SELECT * FROM migmgr.apply('020', 'twenty', 'CREATE TABLE t20 (id int)')$$) \gx
SELECT public.fingerprint() AS before \gset
SELECT state FROM public.caught($$SELECT * FROM migmgr.apply('020', 'twenty', 'CREATE TABLE t20 (id int)', dry_run => true)$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('020', 'twenty', 'SELECT 1', options => '{"allow_divergence": "perhaps"}')$$);
SELECT public.fingerprint() = :'before' AS unchanged;
SELECT status FROM migmgr.apply('020', 'twenty', 'CREATE TABLE t20 (id int)', options => '{"allow_divergence": true, "skip_failed": true}');
-- each way of settling counts; what was applied since the listing is not in dispute
SELECT status FROM migmgr.accept_checksum('002', public.sum(22), 'only a comment');
SELECT detail FROM public.caught($$SELECT * FROM migmgr.apply('021', 'next', 'CREATE TABLE t21 (id int)')$$);
SELECT version, status FROM migmgr.mark_reverted('{008}', 'was a mistake');
SELECT state, detail FROM public.caught($$SELECT * FROM migmgr.apply('021', 'next', 'CREATE TABLE t21 (id int)', options => '{"skip_failed": true}')$$);
SELECT file, version, status FROM public.files((:listing)) WHERE version IN ('002', '008') OR file LIKE '% files';
SELECT status FROM migmgr.verify() WHERE check_name = 'chain';

-- with the texts: is it a comment, or the meaning?
SELECT status FROM migmgr.apply('030', 'thirty', E'-- one\nCREATE TABLE t30 (id int);', options => '{"allow_divergence": true, "skip_failed": true}');
SELECT status FROM migmgr.apply('031', 'thirty_one', 'CREATE TABLE t31 (id int);', options => '{"allow_divergence": true, "skip_failed": true}');
SELECT f.version, f.status, public.mask(f.detail) ~ 'only comments or white space differ' AS comments, public.mask(f.detail) ~ 'it means something else' AS meaning,
       f.hint ~ 'only comments' AS accept
  FROM migmgr.compare_files(jsonb_build_object('030_thirty.sql', E'-- two\n  CREATE TABLE t30 (id int);\n', '031_thirty_one.sql', 'CREATE TABLE t31 (id bigint);',
    '032_new.sql', 'SELECT 1', '033_bad.sql', E'-- migmgr:lock_timeout soon\nSELECT 1'), false) AS f WHERE f.version >= '030' OR f.status = 'bad name';
SELECT c.state, c.message, c.detail FROM unnest('{NULL,[],"{}",3,"{\"001_a.sql\": 1}"}'::text[]) WITH ORDINALITY AS t(texts, n),
  LATERAL public.caught(format('SELECT * FROM migmgr.compare_files(%L::jsonb)', t.texts)) AS c ORDER BY t.n;

-- HotDash: 67 versions are applied there that the repository lacks, 11 files were never applied, two of them without a time of day
DROP DATABASE IF EXISTS regress_migmgr_hotdash;
CREATE DATABASE regress_migmgr_hotdash TEMPLATE postgres;
\connect regress_migmgr_hotdash
SET client_min_messages = warning;
\set ECHO none
CREATE EXTENSION migmgr;
\i test/include/chain.sql
CREATE FUNCTION public.sum(n integer) RETURNS text LANGUAGE sql AS $$SELECT encode(sha256(convert_to(n::text, 'UTF8')), 'hex')$$;
\set ECHO all
SELECT count(public.entry(n, 'applied', to_char('2025-10-03 08:00'::timestamp + n * interval '4 hours', 'YYYYMMDDHH24MISS'), 'remote_' || n, public.sum(n), '{}'))
  FROM generate_series(1, 67) AS n;
SELECT migmgr.resume('a fixture') LIKE 'resumed%' AS resumed;
\set listing 'SELECT string_agg(public.sum(1000 + n) || ''  '' || f, chr(10)) FROM (SELECT n, format(''supabase/migrations/%s_local_%s.sql'', to_char(''2025-10-11 09:30''::timestamp + n * interval ''11 hours'', ''YYYYMMDDHH24MISS''), n) AS f FROM generate_series(1, 9) AS n UNION ALL VALUES (10, ''supabase/migrations/20251015_dashboard_rpc_functions.sql''), (11, ''supabase/migrations/20251015_dashboard_tile_queries.sql'')) AS v(n, f)'
SELECT file, version, status, detail FROM migmgr.compare_files((:listing));
SELECT hint FROM migmgr.compare_files((:listing)) WHERE status IN ('missing file', 'bad name') OR file = '11 files';
SELECT count(*) FROM migmgr.export();
-- way B: they no longer count
BEGIN;
SELECT version, status FROM migmgr.mark_reverted((SELECT array_agg(version) FROM migmgr.export()), 'the repository is right') LIMIT 2;
SELECT file, status, detail FROM migmgr.compare_files((:listing)) LIMIT 1;
ROLLBACK;
-- way C: a new start
SELECT baseline, status, detail ~ '67 versions' AS all_of_them FROM migmgr.baseline('20251014120001', 'fresh_baseline');
SELECT file, version, status, detail FROM migmgr.compare_files((:listing));
SELECT status, count(*) FROM migmgr.history GROUP BY status ORDER BY status;
SELECT topic, value FROM migmgr.status WHERE topic = 'pending';
\connect postgres
DROP DATABASE regress_migmgr_hotdash;
DROP DATABASE regress_migmgr_files;
