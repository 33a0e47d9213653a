-- Why a row of the users file is bad, or null.
-- Grain: one row read. Input: raw_users. Of rows with the same id the first in a total order counts.
SELECT
    *,
    CASE
        WHEN coalesce(user_id, '') = '' THEN 'user_id missing'
        WHEN strlen(url_encode(user_id)) > $max_id_bytes THEN 'user_id too long'
        WHEN strlen(url_encode(segment)) > $max_id_bytes THEN 'segment too long'
        WHEN row_number() OVER (
            PARTITION BY user_id ORDER BY segment, created_at, file, "row"
        ) > 1 THEN 'duplicate user_id'
    END AS reason
FROM raw_users
