# shellcheck shell=bash
#
# Step 4: verify() tells the truth.

step "verify() is all ok, and names the row that somebody tampered with"

part "All is well"
say "Chain, texts, guard, schema, watches and schedule, worst first; the first" \
  "row sums up."
as dba
sql "SELECT check_name, object, status, detail FROM migmgr.verify();"
says "0 failed, 0 warnings"
check "every row is ok" "SELECT bool_and(status = 'ok') AND count(*) > 10 FROM migmgr.verify()"
demo_head=$(ask "SELECT migmgr.head()")

part "Behind its back"
say "A superuser would like 001 to have been applied by somebody else.  The" \
  "trigger that guards the ledger is written in C and always on."
as postgres
demo_edit="UPDATE migmgr.ledger SET role = 'nobody' WHERE event = 'applied' AND version = '001';"
sql "$demo_edit"
refused MG301 ledger
say "Switching it off is refused, too."
sql "ALTER TABLE migmgr.ledger DISABLE TRIGGER row_guard;"
refused MG108 migmgr.ledger
say "It takes an edit of the system catalog, and a new session.  Against a" \
  "superuser the ledger cannot defend itself: it can only show what was done."
sql "UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'migmgr.ledger'::regclass;"
demo_role_before=$(ask "SELECT role FROM migmgr.ledger WHERE event = 'applied' AND version = '001'")
sql "$demo_edit
SELECT seq, event, version, role FROM migmgr.ledger WHERE version = '001';"
says "nobody"
say "verify() names the entry, and the trigger."
as dba
sql "SELECT check_name, object, status, detail FROM migmgr.verify() WHERE status <> 'ok';"
demo_entry=$(ask "SELECT 'entry ' || seq FROM migmgr.ledger WHERE event = 'applied' AND version = '001'")
says "$demo_entry (applied 001 create_job_dlq)"
says "edited"
check "verify() fails, and names that entry" \
  "SELECT bool_or(check_name = 'chain' AND object LIKE '$demo_entry (%' AND status = 'failed') AND bool_or(check_name = 'guard' AND status = 'failed')
     FROM migmgr.verify()"

part "Put back"
say "The one value that fits the hash is the one that was there."
as postgres
sql "UPDATE migmgr.ledger SET role = '$demo_role_before' WHERE event = 'applied' AND version = '001';
UPDATE pg_trigger SET tgenabled = 'A' WHERE tgrelid = 'migmgr.ledger'::regclass;"
as dba
say "A head that was kept outside shows that nothing was cut off, either.
The warning stays for a week: the library saw the catalog being edited."
sql "SELECT check_name, status, detail FROM migmgr.verify('$demo_head') WHERE check_name IN ('verify', 'chain', 'head');"
says "0 failed, 1 warnings"
