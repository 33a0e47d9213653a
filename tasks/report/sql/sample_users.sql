-- A heavy and a light user with a list: one in twenty has more events, one in twenty has fewer.
-- Grain: user. Parameters: users, lists (paths).
WITH ranked AS (
    SELECT
        user_id,
        events,
        segment,
        row_number() OVER (ORDER BY events DESC, user_id) - 1 AS place,
        count(*) OVER () AS n
    FROM read_parquet($users)
    SEMI JOIN (SELECT key AS user_id FROM read_parquet($lists)) USING (user_id)
)
SELECT user_id, events, segment, place = (n - 1) // 20 AS heavy
FROM ranked
WHERE place = (n - 1) // 20 OR place = n - 1 - (n - 1) // 20
ORDER BY place
