-- The catalogue. Grain: item. Input: validated_items. Parameter: as_of (UTC timestamp).
-- An item created after as_of stays in the catalogue, for its events, and is not available.
-- A category that is blank, or an export's word for null, becomes 'unknown'.
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
    coalesce(available, true) AND existed(created_at, $as_of::TIMESTAMP) AS available,
    created_at,
    coalesce(tags, []) AS tags,
    image_url
FROM validated_items
WHERE reason IS NULL
ORDER BY item_id
