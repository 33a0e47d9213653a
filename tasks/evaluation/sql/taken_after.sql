-- Items that users took to from the cut on and had not seen before, of a sample of the users.
-- Grain: user x item. Inputs: events (the whole clean log), weights(event_type, weight).
-- Parameters: cut (UTC timestamp), seen (event types), n_users.
WITH taken AS (
    SELECT user_id, item_id
    FROM events
    LEFT JOIN weights USING (event_type)
    GROUP BY user_id, item_id
    HAVING bool_or(ts >= $cut::TIMESTAMP AND coalesce(weight, 0) > 0)
        AND NOT bool_or(ts < $cut::TIMESTAMP AND list_contains($seen, event_type))
),
judged AS (SELECT DISTINCT user_id FROM taken ORDER BY md5(user_id), user_id LIMIT $n_users)
SELECT user_id, item_id
FROM taken
SEMI JOIN judged USING (user_id)
ORDER BY user_id, item_id
