-- Approvals, and the rules that are asked before a migration runs.  All of it
-- is entries of the ledger; those from before the last epoch were given to
-- another database and do not count.

CREATE FUNCTION migmgr_internal.last_epoch() RETURNS bigint
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT COALESCE(max(l.seq), 0) FROM migmgr.ledger AS l WHERE l.event = 'epoch' AND l.event NOT IN ('applied', 'rolled back')
$$;
REVOKE ALL ON FUNCTION migmgr_internal.last_epoch() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.last_epoch() IS 'the entry from which on the ledger is that of this database';

-- The text that would run: what was submitted, else what compare_files() has
-- seen, else (for the way back) what is applied.
CREATE FUNCTION migmgr_internal.known_checksum(version text) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT COALESCE(
    (SELECT l.checksum FROM (SELECT l.event, l.checksum FROM migmgr.ledger AS l
                              WHERE l.version = $1 AND l.event IN ('submitted', 'withdrawn', 'applied') ORDER BY l.seq DESC LIMIT 1) AS l
      WHERE l.event = 'submitted'),
    (SELECT f.checksum FROM migmgr_internal.remembered_files() AS f WHERE f.version = $1),
    (SELECT l.checksum FROM (SELECT l.event, l.checksum FROM migmgr.ledger AS l
                              WHERE l.version = $1 AND l.event IN ('applied', 'rolled back', 'marked reverted') ORDER BY l.seq DESC LIMIT 1) AS l
      WHERE l.event = 'applied'))
