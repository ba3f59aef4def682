-- The completion report of a migration, in Markdown.

CREATE FUNCTION migmgr_internal.cell(content text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$SELECT replace(regexp_replace(COALESCE(content, ''), '\s+', ' ', 'g'), '|', '\|')$$;
REVOKE ALL ON FUNCTION migmgr_internal.cell(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.cell(text) IS 'a text as it may stand in a cell of a Markdown table';

-- A heading and a table, or nothing when there are no rows.
CREATE FUNCTION migmgr_internal.section(title text, columns text[], rows text[]) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT concat(E'\n## ', title, E'\n\n| ', array_to_string(columns, ' | '), E' |\n|', repeat('---|', cardinality(columns)), E'\n', array_to_string(rows, E'\n'), E'\n')
   WHERE cardinality(rows) > 0
$$;
REVOKE ALL ON FUNCTION migmgr_internal.section(text, text[], text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.section(text, text[], text[]) IS 'a part of a report';

CREATE FUNCTION migmgr_internal.line(VARIADIC cells text[]) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$SELECT concat('| ', (SELECT string_agg(migmgr_internal.cell(c.content), ' | ' ORDER BY c.n) FROM unnest(cells) WITH ORDINALITY AS c(content, n)), ' |')$$;
REVOKE ALL ON FUNCTION migmgr_internal.line(text[]) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.line(text[]) IS 'a row of a Markdown table';

-- What a class of change puts at risk, in a word and why.
CREATE FUNCTION migmgr_internal.risk(class text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT CASE WHEN class IS NULL OR class IN ('none', 'additive', 'relaxing', 'replacing') THEN 'low: it only adds, loosens or replaces'
              WHEN class = 'data' THEN 'medium: it changes rows'
              WHEN class = 'restrictive' THEN 'medium: statements that worked may fail now'
              WHEN class IN ('blocking', 'rewriting', 'type_change') THEN 'high: ' || replace(class, '_', ' ') || ' while it ran'
              WHEN class = 'security' THEN 'high: it weakened security'
              ELSE 'high: ' || class END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.risk(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.risk(text) IS 'risk of a migration of this class, for reports';

-- Tables of a run with their row security as it is now.
CREATE FUNCTION migmgr_internal.report_security(entry bigint) RETURNS text[]
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT array_agg(migmgr_internal.line(t.identity, CASE WHEN c.oid IS NULL THEN 'the table is gone' WHEN c.relrowsecurity AND c.relforcerowsecurity THEN 'on, for the owner too'
                                             WHEN c.relrowsecurity THEN 'on' ELSE 'off' END,
                     (SELECT count(*)::text FROM pg_policy AS p WHERE p.polrelid = c.oid)) ORDER BY t.identity)
    FROM (SELECT DISTINCT CASE o.type WHEN 'table' THEN o.identity ELSE regexp_replace(o.identity, '^.* on ', '') END AS identity
            FROM migmgr_internal.object AS o WHERE o.seq = entry AND o.type IN ('table', 'policy') AND o.action <> 'dropped') AS t
    LEFT JOIN pg_class AS c ON c.oid = to_regclass(t.identity)
$$;
REVOKE ALL ON FUNCTION migmgr_internal.report_security(bigint) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.report_security(bigint) IS 'row security of the tables that an entry made or changed';

CREATE FUNCTION migmgr.report(version text) RETURNS text
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
DECLARE
  h record;
  ran record;
  entry bigint;
BEGIN
  SELECT v.* INTO h FROM migmgr.history AS v WHERE v.version = report.version;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'MG007',
      MESSAGE = format('version "%s" is not known here', COALESCE(report.version, 'null')),
      DETAIL = 'The ledger has no entry for it.',
      HINT = 'SELECT version, name, status FROM migmgr.history;';
  END IF;
  SELECT COALESCE((l.detail::jsonb ->> 'origin')::bigint, l.seq) INTO entry FROM migmgr.ledger AS l
   WHERE l.version = report.version AND l.event IN ('applied', 'captured', 'renamed') ORDER BY l.seq DESC LIMIT 1;
  SELECT l.seq, l.hash, l.detail::jsonb AS detail INTO ran FROM migmgr.ledger AS l WHERE l.seq = entry;

  RETURN concat(
    '# Migration report: ', concat_ws(' ', report.version, h.name), E'\n',
    E'\n| | |\n|---|---|\n',
    (SELECT string_agg(migmgr_internal.line(r.label, r.content), E'\n' ORDER BY r.n) FROM (VALUES
       (1, 'Database', format('%s (%s)', current_database(), COALESCE(ran.detail ->> 'environment', migmgr.environment()))),
       (2, 'Status', h.status),
       (3, 'When', migmgr_internal.moment(h.applied_at)),
       (4, 'Who', h.applied_by),
       (5, 'How long', CASE WHEN h.ms IS NOT NULL THEN format('%s ms, %s statements', h.ms, COALESCE(h.statements, 0)) END),
       (6, 'Attempts', h.attempts::text),
       (7, 'File', ran.detail ->> 'file'),
       (8, 'Checksum', h.checksum),
       (9, 'Class', h.class),
       (10, 'Risk', CASE WHEN h.class IS NOT NULL THEN migmgr_internal.risk(h.class) END),
       (11, 'Way back', h.reversible),
       (12, 'Verify SQL', CASE WHEN ran.detail ? 'verify' THEN 'held when it was applied' WHEN ran.seq IS NOT NULL THEN 'none' END),
       (13, 'Feature flags', (SELECT string_agg(f.flag, ', ') FROM jsonb_array_elements_text(ran.detail -> 'flags') AS f(flag))),
       (14, 'Ledger', CASE WHEN ran.seq IS NOT NULL THEN format('entry %s, %s', ran.seq, ran.hash) END),
       (15, 'Note', h.note)) AS r(n, label, content) WHERE r.content IS NOT NULL),
    E'\n',
    migmgr_internal.section('Statements', '{#,Line,Command,Object,Class,ms,Rows}',
      (SELECT array_agg(migmgr_internal.line(s.n::text, s.line::text, s.command, s.object, s.class, s.ms::text, s.row_count::text) ORDER BY s.n)
         FROM migmgr_internal.statement AS s WHERE s.seq = entry)),
    migmgr_internal.section('Messages', '{Statement,Message}',
      (SELECT array_agg(migmgr_internal.line(s.n::text, m.message) ORDER BY s.n) FROM migmgr_internal.statement AS s CROSS JOIN LATERAL unnest(s.notices) AS m(message) WHERE s.seq = entry)),
    migmgr_internal.section('Objects', '{Action,Object,Now}',
      (SELECT array_agg(migmgr_internal.line(o.action, concat(o.type, ' ', o.identity), o.state) ORDER BY o.n) FROM migmgr.objects AS o WHERE o.version = report.version)),
    migmgr_internal.section('Rows', '{Table,Before,After}',
      (SELECT array_agg(migmgr_internal.line(c.row ->> 'table', CASE WHEN c.row ? 'new' THEN 'new' ELSE COALESCE(c.row ->> 'before', 'not known') END,
                          concat(c.row ->> 'after', CASE WHEN c.row ? 'estimated' THEN ' (estimated)' END)) ORDER BY c.n)
         FROM jsonb_array_elements(ran.detail -> 'counts') WITH ORDINALITY AS c(row, n))),
    migmgr_internal.section('Row security', '{Table,Row security,Policies}', migmgr_internal.report_security(entry)),
    migmgr_internal.section('Checks', '{When,Check,Result,Detail}',
      (SELECT array_agg(migmgr_internal.line(migmgr_internal.moment(k.at), k.check_name, k.status, k.detail) ORDER BY k.id)
         FROM migmgr_internal.check_result AS k WHERE k.version = report.version)),
    migmgr_internal.section('Failed attempts', '{When,Who,Action,Error}',
      (SELECT array_agg(migmgr_internal.line(migmgr_internal.moment(a.at), a.role, a.action, concat(a.sqlstate, ': ', a.message)) ORDER BY a.id)
         FROM migmgr_internal.attempt AS a WHERE a.version = report.version)),
    migmgr_internal.section('Story', '{Entry,When,What,Who,Remark}',
      (SELECT array_agg(migmgr_internal.line(l.seq::text, migmgr_internal.moment(l.at), l.event, l.role,
                          concat_ws(': ', d.detail ->> 'label', COALESCE(d.detail ->> 'note', d.detail ->> 'reason', d.detail ->> 'evidence'))) ORDER BY l.seq)
         FROM migmgr.ledger AS l CROSS JOIN LATERAL (SELECT l.detail::jsonb AS detail) AS d WHERE l.version = report.version)),
    E'\n', format('Made %s by migmgr %s; ledger head %s.', migmgr_internal.moment(now()), migmgr.version(), migmgr.head()), E'\n');
END
$$;
REVOKE ALL ON FUNCTION migmgr.report(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.report(text) IS 'the completion report of a migration in Markdown: who, when, how long, statements, objects, rows, row security, checks, way back';
