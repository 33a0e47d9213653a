-- The columns that a readout takes, in UTC; one that the files lack is null.
-- Grain: one row read. Input: nothing (the columns, and no row), files.
SELECT * REPLACE (ts::TIMESTAMPTZ AS ts, value::DOUBLE AS value)
FROM (
    SELECT * FROM nothing
    UNION ALL BY NAME
    SELECT * FROM files
)
