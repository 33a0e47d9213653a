-- Exposures, and the outcomes that each day's exposures had within the attribution window.
-- Grain: phase x user x day of exposure x metric (null: exposures). Input: event, wanted (metric,
-- kind, event_type). Parameter: window (an interval).
-- An event of a ratio belongs to the last time that its user was shown its item, and counts once
-- for it; one of another metric belongs to the last time that its user was shown anything.
WITH shown_item AS (
    SELECT user_id, item_id, utc, max(phase) AS phase
    FROM event
    WHERE is_exposure AND item_id IS NOT NULL
    GROUP BY user_id, item_id, utc
),
shown_user AS (
    SELECT user_id, utc, max(phase) AS phase FROM event WHERE is_exposure GROUP BY user_id, utc
),
counted AS (
    SELECT user_id, item_id, utc, value, metric, kind FROM event JOIN wanted USING (event_type)
),
of_item AS (
    SELECT DISTINCT shown_item.phase, shown_item.user_id, shown_item.item_id, shown_item.utc, metric
    FROM (FROM counted WHERE kind = 'ratio') AS done
    ASOF JOIN shown_item
        ON done.user_id = shown_item.user_id AND done.item_id = shown_item.item_id
        AND done.utc >= shown_item.utc
    WHERE done.utc < shown_item.utc + $window
),
of_user AS (
    SELECT
        shown_user.phase, shown_user.user_id, shown_user.utc, metric,
        CASE WHEN kind = 'mean' THEN coalesce(value, 0) ELSE 1 END AS amount
    FROM (FROM counted WHERE kind <> 'ratio') AS done
    ASOF JOIN shown_user ON done.user_id = shown_user.user_id AND done.utc >= shown_user.utc
    WHERE done.utc < shown_user.utc + $window
),
amounts AS (
    SELECT phase, user_id, utc, NULL::INTEGER AS metric, 1 AS amount FROM event WHERE is_exposure
    UNION ALL
    SELECT phase, user_id, utc, metric, 1 FROM of_item
    UNION ALL
    SELECT phase, user_id, utc, metric, amount FROM of_user
)
SELECT phase, user_id, utc::DATE AS day, metric, sum(amount)::BIGINT AS amount
FROM amounts
GROUP BY phase, user_id, day, metric
