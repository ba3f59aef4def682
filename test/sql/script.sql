-- The text of a script: canonical form, checksum, shape, secrets, statements.
\set test script
\set ECHO none
\i test/include/database.sql
\set ECHO all
\pset format unaligned
\pset null (null)

-- canonical form: newlines and a byte order mark in front come off, one newline stands at the end
SELECT n, c = want AS ok, CASE WHEN c <> want THEN to_json(c) END AS got FROM (VALUES
  (1, 'select 1;', E'select 1;\n'),
  (2, E'select 1;\n', E'select 1;\n'),
  (3, E'select 1;\n\n\n', E'select 1;\n'),
  (4, E'\nselect 1;\n', E'select 1;\n'),
  (5, E'\n\nselect 1;\n', E'\nselect 1;\n'),
  (6, E'select\r\n1;\r\n', E'select\n1;\n'),
  (7, E'select\r\r\n1;', E'select\n1;\n'),
  (8, E'select\r1;', E'select\r1;\n'),
  (9, E'select 1;\r', E'select 1;\n'),
  (10, E'select\r1;\n\rselect 2', E'select\r1;\n\rselect 2\n'),
  (11, E'\uFEFFselect 1;', E'select 1;\n'),
  (12, E'\uFEFF\nselect 1;', E'select 1;\n'),
  (13, E'\n\uFEFFselect 1;', E'select 1;\n'),
  (14, E'\uFEFF\uFEFFselect 1;', E'\uFEFFselect 1;\n'),
  (15, E'\uFEFF\n\uFEFFselect 1;', E'\uFEFFselect 1;\n'),
  (16, E'\r\nselect 1;', E'select 1;\n'),
  (17, E'select 1;  \n', E'select 1;  \n'),
  (18, E'  \n', E'  \n'),
  (19, '', ''),
  (20, E'\n', ''),
  (21, E'\r\n\r\n', ''),
  (22, E'\uFEFF', ''),
  (23, E'select ''\r\n''', E'select ''\n''\n'),
  (24, E'select 1;\u200B', E'select 1;\u200B\n')
) AS t(n, input, want), migmgr_internal.canonical(input) AS c ORDER BY n;

-- the checksum is what shasum -a 256 prints for the file
SELECT migmgr.checksum(E'select 1;\n') = '4a45092ccf992ea92250053a80b931b787924ba61648f420555511b84f10ab6c' AS known,
       migmgr.checksum('') = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' AS empty,
       migmgr.checksum(E'sälect €\n') = encode(sha256(convert_to(E'sälect €\n', 'UTF8')), 'hex') AS utf8,
       migmgr.checksum('select 1;') = migmgr.checksum(E'\r\nselect 1;\r\n') AS canonical,
       migmgr.checksum('select 1 ;') = migmgr.checksum('select 1;') AS spaces_count,
       migmgr.checksum(U&'select ''\00E9''') = migmgr.checksum(U&'select ''e\0301''') AS nfc_is_nfd,
       migmgr.checksum(NULL) AS of_null;

SELECT c.state, left(c.message, 60) AS message, c.detail
  FROM (VALUES (1, repeat('a', 64)), (2, repeat('AF09', 16)), (3, ''), (4, 'abc'), (5, repeat('a', 63)), (6, repeat('a', 65)),
               (7, repeat('a', 63) || 'g'), (8, repeat('a', 64) || '  001_x.sql'), (9, repeat('ä', 64)), (10, repeat('x', 100000))) AS t(n, checksum),
       public.caught(format('SELECT migmgr_internal.check_checksum(%L)', checksum)) AS c ORDER BY n;
SELECT hint FROM public.caught($$SELECT migmgr_internal.check_checksum('abc')$$);
SELECT migmgr_internal.check_checksum(repeat('AF09', 16));

