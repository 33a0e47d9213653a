-- Users of each phase of an experiment.
-- Grain: phase x user. Input: exposed, segments (user_id, segment).
-- A user seen in two variants of a phase is `crossed`; one seen in an earlier phase is returning.
WITH seen AS (
    SELECT
        phase, user_id, min(variant) AS variant, min(first_at) AS first_at,
        min(variant) <> max(variant) AS crossed
    FROM exposed
    GROUP BY phase, user_id
),
first_seen AS (
    SELECT user_id, min(phase) AS first_phase, min(first_at) AS ever_at FROM seen GROUP BY user_id
)
SELECT
    seen.phase, user_id, seen.variant, seen.crossed, seen.first_at::DATE AS day,
    coalesce(segments.segment, 'unknown') AS segment,
    seen.phase > first_seen.first_phase AS is_returning, first_seen.ever_at
FROM seen
JOIN first_seen USING (user_id)
LEFT JOIN segments USING (user_id)
