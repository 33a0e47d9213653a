-- Points of an event of each kind at each age. Grain: kind x day.
-- Inputs: kinds(kind, weight), days(day, age_days). Parameter: half_life_days.
SELECT event_points(weight, age_days, $half_life_days) AS points
FROM kinds
CROSS JOIN days
ORDER BY kind, day
