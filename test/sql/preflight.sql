-- preflight(): what apply would be refused for, and advice, before anybody runs it.
\set test preflight
\set ECHO none
\i test/include/database.sql
\set ECHO all
CREATE ROLE regress_migmgr_operator;
SELECT levels FROM migmgr.grant_access('regress_migmgr_operator', 'operator');
CREATE TABLE t (i int);
GRANT ALL ON t TO regress_migmgr_operator;
CREATE FUNCTION public.rows(v text DEFAULT NULL) RETURNS TABLE (name text, status text, detail text) LANGUAGE sql AS $$
  SELECT p.name, p.status, regexp_replace(p.detail, '(cluster \d+|text [0-9a-f]{16}\.\.\.|dev-lead by \w+)', 'N') FROM migmgr.preflight(v) AS p
   WHERE p.name NOT IN ('preflight', 'guard', 'archive', 'connections', 'replication', 'long transactions', 'idle in transaction', 'wraparound', 'disk')
$$;

-- nothing configured, nothing known
SELECT name, status FROM migmgr.preflight() LIMIT 1;
SELECT * FROM public.rows();
SELECT name FROM migmgr.preflight() WHERE name IN ('preflight', 'guard', 'archive', 'connections', 'replication', 'long transactions', 'idle in transaction', 'wraparound', 'disk') ORDER BY 1;
SELECT * FROM public.rows('001');
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.preflight('')$$);

-- a submitted one, with everything asked for; the failed rows are those apply refuses for
SELECT version, status FROM migmgr.submit('001_t.sql', E'-- migmgr:flag DLQ_ENABLED\nALTER TABLE t ADD j int;');
SELECT migmgr.require_approval('production', 'dev-lead') IS NOT NULL, migmgr.set_policy('production', 'window', '2100-01-02 02:00-04:00') IS NOT NULL,
       migmgr.set_policy('production', 'max_backup_age', '12 hours') IS NOT NULL, migmgr.set_policy('production', 'require_staging', 'on') IS NOT NULL,
       migmgr.set_flag('DLQ_ENABLED', 0, 'new') IS NOT NULL, migmgr.set_flag('DLQ_ENABLED', 50, 'too early') IS NOT NULL,
       migmgr.add_check('quiet', 'SELECT count(*) FROM t', '0', '{before}') IS NOT NULL, migmgr.add_check('later', 'SELECT false', run_at => '{schedule}') IS NOT NULL;
INSERT INTO t VALUES (1);
SELECT status FROM migmgr.run_checks('schedule') LIMIT 1;
SELECT public.fingerprint() AS before \gset
SELECT * FROM public.rows('001');
SELECT regexp_replace(detail, '\d+ (ok|warnings?|skipped)', 'N \1', 'g') AS detail FROM (SELECT detail FROM migmgr.preflight('001') LIMIT 1) AS summary;
SELECT public.fingerprint() = :'before' AS unchanged;
SELECT public.mask(detail) AS detail FROM public.caught($$SELECT * FROM migmgr.apply('001')$$);

-- one by one
DELETE FROM t;
SELECT migmgr.set_flag('DLQ_ENABLED', 0, 'first the migration') IS NOT NULL AS off;
SELECT migmgr.approve('001', 'dev-lead') IS NOT NULL, migmgr.record_backup('b', now(), 1000, verified => true) IS NOT NULL, migmgr.waive('window', 'disk full') IS NOT NULL,
       migmgr.waive('staging', 'no staging yet') IS NOT NULL;
SELECT * FROM public.rows('001');
SET ROLE regress_migmgr_operator;
SELECT name, status FROM migmgr.preflight('001') WHERE name IN ('approvals', 'blockers', 'version') ORDER BY 1;
RESET ROLE;
\set VERBOSITY terse
SELECT version, status FROM migmgr.apply('001');
\set VERBOSITY default
SELECT regexp_replace(detail, 'since .*', 'since TIME') AS detail, status FROM public.rows('001') WHERE name = 'version';

