-- The ledger: one row per event, each hashed over the one before.

CREATE TABLE migmgr.ledger (
  seq          bigint      PRIMARY KEY,
  at           timestamptz NOT NULL,
  event        text        NOT NULL,
  version      text,
  name         text,
  checksum     text,
  session_role text        NOT NULL,
  role         text        NOT NULL,
  client       text,
  application  text,
  detail       text        NOT NULL CHECK (pg_catalog.jsonb_typeof(detail::pg_catalog.jsonb) OPERATOR(pg_catalog.=) 'object'),
  prev_hash    text        NOT NULL UNIQUE,
  hash         text        NOT NULL
);
COMMENT ON TABLE migmgr.ledger IS 'append-only, hash-chained record of everything migmgr did; rows come only from migmgr itself';
COMMENT ON COLUMN migmgr.ledger.seq IS 'position in the chain, without gaps';
COMMENT ON COLUMN migmgr.ledger.at IS 'when it was recorded (clock time, not transaction start)';
COMMENT ON COLUMN migmgr.ledger.event IS 'what happened: applied, rolled back, epoch, seal, watch, ...';
COMMENT ON COLUMN migmgr.ledger.version IS 'version of the migration, if the event is about one';
COMMENT ON COLUMN migmgr.ledger.name IS 'name of the migration';
COMMENT ON COLUMN migmgr.ledger.checksum IS 'sha256 of the canonical script text, lower-case hex';
COMMENT ON COLUMN migmgr.ledger.session_role IS 'role that logged in';
COMMENT ON COLUMN migmgr.ledger.role IS 'role in effect (after SET ROLE)';
COMMENT ON COLUMN migmgr.ledger.client IS 'client address, NULL for a local socket';
COMMENT ON COLUMN migmgr.ledger.application IS 'application_name of the session';
COMMENT ON COLUMN migmgr.ledger.detail IS 'a JSON object, kept as text so that its hash survives dump and restore';
COMMENT ON COLUMN migmgr.ledger.prev_hash IS 'hash of the entry before; empty in the first';
COMMENT ON COLUMN migmgr.ledger.hash IS 'sha256 over prev_hash and the length-prefixed fields, see migmgr_internal.ledger_hash';

CREATE INDEX ledger_version ON migmgr.ledger (version, seq) WHERE version IS NOT NULL;
CREATE INDEX ledger_event ON migmgr.ledger (event, seq) WHERE event NOT IN ('applied', 'rolled back');

-- Length-prefixed, so that no two different entries give the same bytes; NULL
-- differs from ''.  No OIDs, no locale, UTC: it survives dump and restore.
CREATE FUNCTION migmgr_internal.field(text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$SELECT COALESCE(pg_catalog.length($1)::pg_catalog.text OPERATOR(pg_catalog.||) ':'::pg_catalog.text OPERATOR(pg_catalog.||) $1, '-'::pg_catalog.text)$$;
COMMENT ON FUNCTION migmgr_internal.field(text) IS 'a text with its length in characters before it';

-- STABLE, as concat() is: called otherwise it would not be inlined, and verify()
-- would take three times as long.
CREATE FUNCTION migmgr_internal.ledger_hash(
  prev_hash text, seq bigint, at timestamptz, event text, version text, name text, checksum text,
  session_role text, role text, client text, application text, detail text) RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE
  AS $$SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
    pg_catalog.concat('migmgr/ledger/1 '::pg_catalog.text, $1, ' '::pg_catalog.text, $2, ' '::pg_catalog.text,
      (EXTRACT(epoch FROM $3) OPERATOR(pg_catalog.*) 1000000::pg_catalog.numeric)::pg_catalog.int8,
      migmgr_internal.field($4), migmgr_internal.field($5), migmgr_internal.field($6), migmgr_internal.field($7),
      migmgr_internal.field($8), migmgr_internal.field($9), migmgr_internal.field($10), migmgr_internal.field($11),
      migmgr_internal.field($12)), 'UTF8'::pg_catalog.name)), 'hex'::pg_catalog.text)$$;
