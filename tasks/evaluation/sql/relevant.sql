-- What users with a list took to from the cut on, and had not seen before.
-- Grain: user x item; row numbers the users from 0. Inputs: events (the whole clean log),
-- weights(event_type, weight), own_lists (LIST_SCHEMA).
-- Parameters: cut (UTC timestamp), seen (event types).
SELECT user_id, item_id, dense_rank() OVER (ORDER BY user_id) - 1 AS row
FROM events
LEFT JOIN weights USING (event_type)
SEMI JOIN own_lists ON own_lists.key = user_id
GROUP BY user_id, item_id
HAVING bool_or(ts >= $cut::TIMESTAMP AND coalesce(weight, 0) > 0)
    AND NOT bool_or(ts < $cut::TIMESTAMP AND list_contains($seen, event_type))
