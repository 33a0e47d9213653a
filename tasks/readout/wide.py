"""SQL of the sums: a column a variable, as many as an experiment has metrics."""

from collections.abc import Iterator, Sequence

from tasks.readout.measures import PRE_SHOWN, SHOWN
from tasks.statistics.metrics import Measure
from tasks.statistics.moments import Pair


def user_sums(measures: Sequence[Measure]) -> str:
    """Return the statement of the users' variables, revenue cut at its quantile of all buyers.

    Grain: phase x user, those in two variants left out. Input: unit, outcome, before. Parameter:
    quantile. The columns `cap_<variable>` hold the cuts.
    """
    after = ", ".join(_pivot([(SHOWN, "metric IS NULL"), *_named(measures, "value")]))
    earlier = ", ".join(_pivot([(PRE_SHOWN, "metric IS NULL"), *_named(measures, "before")]))
    variables = [SHOWN, PRE_SHOWN, *(n for each in measures for n in (each.value, each.before))]
    plain = ", ".join(f"coalesce({name}, 0) AS {name}" for name in variables)
    shares = [n for each in measures if each.kind == "proportion" for n in _both(each)]
    money = [n for each in measures if each.kind == "mean" for n in _both(each)]
    quantiles = ", ".join(
        [
            "count(*) AS n",
            *(f"quantile_disc({m}, $quantile) FILTER ({m} > 0) AS cap_{m}" for m in money),
        ]
    )
    cut = [f"least({name}, 1) AS {name}" for name in shares]
    cut += [f"least({name}, coalesce(cap_{name}, {name})) AS {name}" for name in money]
    replace = f"REPLACE ({', '.join(cut)})" if cut else ""
    over = "".join(f", coalesce({m} > cap_{m}, false) AS over_{m}, cap_{m}" for m in money)
    return f"""
        WITH after AS (SELECT phase, user_id, {after} FROM outcome GROUP BY phase, user_id),
        earlier AS (SELECT user_id, {earlier} FROM before GROUP BY user_id),
        users AS (
            SELECT phase, variant, day, segment, is_returning, {plain}
            FROM unit JOIN after USING (phase, user_id) LEFT JOIN earlier USING (user_id)
            WHERE NOT crossed
        ),
        caps AS (SELECT {quantiles} FROM users)
        SELECT users.* {replace}{over} FROM users, caps
    """  # noqa: S608 - our own names


def user_days(measures: Sequence[Measure]) -> str:
    """Return the statement of the variables of each day of a user's exposures.

    Grain: user x day. Input: unit, outcome. `age` counts days since the user's first exposure.
    """
    pivot = ", ".join(_pivot([(SHOWN, "metric IS NULL"), *_named(measures, "value")]))
    shares = [
        f"least({each.value}, 1) AS {each.value}" for each in measures if each.kind == "proportion"
    ]
    replace = f"REPLACE ({', '.join(shares)})" if shares else ""
    return f"""
        WITH days AS (SELECT phase, user_id, day, {pivot} FROM outcome GROUP BY phase, user_id, day)
        SELECT variant, date_diff('day', unit.day, days.day) AS age, days.* {replace}
        FROM days JOIN unit USING (phase, user_id)
        WHERE NOT crossed AND NOT is_returning
    """  # noqa: S608


def moments(table: str, key: Sequence[str], names: Sequence[str], pairs: Sequence[Pair]) -> str:
    """Return the statement of each group's count, sums and sums of products, by the key."""
    keys = ", ".join(key)
    sums = [f"sum({name})::HUGEINT" for name in names]
    sums += [f"sum({a}::HUGEINT * {b})::HUGEINT" for a, b in pairs]
    return (
        f"SELECT {keys}, count(*), {', '.join(sums)} FROM {table} "  # noqa: S608
        f"GROUP BY {keys} ORDER BY {keys}"
    )


def _named(measures: Sequence[Measure], of: str) -> Iterator[tuple[str, str]]:
    for at, each in enumerate(measures):
        yield getattr(each, of), f"metric = {at}"


def _pivot(columns: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, condition in columns:
        yield f"coalesce(sum(amount) FILTER ({condition}), 0)::BIGINT AS {name}"


def _both(measure: Measure) -> tuple[str, str]:
    return measure.value, measure.before
