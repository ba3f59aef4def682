-- Revenue metrics for the dashboard.
CREATE TABLE revenue_daily (
  day     date PRIMARY KEY,
  revenue numeric NOT NULL DEFAULT 0
);
ALTER TABLE revenue_daily ENABLE ROW LEVEL SECURITY;
CREATE POLICY dashboard_reads ON revenue_daily FOR SELECT TO authenticated USING (true);

CREATE FUNCTION get_revenue_metrics(since timestamptz, until timestamptz) RETURNS numeric
  LANGUAGE sql STABLE
  AS $$SELECT COALESCE(sum(revenue), 0) FROM revenue_daily WHERE day BETWEEN since::date AND until::date$$;

DO $$BEGIN RAISE NOTICE 'revenue metrics are empty until the nightly rollup'; END$$;

-- migmgr:verify
SELECT get_revenue_metrics(now() - interval '7 days', now()) = 0;

-- migmgr:down
DROP FUNCTION get_revenue_metrics(timestamptz, timestamptz);
DROP TABLE revenue_daily;
