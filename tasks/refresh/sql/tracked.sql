-- What was tracked since a night and counts for one, by the night's own rules.
-- Grain: one distinct event. Inputs: collected, items.
-- Parameters: since, now (UTC timestamps), may_be_negative, idle (event types).
-- Of one event the row that arrived first counts, and what had arrived by then, the night has seen.
SELECT user_id, item_id, event_type, ts, value
FROM (
    SELECT *
    FROM collected
    WHERE item_id IN (SELECT item_id FROM items)
        AND user_id <> ''
        AND NOT list_contains($idle, event_type)
        AND ts <= $now::TIMESTAMP
        AND value_fault(value, event_type, $may_be_negative) IS NULL
    QUALIFY row_number() OVER (
        PARTITION BY same_event(event_id, user_id, item_id, event_type, ts)
        ORDER BY arrived_at, ts, user_id, item_id, event_type, value
    ) = 1
) AS distinct_events
WHERE ts >= $since::TIMESTAMP OR arrived_at > $since::TIMESTAMP
