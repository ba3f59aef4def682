-- import_history() and mirror_history(): what another tool's table says, marked as imported; and the table kept in step.
\set test import
\set ECHO none
\i test/include/database.sql
\set ECHO all
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';

-- every table that is known, by its columns
CREATE SCHEMA f;
CREATE TABLE f.flyway (installed_rank int PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL, type varchar(20) NOT NULL, script varchar(1000) NOT NULL,
  checksum int, installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT now(), execution_time int NOT NULL, success boolean NOT NULL);
INSERT INTO f.flyway VALUES (1, '1', '<< Flyway Baseline >>', 'BASELINE', 'x', NULL, 'ann', '2025-01-01', 0, true), (2, '1.1', 'add users', 'SQL', 'V1.1__add_users.sql', 1212053979, 'ann', '2025-01-02', 5, true),
  (3, '1.2', 'gone', 'SQL', 'V1.2__gone.sql', 1, 'ann', '2025-01-03', 5, true), (4, '1.2', 'gone', 'DELETE', 'V1.2__gone.sql', 1, 'ann', '2025-01-04', 5, true),
  (5, '1.3', 'broken', 'SQL', 'V1.3__broken.sql', 1, 'bob', '2025-01-05', 5, false), (6, NULL, 'a view', 'SQL', 'R__a_view.sql', 1, 'bob', '2025-01-05', 5, true);
CREATE TABLE f.liquibase (id varchar(255) NOT NULL, author varchar(255) NOT NULL, filename varchar(255) NOT NULL, dateexecuted timestamp NOT NULL, orderexecuted int NOT NULL, exectype varchar(10) NOT NULL,
  md5sum varchar(35), description varchar(255), comments varchar(255), tag varchar(255), liquibase varchar(20), contexts varchar(255), labels varchar(255), deployment_id varchar(10));
INSERT INTO f.liquibase VALUES ('1', 'ann', 'a.xml', '2025-01-01', 1, 'EXECUTED', '9:fa65', 'create users'), ('1', 'bob', 'b.xml', '2025-01-02', 2, 'MARK_RAN', NULL, 'create posts'), ('2', 'bob', 'b.xml', '2025-01-02', 3, 'SKIPPED', NULL, 'x');
CREATE TABLE f.sqitch (change_id text PRIMARY KEY, script_hash text, change text NOT NULL, project text NOT NULL, note text NOT NULL, committed_at timestamptz NOT NULL, committer_name text NOT NULL,
  committer_email text NOT NULL, planned_at timestamptz NOT NULL, planner_name text NOT NULL, planner_email text NOT NULL);
INSERT INTO f.sqitch VALUES ('a', 'aec9', 'users', 'p', '', '2025-02-01 10:00+00', 'Ann', '', '2025-01-01 10:00+00', 'Ann', ''), ('b', 'aeca', 'posts', 'p', '', '2025-02-01 10:01+00', 'Ann', '', '2025-01-01 10:00+00', 'Ann', '');
CREATE TABLE f.supabase (version text PRIMARY KEY CHECK (version <> '20260206000000'), statements text[], name text, created_by text, idempotency_key text UNIQUE, rollback text[]);
INSERT INTO f.supabase VALUES ('20251003120000', ARRAY['CREATE TABLE a (id int)', E'CREATE ROLE x PASSWORD ''secret'';'], 'one', 'ann@example.org', NULL, '{DROP TABLE a}'), ('20251003130000', NULL, 'two', NULL, NULL, NULL);
CREATE TABLE f.prisma (id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL, finished_at timestamptz, migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count int NOT NULL DEFAULT 0);
INSERT INTO f.prisma VALUES ('1', repeat('a', 64), '2025-01-01 00:00+00', '20250101000000_init', NULL, NULL, '2025-01-01 00:00+00', 1), ('2', repeat('b', 63), '2025-01-02 00:00+00', '20250102000000_more', NULL, NULL, '2025-01-02 00:00+00', 1),
  ('3', repeat('c', 64), NULL, '20250103000000_bad', 'x', NULL, '2025-01-03 00:00+00', 0), ('4', repeat('d', 64), NULL, '20250104000000_back', 'x', '2025-01-04 00:00+00', '2025-01-03 00:00+00', 0);
