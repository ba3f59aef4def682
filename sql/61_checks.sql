-- Named checks.  A definition is an entry of the ledger, the last one of its
-- name; results are rows that only migmgr's C code writes.

CREATE VIEW migmgr_internal.check_definition WITH (security_invoker = false) AS
  SELECT e.detail ->> 'name' AS name, e.detail ->> 'sql' AS sql, e.detail ->> 'expect' AS expect,
         ARRAY(SELECT jsonb_array_elements_text(e.detail -> 'run_at')) AS run_at,
         e.detail ->> 'run_as' AS run_as,
         CASE jsonb_typeof(e.detail -> 'environments') WHEN 'array' THEN ARRAY(SELECT jsonb_array_elements_text(e.detail -> 'environments')) END AS environments,
         e.detail ->> 'adder' AS adder, e.detail ->> 'search_path' AS search_path, e.at, e.detail
    FROM (SELECT DISTINCT ON (d.detail ->> 'name') l.event, l.at, d.detail
            FROM migmgr.ledger AS l CROSS JOIN LATERAL (SELECT l.detail::jsonb AS detail) AS d
           WHERE l.event IN ('check', 'check dropped') AND l.event NOT IN ('applied', 'rolled back')
           ORDER BY d.detail ->> 'name', l.seq DESC) AS e
   WHERE e.event = 'check';
COMMENT ON VIEW migmgr_internal.check_definition IS 'named checks in force';

CREATE TABLE migmgr_internal.check_result (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz NOT NULL,
  check_name text        NOT NULL,
  run_at     text        NOT NULL,
  version    text,
  status     text        NOT NULL,
  value      text,
  detail     text,
  ms         numeric     NOT NULL
);
COMMENT ON TABLE migmgr_internal.check_result IS 'what named checks came to, the newest 1,000 of each';
CREATE INDEX check_result_name ON migmgr_internal.check_result (check_name, id);

CREATE TRIGGER row_guard BEFORE INSERT OR UPDATE OR DELETE ON migmgr_internal.check_result
  FOR EACH ROW EXECUTE FUNCTION migmgr_internal.row_guard('record');
CREATE TRIGGER row_guard_truncate BEFORE TRUNCATE ON migmgr_internal.check_result
  FOR EACH STATEMENT EXECUTE FUNCTION migmgr_internal.row_guard('record');
ALTER TABLE migmgr_internal.check_result ENABLE ALWAYS TRIGGER row_guard;
ALTER TABLE migmgr_internal.check_result ENABLE ALWAYS TRIGGER row_guard_truncate;
SELECT pg_catalog.pg_extension_config_dump('migmgr_internal.check_result', '');
SELECT pg_catalog.setval('migmgr_internal.check_result_id_seq',
  (EXTRACT(epoch FROM pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.*) 1000::pg_catalog.numeric)::pg_catalog.int8);
SELECT pg_catalog.pg_extension_config_dump('migmgr_internal.check_result_id_seq', '');
GRANT SELECT ON migmgr_internal.check_result TO pg_database_owner;
GRANT SELECT ON SEQUENCE migmgr_internal.check_result_id_seq TO pg_database_owner;

