-- What the popular list of everybody offers to each judged user, less what the user has seen.
-- Grain: user x place, from 1. Inputs: relevant (whom to judge by), events.
-- Parameters: path (LIST_SCHEMA), cut (UTC timestamp), seen (event types).
WITH everybody AS (
    SELECT unnest(item_ids) AS item_id, generate_subscripts(item_ids, 1) AS rank
    FROM read_parquet($path)
    WHERE key = 'all'
),
judged AS (SELECT DISTINCT user_id FROM relevant),
taken AS (
    SELECT user_id, item_id
    FROM events
    WHERE ts < $cut::TIMESTAMP AND list_contains($seen, event_type)
)
SELECT user_id, item_id, row_number() OVER (PARTITION BY user_id ORDER BY rank) AS place
FROM judged
CROSS JOIN everybody
ANTI JOIN taken USING (user_id, item_id)
