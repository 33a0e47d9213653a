-- Grain: every user known, by the log or by the users file.
-- Inputs: users, active(user_id, first_seen, last_seen, events, total_purchases, ratings, rated_high,
-- rated_low, number). Ratings are added up in millionths, in two parts.
-- Lists are put in number's place afterwards (`tasks/features/tables.py`).
SELECT
    user_id,
    segment,
    coalesce(created_at, first_seen) AS created_at,
    first_seen,
    last_seen,
    coalesce(events, 0) AS events,
    coalesce(total_purchases, 0) AS total_purchases,
    coalesce(ratings, 0) AS num_ratings,
    (rated_high::HUGEINT * 4294967296 + rated_low) / nullif(ratings, 0) / 1e6 AS avg_rating,
    coalesce(number, -1) AS number
FROM users
FULL JOIN active USING (user_id)
ORDER BY user_id
