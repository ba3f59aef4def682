\set ON_ERROR_STOP on
\set sql `cat migrations/001_create_job_dlq.sql`
SELECT * FROM migmgr.apply_file('001_create_job_dlq.sql', :'sql');
\set sql `cat migrations/002_add_heartbeat_column.sql`
SELECT * FROM migmgr.apply_file('002_add_heartbeat_column.sql', :'sql');
