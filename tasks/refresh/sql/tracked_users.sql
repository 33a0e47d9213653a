-- Who tracked something since the night that bears on their list, and when last.
-- Grain: user. Inputs: tracked, weights(event_type, weight), model_items(id), model_users(id).
-- Parameters: seen (event types), strangers_only (whether to leave out those whom the night knew).
SELECT user_id, epoch_us(max(ts)) / 1e6 AS at
FROM tracked
LEFT JOIN weights USING (event_type)
WHERE item_id IN (SELECT id FROM model_items)
    AND NOT ($strangers_only AND user_id IN (SELECT id FROM model_users))
GROUP BY user_id
HAVING bool_or(weight > 0)
    OR (NOT $strangers_only AND bool_or(weight <> 0 OR list_contains($seen, event_type)))
ORDER BY user_id
