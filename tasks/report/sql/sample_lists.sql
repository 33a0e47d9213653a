-- The first places of lists, with their reasons' codes. Grain: list x place.
-- Parameters: lists (path), keys, n_places, and catalogue (path).
SELECT key, item_id, title, category, image_url, code, because
FROM (
    SELECT
        key,
        generate_subscripts(item_ids, 1) AS place,
        unnest(item_ids) AS item_id,
        unnest(codes) AS code,
        unnest(because) AS because
    FROM read_parquet($lists)
    WHERE list_contains($keys, key)
)
LEFT JOIN read_parquet($catalogue) USING (item_id)
WHERE place <= $n_places
ORDER BY key, place
