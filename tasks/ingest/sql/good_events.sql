-- The good rows of the log.
-- Grain: one row read. Input: judged_events.
SELECT * EXCLUDE (reason, file, "row")
FROM judged_events
WHERE reason IS NULL
