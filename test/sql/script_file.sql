-- Migration files: version and name from the file's name, sections from its text.
\set test script_file
\set ECHO none
\i test/include/database.sql
\set ECHO all
\pset format unaligned
\pset null (null)

SELECT n, file, version, name FROM (VALUES
  (1, '001_create_job_dlq.sql'), (2, 'migrations/001_create_job_dlq.sql'), (3, '/srv/a b/001_x.sql'), (4, 'C:\mig\001_x.sql'),
  (5, '001__x.sql'), (6, 'V1__x.sql'), (7, 'V1_2__x_y.sql'), (8, 'v1.2.3__x.sql'), (9, 'V7_x.sql'), (10, '20240131120000_add_heartbeat.sql'),
  (11, '000001_x.up.sql'), (12, '1.10_x.sql'), (13, '001-x-y.sql'), (14, '001 x y.sql'), (15, '001_X.SQL'), (16, '001_größe%''"s.sql'),
  (17, '2024-01-31_x.sql'), (18, '001_a.b.sql'), (19, '001_x.Up.sql')
) AS t(n, file), migmgr_internal.file_parts(file, 'select 1') AS p ORDER BY n;

SELECT t.n, c.state, c.message, c.detail FROM (VALUES
  (1, NULL), (2, ''), (3, '.sql'), (4, 'x.sql'), (5, 'create_job_dlq.sql'), (6, '001.sql'), (7, '001_.sql'), (8, '001_x.txt'), (9, '001_x'),
  (10, '001_x.sql.bak'), (11, '001_x.down.sql'), (12, 'U1__x.sql'), (13, 'R__x.sql'), (14, '._001_x.sql'), (15, 'migrations/'), (16, E'001_x\n.sql'),
  (17, E'create table t ();\n-- and more'), (18, '１_x.sql'), (19, E'1\u200B_x.sql'), (20, repeat('1', 129) || '_x.sql'), (21, '001create.sql'), (22, 'V_x.sql'), (23, 'V1__.sql')
) AS t(n, file), public.caught(format('SELECT migmgr_internal.file_parts(%L, ''select 1'')', file)) AS c ORDER BY n;
SELECT hint FROM public.caught($$SELECT migmgr_internal.file_parts('x.sql', '')$$)
 UNION ALL SELECT hint FROM public.caught($$SELECT migmgr_internal.file_parts('1_x.down.sql', '')$$);

-- every section has the line numbers of the file
CREATE FUNCTION public.parts(sql text) RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' | ', 'up ' || to_json(up), 'down ' || to_json(down), 'verify ' || to_json(verify), 'flags ' || nullif(flags, '{}')::text,
                   'requires ' || nullif(requires, '{}')::text, 'replaces ' || nullif(replaces, '{}')::text, 'lock_timeout ' || lock_timeout, CASE WHEN online THEN 'online' END)
    FROM migmgr_internal.file_parts('1_x.sql', sql)
