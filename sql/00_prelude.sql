\echo Use "CREATE EXTENSION migmgr" to load this file. \quit

SET LOCAL search_path = pg_catalog, pg_temp;

-- A schema migmgr that is there already (pg_dump makes it before the extension)
-- must be empty and a superuser's: nothing of anybody else's is adopted.
DO $$
DECLARE
  stranger pg_catalog.text;
BEGIN
  SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) INTO stranger
    FROM pg_catalog.pg_depend AS d
   WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
     AND d.refobjid = (SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'migmgr')
     AND d.classid <> 'pg_catalog.pg_extension'::pg_catalog.regclass
   LIMIT 1;
  IF stranger IS NOT NULL THEN
    RAISE EXCEPTION 'schema "migmgr" is not empty'
      USING ERRCODE = 'invalid_schema_definition', DETAIL = pg_catalog.format('It contains %s.', stranger),
            HINT = 'Move or drop what is in it, then run CREATE EXTENSION migmgr again.';
  END IF;
  SELECT r.rolname INTO stranger
    FROM pg_catalog.pg_namespace AS n JOIN pg_catalog.pg_roles AS r ON r.oid = n.nspowner
   WHERE n.nspname = 'migmgr' AND NOT r.rolsuper;
  IF stranger IS NOT NULL THEN
    RAISE EXCEPTION 'schema "migmgr" belongs to role "%", who is no superuser', stranger
      USING ERRCODE = 'invalid_schema_definition',
            HINT = 'Drop the schema, then run CREATE EXTENSION migmgr again.';
  END IF;
END
$$;

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
-- In a logical replication worker every one of them keeps the row out.  It
-- looks nothing up by name, and pinning a path would cost more than its work.
CREATE FUNCTION migmgr_internal.row_guard() RETURNS trigger
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'migmgr_row_guard';
REVOKE ALL ON FUNCTION migmgr_internal.row_guard() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.row_guard() IS 'trigger on migmgr''s tables: admits rows only from migmgr''s own code';
