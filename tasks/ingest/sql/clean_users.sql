-- The users file up to as_of. Grain: user. Input: validated_users.
SELECT user_id, nullif(segment, '') AS segment, created_at
FROM validated_users
WHERE reason IS NULL
ORDER BY user_id
