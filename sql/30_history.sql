-- What happened, for people to read.  These views read with the rights of
-- their owner and call nothing but built-in functions, so SELECT on the view
-- is all that a reader needs.

-- Natural order is spelled out here instead of calling version_key(): a view
-- calls functions with the rights of the reader.
CREATE VIEW migmgr.history WITH (security_invoker = false) AS
  WITH last AS (
    SELECT DISTINCT ON (l.version) l.*
      FROM migmgr.ledger AS l
     WHERE l.version IS NOT NULL
       AND l.event IN ('applied', 'baseline', 'captured', 'imported', 'marked applied', 'renamed', 'superseded',
                       'rolled back', 'marked reverted', 'renamed away')
     ORDER BY l.version, l.seq DESC
  ), failure AS (
    SELECT DISTINCT ON (a.version) a.*, count(*) OVER (PARTITION BY a.version) AS failures
      FROM migmgr_internal.attempt AS a
     WHERE a.version IS NOT NULL AND a.action = 'apply'
     ORDER BY a.version, a.id DESC
  ), now AS (
    SELECT COALESCE(l.version, f.version) AS version,
           l.seq IS NULL OR (l.event IN ('rolled back', 'marked reverted', 'renamed away') AND f.at > l.at) AS failed,
           COALESCE(l.name, f.name) AS name,
           CASE l.event WHEN 'renamed' THEN d.detail ->> 'status' WHEN 'renamed away' THEN 'renamed' ELSE l.event END AS event,
           COALESCE((d.detail ->> 'applied_at')::timestamptz, l.at) AS at,
           COALESCE(d.detail ->> 'applied_by', l.role || CASE WHEN l.session_role <> l.role THEN ' (logged in as ' || l.session_role || ')' ELSE '' END) AS by,
           l.checksum, d.detail,
           f.name AS failed_name, f.at AS failed_at, f.session_role AS failed_session_role, f.role AS failed_role,
           f.checksum AS failed_checksum, f.ms AS failed_ms, f.message, COALESCE(f.failures, 0) AS failures
      FROM last AS l FULL JOIN failure AS f ON f.version = l.version
      LEFT JOIN LATERAL (SELECT l.detail::jsonb AS detail) AS d ON true
  ), told AS (
    SELECT n.version,
           CASE WHEN n.failed THEN n.failed_name ELSE n.name END AS name,
           CASE WHEN n.failed THEN 'failed' ELSE n.event END AS status,
           CASE WHEN n.failed THEN n.failed_at ELSE n.at END AS applied_at,
           CASE WHEN n.failed THEN n.failed_role || CASE WHEN n.failed_session_role <> n.failed_role
                  THEN ' (logged in as ' || n.failed_session_role || ')' ELSE '' END
                ELSE n.by END AS applied_by,
           CASE WHEN n.failed THEN NULL ELSE n.detail ->> 'environment' END AS environment,
           CASE WHEN n.failed THEN NULL ELSE n.detail ->> 'class' END AS class,
           CASE WHEN n.failed THEN NULL ELSE (n.detail ->> 'statements')::integer END AS statements,
           CASE WHEN n.failed THEN n.failed_ms ELSE (n.detail ->> 'ms')::bigint END AS ms,
           CASE WHEN n.failed THEN NULL ELSE n.detail ->> 'reversible' END AS reversible,
           (n.failures + COALESCE((n.detail ->> 'attempts')::bigint, CASE WHEN n.event IN ('applied', 'rolled back') THEN 1 ELSE 0 END))::integer AS attempts,
           CASE WHEN n.failed THEN n.failed_checksum ELSE n.checksum END AS checksum,
           CASE WHEN n.failed THEN n.message ELSE COALESCE(m.detail::jsonb ->> 'note', n.detail ->> 'note', n.detail ->> 'reason') END AS note
      FROM now AS n
      LEFT JOIN (SELECT DISTINCT ON (l.version) l.version, l.at, l.detail FROM migmgr.ledger AS l
                  WHERE l.event = 'note' AND l.event NOT IN ('applied', 'rolled back')
                  ORDER BY l.version, l.seq DESC) AS m ON m.version = n.version AND m.at > n.at
  ), t AS (
    SELECT COALESCE(d.version, o.version) AS version, COALESCE(o.name, d.name) AS name, COALESCE(o.status, d.status) AS status,
           COALESCE(o.stopped_at, o.started_at, o.requested_at, d.applied_at) AS applied_at,
           COALESCE(o.role || CASE WHEN o.session_role <> o.role THEN ' (logged in as ' || o.session_role || ')' ELSE '' END, d.applied_by) AS applied_by,
           d.environment, d.class, COALESCE(o.statements, d.statements) AS statements, d.ms, d.reversible, COALESCE(d.attempts, 0) AS attempts,
           COALESCE(o.checksum, d.checksum) AS checksum, CASE WHEN o.version IS NULL THEN d.note ELSE o.message END AS note
      FROM told AS d FULL JOIN migmgr_internal.online_state AS o ON o.version = d.version
  )
  SELECT t.version, t.name, t.status, t.applied_at, t.applied_by, t.environment, t.class, t.statements, t.ms, t.reversible,
         t.attempts, t.checksum, t.note
    FROM t
   ORDER BY (SELECT string_agg(CASE WHEN p.digits IS NULL THEN p.run
                                    ELSE concat(length(length(p.digits)::text), length(p.digits), p.digits) END, '' ORDER BY p.place)
               FROM (SELECT m.run[1] AS run, m.place,
                            CASE WHEN m.run[1] ~ '^[0-9]' THEN COALESCE(NULLIF(ltrim(m.run[1], '0'), ''), '0') END AS digits
                       FROM regexp_matches(CASE WHEN t.version ~ '^[0-9]{8,13}$' THEN rpad(t.version, 14, '0') ELSE t.version END,
                                           '[0-9]+|[^0-9]+', 'g') WITH ORDINALITY AS m(run, place)) AS p)
            || chr(1) || t.version COLLATE "C";
