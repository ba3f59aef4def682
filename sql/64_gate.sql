-- The gate: everything that must surround a migration, asked in one place.

-- A window is "[days] HH:MM-HH:MM [zone] [notice NNh]", several are divided by
-- ";".  Days are Mon,Wed or Mon-Fri or dates; without them it is every day,
-- without a zone UTC.  It counts once it was set so long before it opens.
CREATE FUNCTION migmgr_internal.window_parts(value text)
  RETURNS TABLE(days integer[], dates date[], from_time time, to_time interval, zone text, notice interval)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  part text;
  m text[];
  word text;
  ends text[];
  names text[] := '{mon,tue,wed,thu,fri,sat,sun}';
BEGIN
  FOREACH part IN ARRAY regexp_split_to_array(value, '\s*;\s*') LOOP
    m := regexp_match(part, '^\s*(?:([A-Za-z0-9,-]+)\s+)?(\d{1,2}:\d\d)\s*-\s*(\d{1,2}:\d\d)(?:\s+([A-Za-z][A-Za-z0-9_+/-]*))?(?:\s+notice\s+(\d{1,3})\s*h(?:ours?)?)?\s*$');
    IF m IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('"%s" is not a window', left(part, 100)),
        DETAIL = 'It is days, times, a time zone and how many hours before it must have been set; days, zone and notice may be left out.',
        HINT = 'For example ''Sat,Sun 02:00-04:00 UTC'', ''Mon-Fri 22:00-02:00 Europe/Berlin'' or ''2026-01-31 02:00-04:00 UTC notice 24h''.';
    END IF;
    days := '{}';
    dates := '{}';
    FOREACH word IN ARRAY string_to_array(lower(COALESCE(m[1], 'mon-sun')), ',') LOOP
      ends := CASE WHEN word ~ '^\d{4}-\d\d-\d\d$' THEN NULL ELSE ARRAY(SELECT left(e, 3) FROM string_to_table(word, '-') AS e) END;
      BEGIN
        IF ends IS NULL THEN
          dates := dates || word::date;
        ELSIF word !~ '^(mon|tue|wed|thu|fri|sat|sun)[a-z]*(-(mon|tue|wed|thu|fri|sat|sun)[a-z]*)?$' THEN
          RAISE invalid_datetime_format;
        ELSE
          FOR i IN 0 .. (array_position(names, ends[cardinality(ends)]) - array_position(names, ends[1]) + 7) % 7 LOOP
            days := days || (array_position(names, ends[1]) - 1 + i) % 7 + 1;
          END LOOP;
        END IF;
      EXCEPTION WHEN data_exception THEN
        RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('"%s" is not a day', word),
          DETAIL = 'Days are Mon to Sun, Mon-Fri, or dates such as 2026-01-31, with commas between them.';
      END;
    END LOOP;
    BEGIN
      from_time := m[2]::time;
      to_time := m[3]::time - '00:00'::time;
      zone := COALESCE(m[4], 'UTC');
      PERFORM clock_timestamp() AT TIME ZONE zone;
    EXCEPTION WHEN data_exception THEN
      RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('"%s" is not a window: %s', left(part, 100), SQLERRM);
    END;
    IF to_time = from_time - '00:00'::time OR from_time = '24:00' THEN
      RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('the window "%s" never opens', part), DETAIL = 'It would end when it begins.';
    ELSIF to_time < from_time - '00:00'::time THEN
      to_time := to_time + interval '24 hours';
    END IF;
    notice := make_interval(hours => COALESCE(m[5], '24')::integer);
    RETURN NEXT;
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.window_parts(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.window_parts(text) IS 'a window taken apart; raises MG006 for what is none';

CREATE FUNCTION migmgr_internal.window_openings(value text, set_at timestamptz, at timestamptz)
  RETURNS TABLE(opens timestamptz, closes timestamptz, notice interval, announced boolean)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT o.opens, o.closes, o.notice, o.opens >= window_openings.set_at + o.notice
    FROM (SELECT (d.day + w.from_time) AT TIME ZONE w.zone AS opens, (d.day + w.to_time) AT TIME ZONE w.zone AS closes, w.notice
            FROM migmgr_internal.window_parts(window_openings.value) AS w
           CROSS JOIN LATERAL (
             SELECT g::date AS day FROM generate_series(((window_openings.at AT TIME ZONE w.zone)::date - 1)::timestamp,
               ((window_openings.at AT TIME ZONE w.zone)::date + 60)::timestamp, '1 day'::interval) AS g
              WHERE EXTRACT(isodow FROM g)::integer = ANY (w.days)
             UNION SELECT unnest(w.dates)) AS d) AS o
   WHERE o.closes > window_openings.at
   ORDER BY o.opens
$$;
REVOKE ALL ON FUNCTION migmgr_internal.window_openings(text, timestamptz, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.window_openings(text, timestamptz, timestamptz) IS 'when a window is open, from a time on; announced: it was set long enough before';

CREATE FUNCTION migmgr_internal.check_setting(rule text, value text) RETURNS void
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  IF value IS NULL OR rule <> 'window' OR value = 'always' THEN
    RETURN;
  ELSIF NOT EXISTS (SELECT FROM migmgr_internal.window_openings(value, clock_timestamp() - interval '1 year', clock_timestamp())) THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('the window "%s" never opens', value), DETAIL = 'All its dates are past.';
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_setting(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_setting(text, text) IS 'raise MG006 for a value whose pattern is right and whose meaning is not';

CREATE FUNCTION migmgr_internal.gate_window(at timestamptz)
  RETURNS TABLE(item text, status text, detail text, hint text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  rule record;
  now_open record;
  next_open timestamptz;
BEGIN
  SELECT p.value, p.set_at INTO rule FROM migmgr.policy AS p WHERE p.environment = migmgr.environment() AND p.rule = 'window';
  IF rule.value = 'always' THEN
    RETURN;
  END IF;
  SELECT o.* INTO now_open FROM migmgr_internal.window_openings(rule.value, rule.set_at, gate_window.at) AS o
   WHERE o.opens <= gate_window.at ORDER BY o.announced DESC, o.closes DESC LIMIT 1;
  SELECT o.opens INTO next_open FROM migmgr_internal.window_openings(rule.value, rule.set_at, gate_window.at) AS o
   WHERE o.announced AND o.opens > gate_window.at ORDER BY o.opens LIMIT 1;
  RETURN QUERY SELECT 'window', CASE WHEN now_open.announced THEN 'ok' ELSE 'failed' END,
    CASE WHEN now_open.announced THEN format('open until %s (%s)', to_char(now_open.closes, 'YYYY-MM-DD HH24:MI TZ'), rule.value)
         ELSE concat(CASE WHEN now_open.opens IS NULL THEN format('the window is closed (%s)', rule.value)
                          ELSE format('the window that is open was set less than %s hours before it opened (%s)', EXTRACT(epoch FROM now_open.notice)::integer / 3600, rule.value) END,
                     COALESCE(format('; it opens %s', to_char(next_open, 'YYYY-MM-DD HH24:MI TZ')), '; it does not open again')) END,
    CASE WHEN now_open.announced THEN NULL ELSE 'Wait until it opens, or take responsibility: SELECT migmgr.waive(''window'', ''reason'');' END;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.gate_window(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.gate_window(timestamptz) IS 'is the window open; no row where there is none';

CREATE FUNCTION migmgr_internal.gate_backup(at timestamptz)
  RETURNS TABLE(item text, status text, detail text, hint text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  allowed text := migmgr_internal.policy_value('max_backup_age');
BEGIN
  RETURN QUERY
  SELECT 'backup', CASE WHEN allowed = 'any' THEN CASE WHEN b.taken_at > gate_backup.at - interval '24 hours' THEN 'ok' ELSE 'warning' END
                        WHEN b.taken_at >= gate_backup.at - allowed::interval THEN 'ok' ELSE 'failed' END,
         CASE WHEN b.taken_at IS NULL THEN 'no backup is recorded'
              ELSE format('the last backup "%s" was taken %s ago, %s, %s', b.label,
                CASE WHEN gate_backup.at - b.taken_at < interval '2 hours' THEN format('%s minutes', (EXTRACT(epoch FROM gate_backup.at - b.taken_at) / 60)::integer)
                     WHEN gate_backup.at - b.taken_at < interval '3 days' THEN format('%s hours', (EXTRACT(epoch FROM gate_backup.at - b.taken_at) / 3600)::integer)
                     ELSE format('%s days', (EXTRACT(epoch FROM gate_backup.at - b.taken_at) / 86400)::integer) END, b.size, CASE WHEN b.verified THEN 'verified' ELSE 'not verified' END) END
         || CASE WHEN allowed = 'any' THEN '' ELSE format('; %s is what policy max_backup_age allows', allowed) END,
         CASE WHEN b.taken_at >= gate_backup.at - CASE WHEN allowed = 'any' THEN '24 hours' ELSE allowed END::interval THEN NULL
              ELSE 'Take one, then: SELECT migmgr.record_backup(''label'', taken_at => now(), size_bytes => ..., verified => true);' END
    FROM (SELECT) AS one
    LEFT JOIN LATERAL (
      SELECT k.label, k.taken_at, k.size, k.verified FROM migmgr.backups AS k
       WHERE k.source = 'recorded' AND k.note IS NULL ORDER BY k.taken_at DESC LIMIT 1) AS b ON true;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.gate_backup(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.gate_backup(timestamptz) IS 'is there a backup, and young enough';

CREATE FUNCTION migmgr_internal.gate_staging(version text, checksums text[], at timestamptz)
  RETURNS TABLE(item text, status text, detail text, hint text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT 'staging', CASE WHEN r.seq IS NOT NULL THEN 'ok' WHEN migmgr_internal.policy_value('require_staging') = 'off' THEN 'skipped' ELSE 'failed' END,
         CASE WHEN r.seq IS NULL THEN 'no receipt of this text from staging'
              ELSE format('ran in staging database %s at %s in %s ms', r.receipt ->> 'database', r.receipt ->> 'applied_at', r.receipt ->> 'ms') END,
         CASE WHEN r.seq IS NULL THEN format('There: SELECT migmgr.receipt(%1$L); and here: SELECT migmgr.approve(%1$L, ''staging'', evidence => ''what it printed'');', gate_staging.version) END
    FROM (SELECT) AS one
    LEFT JOIN LATERAL (
      SELECT a.seq, a.receipt FROM migmgr_internal.approval_rows(gate_staging.at, gate_staging.version) AS a
       WHERE a.label = 'staging' AND a.action = 'apply' AND a.event = 'approved' AND a.receipt IS NOT NULL
         AND a.checksum = ANY (gate_staging.checksums) AND a.state IN ('valid', 'void: the text has changed')
       ORDER BY a.seq DESC LIMIT 1) AS r ON true;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.gate_staging(text, text[], timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.gate_staging(text, text[], timestamptz) IS 'has this text run in staging; asked only where policy says so';

-- What the run room asks, once, before anything of a script runs.
CREATE FUNCTION migmgr_internal.gate(version text, checksums text[], action text, login text, at timestamptz)
  RETURNS TABLE(item text, status text, detail text, hint text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT g.* FROM migmgr_internal.gate_approvals(gate.version, gate.checksums, gate.action, gate.login, gate.at) AS g;
  IF gate.action = 'apply' THEN
    RETURN QUERY
    SELECT g.* FROM (SELECT w.* FROM migmgr_internal.gate_window(gate.at) AS w
                     UNION ALL SELECT b.* FROM migmgr_internal.gate_backup(gate.at) AS b
                     UNION ALL SELECT s.* FROM migmgr_internal.gate_staging(gate.version, gate.checksums, gate.at) AS s) AS g;
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.gate(text, text[], text, text, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.gate(text, text[], text, text, timestamptz) IS 'what stands in the way of a run (failed), and what does not';

-- What status says about all this; no row where there is nothing to say.
CREATE FUNCTION migmgr_internal.gate_status()
  RETURNS TABLE(topic text, value text, state text, hint text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT 'waivers', string_agg(format('%s%s until %s by %s: %s', w.what, ' for ' || w.version, to_char(w.until, 'YYYY-MM-DD HH24:MI TZ'), w.granted_by, left(w.reason, 60)), '; ' ORDER BY w.until),
         'warning', 'SELECT * FROM migmgr.waivers WHERE active;'
    FROM migmgr.waivers AS w WHERE w.active HAVING count(*) > 0;

  -- on a platform where everybody is postgres, an approval proves no second person
  RETURN QUERY
  SELECT 'approvals', format('%s valid%s', count(*) FILTER (WHERE a.state = 'valid'),
           CASE WHEN one.login IS NOT NULL THEN format('; every approval and every apply came from login %s, so they show no second person', one.login) ELSE '' END),
         CASE WHEN one.login IS NOT NULL THEN 'warning' ELSE 'ok' END,
         CASE WHEN one.login IS NOT NULL THEN 'Give people logins of their own, or name the person and the proof: approve(version, label, evidence, on_behalf_of).' END
    FROM migmgr_internal.approval_rows() AS a
   CROSS JOIN (SELECT CASE WHEN count(DISTINCT l.session_role) = 1 AND count(DISTINCT l.event) = 2 THEN min(l.session_role) END AS login
                 FROM migmgr.ledger AS l WHERE l.event IN ('applied', 'approved') AND l.seq > migmgr_internal.last_epoch()) AS one
   GROUP BY one.login;

  RETURN QUERY
  SELECT 'backup', b.detail, CASE b.status WHEN 'failed' THEN 'warning' ELSE b.status END, b.hint
    FROM migmgr_internal.gate_backup(clock_timestamp()) AS b
   WHERE migmgr_internal.policy_value('max_backup_age') <> 'any'
      OR EXISTS (SELECT FROM migmgr.ledger AS l WHERE l.event = 'backup' AND l.event NOT IN ('applied', 'rolled back'));
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.gate_status() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.gate_status() IS 'rows of view status about waivers, approvals and backups';
