-- The catalogue as a night of the cut has it. Grain: item. Input: items.
-- Parameter: cut (UTC timestamp). An item that did not exist by then is not available.
SELECT * REPLACE (available AND coalesce(created_at <= $cut::TIMESTAMP, true) AS available)
FROM items
ORDER BY item_id
