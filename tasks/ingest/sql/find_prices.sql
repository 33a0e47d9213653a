-- Invalid prices: negative, NaN or infinite. One row. Input: validated_items.
SELECT count(*) AS n, min((item_id, price_as_found::VARCHAR)) AS sample
FROM validated_items
WHERE reason IS NULL AND price_as_found IS NOT NULL
