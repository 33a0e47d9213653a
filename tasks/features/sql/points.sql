-- What an event of a kind says on its own, in fixed point (2^32 = weight 1), at each age.
-- Grain: kind x day. Inputs: kinds(kind, weight), days(day, age_days). Parameter: half_life_days.
-- An event halves every half_life_days, by whole UTC days, and never falls to nothing: an old taste
-- is still a taste. Integers add up to the same sum in any order, floats do not
-- (docs/decisions/0006-exact-sums.md).
SELECT
    CASE WHEN weight = 0 THEN 0 ELSE CAST(
        sign(weight) * greatest(1, round(
            abs(weight) * pow(2, 32 - age_days / $half_life_days)
        ))
    AS BIGINT) END AS points
FROM kinds
CROSS JOIN days
ORDER BY kind, day
