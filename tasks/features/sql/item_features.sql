-- Grain: every item of the catalogue.
-- Inputs: items, taken(item_id, first_seen, points_high, points_low, ratings, rated_high, rated_low).
-- Points are in fixed point (2^32 = weight 1), ratings in millionths, sums of both in two parts.
-- popularity_score: the decayed weight of all that users did; below 0 where returns and dislikes
-- outweigh the rest, so that readers and refreshes can continue the sum.
SELECT
    item_id,
    title,
    category,
    price,
    available,
    created_at,
    tags,
    first_seen,
    (points_high::HUGEINT * 4294967296 + points_low) / pow(2, 32) AS popularity_score,
    (rated_high::HUGEINT * 4294967296 + rated_low) / nullif(ratings, 0) / 1e6 AS avg_rating,
    ratings AS num_ratings
FROM items
JOIN taken USING (item_id)
ORDER BY item_id
