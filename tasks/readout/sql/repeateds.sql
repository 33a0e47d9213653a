-- Events that are in the log more than once, as the collector may write them.
-- Grain: event_id. Input: log, wanted (event types). Parameters: since, until.
SELECT event_id
FROM log
WHERE
    event_id <> '' AND ts >= $since AND ts < $until
    AND (event_type = 'impression' OR event_type IN (SELECT event_type FROM wanted))
GROUP BY event_id
HAVING count(*) > 1
