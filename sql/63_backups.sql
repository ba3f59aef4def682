-- Backups, which the server knows little about, and receipts of what ran on
-- staging.

CREATE FUNCTION migmgr.record_backup(label text, taken_at timestamptz, size_bytes bigint, location text = NULL, verified boolean = false) RETURNS text
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_variable
BEGIN
  IF COALESCE(btrim(label), '') = '' OR length(label) > 200 OR label ~ '[[:cntrl:]]' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006', MESSAGE = 'the backup needs a label of one line, 200 characters at most',
      HINT = 'For example the name of its file.';
  ELSIF taken_at IS NULL OR NOT isfinite(taken_at) OR taken_at > clock_timestamp() + interval '1 minute' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006',
      MESSAGE = CASE WHEN taken_at > clock_timestamp() THEN format('backup "%s" cannot have been taken in the future', label)
                     ELSE format('backup "%s" needs the time when it was taken', label) END,
      DETAIL = CASE WHEN taken_at > clock_timestamp() THEN format('Given: %s.', taken_at) ELSE '' END,
      HINT = 'Mind the time zone: 2026-01-31 02:00:00+00 is in UTC.';
  ELSIF size_bytes IS NULL OR size_bytes <= 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'MG006',
      MESSAGE = CASE WHEN size_bytes IS NULL THEN format('backup "%s" needs its size', label)
                     ELSE format('backup "%s" is no backup: its size is %s bytes', label, size_bytes) END,
      HINT = 'ls -l shows the size in bytes.';
  END IF;
  PERFORM migmgr_internal.ledger_append('backup', NULL, jsonb_strip_nulls(jsonb_build_object('label', label,
    'taken_at', migmgr_internal.utc(taken_at), 'size_bytes', size_bytes, 'location', location, 'verified', COALESCE(verified, false))));
  RETURN format('backup "%s" of database %s (%s) recorded: taken %s, %s, %s', label, current_database(), migmgr.environment(),
    to_char(taken_at, 'YYYY-MM-DD HH24:MI:SS TZ'), pg_size_pretty(size_bytes), CASE WHEN verified THEN 'verified' ELSE 'not verified' END);