CREATE TABLE f.golang (version bigint PRIMARY KEY, dirty boolean NOT NULL);
INSERT INTO f.golang VALUES (42, false);
CREATE TABLE f.goose (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp NOT NULL DEFAULT now());
INSERT INTO f.goose (version_id, is_applied, tstamp) VALUES (0, true, '2025-01-01'), (1, true, '2025-01-01'), (2, true, '2025-01-01'), (2, false, '2025-01-02');
CREATE TABLE f.alembic (version_num varchar(32) PRIMARY KEY);
INSERT INTO f.alembic VALUES ('ae1027a6acf');
CREATE TABLE f.django (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied timestamptz NOT NULL);
INSERT INTO f.django (app, name, applied) VALUES ('auth', '0001_initial', '2025-01-01 00:00+00'), ('shop', '0001_initial', '2025-01-01 00:00+00');
CREATE TABLE f.graphile (hash text PRIMARY KEY, previous_hash text, filename text NOT NULL, date timestamptz NOT NULL DEFAULT now());
INSERT INTO f.graphile VALUES ('sha1:aec9', NULL, '000001-users.sql', '2025-01-01 00:00+00'), ('sha1:25d7', 'sha1:aec9', '000002.sql', '2025-01-02 00:00+00');
CREATE TABLE f.drizzle (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint);
INSERT INTO f.drizzle (hash, created_at) VALUES (repeat('e', 64), 1735689600000);
CREATE TABLE f.knex (id serial PRIMARY KEY, name varchar(255), batch int, migration_time timestamptz);
INSERT INTO f.knex (name, batch, migration_time) VALUES ('20250101000000_users.js', 1, '2025-01-01 00:00+00');
CREATE TABLE f.node_pg (id serial PRIMARY KEY, name varchar(255) NOT NULL, run_on timestamp NOT NULL);
INSERT INTO f.node_pg (name, run_on) VALUES ('1735689600000_add-users', '2025-01-01');
CREATE TABLE f.typeorm (id serial PRIMARY KEY, "timestamp" bigint NOT NULL, name varchar NOT NULL);
INSERT INTO f.typeorm ("timestamp", name) VALUES (1735689600001, 'AddUsers1735689600001');
CREATE TABLE f.laravel (id serial PRIMARY KEY, migration varchar(255) NOT NULL, batch int NOT NULL);
INSERT INTO f.laravel (migration, batch) VALUES ('2014_10_12_000000_create_users_table', 1);
CREATE TABLE f.sqlx (version bigint PRIMARY KEY, description text NOT NULL, installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL, execution_time bigint NOT NULL);
INSERT INTO f.sqlx VALUES (20250105000000, 'add users', '2025-01-05 00:00+00', true, '\x8c00', 5);
CREATE TABLE f.atlas (version varchar PRIMARY KEY, description varchar NOT NULL, type bigint NOT NULL DEFAULT 2, applied bigint, total bigint, executed_at timestamptz, execution_time bigint, error text, error_stmt text, hash varchar NOT NULL, partial_hashes jsonb, operator_version varchar NOT NULL);
INSERT INTO f.atlas VALUES ('.atlas_cloud_identifier', '', 2, 0, 0, now(), 0, NULL, NULL, '', NULL, ''), ('20250106000000', 'init', 2, 3, 3, '2025-01-06 00:00+00', 1, NULL, NULL, 'rIwG', NULL, ''), ('20250107000000', 'half', 2, 1, 3, '2025-01-07 00:00+00', 1, 'x', 'y', 'rIwH', NULL, '');
CREATE TABLE f.versioning (patch_name text PRIMARY KEY, applied_tsz timestamptz NOT NULL, applied_by text NOT NULL, requires text[], conflicts text[]);
INSERT INTO f.versioning VALUES ('users', '2025-01-01 00:00+00', 'ann');
CREATE TABLE f.ef ("MigrationId" varchar(150) PRIMARY KEY, "ProductVersion" varchar(32) NOT NULL);
INSERT INTO f.ef VALUES ('20250108000000_Init', '8.0');
CREATE TABLE f.mikro (id serial PRIMARY KEY, name varchar(255), executed_at timestamptz);
INSERT INTO f.mikro (name, executed_at) VALUES ('Migration20250109000000', '2025-01-09 00:00+00');
CREATE TABLE f.ecto (version bigint PRIMARY KEY, inserted_at timestamp);
INSERT INTO f.ecto VALUES (20250110000000, '2025-01-10');
CREATE TABLE f.sequelize (name varchar(255) PRIMARY KEY);
INSERT INTO f.sequelize VALUES ('20250111000000-users.js');
CREATE TABLE f.dbmate (version varchar PRIMARY KEY);
INSERT INTO f.dbmate VALUES ('20250112000000'), ('20250113000000');

