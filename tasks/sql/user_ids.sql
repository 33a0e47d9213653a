-- The model's users: all who took to something. Grain: user. Input: interactions.
SELECT DISTINCT user_id AS id FROM interactions WHERE points > 0 ORDER BY id