END
$$;
REVOKE ALL ON FUNCTION migmgr.record_backup(text, timestamptz, bigint, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.record_backup(text, timestamptz, bigint, text, boolean)
  IS 'put a backup on record, with the time it was taken and its size; verified: somebody has restored it, or checked it';

CREATE FUNCTION migmgr_internal.archive_tool() RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT CASE WHEN s.value ~ 'pgbackrest' THEN 'pgBackRest' WHEN s.value ~ 'wal-g' THEN 'WAL-G' WHEN s.value ~ 'barman' THEN 'Barman' END
    FROM (SELECT concat(current_setting('archive_command'), current_setting('archive_library', true)) AS value) AS s
$$;
REVOKE ALL ON FUNCTION migmgr_internal.archive_tool() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.archive_tool() IS 'which tool the WAL goes to, as far as the settings tell';

-- The text of a file of the server.  What is no text of this database, as the
-- label that somebody typed in another encoding, has octal escapes instead.
CREATE FUNCTION migmgr_internal.file_text(bytes bytea) RETURNS text
  LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN convert_from(bytes, getdatabaseencoding());
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
  RETURN encode(bytes, 'escape');
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.file_text(bytea) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.file_text(bytea) IS 'bytes of a file as text of this database, escaped where they are none';

-- A base backup, by whatever tool, leaves a history file, which stays until the
-- next one ends; but only while WAL is archived.  It has the label that the
-- tool gave.  Whether the copy arrived anywhere the server does not know.
CREATE FUNCTION migmgr_internal.seen_backups()
  RETURNS TABLE(label text, taken_at timestamptz, location text, source text, note text)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT COALESCE(substring(h.text FROM '(?n)^LABEL: (.*)$'), w.name), w.modification,
         substring(h.text FROM '(?n)^LABEL: (pgBackRest|Barman|WAL-G|wal-g|pg_basebackup)'), 'base backup'::text,
         'the server ended a base backup then; whether the copy is whole, and where it is, it does not know'::text
    FROM pg_ls_waldir() AS w CROSS JOIN LATERAL (SELECT migmgr_internal.file_text(pg_read_binary_file('pg_wal/' || w.name, 0, 10000, true)) AS text) AS h
   WHERE w.name ~ '^[0-9A-F]{24}\.[0-9A-F]{8}\.backup$'
  UNION ALL
  SELECT format('process %s', p.pid), NULL, NULL, 'base backup, running',
         format('%s; %s of %s sent', p.phase, pg_size_pretty(p.backup_streamed), COALESCE(pg_size_pretty(p.backup_total), 'an unknown size'))
    FROM pg_stat_progress_basebackup AS p
  UNION ALL
  SELECT a.last_archived_wal, a.last_archived_time, migmgr_internal.archive_tool(), 'WAL archive',
         CASE WHEN a.last_failed_time > COALESCE(a.last_archived_time, '-infinity') THEN format('failing since %s, %s failures', to_char(a.last_failed_time, 'YYYY-MM-DD HH24:MI:SS TZ'), a.failed_count)
              ELSE 'the last WAL file archived: no backup by itself, but what restores one to any later time' END
    FROM pg_stat_archiver AS a WHERE a.last_archived_time IS NOT NULL OR a.last_failed_time IS NOT NULL;
EXCEPTION WHEN insufficient_privilege OR undefined_file THEN
  RETURN;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.seen_backups() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.seen_backups() IS 'what this server has seen of backups: base backups through it, and the WAL archive';

CREATE VIEW migmgr.backups WITH (security_invoker = false) AS
  SELECT b.label, b.taken_at, pg_size_pretty(b.size_bytes) AS size, b.verified, b.source, b.location, b.size_bytes, b.recorded_at, b.recorded_by, b.note
    FROM (SELECT d.detail ->> 'label' AS label, (d.detail ->> 'taken_at')::timestamptz AS taken_at, (d.detail ->> 'verified')::boolean AS verified,
                 'recorded'::text AS source, d.detail ->> 'location' AS location, (d.detail ->> 'size_bytes')::bigint AS size_bytes,
                 l.at AS recorded_at, l.role AS recorded_by,
                 CASE WHEN l.seq <= COALESCE((SELECT max(e.seq) FROM migmgr.ledger AS e WHERE e.event = 'epoch' AND e.event NOT IN ('applied', 'rolled back')), 0)
                      THEN 'of the database that this one was restored or copied from' END AS note
            FROM migmgr.ledger AS l CROSS JOIN LATERAL (SELECT l.detail::jsonb AS detail) AS d
           WHERE l.event = 'backup' AND l.event NOT IN ('applied', 'rolled back')
          UNION ALL
          SELECT s.label, s.taken_at, NULL, s.source, s.location, NULL, NULL, NULL, s.note FROM migmgr_internal.seen_backups() AS s) AS b
   ORDER BY b.taken_at DESC NULLS LAST;
COMMENT ON VIEW migmgr.backups IS 'backups on record, and what the server itself has seen of some; the latest first';
COMMENT ON COLUMN migmgr.backups.source IS 'recorded by record_backup(), base backup (its history file), base backup, running, or WAL archive (pg_stat_archiver)';

-- The digest shows an edit by accident or by hand; there is no secret in it, so
-- it proves nothing about who made the receipt.
CREATE FUNCTION migmgr_internal.receipt_sum(receipt jsonb) RETURNS text
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$SELECT encode(sha256(convert_to(concat('migmgr/receipt/1 ', $1 - 'sum'), 'UTF8')), 'hex')$$;
REVOKE ALL ON FUNCTION migmgr_internal.receipt_sum(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.receipt_sum(jsonb) IS 'digest of a receipt';

CREATE FUNCTION migmgr_internal.cluster() RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$SELECT c.system_identifier::text FROM pg_control_system() AS c$$;
REVOKE ALL ON FUNCTION migmgr_internal.cluster() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.cluster() IS 'system identifier of this cluster';

CREATE FUNCTION migmgr_internal.home_id() RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
  SELECT l.detail::jsonb ->> 'home' FROM migmgr.ledger AS l WHERE l.event = 'epoch' AND l.event NOT IN ('applied', 'rolled back') ORDER BY l.seq DESC LIMIT 1
$$;
REVOKE ALL ON FUNCTION migmgr_internal.home_id() FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.home_id() IS 'which database the ledger is of';

CREATE FUNCTION migmgr.receipt(version text) RETURNS text
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_variable
DECLARE
  entry record;
  bad text;
  line jsonb;
BEGIN
  PERFORM migmgr_internal.check_version(version);
  SELECT l.*, l.detail::jsonb AS facts INTO entry FROM migmgr.ledger AS l
   WHERE l.version = receipt.version AND l.event IN ('applied', 'rolled back', 'marked reverted') ORDER BY l.seq DESC LIMIT 1;
  IF entry.event IS DISTINCT FROM 'applied' THEN
    RAISE EXCEPTION USING ERRCODE = 'MG209', MESSAGE = format('no receipt for version "%s": it is not applied in database %s', version, current_database()),
      DETAIL = CASE WHEN entry.event IS NULL THEN 'The ledger has no apply of it.' ELSE format('It was %s %s.', entry.event, to_char(entry.at, 'YYYY-MM-DD HH24:MI:SS TZ')) END;
  END IF;
  SELECT string_agg(format('%s (%s)', c.name, c.last_status), ', ' ORDER BY c.name COLLATE "C") INTO bad
    FROM migmgr.checks AS c
   WHERE c.last_status NOT IN ('ok', 'table missing') AND (c.environments IS NULL OR migmgr.environment() = ANY (c.environments));
  IF bad IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'MG255', MESSAGE = format('no receipt for version "%s": a named check fails', version),
      DETAIL = format('Not as expected when last run: %s.', bad), HINT = 'SELECT * FROM migmgr.run_checks();';
  END IF;
  line := jsonb_strip_nulls(jsonb_build_object('migmgr_receipt', 1, 'version', entry.version, 'name', entry.name, 'checksum', entry.checksum,
    'environment', migmgr.environment(), 'database', current_database(), 'cluster', migmgr_internal.cluster(), 'home', migmgr_internal.home_id(),
    'applied_at', migmgr_internal.utc(entry.at), 'applied_in', entry.facts ->> 'environment', 'ms', entry.facts -> 'ms', 'class', entry.facts ->> 'class',
    'reversible', entry.facts ->> 'reversible',
    'checks_passed', (SELECT count(*) FROM migmgr.checks AS c WHERE c.last_status = 'ok' AND c.last_run >= entry.at - make_interval(secs => (entry.facts ->> 'ms')::float8 / 1000 + 1)),
    'entry', entry.seq, 'head', migmgr.head(), 'made_at', migmgr_internal.utc(clock_timestamp())));
  RETURN (line || jsonb_build_object('sum', migmgr_internal.receipt_sum(line)))::text;
END
$$;
REVOKE ALL ON FUNCTION migmgr.receipt(text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr.receipt(text) IS 'one line that says that a version is applied here, for approve(version, ''staging'', evidence => receipt) elsewhere';

CREATE FUNCTION migmgr_internal.check_receipt(evidence text, version text, checksum text) RETURNS jsonb
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
  AS $$
#variable_conflict use_variable
DECLARE
  receipt jsonb;
  problem text;
  fact text;
  cluster text := substring(migmgr_internal.policy_value('require_staging') FROM '^\d+$');
BEGIN
  BEGIN
    receipt := evidence::jsonb;
  EXCEPTION WHEN OTHERS THEN
    receipt := NULL;
  END;
  IF receipt IS NULL OR jsonb_typeof(receipt) <> 'object' OR receipt ->> 'migmgr_receipt' IS DISTINCT FROM '1' THEN
    problem := 'the evidence is no receipt';
    fact := CASE WHEN evidence IS NULL THEN 'There is none.' ELSE format('It begins with: %s', left(evidence, 80)) END;
  ELSIF receipt ->> 'sum' IS DISTINCT FROM migmgr_internal.receipt_sum(receipt) THEN
    problem := 'the receipt was edited';
    fact := 'Its digest is not that of its content.';
  ELSIF receipt ->> 'version' IS DISTINCT FROM version THEN
    problem := format('the receipt is of another version, "%s"', receipt ->> 'version');
  ELSIF receipt ->> 'checksum' <> checksum THEN
    problem := 'the receipt is of another text';
    fact := format(E'Ran there: %s.\nKnown here: %s.', receipt ->> 'checksum', checksum);
  ELSIF receipt ->> 'home' = migmgr_internal.home_id() THEN
    problem := 'the receipt is from this very database';
    fact := format('It was made in database %s.', receipt ->> 'database');
  ELSIF receipt ->> 'environment' IS DISTINCT FROM 'staging' OR receipt ->> 'applied_in' IS DISTINCT FROM 'staging' THEN
    problem := format('the receipt is not from staging, but from %s', CASE WHEN receipt ->> 'environment' = 'staging' THEN receipt ->> 'applied_in' ELSE receipt ->> 'environment' END);
    fact := format('It was made in database %s of cluster %s.', receipt ->> 'database', receipt ->> 'cluster');
  ELSIF receipt ->> 'cluster' <> cluster THEN
    problem := 'the receipt is from the wrong cluster';
    fact := format('It was made on cluster %s; policy require_staging names %s.', receipt ->> 'cluster', cluster);
  END IF;
  IF problem IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'MG255', MESSAGE = format('staging cannot be approved for "%s": %s', version, problem), DETAIL = COALESCE(fact, ''),
      HINT = format('In the staging database, once it is applied there: SELECT migmgr.receipt(%L); and hand what it prints to approve(%L, ''staging'', evidence => ''...'').', version, version);
  END IF;
  RETURN receipt;
END
$$;
REVOKE ALL ON FUNCTION migmgr_internal.check_receipt(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION migmgr_internal.check_receipt(text, text, text) IS 'a receipt of staging as jsonb, an error unless it is one for this version and text, from elsewhere';
