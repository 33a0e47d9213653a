-- How many items each judged user was to be shown. Grain: user, by row. Input: relevant.
SELECT count(*) AS n
FROM relevant
GROUP BY row
ORDER BY row
