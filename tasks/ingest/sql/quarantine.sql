-- Every bad row: where it stood (rows of a file count from 0), why it is bad, and all that it said.
-- Grain: one bad row.
-- Inputs: judged_items, judged_users, judged_events.
SELECT 'items' AS relation, file, "row", reason, to_json(i) AS record
FROM judged_items AS i WHERE reason IS NOT NULL
UNION ALL
SELECT 'users', file, "row", reason, to_json(u)
FROM judged_users AS u WHERE reason IS NOT NULL AND reason <> 'after as_of'
UNION ALL
SELECT 'events', file, "row", reason, to_json(e)
FROM (SELECT * EXCLUDE (mark) FROM judged_events) AS e
WHERE reason IS NOT NULL AND reason <> 'after as_of'
ORDER BY relation, file, "row"
