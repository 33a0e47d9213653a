-- The reason why a row of the catalogue is bad, or null.
-- Grain: one row read. Input: raw_items. Parameter: max_id_bytes.
-- A price that is negative or not finite becomes null, and so does an image_url that is neither
-- http(s) nor relative, or holds a space, a control character or a backslash.
-- Of good rows with the same id the first in a total order counts.
WITH faulted AS (
    SELECT
        * REPLACE (
            CASE WHEN price >= 0 AND isfinite(price) THEN price END AS price,
            CASE WHEN shown THEN trim(image_url) END AS image_url
        ),
        CASE WHEN price < 0 OR NOT isfinite(price) THEN price END AS price_as_found,
        CASE WHEN NOT shown THEN nullif(trim(image_url), '') END AS image_url_as_found,
        CASE
            WHEN coalesce(item_id, '') = '' THEN 'item_id missing'
            WHEN strlen(url_encode(item_id)) > $max_id_bytes THEN 'item_id too long'
            WHEN strlen(url_encode(category)) > $max_id_bytes THEN 'category too long'
            WHEN created_at_as_found IS NOT NULL THEN 'created_at unparsable'
        END AS fault
    FROM (
        SELECT
            *,
            nullif(trim(image_url), '') IS NOT NULL AND regexp_full_match(
                trim(image_url),
                '(?i:https?://)[^\x00-\x20\x7f\\]+'
                || '|[^\x00-\x20\x7f\\:/?#]*([/?#][^\x00-\x20\x7f\\]*)?'
            ) AS shown
        FROM raw_items
    )
)
SELECT
    * EXCLUDE (fault, shown),
    coalesce(fault, CASE WHEN row_number() OVER (
        PARTITION BY item_id, fault
        ORDER BY category, title, price, available, created_at, tags, file, "row"
    ) > 1 THEN 'duplicate item_id' END) AS reason
FROM faulted