-- apply warns of it as well, where policy says so: here of a flag that is on too early
SELECT version, status FROM migmgr.submit('002_u.sql', E'-- migmgr:flag EARLY\nALTER TABLE t ADD k int;');
SELECT migmgr.approve('002', 'dev-lead') IS NOT NULL AS approved, migmgr.set_flag('EARLY', 0, 'new') IS NOT NULL AS made, migmgr.set_flag('EARLY', 50, 'too early') IS NOT NULL AS raised;
SELECT * FROM migmgr_internal.preflight_warnings('002') WHERE line LIKE 'flags%';
SELECT migmgr.set_policy('production', 'preflight', 'on');
SELECT * FROM migmgr_internal.preflight_warnings('002') WHERE line LIKE 'flags%';
-- (what it says is in 014_tell.pl: a disk that is full would be said here, too)
SET client_min_messages = error;
SELECT version, status FROM migmgr.apply('002');
SET client_min_messages = warning;
SELECT migmgr.set_policy('production', 'preflight', NULL);

-- jobs that run now, as far as the caller may see them
CREATE TABLE jobs (id bigint PRIMARY KEY, state text NOT NULL, started_at timestamptz, last_heartbeat_at timestamptz);
SELECT status, detail FROM migmgr.preflight() WHERE name = 'running jobs';
SELECT status FROM migmgr.watch('jobs', columns => '{"status": "state"}', statuses => '{"running": "busy"}');
SELECT status, detail FROM migmgr.preflight() WHERE name = 'running jobs';
INSERT INTO jobs SELECT g, CASE WHEN g < 4 THEN 'busy' ELSE 'completed' END, now(), now() FROM generate_series(1, 5) AS g;
SELECT status, detail, hint FROM migmgr.preflight() WHERE name = 'running jobs';
SELECT running, dead_lettered FROM migmgr.sweep();
UPDATE jobs SET state = 'completed' WHERE id > 1;
SELECT status, detail FROM migmgr.preflight() WHERE name = 'running jobs';
SET ROLE regress_migmgr_operator;
SELECT status, regexp_replace(detail, 'sweep, .*', 'sweep, TIME') AS detail FROM migmgr.preflight() WHERE name = 'running jobs';
RESET ROLE;
GRANT SELECT ON jobs TO regress_migmgr_operator;
SET client_min_messages = error;
SELECT migmgr.waive('restrictive', 'a test') IS NOT NULL AND migmgr.waive('security', 'a test') IS NOT NULL AS waived;
ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;
SET ROLE regress_migmgr_operator;
SELECT status, regexp_replace(detail, 'sweep, .*', 'sweep, TIME') AS detail FROM migmgr.preflight() WHERE name = 'running jobs';
RESET ROLE;
-- a function of the table's owner's runs with the caller's rights or not at all
CREATE FUNCTION public.trap() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE WARNING 'a trap, as %', CURRENT_USER; RETURN true; END$$;
CREATE POLICY trap ON jobs USING (public.trap());
ALTER TABLE jobs OWNER TO regress_migmgr_operator;
SET client_min_messages = warning;
SELECT status, detail FROM migmgr.preflight() WHERE name = 'running jobs';

-- room on the disks, as the operating system says
SELECT place, size > free AND free > 0 AND problem IS NULL AS known FROM migmgr_internal.disks() WHERE place NOT LIKE 'tablespace %';
SELECT status IN ('ok', 'warning') AS known, detail ~ '^\d+ \w+ of \d+ \w+ free \(\d+ %\) for data directory' AS room, detail ~ 'the server cannot see' AS honest
  FROM migmgr.preflight() WHERE name = 'disk';

\connect postgres
SET client_min_messages = warning;
DROP DATABASE :"db";
DROP ROLE regress_migmgr_operator;
