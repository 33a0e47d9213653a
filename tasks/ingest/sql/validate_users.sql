-- The reason why a row of the users file is bad, or null.
-- Grain: one row read. Input: raw_users. Parameters: now, as_of (UTC timestamps), max_id_bytes.
-- Of good rows with the same id the first in a total order counts.
WITH faulted AS (
    SELECT
        *,
        CASE
            WHEN created_at > $now::TIMESTAMP THEN 'created_at in the future'
            WHEN created_at > $as_of::TIMESTAMP THEN 'after as_of'
            WHEN created_at_as_found IS NOT NULL THEN 'created_at unparsable'
            WHEN coalesce(user_id, '') = '' THEN 'user_id missing'
            WHEN strlen(url_encode(user_id)) > $max_id_bytes THEN 'user_id too long'
            WHEN strlen(url_encode(segment)) > $max_id_bytes THEN 'segment too long'
        END AS fault
    FROM raw_users
)
SELECT
    * EXCLUDE (fault),
    coalesce(fault, CASE WHEN row_number() OVER (
        PARTITION BY user_id, fault ORDER BY segment, created_at, file, "row"
    ) > 1 THEN 'duplicate user_id' END) AS reason
FROM faulted
