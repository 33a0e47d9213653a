-- Why a row of the catalogue is bad, or null.
-- Grain: one row read. Input: raw_items. Of rows with the same id the first in a total order counts.
SELECT
    *,
    CASE
        WHEN coalesce(item_id, '') = '' THEN 'item_id missing'
        WHEN strlen(url_encode(item_id)) > $max_id_bytes THEN 'item_id too long'
        WHEN strlen(url_encode(category)) > $max_id_bytes THEN 'category too long'
        WHEN price < 0 OR NOT isfinite(price) THEN 'price negative or not finite'
        WHEN row_number() OVER (
            PARTITION BY item_id
            ORDER BY category, title, price, available, created_at, tags, file, "row"
        ) > 1 THEN 'duplicate item_id'
    END AS reason
FROM raw_items
