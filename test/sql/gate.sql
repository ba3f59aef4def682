-- What must surround a migration: approvals, window, backup, staging first.
\set test gate
\set ECHO none
\i test/include/database.sql
\set ECHO all
CREATE ROLE regress_migmgr_op SUPERUSER;
CREATE ROLE regress_migmgr_lead SUPERUSER LOGIN;
SELECT migmgr.checksum('CREATE TABLE t (i int)') AS sum, migmgr.checksum('CREATE TABLE t (i int, j int)') AS other \gset
CREATE FUNCTION public.try(sql text) RETURNS TABLE (state text, message text, detail text) LANGUAGE sql AS
  $$SELECT state, message, regexp_replace(detail, ': \w+ approved', ': SOMEBODY approved', 'g') FROM public.caught(sql)$$;

CREATE FUNCTION public.remember(file text, sum text) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(DISTINCT c.status, ', ') FROM migmgr.compare_files((SELECT COALESCE(string_agg(format(E'%s  %s_%s.sql\n', h.checksum, h.version, h.name), ''), '')
    FROM migmgr.history AS h WHERE h.status = 'applied') || sum || '  ' || file) AS c WHERE c.file = remember.file
$$;

-- nothing is configured: nothing is asked
SELECT version, status FROM migmgr.apply('000', 'first', 'CREATE TABLE first (i int)');
SELECT rule, value FROM migmgr.policy WHERE environment = 'production' AND rule IN ('window', 'max_backup_age', 'require_staging', 'four_eyes', 'approval_expiry');

-- everything at once: all that is missing is named, with the calls to make
SELECT migmgr.require_approval('production', 'dev-lead');
SELECT migmgr.require_approval('production', 'ops-oncall');
SELECT migmgr.require_approval('production', 'ops-oncall');
SELECT migmgr.require_approval('production', 'product-owner', 'rollback');
SELECT migmgr.set_policy('production', 'max_backup_age', '12 hours');
SELECT migmgr.set_policy('production', 'window', '2100-01-02 02:00-04:00 UTC');
SELECT migmgr.set_policy('production', 'require_staging', 'on');
SELECT environment, action, label FROM migmgr.required_approvals;
SELECT public.fingerprint() AS before \gset
SELECT * FROM public.caught($$SELECT * FROM migmgr.apply('001', 't', 'CREATE TABLE t (i int)')$$) \gx
SELECT status, detail FROM migmgr.apply('001', 't', 'CREATE TABLE t (i int)', dry_run => true);
SELECT public.fingerprint() = :'before' AS unchanged;

-- one thing is an error of one line
SELECT migmgr.set_policy('production', 'max_backup_age', NULL), migmgr.set_policy('production', 'require_staging', NULL);
SELECT migmgr.require_approval('production', 'dev-lead', required => false);
SELECT migmgr.require_approval('production', 'ops-oncall', required => false);
SELECT * FROM public.caught($$SELECT * FROM migmgr.apply('001', 't', 'CREATE TABLE t (i int)')$$) \gx
SELECT migmgr.set_policy('production', 'window', 'always');
SELECT migmgr.set_policy('production', 'max_backup_age', '12 hours');
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('001', 't', 'CREATE TABLE t (i int)')$$);
SELECT migmgr.record_backup('old', now() - interval '13 hours', 1000, 's3://backups/old', true) IS NOT NULL AS recorded;
SELECT state, regexp_replace(message, '"old".*ago', '"old" ... ago') FROM public.caught($$SELECT * FROM migmgr.apply('001', 't', 'CREATE TABLE t (i int)')$$);
SELECT migmgr.record_backup('new', now() - interval '11 hours', 1048576) IS NOT NULL AS recorded;
SELECT migmgr.set_policy('production', 'require_staging', 'on');
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('001', 't', 'CREATE TABLE t (i int)')$$);
SELECT migmgr.set_policy('production', 'require_staging', 'off');

