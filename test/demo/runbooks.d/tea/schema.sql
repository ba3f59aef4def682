-- The tea ceremony application, as the runbook finds it.
CREATE TABLE objects (id integer PRIMARY KEY, title text NOT NULL);
CREATE TABLE media (id integer PRIMARY KEY, object_id integer NOT NULL REFERENCES objects);
CREATE TABLE accounts (id integer PRIMARY KEY);
CREATE TABLE chakai (id integer PRIMARY KEY);
CREATE TABLE local_classes (id integer PRIMARY KEY, sort_order integer NOT NULL);
INSERT INTO objects SELECT n, 'bowl ' || n FROM generate_series(1, 120) AS n;
INSERT INTO media SELECT n, n FROM generate_series(1, 80) AS n;
INSERT INTO accounts SELECT generate_series(1, 12);
INSERT INTO chakai SELECT generate_series(1, 7);
INSERT INTO local_classes SELECT n, n FROM generate_series(1, 9) AS n;
