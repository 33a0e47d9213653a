-- Rules of events that several steps apply, as macros of every session.

-- Fixed-point points of an event (2^32 = weight 1) after so many whole UTC days. It halves every
-- half_life_days and never falls to nothing: an old taste is still a taste. Integers add up to the
-- same sum in any order, floats do not (docs/decisions/0006-exact-sums.md).
CREATE TEMP MACRO event_points(weight, age_days, half_life_days) AS
    CASE WHEN coalesce(weight, 0) = 0 THEN 0 ELSE CAST(
        sign(weight) * greatest(1, round(abs(weight) * pow(2, 32 - age_days / half_life_days)))
    AS BIGINT) END;

-- Equal for rows that are one event: the same event_id, or without one the same user, item, type
-- and second.
CREATE TEMP MACRO same_event(event_id, user_id, item_id, event_type, ts) AS (
    nullif(event_id, ''),
    CASE
        WHEN coalesce(event_id, '') = ''
        THEN (user_id, item_id, event_type, date_trunc('second', ts))
    END
);

-- Why a value is bad, or null. Values up to 1e12 add up exactly in millionths.
CREATE TEMP MACRO value_fault(value, event_type, may_be_negative) AS CASE
    WHEN NOT isfinite(value) THEN 'value not finite'
    WHEN abs(value) > 1e12 THEN 'value too large'
    WHEN value < 0 AND NOT list_contains(may_be_negative, event_type) THEN 'value negative'
END;

-- Whether an item existed at an instant; without created_at it always did.
CREATE TEMP MACRO existed(created_at, instant) AS coalesce(created_at <= instant, true);