-- approvals: of this text, by these labels
SELECT migmgr.require_approval('production', 'dev-lead'), migmgr.require_approval('production', 'ops-oncall');
SELECT * FROM public.try($$SELECT migmgr.approve('001', 'dev-lead')$$) \gx
SELECT public.remember('001_t.sql', :'sum');
SELECT regexp_replace(migmgr.approve('001', 'dev-lead', 'https://review/1', 'Dana'), 'until.*UTC|until [^;]*', 'until TIME') AS approved;
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('001', 't', 'CREATE TABLE t (i int)')$$);
SELECT regexp_replace(migmgr.approve('001', 'ops-oncall'), 'until [^;]*', 'until TIME') AS approved;
SELECT version, action, label, state, on_behalf_of, evidence, checksum = :'sum' AS same, expires - given_at BETWEEN '6 days 23 hours' AND '7 days 1 hour' AS week FROM migmgr.approvals;
-- another text voids them
SELECT public.remember('001_t.sql', :'other');
SELECT label, state FROM migmgr.approvals;
SELECT * FROM public.try($$SELECT * FROM migmgr.apply('001', 't', 'CREATE TABLE t (i int, j int)')$$) \gx
SELECT public.remember('001_t.sql', :'sum');
-- a rejection does, too, until it is answered
SELECT migmgr.reject('001', 'ops-oncall', 'the index is missing');
SELECT label, state FROM migmgr.approvals;
SELECT state, regexp_replace(message, '\([a-z_]+\)', '(SOMEBODY)') AS message FROM public.caught($$SELECT * FROM migmgr.apply('001', 't', 'CREATE TABLE t (i int)')$$);
SELECT migmgr.approve('001', 'ops-oncall') IS NOT NULL AS approved;
SELECT label, state FROM migmgr.approvals;
-- an expired one does not count
SELECT migmgr.approve('001', 'ops-oncall', valid_for => '1 microsecond') IS NOT NULL AS approved;
SELECT label, state FROM migmgr.approvals WHERE state = 'expired';
SELECT version, status FROM migmgr.apply('001', 't', 'CREATE TABLE t (i int)', 'DROP TABLE t');
SELECT DISTINCT state FROM migmgr.approvals;
SELECT version, status FROM migmgr.apply('001', 't', 'CREATE TABLE t (i int)', 'DROP TABLE t');

SELECT topic, state, regexp_replace(value, 'login \w+', 'login ME') AS value FROM migmgr.status WHERE topic = 'approvals';
-- the way back has approvals of its own, and nothing else stands in it
SELECT migmgr.set_policy('production', 'window', '2100-01-02 02:00-04:00 UTC');
SELECT * FROM public.caught($$SELECT * FROM migmgr.rollback('001', 'test')$$) \gx
SELECT * FROM public.try($$SELECT migmgr.approve('001', 'dev-lead')$$) \gx
SELECT * FROM public.try($$SELECT migmgr.approve('001', 'dev-lead', action => 'rollback')$$) \gx
SELECT migmgr.approve('001', 'product-owner', action => 'rollback') IS NOT NULL AS approved;
SELECT version, status FROM migmgr.rollback('001', 'test');
SELECT migmgr.set_policy('production', 'window', 'always');
-- and the apply after it takes new ones
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('001', 't', 'CREATE TABLE t (i int)')$$);

-- "ask": one approval answers it, whatever its label; "deny" none
SELECT migmgr.require_approval('production', 'dev-lead', required => false), migmgr.require_approval('production', 'ops-oncall', required => false);
SELECT version, status FROM migmgr.apply('001', 't', 'CREATE TABLE t (i int)', 'DROP TABLE t');
SELECT public.remember('002_open.sql', migmgr.checksum('GRANT ALL ON first TO PUBLIC'));
SELECT * FROM public.caught($$SELECT * FROM migmgr.apply('002', 'open', 'GRANT ALL ON first TO PUBLIC')$$) \gx
SELECT * FROM public.caught($$GRANT ALL ON first TO PUBLIC$$) \gx
SELECT migmgr.approve('002', 'cto') IS NOT NULL AS approved;
SELECT state, message FROM public.caught($$GRANT ALL ON first TO PUBLIC$$);
SELECT version, status, class FROM migmgr.apply('002', 'open', 'GRANT ALL ON first TO PUBLIC');
SELECT state, message FROM public.caught($$GRANT ALL ON first TO PUBLIC$$);
SELECT migmgr.approve('999', 'cto', checksum => migmgr.checksum('DROP TABLE first')) IS NOT NULL AS approved;
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('999', 'drop', 'DROP TABLE first')$$);

