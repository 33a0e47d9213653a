"""The dashboard's figures, against plain Python over the same events."""

import math
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightshelf.service.dashboard import query
from nightshelf.service.dashboard.query import Asked, Row, Unreadable, figures
from tests.lookup.service.event_log import FIRST, NOON, LoggedEvent, write

LIMIT_S = 60.0


def expected(events: Iterable[LoggedEvent], asked: Asked) -> dict[Any, dict[str, Any]]:
    """Return the figures by part, the total's under ``total``, worked out one by one."""
    first: dict[str, LoggedEvent] = {}
    for event in events:
        if asked.start <= event.ts.date() <= asked.end:
            kept = first.setdefault(event.event_id, event)
            if arrival(event) < arrival(kept):
                first[event.event_id] = event
    parts: dict[Any, list[LoggedEvent]] = {"total": []}
    for event in first.values():
        known = event.event_type in ("impression", "click", "purchase")
        if known and asked.model in (None, event.model):
            part = event.ts.hour if asked.hourly else (event.model, event.variant)
            parts.setdefault(part, []).append(event)
            parts["total"].append(event)
    return {part: reckoned(of_part) for part, of_part in parts.items()}


def arrival(event: LoggedEvent) -> datetime:
    return event.arrived_at or datetime.max.replace(tzinfo=UTC)


def reckoned(events: list[LoggedEvent]) -> dict[str, Any]:
    n = dict.fromkeys(("impression", "click", "purchase"), 0)
    for event in events:
        n[event.event_type] += 1
    paid = [event.value for event in events if event.event_type == "purchase" and event.value]
    waited = sorted(
        event.latency_ms
        for event in events
        if event.event_type == "impression" and event.latency_ms is not None
    )
    return {
        "impressions": n["impression"],
        "clicks": n["click"],
        "conversions": n["purchase"],
        "unique_users": len({event.user_id for event in events}),
        "ctr": n["click"] / n["impression"] if n["impression"] else None,
        "conversion_rate": n["purchase"] / n["click"] if n["click"] else None,
        "revenue": float(sum((Decimal(str(value)) for value in paid), Decimal(0))),
        "p95_latency_ms": waited[math.ceil(0.95 * len(waited)) - 1] if waited else None,
        "p99_latency_ms": waited[math.ceil(0.99 * len(waited)) - 1] if waited else None,
    }


def by_part(rows: list[Row]) -> dict[Any, dict[str, Any]]:
    """Return rows by part, as `expected` does."""
    found = {}
    for row in rows:
        total, model, variant, hour = (
            row.pop(name) for name in ("is_total", "model", "variant", "hour")
        )
        part = "total" if total else (model, variant) if hour is None else hour
        assert part not in found
        found[part] = row
    return found


#: Around the midnights of UTC and of time zones far from it.
moments = st.builds(
    lambda hours, us: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hours, microseconds=us),
    st.sampled_from([0, 5, 11, 13, 24, 37, 48]),
    st.integers(-1, 1),
)
names = st.sampled_from([None, "als", "popular", ""])
logged = st.builds(
    LoggedEvent,
    event_id=st.integers(0, 60).map(str),
    user_id=st.sampled_from(["ann", "bob", "zoë"]),
    event_type=st.sampled_from(["impression", "click", "purchase", "view"]),
    ts=moments,
    value=st.none() | st.integers(-10_000, 1_000_000).map(lambda cents: cents / 100),
    model=names,
    variant=names,
    latency_ms=st.none() | st.integers(0, 60).map(float),
)


@settings(max_examples=15)
@given(
    files=st.lists(st.lists(logged, min_size=20, max_size=40), max_size=3),
    asked=st.builds(
        Asked,
        st.sampled_from([FIRST, FIRST + timedelta(1)]),
        st.just(FIRST + timedelta(1)),
        names,
        st.booleans(),
    ),
)
def test_figures_are_those_of_plain_python(files: list[list[LoggedEvent]], asked: Asked) -> None:
    # Each row arrives at a moment of its own, the last written first; two copies never tie.
    every = [event for rows in files for event in rows]
    moment = {id(event): NOON - timedelta(seconds=at) for at, event in enumerate(every)}
    with TemporaryDirectory() as root:
        for number, rows in enumerate(files):
            stamped = [replace(event, arrived_at=moment[id(event)]) for event in rows]
            write(Path(root), stamped, f"part-{number}.parquet")
        found = by_part(figures(Path(root), asked, LIMIT_S))
    stamped = [replace(event, arrived_at=moment[id(event)]) for event in every]
    assert (found or {"total": reckoned([])}) == expected(stamped, asked)


