"""Read and check `experiments.toml`, beside `nightshelf.toml`.

::

    [experiment.als-alone]
    hypothesis = "ALS alone brings more buyers than the blend"
    status = "running"                  # draft, running, stopped or ended
    start = 2026-03-01
    end = 2026-03-29
    traffic = 0.5                       # half of the users take part
    primary = "conversion"
    secondary = ["ctr"]
    guardrails = ["revenue"]
    variants = [
        { name = "control", model = "blend", weight = 1 },
        { name = "als", model = "als", weight = 1 },
    ]

The order of the file is that of precedence: a user takes part in the first experiment that is
running and whose traffic includes the user.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.errors import SettingsError
from tasks.experiments.definition import MOST_ARMS, Definition, WeightedVariant
from tasks.experiments.fields import EXPERIMENT, NAME, VARIANT, Fault, nearest, read_table

#: Name of the file; it stands beside the settings file, or in the current directory.
FILE = "experiments.toml"
_TABLE = "experiment"


def experiments_file(config: Path | None = None) -> Path:
    """Return the path of the experiments: beside `config`, else in the current directory."""
    return config.parent / FILE if config else Path(FILE)


def load_experiments(namespace: str, config: Path | None = None) -> tuple[Definition, ...]:
    """Return a namespace's experiments in the order of the file; none where there is no file.

    The experiments of other namespaces are checked too. Raises `SettingsError`, a line a fault.
    """
    path = experiments_file(config)
    if not path.exists():
        return ()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # a TOMLDecodeError says line and column
        raise SettingsError(f"{path}: cannot be read: {error}") from error
    faults: list[Fault] = []
    found = list(_definitions(content, faults))
    if faults:
        raise SettingsError("\n".join(f"{path}: {each}" for each in dict.fromkeys(faults)))
    return tuple(each for each in found if not each.namespaces or namespace in each.namespaces)


def _definitions(content: Mapping[str, Any], faults: list[Fault]) -> Iterator[Definition]:
    """Yield the definitions of a file that are without a fault."""
    for name in sorted(content.keys() - {_TABLE}):
        todo = nearest(name, [_TABLE])
        faults.append(Fault(name, "no such table", f"[{_TABLE}.<id>]", todo))
    tables = content.get(_TABLE, {})
    if not isinstance(tables, dict):
        faults.append(Fault(_TABLE, "no table", f"[{_TABLE}.<id>]", f"write [{_TABLE}.my-test]"))
        return
    for name, table in tables.items():
        where, n_before = f"{_TABLE}.{name}", len(faults)
        if not NAME.fullmatch(name):
            allowed = "an id of a letter or digit, then up to 63 of those and '.', '_', '-'"
            faults.append(Fault(where, f"found {name!r:.80}", allowed, "give it a shorter name"))
        if not isinstance(table, dict):
            faults.append(Fault(where, "no table", f"[{where}]", f"write [{where}]"))
            continue
        values = read_table(table, EXPERIMENT, where, faults)
        variants = [
            read_table(each, VARIANT, f"{where}.variants[{at}]", faults)
            for at, each in enumerate(values.pop("variants", ()))
        ]
        faults += _contradictions(where, values, variants)
        if len(faults) == n_before:
            made = tuple(WeightedVariant(**each) for each in variants)
            yield Definition(id=name, variants=made, **values)


def _contradictions(
    where: str, values: Mapping[str, Any], variants: list[dict[str, Any]]
) -> Iterator[Fault]:
    """Yield faults of fields that are allowed each, but not together."""
    start, end = values.get("start"), values.get("end")
    if start and end and end <= start:
        found = f"found {end.isoformat()}, and start is {start.isoformat()}"
        yield Fault(f"{where}.end", found, "a time after start", "move one of them")
    names = [each.get("name") for each in variants]
    for name in sorted({each for each in names if each and names.count(each) > 1}):
        yield Fault(f"{where}.variants", f"{name!r} twice", "each name once", "rename one")
    metrics = [values.get("primary"), *values.get("secondary", ()), *values.get("guardrails", ())]
    for name in sorted({each.name for each in metrics if each and metrics.count(each) > 1}):
        todo = "name it as primary, secondary or guardrail"
        yield Fault(f"{where}.metrics", f"{name!r} twice", "each metric once", todo)
    if values.get("allocation") == "bandit":
        yield from _contradictions_of_bandit(where, values, variants)


def _contradictions_of_bandit(
    where: str, values: Mapping[str, Any], variants: list[dict[str, Any]]
) -> Iterator[Fault]:
    if (primary := values.get("primary")) and primary.kind != "proportion":
        allowed = "conversion or a type of event: a bandit compares shares of users"
        yield Fault(f"{where}.primary", f"found {primary.name!r}", allowed, "name one of these")
    if any("weight" in each for each in variants):
        allowed = "no weight where allocation is 'bandit', which sets them each night"
        yield Fault(f"{where}.variants", "found a weight", allowed, "take the weights out")
    if len(variants) > MOST_ARMS:
        allowed = f"up to {MOST_ARMS} variants of a bandit, whose floors must leave room"
        yield Fault(f"{where}.variants", f"found {len(variants)}", allowed, "take some out")
