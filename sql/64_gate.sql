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
  IF rule = 'naming' AND value NOT IN ('any', 'snake_case') THEN
    PERFORM 'x' ~ value;
  ELSIF rule IN ('soak', 'observe', 'max_backup_age', 'approval_expiry') AND EXISTS (
      SELECT FROM regexp_matches(value, '(\d+) (minute|hour|day)', 'g') AS m
       WHERE m[1]::numeric * CASE m[2] WHEN 'minute' THEN 1 WHEN 'hour' THEN 60 ELSE 1440 END > 3650 * 1440) THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('value "%s" is too long for rule %s', value, rule), DETAIL = 'It may be 3650 days at most.';
  ELSIF value IS NULL OR rule <> 'window' OR value = 'always' THEN
    RETURN;
  ELSIF NOT EXISTS (SELECT FROM migmgr_internal.window_openings(value, clock_timestamp() - interval '1 year', clock_timestamp())) THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('the window "%s" never opens', value), DETAIL = 'All its dates are past.';
  END IF;
EXCEPTION WHEN invalid_regular_expression THEN
  RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('"%s" is not a rule for names', value), DETAIL = 'It is any, snake_case, or a regular expression.';
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

CREATE FUNCTION migmgr_internal.ago(span interval) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT CASE WHEN span < interval '2 hours' THEN format('%s minutes ago', (EXTRACT(epoch FROM span) / 60)::integer)
              WHEN span < interval '3 days' THEN format('%s hours ago', (EXTRACT(epoch FROM span) / 3600)::integer)
              ELSE format('%s days ago', (EXTRACT(epoch FROM span) / 86400)::integer) END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.ago(interval) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.ago(interval) IS 'how long ago, for people';

