-- Rows that a migration puts into older tables: the derived way back takes them out.
\set test inverse_rows
\set ECHO none
\i test/include/database.sql
SELECT migmgr.set_environment('development') \gset
SET client_min_messages = error;
\set ECHO all
CREATE TABLE kinds (k text, n int, "O%d" timestamptz DEFAULT now(), twice int GENERATED ALWAYS AS (n * 2) STORED, PRIMARY KEY (k, n));
INSERT INTO kinds VALUES ('a', 1), ('z', 9);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent);
CREATE TABLE keyless (a int);
CREATE FUNCTION way_back(version text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT regexp_replace(l, '[0-9a-f]{32}', 'HASH') FROM migmgr.ledger AS e JOIN migmgr_internal.script AS s ON s.checksum = e.detail::jsonb ->> 'derived',
    regexp_split_to_table(rtrim(s.text, E'\n'), E'\n') AS l WHERE e.version = way_back.version
$$;

-- whatever hides it; of what has been changed and changed again, the end counts
\set script 'INSERT INTO kinds VALUES (''b%s'', 2), (''c'', 3), (''e'', 5); DO $d$BEGIN INSERT INTO kinds VALUES (''d'', 4); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1); END$d$; CREATE TABLE more (k text, n int, FOREIGN KEY (k, n) REFERENCES kinds); INSERT INTO more VALUES (''c'', 3); DELETE FROM kinds WHERE k = ''e''; ALTER TABLE kinds ADD COLUMN extra int DEFAULT 5; UPDATE kinds SET extra = 7 WHERE k IN (''a'', ''c'')'
SELECT status, reversible FROM migmgr.apply('1', 'seeds', :'script');
SELECT * FROM way_back('1');
SELECT status FROM migmgr.rollback('1', 'test', on_data => 'archive');
SELECT k, n FROM kinds ORDER BY k;
SELECT (SELECT count(*) FROM parent) AS parents, (SELECT count(*) FROM child) AS children;

-- once more; then with a row that was changed since, which stays
SELECT status, reversible FROM migmgr.apply('1', 'seeds', :'script');
SELECT k, n, extra FROM kinds ORDER BY k;
UPDATE kinds SET "O%d" = '2026-01-01' WHERE k = 'd';
SELECT status FROM migmgr.rollback('1', 'test', on_data => 'discard');
SELECT k, n FROM kinds ORDER BY k;

-- with other settings
SELECT status FROM migmgr.apply('2', 'times', $$INSERT INTO kinds VALUES ('t', 1)$$);
SET timezone = 'Asia/Kathmandu';
SET datestyle = 'German';
SELECT status FROM migmgr.rollback('2');
RESET timezone;
RESET datestyle;
SELECT k, n FROM kinds ORDER BY k;

-- something refers to it since, which would go along; then not any more
CREATE TABLE dependent (id int PRIMARY KEY, k text, n int, FOREIGN KEY (k, n) REFERENCES kinds ON DELETE CASCADE);
SELECT status FROM migmgr.apply('2a', 'referred to', $$INSERT INTO kinds VALUES ('u', 1), ('v', 1)$$);
SELECT * FROM way_back('2a');
INSERT INTO dependent VALUES (1, 'u', 1);
SELECT status FROM migmgr.rollback('2a');
SELECT k, n FROM kinds ORDER BY k;
DELETE FROM dependent WHERE id = 1;
DELETE FROM kinds WHERE k = 'u';

-- before a column is made again that they have no value for
CREATE TABLE filled (id int PRIMARY KEY, c int NOT NULL);
SELECT status FROM migmgr.apply('2b', 'filled', $$INSERT INTO filled VALUES (1, 1); ALTER TABLE filled DROP COLUMN c; ALTER TABLE filled RENAME COLUMN id TO n; INSERT INTO filled VALUES (2)$$);
SELECT status FROM migmgr.rollback('2b');
TABLE filled;

-- a foreign key that was made since, and would take rows along
CREATE TABLE early (f float8 PRIMARY KEY, d date);
SET extra_float_digits = 0;
SET datestyle = 'German';
SELECT status FROM migmgr.apply('2c', 'keys', $$INSERT INTO early VALUES (0.1::float8 + 0.2, '01.02.2024'), (5, NULL)$$);
RESET extra_float_digits;
RESET datestyle;
CREATE TABLE late (f float8 REFERENCES early ON DELETE CASCADE);
INSERT INTO late VALUES (5);
SELECT status FROM migmgr.rollback('2c');
SELECT (SELECT count(*) FROM early) AS early, (SELECT count(*) FROM late) AS late;
DROP TABLE late;
TRUNCATE early;
SET extra_float_digits = 0;
SELECT status FROM migmgr.apply('2d', 'keys', $$INSERT INTO early VALUES (0.1::float8 + 0.2, '2024-02-01'), (5, NULL)$$);
RESET extra_float_digits;
SELECT status FROM migmgr.rollback('2d');
SELECT count(*) FROM early;

-- a row that moves to another partition
CREATE TABLE parted (a int PRIMARY KEY, b text) PARTITION BY RANGE (a);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
INSERT INTO parted VALUES (5, 'five');
SELECT status, reversible FROM migmgr.apply('2e', 'moves', 'UPDATE parted SET a = 16 WHERE a = 5');
TABLE parted;

-- what stays, and is said: no key, another name, rows of its own kind
SELECT status, reversible FROM migmgr.apply('3', 'keyless', 'INSERT INTO keyless VALUES (1), (2)');
SELECT status, reversible FROM migmgr.apply('4', 'named', 'INSERT INTO kinds VALUES (''f'', 6); ALTER TABLE kinds RENAME COLUMN k TO kind');
SELECT * FROM way_back('4');
SELECT status FROM migmgr.rollback('4');
SELECT status, reversible FROM migmgr.apply('5', 'changed', 'UPDATE kinds SET n = n + 1 WHERE k = ''a''; UPDATE kinds SET n = n WHERE k = ''z''; DELETE FROM kinds WHERE k = ''f''; DELETE FROM keyless WHERE a = 1');
SELECT status, reversible FROM migmgr.apply('6', 'truncated', 'TRUNCATE keyless');
SELECT status, reversible FROM migmgr.apply('7', 'anew', 'INSERT INTO kinds VALUES (''g'', 7); ALTER TABLE kinds ALTER COLUMN "O%d" TYPE text');
SELECT status, reversible FROM migmgr.apply('8', 'many', 'INSERT INTO parent SELECT g FROM generate_series(1, 1001) AS g');

-- what came before it in the same transaction is not its own
BEGIN;
INSERT INTO child VALUES (50, NULL);
SELECT status, reversible FROM migmgr.apply('10', 'inside', 'INSERT INTO child VALUES (51, NULL)');
SELECT * FROM way_back('10');
COMMIT;
SELECT status FROM migmgr.rollback('10');
SELECT id FROM child ORDER BY id;
\connect postgres
DROP DATABASE regress_migmgr_inverse_rows;
