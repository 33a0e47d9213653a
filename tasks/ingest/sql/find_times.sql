-- Invalid times. Grain: relation and column.
-- Inputs: validated_events, validated_items, validated_users.
SELECT 'events' AS relation, 'ts' AS "column", count(*) AS n, min(ts_as_found) AS sample
FROM validated_events WHERE reason = 'ts missing or unparsable' AND ts_as_found IS NOT NULL
UNION ALL
SELECT 'events', 'arrived_at', count(*), min(arrived_at_as_found)
FROM validated_events WHERE reason = 'arrived_at unparsable'
UNION ALL
SELECT 'items', 'created_at', count(*), min(created_at_as_found)
FROM validated_items WHERE reason = 'created_at unparsable'
UNION ALL
SELECT 'users', 'created_at', count(*), min(created_at_as_found)
FROM validated_users WHERE reason = 'created_at unparsable'
