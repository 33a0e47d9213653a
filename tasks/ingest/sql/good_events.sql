-- The good rows of the log.
-- Grain: one row read. Input: validated_events.
SELECT * EXCLUDE (reason, file, "row")
FROM validated_events
WHERE reason IS NULL
