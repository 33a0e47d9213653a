-- Grain: every user known, by the log or by the users file.
-- Inputs: users, numbered_users, numbered_items, numbered_events, interactions(user, item, points),
-- recent(user, recent_views).
WITH activity AS (
    SELECT
        user,
        count(*) AS events,
        count(*) FILTER (is_purchase) AS total_purchases,
        sum(rating_millionths) / count(rating_millionths) / 1e6 AS avg_rating,
        min(ts) AS first_seen,
        max(ts) AS last_seen
    FROM numbered_events
    GROUP BY user
),
tastes AS (
    SELECT user, category_number, sum(points) AS strength
    FROM interactions
    JOIN numbered_items USING (item)
    GROUP BY user, category_number
    HAVING strength > 0
    QUALIFY row_number() OVER (PARTITION BY user ORDER BY strength DESC, category_number) <= 3
),
favorites AS (
    SELECT user, list(category ORDER BY strength DESC, category) AS favorite_categories
    FROM tastes
    JOIN (SELECT DISTINCT category_number, category FROM numbered_items) USING (category_number)
    GROUP BY user
),
active AS (
    SELECT * EXCLUDE (user)
    FROM numbered_users
    JOIN activity USING (user)
    LEFT JOIN favorites USING (user)
    LEFT JOIN recent USING (user)
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
FULL JOIN active USING (user_id)
ORDER BY user_id
