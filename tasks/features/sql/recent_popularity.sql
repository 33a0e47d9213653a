-- Points of the events of each item, halved every half_life_days (2^32 = weight 1).
-- Grain: item with an event of a weighed type. Inputs: events, weights(event_type, weight).
-- Parameters: as_of (UTC timestamp), half_life_days.
SELECT
    item_id,
    sum(event_points(
        weight, date_diff('day', ts::DATE, $as_of::TIMESTAMP::DATE), $half_life_days
    )) / pow(2, 32) AS points
FROM events
JOIN weights USING (event_type)
GROUP BY item_id
ORDER BY item_id
