"""Differences of a night from the last good one: input, choice, lists, figures."""

from collections.abc import Iterator, Mapping
from typing import Any

from nightshelf.contract.chosen_blend import ChosenBlend
from nightshelf.text import minute_text
from tasks.watch.night_figures import Night
from tasks.watch.rules import RULES

#: Relative difference from which a count or a figure is worth a line.
_WORTH = 0.05
_INPUT = {"events": "events", "items": "items", "users": "users", "interactions": "interactions"}


def changes(night: Night | None, before: Night | None) -> tuple[str, ...]:
    """Return a line for each difference of a night from the last good one before it."""
    if night is None:
        return ()
    this = _name(night)
    if before is None:
        return (f"{this}; there is no good night before it to compare with",)
    lines = [f"{this}; the last good night before it is {_name(before)}"]
    lines += _inputs(night, before)
    lines += _choice(night.manifest.choice, before.manifest.choice)
    if night.manifest.config_hash != before.manifest.config_hash:
        lines.append("settings: changed (compare settings.json in the folders of the two runs)")
    lines += _figures(night, before)
    same = night.manifest.digest == before.manifest.digest
    lines.append("lists: the same bytes" if same else _counts(night, before))
    return tuple(lines)


def _name(night: Night) -> str:
    return f"generation {night.manifest.generation} (as of {minute_text(night.manifest.as_of)} UTC)"


def _inputs(night: Night, before: Night) -> Iterator[str]:
    changed = [n for n, h in night.manifest.inputs.items() if before.manifest.inputs.get(n) != h]
    yield f"input files: {', '.join(sorted(changed))} changed" if changed else "input files: equal"
    now, then = night.report.get("input") or {}, before.report.get("input") or {}
    for name, title in _INPUT.items():
        yield from _moved(title, then.get(name), now.get(name))
    kinds = [of.get("event_types") or {} for of in (then, now)]
    for kind in sorted(kinds[0].keys() | kinds[1].keys()):
        yield from _moved(f"events of type {kind}", kinds[0].get(kind, 0), kinds[1].get(kind, 0))


def _moved(title: str, before: Any, now: Any) -> Iterator[str]:
    """Yield a line on a count that has moved by more than `_WORTH`."""
    if isinstance(before, int) and isinstance(now, int) and abs(now - before) > _WORTH * before:
        share = f" ({(now - before) / before:+.0%})" if before else ""
        yield f"{title}: {before:,} -> {now:,}{share}"


def _choice(now: ChosenBlend | None, before: ChosenBlend | None) -> Iterator[str]:
    if now != before:
        yield f"blend: {_weights(before)} -> {_weights(now)}"


def _weights(choice: ChosenBlend | None) -> str:
    if choice is None:
        return "none"
    return " ".join(f"{name} {weight:g}" for name, weight in _table(choice.weights).items())


def _table(weights: Any) -> Mapping[str, float]:
    return weights if isinstance(weights, Mapping) else vars(weights)


def _figures(night: Night, before: Night) -> Iterator[str]:
    then = before.values
    for name, value in night.values.items():
        if name in then and abs(value - then[name]) > _WORTH * abs(then[name]):
            text = RULES[name].text
            yield f"{RULES[name].title.lower()}: {text(then[name])} -> {text(value)}"


def _counts(night: Night, before: Night) -> str:
    counts = [of.manifest.counts.get("list", 0) for of in (before, night)]
    return f"lists: {counts[0]:,} -> {counts[1]:,}, other bytes (nightshelf diff shows which)"
