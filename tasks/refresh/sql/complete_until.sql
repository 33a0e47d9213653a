-- Up to when all that was tracked is in the collected log, back to a whole quarter of an hour: what is
-- done with items after that, Redis counts by such quarters. Grain: one row. Input: collected.
-- Parameters: since, now (UTC timestamps), quarter_s.
-- The collector takes what arrives in its order, so what arrived before the latest is there.
SELECT greatest($since::TIMESTAMP, coalesce(make_timestamp(
    epoch_us(max(known_at)) // ($quarter_s * 1000000) * ($quarter_s * 1000000)
), $since::TIMESTAMP)) AS until
FROM (SELECT coalesce(arrived_at, ts) AS known_at FROM collected) AS times
WHERE known_at <= $now::TIMESTAMP
