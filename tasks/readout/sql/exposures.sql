-- Exposures that count, and those whose attribution window has not passed yet.
-- Grain: one row. Input: event.
SELECT
    count(*) FILTER (is_exposure) AS n_exposures,
    count(*) FILTER (is_of_experiment AND NOT is_exposure) AS n_waiting
FROM event
