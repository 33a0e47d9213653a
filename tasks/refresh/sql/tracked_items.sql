-- The feature rows of items that some users acted on, counters as of a time. Grain: item.
-- Inputs: item_rows (the night's item features), tracked, asked, weights(event_type, weight).
-- Parameters: since, until (UTC timestamps), half_life_days, rating_types.
-- What the night counted has aged by whole UTC days since; what was tracked counts as it will tonight,
-- in fixed point and in millionths (points.sql, rollup.sql), so that the sums are the night's.
WITH counted AS (
    SELECT
        item_id,
        sum(event_points(weight, date_diff('day', ts, $until::TIMESTAMP), $half_life_days))
            AS points,
        count(value) FILTER (list_contains($rating_types, event_type)) AS ratings,
        coalesce(sum(round(value * 1e6)) FILTER (list_contains($rating_types, event_type)), 0)
            AS rated
    FROM tracked
    LEFT JOIN weights USING (event_type)
    WHERE ts < $until::TIMESTAMP
        AND item_id IN (SELECT item_id FROM tracked SEMI JOIN asked USING (user_id))
    GROUP BY item_id
)
SELECT item_rows.* REPLACE (
    (points + popularity_score
        * pow(2, 32 - date_diff('day', $since::TIMESTAMP, $until::TIMESTAMP) / $half_life_days))
        / pow(2, 32) AS popularity_score,
    (round(coalesce(avg_rating * num_ratings * 1e6, 0)) + rated)
        / nullif(num_ratings + ratings, 0) / 1e6 AS avg_rating,
    num_ratings + ratings AS num_ratings
), $until::TIMESTAMP AS as_of
FROM item_rows
JOIN counted USING (item_id)
ORDER BY item_id