COMMENT ON FUNCTION migmgr_internal.ledger_hash(text, bigint, timestamptz, text, text, text, text, text, text, text, text, text)
  IS 'hash of a ledger entry, with nothing but built-in functions, so that anyone can check the chain';

CREATE TRIGGER row_guard BEFORE INSERT OR UPDATE OR DELETE ON migmgr.ledger
  FOR EACH ROW EXECUTE FUNCTION migmgr_internal.row_guard('record');
CREATE TRIGGER row_guard_truncate BEFORE TRUNCATE ON migmgr.ledger
  FOR EACH STATEMENT EXECUTE FUNCTION migmgr_internal.row_guard('record');
ALTER TABLE migmgr.ledger ENABLE ALWAYS TRIGGER row_guard;
ALTER TABLE migmgr.ledger ENABLE ALWAYS TRIGGER row_guard_truncate;
SELECT pg_catalog.pg_extension_config_dump('migmgr.ledger', 'ORDER BY seq');

-- Texts of scripts, by checksum.  Apart from the chain, so that a secret in
-- one stays removable; the chain holds the hash.
CREATE TABLE migmgr_internal.script (
  checksum text    PRIMARY KEY,
  text     text    NOT NULL,
  shape    text    NOT NULL,
  redacted boolean NOT NULL DEFAULT false,
  stored   text    NOT NULL
);
COMMENT ON TABLE migmgr_internal.script IS 'canonical text of every script that ran: checksum is of the text as it came, stored of the text as kept (they differ where a password was redacted), shape ignores comments and white space';

-- What each applied or rolled back version ran.
CREATE TABLE migmgr_internal.statement (
  seq      bigint  NOT NULL,
  n        integer NOT NULL,
  line     integer NOT NULL,
  command  text    NOT NULL,
  object   text,
  class    text    NOT NULL,
  rule     text    NOT NULL,
  ms       numeric NOT NULL,
  row_count bigint,
  sql      text    NOT NULL,
  notices  text[],
  PRIMARY KEY (seq, n)
);
COMMENT ON TABLE migmgr_internal.statement IS 'the statements of each ledger entry that ran a script, with time and the messages they raised';

-- What each version made or changed, as identities that survive a restore.
CREATE TABLE migmgr_internal.object (
  seq      bigint  NOT NULL,
  n        integer NOT NULL,
  action   text    NOT NULL,
  type     text    NOT NULL,
  identity text    NOT NULL,
  classid  oid,
  objid    oid,
  PRIMARY KEY (seq, n)
);
COMMENT ON TABLE migmgr_internal.object IS 'the objects that each ledger entry created, changed, replaced or dropped';
COMMENT ON COLUMN migmgr_internal.object.objid IS 'with classid its address in the database where this happened; NULL for what is gone, and after an online run';

-- Failed attempts: written by a worker of its own while the transaction that
-- failed rolls back, so without the chain lock; sealed into the chain later.
-- Numbers start at the installation's time in ms: a restored copy, which has
-- numbers of an older installation, collides with none that it made itself.
CREATE TABLE migmgr_internal.attempt (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at           timestamptz NOT NULL,
  action       text NOT NULL,
  version      text,
  name         text,
  checksum     text,
  session_role text NOT NULL,
  role         text NOT NULL,
  client       text,
  application  text,
  sqlstate     text NOT NULL,
  message      text NOT NULL,
  detail       text,
  hint         text,
  statement    integer,
  line         integer,
  ms           bigint
);
COMMENT ON TABLE migmgr_internal.attempt IS 'applies and rollbacks that failed';

-- DDL that came from elsewhere than apply and rollback.
CREATE TABLE migmgr_internal.ddl_log (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at           timestamptz NOT NULL,
  session_role text NOT NULL,
  role         text NOT NULL,
  client       text,
  application  text,
  command      text NOT NULL,
  object       text,
  class        text NOT NULL,
  rule         text NOT NULL,
  action       text NOT NULL,
  sql          text
);
COMMENT ON TABLE migmgr_internal.ddl_log IS 'every DDL statement that ran outside apply and rollback';

