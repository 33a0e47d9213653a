-- Impressions, clicks and purchases, in total and in parts.
-- Grain: one row for the total (is_total), then one for each part: hour of the day (UTC) where
-- $hourly, else model x variant, the most impressions first.
-- Input: Parquet files of the collected event log. Parameters: files (paths), hourly (boolean),
-- model (null for all), purchases (event types), max_rows.
-- A repeated event counts once, as it arrived first. A conversion is a purchase, its value the
-- revenue; values under 1e12 add up exactly. Latency is that of impressions which have one.
-- Of a foreign log only user_id, event_type and ts are required: other columns are null then, and an
-- event without an event_id counts by itself.
WITH columns AS (
    SELECT
        NULL::VARCHAR AS event_id, NULL::VARCHAR AS user_id, NULL::VARCHAR AS event_type,
        NULL::TIMESTAMPTZ AS ts, NULL::VARCHAR AS item_id, NULL::DOUBLE AS value,
        NULL::BIGINT AS generation, NULL::VARCHAR AS model, NULL::VARCHAR AS experiment,
        NULL::VARCHAR AS variant, NULL::INTEGER AS phase, NULL::INTEGER AS position, NULL::DOUBLE AS latency_ms, NULL::TIMESTAMPTZ AS arrived_at
    WHERE false
),
log AS (
    SELECT * FROM columns
    UNION ALL BY NAME
    SELECT * FROM read_parquet($files, hive_partitioning = false, union_by_name = true)
),
once AS (
    SELECT * REPLACE (
        ts::TIMESTAMPTZ AS ts, value::DOUBLE AS value, latency_ms::DOUBLE AS latency_ms
    )
    FROM log
    QUALIFY event_id IS NULL OR row_number() OVER (
        PARTITION BY event_id
        ORDER BY
            arrived_at NULLS LAST, ts, user_id, event_type, item_id, value,
            generation, model, experiment, variant, phase, position, latency_ms
    ) = 1
),
told AS (
    SELECT
        user_id,
        event_type,
        CASE WHEN list_contains($purchases, event_type) THEN try_cast(value AS DECIMAL(18, 6)) END AS paid,
        CASE WHEN event_type = 'impression' AND isfinite(latency_ms) THEN latency_ms END
            AS waited_ms,
        CASE WHEN NOT $hourly THEN model END AS of_model,
        CASE WHEN NOT $hourly THEN variant END AS of_variant,
        CASE WHEN $hourly THEN date_part('hour', ts AT TIME ZONE 'UTC') END AS of_hour
    FROM once
    WHERE
        (event_type IN ('impression', 'click') OR list_contains($purchases, event_type))
        AND ($model IS NULL OR model = $model)
)
SELECT
    grouping(of_hour) = 1 AS is_total,
    of_model AS model,
    of_variant AS variant,
    of_hour AS hour,
    count(*) FILTER (event_type = 'impression') AS impressions,
    count(*) FILTER (event_type = 'click') AS clicks,
    count(*) FILTER (list_contains($purchases, event_type)) AS conversions,
    count(DISTINCT user_id) AS unique_users,
    clicks / nullif(impressions, 0) AS ctr,
    conversions / nullif(clicks, 0) AS conversion_rate,
    coalesce(sum(paid), 0)::DOUBLE AS revenue,
    quantile_disc(waited_ms, 0.95) AS p95_latency_ms,
    quantile_disc(waited_ms, 0.99) AS p99_latency_ms
FROM told
GROUP BY GROUPING SETS ((), (of_model, of_variant, of_hour))
ORDER BY is_total DESC, impressions DESC, of_model, of_variant, of_hour
LIMIT $max_rows