-- It keeps the caller's search_path, with which the check's names are read.
CREATE FUNCTION migmgr.add_check(
  name text, sql text, expect text DEFAULT 'true', run_at text[] DEFAULT '{after,verify}', run_as text DEFAULT NULL,
  environments text[] DEFAULT NULL) RETURNS text
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_add_check';
REVOKE ALL ON FUNCTION migmgr.add_check(text, text, text, text[], text, text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.add_check(text, text, text, text[], text, text[])
  IS 'add a named check: SQL whose value is as expected, or that returns no rows, or TAP; run_at before, after, verify, schedule';

CREATE FUNCTION migmgr.drop_check(name text) RETURNS text
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_drop_check';
REVOKE ALL ON FUNCTION migmgr.drop_check(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.drop_check(text) IS 'take a named check away';

-- It runs nothing but what the ledger has, each as the role that it names.
CREATE FUNCTION migmgr_internal.run_checks(run_at text, record boolean)
  RETURNS TABLE (check_name text, status text, value text, expected text, detail text, ms bigint)
  LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10 SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_run_checks';
REVOKE ALL ON FUNCTION migmgr_internal.run_checks(text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.run_checks(text, boolean) IS 'run the named checks of a moment (NULL: all) and keep their results, if told to';

CREATE FUNCTION migmgr.run_checks(run_at text DEFAULT NULL)
  RETURNS TABLE (check_name text, status text, value text, expected text, detail text, ms bigint)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  IF run_checks.run_at IS NOT NULL THEN
    PERFORM migmgr_internal.check_word('run_at', run_checks.run_at, '{before,after,verify,schedule}');
  END IF;
  RETURN QUERY
  WITH row AS MATERIALIZED (
    SELECT r.*, CASE r.status WHEN 'ok' THEN 3 WHEN 'table missing' THEN 2 ELSE 1 END AS rank
      FROM migmgr_internal.run_checks(run_checks.run_at, true) AS r
  )
  SELECT s.check_name, s.status, s.value, s.expected, s.detail, s.ms
    FROM (SELECT 0 AS rank, format('%s check%s', count(*), CASE WHEN count(*) <> 1 THEN 's' END) AS check_name,
                 CASE min(r.rank) WHEN 1 THEN 'failed' WHEN 2 THEN 'table missing' ELSE 'ok' END AS status, NULL::text AS value, NULL::text AS expected,
                 concat_ws(', ', count(*) FILTER (WHERE r.rank = 3) || ' ok', nullif(count(*) FILTER (WHERE r.rank = 1), 0) || ' failed',
                   nullif(count(*) FILTER (WHERE r.rank = 2), 0) || ' without their table') || format(', in %s (%s)', current_database(), migmgr.environment()) AS detail,
                 COALESCE(sum(r.ms), 0)::bigint AS ms
            FROM row AS r
          UNION ALL
          SELECT r.rank, r.check_name, r.status, r.value, r.expected, r.detail, r.ms FROM row AS r) AS s
   ORDER BY s.rank, s.check_name COLLATE "C";
  PERFORM migmgr_internal.tell_advice();
  PERFORM migmgr_internal.tell_drift();
END
$$;
REVOKE ALL ON FUNCTION migmgr.run_checks(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.run_checks(text) IS 'run the named checks of a moment (none named: all of them), undone afterwards, and keep the results';

CREATE VIEW migmgr.checks WITH (security_invoker = false) AS
  SELECT c.name, r.status AS last_status, r.at AS last_run, r.value AS last_value, c.expect, c.run_at, c.environments, c.run_as,
         r.detail AS last_detail, r.ms AS last_ms, c.sql, c.adder AS added_by, c.at AS added_at
    FROM migmgr_internal.check_definition AS c
    LEFT JOIN LATERAL (SELECT k.* FROM migmgr_internal.check_result AS k WHERE k.check_name = c.name ORDER BY k.id DESC LIMIT 1) AS r ON true
   ORDER BY CASE r.status WHEN 'ok' THEN 3 WHEN 'table missing' THEN 2 ELSE 1 END, c.name COLLATE "C";
COMMENT ON VIEW migmgr.checks IS 'named checks, and what the last run of each came to; what needs attention first';

CREATE FUNCTION migmgr_internal.check_checks()
  RETURNS TABLE(check_name text, object text, status text, detail text, hint text)
  LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT 'checks', r.check_name, CASE r.status WHEN 'ok' THEN 'ok' WHEN 'table missing' THEN 'warning' ELSE 'failed' END,
         COALESCE(CASE r.status WHEN 'table missing' THEN 'table missing: ' ELSE '' END || r.detail, format('%s (%s ms)', COALESCE(r.value, r.expected), r.ms)),
         CASE WHEN r.status <> 'ok' THEN format('SELECT sql FROM migmgr.checks WHERE name = %L;', r.check_name) END
    FROM migmgr_internal.run_checks('verify', false) AS r
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_checks() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_checks() IS 'the team''s own checks that are to run in verify()';
