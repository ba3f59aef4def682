\echo Use "CREATE EXTENSION migmgr" to load this file. \quit

SET LOCAL search_path = pg_catalog, pg_temp;

-- What is private lives here; the public API is schema migmgr, which CREATE
-- EXTENSION makes (or finds, empty and the installer's own).
CREATE SCHEMA migmgr_internal;
COMMENT ON SCHEMA migmgr_internal IS 'private parts of migmgr: no interface, changes without notice';
REVOKE ALL ON SCHEMA migmgr_internal FROM PUBLIC;

-- An owner of the database who is no superuser must be able to dump it.
GRANT USAGE ON SCHEMA migmgr, migmgr_internal TO pg_database_owner;

-- On every table of migmgr, for each row and for TRUNCATE, ENABLE ALWAYS.
--   record   only migmgr's own C code writes (ledger, texts, evidence)
--   config   also migmgr's own SECURITY DEFINER functions
--   open     privileges decide
-- In a logical replication worker every one of them keeps the row out.
CREATE FUNCTION migmgr_internal.row_guard() RETURNS trigger
  LANGUAGE c SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_row_guard';
REVOKE ALL ON FUNCTION migmgr_internal.row_guard() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.row_guard() IS 'trigger on migmgr''s tables: admits rows only from migmgr''s own code';
