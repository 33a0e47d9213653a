-- What a user's list must not show. Grain: user x item. Inputs: events, user_map, item_map.
-- Parameter: seen (event types).
SELECT DISTINCT u.position AS row, i.position AS col, 1 AS value
FROM events
JOIN user_map AS u ON u.id = user_id
JOIN item_map AS i ON i.id = item_id
WHERE list_contains($seen, event_type)
ORDER BY row, col
