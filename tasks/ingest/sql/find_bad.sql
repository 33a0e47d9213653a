-- Bad rows by relation and reason, with the first of each. Grain: relation and reason.
-- Inputs: validated_items, validated_users, validated_events.
WITH bad AS (
    SELECT 'events' AS relation, reason, file, "row", to_json({
        user_id: user_id, item_id: item_id, event_type: event_type,
        ts: coalesce(ts::VARCHAR, ts_as_found), value: value
    }) AS record
    FROM validated_events WHERE reason <> 'after as_of'
    UNION ALL
    SELECT 'items', reason, file, "row", to_json({
        item_id: item_id, category: category, created_at: coalesce(created_at::VARCHAR, created_at_as_found)
    })
    FROM validated_items WHERE reason IS NOT NULL
    UNION ALL
    SELECT 'users', reason, file, "row", to_json({
        user_id: user_id, segment: segment, created_at: coalesce(created_at::VARCHAR, created_at_as_found)
    })
    FROM validated_users WHERE reason <> 'after as_of'
)
SELECT
    relation,
    reason,
    count(*) AS n,
    min_by(file, (file, "row")) AS file,
    min_by("row", (file, "row")) AS "row",
    min_by(record, (file, "row")) AS record
FROM bad
GROUP BY relation, reason
ORDER BY relation, n DESC, reason
