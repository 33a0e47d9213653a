-- The clean log of a range of days: good rows, each event once.
-- Grain: one distinct event. Inputs: good_events, repeated_events, once_events.
-- Parameters: first, last (dates, both included).
SELECT user_id, item_id, event_type, ts, value, session_id
FROM (
    SELECT * FROM good_events ANTI JOIN repeated_events USING (mark)
    UNION ALL
    SELECT * FROM once_events
) AS distinct_events
WHERE ts >= $first::DATE AND ts < $last::DATE + 1
ORDER BY ts, user_id, item_id, event_type, value, session_id
