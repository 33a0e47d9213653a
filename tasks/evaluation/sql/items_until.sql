-- The catalogue as a night of the cut has it. Grain: item. Input: items.
-- Parameter: cut (UTC timestamp). An item that did not exist by then is not available.
SELECT * REPLACE (available AND existed(created_at, $cut::TIMESTAMP) AS available)
FROM items
ORDER BY item_id
