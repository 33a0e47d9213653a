-- Events repeated within seconds, or after the difference of two time zones (the commonest gap of
-- whole quarters of an hour). One row.
-- Inputs: good_events, repeated_events, once_events. Parameters: parts, seconds.
-- Samples one part in `parts` of the users.
WITH once AS (
    SELECT * FROM good_events ANTI JOIN repeated_events USING (mark)
    UNION ALL
    SELECT * FROM once_events
),
gaps AS (
    SELECT
        *,
        ts - lag(ts) OVER (PARTITION BY user_id, item_id, event_type ORDER BY ts) AS gap
    FROM once
    WHERE hash(user_id) % $parts::UBIGINT = 0
),
commonest AS (
    SELECT gap, count(*) AS n
    FROM gaps
    WHERE gap <= INTERVAL 14 HOURS AND epoch_us(gap) % 900_000_000 = 0
    GROUP BY gap
    ORDER BY n DESC, gap
    LIMIT 1
)
SELECT
    (SELECT count(*) FROM gaps) AS n,
    (SELECT count(*) FROM gaps WHERE gap <= to_seconds($seconds)) AS n_soon,
    (SELECT n FROM commonest) AS n_commonest,
    (SELECT gap FROM commonest) AS gap,
    sample.user_id,
    sample.item_id,
    sample.event_type,
    sample.ts,
FROM (SELECT 1) AS one
LEFT JOIN (
    SELECT gaps.* FROM gaps LEFT JOIN commonest ON true
    WHERE gaps.gap = commonest.gap OR gaps.gap <= to_seconds($seconds)
    ORDER BY gaps.ts DESC, user_id, item_id, event_type
    LIMIT 1
) AS sample ON true
