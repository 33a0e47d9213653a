-- The last events of some users. Grain: event. Parameters: events, catalogue (paths), users, n_events.
SELECT user_id, item_id, title, category, event_type, strftime(ts, '%Y-%m-%d') AS day
FROM (
    SELECT
        user_id,
        item_id,
        event_type,
        ts,
        row_number() OVER (PARTITION BY user_id ORDER BY ts DESC, item_id, event_type) AS place
    FROM read_parquet($events)
    WHERE list_contains($users, user_id)
)
LEFT JOIN read_parquet($catalogue) USING (item_id)
WHERE place <= $n_events
ORDER BY user_id, place
