-- Number of idle events. One row.
-- Input: raw_events. Parameter: idle (event types).
SELECT 'idle' AS kind, count(*) AS n FROM raw_events WHERE list_contains($idle, event_type)
