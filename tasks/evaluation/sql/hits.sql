-- The places that hold what their user took to. Grain: user x place.
-- Inputs: offered(user_id, item_id, place), relevant(user_id, item_id, row).
SELECT row, place - 1 AS col
FROM offered
JOIN relevant USING (user_id, item_id)
ORDER BY row, col
