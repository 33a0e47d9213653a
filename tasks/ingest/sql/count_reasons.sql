-- Grain: relation and reason (why rows are bad, 'after as_of', or null for good ones).
-- Inputs: judged_items, judged_users, judged_events.
SELECT relation, reason, count(*) AS n
FROM (
    SELECT 'items' AS relation, reason FROM judged_items
    UNION ALL
    SELECT 'users', reason FROM judged_users
    UNION ALL
    SELECT 'events', reason FROM judged_events
) AS judged
GROUP BY relation, reason
ORDER BY n DESC, reason, relation
