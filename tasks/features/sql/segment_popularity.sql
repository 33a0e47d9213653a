-- Points of each item by its users' segment, and the sum of squares of the points that each user
-- gives it: the variance of a sum of so many independent users.
-- Grain: segment (null for users of none) x item with an event of a weighed type.
-- Inputs: events, users(user_id, segment), weights(event_type, weight).
-- Parameters: as_of (UTC timestamp), half_life_days.
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
    GROUP BY user_id, item_id
)
SELECT
    segment,
    item_id,
    sum(points) / pow(2, 32) AS points,
    sum(pow(round(points / pow(2, 16)), 2)::HUGEINT) / pow(2, 32) AS squares
FROM cells
LEFT JOIN users USING (user_id)
GROUP BY segment, item_id
ORDER BY segment NULLS LAST, item_id
