-- Items in lists tonight that stood in none of the generation before. Grain: item.
-- Parameters: catalogue (path), n_items.
SELECT item_id, title, category, n_lists, n_first, is_new, count(*) OVER () AS n_in_all
FROM read_parquet($catalogue)
WHERE n_lists > 0 AND n_lists_before = 0
ORDER BY n_lists DESC, item_id
LIMIT $n_items
