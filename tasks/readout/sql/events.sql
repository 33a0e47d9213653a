-- Impressions of a log, and the events that metrics count, each once.
-- Grain: one event. Input: log, wanted (event types), repeated.
-- Parameters: since and until; started and exposed_until, between which an impression is an
-- exposure; experiment (null: every impression is an exposure).
-- A foreign log may lack any column but user_id, event_type and ts; its events without an event_id
-- count by themselves. Of an event that was sent twice with different content each field is the
-- least. Values are in whole ten-thousandths, so that sums are exact in any order.
WITH typed AS (
    SELECT
        event_id, event_type, user_id, item_id, experiment, variant, phase,
        ts,
        CASE WHEN isfinite(value) AND abs(value) <= 1e12
            THEN round(value * 10000)::BIGINT END AS value
    FROM log
    WHERE event_type = 'impression' OR event_type IN (SELECT event_type FROM wanted)
),
kept AS (
    SELECT
        event_id, event_type, user_id, item_id, value,
        ts AT TIME ZONE 'UTC' AS utc,
        event_type = 'impression' AND ts >= $started
            AND ($experiment IS NULL OR (experiment = $experiment AND variant IS NOT NULL))
            AS is_of_experiment,
        is_of_experiment AND ts < $exposed_until AS is_exposure,
        CASE WHEN $experiment IS NULL THEN '' ELSE variant END AS variant,
        CASE WHEN $experiment IS NULL THEN 0 ELSE coalesce(phase, 0) END AS phase
    FROM typed
    WHERE ts >= $since AND ts < $until
)
SELECT
    event_type, user_id, item_id, value, utc, is_of_experiment, is_exposure, variant, phase
FROM kept
ANTI JOIN repeated USING (event_id)
UNION ALL
SELECT
    min(event_type), min(user_id), min(item_id), min(value), min(utc), bool_and(is_of_experiment),
    bool_and(is_exposure), min(variant), min(phase)
FROM kept
SEMI JOIN repeated USING (event_id)
GROUP BY event_id
