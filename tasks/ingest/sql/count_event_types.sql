-- Grain: event type. Parameter: path (the clean events).
SELECT event_type, count(*) AS n
FROM read_parquet($path)
GROUP BY event_type
ORDER BY n DESC, event_type
