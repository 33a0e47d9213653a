-- Grain: every user known, by the log or by the users file.
-- Inputs: events, users, items, interactions. Parameters: rating_types, view_types.
WITH activity AS (
    SELECT
        user_id,
        count(*) AS events,
        count(*) FILTER (event_type = 'purchase') AS total_purchases,
        sum(CAST(round(value * 1e6) AS BIGINT)) FILTER (list_contains($rating_types, event_type))
            / count(value) FILTER (list_contains($rating_types, event_type)) / 1e6 AS avg_rating,
        min(ts) AS first_seen,
        max(ts) AS last_seen
    FROM events
    GROUP BY user_id
),
views AS (
    SELECT user_id, item_id, max(ts) AS viewed_at
    FROM events
    WHERE list_contains($view_types, event_type)
    GROUP BY user_id, item_id
    QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY viewed_at DESC, item_id) <= 20
),
recent AS (
    SELECT user_id, list(item_id ORDER BY viewed_at DESC, item_id) AS recent_views
    FROM views
    GROUP BY user_id
),
tastes AS (
    SELECT user_id, category, sum(points) AS strength
    FROM interactions
    JOIN items USING (item_id)
    GROUP BY user_id, category
    HAVING strength > 0
    QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY strength DESC, category) <= 3
),
favorites AS (
    SELECT user_id, list(category ORDER BY strength DESC, category) AS favorite_categories
    FROM tastes
    GROUP BY user_id
)
SELECT
    user_id,
    segment,
    coalesce(created_at, first_seen) AS created_at,
    first_seen,
    last_seen,
    coalesce(events, 0) AS events,
    coalesce(total_purchases, 0) AS total_purchases,
    avg_rating,
    coalesce(favorite_categories, []) AS favorite_categories,
    coalesce(recent_views, []) AS recent_views
FROM users
FULL JOIN activity USING (user_id)
LEFT JOIN favorites USING (user_id)
LEFT JOIN recent USING (user_id)
ORDER BY user_id
