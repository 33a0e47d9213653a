-- Addresses of pictures that are not shown. One row. Input: validated_items.
SELECT count(*) AS n, min((item_id, image_url_as_found)) AS sample
FROM validated_items
WHERE reason IS NULL AND image_url_as_found IS NOT NULL
