-- Rows read. Grain: relation. Inputs: judged_items, judged_users, judged_events.
SELECT 'items' AS relation, count(*) AS n FROM judged_items
UNION ALL
SELECT 'users', count(*) FROM judged_users
UNION ALL
SELECT 'events', count(*) FROM judged_events
