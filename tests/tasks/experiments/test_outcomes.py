"""Outcomes of exposures, against a count written another way."""

import random
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.collector.event_schema import EVENTS
from tasks.experiments.bandit import Outcomes
from tasks.experiments.definition import Definition, WeightedVariant
from tasks.experiments.outcomes import read_outcomes, with_exposures
from tests.tasks.small_models import AS_OF

VARIANTS = (WeightedVariant("control", "blend"), WeightedVariant("a", "als"))
TRIAL = Definition(
    "trial", "h", VARIANTS, AS_OF, status="running", allocation="bandit", attribution_window_h=12
)
#: A shop whose purchases have another name beside their own.
ROLES = {"purchase": ("purchase", "order")}


def shown(user: str, at: datetime, variant: str, phase: int, experiment: str = "trial") -> Any:
    return {
        "user_id": user,
        "event_type": "impression",
        "ts": at,
        "experiment": experiment,
        "variant": variant,
        "phase": phase,
    }


def bought(user: str, at: datetime, kind: str = "purchase") -> Any:
    return {"user_id": user, "event_type": kind, "ts": at.replace(tzinfo=None)}


def counted(root: Path, exposures: list[Any], events: list[Any]) -> Outcomes:
    """Count the outcomes of a log in two files, one of which is of before experiments."""
    half = len(exposures) // 2
    files = []
    for at, rows in enumerate((exposures[:half], exposures[half:])):
        files.append(root / f"tracked-{at}.parquet")
        pq.write_table(pa.Table.from_pylist(rows, EVENTS), files[-1])
    old = root / "old.parquet"
    pq.write_table(pa.table({"user_id": ["u1"], "event_type": ["impression"]}), old)
    assert with_exposures([old, *files]) == files
    log = root / "events.parquet"
    schema = pa.schema([("user_id", pa.string()), ("event_type", pa.string())])
    pq.write_table(
        pa.Table.from_pylist(events, schema.append(pa.field("ts", pa.timestamp("us")))), log
    )
    return read_outcomes([TRIAL], files, log, AS_OF, ROLES, root / "scratch")["trial"]


def defined(exposures: list[Any], events: list[Any]) -> dict[tuple[int, str], tuple[int, int]]:
    """Count by definition: users by phase and variant, and those who bought in their window."""
    first: dict[str, Any] = {}
    for row in sorted(exposures, key=lambda row: (row["ts"], row["phase"], row["variant"])):
        if row["experiment"] == "trial" and row["ts"] < AS_OF:
            first.setdefault(row["user_id"], row)
    window = timedelta(hours=12)
    found: defaultdict[tuple[int, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for user, row in first.items():
        if row["ts"] + window > AS_OF:
            continue
        start = row["ts"].replace(tzinfo=None)
        converted = any(
            each["user_id"] == user
            and each["event_type"] in ROLES["purchase"]
            and start <= each["ts"] <= start + window
            for each in events
        )
        n, m = found[row["phase"], row["variant"]]
        found[row["phase"], row["variant"]] = (n + 1, m + converted)
    return dict(found)


def test_outcomes_are_those_by_definition(tmp_path: Path) -> None:
    draw = random.Random(5)

    def moment() -> datetime:
        return AS_OF - timedelta(minutes=30 * draw.randrange(-4, 200))

    users = [f"u{at}" for at in range(60)]
    exposures = [
        shown(
            draw.choice(users),
            moment(),
            draw.choice(["control", "a", "gone"]),
            draw.choice([1, 2]),
            draw.choice(["trial", "trial", "other"]),
        )
        for _ in range(150)
    ]
    kinds = ["purchase", "order", "click", "click"]
    events = [bought(draw.choice(users), moment(), draw.choice(kinds)) for _ in range(900)]
    found, expected = counted(tmp_path, exposures, events), defined(exposures, events)
    assert len(expected) == 6
    for phase in (1, 2):
        for at, variant in enumerate(VARIANTS):
            n, m = expected[phase, variant.name]
            assert found.users[phase - 1, at] == n
            assert found.converted[phase - 1, at] == m
    assert 0 < found.converted.sum() < found.users.sum()


def test_a_log_without_exposures_has_no_outcomes(tmp_path: Path) -> None:
    log = tmp_path / "events.parquet"
    pq.write_table(pa.Table.from_pylist([bought("u1", AS_OF)]), log)
    found = read_outcomes([TRIAL], [], log, AS_OF, ROLES, tmp_path)["trial"]
    assert found.users.shape == found.converted.shape == (0, 2)
