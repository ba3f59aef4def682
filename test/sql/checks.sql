-- Named checks: what a team asks its database, before, after and in between.
\set test checks
\set ECHO none
\i test/include/database.sql
\set ECHO all
CREATE ROLE regress_migmgr_operator;
CREATE ROLE regress_migmgr_service;
CREATE ROLE regress_migmgr_reader;
GRANT regress_migmgr_reader TO regress_migmgr_operator;
SELECT levels FROM migmgr.grant_access('regress_migmgr_operator', 'operator');
CREATE TABLE customers (id int PRIMARY KEY, org text);
CREATE TABLE orders (id int PRIMARY KEY, customer int, amount numeric);
INSERT INTO customers VALUES (1, 'a'), (2, 'b');
INSERT INTO orders VALUES (1, 1, 10), (2, 2, 20);
GRANT SELECT, INSERT, DELETE ON customers TO regress_migmgr_service;
GRANT SELECT ON customers TO regress_migmgr_reader;
CREATE FUNCTION public.brief() RETURNS TABLE (check_name text, status text, value text, detail text) LANGUAGE sql AS
  'SELECT check_name, status, value, detail FROM migmgr.run_checks()';

-- every form of what is expected, met
SELECT migmgr.add_check('orphans', 'SELECT o.id FROM orders AS o LEFT JOIN customers AS c ON c.id = o.customer WHERE c.id IS NULL', 'no rows') IS NOT NULL AS added;
SELECT migmgr.add_check('truth', 'SELECT true') IS NOT NULL AS added;
SELECT migmgr.add_check('error rate', 'SELECT 0.003::float8', '< 0.005', '{verify,schedule}') IS NOT NULL AS added;
SELECT migmgr.add_check('count', 'SELECT count(*) FROM orders', '1..5') IS NOT NULL AS added;
SELECT migmgr.add_check('not none', 'SELECT count(*) FROM orders', '<> 0', environments => '{staging,production}') IS NOT NULL AS added;
SELECT migmgr.add_check('age', 'SELECT interval ''3 minutes''', '< 5 minutes') IS NOT NULL AS added;
SELECT migmgr.add_check('day', 'SELECT date ''2026-01-02''', '>= 2026-01-01') IS NOT NULL AS added;
SELECT migmgr.add_check('word', 'SELECT ''open''::text', 'open') IS NOT NULL AS added;
SELECT migmgr.add_check('setting', 'SET app.project = ''p1''; SELECT current_setting(''app.project'')', 'p1') IS NOT NULL AS added;
SELECT migmgr.add_check('suite', 'SELECT ''1..2''; SELECT ''ok 1 - reads''; SELECT E''    not ok 1 - of a subtest\nnot ok 2 - later # TODO''', 'tap') IS NOT NULL AS added;
SELECT migmgr.add_check('truth', 'SELECT true') IS NOT NULL AS added;
SELECT * FROM public.brief();
SELECT name, last_status, run_at, environments, run_as = current_user AS as_adder FROM migmgr.checks WHERE name IN ('truth', 'not none');
SELECT migmgr.add_check('elsewhere', 'SELECT false', environments => '{development}') IS NOT NULL AS added;
SELECT check_name FROM public.brief() WHERE check_name = 'elsewhere';
SELECT current_setting('app.project', true) AS setting_is_gone;

