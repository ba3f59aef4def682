-- What a script may not be, each with its own SQLSTATE, message, statement and line.
\set test script_errors
\set ECHO none
\i test/include/database.sql
\set ECHO all
\pset format unaligned
\pset tuples_only on
\pset recordsep '\n'

CREATE FUNCTION public.refused(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE d text; h text;
BEGIN
  PERFORM migmgr_internal.script_statements(sql);
  RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
  RETURN concat(SQLSTATE, CASE WHEN d = '' OR h = '' THEN ' (no detail or hint)' END, ' ', SQLERRM, E'\n    ', replace(d, E'\n', E'\n    '));
END
$$;

-- nothing to run
SELECT public.refused('');
SELECT public.refused(E' \n\t\r\n');
SELECT public.refused(';;;');
SELECT public.refused('-- only a comment');
SELECT public.refused('/* only */ ; -- comments');
SELECT public.refused('begin; commit');
SELECT hint FROM public.caught('SELECT migmgr_internal.script_statements('''')');

-- what only psql understands
SELECT public.refused(E'select 1;\n\\i other.sql\n');
SELECT public.refused(E'\\restrict abc\nselect 1;\n\\unrestrict abc\n');
SELECT public.refused(E'\\set ON_ERROR_STOP on\nselect 1;');
SELECT public.refused(E'select 1 \\gexec\n');
SELECT public.refused(E'select 1;\n  \\connect other');
SELECT public.refused(E'\\.');
SELECT public.refused(E'\\');
SELECT public.refused(E'\\echo it''s open');
SELECT public.refused(E'select :name');
SELECT public.refused(E'select 1;\nselect :''name'';');
SELECT public.refused(E'alter role :"name" login');
SELECT public.refused(E'select :{?name}');
SELECT public.refused(E':command');
SELECT public.refused(E'select :''open');
SELECT public.refused(E'select 1 where a = :größe');
SELECT public.refused(E'select :1');
SELECT hint FROM public.caught($$SELECT migmgr_internal.script_statements('\i x')$$)
 UNION ALL SELECT hint FROM public.caught($$SELECT migmgr_internal.script_statements('\restrict x')$$)
 UNION ALL SELECT hint FROM public.caught($$SELECT migmgr_internal.script_statements('\gexec')$$)
 UNION ALL SELECT hint FROM public.caught($$SELECT migmgr_internal.script_statements('select :x')$$);

-- data in the script
SELECT public.refused(E'select 1;\ncopy t from stdin;\n');
SELECT public.refused(E'copy t (a, b) from stdin;\n1\tone\n2\ttwo; or it''s more\n\\.\nselect 1;');
SELECT public.refused(E'begin;\ncopy t from stdin with (format csv);\na,b\n\\.\ncommit;');
SELECT public.refused(E'copy t to stdout');
SELECT public.refused(E'copy (select 1) to stdout');
SELECT public.refused(E'copy t from stdin;\n\\.\n');

-- transactions
SELECT public.refused(E'begin;\nselect 1;');
SELECT public.refused(E'select 1;\ncommit;');
SELECT public.refused(E'select 1;\nbegin;\nselect 2;\ncommit;');
SELECT public.refused(E'begin;\nselect 1;\ncommit;\nanalyze;');
SELECT public.refused(E'begin;\nselect 1;\ncommit;\nbegin;\nselect 2;\ncommit;');
SELECT public.refused(E'begin;\nselect 1;\nrollback;');
SELECT public.refused(E'begin;\nselect 1;\nsavepoint s;\nrelease s;\ncommit;');
SELECT public.refused('rollback to s');
SELECT public.refused('abort');
SELECT public.refused('release s');
SELECT public.refused('prepare transaction ''x''');
SELECT public.refused('commit prepared ''x''');
SELECT public.refused('rollback prepared ''x''');
SELECT public.refused('begin; select 1; commit and chain');
SELECT public.refused('begin isolation level serializable; select 1; commit');
SELECT public.refused('begin read only; select 1; commit');
SELECT public.refused('start transaction isolation level repeatable read; select 1; end');

-- what refuses a transaction block
SELECT public.refused(E'select 1;\nvacuum t');
SELECT public.refused('vacuum (full, analyze)');
SELECT public.refused('create database d');
SELECT public.refused('drop database d');
SELECT public.refused('alter database d set tablespace t');
SELECT public.refused('create tablespace t location ''/x''');
SELECT public.refused('drop tablespace t');
SELECT public.refused('alter system set work_mem = ''1MB''');
SELECT public.refused(E'create table t (i int);\n\n-- fast\ncreate index concurrently i on t (i)');
SELECT public.refused('create unique index concurrently if not exists i on t (i)');
SELECT public.refused('drop index concurrently i');
SELECT public.refused('reindex table concurrently t');
SELECT public.refused('reindex (concurrently) index i');
SELECT public.refused('reindex (concurrently false) index i');
SELECT public.refused('reindex schema s');
SELECT public.refused('reindex database d');
SELECT public.refused('reindex system d');
SELECT public.refused('cluster');
SELECT public.refused('alter table t detach partition p concurrently');
SELECT public.refused('create subscription s connection '''' publication p');
SELECT public.refused('create subscription s connection '''' publication p with (create_slot = false)');
SELECT public.refused('create subscription s connection '''' publication p with (create_slot)');
SELECT public.refused('alter subscription s refresh publication');
SELECT public.refused('alter subscription s add publication p');
SELECT public.refused('alter subscription s set publication p with (copy_data = false)');
SELECT public.refused('drop subscription s');
SELECT public.refused('alter subscription other set (slot_name = none); drop subscription s');
SELECT hint FROM public.caught($$SELECT migmgr_internal.script_statements('create index concurrently i on t (a)')$$);

-- what could not be undone
SELECT public.refused('discard all');
SELECT public.refused('discard temp');
SELECT public.refused('deallocate all');
SELECT public.refused('deallocate prepare all');
SELECT public.refused('close all');
SELECT public.refused('load ''x''');
SELECT public.refused('listen x');
SELECT public.refused('unlisten *');

-- settings that come too late
SELECT public.refused('set transaction isolation level serializable');
SELECT public.refused('set local transaction_isolation = ''repeatable read''');
SELECT public.refused('set transaction read only, isolation level serializable');
SELECT public.refused('set transaction snapshot ''x''');
SELECT public.refused('set standard_conforming_strings = off');
SELECT public.refused('set standard_conforming_strings = 1');
SELECT public.refused('set standard_conforming_strings to ''FALSE''');
SELECT public.refused('set local backslash_quote = on');
SELECT public.refused('set backslash_quote = SAFE_encoding');
SELECT public.refused('set escape_string_warning = false');
SELECT public.refused('set standard_conforming_strings to default');
SET standard_conforming_strings = off;
SELECT public.refused('reset standard_conforming_strings');
SELECT public.refused('reset all');
RESET standard_conforming_strings;

-- syntax errors: the server's own message, at the right statement and line
SELECT public.refused('selec 1');
SELECT public.refused(E'select 1;\nselect 2;\n\n  select * froom t;\nselect 3');
SELECT public.refused(E'begin;\nselect 1;\nselect 2 2;\ncommit;');
SELECT public.refused(E'select ''a;b'';\ncreate function f() returns int begin atomic select 1; select 2; end;\nselect (1;\nselect 2;');
SELECT public.refused(E'create rule r as on insert to t do also (insert into u values (1); insert into v values (2));\nselect $$;$$; oops');
SELECT public.refused(E'select 1;\nselect ''unterminated;\nselect 2;');
SELECT public.refused(E'select 1;\nselect "unterminated');
SELECT public.refused(E'select 1;\n/* unterminated /* */');
SELECT public.refused(E'select 1; select $tag$ unterminated $tag');
SELECT public.refused(E'select E''\\'';');
SELECT public.refused('select ""');
SELECT public.refused('select U&''\zzzz''');
SELECT public.refused('select E''\uD800''');
SELECT public.refused('select b''2''; select (');
SELECT public.refused('create table t (i int');
SELECT public.refused('select 1 union');
SELECT public.refused(E'select\t1,\n\t\t2 2 2');
SELECT public.refused('select ' || repeat('a, ', 100) || 'from where ' || repeat('x ', 100));
SELECT public.refused(E'select ''ä€'', größe größer größte');
SELECT public.refused(E'select\u00A0a, b;');
SELECT public.refused(E'\u200Bselect 1;');
SELECT public.refused(E'select 1;\uFEFFselect 2;');
SELECT public.refused(E'select \u2018x\u2019 \u2018y\u2019');
SELECT public.refused(E'select 1;\x1A');
SELECT public.refused('create schema ${schema}');
SELECT public.refused('create schema {{schema}}');
SELECT hint FROM public.caught($$SELECT migmgr_internal.script_statements('create schema ${x}')$$)
 UNION ALL SELECT hint FROM public.caught(format('SELECT migmgr_internal.script_statements(%L)', E'select\u00A01'))
 UNION ALL SELECT hint FROM public.caught($$SELECT migmgr_internal.script_statements('selec 1')$$);
SELECT length(public.refused('select ''' || repeat('x', 100000))) < 1000 AS clipped;
SELECT public.refused('select ' || repeat('(', 20000));
SELECT public.refused('alter role a password ''hush'' nonsense');
SELECT public.refused(E'alter role a password\n''hush'' nonsense');
SELECT public.refused(E'select 1;\nalter role a password ''hush');
SELECT public.refused(E'alter role a\npassword ''hush'' ''hush''');
SELECT public.refused('create subscription s connection ''password=hush'' publication p');

-- the position belongs to the script, not to the statement that calls us
DO $$ BEGIN PERFORM migmgr_internal.script_statements(E'select 1;\nselec 2'); END $$;

-- size
SET migmgr.max_script_size = '1kB';
SELECT public.refused(repeat(' ', 1025));
SELECT public.refused('select ''' || repeat('x', 1024) || '''');
SELECT public.refused('select ''' || repeat('x', 1015) || '''');
RESET migmgr.max_script_size;
SELECT public.refused(repeat('select 1;', 250001));

-- a long parse can be stopped
SET statement_timeout = 20;
SELECT migmgr_internal.shape(repeat('a ', 7000000));
RESET statement_timeout;
SELECT migmgr_internal.script_statements('select 1');