-- what each says, and that nothing is passed off as proven
BEGIN;
SELECT t.relname, i.version, i.name, i.status, i.detail
  FROM (SELECT c.oid, c.relname FROM pg_class AS c WHERE c.relnamespace = 'f'::regnamespace AND c.relkind = 'r' AND c.relname NOT IN ('golang')) AS t,
       LATERAL migmgr.import_history(t.oid) WITH ORDINALITY AS i(version, name, status, environment, detail, n)
 WHERE i.version IS NOT NULL OR t.relname IN ('flyway', 'prisma') ORDER BY t.relname, i.n;
SELECT check_name, status FROM migmgr.verify() WHERE check_name IN ('chain', 'texts');
SELECT count(*) FILTER (WHERE status = 'applied') AS passed_off_as_applied, count(*) FROM migmgr.history;
SELECT version, name, status, CASE WHEN version <> '20251003120000' THEN applied_at END AS applied_at, applied_by, checksum IS NOT NULL AS sum, note FROM migmgr.history WHERE version IN ('1', '1.1', '20251003120000', '20250102000000');
SELECT file, checksum, sql, rollback_sql, detail FROM migmgr.export('{20251003120000,20251003130000}') \gx
-- again: nothing new
SELECT status FROM migmgr.import_history('f.supabase') WHERE version IS NULL;
-- what was imported is not run again, orders what comes after, and cannot be rolled back
SELECT version, status FROM migmgr.apply('20251003120000', 'one', 'CREATE TABLE a (id int)');
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('20251003110000', 'x', 'CREATE TABLE x (id int)')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.rollback('20251003120000', 'x')$$);
SELECT version, status FROM migmgr.compare_files(repeat('a', 64) || E'  20250101000000_init.sql\n' || repeat('f', 64) || '  20250102000000_more.sql', false) WHERE version IN ('20250101000000', '20250102000000');
-- the statements that were imported tell whether a file is the same
SELECT version, status, detail ~ 'the statements that were recorded' AS same FROM migmgr.compare_files(jsonb_build_object('20251003120000_one.sql', E'CREATE TABLE a (id int);\nCREATE ROLE x PASSWORD ''secret'';'), false) WHERE version = '20251003120000';
SELECT version, status FROM migmgr.compare_files(jsonb_build_object('20251003120000_one.sql', E'CREATE TABLE b (id int);'), false) WHERE version = '20251003120000';
ROLLBACK;

-- golang-migrate has one row: all up to it
BEGIN;
SELECT version, name, status FROM migmgr.import_history('f.golang');
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('41', 'x', 'CREATE TABLE x (id int)')$$);
UPDATE f.golang SET dirty = true;
SELECT * FROM public.caught($$SELECT * FROM migmgr.import_history('f.golang')$$);
ROLLBACK;

-- by its usual name
SELECT state, message FROM public.caught('SELECT * FROM migmgr.import_history()');
CREATE TABLE f.schema_migrations (version varchar PRIMARY KEY);
INSERT INTO f.schema_migrations TABLE f.dbmate;
SELECT version, status FROM migmgr.import_history();
CREATE TABLE f."SequelizeMeta" (name varchar(255) PRIMARY KEY);
SELECT state, message, detail FROM public.caught('SELECT * FROM migmgr.import_history()');

-- bad input changes nothing; the table is read with the caller's rights
CREATE TABLE f.none (a int);
CREATE TABLE f.bad (version text);
INSERT INTO f.bad VALUES ('20260101000000'), ('not a version');
CREATE TABLE f.nulls (version text);
INSERT INTO f.nulls VALUES ('20260101000000'), (NULL);
SELECT public.fingerprint() AS before \gset
SELECT c.state, c.message, c.detail FROM unnest('{f.none,f.bad,f.nulls,f.missing}'::text[]) WITH ORDINALITY AS t(source, n), LATERAL public.caught(format('SELECT * FROM migmgr.import_history(%L)', t.source)) AS c ORDER BY t.n;
CREATE ROLE regress_migmgr_import;
GRANT USAGE ON SCHEMA f TO regress_migmgr_import;
SELECT count(*) FROM migmgr.grant_access('regress_migmgr_import', 'operator');
SELECT public.fingerprint() AS before \gset
SET ROLE regress_migmgr_import;
SELECT * FROM migmgr.import_history('f.knex');
SELECT * FROM migmgr.mirror_history('f.schema_migrations');
RESET ROLE;
CREATE FUNCTION f.who() RETURNS text LANGUAGE sql AS $$SELECT current_user::text$$;
CREATE VIEW f.trap AS SELECT '0.' || f.who() AS version;
GRANT SELECT ON f.trap TO regress_migmgr_import;
GRANT EXECUTE ON FUNCTION f.who() TO regress_migmgr_import;
SELECT public.fingerprint() = :'before' AS unchanged;
SET ROLE regress_migmgr_import;
SELECT version, status FROM migmgr.import_history('f.trap');
RESET ROLE;

