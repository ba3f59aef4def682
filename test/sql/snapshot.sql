-- What describes the schema: describe() and schema_fingerprint().
\set test snapshot
\set ECHO none
\i test/include/database.sql
SET client_min_messages = error;
SET jit = off;
SELECT migmgr.set_environment('development') \gset
CREATE ROLE regress_migmgr_snap_reader;
CREATE ROLE "regress migmgr ""Snap""";
\set ECHO all

\set ECHO none
\i test/include/app.sql
\set ECHO all
SELECT migmgr.schema_fingerprint() AS empty \gset
SELECT public.make_app();
SELECT migmgr.schema_fingerprint() AS full_one \gset

-- everything, as text
\pset format unaligned
SELECT regexp_replace(replace(definition, current_user, 'ME'), ' AS\nSELECT .*?(?=\n  OWNER)', ' AS ...') AS definition
  FROM migmgr_internal.describe() WHERE identity ~ 'app\.|^app$|regress' ORDER BY kind COLLATE "C", identity COLLATE "C";
SELECT kind, identity, needs FROM migmgr_internal.describe() WHERE needs IS NOT NULL AND needs <> '{"schema app"}' ORDER BY kind COLLATE "C", identity COLLATE "C";
\pset format aligned

-- the same schema, the same fingerprint
SELECT migmgr.schema_fingerprint() = :'full_one' AS again, :'full_one' <> :'empty' AS not_empty;
SET search_path = app, public;
SET datestyle = 'German';
SET intervalstyle = 'sql_standard';
SET timezone = 'Asia/Kolkata';
SET extra_float_digits = 0;
SET quote_all_identifiers = on;
SELECT migmgr.schema_fingerprint() = :'full_one' AS whatever_the_settings;
RESET ALL;
SET client_min_messages = error;
SELECT public.unmake_app();
SELECT migmgr.schema_fingerprint() = :'empty' AS gone;
SELECT public.make_app();
SELECT migmgr.schema_fingerprint() = :'full_one' AS other_oids;
ALTER TABLE app.org ADD COLUMN extra int;
SELECT migmgr.schema_fingerprint() = :'full_one' AS with_a_column;
ALTER TABLE app.org DROP COLUMN extra;
ALTER TABLE app.org DROP COLUMN name;
ALTER TABLE app.org ADD COLUMN name text UNIQUE NOT NULL;
SELECT migmgr.schema_fingerprint() = :'full_one' AS other_column_numbers;
CREATE TEMP TABLE temporary (a int);
CREATE TEMP VIEW temporary_view AS SELECT 1 AS one;
CREATE EXTENSION IF NOT EXISTS migmgr;
SELECT migmgr.schema_fingerprint() = :'full_one' AS temporary_objects_do_not_count;
GRANT INSERT ON app.t TO PUBLIC;
REVOKE INSERT ON app.t FROM PUBLIC;
GRANT SELECT ON app.org TO PUBLIC;
REVOKE SELECT ON app.org FROM PUBLIC;
SELECT migmgr.schema_fingerprint() = :'full_one' AS default_grants_written_down;

-- left out by schema
CREATE SCHEMA other;
CREATE TABLE other.t (a int);
SELECT migmgr.schema_fingerprint() = :'full_one' AS with_other, migmgr.schema_fingerprint('{other}') = :'full_one' AS without_other;
DROP SCHEMA other CASCADE;

-- each of these is another schema; test/t/031_snapshot.pl has all of them
\set ECHO none
SELECT migmgr.schema_fingerprint() AS was \gset
\i test/include/changes.sql
\set ECHO all
SELECT c.sql, u.why FROM public.change AS c, public.unseen(c.sql, :'was') AS u(why) WHERE c.n % 9 = 0 AND u.why IS NOT NULL ORDER BY c.n;
SELECT count(*) > 80 AS many FROM public.change;

-- of named objects: they and their parts, whatever part is named, and nothing else
CREATE FUNCTION public.of(VARIADIC addresses text[]) RETURNS TABLE (kind text, identity text) LANGUAGE sql AS $$
  SELECT d.kind, d.identity
    FROM (SELECT array_agg(a.classid) AS classids, array_agg(a.objid) AS objids
            FROM unnest(addresses) AS t(text), pg_get_object_address(split_part(t.text, ' ', 1), string_to_array(split_part(t.text, ' ', 2), '.'), '{}') AS a) AS a,
         migmgr_internal.describe(a.classids, a.objids) AS d
   ORDER BY d.kind COLLATE "C", d.identity COLLATE "C"
$$;
SELECT * FROM public.of('table app.org');
SELECT * FROM public.of('index app.t_n');
SELECT * FROM public.of('schema app', 'sequence app.s');
SELECT d.kind, d.identity FROM migmgr_internal.describe(ARRAY['pg_type'::regclass::oid, 'pg_type'::regclass], ARRAY['app.pos'::regtype::oid, 'app.comp'::regtype]) AS d ORDER BY d.kind COLLATE "C", d.identity COLLATE "C";
SELECT count(*) FROM migmgr_internal.describe(ARRAY['pg_class'::regclass::oid, 'pg_class'::regclass::oid], ARRAY['migmgr.ledger'::regclass::oid, 4294967295]);
SELECT * FROM public.of('table app.org') EXCEPT SELECT kind, identity FROM migmgr_internal.describe();

-- named or found, described the same
SELECT count(*) > 60 AS many, count(*) FILTER (WHERE n <> 2) AS described_differently
  FROM (SELECT count(*) AS n
          FROM (SELECT d.* FROM migmgr_internal.describe() AS d
                UNION ALL
                SELECT d.* FROM (SELECT array_agg(classid) AS c, array_agg(objid) AS o FROM migmgr_internal.describe()) AS a, migmgr_internal.describe(a.c, a.o) AS d) AS d
         GROUP BY to_jsonb(d)) AS g;

SELECT public.unmake_app();
\connect postgres
DROP DATABASE regress_migmgr_snapshot;
DROP ROLE regress_migmgr_snap_reader, "regress migmgr ""Snap""";
