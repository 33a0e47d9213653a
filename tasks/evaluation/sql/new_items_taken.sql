-- The users who took new items after the cut: how many, and whether a list held one of them.
-- Grain: user. Inputs: relevant(user_id, item_id, row), new_items(item_id),
-- own_places and popular_places (user_id, item_id).
SELECT
    count(*) AS n,
    bool_or(own.item_id IS NOT NULL) AS own,
    bool_or(popular.item_id IS NOT NULL) AS popular
FROM relevant
SEMI JOIN new_items USING (item_id)
LEFT JOIN own_places AS own USING (user_id, item_id)
LEFT JOIN popular_places AS popular USING (user_id, item_id)
GROUP BY user_id
ORDER BY user_id
