CREATE TABLE social_posts (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id    integer NOT NULL REFERENCES users,
  body       text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX social_posts_user_id ON social_posts (user_id);
ALTER TABLE social_posts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_posts ON social_posts USING (user_id = current_setting('app.user_id', true)::integer);

-- migmgr:down
DROP TABLE social_posts;
