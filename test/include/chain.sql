-- A ledger with known times and texts, written the way a restore writes it:
-- by a superuser, linked, before this database is the ledger's home.
CREATE FUNCTION public.script(t text) RETURNS text LANGUAGE sql AS $$
  INSERT INTO migmgr_internal.script (checksum, text, shape, stored)
  VALUES (migmgr.checksum(t), migmgr_internal.canonical(t), migmgr_internal.shape(t), migmgr.checksum(t))
  ON CONFLICT (checksum) DO NOTHING;
  SELECT migmgr.checksum(t)
$$;
CREATE FUNCTION public.entry(minute integer, event text, version text, name text, checksum text, detail text) RETURNS bigint
  LANGUAGE sql AS $$
  INSERT INTO migmgr.ledger
  SELECT h.seq + 1, t.at, event, version, name, checksum, 'alice', 'deployer', NULL, 'psql', detail, h.hash,
         migmgr_internal.ledger_hash(h.hash, h.seq + 1, t.at, event, version, name, checksum, 'alice', 'deployer', NULL, 'psql', detail)
    FROM (SELECT '2026-01-02 12:00:00+00'::timestamptz + minute * interval '1 minute' AS at) AS t,
         (SELECT 0::bigint AS seq, '' AS hash UNION ALL SELECT seq, hash FROM migmgr.ledger ORDER BY seq DESC LIMIT 1) AS h
  RETURNING seq
$$;
CREATE FUNCTION public.failure(minute integer, action text, version text, name text, message text) RETURNS void
  LANGUAGE sql AS $$
  INSERT INTO migmgr_internal.attempt (at, action, version, name, session_role, role, sqlstate, message, ms)
  VALUES ('2026-01-02 12:00:00+00'::timestamptz + minute * interval '1 minute', action, version, name, 'alice', 'deployer', '42P01', message, 5)
$$;
-- How a superuser goes behind migmgr's back; it takes a new session to work.
CREATE FUNCTION public.row_guard(state "char") RETURNS void LANGUAGE sql AS $$
  UPDATE pg_catalog.pg_trigger SET tgenabled = state WHERE tgname LIKE 'row\_guard%'
$$;
