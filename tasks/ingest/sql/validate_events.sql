-- The reason why a row of the log is bad, or null; and a mark, equal for rows of the same event.
-- Grain: one row read. Inputs: raw_events, known_items.
-- Parameters: now, as_of (UTC timestamps), max_id_bytes, may_be_negative, idle (event types).
-- Idle events are left out: there may be many more of them than of all others.
-- An event of as_of or later is not validated: the night must not see it. (Where times are whole
-- days, those of the day that begins at as_of are still to come.)
-- Only bad rows keep file and row number, which would be most of the memory.
WITH faulted AS (
    SELECT
        *,
        coalesce(CASE
            WHEN arrived_at > $now::TIMESTAMP THEN 'arrived_at in the future'
            WHEN arrived_at > $as_of::TIMESTAMP THEN 'after as_of'
            WHEN ts IS NULL THEN 'ts missing or unparsable'
            WHEN ts > $now::TIMESTAMP THEN 'ts in the future'
            WHEN ts >= $as_of::TIMESTAMP THEN 'after as_of'
            WHEN arrived_at_as_found IS NOT NULL THEN 'arrived_at unparsable'
            WHEN coalesce(user_id, '') = '' THEN 'user_id missing'
            WHEN coalesce(item_id, '') = '' THEN 'item_id missing'
            WHEN coalesce(event_type, '') = '' THEN 'event_type missing'
            WHEN strlen(user_id) * 3 > $max_id_bytes
                AND strlen(url_encode(user_id)) > $max_id_bytes THEN 'user_id too long'
            WHEN strlen(item_id) * 3 > $max_id_bytes
                AND strlen(url_encode(item_id)) > $max_id_bytes THEN 'item_id too long'
        END,
        value_fault(value, event_type, $may_be_negative),
        CASE
            WHEN NOT EXISTS (SELECT 1 FROM known_items AS known WHERE known.item_id = raw.item_id)
            THEN 'unknown item'
        END) AS reason
    FROM raw_events AS raw
    WHERE event_type IS NULL OR NOT list_contains($idle, event_type)
)
SELECT
    * REPLACE (
        CASE WHEN reason IS NOT NULL THEN file END AS file,
        CASE WHEN reason IS NOT NULL THEN "row" END AS "row"
    ),
    CASE
        WHEN coalesce(event_id, '') = ''
        THEN hash(user_id, item_id, event_type, date_trunc('second', ts))
        ELSE hash(event_id)
    END AS mark
FROM faulted
