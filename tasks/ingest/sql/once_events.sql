-- Of rows that share a mark, those that count: each event once.
-- Grain: one distinct event. Inputs: good_events, repeated_events.
-- The same event: the same event_id, or the same user, item, type and second where there is none.
-- Of each the row that arrived first, so that what comes in later changes nothing.
SELECT *
FROM good_events
SEMI JOIN repeated_events USING (mark)
QUALIFY row_number() OVER (
    PARTITION BY
        nullif(event_id, ''),
        CASE
            WHEN coalesce(event_id, '') = ''
            THEN (user_id, item_id, event_type, date_trunc('second', ts))
        END
    ORDER BY arrived_at, ts, user_id, item_id, event_type, value, session_id
) = 1
