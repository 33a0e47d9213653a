-- The clean log without some users. Grain: one distinct event. Inputs: events, judged(user_id).
SELECT *
FROM events
ANTI JOIN judged USING (user_id)
ORDER BY ts, user_id, item_id, event_type, value, session_id