$$;
SELECT n, public.parts(input) FROM (VALUES
  (1, 'select 1;'),
  (2, E'select 1;\n-- migmgr:down\nselect 2;\n'),
  (3, E'select 1;\n\n-- migmgr:down\nselect 2;\n-- migmgr:verify\nselect 3;\n'),
  (4, E'-- migmgr:down\nselect 2;\n-- migmgr:up\nselect 1;\n'),
  (5, E'-- a file\n-- migmgr:up\nselect 1;\n-- migmgr:down\nselect 2;\n'),
  (6, E'-- migmgr:flag use_dlq\n-- migmgr:flag other\n-- migmgr:requires 000\n-- migmgr:replaces 0a, 0b 0c\n-- migmgr:lock_timeout 2s\n-- migmgr:online\nselect 1;\n'),
  (7, E'--migmgr:down\nselect 2;\n'),
  (8, E'select 1;\n  --  MigMgr: DOWN  \nselect 2;\n'),
  (9, E'select 1;\r\n-- migmgr:down\r\nselect 2;\r\n'),
  (10, E'select 1;\n-- migmgr:down\n-- nothing to undo\n'),
  (11, E'-- migrate:up\nselect 1;\n\n-- migrate:down\nselect 2;\n'),
  (12, E'-- migrate:up transaction:false\nselect 1;\n\n-- migrate:down\n\n'),
  (13, E'-- +goose Up\n-- +goose StatementBegin\nselect 1;\n-- +goose StatementEnd\n-- +goose Down\nselect 2;\n'),
  (14, E'-- +goose NO TRANSACTION\n-- +goose Up\nselect 1;\n'),
  (15, E'-- +migrate Up\nselect 1;\n-- +migrate Down\nselect 2;\n'),
  (16, E'select ''\n-- migmgr:down\n'';\n'),
  (17, E'do $$\n-- migmgr:down\n$$;\n'),
  (18, E'/*\n-- migmgr:down\n*/ select 1;\n'),
  (19, E'select "\n-- migmgr:nonsense\n" from t;\n'),
  (20, E'-- migrate: users to the new table\n-- migrate:up to the top\n-- about migmgr:down\nselect 1;\n'),
  (21, E'create table t (i int)\n-- migmgr:down\ndrop table t\n'),
  (22, E'-- migmgr:down\nselect 2;\n'),
  (23, ''),
  (24, E'\uFEFF-- migmgr:up\nselect 1;'),
  (25, E'select ''open\n-- migmgr:down\nselect 2;'),
  (26, E'select 1;\n-- migmgr:lock_timeout 500 ms\n'),
  (27, E'select 1;\r-- migmgr:down\rselect 2;\r'),
  (28, E'-- +migrate Up notransaction\nselect 1;\n-- +migrate Down notransaction\nselect 2;\n')
) AS t(n, input) ORDER BY n;

-- markers that are wrong never pass in silence
SELECT t.n, c.state, c.message, c.detail FROM (VALUES
  (1, E'select 1;\n-- migmgr:donw\nselect 2;'),
  (2, E'-- migmgr:'),
  (3, E'select 1; -- migmgr:down\nselect 2;'),
  (4, E'/* x */ -- migmgr:down\nselect 2;'),
  (5, E'create table t (\n  i int,\n-- migmgr:down\n  j int);'),
  (6, E'create function f() returns int begin atomic\n-- migmgr:down\n select 1; end;'),
  (7, E'select 1;\n-- migmgr:up\nselect 2;'),
  (8, E'select 1;\n-- migmgr:down\nselect 2;\n-- migmgr:down\nselect 3;'),
  (9, E'select 1;\n-- migmgr:down\nselect 2;\n-- migmgr:up\nselect 3;'),
  (10, E'-- migmgr:up\nselect 1;\n-- migmgr:up\nselect 3;'),
  (11, E'-- migmgr:flag'),
  (12, E'-- migmgr:flag a b'),
  (13, E'-- migmgr:down now\nselect 2;'),
  (14, E'-- migmgr:requires'),
  (15, E'-- migmgr:requires 001_x.sql'),
  (16, E'-- migmgr:lock_timeout soon'),
  (17, E'-- migmgr:lock_timeout 0'),
  (18, E'-- migmgr:lock_timeout -1s'),
  (19, E'-- migmgr:lock_timeout 1s\n-- migmgr:lock_timeout 2s'),
  (20, E'-- migmgr:online please'),
  (21, E'-- +goose ENVSUB ON\nselect 1;'),
  (22, E'-- +migrate'),
  (23, E'-- migmgr:down\nselect 1;\n-- migrate:down\nselect 2;')
) AS t(n, input), public.caught(format('SELECT migmgr_internal.file_parts(''1_x.sql'', %L)', input)) AS c ORDER BY n;
SELECT hint FROM public.caught($$SELECT migmgr_internal.file_parts('1_x.sql', '-- migmgr:donw')$$)
 UNION ALL SELECT hint FROM public.caught($$SELECT migmgr_internal.file_parts('1_x.sql', '-- migmgr:lock_timeout soon')$$);

-- the lines that an error in a section names are those of the file
SELECT c.state, c.detail FROM migmgr_internal.file_parts('1_x.sql', E'select 1;\n\n-- migmgr:down\n\nselect 2 2;\n') AS p,
       public.caught(format('SELECT migmgr_internal.script_statements(%L)', p.down)) AS c;
