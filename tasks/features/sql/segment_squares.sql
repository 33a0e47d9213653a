-- Sum of squares of the points that each user gives each item, by segment: the variance of a sum of
-- so many independent users. Of a large log, an estimate from one user in n_th.
-- Grain: segment (null for users of none). Inputs and parameters as of segment_popularity, and n_th.
-- Squares are of points in 2^16 a unit, so that integers, which add up in any order, hold them.
WITH cells AS (
    SELECT
        user_id,
        item_id,
        sum(event_points(
            weight, date_diff('day', ts::DATE, $as_of::TIMESTAMP::DATE), $half_life_days
        )) AS points
    FROM events
    JOIN weights USING (event_type)
    WHERE hash(user_id) % $n_th::UBIGINT = 0
    GROUP BY user_id, item_id
)
SELECT
    segment,
    $n_th * sum(pow(round(points / pow(2, 16)), 2)::HUGEINT) / pow(2, 32) AS squares
FROM cells
LEFT JOIN users USING (user_id)
GROUP BY segment
ORDER BY segment NULLS LAST
