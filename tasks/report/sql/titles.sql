-- Titles of some items, of those that have one. Grain: item. Parameters: catalogue (path), items.
SELECT item_id, title
FROM read_parquet($catalogue)
WHERE title IS NOT NULL AND list_contains($items, item_id)
ORDER BY item_id
