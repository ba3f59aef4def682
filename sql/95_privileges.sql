-- Default privileges of the installer may have given more than this script
-- said (platforms grant EXECUTE on every new function to their API roles).
DO $$
DECLARE
  item record;
BEGIN
  FOR item IN
    SELECT DISTINCT g.kind, g.object, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END AS role
      FROM migmgr_internal.granted() AS g WHERE g.grantee <> 'pg_database_owner'::regrole
  LOOP
    EXECUTE format('REVOKE ALL ON %s %s FROM %s', item.kind, item.object, item.role);
  END LOOP;
END
$$;
