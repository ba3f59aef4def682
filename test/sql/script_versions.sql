-- Versions: what may be one, and their order.
\set test script_versions
\set ECHO none
\i test/include/database.sql
\set ECHO all
\pset format unaligned

SELECT t.n, c.state, c.message, c.detail FROM (VALUES
  (1, '1'), (2, '001'), (3, '1.10'), (4, '20240131120000'), (5, 'V1'), (6, '2024-01-31'), (7, '-1'), (8, 'größe'),
  (9, repeat('9', 128)), (10, 'it''s"%..'), (11, '9223372036854775808'),
  (21, NULL), (22, ''), (23, ' '), (24, '001 '), (25, E'0\t1'), (26, E'001\n'), (27, E'0\x01'), (28, E'0\x7F1'),
  (29, E'00\u00A01'), (30, E'00\u200B1'), (31, E'\u202E100'), (32, E'\uFEFF001'), (33, E'00\u30001'),
  (34, '001_create.sql'), (35, 'migrations/001_x.SQL'), (36, repeat('1', 129)), (37, repeat('ä', 129)), (38, repeat('1', 10000))
) AS t(n, version), public.caught(format('SELECT migmgr_internal.check_version(%L)', version)) AS c ORDER BY n;
SELECT count(*) AS with_hint FROM (VALUES (''), ('0 1'), ('1.sql'), (repeat('1', 129))) AS t(version),
       public.caught(format('SELECT migmgr_internal.check_version(%L)', version)) AS c WHERE c.hint > '' AND c.state = 'MG001';

-- in this order, whatever the pair; the key says the same, in every collation
CREATE TABLE public.v (n serial, version text);
INSERT INTO public.v (version) VALUES
  (''), ('-1'), ('.'), ('000'), ('00'), ('0'), ('0.1'), ('01'), ('1'), ('1.0'), ('1.00'), ('1.1'), ('1.1.1'), ('1.02'), ('1.2'), ('1.9'), ('1.10'), ('1a'), ('1b'),
  ('002'), ('2'), ('2-rc1'), ('2-rc2'), ('2-rc10'), ('10'), ('0099'), ('100'), ('1000000'), ('2024010'),
  ('99999999'), ('20240101'), ('20240101000000'), ('202401010001'), ('2024010112'), ('202401011230'), ('20240101123001'), ('20240102'), ('20250101'),
  ('99991231235959'), ('123456789012345'), ('9223372036854775807'), ('9223372036854775808'),
  (repeat('9', 99)), (repeat('9', 100)), ('1' || repeat('0', 100)), ('V1'), ('V1.1'), ('V2'), ('V10'), ('a'), ('b'), ('v1'), ('ä'), ('２');
DELETE FROM public.v WHERE version = '99999999';
INSERT INTO public.v (n, version) VALUES (1000, '99999999');
SELECT string_agg(left(version, 20), ' < ' ORDER BY migmgr_internal.version_key(version) COLLATE "C") AS by_key FROM public.v;
SELECT a.version AS a, b.version AS b, migmgr_internal.compare_versions(a.version, b.version) AS compared
  FROM public.v AS a, public.v AS b WHERE a.n < b.n AND b.n < 1000 AND migmgr_internal.compare_versions(a.version, b.version) <> -1;
SELECT count(*) AS pairs, bool_and(c = -d) AS antisymmetric, bool_and((c = 0) = (a.version = b.version)) AS total,
       bool_and(c = CASE WHEN ka < kb THEN -1 WHEN ka > kb THEN 1 ELSE 0 END) AS key_agrees,
       bool_and((ka < kb) = (ka COLLATE "C" < kb COLLATE "C")) AS any_collation
  FROM public.v AS a, public.v AS b, migmgr_internal.compare_versions(a.version, b.version) AS c, migmgr_internal.compare_versions(b.version, a.version) AS d,
       migmgr_internal.version_key(a.version) AS ka, migmgr_internal.version_key(b.version) AS kb;
SELECT count(*) AS not_transitive FROM public.v AS a, public.v AS b, public.v AS c
 WHERE migmgr_internal.compare_versions(a.version, b.version) < 0 AND migmgr_internal.compare_versions(b.version, c.version) < 0
   AND migmgr_internal.compare_versions(a.version, c.version) >= 0;
SELECT bool_and(migmgr_internal.version_key(version) ~ '^[0-9]+$') AS digits_only FROM public.v;
