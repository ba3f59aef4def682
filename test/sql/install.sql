-- CREATE EXTENSION out of the box, as a packager's installcheck does it.
CREATE EXTENSION migmgr;
SELECT e.extname, n.nspname, e.extrelocatable FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'migmgr';
SELECT migmgr_internal.ledger_state();
-- never into a schema of someone else's, never into another schema
DROP EXTENSION migmgr;
