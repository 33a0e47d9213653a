-- Times that are none, by column. Grain: relation and column.
-- Inputs: judged_events, judged_items, judged_users.
SELECT 'events' AS relation, 'ts' AS "column", count(*) AS n, min(ts_as_found) AS sample
FROM judged_events WHERE reason = 'ts missing or unparsable' AND ts_as_found IS NOT NULL
UNION ALL
SELECT 'events', 'arrived_at', count(*), min(arrived_at_as_found)
FROM judged_events WHERE reason = 'arrived_at unparsable'
UNION ALL
SELECT 'items', 'created_at', count(*), min(created_at_as_found)
FROM judged_items WHERE reason = 'created_at unparsable'
UNION ALL
SELECT 'users', 'created_at', count(*), min(created_at_as_found)
FROM judged_users WHERE reason = 'created_at unparsable'
