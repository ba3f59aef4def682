-- Policy: what is allowed here.  Defaults are constants in C; each change is
-- an event of the ledger, and views read the latest.

CREATE FUNCTION migmgr.environment() RETURNS text
  LANGUAGE c STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_environment';
REVOKE ALL ON FUNCTION migmgr.environment() FROM PUBLIC;
COMMENT ON FUNCTION migmgr.environment() IS 'development, staging or production; production unless set since this database became what it is';

CREATE FUNCTION migmgr_internal.policy_default(environment text, rule text) RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_policy_default';
REVOKE ALL ON FUNCTION migmgr_internal.policy_default(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.policy_default(text, text) IS 'built-in action for a rule, NULL for an unknown rule or environment';

CREATE FUNCTION migmgr_internal.policy_rules() RETURNS TABLE(place integer, rule text)
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT r.place::integer, r.rule
    FROM unnest('{additive,relaxing,replacing,data,restrictive,blocking,type_change,rewriting,security,destructive,unclassified,protected,direct_ddl}'::text[])
         WITH ORDINALITY AS r(rule, place)
$$;
REVOKE ALL ON FUNCTION migmgr_internal.policy_rules() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.policy_rules() IS 'what set_policy() can set to an action: the classes, and direct_ddl';

-- What set_policy() can set to something else than an action: the pattern
-- that a value must have, in words, and what is built in.
CREATE FUNCTION migmgr_internal.policy_settings()
  RETURNS TABLE(place integer, rule text, pattern text, words text, development text, staging text, production text)
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
  VALUES
    (20, 'soak', '^(0|\d+ (minutes?|hours?|days?))(, *(0|\d+ (minutes?|hours?|days?))){0,2}$',
     'how long a flag waits after the apply, and between two steps, and how long a version must have been in staging before, such as "24 hours, 7 days, 2 days"',
     '0', '0', '24 hours, 7 days'),
    (21, 'observe', '^(0|\d+ (minutes?|hours?|days?))$',
     'how long a version is observed after its apply, such as "7 days"', '24 hours', '72 hours', '7 days'),
    (22, 'record_state', '^(on|off)$', 'whether it is recorded how each run leaves the objects it touched, for drift(): on or off', 'on', 'on', 'on'),
    (23, 'tell_start', '^(on|auto|off)$',
     'whether listeners are told that a migration begins: on, off, or auto (what runs by a procedure or a worker, or may take its time)', 'off', 'auto', 'auto'),
    (24, 'preflight', '^(on|off)$', 'whether apply warns of what preflight() would, sessions and server too: on or off', 'off', 'off', 'off'),
    (30, 'window', '.', 'when migrations may be applied, such as "Sat,Sun 02:00-04:00 UTC", or "always"', 'always', 'always', 'always'),
    (31, 'max_backup_age', '^(any|0*[1-9]\d* (minutes?|hours?|days?))$', 'how old the last backup may be, such as "12 hours", or "any"', 'any', 'any', 'any'),
    (32, 'require_staging', '^(on|off|\d{10,20})$',
     'whether a migration must have run in staging: on, off, or the system identifier of the cluster that staging is on', 'off', 'off', 'off'),
    (33, 'four_eyes', '^(on|off)$', 'whether somebody else must approve than who runs or has submitted it: on or off', 'off', 'off', 'off'),
    (35, 'naming', '.', 'how new tables, columns, views, indexes, sequences, types and functions are called: any, snake_case, or a regular expression', 'any', 'any', 'any'),
    (34, 'approval_expiry', '^0*[1-9]\d* (minutes?|hours?|days?)$', 'how long an approval holds, such as "7 days"', '7 days', '7 days', '7 days')
$$;
REVOKE ALL ON FUNCTION migmgr_internal.policy_settings() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.policy_settings() IS 'rules whose value is not an action';

CREATE FUNCTION migmgr_internal.policy_builtin(environment text, rule text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT coalesce(migmgr_internal.policy_default(environment, rule),
                  (SELECT CASE environment WHEN 'development' THEN s.development WHEN 'staging' THEN s.staging ELSE s.production END
                     FROM migmgr_internal.policy_settings() AS s WHERE s.rule = policy_builtin.rule))
$$;
REVOKE ALL ON FUNCTION migmgr_internal.policy_builtin(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.policy_builtin(text, text) IS 'value that a rule has where nobody has set it';

CREATE FUNCTION migmgr_internal.check_word(what text, word text, allowed text[]) RETURNS void
  LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  IF word IS NULL OR word <> ALL (allowed) THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006',
      MESSAGE = CASE WHEN word IS NULL THEN format('%s must not be null', what)
                     ELSE format('%s "%s" is not known', what, word) END,
      DETAIL = format('Known are: %s.', array_to_string(allowed, ', '));
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_word(text, text, text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_word(text, text, text[]) IS 'raise MG006 unless a word is one of those allowed';

CREATE FUNCTION migmgr.set_environment(environment text) RETURNS text
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_variable
DECLARE
  before text;
BEGIN
  PERFORM migmgr_internal.check_word('environment', environment, '{development,staging,production}');
  before := migmgr.environment();
  PERFORM migmgr_internal.ledger_append('environment', NULL, jsonb_build_object('environment', environment));
  RETURN format('database %s is %s now (it was %s)', current_database(), environment, before);
END
$$;
REVOKE ALL ON FUNCTION migmgr.set_environment(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.set_environment(text) IS 'say what this database is: development, staging or production; a restored or copied one is production again';

CREATE FUNCTION migmgr.set_policy(environment text, rule text, value text, for_role text = NULL, in_schema text = NULL)
  RETURNS text
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_variable
DECLARE
  setting record;
BEGIN
  PERFORM migmgr_internal.check_word('environment', environment, '{development,staging,production}');
  PERFORM migmgr_internal.check_word('rule', rule,
    (SELECT array_agg(r.rule ORDER BY r.place)
       FROM (SELECT p.place, p.rule FROM migmgr_internal.policy_rules() AS p
             UNION ALL SELECT s.place, s.rule FROM migmgr_internal.policy_settings() AS s) AS r));
  SELECT s.* INTO setting FROM migmgr_internal.policy_settings() AS s WHERE s.rule = rule;
  IF FOUND THEN
    IF value !~ setting.pattern THEN
      RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('value "%s" is not one for rule %s', value, rule),
        DETAIL = format('It says %s.', setting.words);
    END IF;
    PERFORM migmgr_internal.check_setting(rule, value);
    IF for_role IS NOT NULL OR in_schema IS NOT NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('rule %s holds for the whole database', rule),
        DETAIL = 'Only rules about classes of statements can be set for a role or a schema.';
    END IF;
  ELSIF value IS NOT NULL THEN
    PERFORM migmgr_internal.check_word('value', value, '{allow,warn,ask,deny}');
  END IF;
  IF rule = 'protected' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG108',
      MESSAGE = 'cannot change the policy for migmgr''s own objects',
      DETAIL = 'Class protected is denied in every environment.',
      HINT = 'To upgrade or remove migmgr, as a superuser: SELECT migmgr.unprotect(''reason'');';
  END IF;
  IF for_role IS NOT NULL AND NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = for_role) THEN
    RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('role "%s" does not exist', for_role);
  END IF;
  PERFORM migmgr_internal.ledger_append('policy', NULL,
    jsonb_build_object('environment', environment, 'rule', rule, 'value', value, 'for_role', for_role, 'in_schema', in_schema));
  RETURN format('%s in %s: %s%s%s', rule, environment,
                coalesce(value, migmgr_internal.policy_builtin(environment, rule) || ', as built in'),
                ' for role ' || for_role, ' in schema ' || in_schema);
END
$$;
REVOKE ALL ON FUNCTION migmgr.set_policy(text, text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.set_policy(text, text, text, text, text)
  IS 'set what a class of statements leads to (allow, warn, ask, deny; NULL: as built in), or direct_ddl, for one role or schema if named; or a rule with a value of its own';

CREATE FUNCTION migmgr.waive(what text, reason text, valid_for interval = '1 hour', version text = NULL) RETURNS text
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_variable
DECLARE
  until timestamptz := clock_timestamp() + valid_for;
BEGIN
  PERFORM migmgr_internal.check_word('class', what, '{data,restrictive,blocking,type_change,rewriting,security,destructive,unclassified,direct_ddl,approval,backup,window,checksum,staging,checks,naming,soak,frozen}');
  IF version IS NOT NULL THEN
    PERFORM migmgr_internal.check_version(version);
  END IF;
  IF coalesce(btrim(reason), '') = '' THEN
    RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'waive() needs a reason',
      HINT = format('SELECT migmgr.waive(%L, ''ticket 123: ...'');', what);
  ELSIF valid_for IS NULL OR valid_for <= '0'::interval OR valid_for > '7 days'::interval THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = 'waive() cannot be valid for that long',
      DETAIL = 'valid_for must be more than nothing and at most seven days.';
  END IF;
  PERFORM migmgr_internal.ledger_append('waiver', version, jsonb_build_object('what', what, 'reason', reason,
    'until', to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')));
  PERFORM migmgr_internal.tell('waiver', version, jsonb_build_object('what', what, 'reason', left(reason, 200), 'until', until));
  RETURN format('%s in database %s (%s) until %s%s', CASE WHEN what IN ('direct_ddl', 'approval', 'backup', 'window', 'checksum', 'staging', 'checks', 'naming', 'soak', 'frozen') THEN what || ' is waived' ELSE what || ' statements pass' END, current_database(), migmgr.environment(),
                to_char(until, 'YYYY-MM-DD HH24:MI:SS TZ'), ', in migration ' || version);
END
$$;
REVOKE ALL ON FUNCTION migmgr.waive(text, text, interval, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.waive(text, text, interval, text)
  IS 'let statements of a class pass for a time, or what another rule stops, with a warning and a reason on record; if a version is named, only there, and once';

CREATE FUNCTION migmgr.unprotect(reason text, valid_for interval = '10 minutes') RETURNS text
  LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_unprotect';
REVOKE ALL ON FUNCTION migmgr.unprotect(text, interval) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.unprotect(text, interval)
  IS 'superuser: lift the protection of migmgr''s own objects in this session for a time, to upgrade or remove migmgr';

-- The latest event about each setting, and the constant where there is none.
CREATE VIEW migmgr.policy AS
WITH set_to AS (
  SELECT DISTINCT ON (d.detail ->> 'environment', d.detail ->> 'rule', d.detail ->> 'for_role', d.detail ->> 'in_schema')
         d.detail, l.at, l.role
    FROM migmgr.ledger AS l, LATERAL (SELECT l.detail::jsonb AS detail) AS d
   WHERE l.event = 'policy' AND l.event NOT IN ('applied', 'rolled back')
   ORDER BY d.detail ->> 'environment', d.detail ->> 'rule', d.detail ->> 'for_role', d.detail ->> 'in_schema', l.seq DESC
), every AS (
  SELECT e.environment, r.rule, NULL::text AS for_role, NULL::text AS in_schema
    FROM unnest('{development,staging,production}'::text[]) AS e(environment),
         (SELECT p.rule FROM migmgr_internal.policy_rules() AS p UNION ALL SELECT s.rule FROM migmgr_internal.policy_settings() AS s) AS r
  UNION
  SELECT s.detail ->> 'environment', s.detail ->> 'rule', s.detail ->> 'for_role', s.detail ->> 'in_schema'
    FROM set_to AS s WHERE s.detail ->> 'value' IS NOT NULL
)
SELECT v.environment, v.rule,
       coalesce(s.detail ->> 'value', migmgr_internal.policy_default(v.environment, v.rule),
                (SELECT CASE v.environment WHEN 'development' THEN b.development WHEN 'staging' THEN b.staging ELSE b.production END
                   FROM migmgr_internal.policy_settings() AS b WHERE b.rule = v.rule)) AS value,
       v.for_role, v.in_schema,
       CASE WHEN s.detail ->> 'value' IS NOT NULL THEN s.at END AS set_at,
       CASE WHEN s.detail ->> 'value' IS NOT NULL THEN s.role END AS set_by
  FROM every AS v
  LEFT JOIN set_to AS s ON s.detail ->> 'environment' = v.environment AND s.detail ->> 'rule' = v.rule
   AND (s.detail ->> 'for_role') IS NOT DISTINCT FROM v.for_role
   AND (s.detail ->> 'in_schema') IS NOT DISTINCT FROM v.in_schema
 ORDER BY array_position('{development,staging,production}'::text[], v.environment),
          (SELECT r.place FROM migmgr_internal.policy_rules() AS r WHERE r.rule = v.rule),
          (SELECT s.place FROM migmgr_internal.policy_settings() AS s WHERE s.rule = v.rule),
          v.for_role NULLS FIRST, v.in_schema NULLS FIRST;
COMMENT ON VIEW migmgr.policy IS 'what each class of statements leads to in each environment and what else is set, for whom and where, and who set it (nobody: built in)';

CREATE VIEW migmgr.waivers AS
WITH entry AS (
  SELECT l.seq, l.event, l.version, l.at, l.role, l.detail::jsonb AS detail
    FROM migmgr.ledger AS l
   WHERE l.event IN ('waiver', 'waiver used', 'epoch') AND l.event NOT IN ('applied', 'rolled back')
), used AS (
  SELECT (e.detail ->> 'entry')::bigint AS entry, min(e.at) AS at FROM entry AS e WHERE e.event = 'waiver used' GROUP BY 1
)
SELECT e.detail ->> 'what' AS what, e.version, e.detail ->> 'reason' AS reason,
       (e.detail ->> 'until')::timestamptz AS until,
       (e.detail ->> 'until')::timestamptz > clock_timestamp() AND u.at IS NULL
         AND e.seq > coalesce((SELECT max(p.seq) FROM entry AS p WHERE p.event = 'epoch'), 0) AS active,
       e.at AS granted_at, e.role AS granted_by, u.at AS used_at
  FROM entry AS e LEFT JOIN used AS u ON u.entry = e.seq
 WHERE e.event = 'waiver'
 ORDER BY e.seq DESC;
COMMENT ON VIEW migmgr.waivers IS 'exceptions that somebody has taken responsibility for, the newest first, and whether they still hold';

-- For rules that are asked about in SQL; the guard has its own way.
CREATE FUNCTION migmgr_internal.use_waiver(what text, versions text[]) RETURNS text
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_variable
DECLARE
  waiver record;
BEGIN
  SELECT w.* INTO waiver FROM migmgr.waivers AS w
   WHERE w.what = what AND w.active AND (w.version IS NULL OR w.version = ANY (versions))
   ORDER BY w.version NULLS FIRST, w.granted_at LIMIT 1;
  IF waiver.version IS NOT NULL THEN
    PERFORM migmgr_internal.ledger_append('waiver used', waiver.version, jsonb_build_object('what', what, 'entry',
      (SELECT l.seq FROM migmgr.ledger AS l
        WHERE l.event = 'waiver' AND l.event NOT IN ('applied', 'rolled back') AND l.at = waiver.granted_at)));
  END IF;
  RETURN 'Waived by ' || waiver.granted_by || ': ' || waiver.reason || '.';
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.use_waiver(text, text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.use_waiver(text, text[]) IS 'the waiver that holds now, in words, or NULL; one that names a version is used up by it';

-- What the guard thinks of each statement of a text, for tests.
CREATE FUNCTION migmgr_internal.classify(sql text)
  RETURNS TABLE (statement integer, line integer, command text, object text, class text, rule text,
                 lock_mode text, rewrites boolean, scans boolean, action text, reason text, hint text)
  LANGUAGE c STRICT STABLE PARALLEL UNSAFE ROWS 10
  AS 'MODULE_PATHNAME', 'migmgr_classify';
REVOKE ALL ON FUNCTION migmgr_internal.classify(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.classify(text) IS 'class, rule and lock of each statement, against the catalog as it is now; runs nothing';

CREATE FUNCTION migmgr_internal.alter_rule_gaps() RETURNS integer[]
  LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'migmgr_alter_rule_gaps';
REVOKE ALL ON FUNCTION migmgr_internal.alter_rule_gaps() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.alter_rule_gaps() IS 'sub-commands of ALTER TABLE that no rule covers: none, or the tests fail';
