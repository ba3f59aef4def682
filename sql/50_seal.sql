-- Sealing: failed attempts, DDL and recordings of the state are written without
-- the lock of the chain, so they come under it later.  A seal names its rows exactly (ids are not in
-- the order of commits, so never "up to id n"), their number and their hash;
-- the rows themselves are never touched.

CREATE VIEW migmgr_internal.evidence WITH (security_invoker = false) AS
  SELECT 'attempt'::text AS record, a.id, a.at,
         encode(sha256(convert_to(concat('migmgr/attempt/1 ', a.id, ' ', (EXTRACT(epoch FROM a.at) * 1000000)::bigint,
           migmgr_internal.field(a.action), migmgr_internal.field(a.version), migmgr_internal.field(a.name),
           migmgr_internal.field(a.checksum), migmgr_internal.field(a.session_role), migmgr_internal.field(a.role),
           migmgr_internal.field(a.client), migmgr_internal.field(a.application), migmgr_internal.field(a.sqlstate),
           migmgr_internal.field(a.message), migmgr_internal.field(a.detail), migmgr_internal.field(a.hint),
           migmgr_internal.field(a.statement::text), migmgr_internal.field(a.line::text), migmgr_internal.field(a.ms::text)),
           'UTF8')), 'hex') AS hash
    FROM migmgr_internal.attempt AS a
  UNION ALL
  SELECT 'ddl_log'::text, d.id, d.at,
         encode(sha256(convert_to(concat('migmgr/ddl_log/1 ', d.id, ' ', (EXTRACT(epoch FROM d.at) * 1000000)::bigint,
           migmgr_internal.field(d.session_role), migmgr_internal.field(d.role), migmgr_internal.field(d.client),
           migmgr_internal.field(d.application), migmgr_internal.field(d.command),
           migmgr_internal.field(d.object), migmgr_internal.field(d.class), migmgr_internal.field(d.rule),
           migmgr_internal.field(d.action), migmgr_internal.field(d.sql)), 'UTF8')), 'hex')
    FROM migmgr_internal.ddl_log AS d
  UNION ALL
  SELECT 'state'::text, r.id, r.at,
         encode(sha256(convert_to(concat('migmgr/state/1 ', r.id, ' ', (EXTRACT(epoch FROM r.at) * 1000000)::bigint, ' ', r.through,
           migmgr_internal.field(migmgr_internal.state_hash(r.id))), 'UTF8')), 'hex')
    FROM migmgr_internal.recording AS r;
COMMENT ON VIEW migmgr_internal.evidence IS 'rows that seals bring under the chain, each with its hash';

CREATE FUNCTION migmgr_internal.sealed_ids(record text) RETURNS int8multirange
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT COALESCE(range_agg((l.detail::jsonb ->> 'ids')::int8multirange), '{}')
    FROM migmgr.ledger AS l
   WHERE l.event = 'seal' AND l.detail::jsonb ->> 'table' = sealed_ids.record
