-- The catalogue. Grain: item. Input: judged_items. Parameter: as_of (UTC timestamp).
-- An item that did not exist at as_of is known, so that its events are, and not available.
SELECT
    item_id,
    coalesce(nullif(category, ''), 'unknown') AS category,
    title,
    price,
    coalesce(available, true) AND coalesce(created_at <= $as_of::TIMESTAMP, true) AS available,
    created_at,
    coalesce(tags, []) AS tags
FROM judged_items
WHERE reason IS NULL
ORDER BY item_id