-- what was submitted is what is approved, until it is submitted anew
SELECT version, status FROM migmgr.submit('003_more.sql', 'GRANT SELECT ON t TO PUBLIC');
SELECT migmgr.approve('003', 'cto') IS NOT NULL AS approved;
SELECT version, status FROM migmgr.submit('003_more.sql', 'GRANT ALL ON t TO PUBLIC');
SELECT state FROM migmgr.approvals WHERE version = '003';
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('003')$$);
SELECT migmgr.approve('003', 'cto') IS NOT NULL AS approved;
SELECT version, status FROM migmgr.apply('003');

-- what runs online, in transactions of its own, is asked the same
INSERT INTO t SELECT generate_series(1, 10);
SELECT migmgr.require_approval('production', 'dev-lead');
CALL migmgr.run('003.5_index.sql', 'CREATE UNIQUE INDEX CONCURRENTLY t_i ON t (i);');
SELECT migmgr.approve('003.5', 'dev-lead', checksum => migmgr.checksum('CREATE UNIQUE INDEX CONCURRENTLY t_i ON t (i);')) IS NOT NULL AS approved;
\set VERBOSITY terse
CALL migmgr.run('003.5_index.sql', 'CREATE UNIQUE INDEX CONCURRENTLY t_i ON t (i);') \gset
\set VERBOSITY default
SELECT :'version' AS version, :'status' AS status, :'class' AS class;
SELECT label, state FROM migmgr.approvals WHERE version = '003.5';
SELECT migmgr.require_approval('production', 'dev-lead', required => false);

-- names of what a migration makes
SELECT migmgr.set_policy('production', 'naming', 'snake_case');
SELECT * FROM public.caught($$SELECT * FROM migmgr.apply('003.6', 'camel', 'CREATE TABLE "Camel" (id int PRIMARY KEY, "userId" int); CREATE FUNCTION "doIt"(a int) RETURNS int LANGUAGE sql AS ''SELECT 1''')$$) \gx
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('003.6', 'camel', 'ALTER TABLE first ADD "userId" int')$$);
SELECT status, detail FROM migmgr.apply('003.6', 'camel', 'ALTER TABLE first ADD "userId" int', dry_run => true);
SELECT migmgr.set_policy('production', 'naming', '^[a-z]{1,5}$');
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.apply('003.6', 'camel', 'ALTER TABLE first ADD user_id int')$$);
SELECT migmgr.waive('naming', 'the application wants it', version => '003.6') IS NOT NULL AS waived;
\set VERBOSITY terse
SELECT version, status FROM migmgr.apply('003.6', 'camel', 'ALTER TABLE first ADD user_id int');
\set VERBOSITY default
SELECT * FROM public.try($$SELECT migmgr.set_policy('production', 'naming', '[a-')$$) \gx
SELECT migmgr.set_policy('production', 'naming', NULL);

-- four eyes, by login
SELECT migmgr.set_policy('production', 'four_eyes', 'on');
SELECT migmgr.approve('004', 'dev-lead', checksum => migmgr.checksum('CREATE TABLE four (i int)')) IS NOT NULL AS approved;
SELECT state, regexp_replace(message, 'than \w+', 'than ME') AS message FROM public.caught($$SELECT * FROM migmgr.apply('004', 't', 'CREATE TABLE four (i int)')$$);
SELECT migmgr.require_approval('production', 'dev-lead');
SELECT state, regexp_replace(message, 'lead: \w+', 'lead: I') AS message FROM public.caught($$SELECT * FROM migmgr.apply('004', 't', 'CREATE TABLE four (i int)')$$);
SET ROLE regress_migmgr_lead;
SELECT migmgr.approve('004', 'dev-lead', checksum => migmgr.checksum('CREATE TABLE four (i int)')) IS NOT NULL AS approved;
RESET ROLE;
SELECT state FROM public.caught($$SELECT * FROM migmgr.apply('004', 't', 'CREATE TABLE four (i int)')$$);
SET SESSION AUTHORIZATION regress_migmgr_lead;
SELECT migmgr.approve('004', 'dev-lead', checksum => migmgr.checksum('CREATE TABLE four (i int)')) IS NOT NULL AS approved;
RESET SESSION AUTHORIZATION;
SELECT version, status FROM migmgr.apply('004', 't', 'CREATE TABLE four (i int)');
SELECT migmgr.set_policy('production', 'four_eyes', 'off'), migmgr.require_approval('production', 'dev-lead', required => false);