def test_of_two_copies_the_earliest_arrival_counts(tmp_path: Path) -> None:
    copy = LoggedEvent("e1", event_type="purchase", value=30.0, model="als")
    late = replace(copy, ts=NOON - timedelta(hours=1), value=10.0, model="late")
    late = replace(late, arrived_at=NOON + timedelta(days=1))
    never = replace(copy, value=20.0, model="never", arrived_at=None)
    write(tmp_path, [late, never], "a.parquet")
    write(tmp_path, [copy], "b.parquet")
    write(tmp_path, [late], "c.parquet")
    total, part = figures(tmp_path, Asked(FIRST, FIRST), LIMIT_S)
    assert (total["conversions"], total["revenue"], part["model"]) == (1, 30.0, "als")


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_hours_are_those_of_utc_wherever_the_machine_stands(
    zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = datetime(2026, 3, 1, tzinfo=UTC)
    edges = [first, first + timedelta(days=1, microseconds=-1)]
    write(tmp_path, [LoggedEvent(str(ts), ts=ts) for ts in edges])
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        rows = figures(tmp_path, Asked(FIRST, FIRST, hourly=True), LIMIT_S)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert [(row["hour"], row["impressions"]) for row in rows[1:]] == [(0, 1), (23, 1)]


def test_values_that_are_no_amounts_are_left_out(tmp_path: Path) -> None:
    values = [0.1, 0.2, math.nan, math.inf, 1e300, None]
    write(
        tmp_path,
        [LoggedEvent(str(n), event_type="purchase", value=v) for n, v in enumerate(values)],
    )
    waits = [math.nan, math.inf, *map(float, range(200, 0, -1))]
    write(tmp_path, [LoggedEvent(f"w{n}", latency_ms=v) for n, v in enumerate(waits)], "b.parquet")
    total, _ = figures(tmp_path, Asked(FIRST, FIRST), LIMIT_S)
    assert total["revenue"] == 0.3
    assert (total["p95_latency_ms"], total["p99_latency_ms"]) == (190.0, 198.0)


def test_only_whole_files_of_the_days_asked_for_are_opened(tmp_path: Path) -> None:
    folder = tmp_path / "log [1]*?"
    write(folder, [LoggedEvent("e1")])
    write(folder, [LoggedEvent("e2")], "[x]*?.parquet")
    for broken in ("date=2026-03-02/a.parquet", "date=2026-03-01/.a.parquet", "a.parquet"):
        path = folder / broken
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half a file")
    assert figures(folder, Asked(FIRST, FIRST), LIMIT_S)[0]["impressions"] == 2
    with pytest.raises(Unreadable, match=r"^date=2026-03-02/a\.parquet$"):
        figures(folder, Asked(FIRST, FIRST + timedelta(1)), LIMIT_S)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, [LoggedEvent(str(n)) for n in range(100)])
    write(tmp_path, [LoggedEvent("e1")], "part-1.parquet")
    path = tmp_path / "date=2026-03-01/part-0.parquet"
    whole = path.read_bytes()
    for kept in (0, 4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(Unreadable, match=r"^date=2026-03-01/part-0\.parquet$"):
            figures(tmp_path, Asked(FIRST, FIRST), LIMIT_S)


def test_damaged_pages_and_foreign_columns_are_no_crash(tmp_path: Path) -> None:
    write(tmp_path, [LoggedEvent(str(n)) for n in range(100)])
    path = tmp_path / "date=2026-03-01/part-0.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:8] + b"\xff" * 60 + whole[68:])
    with pytest.raises(Unreadable):
        figures(tmp_path, Asked(FIRST, FIRST), LIMIT_S)
    pq.write_table(pa.table({"event_id": ["e1"]}), path)
    with pytest.raises(Unreadable):
        figures(tmp_path, Asked(FIRST, FIRST), LIMIT_S)


def test_a_model_is_a_value_and_no_sql(tmp_path: Path) -> None:
    name = "als' OR 'a' = 'a'; DROP TABLE once; --\0"
    write(tmp_path, [LoggedEvent("e1"), LoggedEvent("e2", model=name)])
    rows = figures(tmp_path, Asked(FIRST, FIRST, model=name), LIMIT_S)
    assert [(row["model"], row["impressions"]) for row in rows] == [(None, 1), (name, 1)]


def test_a_log_of_many_models_is_cut_to_those_seen_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "_MAX_ROWS", 3)
    seen = [("rare", 1), ("b", 2), ("a", 2), ("often", 3)]
    write(
        tmp_path,
        [LoggedEvent(f"{name}{n}", model=name) for name, times in seen for n in range(times)],
    )
    total, *parts = figures(tmp_path, Asked(FIRST, FIRST), LIMIT_S)
    assert total["impressions"] == 8
    assert [part["model"] for part in parts] == ["often", "a"]


def test_conversions_are_of_the_types_that_are_asked_for(tmp_path: Path) -> None:
    kinds = ("purchase", "order", "order", "gift", "page")
    write(
        tmp_path, [LoggedEvent(str(n), event_type=kind, value=2.0) for n, kind in enumerate(kinds)]
    )
    asked = Asked(FIRST, FIRST, purchases=("order", "gift"))
    total, _ = figures(tmp_path, asked, LIMIT_S)
    assert (total["conversions"], total["revenue"]) == (3, 6.0)
