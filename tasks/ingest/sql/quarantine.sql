-- Every bad row: file and row number (from 0), reason, and all columns as JSON.
-- Grain: one bad row.
-- Inputs: validated_items, validated_users, validated_events.
SELECT 'items' AS relation, file, "row", reason, to_json(i) AS record
FROM validated_items AS i WHERE reason IS NOT NULL
UNION ALL
SELECT 'users', file, "row", reason, to_json(u)
FROM validated_users AS u WHERE reason IS NOT NULL AND reason <> 'after as_of'
UNION ALL
SELECT 'events', file, "row", reason, to_json(e)
FROM (SELECT * EXCLUDE (mark) FROM validated_events) AS e
WHERE reason IS NOT NULL AND reason <> 'after as_of'
ORDER BY relation, file, "row"
