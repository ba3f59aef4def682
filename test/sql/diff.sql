-- Snapshots that are kept, and what differs between them.
\set test diff
\set ECHO none
\i test/include/database.sql
SET client_min_messages = error;
SET jit = off;
SELECT migmgr.set_environment('development') \gset
CREATE ROLE regress_migmgr_diff;
\set ECHO all

CREATE SCHEMA app;
CREATE TABLE app.org (id bigint PRIMARY KEY, name text);
CREATE TABLE app.item (id bigint PRIMARY KEY, org bigint REFERENCES app.org, price numeric CHECK (price > 0));
CREATE VIEW app.prices AS SELECT price FROM app.item;
CREATE INDEX item_org ON app.item (org);
SELECT snapshot, length(fingerprint), objects, changed FROM migmgr.snapshot('one');
-- nothing changed: nothing is kept but the entry
SELECT snapshot, objects, changed FROM migmgr.snapshot('two');
SELECT change, kind, identity, before = after AS equal, undo FROM migmgr.diff('one', 'two');
SELECT change, identity FROM migmgr.diff('two');
SELECT event, detail::jsonb ->> 'label' AS label, detail::jsonb ->> 'fingerprint' = migmgr.schema_fingerprint() AS fingerprint FROM migmgr.ledger WHERE event = 'snapshot';

DROP VIEW app.prices;
ALTER TABLE app.item ALTER price TYPE numeric(9,2), DROP COLUMN org, ADD COLUMN note text DEFAULT 'x';
ALTER TABLE app.org RENAME COLUMN name TO title;
GRANT SELECT ON app.org TO regress_migmgr_diff;
CREATE TYPE app.mood AS ENUM ('sad');
\x
SELECT change, kind, identity, CASE kind WHEN 'view' THEN 'QUERY' ELSE replace(before, current_user, 'ME') END AS before, replace(after, current_user, 'ME') AS after,
  regexp_replace(replace(undo, current_user, 'ME'), ' AS SELECT\s.*?;', ' AS SELECT ...;') AS undo FROM migmgr.diff('two') WHERE kind IS NOT NULL;
SELECT change, identity, regexp_replace(replace(undo, current_user, 'ME'), ' AS SELECT\s.*?;', ' AS SELECT ...;') AS undo FROM migmgr.diff('two') WHERE kind IS NULL;
\x
SELECT snapshot, changed FROM migmgr.snapshot('three');
SELECT change, identity FROM migmgr.diff('two', 'three') WHERE kind IS NULL;
SELECT change, identity FROM migmgr.diff('three', 'two') WHERE kind IS NULL;
SELECT change, identity FROM migmgr.diff('three');
SELECT change, identity FROM migmgr.diff('current', 'two') WHERE kind IS NULL;

-- the SQL of the summary leads back
DO $$
DECLARE
  script text := (SELECT undo FROM migmgr.diff('two') WHERE kind IS NULL);
BEGIN
  EXECUTE regexp_replace(script, '-- does not come back:[^\n]*', '', 'g');
END
$$;
SELECT change, identity FROM migmgr.diff('two');

-- with schemas left out
CREATE SCHEMA other;
SELECT snapshot, changed > 0 AS a_scope_of_its_own FROM migmgr.snapshot('without', '{other,other}');
CREATE TABLE other.t (a int);
SELECT change, identity FROM migmgr.diff('without');
SELECT change, identity FROM migmgr.diff('two') WHERE kind IS NULL;

-- for a file
\pset format unaligned
SELECT regexp_replace(replace(migmgr.schema_text('{app}'), current_user, 'ME'), ' AS\nSELECT .*?(?=\n  OWNER)', ' AS ...');
SELECT migmgr.schema_text('{nowhere}') IS NULL, length(migmgr.schema_text()) > length(migmgr.schema_text('{app}'));
\pset format aligned

-- refused
SELECT * FROM public.caught($$SELECT * FROM migmgr.snapshot('one')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.snapshot('current')$$);
SELECT state, message FROM public.caught($$SELECT * FROM migmgr.snapshot(NULL)$$);
SELECT * FROM public.caught($$SELECT * FROM migmgr.diff('four')$$);
SELECT * FROM public.caught($$SELECT * FROM migmgr.diff('two', 'without')$$);
SELECT state FROM public.caught($$UPDATE migmgr_internal.snapshot_object SET definition = 'x'$$);
SELECT state FROM public.caught($$DELETE FROM migmgr_internal.snapshot$$);

\connect postgres
DROP DATABASE regress_migmgr_diff;
DROP ROLE regress_migmgr_diff;
