-- Exposures, and the outcomes that each day's exposures had within the attribution window.
-- Grain: phase x user x day of exposure x metric (null: exposures). Input: event, exposed, wanted
-- (metric, kind, event_type). Parameter: window (an interval).
-- An event of a ratio belongs to the last time that its user was shown its item, and counts once
-- for it; one of another metric belongs to the last time that its user was shown anything.
WITH counted AS (
    SELECT user_id, item_id, utc, value, metric, kind FROM event JOIN wanted USING (event_type)
),
of_items AS (FROM counted WHERE kind = 'ratio'),
of_users AS (FROM counted WHERE kind <> 'ratio'),
shown_item AS (
    SELECT user_id, item_id, utc, max(phase) AS phase
    FROM event
    SEMI JOIN of_items USING (user_id, item_id)
    WHERE is_exposure
    GROUP BY user_id, item_id, utc
),
shown_user AS (
    SELECT user_id, utc, max(phase) AS phase
    FROM event
    SEMI JOIN of_users USING (user_id)
    WHERE is_exposure
    GROUP BY user_id, utc
),
of_item AS (
    SELECT DISTINCT shown_item.phase, shown_item.user_id, shown_item.item_id, shown_item.utc, metric
    FROM of_items
    ASOF JOIN shown_item
        ON of_items.user_id = shown_item.user_id AND of_items.item_id = shown_item.item_id
        AND of_items.utc >= shown_item.utc
    WHERE of_items.utc < shown_item.utc + $window
),
of_user AS (
    SELECT
        shown_user.phase, shown_user.user_id, shown_user.utc, metric,
        CASE WHEN kind = 'mean' THEN coalesce(value, 0) ELSE 1 END AS amount
    FROM of_users
    ASOF JOIN shown_user
        ON of_users.user_id = shown_user.user_id AND of_users.utc >= shown_user.utc
    WHERE of_users.utc < shown_user.utc + $window
),
amounts AS (
    SELECT phase, user_id, day, NULL::INTEGER AS metric, n_exposures AS amount FROM exposed
    UNION ALL
    SELECT phase, user_id, utc::DATE, metric, 1 FROM of_item
    UNION ALL
    SELECT phase, user_id, utc::DATE, metric, amount FROM of_user
)
SELECT phase, user_id, day, metric, sum(amount)::BIGINT AS amount
FROM amounts
GROUP BY phase, user_id, day, metric
