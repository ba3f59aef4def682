-- The guard.  Event triggers come last: from here on DDL is judged.  ALWAYS:
-- replica mode does not go around them.  No tag filter: one can be walked
-- around.
CREATE FUNCTION migmgr_internal.guard_start() RETURNS event_trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'migmgr_guard_start';
CREATE FUNCTION migmgr_internal.guard_end() RETURNS event_trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'migmgr_guard_end';
CREATE FUNCTION migmgr_internal.guard_drop() RETURNS event_trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'migmgr_guard_drop';
CREATE FUNCTION migmgr_internal.guard_rewrite() RETURNS event_trigger
  LANGUAGE c AS 'MODULE_PATHNAME', 'migmgr_guard_rewrite';
REVOKE ALL ON FUNCTION migmgr_internal.guard_start(), migmgr_internal.guard_end(),
  migmgr_internal.guard_drop(), migmgr_internal.guard_rewrite() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.guard_start() IS 'judges a DDL statement before it takes a lock';
COMMENT ON FUNCTION migmgr_internal.guard_end() IS 'records a DDL statement that has run';
COMMENT ON FUNCTION migmgr_internal.guard_drop() IS 'makes sure that drops were seen';
COMMENT ON FUNCTION migmgr_internal.guard_rewrite() IS 'judges a rewrite that the statement did not show';

CREATE EVENT TRIGGER migmgr_guard_start ON ddl_command_start EXECUTE FUNCTION migmgr_internal.guard_start();
CREATE EVENT TRIGGER migmgr_guard_end ON ddl_command_end EXECUTE FUNCTION migmgr_internal.guard_end();
CREATE EVENT TRIGGER migmgr_guard_drop ON sql_drop EXECUTE FUNCTION migmgr_internal.guard_drop();
CREATE EVENT TRIGGER migmgr_guard_rewrite ON table_rewrite EXECUTE FUNCTION migmgr_internal.guard_rewrite();
COMMENT ON EVENT TRIGGER migmgr_guard_start IS 'migmgr: judges DDL';
COMMENT ON EVENT TRIGGER migmgr_guard_end IS 'migmgr: records DDL';
COMMENT ON EVENT TRIGGER migmgr_guard_drop IS 'migmgr: makes sure that drops were seen';
COMMENT ON EVENT TRIGGER migmgr_guard_rewrite IS 'migmgr: judges rewrites';
ALTER EVENT TRIGGER migmgr_guard_start ENABLE ALWAYS;
ALTER EVENT TRIGGER migmgr_guard_end ENABLE ALWAYS;
ALTER EVENT TRIGGER migmgr_guard_drop ENABLE ALWAYS;
ALTER EVENT TRIGGER migmgr_guard_rewrite ENABLE ALWAYS;
