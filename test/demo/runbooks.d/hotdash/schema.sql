-- HotDash as the runbook finds it, and the history that its other tool kept.
SET client_min_messages = warning;
CREATE SCHEMA supabase_migrations;
CREATE TABLE supabase_migrations.schema_migrations (version text PRIMARY KEY, statements text[], name text);
CREATE TABLE agents (id integer PRIMARY KEY);
CREATE TABLE agent_approvals (id integer PRIMARY KEY, agent_id integer NOT NULL);
CREATE TABLE facts (id integer PRIMARY KEY, project text NOT NULL, fact text);
CREATE TABLE product_categories (shopify_product_id bigint PRIMARY KEY, category_l1 text, category_l2 text,
  avg_order_value numeric, margin_pct numeric, inventory_velocity text);
CREATE TABLE customer_segments (id integer PRIMARY KEY);
CREATE TABLE observability_logs (level text NOT NULL, created_at timestamptz NOT NULL DEFAULT clock_timestamp());
INSERT INTO agents VALUES (1), (2);
INSERT INTO agent_approvals VALUES (1, 1), (2, 2);
INSERT INTO facts VALUES (1, 'occ', 'ours'), (2, 'other', 'theirs');
INSERT INTO customer_segments VALUES (1), (2), (3);
INSERT INTO observability_logs (level) SELECT 'INFO' FROM generate_series(1, 1000);
ALTER TABLE facts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_project ON facts USING (project = current_setting('app.current_project', true));
CREATE FUNCTION get_inventory_summary() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM product_categories';
GRANT USAGE ON SCHEMA public TO authenticated;
GRANT SELECT ON facts TO authenticated;
-- 67 versions, of which the repository has files of 11
INSERT INTO supabase_migrations.schema_migrations
SELECT to_char('2025-10-03 08:00'::timestamp + n * interval '4 hours', 'YYYYMMDDHH24MISS'), ARRAY['SELECT ' || n], 'remote_' || n
  FROM generate_series(0, 66) AS n;
