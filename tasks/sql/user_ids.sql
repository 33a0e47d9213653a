-- The model's users: all who took to something. Grain: user. Inputs: interactions, numbered_users.
SELECT user_id AS id
FROM numbered_users
WHERE user IN (SELECT user FROM interactions WHERE points > 0)
ORDER BY id
