-- The clean log by number, and how strongly each event speaks, in fixed point (2^32 = weight 1).
-- Grain: event. Inputs: events, numbered_users, numbered_items, kinds.
-- Parameters: as_of (UTC timestamp), half_life_days.
-- An event halves every half_life_days, by whole UTC days, and never falls to nothing: an old taste
-- is still a taste. Integers add up to the same sum in any order, floats do not
-- (docs/decisions/0006-exact-sums.md).
SELECT
    user,
    item,
    ts,
    is_purchase,
    is_seen,
    is_view,
    CASE WHEN is_rating THEN CAST(round(value * 1e6) AS BIGINT) END AS rating_millionths,
    CASE WHEN weight = 0 THEN 0 ELSE CAST(
        sign(weight) * greatest(1, round(
            abs(weight) * pow(2, 32 - date_diff('day', ts, $as_of::TIMESTAMP) / $half_life_days)
        ))
    AS BIGINT) END AS points
FROM events
JOIN kinds USING (event_type)
JOIN numbered_users USING (user_id)
JOIN numbered_items USING (item_id)