-- not met, and not to be answered
SELECT count(migmgr.drop_check(name)) FROM migmgr.checks WHERE name <> 'orphans';
INSERT INTO orders VALUES (3, 7, 1), (4, 8, 1);
SELECT migmgr.add_check('bad cmp', 'SELECT 1', '< much') IS NOT NULL AS added;
SELECT migmgr.add_check('bad sql', 'SELECT nothing FROM orders') IS NOT NULL AS added;
SELECT migmgr.add_check('columns', 'SELECT 1, 2') IS NOT NULL AS added;
SELECT migmgr.add_check('divide', 'SELECT 1/0', '0') IS NOT NULL AS added;
SELECT migmgr.add_check('no order', 'SELECT ''{}''::json', '{}') IS NOT NULL AS added;
SELECT migmgr.add_check('none', 'SELECT 1 WHERE false', '1') IS NOT NULL AS added;
SELECT migmgr.add_check('null', 'SELECT NULL::int', '1') IS NOT NULL AS added;
SELECT migmgr.add_check('range', 'SELECT 9', '1..5') IS NOT NULL AS added;
SELECT migmgr.add_check('several', 'SELECT generate_series(1, 3)', '1') IS NOT NULL AS added;
SELECT migmgr.add_check('tap fails', 'SELECT ''not ok 1 - owner sees it all''', 'tap') IS NOT NULL AS added;
SELECT migmgr.add_check('tap short', 'SELECT ''1..2'' UNION ALL SELECT ''ok 1''', 'tap') IS NOT NULL AS added;
SELECT migmgr.add_check('tap empty', 'SELECT ''all is fine''', 'tap') IS NOT NULL AS added;
SELECT migmgr.add_check('later', 'SELECT count(*) FROM not_there_yet', '0') IS NOT NULL AS added;
SELECT migmgr.add_check('loop', 'SELECT count(*) FROM generate_series(1, 1000000000000)', '1') IS NOT NULL AS added;
SELECT migmgr.add_check('write', 'INSERT INTO customers VALUES (9) RETURNING id', '9') IS NOT NULL AS added;
SET migmgr.check_timeout = '100ms';
SELECT * FROM public.brief();
SELECT check_name, object, status, detail FROM migmgr.verify() WHERE check_name = 'checks' AND object IN ('divide', 'later', 'orphans');

-- outside production it may write, and nothing of that stays
SELECT migmgr.set_environment('staging');
SELECT status, value FROM public.brief() WHERE check_name = 'write';
SELECT count(*) FROM customers;

RESET migmgr.check_timeout;

-- what is no check
SELECT public.fingerprint() AS before \gset
SELECT * FROM public.caught($$SELECT migmgr.add_check('drop', 'SELECT 1; DROP TABLE orders')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check('end', 'COMMIT')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check('do', 'DO ''BEGIN END''')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check('role', 'SET ROLE regress_migmgr_service; SELECT true')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check('session', 'SET SESSION AUTHORIZATION regress_migmgr_service; SELECT true')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check('into', 'SELECT 1 INTO t')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check('empty', '-- nothing')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check('', 'SELECT 1')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check(E'two\nlines', 'SELECT 1')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check('long ' || repeat('x', 100), 'SELECT 1')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check('no sql', NULL)$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check('no expect', 'SELECT 1', '<')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check('when', 'SELECT 1', run_at => '{lunch}')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check('never', 'SELECT 1', run_at => '{}')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check('where', 'SELECT 1', environments => '{laptop}')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check('who', 'SELECT 1', run_as => 'nobody_there')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.add_check('orphans', 'SELECT 1')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.drop_check('unheard of')$$) \gx
SELECT * FROM public.caught($$SELECT * FROM migmgr.run_checks('lunch')$$) \gx
SELECT public.fingerprint() = :'before' AS unchanged;

-- as another role: only one that the adder could become, and no more than it
SELECT count(migmgr.drop_check(name)) FROM migmgr.checks;
ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_org ON customers TO regress_migmgr_reader USING (org = current_setting('app.org', true));
CREATE POLICY service ON customers TO regress_migmgr_service USING (true);
SELECT migmgr.add_check('service writes', 'INSERT INTO customers VALUES (9, ''z''); DELETE FROM customers WHERE id = 9 RETURNING org', 'z', run_as => 'regress_migmgr_service') IS NOT NULL AS added;
SELECT migmgr.add_check('service reads no orders', 'SELECT count(*) FROM orders', '0', run_as => 'regress_migmgr_service') IS NOT NULL AS added;
SET ROLE regress_migmgr_operator;
SELECT migmgr.add_check('tenant sees its own', 'SET app.org = ''a''; SELECT string_agg(id::text, '','') FROM customers', '1', run_as => 'regress_migmgr_reader') IS NOT NULL AS added;
SELECT migmgr.add_check('who am I', 'SELECT current_user', 'regress_migmgr_operator') IS NOT NULL AS added;
SELECT migmgr.add_check('become another', 'SELECT set_config(''role'', ''regress_migmgr_service'', false)', 'x') IS NOT NULL AS added;
SELECT migmgr.add_check('stay in the session', 'SELECT pg_temp.left_behind()') IS NOT NULL AS added;
SELECT * FROM public.caught($$SELECT migmgr.add_check('as superuser', 'SELECT 1', run_as => 'regress_migmgr_service')$$) \gx
SELECT * FROM public.caught($$SELECT migmgr.drop_check('who am I')$$);
RESET ROLE;
SELECT check_name, status, value, regexp_replace(detail, ' does not exist.*', ' does not exist') AS detail FROM public.brief();
SELECT current_user = session_user AS still_me, count(*) FROM customers;
REVOKE regress_migmgr_reader FROM regress_migmgr_operator;
SELECT status, detail FROM public.brief() WHERE check_name = 'tenant sees its own';

