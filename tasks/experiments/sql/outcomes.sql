-- Exposed users and those who converted, by phase and variant of their first exposure in an
-- experiment. Exposures whose attribution window has not passed yet are left out.
-- `event_types` count as the outcome.
-- `collected`: files of the tracked events; `outcomes`: the clean log; times are UTC.
WITH exposures AS (
    SELECT user_id, phase, variant, ts::TIMESTAMP AS ts
    FROM collected
    WHERE event_type = 'impression' AND experiment = $experiment
        AND variant IS NOT NULL AND phase IS NOT NULL
),

first_exposure AS (
    SELECT user_id, min({'ts': ts, 'phase': phase, 'variant': variant}) AS shown
    FROM exposures
    WHERE ts < $as_of
    GROUP BY user_id
),

due AS (
    SELECT user_id, shown.ts AS ts, shown.phase AS phase, shown.variant AS variant
    FROM first_exposure
    WHERE shown.ts + $window <= $as_of
),

converted AS (
    SELECT DISTINCT due.user_id
    FROM due
    JOIN outcomes USING (user_id)
    WHERE list_contains($event_types, outcomes.event_type)
        AND outcomes.ts BETWEEN due.ts AND due.ts + $window
)

SELECT due.phase, due.variant, count(*) AS users, count(converted.user_id) AS converted
FROM due
LEFT JOIN converted USING (user_id)
GROUP BY ALL
ORDER BY ALL
