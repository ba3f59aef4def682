-- One file for what many made.
CREATE TABLE IF NOT EXISTS objects (id integer PRIMARY KEY, title text NOT NULL);
CREATE TABLE IF NOT EXISTS local_classes (id integer PRIMARY KEY, sort_order integer NOT NULL);

CREATE INDEX IF NOT EXISTS media_object_id ON media (object_id);

ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own_account ON accounts;
CREATE POLICY own_account ON accounts USING (id = current_setting('app.account', true)::integer);

CREATE OR REPLACE FUNCTION swap_local_class_sort_order(a integer, b integer) RETURNS void
  LANGUAGE sql SET search_path = pg_catalog, public
  AS $$
  UPDATE local_classes AS l
     SET sort_order = (SELECT o.sort_order FROM local_classes AS o WHERE o.id = CASE l.id WHEN a THEN b ELSE a END)
   WHERE l.id IN (a, b)
$$;

CREATE OR REPLACE FUNCTION local_class_order() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog
  AS $$BEGIN RETURN NEW; END$$;
DROP TRIGGER IF EXISTS local_class_order ON local_classes;
CREATE TRIGGER local_class_order BEFORE INSERT ON local_classes FOR EACH ROW EXECUTE FUNCTION local_class_order();

-- migmgr:verify
SELECT (SELECT count(*) FROM objects) = 120 AND (SELECT count(*) FROM local_classes) = 9;

-- migmgr:down
DROP TRIGGER local_class_order ON local_classes;
DROP FUNCTION local_class_order();
DROP FUNCTION swap_local_class_sort_order(integer, integer);
DROP POLICY own_account ON accounts;
ALTER TABLE accounts DISABLE ROW LEVEL SECURITY;
DROP INDEX media_object_id;