COMMENT ON VIEW migmgr.history IS 'one row per version: where it stands and how it got there, in the order of versions';
COMMENT ON COLUMN migmgr.history.status IS 'applied, rolled back or failed (only failures since it was last there); queued, running, partly applied: online; imported, baseline, captured, superseded, marked applied, marked reverted, renamed: nothing ran';
COMMENT ON COLUMN migmgr.history.applied_at IS 'when the status was reached: applied, rolled back, or last tried; of an imported version what the other tool has recorded';
COMMENT ON COLUMN migmgr.history.applied_by IS 'role in effect, and the role that logged in where it is another';
COMMENT ON COLUMN migmgr.history.reversible IS 'is there a way back: by script (its author''s) or derived, proved or why not, and what it would not bring back; or no, because';
COMMENT ON COLUMN migmgr.history.attempts IS 'tries so far, failed ones included';
COMMENT ON COLUMN migmgr.history.note IS 'last note() since, note of the apply, reason of the rollback, or message of the failure';

CREATE VIEW migmgr.attempts WITH (security_invoker = false) AS
  SELECT a.id, a.at, a.action, a.version, a.name, a.sqlstate, a.message, a.detail, a.hint, a.statement, a.line, a.ms,
         a.checksum, a.session_role, a.role, a.client, a.application
    FROM migmgr_internal.attempt AS a
   ORDER BY a.id DESC;
COMMENT ON VIEW migmgr.attempts IS 'applies and rollbacks that failed, the latest first';

CREATE VIEW migmgr.statements WITH (security_invoker = false) AS
  SELECT l.version, s.n, s.line, s.command, s.object, s.class, s.rule, s.ms, s.row_count AS rows, s.sql, s.notices,
         l.event, l.at, l.seq
    FROM migmgr_internal.statement AS s JOIN migmgr.ledger AS l ON l.seq = s.seq
   ORDER BY l.seq, s.n;