-- mirror_history(): in step now, and with each apply and rollback
SELECT version, status FROM migmgr.apply('20260201000000', 'before', 'CREATE TABLE t_before (id int)') ;
SELECT * FROM migmgr.mirror_history('f.schema_migrations');
SELECT version, status FROM migmgr.apply('20260202000000', 'after', 'CREATE TABLE t_after (id int)', 'DROP TABLE t_after');
TABLE f.schema_migrations ORDER BY version;
SELECT version, status FROM migmgr.apply('20260203000000', 'dry', 'CREATE TABLE t_dry (id int)', dry_run => true);
SELECT version, status FROM migmgr.rollback('20260202000000', 'back');
SELECT version, status FROM migmgr.mark_reverted('{20250112000000}', 'never') WHERE version IS NOT NULL;
SELECT mirror, added, removed FROM migmgr.mirror_history('f.schema_migrations');
TABLE f.schema_migrations ORDER BY version;
-- what is marked follows with the next run
SELECT version, status FROM migmgr.mark_applied('{20260203500000}', 'by hand') WHERE version IS NOT NULL;
SELECT count(*) AS already FROM f.schema_migrations WHERE version = '20260203500000';
SELECT version, status FROM migmgr.apply('20260203600000', 'next', 'CREATE TABLE t_next (id int)');
TABLE f.schema_migrations ORDER BY version;
-- Supabase's, with the text
DELETE FROM f.supabase;
SELECT mirror, tool, added, removed FROM migmgr.mirror_history('f.supabase');
SELECT version, status FROM migmgr.apply('20260204000000', 'both', E'CREATE TABLE t4 (id int);\nCREATE INDEX ON t4 (id);');
SELECT version, name, statements FROM f.supabase ORDER BY version;
-- every one that can be written
CREATE TEMP TABLE written (relname text, added int, applied int, rolled_back int);
DO $$
DECLARE
  r record;
  n int;
  m int;
BEGIN
  FOR r IN SELECT c.oid::regclass AS rel, c.relname FROM pg_class AS c WHERE c.relnamespace = 'f'::regnamespace AND c.relname IN ('flyway', 'prisma', 'goose', 'node_pg', 'sqlx', 'ecto') ORDER BY 2 LOOP
    EXECUTE format('DELETE FROM %s', r.rel);
    INSERT INTO written (relname, added) SELECT r.relname, m.added FROM migmgr.mirror_history(r.rel) AS m;
    PERFORM migmgr.apply('20260205000000', 'five', 'CREATE TABLE t5 (id int)', 'DROP TABLE t5');
    EXECUTE format('SELECT count(*) FROM %s', r.rel) INTO n;
    PERFORM migmgr.rollback('20260205000000', 'five');
    EXECUTE format('SELECT count(*) FROM %s', r.rel) INTO m;
    UPDATE written SET applied = n, rolled_back = m WHERE relname = r.relname;
  END LOOP;
END
$$;
SELECT * FROM written;
-- Flyway sums the lines: its own number for this text
SELECT migmgr_internal.flyway_checksum(E'-- add users\nCREATE TABLE users (id int);\n\nCREATE INDEX i ON users(id);\n') = 1212053979 AS as_flyway_has_it,
  migmgr_internal.flyway_checksum(E'\uFEFF-- add users\r\nCREATE TABLE users (id int);\r\n\r\nCREATE INDEX i ON users(id);') = 1212053979 AS whatever_the_lines_end_with,
  migmgr_internal.flyway_checksum('') AS empty;
SELECT version, type, checksum = migmgr_internal.flyway_checksum('CREATE TABLE t_before (id int)') AS sum FROM f.flyway WHERE version = '20260201000000';
SELECT * FROM public.caught($$SELECT * FROM migmgr.mirror_history('f.golang')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.mirror_history('f.none')$$);
-- a mirror that cannot be written undoes the run
SELECT count(*) FROM migmgr.mirror_history('f.supabase');
SELECT public.fingerprint() AS before \gset
SELECT state FROM public.caught($$SELECT * FROM migmgr.apply('20260206000000', 'six', 'CREATE TABLE t6 (id int)')$$);
SELECT public.fingerprint() = :'before' AS unchanged;
SELECT count(*) FROM migmgr.mirror_history(NULL);
SELECT version, status FROM migmgr.apply('20260206000000', 'six', 'CREATE TABLE t6 (id int)');
SELECT check_name, status FROM migmgr.verify() WHERE check_name IN ('chain', 'texts', 'objects');
\connect postgres
DROP DATABASE regress_migmgr_import;
DROP ROLE regress_migmgr_import;
