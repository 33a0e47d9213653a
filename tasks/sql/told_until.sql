-- Up to when the collected log has heard of some users. Grain: user. Inputs: collected, asked.
SELECT user_id, epoch_us(max(ts)) / 1e6 AS at
FROM collected
SEMI JOIN asked USING (user_id)
GROUP BY user_id
