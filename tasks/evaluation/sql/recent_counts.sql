-- Events of the last day(s), by event type and by item. Grain: type, and item. Input: events.
-- Parameter: since (UTC timestamp). Of a row one of event_type and item_id is null.
SELECT event_type, item_id, count(*) AS n
FROM events
WHERE ts >= $since::TIMESTAMP
GROUP BY GROUPING SETS ((event_type), (item_id))
ORDER BY event_type, item_id
