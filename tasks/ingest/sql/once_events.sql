-- Of rows that share a mark, each event once.
-- Grain: one distinct event. Inputs: good_events, repeated_events.
-- The row that arrived first counts, so that later ones change nothing.
SELECT *
FROM good_events
SEMI JOIN repeated_events USING (mark)
QUALIFY row_number() OVER (
    PARTITION BY same_event(event_id, user_id, item_id, event_type, ts)
    ORDER BY arrived_at, ts, user_id, item_id, event_type, value, session_id
) = 1
