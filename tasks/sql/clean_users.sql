-- The users file. Grain: user. Input: judged_users. Parameter: as_of (UTC timestamp).
SELECT user_id, nullif(segment, '') AS segment, created_at
FROM judged_users
WHERE reason IS NULL AND coalesce(created_at <= $as_of::TIMESTAMP, true)
ORDER BY user_id
