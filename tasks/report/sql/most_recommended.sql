-- The items that most lists show. Grain: item. Parameters: catalogue (path), n_items.
SELECT item_id, title, category, n_lists, n_first, n_lists_before
FROM read_parquet($catalogue)
WHERE n_lists > 0
ORDER BY n_lists DESC, item_id
LIMIT $n_items
