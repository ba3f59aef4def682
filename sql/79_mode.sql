-- Modes of the whole database: normal, frozen (no DDL), read only.

CREATE FUNCTION migmgr_internal.mode_now()
  RETURNS TABLE(mode text, until timestamptz, reason text, since timestamptz, set_by text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT m.* FROM (
    SELECT l.detail::jsonb ->> 'mode' AS mode, (l.detail::jsonb ->> 'until')::timestamptz AS until,
           l.detail::jsonb ->> 'reason', l.at, l.role
      FROM migmgr.ledger AS l
     WHERE l.event = 'mode' AND l.event NOT IN ('applied', 'rolled back')
       AND l.seq > (SELECT max(e.seq) FROM migmgr.ledger AS e WHERE e.event = 'epoch' AND e.event NOT IN ('applied', 'rolled back'))
     ORDER BY l.seq DESC LIMIT 1) AS m
   WHERE m.mode <> 'normal' AND coalesce(m.until > clock_timestamp(), true) AND migmgr_internal.ledger_state() = 'in force'
$$;
REVOKE ALL ON FUNCTION migmgr_internal.mode_now() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.mode_now() IS 'the mode that holds, no row when it is normal';

CREATE FUNCTION migmgr_internal.mode_reach(mode text) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT CASE
    WHEN mode = 'frozen' THEN 'roles, databases and tablespaces, which belong to the whole server'
    WHEN mode = 'read only' THEN concat_ws('; ',
      'operators of migmgr and superusers, logical replication, statements that run now, prepared transactions ('
        || (SELECT count(*) FROM pg_prepared_xacts AS p WHERE p.database = current_database()) || ')',
      CASE WHEN l.level IN ('preloaded', 'session preload') THEN NULL
           WHEN l.level = 'login guard' THEN format('those of %s sessions that began before the login guard and have run no DDL', s.n)
           ELSE format('sessions that have not loaded migmgr (of %s now), because it is not preloaded. For sessions to come: ALTER DATABASE %I SET default_transaction_read_only = on, which holds until you RESET it',
                       s.n, current_database()) END)
    END
    FROM (SELECT migmgr_internal.guard_level() AS level) AS l,
         (SELECT count(*) AS n FROM pg_stat_activity AS a
           WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()) AS s
$$;
REVOKE ALL ON FUNCTION migmgr_internal.mode_reach(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.mode_reach(text) IS 'what a mode does not reach here, in words';

CREATE FUNCTION migmgr.set_mode(mode text, reason text, until timestamptz = NULL)
  RETURNS TABLE(status text, ends_at timestamptz, database text, environment text, not_reached text)
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_variable
BEGIN
  PERFORM migmgr_internal.check_word('mode', mode, '{normal,frozen,"read only"}');
  IF coalesce(btrim(reason), '') = '' THEN
    RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'set_mode() needs a reason',
      HINT = format('SELECT * FROM migmgr.set_mode(%L, ''incident 12: ...'');', mode);
  ELSIF mode = 'normal' AND until IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = 'mode normal has no end';
  ELSIF until <= clock_timestamp() OR NOT isfinite(until) THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('mode "%s" cannot end at %s', mode, until),
      DETAIL = 'The end is a time to come.';
  ELSIF mode = 'read only' AND until > clock_timestamp() + interval '1 day' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = 'mode "read only" cannot last that long',
      DETAIL = 'It ends within a day, an hour from now if nothing is said.';
  END IF;
  status := mode;
  -- an application must not be kept from writing because somebody forgot
  ends_at := CASE WHEN mode = 'read only' THEN coalesce(until, date_trunc('second', clock_timestamp() + interval '1 hour')) ELSE until END;
  database := current_database();
  environment := migmgr.environment();
  not_reached := migmgr_internal.mode_reach(mode);
  PERFORM migmgr_internal.ledger_append('mode', NULL, jsonb_strip_nulls(jsonb_build_object('mode', mode, 'reason', reason,
    'until', to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))));
  PERFORM migmgr_internal.tell('mode', NULL, jsonb_strip_nulls(jsonb_build_object('mode', mode, 'reason', left(reason, 200), 'until', ends_at)));
  RETURN NEXT;
END
$$;
REVOKE ALL ON FUNCTION migmgr.set_mode(text, text, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.set_mode(text, text, timestamptz)
  IS 'frozen: no DDL and no migrations but waived ones; read only: nobody writes but operators, until a time (an hour if not said); normal: the end of it';
