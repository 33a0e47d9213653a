-- How strongly a user took to an item, in fixed point (2^32 = weight 1).
-- Grain: user x item. Input: events (a view of the clean log), weights(event_type, weight).
-- Parameters: as_of (UTC timestamp), half_life_days.
-- An event halves every half_life_days, by whole UTC days, and never falls to nothing: an old taste
-- is still a taste. Integers add up to the same sum in any order, floats do not
-- (docs/decisions/0006-exact-sums.md).
SELECT
    user_id,
    item_id,
    sum(CAST(
        sign(weight) * greatest(1, round(
            abs(weight) * pow(2, 32 - date_diff('day', ts, $as_of::TIMESTAMP) / $half_life_days)
        ))
    AS BIGINT)) AS points
FROM events
JOIN weights USING (event_type)
WHERE weight <> 0
GROUP BY user_id, item_id
HAVING points <> 0
