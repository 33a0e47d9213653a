-- A day's events, added up. Grain: user x item x event type (by number); but an event whose value is
-- above a million stands alone, so that a sum in millionths fits 64 bits.
-- Input: day_events(user, item, type, ts, value, row).
SELECT
    "user",
    item,
    type,
    CAST(count(*) AS INTEGER) AS events,
    min(ts) AS first_ts,
    max(ts) AS last_ts,
    CAST(count(value) AS INTEGER) AS valued,
    CAST(coalesce(sum(CAST(round(value * 1e6) AS BIGINT)), 0) AS BIGINT) AS millionths
FROM day_events
GROUP BY "user", item, type, CASE WHEN abs(value) > 1e6 THEN row END
ORDER BY ALL
