-- The log's users, numbered in order of id. Grain: user with an event. Input: events.
SELECT user_id, CAST(row_number() OVER (ORDER BY user_id) - 1 AS INTEGER) AS user
FROM (SELECT DISTINCT user_id FROM events)
