-- Exposures of each user by day.
-- Grain: phase x user x variant x day. Input: event.
SELECT
    phase, user_id, variant, utc::DATE AS day, count(*) AS n_exposures, min(utc) AS first_at
FROM event
WHERE is_exposure
GROUP BY phase, user_id, variant, day
