-- A database of its own for a test file: \set test NAME, then \i this from the top folder.
-- public.caught(sql) runs sql and says how it failed, with what differs from
-- run to run masked; public.fingerprint() changes when anything is left behind.
SET client_min_messages = warning;
SELECT 'regress_migmgr_' || :'test' AS db \gset
DROP DATABASE IF EXISTS :"db";
CREATE DATABASE :"db";
\connect :"db"
SET client_min_messages = warning;
CREATE EXTENSION migmgr;

CREATE FUNCTION public.mask(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT regexp_replace(regexp_replace(regexp_replace(t, '[0-9a-f]{64}', 'SUM', 'g'),
    '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+', 'TIME', 'g'), 'TIME by [^ ;.)]+', 'TIME by ROLE', 'g')
$$;
CREATE FUNCTION public.caught(sql text) RETURNS TABLE (state text, message text, detail text, hint text)
  LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE sql;
  state := 'no error';
  RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
    detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  message := public.mask(message);
  detail := public.mask(detail);
  hint := public.mask(hint);
  RETURN NEXT;
END
$$;
CREATE FUNCTION public.fingerprint() RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws('/', (SELECT count(*) FROM migmgr.ledger), (SELECT count(*) FROM migmgr_internal.script),
    (SELECT md5(string_agg(concat(c.oid, c.relname, c.relfilenode, a.attname, a.atttypid, a.attnotnull), ',' ORDER BY c.oid, a.attnum))
       FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace),
    (SELECT md5(string_agg(concat(name, '=', setting), ',' ORDER BY name)) FROM pg_settings
      WHERE name IN ('role', 'session_authorization', 'search_path', 'lock_timeout', 'work_mem', 'log_min_messages',
                     'client_encoding', 'transaction_read_only')))
$$;
