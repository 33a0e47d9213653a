-- The interactions by position. Grain: user x item. Inputs: interactions, user_map, item_map.
SELECT u.position AS row, i.position AS col, points / pow(2, 32) AS value
FROM interactions
JOIN user_map AS u ON u.id = user_id
JOIN item_map AS i ON i.id = item_id
ORDER BY row, col
