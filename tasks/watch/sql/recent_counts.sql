-- Impressions, clicks and purchases of a window.
-- Grain: one row. Input: Parquet files of the collected event log.
-- Parameters: files (paths), purchases (event types), since, until (times; the first is excluded).
-- A repeated event counts once, by its event_id; one without counts by itself.
WITH columns AS (
    SELECT NULL::VARCHAR AS event_id, NULL::VARCHAR AS event_type, NULL::TIMESTAMPTZ AS ts
    WHERE false
),
log AS (
    SELECT * FROM columns
    UNION ALL BY NAME
    SELECT * FROM read_parquet($files, hive_partitioning = false, union_by_name = true)
),
recent AS (
    SELECT event_id, event_type
    FROM log
    WHERE ts::TIMESTAMPTZ > $since AND ts::TIMESTAMPTZ <= $until
    QUALIFY event_id IS NULL OR row_number() OVER (PARTITION BY event_id ORDER BY event_type) = 1
)
SELECT
    count(*) FILTER (event_type = 'impression') AS impressions,
    count(*) FILTER (event_type = 'click') AS clicks,
    count(*) FILTER (list_contains($purchases, event_type)) AS purchases
FROM recent
