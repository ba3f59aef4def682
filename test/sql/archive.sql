-- on_data => 'archive': a rollback that keeps the data, and an apply that brings it back.
\set test archive
\set ECHO none
\i test/include/database.sql
DROP ROLE IF EXISTS regress_archive_owner;
CREATE ROLE regress_archive_owner;
GRANT CREATE ON SCHEMA public TO regress_archive_owner;
\set ECHO all

CREATE TABLE customers (id int PRIMARY KEY, name text);
INSERT INTO customers VALUES (1, 'Ada'), (2, 'Grace');
CREATE TEMP TABLE script (up text, down text);
INSERT INTO script VALUES ($up$
CREATE TYPE state AS ENUM ('new', 'done');
CREATE TABLE orders (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer int REFERENCES customers,
  state state DEFAULT 'new',
  n serial,
  amount numeric CHECK (amount > 0),
  twice numeric GENERATED ALWAYS AS (amount * 2) STORED
);
CREATE INDEX orders_customer ON orders (customer);
CREATE STATISTICS orders_both ON customer, amount FROM orders;
CREATE TABLE lines (id int PRIMARY KEY, o int REFERENCES orders);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.amount := NEW.amount + 1000; RETURN NEW; END';
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE orders ENABLE ALWAYS TRIGGER touch;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON orders USING (customer = 1);
CREATE RULE quiet AS ON DELETE TO lines DO NOTHING;
CREATE FUNCTION word(s state) RETURNS text LANGUAGE sql AS 'SELECT $1::text';
CREATE VIEW seen AS SELECT id, state FROM orders;
GRANT SELECT ON orders TO PUBLIC;
ALTER TABLE customers ADD COLUMN last state, ADD COLUMN visited date;
CREATE TABLE parts (day date NOT NULL, v int) PARTITION BY RANGE (day);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE SEQUENCE numbers;
ALTER TABLE orders OWNER TO regress_archive_owner;
$up$, $down$
DROP VIEW seen;
DROP TABLE parts;
DROP POLICY own ON orders;
DROP TRIGGER touch ON orders;
DROP FUNCTION touch();
DROP STATISTICS orders_both;
ALTER TABLE lines DROP CONSTRAINT lines_o_fkey;
DROP INDEX orders_customer;
DROP TABLE orders;
DROP TABLE lines;
DROP FUNCTION word(state);
ALTER TABLE customers DROP COLUMN last, DROP COLUMN visited;
DROP TYPE state;
DROP SEQUENCE numbers;
$down$);
SELECT up, down FROM script \gset
SELECT status, reversible FROM migmgr.apply('001', 'orders', :'up', :'down');
SELECT setval('orders_id_seq', 40), setval('orders_n_seq', 50), setval('numbers', 60);
INSERT INTO orders (customer, state, amount) SELECT 1, 'done', g FROM generate_series(1, 100) AS g;
INSERT INTO lines SELECT g, g + 40 FROM generate_series(1, 50) AS g;
INSERT INTO parts SELECT '2026-01-05', g FROM generate_series(1, 7) AS g;
UPDATE customers SET last = 'done' WHERE id = 1;
SELECT md5(string_agg(o::text, ',' ORDER BY id)) AS orders FROM orders AS o \gset
SELECT md5(string_agg(l::text, ',' ORDER BY id)) AS lines FROM lines AS l \gset

-- tried out, then done
SELECT public.fingerprint() AS before \gset
SELECT status, detail FROM migmgr.rollback('001', 'not yet', on_data => 'archive', dry_run => true) \gx
SELECT public.fingerprint() = :'before' AS unchanged;
SELECT status, detail FROM migmgr.rollback('001', 'not yet', on_data => 'archive') \gx
SELECT to_regclass('orders'), to_regclass('lines'), to_regclass('parts'), to_regclass('numbers'), to_regtype('state'), to_regproc('touch'), to_regproc('word');
SELECT count(*) AS other_columns FROM pg_attribute WHERE attrelid = 'customers'::regclass AND attname IN ('last', 'visited') AND NOT attisdropped;
SELECT kind, object, rows, size IS NOT NULL AND bytes > 0 AS sized, age, state, columns FROM migmgr.archives ORDER BY object;
SELECT definition FROM migmgr.archives WHERE object = 'public.orders';
SELECT detail::jsonb #- '{archive,schema}' -> 'archive' AS archive, detail::jsonb ->> 'on_data' AS on_data FROM migmgr.ledger WHERE event = 'rolled back';

