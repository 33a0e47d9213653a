-- Active users by their number of events of a type. Grain: type x number, from 0. Input: events.
-- Parameter: since (UTC timestamp): a user with an event from then on is active.
WITH recent AS (FROM events WHERE ts >= $since::TIMESTAMP),
counted AS (SELECT user_id, event_type, count(*) AS n FROM recent GROUP BY ALL),
active AS (SELECT count(DISTINCT user_id) AS n_users FROM recent),
taken AS (SELECT event_type, n, count(*) AS n_users FROM counted GROUP BY ALL),
without AS (
    SELECT event_type, 0 AS n, any_value(active.n_users) - sum(taken.n_users) AS n_users
    FROM taken
    CROSS JOIN active
    GROUP BY event_type
)
SELECT event_type, n, n_users::BIGINT AS n_users FROM taken
UNION ALL
SELECT event_type, n, n_users::BIGINT FROM without
ORDER BY event_type, n