$$;
REVOKE ALL ON FUNCTION migmgr_internal.known_checksum(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.known_checksum(text) IS 'checksum of the text that would run under a version, as far as it is known here';

CREATE FUNCTION migmgr_internal.required_labels(environment text, action text) RETURNS text[]
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT COALESCE(array_agg(r.label ORDER BY r.first), '{}')
    FROM (SELECT d.detail ->> 'label' AS label, min(l.seq) AS first, (array_agg(d.detail ->> 'required' ORDER BY l.seq DESC))[1] AS required
            FROM migmgr.ledger AS l CROSS JOIN LATERAL (SELECT l.detail::jsonb AS detail) AS d
           WHERE l.event = 'require approval' AND l.event NOT IN ('applied', 'rolled back')
             AND d.detail ->> 'environment' = $1 AND d.detail ->> 'action' = $2
           GROUP BY 1) AS r
   WHERE r.required = 'true'
$$;
REVOKE ALL ON FUNCTION migmgr_internal.required_labels(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.required_labels(text, text) IS 'labels whose approval is asked for';

-- An approval holds for one run of one text: it is over when it has expired,
-- was taken back by a rejection, or was followed by a run.
CREATE FUNCTION migmgr_internal.approval_rows(at timestamptz DEFAULT NULL, only_version text DEFAULT NULL)
  RETURNS TABLE(seq bigint, version text, action text, label text, event text, state text, given_by text, login text, on_behalf_of text,
                given_at timestamptz, expires timestamptz, evidence text, checksum text, receipt jsonb)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT a.seq, a.version, a.detail ->> 'action', a.detail ->> 'label', a.event,
         CASE WHEN a.seq <= migmgr_internal.last_epoch() THEN 'void: given to another database'
              WHEN u.seq IS NOT NULL THEN 'used'
              WHEN a.event = 'rejected' THEN CASE WHEN n.event IS NULL THEN 'rejected' ELSE 'answered' END
              WHEN n.event = 'rejected' THEN 'void: rejected since'
              WHEN (a.detail ->> 'expires')::timestamptz <= COALESCE(approval_rows.at, clock_timestamp()) THEN 'expired'
              WHEN a.detail ->> 'checksum' <> k.checksum THEN 'void: the text has changed'
              ELSE 'valid' END,
         a.role, a.session_role, a.detail ->> 'on_behalf_of', a.at, (a.detail ->> 'expires')::timestamptz,
         COALESCE(a.detail ->> 'evidence', a.detail ->> 'reason'), a.detail ->> 'checksum', a.detail -> 'receipt'
    FROM (SELECT l.seq, l.event, l.version, l.at, l.role, l.session_role, l.detail::jsonb AS detail
            FROM migmgr.ledger AS l
           WHERE l.event IN ('approved', 'rejected') AND l.event NOT IN ('applied', 'rolled back')
             AND (approval_rows.only_version IS NULL OR l.version = approval_rows.only_version)) AS a
    LEFT JOIN LATERAL (SELECT migmgr_internal.known_checksum(a.version) AS checksum) AS k ON true
    LEFT JOIN LATERAL (
      SELECT l.seq FROM migmgr.ledger AS l
       WHERE l.version = a.version AND l.seq > a.seq AND l.event = CASE a.detail ->> 'action' WHEN 'rollback' THEN 'rolled back' ELSE 'applied' END
       LIMIT 1) AS u ON true
    LEFT JOIN LATERAL (
      SELECT l.event FROM migmgr.ledger AS l
       WHERE l.version = a.version AND l.seq > a.seq AND l.event IN ('approved', 'rejected')
         AND l.detail::jsonb ->> 'label' = a.detail ->> 'label' AND l.detail::jsonb ->> 'action' = a.detail ->> 'action'
       ORDER BY l.seq DESC LIMIT 1) AS n ON true
   ORDER BY a.seq DESC;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.approval_rows(timestamptz, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.approval_rows(timestamptz, text) IS 'approvals and rejections, the newest first, and what they are worth at a time';

CREATE VIEW migmgr.approvals WITH (security_invoker = false) AS
  SELECT a.version, a.action, a.label, a.state,
         a.given_by || CASE WHEN a.login <> a.given_by THEN ' (logged in as ' || a.login || ')' ELSE '' END AS given_by,
         a.on_behalf_of, a.given_at, a.expires, a.evidence, a.checksum
    FROM migmgr_internal.approval_rows() AS a;
COMMENT ON VIEW migmgr.approvals IS 'who approved or rejected what, the newest first, and whether it still holds';
COMMENT ON COLUMN migmgr.approvals.state IS 'valid, used, expired, void (with the reason), rejected, or answered: a rejection that an approval has followed';

CREATE VIEW migmgr.required_approvals WITH (security_invoker = false) AS
  SELECT r.environment, r.action, r.label, r.at AS set_at, r.role AS set_by
    FROM (SELECT DISTINCT ON (d.detail ->> 'environment', d.detail ->> 'action', d.detail ->> 'label')
                 d.detail ->> 'environment' AS environment, d.detail ->> 'action' AS action, d.detail ->> 'label' AS label,
                 d.detail ->> 'required' AS required, l.at, l.role
            FROM migmgr.ledger AS l CROSS JOIN LATERAL (SELECT l.detail::jsonb AS detail) AS d
           WHERE l.event = 'require approval' AND l.event NOT IN ('applied', 'rolled back')
           ORDER BY d.detail ->> 'environment', d.detail ->> 'action', d.detail ->> 'label', l.seq DESC) AS r
   WHERE r.required = 'true'
   ORDER BY array_position('{development,staging,production}'::text[], r.environment), r.action, r.at;
COMMENT ON VIEW migmgr.required_approvals IS 'labels whose approval is asked for, by environment and action';

CREATE FUNCTION migmgr_internal.check_label(label text) RETURNS void
  LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  IF label IS NULL OR label !~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006',
      MESSAGE = CASE WHEN label IS NULL THEN 'label must not be null' ELSE format('"%s" is not a label', left(label, 100)) END,
      DETAIL = 'A label is one word of letters, digits, "-", "_" and ".", at most 63.',
      HINT = 'For example dev-lead, ops-oncall or product-owner.';
  END IF;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_label(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_label(text) IS 'raise MG006 unless it can be the label of an approval';

CREATE FUNCTION migmgr.require_approval(environment text, label text, action text = 'apply', required boolean = true) RETURNS text
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_variable
DECLARE
  labels text[];
BEGIN
  PERFORM migmgr_internal.check_word('environment', environment, '{development,staging,production}');
  PERFORM migmgr_internal.check_word('action', action, '{apply,rollback}');
  PERFORM migmgr_internal.check_label(label);
  labels := migmgr_internal.required_labels(environment, action);
  IF required IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'required must not be null';
  ELSIF NOT required AND label <> ALL (labels) THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('approval by "%s" is not asked for in %s', label, environment),
      DETAIL = format('Asked for: %s.', COALESCE(nullif(array_to_string(labels, ', '), ''), 'none'));
  ELSIF NOT required OR label <> ALL (labels) THEN
    PERFORM migmgr_internal.ledger_append('require approval', NULL,
      jsonb_build_object('environment', environment, 'action', action, 'label', label, 'required', required));
  END IF;
  RETURN format('%s in %s needs approval by: %s', action, environment,
    COALESCE(nullif(array_to_string(migmgr_internal.required_labels(environment, action), ', '), ''), 'nobody'));
END
$$;
REVOKE ALL ON FUNCTION migmgr.require_approval(text, text, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.require_approval(text, text, text, boolean)
  IS 'ask for an approval with this label before a migration is applied (or rolled back) in an environment; required => false: no longer';

-- What approve() and reject() have in common.  The checksum is the one given,
-- or the one that is known; where both are, they must agree.
CREATE FUNCTION migmgr_internal.approval_subject(version text, label text, action text, checksum text) RETURNS text
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_variable
DECLARE
  labels text[];
  known text := migmgr_internal.known_checksum(version);
  given text := migmgr_internal.check_checksum(checksum);
  last text := (SELECT h.status FROM migmgr.history AS h WHERE h.version = approval_subject.version);
BEGIN
  PERFORM migmgr_internal.check_version(version);
  PERFORM migmgr_internal.check_word('action', action, '{apply,rollback}');
  PERFORM migmgr_internal.check_label(label);
  labels := migmgr_internal.required_labels(migmgr.environment(), action);
  IF label <> ALL (labels) AND labels <> '{}' AND (label <> 'staging' OR action <> 'apply') THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = format('label "%s" is not known', label),
      DETAIL = format('To %s in %s these are asked for: %s.', CASE action WHEN 'apply' THEN 'apply' ELSE 'roll back' END, migmgr.environment(), array_to_string(labels, ', ')),
      HINT = format('An admin can ask for another: SELECT migmgr.require_approval(%L, %L%s);', migmgr.environment(), label,
        CASE action WHEN 'rollback' THEN ', ''rollback''' ELSE '' END);
  ELSIF action = 'apply' AND last IN ('applied', 'baseline', 'marked applied') THEN
    RAISE EXCEPTION USING ERRCODE = 'MG201', MESSAGE = format('migration "%s" is applied already: there is nothing to decide', version),
      HINT = format('For the way back: SELECT migmgr.approve(%L, %L, action => ''rollback'');', version, label);
  ELSIF given <> known THEN
    RAISE EXCEPTION USING ERRCODE = 'MG005', MESSAGE = format('migration "%s" is not the text with that checksum', version),
      DETAIL = format(E'Known here: %s.\nGiven: %s.', known, given),
      HINT = 'Look at the text again; if the new one is right, submit it or hand the new checksums to migmgr.compare_files() first.';
  END IF;
  RETURN COALESCE(given, known);
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.approval_subject(text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.approval_subject(text, text, text, text) IS 'checksum of the text that an approval is about; raises for what cannot be approved';

CREATE FUNCTION migmgr_internal.utc(at timestamptz) RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$SELECT to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')$$;
REVOKE ALL ON FUNCTION migmgr_internal.utc(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.utc(timestamptz) IS 'a time as the ledger writes it';

CREATE FUNCTION migmgr.approve(
  version text, label text, evidence text = NULL, on_behalf_of text = NULL, action text = 'apply', checksum text = NULL,
  valid_for interval = NULL) RETURNS text
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_variable
DECLARE
  receipt jsonb;
  subject text;
  expires timestamptz := clock_timestamp() + COALESCE(valid_for, migmgr_internal.policy_value('approval_expiry')::interval);
  missing text;
BEGIN
  subject := migmgr_internal.approval_subject(version, label, action, checksum);
  IF valid_for <= '0'::interval OR valid_for > '90 days'::interval THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = 'an approval cannot be valid for that long',
      DETAIL = 'valid_for must be more than nothing and at most 90 days.';
  ELSIF length(evidence) > 10000 OR length(on_behalf_of) > 200 THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = 'evidence or on_behalf_of is too long', DETAIL = 'They hold 10,000 and 200 characters.';
  END IF;
  IF label = 'staging' AND action = 'apply' THEN
    receipt := migmgr_internal.check_receipt(evidence, version, subject);
    subject := COALESCE(subject, receipt ->> 'checksum');
  END IF;
  IF subject IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'MG007', MESSAGE = format('migration "%s" is not known here: there is no text to approve', version),
      HINT = format('Let migmgr see it first, with migmgr.submit() or migmgr.compare_files(), or say which text: SELECT migmgr.approve(%L, %L, checksum => ''...'');', version, label);
  END IF;
  PERFORM migmgr_internal.ledger_append('approved', version, jsonb_strip_nulls(jsonb_build_object('action', action, 'label', label,
    'checksum', subject, 'environment', migmgr.environment(), 'expires', migmgr_internal.utc(expires),
    'evidence', CASE WHEN receipt IS NULL THEN evidence END, 'on_behalf_of', on_behalf_of, 'receipt', receipt)));
  -- under the lock of the chain now: it may have been applied while we waited
  PERFORM migmgr_internal.approval_subject(version, label, action, checksum);
  PERFORM migmgr_internal.tell('approved', version, jsonb_build_object('action', action, 'label', label));
  SELECT string_agg(g.detail, '; ') INTO missing
    FROM migmgr_internal.gate_approvals(version, ARRAY[subject], action, NULL, clock_timestamp()) AS g WHERE g.status = 'failed';
  RETURN format('%s of %s approved by %s%s in database %s (%s) until %s; %s', action, version, label, ' on behalf of ' || on_behalf_of,
    current_database(), migmgr.environment(), to_char(expires, 'YYYY-MM-DD HH24:MI:SS TZ'), COALESCE('still ' || missing, 'no approval is missing'));
END
$$;
REVOKE ALL ON FUNCTION migmgr.approve(text, text, text, text, text, text, interval) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.approve(text, text, text, text, text, text, interval)
  IS 'approve the apply (or rollback) of exactly the text that is known under a version, in this database, once, until it expires';

CREATE FUNCTION migmgr.reject(version text, label text, reason text, action text = 'apply') RETURNS text
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_variable
DECLARE
  subject text;
BEGIN
  IF COALESCE(btrim(reason), '') = '' THEN
    RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'reject() needs a reason',
      HINT = format('SELECT migmgr.reject(%L, %L, ''the index is missing'');', version, label);
  END IF;
  subject := migmgr_internal.approval_subject(version, label, action, NULL);
  PERFORM migmgr_internal.ledger_append('rejected', version, jsonb_strip_nulls(jsonb_build_object('action', action, 'label', label,
    'checksum', subject, 'environment', migmgr.environment(), 'reason', left(reason, 10000))));
  PERFORM migmgr_internal.approval_subject(version, label, action, NULL);
  PERFORM migmgr_internal.tell('rejected', version, jsonb_build_object('action', action, 'label', label, 'reason', left(reason, 200)));
  RETURN format('%s of %s rejected by %s in database %s (%s), until %s approves it', action, version, label, current_database(), migmgr.environment(), label);
END
$$;
REVOKE ALL ON FUNCTION migmgr.reject(text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.reject(text, text, text, text)
  IS 'say no to the apply (or rollback) of the text that is known under a version: what this label approved is void';

-- login: who is about to run it; with four eyes his own approvals, and those
-- of whoever submitted the text, do not count.  NULL: not asked.
CREATE FUNCTION migmgr_internal.gate_approvals(version text, checksums text[], action text, login text, at timestamptz)
  RETURNS TABLE(item text, status text, detail text, hint text)
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  own text[] := '{}';
BEGIN
  IF gate_approvals.login IS NOT NULL AND migmgr_internal.policy_value('four_eyes') = 'on' THEN
    own := ARRAY[gate_approvals.login] || ARRAY(
      SELECT l.session_role FROM migmgr.ledger AS l WHERE l.version = gate_approvals.version AND l.event = 'submitted' ORDER BY l.seq DESC LIMIT 1);
  END IF;
  RETURN QUERY
  WITH a AS MATERIALIZED (
    SELECT r.*, r.checksum = ANY (gate_approvals.checksums) AS same
      FROM migmgr_internal.approval_rows(gate_approvals.at, gate_approvals.version) AS r
     WHERE r.action = gate_approvals.action
  ), good AS (
    SELECT a.* FROM a
     WHERE a.event = 'approved' AND a.same AND a.login <> ALL (own) AND a.state IN ('valid', 'void: the text has changed')
  ), missing AS (
    SELECT l.label, l.place,
           (SELECT CASE WHEN a.state = 'used' OR a.state LIKE 'void: given%' THEN NULL
                        WHEN a.state = 'expired' THEN format(': that of %s expired %s', a.given_by, to_char(a.expires, 'YYYY-MM-DD HH24:MI:SS TZ'))
                        WHEN NOT a.same THEN format(': %s approved another text, %s...', a.given_by, left(a.checksum, 16))
                        WHEN a.login = ANY (own) THEN format(': %s cannot approve what the same login runs or submitted (four eyes)', a.login) END
              FROM a WHERE a.event = 'approved' AND a.label = l.label ORDER BY a.seq DESC LIMIT 1) AS why
      FROM unnest(migmgr_internal.required_labels(migmgr.environment(), gate_approvals.action)) WITH ORDINALITY AS l(label, place)
     WHERE l.label NOT IN (SELECT g.label FROM good AS g)
       AND l.label NOT IN (SELECT r.label FROM a AS r WHERE r.state = 'rejected' AND (r.same OR r.checksum IS NULL))
  )
  SELECT 'approval', 'failed', format('rejected by %s (%s): %s', a.label, a.given_by, a.evidence),
         format('SELECT migmgr.approve(%L, %L%s);', a.version, a.label, CASE a.action WHEN 'rollback' THEN ', action => ''rollback''' ELSE '' END)
    FROM a WHERE a.state = 'rejected' AND (a.same OR a.checksum IS NULL)
  UNION ALL
  (SELECT 'approval', 'failed', format('no approval by %s%s', m.label, m.why),
          format('SELECT migmgr.approve(%L, %L%s);', gate_approvals.version, m.label,
                 CASE gate_approvals.action WHEN 'rollback' THEN ', action => ''rollback''' ELSE '' END)
     FROM missing AS m ORDER BY m.place)
  UNION ALL
  SELECT 'approval', 'failed', format('no approval by another login than %s (four eyes)', array_to_string(own, ', ')),
         format('SELECT migmgr.approve(%L, ''second-pair-of-eyes''%s);', gate_approvals.version,
                CASE gate_approvals.action WHEN 'rollback' THEN ', action => ''rollback''' ELSE '' END)
   WHERE own <> '{}' AND migmgr_internal.required_labels(migmgr.environment(), gate_approvals.action) = '{}' AND NOT EXISTS (SELECT FROM good)
  UNION ALL
  SELECT 'approved', 'ok', string_agg(format('%s by %s', g.label, COALESCE(g.on_behalf_of, g.given_by)), ', ' ORDER BY g.seq), NULL
    FROM good AS g HAVING count(*) > 0;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.gate_approvals(text, text[], text, text, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.gate_approvals(text, text[], text, text, timestamptz) IS 'approvals that are missing for one run, and those that there are';