COMMENT ON VIEW migmgr.statements IS 'what each version ran, in order, with times and the messages it raised';
COMMENT ON COLUMN migmgr.statements.event IS 'the ledger entry that it belongs to: applied or rolled back';

CREATE VIEW migmgr.ddl_log WITH (security_invoker = false) AS
  SELECT d.id, d.at, d.command, d.object, d.class, d.rule, d.action, d.sql, d.session_role, d.role, d.client, d.application
    FROM migmgr_internal.ddl_log AS d
   ORDER BY d.id DESC;
COMMENT ON VIEW migmgr.ddl_log IS 'DDL that ran outside apply and rollback, the latest first';

-- What a run touched, and what a captured version stands for: that is in the
-- recording of its entry.
CREATE VIEW migmgr_internal.version_object WITH (security_invoker = false) AS
  SELECT o.seq, o.n, o.action, o.type, o.identity FROM migmgr_internal.object AS o
  UNION ALL
  SELECT l.seq, s.n, CASE WHEN s.described IS NULL THEN 'dropped'
                          WHEN EXISTS (SELECT FROM migmgr_internal.state AS p WHERE p.kind = s.kind AND p.identity = s.identity AND p.recording < s.recording AND p.described IS NOT NULL) THEN 'changed'
                          ELSE 'created' END, s.kind, s.identity
    FROM migmgr.ledger AS l JOIN migmgr_internal.state AS s ON s.recording = (l.detail::jsonb -> 'state' ->> 'recording')::bigint
   WHERE l.event = 'captured' AND l.event NOT IN ('applied', 'rolled back');
COMMENT ON VIEW migmgr_internal.version_object IS 'objects that runs and captured versions created, changed, replaced or dropped';

