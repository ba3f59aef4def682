-- Default privileges of the installer may have given more than this script
-- said (platforms grant EXECUTE on every new function to their API roles).
DO $$
DECLARE
  item record;
BEGIN
  FOR item IN
    WITH acl AS (
      SELECT 'ROUTINE' AS kind, p.oid::regprocedure::text AS object, p.proowner AS owner, COALESCE(p.proacl, acldefault('f', p.proowner)) AS acl
        FROM pg_proc AS p WHERE p.pronamespace IN ('migmgr'::regnamespace, 'migmgr_internal'::regnamespace)
      UNION ALL
      SELECT 'SCHEMA', format('%I', n.nspname), n.nspowner, n.nspacl FROM pg_namespace AS n WHERE n.nspname IN ('migmgr', 'migmgr_internal')
      UNION ALL
      SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass::text, c.relowner, c.relacl
        FROM pg_class AS c WHERE c.relnamespace IN ('migmgr'::regnamespace, 'migmgr_internal'::regnamespace) AND c.relkind IN ('r', 'v', 'S')
    )
    SELECT DISTINCT format('REVOKE ALL ON %s %s FROM %s', a.kind, a.object,
             CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END) AS command
      FROM acl AS a CROSS JOIN LATERAL aclexplode(a.acl) AS x
     WHERE x.grantee NOT IN (a.owner, 'pg_database_owner'::regrole)
  LOOP
    EXECUTE item.command;
  END LOOP;
END
$$;
