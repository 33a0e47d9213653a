-- Rows by relation and reason ('after as_of', or null for good ones). Grain: relation and reason.
-- Inputs: validated_items, validated_users, validated_events.
SELECT relation, reason, count(*) AS n
FROM (
    SELECT 'items' AS relation, reason FROM validated_items
    UNION ALL
    SELECT 'users', reason FROM validated_users
    UNION ALL
    SELECT 'events', reason FROM validated_events
) AS validated
GROUP BY relation, reason
ORDER BY n DESC, reason, relation