$$;
REVOKE ALL ON FUNCTION migmgr_internal.sealed_ids(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.sealed_ids(text) IS 'ids of attempt, ddl_log or state that a seal names';

-- Reads the gaps between what is sealed, each by the primary key, so its cost
-- does not grow with the number of rows that are sealed already.
CREATE FUNCTION migmgr_internal.unsealed(record text, max_rows bigint)
  RETURNS TABLE(id bigint, at timestamptz, hash text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN QUERY
  SELECT e.id, e.at, e.hash
    FROM unnest('{(,)}'::int8multirange - migmgr_internal.sealed_ids(unsealed.record)) AS gap
   CROSS JOIN LATERAL (
     SELECT v.id, v.at, v.hash FROM migmgr_internal.evidence AS v
      WHERE v.record = unsealed.record
        AND v.id >= COALESCE(lower(gap), -9223372036854775808)
        AND v.id < COALESCE(upper(gap), 9223372036854775807)
      ORDER BY v.id LIMIT unsealed.max_rows) AS e
   LIMIT unsealed.max_rows;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.unsealed(text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.unsealed(text, bigint) IS 'the first rows of attempt, ddl_log or state that no seal names';

-- Two sessions may pick the same rows.  The entry is written under the lock of
-- the chain, so afterwards it shows whether another seal came between; then
-- this one is undone and tried again on what is left.
CREATE FUNCTION migmgr_internal.seal_record(record text, max_rows bigint) RETURNS bigint
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  seen bigint;
  batch record;
  mine bigint;
BEGIN
  FOR try IN 1 .. 10 LOOP
    SELECT COALESCE(max(l.seq), 0) INTO seen FROM migmgr.ledger AS l WHERE l.event = 'seal';
    SELECT count(*) AS rows, range_agg(int8range(u.id, u.id + 1)) AS ids,
           encode(sha256(convert_to(string_agg(u.hash, '' ORDER BY u.id), 'UTF8')), 'hex') AS hash
      INTO batch
      FROM migmgr_internal.unsealed(seal_record.record, seal_record.max_rows) AS u;
    IF batch.rows = 0 THEN
      RETURN 0;
    END IF;
    BEGIN
      mine := migmgr_internal.ledger_append('seal', NULL, jsonb_build_object(
        'table', seal_record.record, 'ids', batch.ids::text, 'count', batch.rows, 'hash', batch.hash));
      IF EXISTS (SELECT FROM migmgr.ledger AS l WHERE l.event = 'seal' AND l.seq > seen AND l.seq < mine) THEN
        RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
          MESSAGE = 'another session sealed rows at the same time', HINT = 'Try again.';
      END IF;
      RETURN batch.rows;
    EXCEPTION WHEN serialization_failure THEN
      IF try = 10 THEN
        RAISE;
      END IF;
    END;
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.seal_record(text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.seal_record(text, bigint) IS 'one seal over the first unsealed rows of attempt, ddl_log or state; returns their number';

-- Sealing is never worth failing for: what another session is in the way of
-- is sealed the next time.
CREATE FUNCTION migmgr_internal.seal_batch(max_rows bigint DEFAULT 5000) RETURNS bigint
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  total bigint := 0;
  record text;
BEGIN
  FOREACH record IN ARRAY '{attempt,ddl_log,state}'::text[] LOOP
    BEGIN
      total := total + migmgr_internal.seal_record(record, max_rows);
    EXCEPTION WHEN serialization_failure OR SQLSTATE 'MG204' THEN
      EXIT;
    END;
  END LOOP;
  RETURN total;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.seal_batch(bigint) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.seal_batch(bigint) IS 'at most one seal per table, for apply and sweep; returns the number of rows sealed';

CREATE FUNCTION migmgr.seal() RETURNS TABLE(record text, rows bigint, seals bigint, ms bigint)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  began timestamptz := clock_timestamp();
  n bigint;
  total bigint[] := '{0,0,0}';
  entries bigint[] := '{0,0,0}';
  names text[] := '{attempt,ddl_log,state}';
BEGIN
  PERFORM migmgr_internal.state_settle();
  FOR i IN 1 .. 3 LOOP
    LOOP
      n := migmgr_internal.seal_record(names[i], 5000);
      EXIT WHEN n = 0;
      total[i] := total[i] + n;
      entries[i] := entries[i] + 1;
    END LOOP;
  END LOOP;
  record := 'all';
  rows := total[1] + total[2] + total[3];
  seals := entries[1] + entries[2] + entries[3];
  ms := (EXTRACT(epoch FROM clock_timestamp() - began) * 1000)::bigint;
  RETURN NEXT;
  ms := NULL;
  FOR i IN 1 .. 3 LOOP
    record := names[i];
    rows := total[i];
    seals := entries[i];
    RETURN NEXT;
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION migmgr.seal() FROM PUBLIC;
COMMENT ON FUNCTION migmgr.seal() IS 'bring all failed attempts, logged DDL and recordings of the state under the chain';
