-- What the users file says of some users. Grain: user. Inputs: users (the night's), asked.
SELECT user_id, segment, created_at FROM users SEMI JOIN asked USING (user_id) ORDER BY user_id
