-- Everything that some users ever did, and one event with each item of the model by somebody
-- who stands in for all other users: an item is in the model if anybody took to it.
-- Grain: one distinct event. Inputs: events (the night's clean log), tracked, asked, model_items(id).
-- Parameters: nobody (the stand-in's id), liking (an event type that speaks for an item), now (UTC
-- timestamp).
SELECT user_id, item_id, event_type, ts, value, CAST(NULL AS VARCHAR) AS session_id
FROM (
    SELECT user_id, item_id, event_type, ts, value FROM events SEMI JOIN asked USING (user_id)
    UNION ALL
    SELECT user_id, item_id, event_type, ts, value FROM tracked SEMI JOIN asked USING (user_id)
    UNION ALL
    SELECT $nobody, id, $liking, $now::TIMESTAMP, NULL FROM model_items
) AS history
ORDER BY ts, user_id, item_id, event_type, value
