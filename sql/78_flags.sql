-- Feature flags: what a migration made is there for everybody, but not yet
-- used by everybody.  A flag is what the newest entry about it says.

CREATE FUNCTION migmgr_internal.tell(event text, version text, detail jsonb) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_tell';
REVOKE ALL ON FUNCTION migmgr_internal.tell(text, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.tell(text, text, jsonb) IS 'tell who listens on channel migmgr; goes out with the commit';

-- No SET: applications ask once per row, and it looks nothing up by name.
CREATE FUNCTION migmgr.flag_enabled(flag text, subject text = NULL) RETURNS boolean
  LANGUAGE c STABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'migmgr_flag_enabled';
REVOKE ALL ON FUNCTION migmgr.flag_enabled(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.flag_enabled(text, text)
  IS 'is the flag on for this subject (a user, an organisation, a job)? The same subject always gets the same answer, and stays in when the percentage is raised; without a subject only at 100 %';

CREATE FUNCTION migmgr_internal.policy_value(rule text) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT coalesce((SELECT CASE WHEN l.detail::jsonb ->> 'value' IS NULL THEN migmgr_internal.policy_builtin(migmgr.environment(), $1)
                               ELSE l.detail::jsonb ->> 'value' END
                     FROM migmgr.ledger AS l
                    WHERE l.event = 'policy' AND l.event NOT IN ('applied', 'rolled back')
                      AND l.detail::jsonb ->> 'environment' = migmgr.environment() AND l.detail::jsonb ->> 'rule' = $1
                      AND l.detail::jsonb ->> 'for_role' IS NULL AND l.detail::jsonb ->> 'in_schema' IS NULL
                    ORDER BY l.seq DESC LIMIT 1),
                  migmgr_internal.policy_builtin(migmgr.environment(), $1))
$$;
REVOKE ALL ON FUNCTION migmgr_internal.policy_value(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.policy_value(text) IS 'value of a rule here and now, for the whole database';

CREATE VIEW migmgr_internal.flag_entry AS
  SELECT f.*, f.percent > f.before AS raised, f.before = 0 AND f.percent > 0 AS switched_on
    FROM (SELECT l.seq, l.at, l.role, l.version, d.detail ->> 'flag' AS flag, (d.detail ->> 'percent')::integer AS percent,
                 d.detail ->> 'reason' AS reason,
                 coalesce(lag((d.detail ->> 'percent')::integer) OVER (PARTITION BY d.detail ->> 'flag' ORDER BY l.seq), 0) AS before
            FROM migmgr.ledger AS l, LATERAL (SELECT l.detail::jsonb AS detail) AS d
           WHERE l.event = 'flag' AND l.event NOT IN ('applied', 'rolled back')) AS f;
COMMENT ON VIEW migmgr_internal.flag_entry IS 'the entries about flags, with what each of them changed; those with a version come from an apply or a rollback';

-- A flag waits for the latest of three: its newest migration has soaked, its
-- own last step has, and so has the first step of another flag.
CREATE FUNCTION migmgr_internal.flag_rows(after_apply interval, between_steps interval, before_entry bigint)
  RETURNS TABLE(flag text, percent integer, versions text[], applied_at timestamptz, due timestamptz, why text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH entry AS MATERIALIZED (
    SELECT e.* FROM migmgr_internal.flag_entry AS e WHERE e.seq < coalesce(before_entry, e.seq + 1)
  ), bound AS (
    SELECT b.flag, b.version, v.at
      FROM (SELECT DISTINCT e.flag, e.version FROM entry AS e WHERE e.version IS NOT NULL) AS b
      LEFT JOIN LATERAL (SELECT l.at, l.event FROM migmgr.ledger AS l
                          WHERE l.version = b.version AND l.event IN ('applied', 'rolled back', 'baseline', 'marked applied', 'marked reverted')
                          ORDER BY l.seq DESC LIMIT 1) AS v ON v.event IN ('applied', 'baseline', 'marked applied')
  ), state AS (
    SELECT DISTINCT ON (e.flag) e.flag, e.percent, b.versions, b.applied_at, b.newest,
           (SELECT coalesce(max(o.seq), 0) FROM entry AS o WHERE o.flag = e.flag AND o.version IS NOT NULL AND o.before = 0) AS bound_seq
      FROM entry AS e
      LEFT JOIN (SELECT b.flag, array_agg(b.version ORDER BY b.version) AS versions, max(b.at) AS applied_at,
                        (array_agg(b.version ORDER BY b.at DESC NULLS LAST))[1] AS newest
                   FROM bound AS b GROUP BY b.flag) AS b ON b.flag = e.flag
     ORDER BY e.flag, e.seq DESC
  ), rule AS (
    SELECT s.flag, s.applied_at + after_apply AS due,
           format('migration %s was applied %s', s.newest, to_char(s.applied_at, 'YYYY-MM-DD HH24:MI TZ')) AS why
      FROM state AS s WHERE s.applied_at IS NOT NULL
    UNION ALL
    SELECT s.flag, e.at + between_steps, format('it was raised to %s %% %s', e.percent, to_char(e.at, 'YYYY-MM-DD HH24:MI TZ'))
      FROM state AS s JOIN entry AS e ON e.flag = s.flag AND e.raised AND e.seq > s.bound_seq
     WHERE s.applied_at IS NOT NULL
    UNION ALL
    SELECT s.flag, e.at + between_steps, format('flag %s was switched on %s: one at a time', e.flag, to_char(e.at, 'YYYY-MM-DD HH24:MI TZ'))
      FROM state AS s JOIN entry AS e ON e.flag <> s.flag AND e.switched_on
      JOIN state AS other ON other.flag = e.flag AND other.applied_at IS NOT NULL
     WHERE s.applied_at IS NOT NULL AND s.percent = 0
  )
  SELECT s.flag, s.percent, s.versions, s.applied_at, r.due, r.why
    FROM state AS s LEFT JOIN LATERAL (SELECT r.due, r.why FROM rule AS r WHERE r.flag = s.flag ORDER BY r.due DESC, r.why LIMIT 1) AS r ON true
$$;
REVOKE ALL ON FUNCTION migmgr_internal.flag_rows(interval, interval, bigint) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.flag_rows(interval, interval, bigint)
  IS 'where each flag stands (before a ledger entry), and until when it may not be raised, and why';

-- Views call functions with the rights of their reader.
CREATE FUNCTION migmgr_internal.flag_list(before_entry bigint = NULL)
  RETURNS TABLE(flag text, percent integer, versions text[], applied_at timestamptz, due timestamptz, why text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT f.*
    FROM (SELECT regexp_split_to_array(migmgr_internal.policy_value('soak'), ', *') AS times) AS s,
         LATERAL migmgr_internal.flag_rows(s.times[1]::interval, coalesce(s.times[2], '0')::interval, before_entry) AS f
$$;
REVOKE ALL ON FUNCTION migmgr_internal.flag_list(bigint) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.flag_list(bigint) IS 'flag_rows() under the policy that holds here';

CREATE VIEW migmgr.flags AS
  SELECT f.flag, f.percent,
         CASE WHEN f.versions IS NOT NULL AND f.applied_at IS NULL THEN 'not applied'
              WHEN f.percent >= 100 THEN 'on' WHEN f.percent > 0 THEN 'for some' ELSE 'off' END AS state,
         array_to_string(f.versions, ', ') AS versions, f.applied_at,
         CASE WHEN f.percent < 100 AND f.due > clock_timestamp() THEN f.due END AS not_before,
         CASE WHEN f.percent < 100 AND f.due > clock_timestamp() THEN f.why END AS because,
         e.at AS set_at, e.role AS set_by, e.reason
    FROM migmgr_internal.flag_list() AS f
   CROSS JOIN LATERAL (SELECT e.at, e.role, e.reason FROM migmgr_internal.flag_entry AS e WHERE e.flag = f.flag ORDER BY e.seq DESC LIMIT 1) AS e
   ORDER BY f.flag;
COMMENT ON VIEW migmgr.flags IS 'feature flags: how far each is on, what it belongs to, and when it may be raised';
COMMENT ON COLUMN migmgr.flags.versions IS 'migrations that carry it (-- migmgr:flag); none: made by set_flag()';
COMMENT ON COLUMN migmgr.flags.not_before IS 'until then policy soak does not let it be raised, because of what the next column says';

CREATE FUNCTION migmgr.set_flag(flag text, percent integer, reason text) RETURNS text
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_variable
DECLARE
  entry bigint;
  known record;
  before integer;
  waived text;
BEGIN
  IF flag IS NULL OR flag !~ '^\S{1,63}$' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = coalesce(format('"%s" is not a name for a flag', left(flag, 80)), 'flag must not be null'),
      DETAIL = 'It has 1 to 63 characters, none of them white space.';
  ELSIF percent IS NULL OR percent NOT BETWEEN 0 AND 100 THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('flag "%s" cannot be at %s %%', flag, coalesce(percent::text, 'null')),
      DETAIL = 'It is a number from 0 (off) to 100 (on for all).';
  ELSIF coalesce(btrim(reason), '') = '' THEN
    RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'set_flag() needs a reason',
      HINT = format('SELECT migmgr.set_flag(%L, %s, ''week 1: ...'');', flag, percent);
  END IF;

  -- first the entry, which waits for others that change flags, then the
  -- questions, which see what those have done
  entry := migmgr_internal.ledger_append('flag', NULL, jsonb_build_object('flag', flag, 'percent', percent, 'reason', reason));
  SELECT f.* INTO known FROM migmgr_internal.flag_list(entry) AS f WHERE f.flag = flag;
  before := coalesce(known.percent, 0);

  IF percent > before THEN
    IF known.flag IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'MG272', MESSAGE = format('feature flag "%s" is not known', flag),
        DETAIL = 'No migration that was applied here has the line -- migmgr:flag ' || flag || '.',
        HINT = format('SELECT flag, state, versions FROM migmgr.flags; or, for a flag without a migration, make it first: SELECT migmgr.set_flag(%L, 0, ''reason'');', flag);
    ELSIF known.versions IS NOT NULL AND known.applied_at IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'MG273', MESSAGE = format('feature flag "%s" cannot be switched on: its migration is not applied', flag),
        DETAIL = format('It belongs to %s, which is not applied here.', array_to_string(known.versions, ', ')),
        HINT = 'Apply the migration again first.';
    ELSIF known.due > clock_timestamp() THEN
      waived := migmgr_internal.use_waiver('soak', known.versions);
      IF waived IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'MG274',
          MESSAGE = format('feature flag "%s" cannot be raised to %s %% before %s', flag, percent, to_char(known.due, 'YYYY-MM-DD HH24:MI TZ')),
          DETAIL = format('%s%s.  Policy soak in %s is %s.', upper(left(known.why, 1)), substr(known.why, 2), migmgr.environment(), migmgr_internal.policy_value('soak')),
          HINT = 'Wait until then, or take responsibility: SELECT migmgr.waive(''soak'', ''reason'');';
      END IF;
      RAISE WARNING USING ERRCODE = 'MG274', MESSAGE = format('feature flag "%s" is raised before %s', flag, to_char(known.due, 'YYYY-MM-DD HH24:MI TZ')),
        DETAIL = waived;
    END IF;
  END IF;

  PERFORM migmgr_internal.tell('flag', NULL, jsonb_build_object('flag', flag, 'percent', percent, 'before', before, 'reason', left(reason, 200)));
  RETURN format('flag %s is at %s %% in database %s (%s), it was at %s %%', flag, percent, current_database(), migmgr.environment(), before);
END
$$;
REVOKE ALL ON FUNCTION migmgr.set_flag(text, integer, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.set_flag(text, integer, text)
  IS 'switch a feature flag on for so many percent of its subjects, or off (0); what belongs to a migration waits for it, and soaks as policy soak says';