-- the way past: by name, with a reason, for a time
SELECT migmgr.require_approval('production', 'dev-lead'), migmgr.set_policy('production', 'require_staging', 'on'),
       migmgr.set_policy('production', 'window', '2100-01-02 02:00-04:00 UTC'), migmgr.set_policy('production', 'max_backup_age', '1 minute');
SELECT migmgr.waive('window', 'disk is full', version => '005') IS NOT NULL, migmgr.waive('staging', 'disk is full', version => '005') IS NOT NULL,
       migmgr.waive('backup', 'disk is full', version => '005') IS NOT NULL, migmgr.waive('approval', 'disk is full', version => '005') IS NOT NULL;
SELECT state FROM public.caught($$SELECT * FROM migmgr.apply('006', 'u', 'CREATE TABLE u (i int)')$$);
SELECT topic, state, value LIKE '%for 005 until % by %: disk is full' AS says FROM migmgr.status WHERE topic = 'waivers';
\set VERBOSITY terse
SELECT version, status FROM migmgr.apply('005', 'v', 'CREATE TABLE v (i int)', 'DROP TABLE v');
\set VERBOSITY default
SELECT what, active, used_at IS NOT NULL AS used FROM migmgr.waivers ORDER BY what;
SELECT topic, state FROM migmgr.status WHERE topic IN ('waivers', 'approvals', 'backup') ORDER BY topic;
SELECT migmgr.waive('window', 'x', valid_for => '1 microsecond') IS NOT NULL AS waived;
SELECT state FROM public.caught($$SELECT * FROM migmgr.apply('006', 'u', 'CREATE TABLE u (i int)')$$);
SELECT migmgr.set_policy('production', 'window', NULL), migmgr.set_policy('production', 'require_staging', NULL),
       migmgr.set_policy('production', 'max_backup_age', NULL), migmgr.require_approval('production', 'dev-lead', required => false);
-- a text that is not the remembered one, DDL outside, a check that fails
SELECT public.remember('006_u.sql', :'other');
SELECT state FROM public.caught($$SELECT * FROM migmgr.apply('006', 'u', 'CREATE TABLE u (i int)')$$);
SELECT migmgr.waive('checksum', 'x', version => '006') IS NOT NULL AS waived;
SELECT version, status FROM migmgr.apply('006', 'u', 'CREATE TABLE u (i int)');
SELECT what, used_at IS NOT NULL AS used FROM migmgr.waivers WHERE what = 'checksum';
SELECT migmgr.set_policy('production', 'direct_ddl', 'deny');
SELECT state FROM public.caught('CREATE TABLE w (i int)');
SELECT migmgr.waive('direct_ddl', 'x') IS NOT NULL AS waived;
SELECT state FROM public.caught('CREATE TABLE w (i int)');
SELECT migmgr.set_policy('production', 'direct_ddl', NULL);
SELECT migmgr.add_check('never', 'SELECT false', run_at => '{before,after}') IS NOT NULL AS added;
SELECT state FROM public.caught($$SELECT * FROM migmgr.apply('007', 'x', 'CREATE TABLE x (i int)')$$);
SELECT migmgr.waive('checks', 'x', version => '007') IS NOT NULL AS waived;
SELECT version, status FROM migmgr.apply('007', 'x', 'CREATE TABLE x (i int)');
SELECT migmgr.drop_check('never');

