-- What each list offers. Grain: place of a list, from 1. Parameter: path (LIST_SCHEMA).
SELECT key AS user_id, unnest(item_ids) AS item_id, generate_subscripts(item_ids, 1) AS place
FROM read_parquet($path)
