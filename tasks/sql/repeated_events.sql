-- What may be the same event told again: few are, so that only these are looked at in turn.
-- Grain: mark. Input: good_events.
SELECT mark
FROM good_events
GROUP BY mark
HAVING count(*) > 1
