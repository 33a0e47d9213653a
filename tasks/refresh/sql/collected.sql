-- The collected log as its files have it; times as the clean log has them, in UTC without a zone.
-- Grain: one row read. Inputs: nothing (the columns, and no row), files.
SELECT
    event_id,
    user_id,
    event_type,
    item_id,
    CAST(ts AS TIMESTAMP) AS ts,
    value,
    CAST(arrived_at AS TIMESTAMP) AS arrived_at
FROM (SELECT * FROM nothing UNION ALL BY NAME SELECT * FROM files) AS every_row
