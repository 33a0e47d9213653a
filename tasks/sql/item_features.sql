-- Grain: every item of the catalogue. Inputs: items, events, interactions.
-- Parameter: rating_types. popularity_score: the decayed weight of all that users did, 0 at least.
WITH taken AS (
    SELECT item_id, greatest(sum(points), 0) / pow(2, 32) AS popularity_score
    FROM interactions
    GROUP BY item_id
),
rated AS (
    SELECT
        item_id,
        min(ts) AS first_seen,
        count(value) FILTER (list_contains($rating_types, event_type)) AS num_ratings,
        sum(CAST(round(value * 1e6) AS BIGINT)) FILTER (list_contains($rating_types, event_type))
            / nullif(num_ratings, 0) / 1e6 AS avg_rating
    FROM events
    GROUP BY item_id
)
SELECT
    item_id,
    title,
    category,
    price,
    available,
    created_at,
    tags,
    first_seen,
    coalesce(popularity_score, 0) AS popularity_score,
    avg_rating,
    coalesce(num_ratings, 0) AS num_ratings
FROM items
LEFT JOIN taken USING (item_id)
LEFT JOIN rated USING (item_id)
ORDER BY item_id
