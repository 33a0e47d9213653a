-- What gathers pace: how far the recent count lies above what the weeks before lead one to expect,
-- in standard deviations of a Poisson count. Grain: item with a positive score.
-- Inputs: events, weights. Parameters: as_of (UTC timestamp), recent_days, past_days.
WITH counted AS (
    SELECT
        item_id,
        count(*) FILTER (age_days <= $recent_days) AS recent,
        count(*) FILTER (age_days > $recent_days) * $recent_days / $past_days AS expected
    FROM (
        SELECT item_id, date_diff('microsecond', ts, $as_of::TIMESTAMP) / 86400e6 AS age_days
        FROM events
        JOIN weights USING (event_type)
        WHERE weight > 0 AND ts >= $as_of::TIMESTAMP - to_days($recent_days + $past_days)
    ) AS aged
    GROUP BY item_id
)
SELECT item_id, (recent - expected) / sqrt(expected + 1) AS score
FROM counted
WHERE recent > expected
ORDER BY score DESC, item_id
