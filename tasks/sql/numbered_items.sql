-- The catalogue, numbered in order of id; its categories too. Grain: item. Input: items.
SELECT
    item_id,
    category,
    CAST(row_number() OVER (ORDER BY item_id) - 1 AS INTEGER) AS item,
    CAST(dense_rank() OVER (ORDER BY category) - 1 AS INTEGER) AS category_number
FROM items
