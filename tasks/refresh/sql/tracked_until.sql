-- Up to when the collected log has heard of some users. Grain: user. Inputs: collected, asked.
-- Parameter: now (UTC timestamp). What a fast clock has dated later is heard of when its time comes.
SELECT user_id, epoch_us(max(ts)) / 1e6 AS at
FROM collected
SEMI JOIN asked USING (user_id)
WHERE ts <= $now::TIMESTAMP
GROUP BY user_id
