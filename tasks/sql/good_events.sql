-- The good rows of the log; rows of the same event have the same mark.
-- Grain: one row read. Input: judged_events.
SELECT
    * EXCLUDE (reason),
    CASE
        WHEN coalesce(event_id, '') = ''
        THEN hash(user_id, item_id, event_type, date_trunc('second', ts))
        ELSE hash(event_id)
    END AS mark
FROM judged_events
WHERE reason IS NULL
