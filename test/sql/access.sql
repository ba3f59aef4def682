-- grant_access() and revoke_access(), and what each level sees.
\set test access
\set ECHO none
\i test/include/database.sql
CREATE ROLE regress_migmgr_viewer;
CREATE ROLE "regress migmgr ""Op""";
CREATE ROLE regress_migmgr_admin;
CREATE ROLE regress_migmgr_member IN ROLE regress_migmgr_viewer;
\set ECHO all

-- nonsense
SELECT n, c.state, c.message, c.hint FROM (VALUES (1, 'NULL, ''viewer'''), (2, '''nobody_of_that_name'', ''viewer'''), (3, '''public'', ''viewer'''),
    (4, '''regress_migmgr_viewer'', ''owner'''), (5, '''regress_migmgr_viewer'', NULL'), (6, '''pg_database_owner'', ''viewer'''),
    (7, '''Regress_Migmgr_Viewer'', ''viewer'''), (8, '''x; DROP TABLE y'', ''viewer''')) AS v(n, args),
  LATERAL public.caught(format('SELECT * FROM migmgr.grant_access(%s)', args)) AS c ORDER BY n;
SELECT state FROM public.caught('SELECT * FROM migmgr.revoke_access(''pg_database_owner'')');
-- nothing before
SELECT r.role, s.* FROM (VALUES ('regress_migmgr_viewer'), ('regress_migmgr_admin')) AS r(role),
  LATERAL (SELECT has_schema_privilege(role, 'migmgr', 'USAGE') AS usage, has_table_privilege(role, 'migmgr.history', 'SELECT') AS history,
                  has_function_privilege(role, 'migmgr.verify(text)', 'EXECUTE') AS verify) AS s;

SELECT granted_to, levels, regexp_replace(detail, '\d+', 'N') AS detail FROM migmgr.grant_access('regress_migmgr_viewer', 'viewer');
SELECT granted_to, levels FROM migmgr.grant_access('regress migmgr "Op"', 'operator');
SELECT granted_to, levels FROM migmgr.grant_access('regress_migmgr_admin', 'admin');
SELECT event, detail FROM migmgr.ledger WHERE event IN ('grant', 'revoke') ORDER BY seq;

-- a viewer sees, and changes nothing
SET ROLE regress_migmgr_viewer;
SELECT value FROM migmgr.status WHERE topic = 'you';
SELECT count(*) BETWEEN 8 AND 10 AS rows, bool_and(state IN ('ok', 'warning', 'failed')) AS states, (array_agg(topic))[1] AS first FROM migmgr.status;
SELECT (SELECT count(*) FROM migmgr.history) AS history, (SELECT count(*) > 0 FROM migmgr.ledger) AS ledger,
       (SELECT count(*) > 5 FROM migmgr.verify()) AS verify, length(migmgr.head()) AS head, migmgr.version() ~ '^\d' AS version,
       migmgr.health() ->> 'status' IN ('ok', 'warning', 'failed') AS health;
SELECT a.n, c.state FROM (VALUES (1, 'SELECT * FROM migmgr.seal()'), (2, 'SELECT * FROM migmgr.compare_files(''x'')'),
    (3, 'SELECT * FROM migmgr.grant_access(''regress_migmgr_viewer'', ''admin'')'), (4, 'DELETE FROM migmgr.ledger'),
    (5, 'SELECT * FROM migmgr_internal.script'), (6, 'SELECT migmgr_internal.seal_batch()'), (7, 'SELECT migmgr.resume(''x'')'),
    (8, 'SELECT * FROM migmgr_internal.status_rows(''postgres'')')) AS a(n, sql), LATERAL public.caught(a.sql) AS c ORDER BY 1;
RESET ROLE;
SET ROLE regress_migmgr_member;
SELECT value FROM migmgr.status WHERE topic = 'you';
RESET ROLE;

-- an operator works
SET ROLE "regress migmgr ""Op""";
SELECT value FROM migmgr.status WHERE topic = 'you';
SELECT count(*) FROM migmgr.seal();
SELECT state FROM public.caught('SELECT * FROM migmgr.revoke_access(''regress_migmgr_viewer'')');
RESET ROLE;

-- an admin grants all levels, and gets no further himself
SET ROLE regress_migmgr_admin;
SELECT value FROM migmgr.status WHERE topic = 'you';
SELECT granted_to, levels FROM migmgr.grant_access('regress_migmgr_viewer', 'operator');
SELECT c.state FROM (VALUES ('DELETE FROM migmgr.ledger'), ('DROP TABLE migmgr.ledger'),
  ('SELECT migmgr_internal.ledger_append(''x'', NULL, NULL)'), ('CREATE TABLE migmgr.mine ()')) AS a(sql), LATERAL public.caught(a.sql) AS c;
SELECT revoked_from, levels FROM migmgr.revoke_access('regress_migmgr_viewer');
RESET ROLE;
SELECT count(*) AS left_over FROM pg_class AS c, aclexplode(c.relacl) AS a WHERE a.grantee = 'regress_migmgr_viewer'::regrole;
SELECT session_role = session_user AS session_role, role, detail FROM migmgr.ledger WHERE event IN ('grant', 'revoke') ORDER BY seq DESC LIMIT 2;
SELECT status, detail FROM migmgr.verify() WHERE check_name = 'access';

-- what a role has through another it keeps, and is told so
GRANT regress_migmgr_admin TO regress_migmgr_member;
SELECT revoked_from, detail FROM migmgr.revoke_access('regress_migmgr_member');

-- default privileges of the installer do not open anything
SELECT revoked_from FROM migmgr.revoke_access('regress_migmgr_admin');
SELECT revoked_from FROM migmgr.revoke_access('regress migmgr "Op"');
DROP ROLE regress_migmgr_admin, "regress migmgr ""Op""", regress_migmgr_member;
CREATE DATABASE regress_migmgr_access2;
\connect regress_migmgr_access2
SET client_min_messages = warning;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO regress_migmgr_viewer;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO regress_migmgr_viewer;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO regress_migmgr_viewer;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO regress_migmgr_viewer;
CREATE EXTENSION migmgr;
SELECT status, detail FROM migmgr.verify() WHERE check_name = 'access';
SELECT count(*) AS granted FROM pg_proc AS p, aclexplode(p.proacl) AS a WHERE a.grantee = 'regress_migmgr_viewer'::regrole;
SELECT count(*) AS granted FROM pg_class AS p, aclexplode(p.relacl) AS a WHERE a.grantee = 'regress_migmgr_viewer'::regrole;
SELECT count(*) AS granted FROM pg_namespace AS p, aclexplode(p.nspacl) AS a WHERE a.grantee = 'regress_migmgr_viewer'::regrole;
\connect postgres
DROP DATABASE regress_migmgr_access;
DROP DATABASE regress_migmgr_access2;
DROP ROLE regress_migmgr_viewer;