-- a check cannot leave a prepared statement or a temporary table to the caller
SELECT count(migmgr.drop_check(name)) FROM migmgr.checks;
CREATE FUNCTION prepares() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN EXECUTE 'PREPARE trap AS SELECT 1'; RETURN true; END$$;
CREATE FUNCTION hides() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN EXECUTE 'CREATE TEMP TABLE orders ()'; RETURN true; END$$;
CREATE FUNCTION drops() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN EXECUTE 'DROP TABLE orders'; RETURN true; END$$;
SELECT migmgr.set_environment('production');
SELECT count(migmgr.add_check(f, format('SELECT %s()', f))) FROM unnest('{prepares,hides,drops}'::text[]) AS f;
SELECT * FROM public.brief();
SELECT migmgr.set_environment('development');
SELECT * FROM public.brief();
SELECT count(*) FROM orders;
SELECT name FROM pg_prepared_statements WHERE name = 'trap';
SELECT migmgr.set_environment('production');

-- after: in the transaction of the migration, which a failure undoes
SELECT count(migmgr.drop_check(name)) FROM migmgr.checks;
SELECT migmgr.add_check('few orders', 'SELECT count(*) FROM orders', '<= 4') IS NOT NULL AS added;
SELECT migmgr.add_check('shipped', 'SELECT count(*) FROM shipments', '0') IS NOT NULL AS added;
SELECT public.fingerprint() AS before \gset
SELECT * FROM public.caught($$SELECT * FROM migmgr.apply('1', 'more', 'INSERT INTO orders VALUES (5, 1, 1)')$$) \gx
SELECT count(*) FROM orders;
SELECT public.fingerprint() = :'before' AS unchanged;
SELECT version, status FROM migmgr.apply('1', 'shipments', 'CREATE TABLE shipments (id int)', 'DROP TABLE shipments');
SELECT name, last_status, last_value FROM migmgr.checks;
-- a table that was there and is gone is no table that is still to come
SELECT migmgr.waive('destructive', 'test') IS NOT NULL AS waived;
SELECT * FROM public.caught($$SELECT * FROM migmgr.apply('2', 'gone', 'DROP TABLE shipments')$$) \gx
-- a rollback is the way out, and no check stands in it
INSERT INTO orders VALUES (5, 1, 1);
SELECT version, status FROM migmgr.rollback('1', 'the way out');
SELECT name, last_status FROM migmgr.checks;
DELETE FROM orders WHERE id = 5;

-- before: nothing of the migration has run
SELECT migmgr.add_check('orders at rest', 'SELECT count(*) FROM orders', '4', '{before}') IS NOT NULL AS added;
INSERT INTO orders VALUES (0, 1, 1);
SELECT * FROM public.caught($$SELECT * FROM migmgr.apply('4', 'less', 'DELETE FROM orders WHERE id < 1', options => '{"skip_failed": true}')$$) \gx
DELETE FROM orders WHERE id < 1;
SELECT version, status FROM migmgr.apply('4', 'note', 'CREATE TABLE note (id int)', options => '{"skip_failed": true}');
SELECT check_name, run_at, version, status FROM migmgr_internal.check_result ORDER BY id DESC LIMIT 2;

-- all of it is in the ledger, and results are nobody's to write
SELECT event, count(*) > 1 AS several FROM migmgr.ledger WHERE event LIKE 'check%' GROUP BY event ORDER BY event;
SELECT state, message FROM public.caught($$INSERT INTO migmgr_internal.check_result (at, check_name, run_at, status, ms) VALUES (now(), 'few orders', 'verify', 'ok', 1)$$);
SELECT check_name, status FROM migmgr.verify() WHERE check_name IN ('chain', 'checks') ORDER BY 1, 2;

\connect postgres
SET client_min_messages = warning;
DROP DATABASE :"db";
DROP ROLE regress_migmgr_operator, regress_migmgr_service, regress_migmgr_reader;