-- the shape ignores comments and white space, and nothing else
SELECT n, (migmgr_internal.shape(a) = migmgr_internal.shape(b)) = same AS ok FROM (VALUES
  (1, true, 'select 1', E'select\n\t 1 -- one\n'),
  (2, true, 'select 1;', 'select/* a /* nested */ comment */1 ;'),
  (3, true, 'select a+b', 'select a + b'),
  (4, true, 'select a=-1', 'select a = - 1'),
  (5, false, 'select a@-1', 'select a @ - 1'),
  (6, true, 'select x::int', 'select x :: int'),
  (7, false, 'select 1', 'select 2'),
  (8, false, 'select ''a b''', 'select ''a  b'''),
  (9, false, 'select ''a -- b''', 'select ''a'''),
  (10, false, 'do $$ begin end $$', 'do $$ begin  end $$'),
  (11, false, 'select "a b"', 'select "a  b"'),
  (12, true, E'select ''a''\n''b''', E'select ''a'' -- c\n  ''b'''),
  (13, false, 'select ab', 'select a b'),
  (14, false, 'select 1', ''),
  (15, true, '', E' -- nothing\n /* at all */ '),
  (16, false, 'select 1', 'SELECT 1'),
  (17, false, 'select 1.5', 'select 1 . 5'),
  (18, false, 'select E''\''--''', 'select E''\'''),
  (19, true, E'select 1\r\n;', E'select 1\n;'),
  (20, false, 'select $a$--$a$', 'select $a$$a$'),
  (21, true, 'select ''unterminated', E'\uFEFFselect ''unterminated'),
  (22, false, 'select /* unterminated', 'select $x$ unterminated'),
  (23, true, 'select /* unterminated', 'select /* /* deeper */'),
  (24, false, 'select a$b$c', 'select a $b$c')
) AS t(n, same, a, b) ORDER BY n;

-- passwords do not stay
SELECT n, CASE WHEN r = input THEN 'as it was' ELSE r END AS result
  FROM (VALUES
  (1, $s$CREATE ROLE a PASSWORD 'hush'$s$),
  (2, $s$alter user a with encrypted password 'hush' valid until 'tomorrow'$s$),
  (3, $s$ALTER ROLE a PASSWORD NULL$s$),
  (4, $s$ALTER ROLE a PASSWORD E'hu\'sh'$s$),
  (5, $s$ALTER ROLE a PASSWORD 'hu''sh'$s$),
  (6, $s$ALTER ROLE a PASSWORD $$hush$$$s$),
  (7, $s$ALTER ROLE a PASSWORD U&'hu\0073h'$s$),
  (8, $s$ALTER ROLE a PASSWORD /* this: */ 'hush'$s$),
  (9, $s$ALTER ROLE a PASSWORD 'hu'
'sh'; SELECT 'open'$s$),
  (10, $s$CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'u', password 'hush')$s$),
  (11, $s$CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'u', "password" 'hush')$s$),
  (12, $s$ALTER USER MAPPING FOR a SERVER s OPTIONS (SET password 'hush', ADD sslpassword 'hush')$s$),
  (13, $s$CREATE SUBSCRIPTION s CONNECTION 'host=h password=hush' PUBLICATION p$s$),
  (14, $s$CREATE SUBSCRIPTION s CONNECTION 'postgresql://u:hush@h/d' PUBLICATION p$s$),
  (15, $s$CREATE SUBSCRIPTION s CONNECTION 'host=h dbname=d' PUBLICATION p$s$),
  (16, $s$DO $x$ BEGIN IF true THEN CREATE ROLE a PASSWORD 'hush'; END IF; END $x$$s$),
  (17, $s$DO $x$ BEGIN EXECUTE 'ALTER ROLE a PASSWORD ''hush'''; END $x$$s$),
  (18, $s$DO $x$ BEGIN EXECUTE E'ALTER ROLE a PASSWORD \'hush\''; END $x$$s$),
  (19, $s$-- ALTER ROLE a PASSWORD 'hush'
SELECT 1$s$),
  (20, $s$/* PASSWORD 'hush' */ SELECT 1$s$),
  (21, $s$CREATE TABLE t (password text DEFAULT 'x')$s$),
  (22, $s$COMMENT ON COLUMN t.password IS 'x'$s$),
  (23, $s$SELECT 'no password ' || 'here'$s$),
  (24, $s$ALTER ROLE a PASSWORD 'hush$s$),
  (25, $s$ALTER ROLE a PASSWORD '$s$),
  (26, $s$ALTER ROLE a PASSWORD 'hu
sh'; SELECT 2$s$)
) AS t(n, input), migmgr_internal.redact(input) AS r ORDER BY n;

-- statements: number, line of the first token, own text
CREATE FUNCTION public.statements(sql text) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(concat(n, '/', line, ' ', replace(replace(sql, E'\n', '\n'), E'\r', '\r')), ' | ' ORDER BY n) FROM migmgr_internal.script_statements(sql)
$$;
SELECT n, public.statements(input) FROM (VALUES
  (1, 'select 1'),
  (2, E'select 1;\nselect 2;\n'),
  (3, E';;\n;select 1;;;'),
  (4, E'-- a\n\n/* b\n */ select 1 -- c\n ; -- d\n select 2 /* e */'),
  (5, E'select ''a;b'', "c;d" from (select 1 as "c;d") x; select 2'),
  (6, E'select $$a;b$$; select $x$ $$;$$ $x$; select $a$ $b$ ; $a$'),
  (7, E'select ''a\nb''\n;\nselect 2'),
  (8, E'select E''\\'';''; select 2'),
  (9, E'select U&''\\0061;'', U&"d\\0061t;" from (select 1 as "dat;") x; select 2'),
  (10, E'select ''a'' -- it''s\n ''b''; select 2'),
  (11, E'/* /* ; */ ; */ select 1; -- it''s\nselect 2'),
  (12, E'create function f() returns int language sql begin atomic select 1; select case when true then 2 end; end; select 3'),
  (13, E'create or replace procedure p() language sql begin atomic insert into t values (1); end;\nselect 3'),
  (14, E'create rule r as on insert to t do also (insert into u values (1); insert into v values (2));\nselect 2'),
  (15, E'create schema s create table t (i int) create view v as select 1;\nselect 2'),
  (16, E'create function f() returns text language plpgsql as $f$\nbegin\n  return ''$$;'';\nend $f$;\nselect 2'),
  (17, E'select 1;\r\nselect\r\n2;\r\nselect 3'),
  (18, E'select 1;\rselect 2; -- x\rselect 3'),
  (19, E'select 1;\n\n\n\tselect 2'),
  (20, E'begin;\nselect 1;\ncommit;\n'),
  (21, E'BEGIN TRANSACTION READ WRITE;\nselect 1;\nEND TRANSACTION;'),
  (22, E'start transaction isolation level read committed, not deferrable;\nselect 1;\ncommit and no chain'),
  (23, E'begin work; select 1; select 2; end'),
  (24, E'do $$ begin commit; end $$'),
  (25, E'select a[1:n] from (select ''{1}''::int[] as a, 1 as n) x'),
  (26, E'call p(); analyze; lock table t; notify x; checkpoint; set local lock_timeout = ''1s'''),
  (27, E'copy t from ''/tmp/x''; copy (select 1) to program ''cat'''),
  (28, E'deallocate x; close c; cluster t; reindex table t; refresh materialized view concurrently m'),
  (29, E'set standard_conforming_strings = on; set transaction read write; set transaction isolation level read committed; reset all'),
  (30, E'drop index i; create index on t (a); alter table t detach partition p; alter table t detach partition p finalize'),
  (31, E'create subscription s connection '''' publication p with (connect = false); alter subscription s set publication q with (refresh = false)'),
  (32, E'alter subscription s set (slot_name = none); drop subscription s'),
  (33, E'alter database d set work_mem = ''1MB''; alter type t add value ''x'''),
  (34, E'select 1 as "sél€ct;", ''\u200B;\uFEFF''; select 2'),
  (35, E'select \u00E4\u4E2D from (select 1 as \u00E4\u4E2D) x;select 2'),
  (36, E'create function f() returns int language sql return 1; create function g() returns int begin atomic select 1; end'),
  (37, E'select 1;\n--'),
  (38, E'select b''0101'', x''ff'', n''x;'', 1.5e-3, 0.5, $1; select 2'),
  (39, E'select 1 /* begin; */; /* commit; */ select 2')
) AS t(n, input) ORDER BY n;
SELECT migmgr_internal.script_statements(NULL);

-- without standard_conforming_strings a backslash escapes, here as in the server
SET standard_conforming_strings = off;
SET escape_string_warning = off;
SELECT public.statements($$select 'a\';b'; select 2$$);
SELECT migmgr_internal.redact($$alter role a password 'x\'y'; select 'z'$$);
RESET standard_conforming_strings;
RESET escape_string_warning;

-- large scripts
SELECT count(*), max(line) FROM migmgr_internal.script_statements(repeat(E'select 1;\n', 20000));
SELECT length(sql) FROM migmgr_internal.script_statements('select 1 /*' || repeat('x', 15 * 1024 * 1024) || '*/');
SELECT length(migmgr.checksum(repeat(E'x\r\n', 1000000))) AS checksum, length(migmgr_internal.shape(repeat('a ', 1000000))) AS shape,
       length(migmgr_internal.redact(repeat('''a''''b'' ', 100000))) AS redacted;

-- nobody but whom it is granted to
SELECT p.proname, p.provolatile, p.proparallel, p.proisstrict, has_function_privilege('public', p.oid, 'EXECUTE') AS public, obj_description(p.oid) IS NOT NULL AS described
  FROM pg_proc AS p
 WHERE p.prosrc IN ('migmgr_checksum', 'migmgr_canonical', 'migmgr_shape', 'migmgr_redact', 'migmgr_check_checksum', 'migmgr_check_version',
                    'migmgr_compare_versions', 'migmgr_version_key', 'migmgr_script_statements', 'migmgr_file_parts')
 ORDER BY p.proname;

-- the same checksum and shape whatever the server's encoding
SELECT migmgr.checksum(E'select ''größe'';') AS utf8_sum, migmgr_internal.shape(E'select ''größe'';') AS utf8_shape \gset
DROP DATABASE IF EXISTS regress_migmgr_script_latin1;
CREATE DATABASE regress_migmgr_script_latin1 ENCODING 'LATIN1' TEMPLATE template0 LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C';
\connect regress_migmgr_script_latin1
SET client_min_messages = warning;
SET client_encoding = 'UTF8';
CREATE EXTENSION migmgr;
SELECT migmgr.checksum(E'select ''größe'';') = :'utf8_sum' AS sum, migmgr_internal.shape(E'select ''größe'';') = :'utf8_shape' AS shape;
SELECT * FROM migmgr_internal.script_statements(E'select ''größe'';\nselect größe größe größe');
\connect postgres
DROP DATABASE regress_migmgr_script_latin1;
