-- Categories, the largest first. Grain: category. Parameter: catalogue (path).
-- Items are the available ones, and shown those of them in some list.
SELECT
    category,
    count(*) FILTER (WHERE available) AS items,
    count(*) FILTER (WHERE available AND n_lists > 0) AS shown,
    coalesce(sum(n_lists), 0)::BIGINT AS places,
    coalesce(sum(n_events), 0)::BIGINT AS events
FROM read_parquet($catalogue)
GROUP BY category
ORDER BY items DESC, category