-- bad requests change nothing
SELECT public.fingerprint() AS before \gset
SELECT n, c.state, c.message FROM (VALUES
    (1, $$approve('010', 'no label', checksum => '$$ || :'sum' || $$')$$), (2, $$approve('010', NULL, checksum => '$$ || :'sum' || $$')$$),
    (3, $$approve('', 'x')$$), (4, $$approve('010', 'x', checksum => 'abc')$$), (5, $$approve('010', 'x', action => 'launch')$$),
    (6, $$approve('010', 'x', checksum => '$$ || :'sum' || $$', valid_for => '-1 day')$$), (7, $$approve('010', 'x', checksum => '$$ || :'sum' || $$', valid_for => '1 year')$$),
    (8, $$reject('010', 'x', '')$$), (9, $$reject('005', 'x', 'too late')$$), (10, $$require_approval('laptop', 'x')$$),
    (11, $$require_approval('production', 'dev lead')$$), (12, $$require_approval('production', 'x', 'launch')$$), (13, $$require_approval('production', 'x', required => false)$$),
    (14, $$record_backup('b', now(), 0)$$), (15, $$record_backup('b', now(), NULL)$$), (16, $$record_backup('b', now(), -1)$$),
    (17, $$record_backup('b', NULL, 1)$$), (18, $$record_backup('b', 'infinity', 1)$$), (19, $$record_backup('', now(), 1)$$),
    (20, $$set_policy('production', 'max_backup_age', '0 hours')$$), (21, $$set_policy('production', 'four_eyes', 'maybe')$$),
    (22, $$set_policy('production', 'require_staging', 'sometimes')$$), (23, $$set_policy('production', 'window', 'Sat 02:00-02:00')$$),
    (24, $$set_policy('production', 'window', '2001-01-01 02:00-04:00')$$), (25, $$set_policy('production', 'window', 'Caturday 02:00-04:00')$$),
    (26, $$set_policy('production', 'window', '2026-02-30 02:00-04:00')$$), (27, $$set_policy('production', 'window', '02:00-26:00')$$),
    (28, $$set_policy('production', 'window', '02:00-04:00 Nowhere/City')$$), (29, $$set_policy('production', 'window', 'at night')$$),
    (30, $$set_policy('production', 'window', '02:00-04:00', for_role => 'regress_migmgr_op')$$), (31, $$waive('protected', 'x')$$), (32, $$receipt('010')$$),
    (33, $$set_policy('production', 'max_backup_age', '999999999999999999 days')$$), (34, $$set_policy('production', 'soak', '0, 3651 days')$$),
    (35, $$set_policy('production', 'approval_expiry', '5256001 minutes')$$), (36, $$waive('window', '  ')$$), (37, $$waive('window', 'x', version => 'not a version!')$$)) AS v(n, call),
  LATERAL public.caught('SELECT migmgr.' || call) AS c ORDER BY n;
SELECT state, message FROM public.caught($$SELECT migmgr.record_backup('b', now() + interval '1 hour', 1)$$);
-- nor does an apply that is refused for an expired approval, one of other bytes, or a label that nobody asks for
SELECT migmgr.require_approval('production', 'dev-lead') IS NOT NULL, migmgr.approve('091', 'dev-lead', checksum => :'sum') IS NOT NULL,
       migmgr.approve('092', 'dev-lead', checksum => migmgr.checksum('CREATE TABLE late (i int)'), valid_for => '1 microsecond') IS NOT NULL;
SELECT public.fingerprint() AS before \gset
SELECT state, regexp_replace(message, 'lead: \w+', 'lead: SOMEBODY') AS message FROM public.caught($$SELECT * FROM migmgr.apply('091', 'late', 'CREATE TABLE late (i int)', options => '{"allow_out_of_order": true}')$$);
SELECT state, regexp_replace(message, 'that of \w+', 'that of SOMEBODY') AS message FROM public.caught($$SELECT * FROM migmgr.apply('092', 'late', 'CREATE TABLE late (i int)', options => '{"skip_failed": true}')$$);
SELECT * FROM public.try(format('SELECT migmgr.approve(''092'', ''dev-laed'', checksum => %L)', :'sum')) \gx
SELECT public.fingerprint() = :'before' AS unchanged;
SELECT migmgr.require_approval('production', 'dev-lead', required => false) IS NOT NULL AS done;
SELECT public.fingerprint() AS before \gset
SELECT public.fingerprint() = :'before' AS unchanged;

