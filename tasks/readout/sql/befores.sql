-- Activity of each user before the first exposure.
-- Grain: user x metric (null: impressions). Input: unit, event, wanted. Parameter: before (an
-- interval).
WITH ever AS (
    SELECT user_id, min(ever_at) AS ever_at FROM unit GROUP BY user_id
),
earlier AS (
    SELECT event.*
    FROM event
    JOIN ever USING (user_id)
    WHERE event.utc < ever.ever_at AND event.utc >= ever.ever_at - $before
),
amounts AS (
    SELECT user_id, NULL::INTEGER AS metric, 1 AS amount FROM earlier
    WHERE event_type = 'impression'
    UNION ALL
    SELECT user_id, metric, CASE WHEN kind = 'mean' THEN coalesce(value, 0) ELSE 1 END
    FROM earlier
    JOIN wanted USING (event_type)
)
SELECT user_id, metric, sum(amount)::BIGINT AS amount FROM amounts GROUP BY user_id, metric