-- nobody gets at it, a superuser neither
SELECT archive FROM migmgr.archives LIMIT 1 \gset
CREATE TEMP TABLE try (n serial, sql text);
INSERT INTO try (sql) VALUES ('DROP SCHEMA %1$I CASCADE'), ('DROP TABLE %1$I.orders'), ('ALTER TABLE %1$I.orders ADD COLUMN x int'), ('ALTER TABLE %1$I.orders SET SCHEMA public'),
  ('TRUNCATE %1$I.orders'), ('DELETE FROM %1$I.orders WHERE true'), ('UPDATE %1$I.orders SET amount = 1 WHERE true'), ('INSERT INTO %1$I.lines VALUES (1)'),
  ('ALTER TABLE %1$I.orders DISABLE TRIGGER row_guard'), ('DROP TRIGGER row_guard ON %1$I.orders'), ('ALTER SCHEMA %1$I RENAME TO mine'), ('CREATE TABLE %1$I.mine (i int)'),
  ('CREATE INDEX ON %1$I.orders (amount)'), ('ALTER TYPE %1$I.state ADD VALUE ''x'''), ('DROP TYPE %1$I.state CASCADE');
SELECT t.sql, c.state FROM try AS t, LATERAL public.caught(format(t.sql, :'archive')) AS c ORDER BY t.n;
SELECT has_schema_privilege('regress_archive_owner', :'archive', 'USAGE') AS owner_sees, has_schema_privilege('pg_database_owner', :'archive', 'USAGE') AS dump_sees;

-- applied again: all of it is back, untouched by triggers, and numbers go on
UPDATE customers SET name = 'Ada L.' WHERE id = 1;
SELECT status, detail FROM migmgr.apply('001', 'orders', :'up', :'down') \gx
SELECT md5(string_agg(o::text, ',' ORDER BY id)) = :'orders' AS orders FROM orders AS o;
SELECT md5(string_agg(l::text, ',' ORDER BY id)) = :'lines' AS lines FROM lines AS l;
SELECT id, name, last FROM customers ORDER BY id;
SELECT count(*), min(tableoid::regclass::text) FROM parts;
INSERT INTO orders (customer, amount) VALUES (1, 1) RETURNING id, n, amount;
SELECT nextval('numbers');
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'orders'::regclass AND NOT tgisinternal;
SELECT relacl::text LIKE '%=r/%' AS granted, relowner::regrole FROM pg_class WHERE oid = 'orders'::regclass;
SELECT count(*) AS archive_schemas FROM pg_namespace WHERE nspname LIKE 'migmgr\_archive\_%';
SELECT DISTINCT size, state FROM migmgr.archives;
SELECT detail::jsonb -> 'brought_back' -> 'rows' AS rows FROM migmgr.ledger WHERE event = 'applied' ORDER BY seq DESC LIMIT 1;

-- a row of the column that is gone meanwhile stays in the archive, and so does what is there already
SELECT status FROM migmgr.apply('002', 'seed', $$CREATE TABLE settings (k text PRIMARY KEY, v text); INSERT INTO settings VALUES ('a', '1'), ('b', '2');
  ALTER TABLE customers ADD COLUMN score int;$$, 'DROP TABLE settings; ALTER TABLE customers DROP COLUMN score');
UPDATE customers SET score = id * 10 WHERE true;
UPDATE settings SET v = '3' WHERE k = 'b';
SELECT detail FROM migmgr.rollback('002', on_data => 'archive');
DELETE FROM customers WHERE id = 2;
SELECT detail FROM migmgr.apply('002', 'seed', $$CREATE TABLE settings (k text PRIMARY KEY, v text); INSERT INTO settings VALUES ('a', '1'), ('b', '2');
  ALTER TABLE customers ADD COLUMN score int;$$, 'DROP TABLE settings; ALTER TABLE customers DROP COLUMN score');
SELECT object, rows, state FROM migmgr.archives WHERE version = '002' ORDER BY object;
SELECT * FROM customers;

