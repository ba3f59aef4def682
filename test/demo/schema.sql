-- AlokickFlow before its migrations: people, organisations and 10,000 jobs.
-- auth.uid() stands in for Supabase's, which reads the same setting.

CREATE SCHEMA auth;
GRANT USAGE ON SCHEMA auth TO authenticated, service_role;
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE
  AS $$SELECT NULLIF(current_setting('request.jwt.claim.sub', true), '')::uuid$$;

-- As on Supabase: what is made in public is granted, and row security decides.
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO authenticated;

CREATE TABLE public.profiles (
  id              uuid PRIMARY KEY,
  email           text NOT NULL UNIQUE,
  role            text NOT NULL CHECK (role IN ('member', 'admin')),
  organisation_id uuid NOT NULL
);

CREATE TABLE public.qc_jobs (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organisation_id uuid NOT NULL,
  created_by      uuid REFERENCES public.profiles,
  status          text NOT NULL DEFAULT 'pending'
                  CHECK (status IN ('pending', 'running', 'completed', 'failed')),
  file_name       text NOT NULL,
  file_path       text NOT NULL,
  progress        integer NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
  attempts        integer NOT NULL DEFAULT 0,
  result          jsonb,
  error_message   text,
  created_at      timestamptz NOT NULL DEFAULT now(),
  started_at      timestamptz,
  completed_at    timestamptz
);
CREATE INDEX idx_qc_jobs_organisation ON public.qc_jobs (organisation_id, created_at);
GRANT ALL ON public.qc_jobs, public.profiles TO service_role;

-- Five organisations, each with an admin and a member.
INSERT INTO public.profiles (id, email, role, organisation_id)
SELECT md5('person' || o || r)::uuid, r || o || '@example.com', r, md5('organisation' || o)::uuid
  FROM generate_series(1, 5) AS o, unnest(ARRAY['admin', 'member']) AS r;

-- 700 run now: 500 began just now, 200 began an hour ago and their worker died.
INSERT INTO public.qc_jobs (id, organisation_id, created_by, status, file_name, file_path, progress,
                            attempts, result, error_message, created_at, started_at, completed_at)
SELECT md5('job' || n)::uuid, md5('organisation' || n % 5 + 1)::uuid, md5('person' || n % 5 + 1 || 'member')::uuid,
       s.status, format('episode_%s.mov', n), format('uploads/2024/12/episode_%s.mov', n),
       CASE s.status WHEN 'pending' THEN 0 WHEN 'completed' THEN 100 ELSE n % 90 END,
       CASE s.status WHEN 'pending' THEN 0 ELSE 1 END,
       CASE s.status WHEN 'completed' THEN '{"errors": 0}'::jsonb END,
       CASE s.status WHEN 'failed' THEN 'unsupported codec' END,
       now() - interval '2 hours' - n * interval '1 minute',
       CASE WHEN s.status = 'pending' THEN NULL WHEN n <= 200 THEN now() - interval '1 hour'
            WHEN n <= 700 THEN now() ELSE now() - n * interval '1 minute' END,
       CASE WHEN s.status IN ('completed', 'failed') THEN now() - n * interval '50 seconds' END
  FROM generate_series(1, 10000) AS n
 CROSS JOIN LATERAL (SELECT CASE WHEN n <= 700 THEN 'running' WHEN n <= 1000 THEN 'pending'
                                 WHEN n <= 1200 THEN 'failed' ELSE 'completed' END) AS s(status);
ANALYZE public.qc_jobs;
