-- Users of events whose ids the users file has in another form: 7 and 007, 7.0, A1 and a1. One row.
-- Inputs: validated_events, validated_users. Parameter: parts. Samples one part in `parts`.
WITH unknown AS (
    SELECT DISTINCT user_id
    FROM validated_events
    WHERE reason IS NULL
        AND hash(user_id) % $parts::UBIGINT = 0
        AND EXISTS (FROM validated_users)
        AND user_id NOT IN (SELECT user_id FROM validated_users WHERE user_id IS NOT NULL)
),
known AS (
    SELECT plain_id(user_id) AS form, min(user_id) AS user_id
    FROM validated_users
    WHERE reason IS NULL AND EXISTS (FROM unknown)
    GROUP BY form
)
SELECT count(*) AS n_ids, min_by((unknown.user_id, known.user_id), unknown.user_id) AS sample
FROM unknown
JOIN known ON known.form = plain_id(unknown.user_id)
