"""Prediction: tonight's lists against popularity and against last night's blend.

By the backtest that chose the blend, or, where the settings were held, by that of
`evaluate.backtest_days`. Differences are paired: the same users judge both.
"""

from collections.abc import Mapping
from typing import Any

from tasks.report.quality import figure
from tasks.report.text import count, duration, percent

Facts = Mapping[str, Any]

#: Standard errors to each side of a 95 % interval.
_Z = 1.96
_HEADS = {"better": "better than", "level": "as well as", "worse": "worse than"}


def prediction_facts(choice: Facts | None, quality: Facts | None) -> dict[str, Any]:
    """Return the comparisons of tonight's lists, and a sentence about each.

    `headline` is the short answer, `sentence` has the figures. `popularity` and `last_night` hold
    `ndcg`, `other`, `difference`, `interval` (half of the 95 % interval) and `verdict`: "better",
    "level" or "worse"; none where nothing was compared. `rows` are these by protocol.
    """
    judged = choice if choice and not choice["held"] else None
    if judged:
        rows, judges = _of_choice(judged), _judges(judged)
    elif quality and quality["n_users"]:
        rows = [_of_quality(quality)]
        judges = (
            f"Judged by {count(quality['n_users'])} users on the {quality['backtest_days']} days "
            "after lists of that day"
        )
    else:
        return {"headline": "", "sentence": _unmeasured(choice), "rows": []} | _NOTHING
    first = rows[0]
    popularity, last = first["popularity"], first["last_night"]
    return {
        "headline": _headline(popularity, last),
        "sentence": f"{_sentence(popularity, last, choice)} {judges}; ± is half of the 95 % "
        f"interval of the paired difference.{_cost(judged)}",
        "protocol": first["protocol"],
        "popularity": popularity,
        "last_night": last,
        "rows": rows,
    }


_NOTHING: dict[str, Any] = {"protocol": "", "popularity": None, "last_night": None}


def compared(ndcg: float, other: float, error: float) -> dict[str, Any]:
    """Compare two figures by the standard error of their paired difference.

    >>> compared(0.08, 0.05, 0.01)["verdict"], compared(0.08, 0.07, 0.01)["verdict"]
    ('better', 'level')
    """
    difference, interval = ndcg - other, _Z * error
    verdict = "level" if abs(difference) <= interval else "better" if difference > 0 else "worse"
    figures = {"ndcg": ndcg, "other": other, "difference": difference, "interval": interval}
    return figures | {"verdict": verdict}


def _of_choice(choice: Facts) -> list[dict[str, Any]]:
    """Return the comparisons by protocol, "by time" first."""
    last = choice.get("last_ndcg") or {}
    return [
        {
            "protocol": part,
            "popularity": compared(
                choice["ndcg"][part], choice["popular_ndcg"][part], choice["ahead_error"][part]
            ),
            "last_night": compared(choice["ndcg"][part], last[part], choice["last_error"][part])
            if part in last
            else None,
        }
        for part in sorted(choice["ndcg"], key=lambda name: name != "by time")
    ]


def _of_quality(quality: Facts) -> dict[str, Any]:
    lists, popular = (quality[name]["ndcg_at_10"] for name in ("lists", "popularity"))
    against = compared(lists, popular, quality.get("ahead_error", 0.0))
    return {"protocol": "by time", "popularity": against, "last_night": None}


def _headline(popularity: Facts, last: Facts | None) -> str:
    head = f"Tonight predicts {_HEADS[popularity['verdict']]} popularity"
    if last is None:
        return head
    same = last["verdict"] == popularity["verdict"]
    return f"{head} and {'' if same else _HEADS[last['verdict']] + ' '}last night"


def _sentence(popularity: Facts, last: Facts | None, choice: Facts | None) -> str:
    against = (
        f"NDCG@10 is {figure(popularity['ndcg'])}, recent popularity's "
        f"{figure(popularity['other'])}: {difference_text(popularity)}."
    )
    if last is None:
        return f"{against} There is no blend of a night before to compare with."
    if choice and not choice["changed"]:
        return f"{against} Last night's blend is the same."
    return f"{against} Last night's blend has {figure(last['other'])}: {difference_text(last)}."


def difference_text(found: Facts) -> str:
    """Describe a difference with its interval.

    >>> difference_text(compared(0.08, 0.05, 0.01)), difference_text(compared(0.05, 0.05, 0.01))
    ('better by 0.0300 ± 0.0196', 'level, +0.0000 ± 0.0196')
    """
    interval = f"± {figure(found['interval'])}"
    if found["verdict"] == "level":
        return f"level, {found['difference']:+.4f} {interval}"
    return f"{found['verdict']} by {figure(abs(found['difference']))} {interval}"


def _judges(choice: Facts) -> str:
    part = next(iter(sorted(choice["ndcg"], key=lambda name: name != "by time")))
    on = f"the last {choice['days']} days of the log" if part == "by time" else "their newest item"
    return f"Judged by {count(choice['n_judged'][part])} users on {on}"


def _cost(choice: Facts | None) -> str:
    if choice is None:
        return ""
    share = percent(choice["share_of_night"])
    return f" The backtest took {duration(choice['seconds'])}, {share} of the night's steps."


def _unmeasured(choice: Facts | None) -> str:
    why = choice["why"] if choice else "No blend was chosen: these lists were made by the settings."
    return (
        f"It was not measured whether tonight's lists predict better than popularity. {why} "
        "NIGHTSHELF_EVALUATE__BACKTEST_DAYS measures it for held settings too."
    )
