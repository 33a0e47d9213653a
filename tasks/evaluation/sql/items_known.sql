-- The catalogue without what nobody knew of at as_of. Grain: item. Inputs: items, events.
-- Parameter: as_of (UTC timestamp). What was created later is left out, unless an event up to as_of
-- names it all the same.
SELECT *
FROM items
WHERE existed(created_at, $as_of::TIMESTAMP) OR item_id IN (SELECT item_id FROM events)
ORDER BY item_id