-- when a window is open: Sat and Sun, through midnight, in a zone, announced
SET TimeZone = 'UTC';
SELECT opens, closes, announced FROM migmgr_internal.window_openings('Sat,Sun 02:00-04:00 UTC', '2026-01-01', '2026-01-03 03:00') LIMIT 3;
SELECT opens, closes, announced FROM migmgr_internal.window_openings('Fri-Sun 22:00-02:00 Europe/Berlin', '2026-01-01', '2026-01-03 00:30') LIMIT 2;
SELECT opens, closes, announced FROM migmgr_internal.window_openings('02:00-04:00', '2026-01-02 12:00', '2026-01-03 03:00') LIMIT 2;
SELECT opens, closes, announced FROM migmgr_internal.window_openings('02:00-04:00 notice 0h', '2026-01-03 02:30', '2026-01-03 03:00') LIMIT 2;
SELECT opens, closes, announced FROM migmgr_internal.window_openings('2026-01-31 02:00-04:00; 2026-02-01 23:00-24:00 notice 48 hours', '2026-01-31', '2026-01-31');
SELECT migmgr.set_policy('production', 'window', '00:00-24:00 UTC notice 0h');
SELECT status, regexp_replace(detail, '\d{4}-.*\(', 'TIME (') AS detail FROM migmgr_internal.gate_window(clock_timestamp() + interval '2 days');
SELECT status, regexp_replace(detail, 'opens .*', 'opens TIME') AS detail FROM migmgr_internal.gate_window('2020-01-01 12:00');
SELECT migmgr.set_policy('production', 'window', '00:00-24:00 UTC');
SELECT status, regexp_replace(detail, 'opens .*', 'opens TIME') AS detail FROM migmgr_internal.gate_window(clock_timestamp());
SELECT migmgr.set_policy('production', 'window', NULL);

-- backups: on record, the latest first
SELECT label, size, verified, location, note FROM migmgr.backups WHERE source = 'recorded';

-- staging first: a receipt from there
CREATE DATABASE regress_migmgr_staging;
\connect regress_migmgr_staging
SET client_min_messages = warning;
CREATE EXTENSION migmgr;
SELECT version, status FROM migmgr.apply('020', 'early', 'CREATE TABLE early (i int)');
SELECT migmgr.receipt('020') AS early \gset
SELECT migmgr.set_environment('staging');
SELECT version, status FROM migmgr.apply('021', 'z', 'CREATE TABLE z (i int)', 'DROP TABLE z');
SELECT migmgr.receipt('021') AS receipt \gset
SELECT key FROM jsonb_object_keys(:'receipt'::jsonb) AS key ORDER BY 1;
SELECT migmgr.receipt('020') AS early_then_staging \gset
SELECT migmgr.add_check('never', 'SELECT false') IS NOT NULL AS added;
SELECT status FROM migmgr.run_checks() LIMIT 1;
DO $$BEGIN PERFORM migmgr.receipt('021'); EXCEPTION WHEN SQLSTATE 'MG255' THEN RAISE WARNING '%', SQLERRM; END$$;
SELECT version, status FROM migmgr.rollback('021');
DO $$BEGIN PERFORM migmgr.receipt('021'); EXCEPTION WHEN SQLSTATE 'MG209' THEN RAISE WARNING '%', SQLERRM; END$$;
\connect :"db"
SET client_min_messages = warning;
SELECT migmgr.set_policy('production', 'require_staging', 'on');
SELECT public.fingerprint() AS before \gset
SELECT n, c.state, regexp_replace(c.message, 'migration "021"', 'it') AS message, regexp_replace(c.detail, 'cluster \d+', 'cluster N', 'g') AS detail FROM (VALUES
    (1, '021', NULL), (2, '021', 'it ran, I promise'), (3, '021', '[1]'), (4, '021', (:'receipt'::jsonb || '{"ms": 999999}')::text),
    (5, '022', :'receipt'), (6, '020', :'early'), (7, '020', :'early_then_staging')) AS v(n, version, evidence),
  LATERAL public.caught(format('SELECT migmgr.approve(%L, ''staging'', %L)', v.version, v.evidence)) AS c ORDER BY n;
