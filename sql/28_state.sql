-- The recorded state of the schema: what drift() compares with, object by
-- object.  baseline() and accept_drift() record under the lock of the ledger,
-- and their entry holds the hash.  What else migrations leave is described
-- when it is needed, at the latest before the next DDL from elsewhere, without
-- that lock (src/state.c); such a recording has a row of its own, which says
-- up to which entry it goes, and comes under the chain with the next seal.

CREATE TABLE migmgr_internal.state (
  recording bigint      NOT NULL,
  n         integer     NOT NULL,
  at        timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  kind      text        NOT NULL,
  identity  text        NOT NULL,
  parent    text,
  objid     oid         NOT NULL,
  objsubid  integer     NOT NULL,
  described jsonb,
  PRIMARY KEY (recording, n)
);
COMMENT ON TABLE migmgr_internal.state IS 'objects as recordings found them, rows of describe(); described is NULL for one that went';
CREATE INDEX state_object ON migmgr_internal.state (kind, identity, recording DESC);
CREATE INDEX state_parent ON migmgr_internal.state (parent) WHERE parent IS NOT NULL;
CREATE INDEX state_address ON migmgr_internal.state (objid) WHERE objid <> 0;

CREATE TABLE migmgr_internal.recording (
  id      bigint      PRIMARY KEY,
  at      timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  through bigint      NOT NULL
);
COMMENT ON TABLE migmgr_internal.recording IS 'recordings of the objects of all runs up to an entry of the ledger';
CREATE INDEX recording_through ON migmgr_internal.recording (through);

-- Recordings are numbered without a lock: DDL from elsewhere must not wait.
CREATE SEQUENCE migmgr_internal.recording_id_seq;

DO $$
DECLARE
  t pg_catalog.text;
BEGIN
  FOREACH t IN ARRAY ARRAY['state', 'recording'] LOOP
    EXECUTE pg_catalog.format('CREATE TRIGGER row_guard BEFORE INSERT OR UPDATE OR DELETE ON migmgr_internal.%1$I
      FOR EACH ROW EXECUTE FUNCTION migmgr_internal.row_guard(''config'')', t);
    EXECUTE pg_catalog.format('CREATE TRIGGER row_guard_truncate BEFORE TRUNCATE ON migmgr_internal.%1$I
      FOR EACH STATEMENT EXECUTE FUNCTION migmgr_internal.row_guard(''config'')', t);
    EXECUTE pg_catalog.format('ALTER TABLE migmgr_internal.%I ENABLE ALWAYS TRIGGER row_guard', t);
    EXECUTE pg_catalog.format('ALTER TABLE migmgr_internal.%I ENABLE ALWAYS TRIGGER row_guard_truncate', t);
  END LOOP;
END
$$;
SELECT pg_catalog.pg_extension_config_dump('migmgr_internal.state', '');
SELECT pg_catalog.pg_extension_config_dump('migmgr_internal.recording', '');
SELECT pg_catalog.pg_extension_config_dump('migmgr_internal.recording_id_seq', '');
GRANT SELECT ON migmgr_internal.state, migmgr_internal.recording TO pg_database_owner;
GRANT SELECT ON SEQUENCE migmgr_internal.recording_id_seq TO pg_database_owner;

CREATE FUNCTION migmgr_internal.state_number() RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_state_number';
REVOKE ALL ON FUNCTION migmgr_internal.state_number() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.state_number() IS 'the number of the next recording';

CREATE FUNCTION migmgr_internal.state_settle() RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_state_settle';
REVOKE ALL ON FUNCTION migmgr_internal.state_settle() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.state_settle() IS 'record what runs have left and nobody has described yet';

CREATE FUNCTION migmgr_internal.state_hash(recording bigint) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT encode(sha256(convert_to(string_agg(concat(migmgr_internal.field(s.kind), migmgr_internal.field(s.identity),
           migmgr_internal.field(s.described ->> 'definition')), '' ORDER BY s.n), 'UTF8')), 'hex')
    FROM migmgr_internal.state AS s WHERE s.recording = state_hash.recording
$$;
REVOKE ALL ON FUNCTION migmgr_internal.state_hash(bigint) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.state_hash(bigint) IS 'sha256 over the kinds, names and definitions of a recording';
