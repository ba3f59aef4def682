-- 002: heartbeat of running jobs (feature flag JOB_HEARTBEAT, additive only)
-- migmgr:flag JOB_HEARTBEAT
-- migmgr:requires 001

ALTER TABLE public.qc_jobs ADD COLUMN IF NOT EXISTS last_heartbeat_at timestamptz;

CREATE INDEX IF NOT EXISTS idx_qc_jobs_heartbeat ON public.qc_jobs (last_heartbeat_at);
CREATE INDEX IF NOT EXISTS idx_qc_jobs_running_heartbeat ON public.qc_jobs (last_heartbeat_at)
  WHERE status = 'running';

COMMENT ON COLUMN public.qc_jobs.last_heartbeat_at IS 'set by the worker while the job runs; the watchdog looks at it';

-- migmgr:verify
SELECT count(*) = 1 FROM information_schema.columns
 WHERE table_schema = 'public' AND table_name = 'qc_jobs' AND column_name = 'last_heartbeat_at';

-- migmgr:down
DROP INDEX IF EXISTS public.idx_qc_jobs_running_heartbeat;
DROP INDEX IF EXISTS public.idx_qc_jobs_heartbeat;
ALTER TABLE public.qc_jobs DROP COLUMN IF EXISTS last_heartbeat_at;
