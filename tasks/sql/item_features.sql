-- Grain: every item of the catalogue.
-- Inputs: items, numbered_items, numbered_events, interactions(user, item, points).
-- popularity_score: the decayed weight of all that users did, 0 at least.
WITH taken AS (
    SELECT item, greatest(sum(points), 0) / pow(2, 32) AS popularity_score
    FROM interactions
    GROUP BY item
),
rated AS (
    SELECT
        item,
        min(ts) AS first_seen,
        count(rating_millionths) AS num_ratings,
        sum(rating_millionths) / nullif(num_ratings, 0) / 1e6 AS avg_rating
    FROM numbered_events
    GROUP BY item
)
SELECT
    item_id,
    title,
    items.category,
    price,
    available,
    created_at,
    tags,
    first_seen,
    coalesce(popularity_score, 0) AS popularity_score,
    avg_rating,
    coalesce(num_ratings, 0) AS num_ratings
FROM items
JOIN numbered_items USING (item_id)
LEFT JOIN taken USING (item)
LEFT JOIN rated USING (item)
ORDER BY item_id
