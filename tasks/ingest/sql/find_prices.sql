-- Prices that are none: negative, NaN or infinite. One row. Input: judged_items.
SELECT count(*) AS n, min((item_id, price_as_found::VARCHAR)) AS sample
FROM judged_items
WHERE reason IS NULL AND price_as_found IS NOT NULL
