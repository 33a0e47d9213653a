-- The events of some users, and a log of all others. Grain: one distinct event.
-- Inputs: events, judged(user_id), others (a clean log).
SELECT *
FROM (
    FROM events
    SEMI JOIN judged USING (user_id)
    UNION ALL BY NAME
    FROM others
)
ORDER BY ts, user_id, item_id, event_type, value, session_id