-- What the server has seen by itself does not count, but is mentioned.
CREATE FUNCTION migmgr_internal.gate_backup(at timestamptz)
  RETURNS TABLE(item text, status text, detail text, hint text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  rule text := migmgr_internal.policy_value('max_backup_age');
  allowed interval := CASE WHEN rule = 'any' THEN '24 hours' ELSE rule END::interval;
  last record;
  seen text;
  good boolean;
BEGIN
  SELECT k.label, k.taken_at, k.size, k.verified INTO last FROM migmgr.backups AS k
   WHERE k.source = 'recorded' AND k.note IS NULL ORDER BY k.taken_at DESC LIMIT 1;
  good := COALESCE(last.taken_at >= gate_backup.at - allowed, false);
  IF NOT good THEN
    SELECT format('; the server saw a base backup (%s) end %s, which is not on record', s.label, migmgr_internal.ago(gate_backup.at - s.taken_at)) INTO seen
      FROM migmgr_internal.seen_backups() AS s
     WHERE s.source = 'base backup' AND s.taken_at > COALESCE(last.taken_at, '-infinity') ORDER BY s.taken_at DESC LIMIT 1;
  END IF;
  RETURN QUERY
  SELECT 'backup', CASE WHEN good THEN 'ok' WHEN rule = 'any' THEN 'warning' ELSE 'failed' END,
         concat(CASE WHEN last.taken_at IS NULL THEN 'no backup is recorded'
                     ELSE format('the last backup "%s" was taken %s, %s, %s', last.label, migmgr_internal.ago(gate_backup.at - last.taken_at), last.size,
                                 CASE WHEN last.verified THEN 'verified' ELSE 'not verified' END) END,
                seen, CASE WHEN rule <> 'any' THEN format('; %s is what policy max_backup_age allows', rule) END),
         CASE WHEN NOT good THEN 'Take one, then: SELECT migmgr.record_backup(''label'', taken_at => now(), size_bytes => ..., verified => true);' END;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.gate_backup(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.gate_backup(timestamptz) IS 'is there a backup, and young enough';

-- The third part of policy soak is how long it must have been there.
CREATE FUNCTION migmgr_internal.gate_staging(version text, checksums text[], at timestamptz)
  RETURNS TABLE(item text, status text, detail text, hint text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  soak interval := COALESCE((regexp_split_to_array(migmgr_internal.policy_value('soak'), ', *'))[3], '0')::interval;
  asked boolean := migmgr_internal.policy_value('require_staging') <> 'off' OR soak > '0';
  receipt jsonb;
  since timestamptz;
BEGIN
  SELECT a.receipt INTO receipt FROM migmgr_internal.approval_rows(gate_staging.at, gate_staging.version) AS a
   WHERE a.label = 'staging' AND a.action = 'apply' AND a.event = 'approved' AND a.receipt IS NOT NULL
     AND a.checksum = ANY (gate_staging.checksums) AND a.state IN ('valid', 'void: the text has changed')
   ORDER BY a.seq DESC LIMIT 1;
  since := (receipt ->> 'applied_at')::timestamptz;
  RETURN QUERY
  SELECT 'staging', CASE WHEN since IS NOT NULL THEN 'ok' WHEN asked THEN 'failed' ELSE 'skipped' END,
         CASE WHEN since IS NULL THEN 'no receipt of this text from staging'
              ELSE format('ran in staging database %s at %s in %s ms', receipt ->> 'database', receipt ->> 'applied_at', receipt ->> 'ms') END,
         CASE WHEN since IS NULL THEN format('There: SELECT migmgr.receipt(%1$L); and here: SELECT migmgr.approve(%1$L, ''staging'', evidence => ''what it printed'');', gate_staging.version) END;
  IF since IS NOT NULL AND soak > '0' THEN
    RETURN QUERY
    SELECT 'soak', CASE WHEN gate_staging.at >= since + soak THEN 'ok' ELSE 'failed' END,
           format('in staging since %s; policy soak asks for %s there', to_char(since, 'YYYY-MM-DD HH24:MI TZ'),
             (regexp_split_to_array(migmgr_internal.policy_value('soak'), ', *'))[3]),
           CASE WHEN gate_staging.at < since + soak
                THEN format('Wait until %s, or take responsibility: SELECT migmgr.waive(''soak'', ''reason'');', to_char(since + soak, 'YYYY-MM-DD HH24:MI TZ')) END;
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.gate_staging(text, text[], timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.gate_staging(text, text[], timestamptz) IS 'has this text run in staging, and long enough ago; asked only where policy says so';

-- Policies, triggers and constraints have names that are read by people.
CREATE FUNCTION migmgr_internal.bad_names(types text[], identities text[]) RETURNS text
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  rule text := migmgr_internal.policy_value('naming');
BEGIN
  IF rule = 'any' THEN
    RETURN NULL;
  END IF;
  RETURN (SELECT string_agg(format('%s %s: the name "%s" is not %s', o.type, o.identity, o.name, CASE rule WHEN 'snake_case' THEN rule ELSE 'like ' || rule END), E'\n' ORDER BY o.n)
            FROM (SELECT t.type, t.identity, t.n, (parse_ident(regexp_replace(t.identity, '\(.*$', '')))[cardinality(parse_ident(regexp_replace(t.identity, '\(.*$', '')))] AS name
                    FROM (SELECT u.type, u.identity, u.n FROM unnest(types, identities) WITH ORDINALITY AS u(type, identity, n)
                          UNION ALL
                          SELECT 'table column', concat(u.identity, '.', quote_ident(a.attname)), u.n + a.attnum / 10000.0
                            FROM unnest(types, identities) WITH ORDINALITY AS u(type, identity, n)
                            JOIN pg_attribute AS a ON a.attrelid = to_regclass(u.identity) AND a.attnum > 0 AND NOT a.attisdropped
                           WHERE u.type IN ('table', 'foreign table')) AS t
                   WHERE t.type IN ('table', 'table column', 'foreign table', 'view', 'materialized view', 'index', 'sequence', 'type', 'function', 'procedure')) AS o
           WHERE o.name !~ CASE rule WHEN 'snake_case' THEN '^[a-z][a-z0-9_]*$' ELSE rule END);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.bad_names(text[], text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.bad_names(text[], text[]) IS 'names of new objects that policy naming does not allow, a line for each';

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

-- Preflight: the same questions, asked before, and advice beside them.  What is
-- failed apply would refuse; a warning is for people to judge.
CREATE FUNCTION migmgr_internal.pending_script(version text) RETURNS TABLE(up text, flags text[])
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT f.up, f.flags
    FROM migmgr.pending AS p JOIN migmgr_internal.script AS s ON s.checksum = p.checksum
   CROSS JOIN LATERAL migmgr_internal.file_parts(p.file, s.text) AS f
   WHERE p.version = $1
$$;
REVOKE ALL ON FUNCTION migmgr_internal.pending_script(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.pending_script(text) IS 'script and flags of a submitted version, NULL for any other';

CREATE FUNCTION migmgr_internal.disks() RETURNS TABLE(place text, device bigint, size bigint, free bigint, problem text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_disks';
REVOKE ALL ON FUNCTION migmgr_internal.disks() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.disks() IS 'room on the file systems of data directory, WAL and tablespaces, as the operating system says';

-- It keeps the caller's search_path and rights, as sweep() does.
CREATE FUNCTION migmgr_internal.running_jobs() RETURNS TABLE(job_table text, running bigint, problem text)
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'migmgr_running_jobs';
REVOKE ALL ON FUNCTION migmgr_internal.running_jobs() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.running_jobs() IS 'jobs that run in each watched table, as far as the caller may see them';

-- Sessions and server, as of now.
CREATE FUNCTION migmgr_internal.preflight_server()
  RETURNS TABLE(name text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  WITH session AS (
    SELECT a.pid, a.usename, a.state, EXTRACT(epoch FROM clock_timestamp() - a.xact_start)::integer AS xact_s,
           EXTRACT(epoch FROM clock_timestamp() - a.state_change)::integer AS state_s, left(regexp_replace(a.query, '\s+', ' ', 'g'), 60) AS query
      FROM pg_stat_activity AS a
     WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend' AND a.xact_start IS NOT NULL
  ), long AS (
    SELECT s.* FROM session AS s WHERE s.state NOT LIKE 'idle in transaction%' AND s.xact_s > 60
  ), idle AS (
    SELECT s.* FROM session AS s WHERE s.state LIKE 'idle in transaction%' AND s.state_s > 10
  ), replica AS (
    SELECT r.application_name, pg_wal_lsn_diff(CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END, r.replay_lsn) AS bytes, r.replay_lag FROM pg_stat_replication AS r
  ), slot AS (
    SELECT s.slot_name FROM pg_replication_slots AS s WHERE NOT s.active AND NOT s.temporary
  ), used AS (
    SELECT count(*) AS n, current_setting('max_connections')::integer AS of FROM pg_stat_activity AS a WHERE a.backend_type = 'client backend'
  ), age AS (
    SELECT age(d.datfrozenxid) AS xids, mxid_age(d.datminmxid) AS mxids FROM pg_database AS d WHERE d.datname = current_database()
  ), disk AS (
    SELECT string_agg(d.place, ', ') AS places, min(d.size) AS size, min(d.free) AS free, min(d.problem) AS problem
      FROM migmgr_internal.disks() AS d GROUP BY COALESCE(d.device::text, d.place)
  ), largest AS (
    SELECT c.oid::regclass::text AS name, c.relpages::bigint * current_setting('block_size')::bigint AS bytes
      FROM pg_class AS c WHERE c.relkind IN ('r', 'm') ORDER BY c.relpages DESC, c.oid LIMIT 1
  )
  SELECT 'long transactions', CASE WHEN count(*) > 0 THEN 'warning' ELSE 'ok' END,
         COALESCE(format('%s for more than a minute: ', count(*)) || string_agg(format('pid %s (%s, %s s): %s', l.pid, l.usename, l.xact_s, l.query), '; ' ORDER BY l.xact_s DESC), 'none for more than a minute'),
         CASE WHEN count(*) > 0 THEN format('Wait, or end it: SELECT pg_terminate_backend(%s);', (array_agg(l.pid ORDER BY l.xact_s DESC))[1]) END
    FROM long AS l
  UNION ALL
  SELECT 'idle in transaction', CASE WHEN count(*) > 0 THEN 'warning' ELSE 'ok' END,
         COALESCE(format('%s for more than 10 seconds: ', count(*)) || string_agg(format('pid %s (%s, %s s) after: %s', i.pid, i.usename, i.state_s, i.query), '; ' ORDER BY i.state_s DESC), 'none for more than 10 seconds'),
         CASE WHEN count(*) > 0 THEN format('It may hold locks: SELECT pg_terminate_backend(%s);', (array_agg(i.pid ORDER BY i.state_s DESC))[1]) END
    FROM idle AS i
  UNION ALL
  SELECT 'prepared transactions', 'warning', format('%s, the oldest of %s', count(*), to_char(min(p.prepared), 'YYYY-MM-DD HH24:MI TZ')), 'They hold their locks until COMMIT PREPARED or ROLLBACK PREPARED.'
    FROM pg_prepared_xacts AS p WHERE p.database = current_database() HAVING count(*) > 0
  UNION ALL
  SELECT 'archive', CASE WHEN a.failing THEN 'warning' WHEN s.mode = 'off' THEN 'skipped' ELSE 'ok' END,
         CASE WHEN s.mode = 'off' THEN 'WAL is not archived, so the server keeps no trace of base backups either; backups of the disk or of a platform it does not see'
              WHEN a.failing THEN format('%s fails since %s', a.last_failed_wal, to_char(a.last_failed_time, 'YYYY-MM-DD HH24:MI:SS TZ'))
              WHEN a.last_archived_time IS NULL THEN 'nothing archived yet' ELSE concat(format('%s archived %s', a.last_archived_wal, migmgr_internal.ago(clock_timestamp() - a.last_archived_time)), ', by ' || migmgr_internal.archive_tool()) END,
         CASE WHEN a.failing THEN 'Until it works again a backup restores to no later time, and WAL fills the disk: see the server log.' END
    FROM (SELECT current_setting('archive_mode') AS mode) AS s,
         (SELECT p.*, p.last_failed_time > COALESCE(p.last_archived_time, '-infinity') AS failing FROM pg_stat_archiver AS p) AS a
  UNION ALL
  SELECT 'connections', CASE WHEN u.n >= 0.8 * u.of THEN 'warning' ELSE 'ok' END, format('%s of %s used', u.n, u.of), NULL FROM used AS u
  UNION ALL
  SELECT 'replication', CASE WHEN pg_is_in_recovery() THEN 'failed' WHEN r.bytes > 1073741824 OR r.lag > interval '1 minute' OR s.n > 0 THEN 'warning'
                             WHEN r.n = 0 THEN 'skipped' ELSE 'ok' END,
         CASE WHEN pg_is_in_recovery() THEN 'this is a standby'
              ELSE concat_ws('; ', CASE WHEN r.n = 0 THEN 'no replica is connected' ELSE format('%s replicas, the slowest %s behind', r.n, COALESCE(pg_size_pretty(r.bytes), 'an unknown distance')) END,
                     CASE WHEN s.n > 0 THEN format('slots that nobody reads keep WAL: %s', s.names) END) END,
         CASE WHEN pg_is_in_recovery() THEN 'Connect to the primary server.' WHEN s.n > 0 THEN 'SELECT pg_drop_replication_slot(name); if its reader is gone for good.' END
    FROM (SELECT count(*) AS n, max(r.bytes) AS bytes, max(r.replay_lag) AS lag FROM replica AS r) AS r,
         (SELECT count(*) AS n, string_agg(s.slot_name, ', ' ORDER BY s.slot_name) AS names FROM slot AS s) AS s
  UNION ALL
  SELECT 'wraparound', CASE WHEN greatest(a.xids, a.mxids) > 1000000000 THEN 'warning' ELSE 'ok' END,
         format('the oldest row is %s million transactions old, and %s million multixacts, of 2147', a.xids / 1000000, a.mxids / 1000000),
         CASE WHEN greatest(a.xids, a.mxids) > 1000000000 THEN 'VACUUM (FREEZE) the oldest tables first.' END
    FROM age AS a
  UNION ALL
  SELECT 'disk', CASE WHEN bool_or(d.free < 0.1 * d.size OR d.free < l.bytes) THEN 'warning' WHEN bool_and(d.free IS NULL) THEN 'skipped' ELSE 'ok' END,
         concat_ws('; ', string_agg(CASE WHEN d.free IS NULL THEN format('%s: %s', d.places, d.problem)
                                   ELSE format('%s of %s free (%s %%) for %s', pg_size_pretty(d.free), pg_size_pretty(d.size), round(100.0 * d.free / greatest(d.size, 1)), d.places) END,
                              '; ' ORDER BY d.free, d.places),
           'the database takes ' || pg_size_pretty(pg_database_size(current_database())),
           CASE WHEN bool_or(d.free < l.bytes) THEN format('to write its largest table anew, %s with %s, there is no room', max(l.name), pg_size_pretty(max(l.bytes))) END,
           'quotas, and volumes that grow by themselves, the server cannot see'),
         CASE WHEN bool_or(d.free < 0.1 * d.size OR d.free < l.bytes) THEN 'Make room before anything large is written or an index is built.' END
    FROM disk AS d LEFT JOIN largest AS l ON true
$$;
REVOKE ALL ON FUNCTION migmgr_internal.preflight_server() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.preflight_server() IS 'rows of preflight() about sessions and server';

CREATE FUNCTION migmgr_internal.preflight_flags(version text) RETURNS TABLE(name text, status text, detail text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT 'flags', CASE WHEN count(*) > 0 THEN 'warning' ELSE 'ok' END,
         COALESCE('on before their migration: ' || string_agg(format('%s (%s %%)', f.flag, f.percent), ', '), 'none of its flags is on'),
         CASE WHEN count(*) > 0 THEN format('SELECT migmgr.set_flag(%L, 0, ''before the migration'');', min(f.flag)) END
    FROM migmgr.flags AS f
   WHERE f.percent > 0 AND (f.flag IN (SELECT unnest(s.flags) FROM migmgr_internal.pending_script(preflight_flags.version) AS s)
                            OR preflight_flags.version = ANY (string_to_array(f.versions, ', ')))
$$;
REVOKE ALL ON FUNCTION migmgr_internal.preflight_flags(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.preflight_flags(text) IS 'row of preflight() about the flags of a version';

-- What of it apply warns of, where policy preflight is on.
CREATE FUNCTION migmgr_internal.preflight_warnings(version text) RETURNS TABLE(line text, hint text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT format('%s: %s', s.name, s.detail), s.hint
    FROM (SELECT p.name, p.status, p.detail, p.hint FROM migmgr_internal.preflight_server() AS p
          UNION ALL SELECT f.* FROM migmgr_internal.preflight_flags(preflight_warnings.version) AS f) AS s
   WHERE s.status = 'warning' AND migmgr_internal.policy_value('preflight') = 'on'
$$;
REVOKE ALL ON FUNCTION migmgr_internal.preflight_warnings(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.preflight_warnings(text) IS 'what apply warns of before it begins, where policy preflight is on';

-- About one version, or (NULL) about none.
CREATE FUNCTION migmgr_internal.preflight_version(version text, login text, in_the_way jsonb)
  RETURNS TABLE(name text, status text, detail text, hint text)
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  known text := migmgr_internal.known_checksum(preflight_version.version);
  approved text := (SELECT a.checksum FROM migmgr_internal.approval_rows(NULL, preflight_version.version) AS a
                     WHERE a.action = 'apply' AND a.event = 'approved' AND a.state = 'valid' ORDER BY a.seq DESC LIMIT 1);
  last record;
  before text;
BEGIN
  IF preflight_version.version IS NULL THEN
    RETURN QUERY SELECT g.* FROM migmgr_internal.gate_window(clock_timestamp()) AS g;
    RETURN QUERY SELECT g.* FROM migmgr_internal.gate_backup(clock_timestamp()) AS g;
    RETURN;
  END IF;
  SELECT h.status, h.applied_at INTO last FROM migmgr.history AS h WHERE h.version = preflight_version.version;
  SELECT string_agg(p.version, ', ') INTO before FROM migmgr.pending AS p
   WHERE migmgr_internal.version_key(p.version) < migmgr_internal.version_key(preflight_version.version);
  RETURN QUERY SELECT 'version',
    CASE WHEN last.status IN ('applied', 'baseline', 'marked applied') OR known IS NULL OR before IS NOT NULL THEN 'warning' ELSE 'ok' END,
    CASE WHEN last.status IN ('applied', 'baseline', 'marked applied') THEN format('%s is %s since %s', preflight_version.version, last.status, to_char(last.applied_at, 'YYYY-MM-DD HH24:MI TZ'))
         WHEN known IS NULL THEN format('the text of %s is not known here%s', preflight_version.version, '; text ' || left(approved, 16) || '... was approved')
         ELSE concat(format('text %s...', left(known, 16)), ', to come before it: ' || before) END,
    CASE WHEN known IS NULL THEN 'SELECT * FROM migmgr.submit(file, sql); or migmgr.compare_files(listing);'
         WHEN before IS NOT NULL THEN 'SELECT * FROM migmgr.pending;' END;
  IF last.status IN ('applied', 'baseline', 'marked applied') THEN
    RETURN;
  END IF;

  RETURN QUERY
  SELECT g.item, CASE WHEN g.status = 'failed' AND w.reason IS NOT NULL THEN 'warning' ELSE g.status END,
         concat(g.detail, '; waived: ' || CASE WHEN g.status = 'failed' THEN w.reason END), CASE WHEN w.reason IS NULL THEN g.hint END
    FROM migmgr_internal.gate(preflight_version.version, ARRAY[COALESCE(known, approved)], 'apply', preflight_version.login, clock_timestamp()) AS g
    LEFT JOIN LATERAL (SELECT v.reason FROM migmgr.waivers AS v
                        WHERE v.active AND v.what = g.item AND (v.version IS NULL OR v.version = preflight_version.version) LIMIT 1) AS w ON true;
  RETURN QUERY
  SELECT 'blockers', CASE WHEN in_the_way IS NULL THEN 'skipped' WHEN b.n > 0 THEN 'warning' ELSE 'ok' END,
         CASE WHEN in_the_way IS NULL THEN 'which tables it touches is known once the text is submitted'
              WHEN b.n > 0 THEN format('%s sessions hold locks it needs: %s', b.n, b.who) ELSE 'no session holds a lock that it needs' END,
         CASE WHEN b.n > 0 THEN 'SELECT * FROM migmgr.blockers(sql); shows each.' END
    FROM (SELECT count(DISTINCT x.pid) AS n, string_agg(DISTINCT format('pid %s (%s) on %s', x.pid, x.username, x.relation), ', ') AS who
            FROM jsonb_to_recordset(COALESCE(in_the_way, '[]')) AS x(pid integer, username text, relation text) WHERE x.pid IS NOT NULL) AS b;
  RETURN QUERY SELECT f.* FROM migmgr_internal.preflight_flags(preflight_version.version) AS f;
  RETURN QUERY
  SELECT 'duration', CASE WHEN a.receipt IS NULL THEN 'skipped' ELSE 'ok' END,
         CASE WHEN a.receipt IS NULL THEN 'no receipt from staging says how long it took there'
              ELSE format('%s ms in staging; here the tables may be larger', a.receipt ->> 'ms') END, NULL::text
    FROM (SELECT) AS one
    LEFT JOIN LATERAL (SELECT r.receipt FROM migmgr_internal.approval_rows(NULL, preflight_version.version) AS r WHERE r.receipt IS NOT NULL AND r.checksum = COALESCE(known, approved)
                        ORDER BY r.seq DESC LIMIT 1) AS a ON true;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.preflight_version(text, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.preflight_version(text, text, jsonb) IS 'rows of preflight() about one version';

CREATE FUNCTION migmgr_internal.preflight_rows(version text, login text, in_the_way jsonb, jobs jsonb)
  RETURNS TABLE(name text, status text, detail text, hint text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
  AS $$
#variable_conflict use_column
DECLARE
  home text := migmgr_internal.ledger_state();
BEGIN
  IF preflight_rows.version IS NOT NULL THEN
    PERFORM migmgr_internal.check_version(preflight_rows.version);
  END IF;
  RETURN QUERY
  WITH row AS MATERIALIZED (
    SELECT 1 AS place, 'environment' AS name, CASE home WHEN 'restored' THEN 'failed' ELSE 'ok' END AS status,
           format('%s: database %s of cluster %s, ledger %s', migmgr.environment(), current_database(), migmgr_internal.cluster(), home) AS detail,
           CASE home WHEN 'restored' THEN 'SELECT * FROM migmgr.verify(); then SELECT migmgr.resume(''reason'');' END AS hint
    UNION ALL
    SELECT 2, CASE v.name WHEN 'approved' THEN 'approvals' ELSE v.name END, v.status, v.detail, v.hint
      FROM migmgr_internal.preflight_version(preflight_rows.version, preflight_rows.login, preflight_rows.in_the_way) AS v
    UNION ALL
    SELECT 3, 'files', CASE WHEN NOT EXISTS (SELECT FROM migmgr_internal.remembered_files()) THEN 'skipped' WHEN d.lines IS NULL THEN 'ok' ELSE 'failed' END,
           CASE WHEN NOT EXISTS (SELECT FROM migmgr_internal.remembered_files()) THEN 'no listing of the repository''s files yet'
                ELSE COALESCE(d.lines, 'no remembered file differs from what is applied') END,
           CASE WHEN d.lines IS NOT NULL THEN 'SELECT * FROM migmgr.compare_files(listing); says how to settle each.'
                WHEN NOT EXISTS (SELECT FROM migmgr_internal.remembered_files()) THEN 'SELECT * FROM migmgr.compare_files(listing);' END
      FROM (SELECT migmgr_internal.dispute_lines() AS lines) AS d
    UNION ALL
    SELECT 4, 'checks', CASE WHEN c.run_at = 'before' AND c.status NOT IN ('ok', 'table missing') THEN 'failed' ELSE 'warning' END,
           format('%s: %s', c.name, COALESCE(c.detail, c.status)), format('SELECT sql FROM migmgr.checks WHERE name = %L;', c.name)
      FROM (SELECT r.check_name AS name, r.status, r.detail, 'before' AS run_at FROM migmgr_internal.run_checks('before', false) AS r
            UNION ALL
            SELECT k.name, k.last_status, k.last_detail, 'last run ' || to_char(k.last_run, 'YYYY-MM-DD HH24:MI TZ') FROM migmgr.checks AS k
             WHERE NOT 'before' = ANY (k.run_at) AND (k.environments IS NULL OR migmgr.environment() = ANY (k.environments))) AS c
     WHERE c.status <> 'ok'
    UNION ALL
    SELECT 5, s.name, s.status, s.detail, s.hint FROM migmgr_internal.preflight_server() AS s
    UNION ALL
    SELECT 6, 'running jobs', CASE WHEN j.running > 0 THEN 'warning' WHEN j.running IS NULL THEN 'skipped' ELSE 'ok' END,
           CASE WHEN j.running IS NOT NULL THEN format('%s running in %s', j.running, j.job_table)
                ELSE concat(format('of %s this is not known: %s', j.job_table, j.problem), '; ' || k.running || to_char(k.finished_at, '" ran at the last sweep, "YYYY-MM-DD HH24:MI:SS TZ')) END,
           CASE WHEN j.running > 0 THEN 'Wait for them, or stop the workers.' END
      FROM jsonb_to_recordset(preflight_rows.jobs) AS j(job_table text, running bigint, problem text)
      LEFT JOIN LATERAL (SELECT s.running, s.finished_at FROM migmgr_internal.sweep AS s
                          WHERE s.job_table = j.job_table AND s.finished_at IS NOT NULL ORDER BY s.id DESC LIMIT 1) AS k ON true
    UNION ALL
    SELECT 6, 'running jobs', 'skipped', 'no table is watched', NULL WHERE preflight_rows.jobs IS NULL
    UNION ALL
    SELECT 7, 'guard', g.state, g.value, CASE WHEN g.state <> 'ok' THEN 'SELECT * FROM migmgr.verify();' END FROM migmgr_internal.sum_checks('check_guard') AS g
  ), every AS (
    SELECT r.* FROM row AS r
    UNION ALL
    SELECT 4, 'checks', 'ok', format('%s named check%s, none failing', count(*), CASE WHEN count(*) <> 1 THEN 's' END), NULL FROM migmgr.checks AS c HAVING NOT EXISTS (SELECT FROM row AS r WHERE r.name = 'checks')
    UNION ALL
    SELECT 2, 'approvals', 'skipped', 'none is asked for', NULL
     WHERE preflight_rows.version IS NOT NULL AND NOT EXISTS (SELECT FROM row AS r WHERE r.name IN ('approval', 'approvals'))
       AND EXISTS (SELECT FROM row AS r WHERE r.name = 'staging')
  ), total AS (
    SELECT count(*) FILTER (WHERE e.status = 'failed') AS failed, count(*) FILTER (WHERE e.status = 'warning') AS warnings,
           count(*) FILTER (WHERE e.status = 'ok') AS ok, count(*) FILTER (WHERE e.status = 'skipped') AS skipped FROM every AS e
  )
  SELECT s.name, s.status, s.detail, s.hint
    FROM (SELECT 0 AS rank, 0 AS place, 'preflight' AS name, CASE WHEN t.failed > 0 THEN 'failed' WHEN t.warnings > 0 THEN 'warning' ELSE 'ok' END AS status,
                 format('%s failed, %s warning%s, %s ok, %s skipped: %s', t.failed, t.warnings, CASE WHEN t.warnings <> 1 THEN 's' END, t.ok, t.skipped,
                   CASE WHEN t.failed > 0 THEN 'apply would be refused' ELSE 'nothing stands in the way of an apply' END || format(' in %s (%s)', current_database(), migmgr.environment())) AS detail,
                 NULL::text AS hint
            FROM total AS t
          UNION ALL
          SELECT CASE e.status WHEN 'failed' THEN 1 WHEN 'warning' THEN 2 WHEN 'ok' THEN 3 ELSE 4 END, e.place, e.name, e.status, e.detail, e.hint FROM every AS e) AS s
   ORDER BY s.rank, s.place, s.name COLLATE "C", s.detail COLLATE "C";
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.preflight_rows(text, text, jsonb, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.preflight_rows(text, text, jsonb, jsonb) IS 'rows of preflight(), the summary first and the worst next';

-- blockers() and running_jobs() want the caller's rights, all else the owner's.
-- The body is bound when it is made, so it looks nothing up by name later.
CREATE FUNCTION migmgr.preflight(version text DEFAULT NULL)
  RETURNS TABLE(name text, status text, detail text, hint text)
  LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 20
BEGIN ATOMIC
  SELECT r.name, r.status, r.detail, r.hint
    FROM migmgr_internal.preflight_rows(version, SESSION_USER::text,
      (SELECT jsonb_agg(to_jsonb(b)) FROM migmgr_internal.pending_script(version) AS s CROSS JOIN LATERAL migmgr.blockers(s.up) AS b),
      (SELECT jsonb_agg(to_jsonb(j)) FROM migmgr_internal.running_jobs() AS j)) AS r;
END;
REVOKE ALL ON FUNCTION migmgr.preflight(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.preflight(text)
  IS 'before an apply: what it would be refused for (failed) and what to look at first (warning), one row for each question, the worst first';
