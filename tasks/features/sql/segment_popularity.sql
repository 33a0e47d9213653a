-- Points of each item by its users' segment.
-- Grain: segment (null for users of none) x item with an event of a weighed type.
-- Inputs: events, users(user_id, segment), weights(event_type, weight).
-- Parameters: as_of (UTC timestamp), half_life_days.
SELECT
    segment,
    item_id,
    sum(event_points(
        weight, date_diff('day', ts::DATE, $as_of::TIMESTAMP::DATE), $half_life_days
    )) / pow(2, 32) AS points
FROM events
JOIN weights USING (event_type)
LEFT JOIN users USING (user_id)
GROUP BY segment, item_id
ORDER BY segment NULLS LAST, item_id
