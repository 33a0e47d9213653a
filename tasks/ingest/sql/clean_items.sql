-- The catalogue. Grain: item. Input: judged_items. Parameter: as_of (UTC timestamp).
-- An item that did not exist at as_of is known, so that its events are, and not available.
-- A category that is blank, or a word that exports write for nothing, is no category.
SELECT
    item_id,
    CASE
        WHEN category IS NULL OR lower(regexp_replace(category, '^\s+|\s+$', '', 'g')) IN (
            '', 'unknown', 'null', '\n', 'none', 'nan', '<na>', 'n/a'
        ) THEN 'unknown'
        ELSE category
    END AS category,
    title,
    price,
    coalesce(available, true) AND coalesce(created_at <= $as_of::TIMESTAMP, true) AS available,
    created_at,
    coalesce(tags, []) AS tags
FROM judged_items
WHERE reason IS NULL
ORDER BY item_id
