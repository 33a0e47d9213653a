-- The model's items: all that somebody took to. Grain: item. Inputs: interactions, numbered_items.
SELECT item_id AS id
FROM numbered_items
WHERE item IN (SELECT item FROM interactions WHERE points > 0)
ORDER BY id
