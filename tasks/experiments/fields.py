"""The fields of `experiments.toml`: how each is read, what it may be, and an example of it."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from typing import Any, get_args

from tasks.experiments.definition import METRICS, Allocation, Metric, Status
from tasks.models.registry import MODELS

#: An id or the name of a variant: it is hashed, and stands in every event.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: Similarity from which an unknown metric is taken for a misspelt one, not for an event type.
_MISSPELT = 0.8


@dataclass(frozen=True)
class Field:
    """A field: its reader (`ValueError` for what it refuses), what is allowed, what to write."""

    read: Callable[[Any], Any]
    allowed: str
    write: str
    needed: bool = False


@dataclass(frozen=True)
class Fault:
    """A value that is refused: where it stands, what was found, what is allowed, what to do."""

    where: str
    found: str
    allowed: str
    todo: str

    def __str__(self) -> str:
        return f"{self.where}: {self.found}; allowed: {self.allowed}; {self.todo}"


def read_table(
    table: Mapping[str, Any], fields: Mapping[str, Field], where: str, faults: list[Fault]
) -> dict[str, Any]:
    """Return the values of a table by field; what is refused is added to `faults`."""
    for name in sorted(table.keys() - fields.keys()):
        faults.append(
            Fault(f"{where}.{name}", "no such field", _listed(fields), nearest(name, fields))
        )
    values = {}
    for name, field in fields.items():
        at = f"{where}.{name}"
        if name not in table:
            if field.needed:
                faults.append(Fault(at, "missing", field.allowed, f"write {field.write}"))
            continue
        try:
            values[name] = field.read(table[name])
        except ValueError as refused:
            todo = str(refused) or f"write {field.write}"
            faults.append(Fault(at, f"found {_shown(table[name])}", field.allowed, todo))
    return values


def nearest(name: str, known: Iterable[str]) -> str:
    """Return advice on an unknown name: the nearest known one, if any is near."""
    near = get_close_matches(name, list(known), n=1)
    return f"write {near[0]} instead" if near else "take it out"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _shown(value: object) -> str:
    return f"{value!r:.60}" if not isinstance(value, date) else value.isoformat()


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def _name(value: Any) -> str:
    if not NAME.fullmatch(_text(value)):
        raise ValueError
    return str(value)


def _number(least: float, most: float, *, above: bool = False) -> Callable[[Any], float]:
    """Return a reader of numbers from `least` (not itself where `above`) to `most`."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        if not math.isfinite(value) or not least <= value <= most or (above and value == least):
            raise ValueError
        return float(value)

    return read


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _one_of(known: Iterable[str]) -> Callable[[Any], str]:
    """Return a reader of known names, which names the nearest one for a misspelt one."""
    names = list(known)

    def read(value: Any) -> str:
        if value not in names:
            near = get_close_matches(_text(value), names, n=1)
            raise ValueError(f"write {near[0]!r} instead" if near else "")
        return str(value)

    return read


def _instant(value: Any) -> datetime:
    """Read a TOML date (its midnight in UTC) or a time with an offset."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("give the offset, as in 2026-03-01T12:00:00Z")
        return value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise ValueError


def _metric(value: Any) -> Metric:
    name = _text(value)
    if name not in METRICS and (near := get_close_matches(name, METRICS, 1, _MISSPELT)):
        raise ValueError(f"write {near[0]!r} instead")
    return Metric.named(name)


def _list(read: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def read_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError
        return tuple(map(read, value))

    return read_all


def _tables(value: Any) -> tuple[dict[str, Any], ...]:
    """Read tables of variants, two or more; their fields are read on their own."""
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(v, dict) for v in value):
        raise ValueError
    return tuple(value)


_METRICS = f"{', '.join(METRICS)}, or a type of event such as add_to_cart"
_NAMES = "a letter or digit, then up to 63 of letters, digits, '.', '_' and '-'"
VARIANT: Mapping[str, Field] = {
    "name": Field(_name, _NAMES, "name = 'control'", needed=True),
    "model": Field(_one_of(MODELS), _listed(MODELS), "model = 'blend'", needed=True),
    "weight": Field(_number(0, 1e6, above=True), "a number above 0", "weight = 1"),
}
EXPERIMENT: Mapping[str, Field] = {
    "hypothesis": Field(_text, "a sentence", "what you expect, and why", needed=True),
    "variants": Field(
        _tables,
        "two or more tables, the control first",
        "variants = [{ name = 'control', model = 'blend' }, { name = 'als', model = 'als' }]",
        needed=True,
    ),
    "start": Field(
        _instant, "a date, or a time with its offset", "start = 2026-03-01", needed=True
    ),
    "end": Field(_instant, "a date, or a time with its offset", "end = 2026-03-29"),
    "status": Field(
        _one_of(get_args(Status)), _listed(get_args(Status)), "status = 'running'", needed=True
    ),
    "allocation": Field(
        _one_of(get_args(Allocation)), _listed(get_args(Allocation)), "allocation = 'fixed'"
    ),
    "traffic": Field(
        _number(0, 1), "a share of the users, 0 to 1", "traffic = 0.5 for half of them"
    ),
    "primary": Field(_metric, _METRICS, "primary = 'conversion'", needed=True),
    "secondary": Field(_list(_metric), f"a list of {_METRICS}", "secondary = ['ctr']"),
    "guardrails": Field(_list(_metric), f"a list of {_METRICS}", "guardrails = ['revenue']"),
    "minimum_detectable_effect": Field(
        _number(0, 10, above=True),
        "a relative effect above 0, up to 10",
        "minimum_detectable_effect = 0.1 for 10 %",
    ),
    "attribution_window_h": Field(
        _number(0, 24 * 90, above=True), "hours, above 0 up to 2160", "attribution_window_h = 24"
    ),
    "auto_stop": Field(_flag, "true or false", "auto_stop = true"),
    "namespaces": Field(_list(_text), "a list of namespaces", "namespaces = ['shop']"),
}
