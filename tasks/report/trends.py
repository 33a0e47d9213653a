"""Trends: the headline figures of the last generations, from their reports."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from tasks.report.figures import QUALITY, REACH
from tasks.report.quality import figure
from tasks.report.text import count, duration
from tasks.runs.run_folder import Run

Facts = Mapping[str, Any]

#: Generations in the trends, tonight's among them.
MOST_NIGHTS = 30
_LISTS = (
    *("coverage", "diversity", "personalisation", "novelty_bits", "gini", "fallback_share"),
    *("n_users", "n_lists"),
)
_FORMS = {each.field: each for each in (*QUALITY, *REACH)}
#: Figures that are drawn: name in a row, title, form.
DRAWN = (
    ("ndcg", "Offline quality (NDCG@10)", figure),
    *((name, _FORMS[name].name, _FORMS[name].form) for name in _LISTS if name in _FORMS),
    ("n_users", "Known users", count),
    ("bytes", "Bytes in Redis", lambda value: f"{value / 1e6:,.1f} MB"),
    ("seconds", "The night took", duration),
)


@dataclass(frozen=True)
class Trend:
    """A figure over the nights: the line of its values, and that of a second figure beside it.

    Lines are points of an SVG of `WIDTH` by `HEIGHT`; a night without the figure breaks none.
    """

    title: str
    last: str
    lowest: str
    highest: str
    line: str
    beside: str = ""


WIDTH, HEIGHT = 240, 56


def trend_rows(run: Run, tonight: Facts) -> list[dict[str, Any]]:
    """Return a row a generation, the oldest first, tonight's last.

    Reports of generations before tonight's are read as far as they can be.
    """
    folder = run.root / run.namespace
    numbers = (int(each.parent.name) for each in folder.glob("*/report.json") if _number(each))
    earlier = sorted(number for number in numbers if number < run.generation)
    rows = [tonight]
    for number in reversed(earlier[1 - MOST_NIGHTS :]):
        with suppress(OSError, ValueError, LookupError, TypeError):
            rows.append(orjson.loads((folder / str(number) / "report.json").read_bytes()))
    return [row for facts in reversed(rows) for row in _row(facts)]


def trend_row(facts: Facts) -> dict[str, Any]:
    """Return the figures of a report, of any version; none for those that it lacks."""
    night, lists, memory = facts["night"], facts["lists"], facts.get("memory") or {}
    ndcg, popular = _ndcg(facts)
    return {
        **{name: night[name] for name in ("generation", "as_of", "state")},
        **{name: lists.get(name) for name in _LISTS},
        "ndcg": ndcg,
        "popular_ndcg": popular,
        "bytes": memory.get("bytes"),
        "seconds": sum(line["seconds"] for line in facts["steps"]),
    }


def trends_of(rows: Sequence[Facts]) -> list[Trend]:
    """Return the figures to draw; those that fewer than two nights have are left out."""
    found = (_trend(rows, *each) for each in DRAWN)
    return [each for each in found if each]


def trend_table(rows: Sequence[Facts]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return heads and rows of the table, the newest night first."""
    heads = ("Generation", "As of", "State", *(title for _, title, _ in DRAWN), "Popularity's NDCG")
    forms = [(name, form) for name, _, form in DRAWN] + [("popular_ndcg", figure)]
    cells = [
        (
            str(row["generation"]),
            row["as_of"][:10],
            row["state"],
            *("-" if row[name] is None else form(row[name]) for name, form in forms),
        )
        for row in reversed(rows)
    ]
    return heads, cells


def _number(path: Any) -> bool:
    return bool(path.parent.name.isdecimal())


def _row(facts: Facts) -> Iterator[dict[str, Any]]:
    with suppress(LookupError, TypeError, AttributeError):  # not a report of ours
        yield trend_row(facts)


def _ndcg(facts: Facts) -> tuple[float | None, float | None]:
    """Return NDCG@10 of the lists and of popularity, as the report's headline has them."""
    quality, choice = facts.get("offline_quality"), facts.get("choice")
    if quality and quality["n_users"]:
        return quality["lists"]["ndcg_at_10"], quality["popularity"]["ndcg_at_10"]
    if choice and choice.get("ndcg"):
        part = "by time" if "by time" in choice["ndcg"] else next(iter(choice["ndcg"]))
        return choice["ndcg"][part], choice["popular_ndcg"][part]
    return None, None


def _trend(rows: Sequence[Facts], name: str, title: str, form: Any) -> Trend | None:
    values = [row[name] for row in rows]
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    second = [row["popular_ndcg"] for row in rows] if name == "ndcg" else []
    both = known + [value for value in second if value is not None]
    low, high = min(both), max(both)
    return Trend(
        title,
        form(known[-1]),
        form(min(known)),
        form(max(known)),
        line_of(values, low, high),
        line_of(second, low, high),
    )


def line_of(values: Sequence[float | None], low: float, high: float) -> str:
    """Return the points of a line, from left to right, `low` at the bottom.

    >>> line_of([1.0, None, 3.0], 1.0, 3.0)
    '4.0,52.0 236.0,4.0'
    """
    span, last = (high - low) or 1.0, max(len(values) - 1, 1)
    inner_x, inner_y = WIDTH - 8, HEIGHT - 8
    return " ".join(
        f"{4 + inner_x * at / last:.1f},{HEIGHT - 4 - inner_y * (value - low) / span:.1f}"
        for at, value in enumerate(values)
        if value is not None
    )
