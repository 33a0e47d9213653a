-- The clean log of a sample of users. Grain: one distinct event. Input: events.
-- Parameter: n_users. A hash of the id chooses: the same users night after night.
SELECT *
FROM events
SEMI JOIN (
    SELECT user_id
    FROM (SELECT DISTINCT user_id FROM events) AS everybody
    ORDER BY md5(user_id), user_id
    LIMIT $n_users
) AS sample USING (user_id)
ORDER BY ts, user_id, item_id, event_type, value, session_id
