-- What an event of each type counts for. Grain: event type of the log.
-- Inputs: events, weights(event_type, weight). Parameters: seen, rating_types, view_types.
SELECT
    event_type,
    coalesce(weight, 0) AS weight,
    event_type = 'purchase' AS is_purchase,
    list_contains($seen, event_type) AS is_seen,
    list_contains($view_types, event_type) AS is_view,
    list_contains($rating_types, event_type) AS is_rating
FROM (SELECT DISTINCT event_type FROM events)
LEFT JOIN weights USING (event_type)
