-- The feature rows of items that some users acted on, counters as of now. Grain: item.
-- Inputs: item_rows (the night's item features), told, asked, weights(event_type, weight).
-- Parameters: since, now (UTC timestamps), half_life_days, rating_types.
-- What the night counted has aged by whole UTC days since; what was told counts as it will tonight.
WITH counted AS (
    SELECT
        item_id,
        sum(coalesce(weight, 0) * pow(2, -date_diff('day', ts, $now::TIMESTAMP) / $half_life_days))
            AS points,
        count(value) FILTER (list_contains($rating_types, event_type)) AS ratings,
        coalesce(sum(value) FILTER (list_contains($rating_types, event_type)), 0) AS rated
    FROM told
    LEFT JOIN weights USING (event_type)
    WHERE item_id IN (SELECT item_id FROM told SEMI JOIN asked USING (user_id))
    GROUP BY item_id
)
SELECT item_rows.* REPLACE (
    greatest(0, points + popularity_score
        * pow(2, -date_diff('day', $since::TIMESTAMP, $now::TIMESTAMP) / $half_life_days))
        AS popularity_score,
    (coalesce(avg_rating * num_ratings, 0) + rated) / nullif(num_ratings + ratings, 0)
        AS avg_rating,
    num_ratings + ratings AS num_ratings
)
FROM item_rows
JOIN counted USING (item_id)
ORDER BY item_id
