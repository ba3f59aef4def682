-- The second door: procedures that own their transactions, for top-level use.
-- Like apply() they pin no search_path, and a SET clause would forbid COMMIT.

CREATE PROCEDURE migmgr.run(
  file text, sql text, dry_run boolean DEFAULT false, note text DEFAULT NULL, options jsonb DEFAULT '{}',
  INOUT version text DEFAULT NULL, INOUT name text DEFAULT NULL, INOUT status text DEFAULT NULL,
  INOUT environment text DEFAULT NULL, INOUT class text DEFAULT NULL, INOUT statements integer DEFAULT NULL,
  INOUT ms bigint DEFAULT NULL, INOUT reversible text DEFAULT NULL, INOUT detail text DEFAULT NULL)
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'migmgr_run';
REVOKE ALL ON PROCEDURE migmgr.run(text, text, boolean, text, jsonb, text, text, text, text, text, integer, bigint, text, text) FROM PUBLIC;
COMMENT ON PROCEDURE migmgr.run(text, text, boolean, text, jsonb, text, text, text, text, text, integer, bigint, text, text)
  IS 'apply a migration file in transactions of its own: between two tries nothing is locked and no snapshot held';
