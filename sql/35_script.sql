-- Scripts: text, checksum, statements, files, versions.
--
-- All of them are C that looks nothing up by name.  Those that depend on
-- standard_conforming_strings are STABLE.

CREATE FUNCTION migmgr.checksum(text) RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_checksum';
REVOKE ALL ON FUNCTION migmgr.checksum(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.checksum(text) IS 'sha256 of a script in canonical form, lower-case hex: what shasum -a 256 prints for its file';

CREATE FUNCTION migmgr_internal.canonical(text) RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_canonical';
REVOKE ALL ON FUNCTION migmgr_internal.canonical(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.canonical(text) IS 'a script as it is kept: LF, no byte order mark, one leading newline dropped, exactly one at the end';

CREATE FUNCTION migmgr_internal.shape(text) RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_shape';
REVOKE ALL ON FUNCTION migmgr_internal.shape(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.shape(text) IS 'hash of a script that ignores comments and white space';

CREATE FUNCTION migmgr_internal.redact(text) RETURNS text
  LANGUAGE c STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_redact';
REVOKE ALL ON FUNCTION migmgr_internal.redact(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.redact(text) IS 'a script without its passwords';

CREATE FUNCTION migmgr_internal.check_checksum(text) RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_check_checksum';
REVOKE ALL ON FUNCTION migmgr_internal.check_checksum(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_checksum(text) IS 'its argument in lower case, an error unless it is a sha256 in hex';

CREATE FUNCTION migmgr_internal.script_statements(text) RETURNS TABLE (n integer, line integer, sql text)
  LANGUAGE c STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_script_statements';
REVOKE ALL ON FUNCTION migmgr_internal.script_statements(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.script_statements(text) IS 'the statements of a script as apply would run them';

-- Versions sort by this key: ORDER BY migmgr_internal.version_key(version), in
-- any collation, because it has nothing but digits.  It is called for every row
-- of a list, and pinning a path would cost more than its work does.
CREATE FUNCTION migmgr_internal.version_key(version text) RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'migmgr_version_key';
REVOKE ALL ON FUNCTION migmgr_internal.version_key(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.version_key(text) IS 'digits by which versions sort: timestamps filled up, runs of digits as numbers';

CREATE FUNCTION migmgr_internal.compare_versions(a text, b text) RETURNS integer
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'migmgr_compare_versions';
REVOKE ALL ON FUNCTION migmgr_internal.compare_versions(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.compare_versions(text, text) IS '-1, 0 or 1: the order of two versions, as version_key has it';

CREATE FUNCTION migmgr_internal.check_version(version text) RETURNS text
  LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_check_version';
REVOKE ALL ON FUNCTION migmgr_internal.check_version(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_version(text) IS 'its argument, an error unless it can be the version of a migration';

-- The text is put into canonical form first.
CREATE FUNCTION migmgr_internal.file_parts(
  file text, sql text,
  OUT version text, OUT name text, OUT up text, OUT down text, OUT verify text,
  OUT flags text[], OUT requires text[], OUT replaces text[], OUT lock_timeout text, OUT online boolean)
  LANGUAGE c STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_file_parts';
REVOKE ALL ON FUNCTION migmgr_internal.file_parts(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.file_parts(text, text) IS 'a migration file taken apart: version and name from its name, sections and options from its text';