-- refused, with nothing changed: no key to come back by, or part of it; something else needs it
CREATE TABLE keyless (a int);
INSERT INTO keyless VALUES (1);
SELECT status FROM migmgr.apply('003', 'keyless', 'ALTER TABLE keyless ADD COLUMN b int', 'ALTER TABLE keyless DROP COLUMN b');
UPDATE keyless SET b = 1 WHERE true;
SELECT public.fingerprint() AS before \gset
SELECT * FROM public.caught($$SELECT * FROM migmgr.rollback('003', on_data => 'archive')$$) \gx
SELECT status FROM migmgr.apply('004', 'cascade', 'CREATE TABLE base (i int PRIMARY KEY); CREATE MATERIALIZED VIEW mat AS SELECT i FROM base', 'DROP TABLE base CASCADE');
INSERT INTO base VALUES (1);
SELECT public.fingerprint() AS before \gset
SELECT * FROM public.caught($$SELECT * FROM migmgr.rollback('004', on_data => 'archive')$$) \gx
SELECT public.fingerprint() = :'before' AS unchanged;

-- rows that the script itself puts in are there once, as they were last; with another script, beside those of the new one
SELECT status FROM migmgr.apply('005', 'seeded', 'CREATE TABLE seeded (a int, at timestamptz); INSERT INTO seeded VALUES (1, clock_timestamp()), (2, clock_timestamp())', 'DROP TABLE seeded');
UPDATE seeded SET a = 10 WHERE a = 1;
SELECT status FROM migmgr.rollback('005', on_data => 'archive');
SELECT status, detail FROM migmgr.apply('005', 'seeded', 'CREATE TABLE seeded (a int, at timestamptz); INSERT INTO seeded VALUES (1, clock_timestamp()), (2, clock_timestamp())', 'DROP TABLE seeded');
SELECT a FROM seeded ORDER BY a;
SELECT status FROM migmgr.rollback('005', on_data => 'archive');
SELECT status, detail FROM migmgr.apply('005', 'seeded', 'CREATE TABLE seeded (a int, at timestamptz); INSERT INTO seeded VALUES (3, clock_timestamp())', 'DROP TABLE seeded');
SELECT a FROM seeded ORDER BY a;

-- a domain with a check goes along
SELECT status FROM migmgr.apply('006', 'checked', 'CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE TABLE counted (a positive)', 'DROP TABLE counted; DROP DOMAIN positive');
INSERT INTO counted VALUES (7);
SELECT status FROM migmgr.rollback('006', on_data => 'archive');
SELECT status, detail FROM migmgr.apply('006', 'checked', 'CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE TABLE counted (a positive)', 'DROP TABLE counted; DROP DOMAIN positive');
TABLE counted;

-- a domain that was there before, and gets its stricter check again
CREATE DOMAIN short AS varchar(9) CHECK (length(VALUE) < 3);
SELECT status FROM migmgr.apply('007', 'looser', 'ALTER DOMAIN short DROP CONSTRAINT short_check; ALTER DOMAIN short ADD CONSTRAINT short_check CHECK (length(VALUE) < 9); CREATE TABLE words (w short)');
INSERT INTO words VALUES ('longer');
SELECT status FROM migmgr.rollback('007', on_data => 'archive');
SELECT status FROM migmgr.apply('007', 'looser', 'ALTER DOMAIN short DROP CONSTRAINT short_check; ALTER DOMAIN short ADD CONSTRAINT short_check CHECK (length(VALUE) < 9); CREATE TABLE words (w short)');
SELECT w, pg_typeof(w) FROM words;

-- purge
SELECT * FROM public.caught($$SELECT * FROM migmgr.purge_archive()$$) \gx
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.purge_archive('migmgr_archive_0')$$);
SELECT status, detail FROM migmgr.purge_archive(older_than => '1 day');
SELECT archive FROM migmgr.archives WHERE state = 'kept' LIMIT 1 \gset
SELECT status, detail FROM migmgr.purge_archive(:'archive', reason => 'checked');
SELECT object, state, size FROM migmgr.archives WHERE version = '002' ORDER BY object;
SELECT event, version, detail::jsonb - 'archive' AS detail FROM migmgr.ledger ORDER BY seq DESC LIMIT 1;
SELECT check_name, status FROM migmgr.verify() WHERE check_name IN ('chain', 'texts');
\connect postgres
DROP DATABASE regress_migmgr_archive;
DROP ROLE regress_archive_owner;
