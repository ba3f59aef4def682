-- 001: dead-letter queue for failed jobs (feature flag DLQ_ENABLED, additive only)
-- migmgr:flag DLQ_ENABLED

CREATE TABLE IF NOT EXISTS public.job_dlq (
  id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  job_id           text NOT NULL,
  job_type         text NOT NULL,
  payload          jsonb NOT NULL DEFAULT '{}',
  failure_reason   text NOT NULL,
  failure_code     text,
  failure_stack    text,
  attempt_count    integer NOT NULL DEFAULT 1,
  max_retries      integer NOT NULL DEFAULT 3,
  last_attempt_at  timestamptz NOT NULL DEFAULT now(),
  next_retry_at    timestamptz,
  status           text NOT NULL DEFAULT 'pending'
                   CHECK (status IN ('pending', 'retrying', 'resolved', 'abandoned')),
  metadata         jsonb NOT NULL DEFAULT '{}',
  organisation_id  uuid,
  created_by       uuid,
  resolved_by      uuid,
  resolved_at      timestamptz,
  resolution_notes text,
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_job_dlq_job_id ON public.job_dlq (job_id);
CREATE INDEX IF NOT EXISTS idx_job_dlq_status ON public.job_dlq (status);
CREATE INDEX IF NOT EXISTS idx_job_dlq_organisation ON public.job_dlq (organisation_id);
CREATE INDEX IF NOT EXISTS idx_job_dlq_created_at ON public.job_dlq (created_at DESC);
CREATE INDEX IF NOT EXISTS idx_job_dlq_next_retry ON public.job_dlq (next_retry_at) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS idx_job_dlq_failure_code ON public.job_dlq (failure_code);

CREATE OR REPLACE FUNCTION public.update_job_dlq_updated_at() RETURNS trigger
  LANGUAGE plpgsql
  AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END
$$;

DROP TRIGGER IF EXISTS job_dlq_updated_at ON public.job_dlq;
CREATE TRIGGER job_dlq_updated_at BEFORE UPDATE ON public.job_dlq
  FOR EACH ROW EXECUTE FUNCTION public.update_job_dlq_updated_at();

ALTER TABLE public.job_dlq ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS "Users can view own org DLQ entries" ON public.job_dlq;
CREATE POLICY "Users can view own org DLQ entries" ON public.job_dlq FOR SELECT
  USING (organisation_id IN (SELECT p.organisation_id FROM public.profiles p WHERE p.id = auth.uid()));

DROP POLICY IF EXISTS "Admins can manage DLQ entries" ON public.job_dlq;
CREATE POLICY "Admins can manage DLQ entries" ON public.job_dlq FOR ALL
  USING (EXISTS (SELECT FROM public.profiles p WHERE p.id = auth.uid() AND p.role = 'admin'));

GRANT ALL ON public.job_dlq TO service_role;

COMMENT ON TABLE public.job_dlq IS 'jobs that failed for good: kept for a retry or for a person to look at';

-- migmgr:verify
SELECT count(*) = 0 FROM public.job_dlq;
SELECT count(*) = 20 FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'job_dlq';

-- migmgr:down
DROP TRIGGER IF EXISTS job_dlq_updated_at ON public.job_dlq;
DROP POLICY IF EXISTS "Users can view own org DLQ entries" ON public.job_dlq;
DROP POLICY IF EXISTS "Admins can manage DLQ entries" ON public.job_dlq;
DROP TABLE IF EXISTS public.job_dlq;
DROP FUNCTION IF EXISTS public.update_job_dlq_updated_at();
