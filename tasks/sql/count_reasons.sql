-- Grain: reason (a bad row's, or 'after as_of'). Inputs: judged_items, judged_users, judged_events.
SELECT reason, count(*) AS n
FROM (
    SELECT reason FROM judged_items
    UNION ALL
    SELECT reason FROM judged_users
    UNION ALL
    SELECT reason FROM judged_events
) AS judged
WHERE reason IS NOT NULL
GROUP BY reason
ORDER BY n DESC, reason
