-- The ledger: nobody writes it but migmgr, whatever the privilege or setting.
\set test ledger
\set ECHO none
\i test/include/database.sql
\set ECHO all

-- new, then in force with the first entry, which brings the epoch with it
SELECT migmgr_internal.ledger_state();
SELECT migmgr.head() IS NULL AS empty;
SELECT status FROM migmgr.apply('001', 'first', 'CREATE TABLE a (i int)');
SELECT migmgr_internal.ledger_state();
SELECT seq, event, version, prev_hash = '' AS first, session_role = session_user AS me,
       hash = migmgr_internal.ledger_hash(prev_hash, seq, at, event, version, name, checksum, session_role, role,
                                          client, application, detail) AS hash_ok
  FROM migmgr.ledger ORDER BY seq;
SELECT migmgr.head() = hash AS head FROM migmgr.ledger ORDER BY seq DESC LIMIT 1;
SELECT migmgr.resume('for fun');

-- the hash is what anybody can compute: sha256 over length-prefixed fields
SELECT migmgr_internal.field('abc') AS text, migmgr_internal.field('') AS empty, migmgr_internal.field(NULL) AS nothing,
       migmgr_internal.field('ä') AS characters;
SELECT migmgr_internal.ledger_hash('', 1, '2026-01-02 03:04:05.678901+00', 'epoch', NULL, NULL, NULL, 'me', 'me', NULL, 'psql', '{}')
     = encode(sha256(convert_to('migmgr/ledger/1  1 17673230456789015:epoch---2:me2:me-4:psql2:{}', 'UTF8')), 'hex') AS same;
SET TimeZone = 'Asia/Kolkata';
SET DateStyle = 'German';
SELECT bool_and(hash = migmgr_internal.ledger_hash(prev_hash, seq, at, event, version, name, checksum, session_role, role,
                                          client, application, detail)) AS hash_ok
  FROM migmgr.ledger;
RESET TimeZone;
RESET DateStyle;

-- a superuser, a member of pg_write_all_data, replica mode, every kind of statement
CREATE ROLE regress_migmgr_writer;
GRANT pg_write_all_data, pg_read_all_data TO regress_migmgr_writer;
CREATE VIEW public.window AS SELECT * FROM migmgr.ledger;
GRANT ALL ON public.window TO regress_migmgr_writer;
CREATE TEMP TABLE attack (n serial, sql text);
GRANT SELECT ON attack TO regress_migmgr_writer;
INSERT INTO attack (sql) VALUES
  ('INSERT INTO migmgr.ledger SELECT seq + 1, at, event, version, name, checksum, session_role, role, client, application, detail, hash, hash FROM migmgr.ledger ORDER BY seq DESC LIMIT 1'),
  ('UPDATE migmgr.ledger SET version = ''666'''),
  ('DELETE FROM migmgr.ledger WHERE seq = 2'),
  ('TRUNCATE migmgr.ledger'),
  ('TRUNCATE migmgr.ledger CASCADE'),
  ('INSERT INTO migmgr.ledger SELECT * FROM migmgr.ledger ON CONFLICT (seq) DO UPDATE SET version = ''666'''),
  ('MERGE INTO migmgr.ledger l USING (VALUES (2)) v (seq) ON l.seq = v.seq WHEN MATCHED THEN DELETE'),
  ('UPDATE public.window SET name = ''x'''),
  ('DELETE FROM migmgr_internal.script WHERE true'),
  ('UPDATE migmgr_internal.statement SET sql = '''''),
  ('DELETE FROM migmgr_internal.object WHERE true'),
  ('INSERT INTO migmgr_internal.attempt (at, action, session_role, role, sqlstate, message) VALUES (now(), ''apply'', ''x'', ''x'', ''00000'', ''x'')'),
  ('INSERT INTO migmgr_internal.ddl_log (at, session_role, role, command, class, rule, action) VALUES (now(), ''x'', ''x'', ''x'', ''x'', ''x'', ''x'')'),
  ('INSERT INTO migmgr_internal.watch DEFAULT VALUES'),
  ('SELECT migmgr_internal.ledger_append(''applied'', ''9'', ''{}'')'),
  ('SELECT migmgr_internal.ledger_append(''epoch'', NULL, ''{}'')');
SELECT public.fingerprint() AS before \gset
SELECT a.n, c.state, c.message FROM attack a, LATERAL public.caught(a.sql) c ORDER BY a.n;
SET session_replication_role = replica;
SELECT string_agg(DISTINCT c.state, ',') AS states FROM attack a, LATERAL public.caught(a.sql) c;
RESET session_replication_role;
GRANT USAGE ON SCHEMA migmgr_internal TO regress_migmgr_writer;
GRANT SELECT ON ALL TABLES IN SCHEMA migmgr_internal TO regress_migmgr_writer;
SET ROLE regress_migmgr_writer;
SELECT a.n, c.state FROM attack a, LATERAL public.caught(a.sql) c WHERE c.state <> 'MG301' ORDER BY a.n;
RESET ROLE;
SELECT public.fingerprint() = :'before' AS unchanged;

-- as COPY, which no function can do
\set VERBOSITY sqlstate
COPY migmgr.ledger FROM PROGRAM 'printf "3\t2026-01-01\tapplied\t9\tx\t\\\\N\tme\tme\t\\\\N\t\\\\N\t{}\tx\tx\n"';
\set VERBOSITY default

-- what a member of nothing may do: nothing
CREATE ROLE regress_migmgr_nobody;
SET ROLE regress_migmgr_nobody;
SELECT state FROM public.caught('SELECT * FROM migmgr.ledger') UNION ALL
SELECT state FROM public.caught('SELECT migmgr.head()') UNION ALL
SELECT state FROM public.caught('SELECT * FROM migmgr.apply(''9'', ''x'', ''SELECT 1'')') UNION ALL
SELECT state FROM public.caught('SELECT migmgr_internal.ledger_append(''x'', NULL, NULL)');
RESET ROLE;
SELECT status FROM migmgr.verify() WHERE check_name = 'chain';
\connect postgres
DROP DATABASE regress_migmgr_ledger;
DROP ROLE regress_migmgr_writer, regress_migmgr_nobody;
