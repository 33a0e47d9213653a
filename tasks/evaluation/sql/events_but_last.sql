-- The clean log without each judged user's last item, and without all that the user did later.
-- Grain: one distinct event. Inputs: events, last_items(user_id, item_id, since).
SELECT events.*
FROM events
LEFT JOIN last_items USING (user_id)
WHERE last_items.item_id IS NULL
    OR (events.item_id <> last_items.item_id AND events.ts <= last_items.since)
ORDER BY events.ts, events.user_id, events.item_id, event_type, value, session_id
