-- The clean log before the cut, as a night of then has it. Grain: one distinct event. Input: events.
-- Parameter: cut (UTC timestamp).
SELECT *
FROM events
WHERE ts < $cut::TIMESTAMP
ORDER BY ts, user_id, item_id, event_type, value, session_id
