"""Text and tables of tonight's blend: the choice, its evidence and its cost."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import orjson

from tasks.choose.candidates import Candidate, Spans
from tasks.choose.choice import Choice
from tasks.models.blend.settings import Weights
from tasks.report.quality import figure
from tasks.report.tables import Table
from tasks.report.text import count, duration, percent

#: Share of a night's seconds that the choice may take, unless it takes fewer than these seconds.
BUDGET, _SMALL_S = 1 / 3, 10.0
_PARTS = {"als": "ALS", "graph": "Items like theirs (graph)", "popular": "Recent popularity"}
_WEIGHT_HEADS = ("Users with", *_PARTS.values())
_BUCKET_HEADS = ("Items in history", "Users", "The choice", "Recent popularity", "Errors ahead")
_BEST = 5

Facts = Mapping[str, Any]


def choice_facts(choice: Choice | None, steps: Sequence[Facts]) -> dict[str, Any] | None:
    """Return the choice with its evidence, seconds, and share of the night's seconds so far."""
    if choice is None:
        return None
    facts = orjson.loads(choice.evidence.read_bytes())
    seconds = sum(line["seconds"] for line in steps if line["step"] == "choose_blend")
    total = sum(line["seconds"] for line in steps)
    return {name: value for name, value in facts.items() if name != "evidence"} | {
        "seconds": seconds,
        "share_of_night": seconds / total if total else 0.0,
        "share_of_night_at_most": BUDGET,
    }


def change_text(choice: Facts | None) -> str:
    """Describe a change since the night before; empty without one.

    >>> old, new = {"als": 1.0, "popular": 0.0}, {"als": 1.0, "popular": 0.25}
    >>> spans = {"learning": 60.0, "profile": 7.0}
    >>> before = {"half_lives_days": spans, "weights": old}
    >>> change_text({"changed": True, "spans": spans, "weights": new, "before": before})
    'the blend has changed, from als 1 (half-lives 60, 7 days) to als 1, popular 0.25 (the same)'
    """
    if not choice or not choice["changed"]:
        return ""
    before = choice["before"]
    old, new = _days(before["half_lives_days"]), _days(choice["spans"])
    return (
        f"the blend has changed, from {_weights(before['weights'])} (half-lives {old} days) to "
        f"{_weights(choice['weights'])} ({'the same' if old == new else f'{new} days'})"
    )


def choice_text(choice: Facts | None) -> list[str]:
    """Describe the choice, its grounds and its cost, a paragraph each.

    >>> choice_text(None)
    ['No blend was chosen: these lists were made by the settings.']
    """
    if choice is None:
        return ["No blend was chosen: these lists were made by the settings."]
    spans = choice["spans"]
    lives = (
        f"Half-lives: models learn from events by {spans['learning']:g} days, users' profiles by "
        f"{spans['profile']:g}, recent popularity by {spans['popular']:g}; the popular lists of "
        f"strangers by {choice['fallback_days']:g}."
    )
    if choice["held"]:
        return [choice["why"], lives, _cost(choice)]
    changed = change_text(choice)
    last = "The night before chose the same." if choice["before"] else "It is the first choice."
    if changed:
        last = f"{changed[0].upper()}{changed[1:]}."
    return [f"{choice['why']} {last}", lives, f"{_grounds(choice)} {_cost(choice)}"]


def choice_tables(choice: Facts | None) -> Iterator[Table]:
    """Yield the tables of the choice, those without rows left out."""
    if choice is None:
        return
    if choice["weights"]:
        yield Table("Weights", _WEIGHT_HEADS, list(_weight_rows(choice)))
    if not choice["candidates"]:
        return
    parts = list(choice["ndcg"])
    ndcg = [f"NDCG@10 {part}" for part in parts]
    heads = ("Blend", "Half-lives, days", *ndcg, "Standard errors behind")
    yield Table("Candidates: the best, and each part alone", heads, _ranked(choice))
    for part in parts:
        rows = [_bucket(row) for row in choice["buckets"] if row["protocol"] == part]
        yield Table(f"The choice by history, {part}", _BUCKET_HEADS, rows)


def _grounds(choice: Facts) -> str:
    judged = choice["n_judged"]
    users = " and ".join(f"{count(n)} users {part}" for part, n in judged.items())
    return (
        f"{choice['n_candidates']} candidates learnt from the log without its last "
        f"{choice['days']} days and were judged by {users}. By time, by all that users took to in "
        "those days; last event, by the newest item before them, held out too. The figures are of "
        "the days that made the choice, so they flatter it a little: evaluate.backtest_days judges "
        "the night's own lists."
    )


def _cost(choice: Facts) -> str:
    share, most = choice["share_of_night"], choice["share_of_night_at_most"]
    took = (
        f"The choice took {duration(choice['seconds'])}, {percent(share)} of the night's steps "
        f"(budget {percent(most)}, or {duration(_SMALL_S)})"
    )
    if share <= most or choice["seconds"] < _SMALL_S:
        return f"{took}."
    return f"{took}: over budget. Lower choose.n_users or choose.n_judged, or set choose.hold."


def _weight_rows(choice: Facts) -> Iterator[tuple[str, ...]]:
    yield "any history", *(f"{choice['weights'][part]:g}" for part in _PARTS)
    for name, own in choice["by_history"].items():
        yield f"{name} item{'s' * (name != '1')}", *(f"{weight:g}" for weight in own)


def _ranked(choice: Facts) -> list[tuple[str, ...]]:
    """Return rows of the best candidates, of the choice and of the best with each part alone."""
    rows = choice["candidates"]
    chosen = Candidate(Spans(**choice["spans"]), Weights(**choice["weights"])).canonical.facts
    marked = {id(row): "" for row in islice(rows, _BEST)}
    for row in rows:
        if all(row[name] == value for name, value in chosen.items()):
            marked[id(row)] = "the choice"
    for part in _PARTS:
        row = next((row for row in rows if _main_part(row["weights"]) == part), None)
        if row and not marked.get(id(row)):
            marked[id(row)] = f"best with {part} alone"
    return [_candidate(row, marked[id(row)]) for row in rows if id(row) in marked]


def _candidate(row: Facts, mark: str) -> tuple[str, ...]:
    name = _weights(row["weights"])
    behind = row["standard_errors_behind_the_choice"]
    return (
        f"{name}: {mark}" if mark else name,
        _days(row["half_lives_days"]),
        *map(figure, row["ndcg_at_10"].values()),
        "-" if behind is None else f"{behind:+.1f}",
    )


def _main_part(weights: Mapping[str, float]) -> str | None:
    """Return the only part that has weight, a trace of recent popularity (0.05) aside."""
    named = [name for name, weight in weights.items() if weight > (name == "popular") * 0.05]
    return named[0] if len(named) == 1 else None


def _bucket(row: Facts) -> tuple[str, ...]:
    own, popular, error = (row[f] for f in ("ndcg_at_10", "popular_ndcg_at_10", "ahead_error"))
    ahead = f"{(own - popular) / error:+.1f}" if error else "-"
    return row["history"], count(row["users"]), figure(own), figure(popular), ahead


def _weights(weights: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {each:g}" for name, each in weights.items() if each) or "nothing"


def _days(spans: Mapping[str, float]) -> str:
    """Return half-lives in the order of learning, profile, popular; "-" where without effect."""
    return ", ".join(f"{each:g}" if each else "-" for each in spans.values())
