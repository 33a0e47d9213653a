-- The item that each user of a sample took to last, and when first. Grain: user.
-- Inputs: events (the whole clean log), weights(event_type, weight), others(user_id), who are not
-- judged. Parameter: n_users.
-- Of several items of one instant a hash decides: the largest id would often be the same item.
WITH taken AS (
    SELECT user_id, item_id, min(ts) AS since
    FROM events
    JOIN weights USING (event_type)
    ANTI JOIN others USING (user_id)
    WHERE weight > 0
    GROUP BY user_id, item_id
),
judged AS (
    SELECT user_id, max_by(item_id, (since, md5(user_id || ' ' || item_id))) AS item_id, max(since) AS since
    FROM taken
    GROUP BY user_id
    HAVING count(*) > 1
    ORDER BY md5(user_id), user_id
    LIMIT $n_users
)
SELECT *
FROM judged
ORDER BY user_id