-- Identities are compared as text, the way pg_identify_object() writes them.
-- Each catalog is read only if a migration has touched that kind of object.
CREATE VIEW migmgr_internal.present WITH (security_invoker = false) AS
  WITH wanted AS MATERIALIZED (
    SELECT DISTINCT o.type FROM migmgr_internal.version_object AS o
  ), address(classid, objid, objsubid) AS (
    SELECT 'pg_class'::regclass, c.oid, 0 FROM pg_class AS c
     WHERE c.oid >= 16384 AND c.relnamespace <> 'pg_toast'::regnamespace AND EXISTS (SELECT FROM wanted AS w WHERE w.type IN ('table', 'index', 'sequence', 'view', 'materialized view', 'foreign table', 'composite type'))
    UNION ALL SELECT 'pg_class'::regclass, a.attrelid, a.attnum FROM pg_attribute AS a
     WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped AND EXISTS (SELECT FROM wanted AS w WHERE w.type LIKE '% column')
    UNION ALL SELECT 'pg_constraint'::regclass, c.oid, 0 FROM pg_constraint AS c
     WHERE c.oid >= 16384 AND EXISTS (SELECT FROM wanted AS w WHERE w.type LIKE '%constraint')
    UNION ALL SELECT 'pg_attrdef'::regclass, d.oid, 0 FROM pg_attrdef AS d
     WHERE EXISTS (SELECT FROM wanted AS w WHERE w.type = 'default value')
    UNION ALL SELECT 'pg_trigger'::regclass, t.oid, 0 FROM pg_trigger AS t
     WHERE NOT t.tgisinternal AND EXISTS (SELECT FROM wanted AS w WHERE w.type = 'trigger')
    UNION ALL SELECT 'pg_policy'::regclass, p.oid, 0 FROM pg_policy AS p
    UNION ALL SELECT 'pg_rewrite'::regclass, r.oid, 0 FROM pg_rewrite AS r
     WHERE r.oid >= 16384 AND EXISTS (SELECT FROM wanted AS w WHERE w.type = 'rule')
    UNION ALL SELECT 'pg_proc'::regclass, p.oid, 0 FROM pg_proc AS p
     WHERE p.oid >= 16384 AND EXISTS (SELECT FROM wanted AS w WHERE w.type IN ('function', 'procedure', 'aggregate'))
    UNION ALL SELECT 'pg_type'::regclass, t.oid, 0 FROM pg_type AS t
     WHERE t.oid >= 16384 AND EXISTS (SELECT FROM wanted AS w WHERE w.type = 'type')
    UNION ALL SELECT 'pg_namespace'::regclass, n.oid, 0 FROM pg_namespace AS n
    UNION ALL SELECT 'pg_extension'::regclass, e.oid, 0 FROM pg_extension AS e
    UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid, 0 FROM pg_statistic_ext AS s
    UNION ALL SELECT 'pg_operator'::regclass, o.oid, 0 FROM pg_operator AS o WHERE o.oid >= 16384
    UNION ALL SELECT 'pg_opclass'::regclass, o.oid, 0 FROM pg_opclass AS o WHERE o.oid >= 16384
    UNION ALL SELECT 'pg_opfamily'::regclass, o.oid, 0 FROM pg_opfamily AS o WHERE o.oid >= 16384
    UNION ALL SELECT 'pg_cast'::regclass, c.oid, 0 FROM pg_cast AS c WHERE c.oid >= 16384
    UNION ALL SELECT 'pg_collation'::regclass, c.oid, 0 FROM pg_collation AS c WHERE c.oid >= 16384
    UNION ALL SELECT 'pg_conversion'::regclass, c.oid, 0 FROM pg_conversion AS c WHERE c.oid >= 16384
    UNION ALL SELECT 'pg_language'::regclass, l.oid, 0 FROM pg_language AS l
    UNION ALL SELECT 'pg_publication'::regclass, p.oid, 0 FROM pg_publication AS p
    UNION ALL SELECT 'pg_event_trigger'::regclass, e.oid, 0 FROM pg_event_trigger AS e
    UNION ALL SELECT 'pg_foreign_server'::regclass, s.oid, 0 FROM pg_foreign_server AS s
    UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, f.oid, 0 FROM pg_foreign_data_wrapper AS f
    UNION ALL SELECT 'pg_ts_config'::regclass, t.oid, 0 FROM pg_ts_config AS t WHERE t.oid >= 16384
    UNION ALL SELECT 'pg_ts_dict'::regclass, t.oid, 0 FROM pg_ts_dict AS t WHERE t.oid >= 16384
  )
  SELECT i.type, i.identity
    FROM address AS a CROSS JOIN LATERAL pg_identify_object(a.classid, a.objid, a.objsubid) AS i
   WHERE i.type IN (SELECT w.type FROM wanted AS w);
COMMENT ON VIEW migmgr_internal.present IS 'objects that are there now, of the kinds that migrations have touched';

-- As the owner, so that a reader needs no right on the schema.
CREATE FUNCTION migmgr_internal.object_size(type text, identity text) RETURNS bigint
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT pg_total_relation_size(to_regclass(object_size.identity))
   WHERE object_size.type IN ('table', 'index', 'materialized view')
