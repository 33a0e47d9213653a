-- Items of events whose ids the catalogue has in another form: 7 and 007, 7.0, A1 and a1. One row.
-- Inputs: validated_events, validated_items.
WITH unknown AS (
    SELECT item_id, count(*) AS n
    FROM validated_events
    WHERE reason = 'unknown item'
    GROUP BY item_id
),
known AS (
    SELECT plain_id(item_id) AS form, min(item_id) AS item_id
    FROM validated_items
    WHERE reason IS NULL AND EXISTS (FROM unknown)
    GROUP BY form
)
SELECT
    count(*) AS n_ids,
    coalesce(sum(unknown.n), 0)::BIGINT AS n_rows,
    (SELECT count(*) FROM unknown) AS n_all,
    min_by((unknown.item_id, known.item_id), unknown.item_id) AS sample
FROM unknown
JOIN known ON known.form = plain_id(unknown.item_id)
