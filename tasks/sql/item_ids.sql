-- The model's items: all that somebody took to. Grain: item. Input: interactions.
SELECT DISTINCT item_id AS id FROM interactions WHERE points > 0 ORDER BY id