SELECT state, message, public.mask(detail) AS detail FROM public.caught(format('SELECT migmgr.approve(''021'', ''staging'', %L, checksum => %L)', :'receipt', :'sum'));
SELECT state, message FROM public.caught(format('SELECT migmgr.approve(''006'', ''staging'', %L)', migmgr.receipt('006')));
SELECT migmgr.set_policy('production', 'require_staging', '12345678901234');
SELECT state, message FROM public.caught(format('SELECT migmgr.approve(''021'', ''staging'', %L)', :'receipt'));
SELECT migmgr.set_policy('production', 'require_staging', 'on');
SELECT count(*) FROM migmgr.approvals WHERE label = 'staging';
SELECT migmgr.approve('021', 'staging', :'receipt') IS NOT NULL AS approved;
SELECT item, status, detail LIKE 'ran in staging database regress_migmgr_staging at %' AS ran FROM migmgr_internal.gate_staging('021', ARRAY[migmgr.checksum('CREATE TABLE z (i int)')], clock_timestamp());
SELECT state FROM public.caught($$SELECT * FROM migmgr.apply('021', 'z', 'CREATE TABLE z (i int, j int)')$$);
-- it must have been there for a time; a receipt is asked for then, whatever require_staging says
SELECT migmgr.set_policy('production', 'require_staging', NULL), migmgr.set_policy('production', 'soak', '24 hours, 7 days, 2 days');
SELECT n.after, g.status, g.detail ~ '^in staging since .*; policy soak asks for 2 days there$' AS detail, g.hint ~ 'Wait until' AS hint
  FROM (VALUES ('1 day 23:59:00'::interval), ('2 days')) AS n(after),
  LATERAL migmgr_internal.gate_staging('021', ARRAY[migmgr.checksum('CREATE TABLE z (i int)')], (:'receipt'::jsonb ->> 'applied_at')::timestamptz + n.after) AS g
 WHERE g.item = 'soak' ORDER BY n.after;
SELECT public.fingerprint() AS before \gset
SELECT state, regexp_replace(message, 'since .*;', 'since TIME;') AS message FROM public.caught($$SELECT * FROM migmgr.apply('021', 'z', 'CREATE TABLE z (i int)')$$);
SELECT item, status, detail FROM migmgr_internal.gate_staging('022', ARRAY[migmgr.checksum('CREATE TABLE y (i int)')], clock_timestamp());
SELECT name, status FROM migmgr.preflight('021') WHERE name IN ('staging', 'soak') ORDER BY name;
SELECT state, message FROM public.caught($$SELECT migmgr.set_policy('production', 'soak', '1 day, 1 day, 1 day, 1 day')$$);
SELECT public.fingerprint() = :'before' AS unchanged;
SELECT migmgr.waive('soak', 'a hotfix', version => '021') IS NOT NULL AS waived;
SET client_min_messages = error;
SELECT version, status FROM migmgr.apply('021', 'z', 'CREATE TABLE z (i int)');
SET client_min_messages = warning;
SELECT version, used_at IS NOT NULL AS used FROM migmgr.waivers WHERE what = 'soak';
SELECT migmgr.set_policy('production', 'soak', NULL);

-- a copy starts anew: approvals and backups were the original's
\connect postgres
SET client_min_messages = warning;
CREATE DATABASE regress_migmgr_copy TEMPLATE :"db";
\connect regress_migmgr_copy
SET client_min_messages = warning;
SELECT migmgr.resume('a copy') IS NOT NULL AS resumed;
SELECT count(*) FILTER (WHERE state NOT LIKE 'void: given%') AS alive FROM migmgr.approvals;
SELECT DISTINCT note FROM migmgr.backups WHERE source = 'recorded';
SELECT check_name, status FROM migmgr.verify() WHERE check_name = 'chain';

\connect postgres
SET client_min_messages = warning;
DROP DATABASE :"db";
DROP DATABASE regress_migmgr_copy;
DROP DATABASE regress_migmgr_staging;
DROP ROLE regress_migmgr_op, regress_migmgr_lead;