$$;
REVOKE ALL ON FUNCTION migmgr_internal.object_size(text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.object_size(text, text) IS 'bytes of a table with its indexes, of an index or a materialized view; NULL of anything else';

-- Of each version its last apply.  An object that went is explained by the
-- entry that dropped it or the table it was on, or undid the version.  What
-- explains is collected first and joined by equality, because looking for it
-- object by object takes a time that grows with the square of the history.
CREATE VIEW migmgr.objects WITH (security_invoker = false) AS
  WITH run AS (
    SELECT e.version, COALESCE((e.detail::jsonb ->> 'origin')::bigint, e.seq) AS seq
      FROM (SELECT DISTINCT ON (l.version) l.version, l.seq, l.event, l.detail
              FROM migmgr.ledger AS l
             WHERE l.version IS NOT NULL AND l.event IN ('applied', 'captured', 'renamed', 'renamed away')
             ORDER BY l.version, l.seq DESC) AS e
     WHERE e.event <> 'renamed away'
  ), made AS (
    SELECT r.version, o.*,
           CASE WHEN o.type LIKE '% column' THEN regexp_replace(o.identity, '\.("([^"]|"")+"|[^."]+)$', '')
                WHEN o.type = 'default value' THEN regexp_replace(o.identity, '^for (.*)\.("([^"]|"")+"|[^."]+)$', '\1')
                WHEN o.type IN ('trigger', 'rule', 'policy', 'table constraint') THEN regexp_replace(o.identity, '^.* on ', '')
           END AS relation
      FROM run AS r JOIN migmgr_internal.version_object AS o ON o.seq = r.seq
  ), present AS MATERIALIZED (
    SELECT p.type, p.identity FROM migmgr_internal.present AS p
  ), gone AS MATERIALIZED (
    SELECT o.type, o.identity, max(o.seq) AS seq
      FROM migmgr_internal.version_object AS o WHERE o.action = 'dropped' GROUP BY o.type, o.identity
  ), gone_relation AS MATERIALIZED (
    SELECT d.identity, max(d.seq) AS seq
      FROM gone AS d WHERE d.type IN ('table', 'view', 'materialized view', 'foreign table') GROUP BY d.identity
  ), renamed AS MATERIALIZED (
    SELECT s.object, max(s.seq) AS seq
      FROM migmgr_internal.statement AS s
     WHERE s.object IS NOT NULL AND CASE WHEN s.command LIKE 'ALTER %' THEN s.sql ~* '\mRENAME\M|\mSET\s+SCHEMA\M' END
     GROUP BY s.object
  ), undone AS MATERIALIZED (
    SELECT l.version, max(l.seq) AS seq
      FROM migmgr.ledger AS l WHERE l.event IN ('rolled back', 'marked reverted') GROUP BY l.version
  ), fate AS (
    SELECT m.*, p.identity IS NOT NULL AS present, u.seq > m.seq AS undone,
           GREATEST(g.seq, t.seq) AS dropped_by, GREATEST(r.seq, q.seq) AS renamed_by
      FROM made AS m
      LEFT JOIN present AS p ON p.type = m.type AND p.identity = m.identity
      LEFT JOIN undone AS u ON u.version = m.version
      LEFT JOIN gone AS g ON g.type = m.type AND g.identity = m.identity
      LEFT JOIN gone_relation AS t ON t.identity = m.relation
      LEFT JOIN renamed AS r ON r.object = m.identity
      LEFT JOIN renamed AS q ON q.object = m.relation
  )
  SELECT f.version, f.action, f.type, f.identity, f.present,
         CASE WHEN f.action = 'dropped' THEN CASE WHEN f.present THEN 'made again' ELSE 'dropped' END
              WHEN f.present THEN 'there'
              WHEN f.undone THEN 'rolled back'
              WHEN f.dropped_by >= f.seq THEN 'dropped by ' || dropper.version
              WHEN f.renamed_by >= f.seq THEN 'renamed by ' || renamer.version
              ELSE 'missing' END AS state,
         CASE WHEN f.present AND f.action <> 'dropped' THEN migmgr_internal.object_size(f.type, f.identity) END AS size,
         f.seq, f.n
    FROM fate AS f
    LEFT JOIN migmgr.ledger AS dropper ON dropper.seq = f.dropped_by
    LEFT JOIN migmgr.ledger AS renamer ON renamer.seq = f.renamed_by
   ORDER BY f.seq, f.n;
COMMENT ON VIEW migmgr.objects IS 'what the last apply of each version created, changed, replaced or dropped, and what became of it';
COMMENT ON COLUMN migmgr.objects.size IS 'bytes of a table with its indexes, of an index or a materialized view';
COMMENT ON COLUMN migmgr.objects.state IS 'there, rolled back, dropped (by a version), renamed by a version, made again, or missing: gone without a migration';
