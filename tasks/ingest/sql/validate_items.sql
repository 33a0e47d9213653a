-- The reason why a row of the catalogue is bad, or null.
-- Grain: one row read. Input: raw_items. Parameter: max_id_bytes.
-- A price that is negative or not finite becomes null.
-- Of good rows with the same id the first in a total order counts.
WITH faulted AS (
    SELECT
        * REPLACE (CASE WHEN price >= 0 AND isfinite(price) THEN price END AS price),
        CASE WHEN price < 0 OR NOT isfinite(price) THEN price END AS price_as_found,
        CASE
            WHEN coalesce(item_id, '') = '' THEN 'item_id missing'
            WHEN strlen(url_encode(item_id)) > $max_id_bytes THEN 'item_id too long'
            WHEN strlen(url_encode(category)) > $max_id_bytes THEN 'category too long'
            WHEN created_at_as_found IS NOT NULL THEN 'created_at unparsable'
        END AS fault
    FROM raw_items
)
SELECT
    * EXCLUDE (fault),
    coalesce(fault, CASE WHEN row_number() OVER (
        PARTITION BY item_id, fault
        ORDER BY category, title, price, available, created_at, tags, file, "row"
    ) > 1 THEN 'duplicate item_id' END) AS reason
FROM faulted
