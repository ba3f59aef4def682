-- schedule() where there is no pg_cron: every way says what to do instead.
\set test schedule
\set ECHO none
\i test/include/database.sql
\set ECHO all
SELECT public.fingerprint() AS before \gset
SELECT * FROM public.caught($$SELECT * FROM migmgr.schedule('sweep', '* * * * *')$$) \gx
SELECT * FROM public.caught($$SELECT * FROM migmgr.schedule('sweep', '* * * * *', seconds => 30)$$) \gx
SELECT * FROM public.caught($$SELECT * FROM migmgr.schedule('verify', '@daily')$$) \gx
SELECT hint FROM public.caught($$SELECT * FROM migmgr.schedule('checks', '*/5 * * * *')$$);
SELECT * FROM public.caught($$SELECT * FROM migmgr.schedule('lunch', '* * * * *')$$) \gx
SELECT * FROM public.caught($$SELECT * FROM migmgr.schedule(NULL, '* * * * *')$$) \gx
SELECT * FROM public.caught($$SELECT * FROM migmgr.schedule('sweep', NULL)$$) \gx
SELECT * FROM public.caught($$SELECT * FROM migmgr.schedule('verify', '* * * * *', 5)$$) \gx
SELECT * FROM public.caught($$SELECT * FROM migmgr.schedule('sweep', '* * * * *', 56)$$) \gx
SELECT * FROM public.caught($$SELECT * FROM migmgr.unschedule('sweep')$$) \gx
SELECT * FROM public.caught($$SELECT * FROM migmgr.unschedule('lunch')$$) \gx
SELECT * FROM migmgr.schedules;
SELECT * FROM migmgr_internal.cron_status();
SELECT public.fingerprint() = :'before' AS unchanged;

-- what verify() says about it
SELECT * FROM migmgr_internal.watch_checks();
CREATE TABLE qc_jobs (id int PRIMARY KEY, status text, last_heartbeat_at timestamptz) WITH (fillfactor = 70);
CREATE INDEX ON qc_jobs (id) WHERE status = 'running';
SELECT status, detail FROM migmgr.watch('qc_jobs');
SELECT * FROM migmgr_internal.watch_checks();
SELECT stale FROM migmgr.sweep();
SELECT check_name, status, regexp_replace(detail, '^\d+', 'N') AS detail FROM migmgr_internal.watch_checks();
SELECT check_name, status FROM migmgr_internal.watch_checks(now() + interval '1 hour');
INSERT INTO qc_jobs VALUES (1, 'running', NULL);
SELECT stale FROM migmgr.sweep();
SELECT check_name, status, regexp_replace(detail, '^\d+', 'N') AS detail FROM migmgr_internal.watch_checks() WHERE check_name = 'last sweep';

\connect postgres
SET client_min_messages = warning;
DROP DATABASE :"db";