-- Every DDL statement writes a row: no index but what verify() looks for.
CREATE INDEX ddl_log_catalog_dml ON migmgr_internal.ddl_log (at) WHERE rule = 'catalog-dml';

-- Made with the first entry, dumped without its row: a restored database has
-- none, whatever numbers its objects got.
CREATE TABLE migmgr_internal.home (
  token uuid PRIMARY KEY
);
COMMENT ON TABLE migmgr_internal.home IS 'what no dump contains: ties the ledger to this database, together with the numbers of both';

DO $$
DECLARE
  t pg_catalog.text;
BEGIN
  FOREACH t IN ARRAY ARRAY['script', 'statement', 'object', 'attempt', 'ddl_log', 'home'] LOOP
    EXECUTE pg_catalog.format('CREATE TRIGGER row_guard BEFORE INSERT OR UPDATE OR DELETE ON migmgr_internal.%1$I
      FOR EACH ROW EXECUTE FUNCTION migmgr_internal.row_guard(''record'')', t);
    EXECUTE pg_catalog.format('CREATE TRIGGER row_guard_truncate BEFORE TRUNCATE ON migmgr_internal.%1$I
      FOR EACH STATEMENT EXECUTE FUNCTION migmgr_internal.row_guard(''record'')', t);
    EXECUTE pg_catalog.format('ALTER TABLE migmgr_internal.%I ENABLE ALWAYS TRIGGER row_guard', t);
    EXECUTE pg_catalog.format('ALTER TABLE migmgr_internal.%I ENABLE ALWAYS TRIGGER row_guard_truncate', t);
    PERFORM pg_catalog.pg_extension_config_dump(pg_catalog.concat('migmgr_internal.', t)::pg_catalog.regclass,
      CASE t WHEN 'home' THEN 'WHERE false' ELSE '' END);
  END LOOP;
  FOREACH t IN ARRAY ARRAY['attempt_id_seq', 'ddl_log_id_seq'] LOOP
    PERFORM pg_catalog.setval(pg_catalog.concat('migmgr_internal.', t)::pg_catalog.regclass,
      (EXTRACT(epoch FROM pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.*) 1000::pg_catalog.numeric)::pg_catalog.int8);
    PERFORM pg_catalog.pg_extension_config_dump(pg_catalog.concat('migmgr_internal.', t)::pg_catalog.regclass, '');
  END LOOP;
END
$$;

GRANT SELECT ON migmgr.ledger, migmgr_internal.script, migmgr_internal.statement, migmgr_internal.object,
  migmgr_internal.attempt, migmgr_internal.ddl_log, migmgr_internal.home TO pg_database_owner;
GRANT SELECT ON SEQUENCE migmgr_internal.attempt_id_seq, migmgr_internal.ddl_log_id_seq TO pg_database_owner;

-- For migmgr's own SECURITY DEFINER functions: events that change settings.
-- What proves that a migration ran can only be appended by the run itself.
CREATE FUNCTION migmgr_internal.ledger_append(event text, version text, detail jsonb) RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_ledger_append';
REVOKE ALL ON FUNCTION migmgr_internal.ledger_append(text, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.ledger_append(text, text, jsonb) IS 'append an entry about a setting (not about a migration) to the ledger';

CREATE FUNCTION migmgr_internal.ledger_state() RETURNS text
  LANGUAGE c STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_ledger_state';
REVOKE ALL ON FUNCTION migmgr_internal.ledger_state() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.ledger_state() IS 'new, restored or in force';

CREATE FUNCTION migmgr.head() RETURNS text
  LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$SELECT l.hash FROM migmgr.ledger AS l ORDER BY l.seq DESC LIMIT 1$$;
REVOKE ALL ON FUNCTION migmgr.head() FROM PUBLIC;
COMMENT ON FUNCTION migmgr.head() IS 'hash of the last ledger entry: keep it outside and hand it to verify(expected_head)';

CREATE FUNCTION migmgr.resume(reason text) RETURNS text
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_resume';
REVOKE ALL ON FUNCTION migmgr.resume(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.resume(text) IS 'after a restore or a copy: check the chain, record that this database goes on from here, and put the guard in force';
