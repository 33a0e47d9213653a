"""The dashboard's figures, against plain Python over the same events."""

import asyncio
import math
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightshelf.service import dashboard_log, dashboard_query
from nightshelf.service.dashboard_log import Busy, EventLog, Limits
from nightshelf.service.dashboard_query import Asked, Row, TooMuch, Unreadable, figures

LIMIT_S = 60.0
FIRST = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
#: Takes hours, and needs what the true one does.
ENDLESS = """
SELECT count(*) FROM range(1000000000) AS a, range(1000000) AS b
WHERE a.range % 7 = b.range AND $hourly AND $model IS NULL AND len($files) < $max_rows
"""
SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("user_id", pa.string()),
        ("event_type", pa.string()),
        ("ts", pa.timestamp("us", "UTC")),
        ("item_id", pa.string()),
        ("value", pa.float64()),
        ("generation", pa.int64()),
        ("model", pa.string()),
        ("variant", pa.string()),
        ("position", pa.int32()),
        ("latency_ms", pa.float64()),
        ("arrived_at", pa.timestamp("us", "UTC")),
    ]
)


@dataclass(frozen=True)
class Told:
    """A row of the log."""

    event_id: str
    user_id: str = "ann"
    event_type: str = "impression"
    ts: datetime = NOON
    item_id: str | None = "A1"
    value: float | None = None
    generation: int | None = 7
    model: str | None = "als"
    variant: str | None = None
    position: int | None = 1
    latency_ms: float | None = None
    arrived_at: datetime | None = NOON


def write(folder: Path, events: Iterable[Told], name: str = "part-0.parquet") -> None:
    """Write events to one file a partition."""
    by_day: dict[date, list[Told]] = {}
    for event in events:
        by_day.setdefault(event.ts.date(), []).append(event)
    for day, of_day in by_day.items():
        path = folder / f"date={day}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist([asdict(each) for each in of_day], SCHEMA), path)


def expected(events: Iterable[Told], asked: Asked) -> dict[Any, dict[str, Any]]:
    """Return the figures by part, the total's under ``total``, worked out one by one."""
    first: dict[str, Told] = {}
    for event in events:
        if asked.start <= event.ts.date() <= asked.end:
            kept = first.setdefault(event.event_id, event)
            if arrival(event) < arrival(kept):
                first[event.event_id] = event
    parts: dict[Any, list[Told]] = {"total": []}
    for event in first.values():
        known = event.event_type in ("impression", "click", "purchase")
        if known and asked.model in (None, event.model):
            part = event.ts.hour if asked.hourly else (event.model, event.variant)
            parts.setdefault(part, []).append(event)
            parts["total"].append(event)
    return {part: reckoned(of_part) for part, of_part in parts.items()}


def arrival(event: Told) -> datetime:
    return event.arrived_at or datetime.max.replace(tzinfo=UTC)


def reckoned(events: list[Told]) -> dict[str, Any]:
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
told = st.builds(
    Told,
    event_id=st.text("abcdef", min_size=1, max_size=2),
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
    files=st.lists(st.lists(told, max_size=30), max_size=3),
    asked=st.builds(
        Asked,
        st.sampled_from([FIRST, FIRST + timedelta(1)]),
        st.just(FIRST + timedelta(1)),
        names,
        st.booleans(),
    ),
)
def test_figures_are_those_of_plain_python(files: list[list[Told]], asked: Asked) -> None:
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
    copy = Told("e1", event_type="purchase", value=10.0, model="als")
    late = replace(copy, value=30.0, model="late", arrived_at=NOON + timedelta(days=1))
    never = replace(copy, value=20.0, model="never", arrived_at=None)
    write(tmp_path, [late, never], "a.parquet")
    write(tmp_path, [copy], "b.parquet")
    write(tmp_path, [late], "c.parquet")
    total, part = figures(tmp_path, Asked(FIRST, FIRST), LIMIT_S)
    assert (total["conversions"], total["revenue"], part["model"]) == (1, 10.0, "als")


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_hours_are_those_of_utc_wherever_the_machine_stands(
    zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = datetime(2026, 3, 1, tzinfo=UTC)
    edges = [first, first + timedelta(days=1, microseconds=-1)]
    write(tmp_path, [Told(str(ts), ts=ts) for ts in edges])
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
    write(tmp_path, [Told(str(n), event_type="purchase", value=v) for n, v in enumerate(values)])
    waits = [5.0, math.nan, math.inf]
    write(tmp_path, [Told(f"w{n}", latency_ms=v) for n, v in enumerate(waits)], "b.parquet")
    total, _ = figures(tmp_path, Asked(FIRST, FIRST), LIMIT_S)
    assert total["revenue"] == 0.3
    assert total["p99_latency_ms"] == 5.0


def test_only_whole_files_of_the_days_asked_for_are_opened(tmp_path: Path) -> None:
    folder = tmp_path / "log [1]*?"
    write(folder, [Told("e1")])
    write(folder, [Told("e2")], "[x]*?.parquet")
    for broken in ("date=2026-03-02/a.parquet", "date=2026-03-01/.a.parquet", "a.parquet"):
        path = folder / broken
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half a file")
    assert figures(folder, Asked(FIRST, FIRST), LIMIT_S)[0]["impressions"] == 2
    with pytest.raises(Unreadable, match=r"^date=2026-03-02/a\.parquet$"):
        figures(folder, Asked(FIRST, FIRST + timedelta(1)), LIMIT_S)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, [Told(str(n)) for n in range(100)])
    write(tmp_path, [Told("e1")], "part-1.parquet")
    path = tmp_path / "date=2026-03-01/part-0.parquet"
    whole = path.read_bytes()
    for kept in (0, 4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(Unreadable, match=r"^date=2026-03-01/part-0\.parquet$"):
            figures(tmp_path, Asked(FIRST, FIRST), LIMIT_S)


def test_damaged_pages_and_foreign_columns_are_no_crash(tmp_path: Path) -> None:
    write(tmp_path, [Told(str(n)) for n in range(100)])
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
    write(tmp_path, [Told("e1"), Told("e2", model=name)])
    rows = figures(tmp_path, Asked(FIRST, FIRST, model=name), LIMIT_S)
    assert [(row["model"], row["impressions"]) for row in rows] == [(None, 1), (name, 1)]


def test_a_log_of_many_models_is_cut_to_those_seen_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard_query, "_MAX_ROWS", 3)
    seen = [("rare", 1), ("b", 2), ("a", 2), ("often", 3)]
    write(tmp_path, [Told(f"{name}{n}", model=name) for name, times in seen for n in range(times)])
    total, *parts = figures(tmp_path, Asked(FIRST, FIRST), LIMIT_S)
    assert total["impressions"] == 8
    assert [part["model"] for part in parts] == ["often", "a"]


@pytest.fixture
def endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of two events, whose questions by the hour (and for all models) never end."""
    statement = tmp_path / "endless.sql"
    statement.write_text(ENDLESS)
    write(tmp_path, [Told("e1"), Told("e2", event_type="click")])
    monkeypatch.setattr(dashboard_query, "_STATEMENT", statement)
    return tmp_path


SLOW = Asked(FIRST, FIRST, hourly=True)


def test_a_question_ends_when_its_time_is_up(endless: Path) -> None:
    started = time.monotonic()
    with pytest.raises(TooMuch):
        figures(endless, SLOW, 0.2)
    assert time.monotonic() - started < 5


def test_what_does_not_fit_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard_query, "_MEMORY", "1MB")
    write(tmp_path, [Told(str(n)) for n in range(20_000)])
    with pytest.raises(TooMuch):
        figures(tmp_path, Asked(FIRST, FIRST), LIMIT_S)


@pytest.fixture
def asked_of_the_log(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """What has reached the worker thread so far."""
    reached: list[Asked] = []

    def noted(folder: Path, asked: Asked, limit_s: float) -> list[Row]:
        reached.append(asked)
        return figures(folder, asked, limit_s)

    monkeypatch.setattr(dashboard_log, "figures", noted)
    return reached


def test_the_same_question_is_asked_once_a_minute(
    tmp_path: Path, asked_of_the_log: list[Asked]
) -> None:
    write(tmp_path, [Told("e1")])
    one, other = Asked(FIRST, FIRST), Asked(FIRST, FIRST, hourly=True)

    async def ask() -> list[list[Row]]:
        log = EventLog(tmp_path)
        together = await asyncio.gather(*(log.figures(one) for _ in range(5)), log.figures(other))
        write(tmp_path, [Told("e2")], "later.parquet")
        return [*together, await log.figures(one)]

    *same, by_hour, again = asyncio.run(ask())
    assert asked_of_the_log == [one, other]
    assert same == [again] * 5
    assert by_hour[1]["hour"] == 12


def test_answers_are_forgotten_and_failures_never_kept(
    tmp_path: Path, asked_of_the_log: list[Asked]
) -> None:
    asked = Asked(FIRST, FIRST)

    async def ask() -> list[Row]:
        log = EventLog(tmp_path, Limits(kept_s=1e-6))
        assert await log.figures(asked) == []
        assert await log.figures(asked) == []
        log = EventLog(tmp_path)
        write(tmp_path, [Told("e1")])
        path = tmp_path / "date=2026-03-01/part-0.parquet"
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        with pytest.raises(Unreadable):
            await log.figures(asked)
        path.write_bytes(whole)
        return await log.figures(asked)

    assert asyncio.run(ask())[0]["impressions"] == 1
    assert len(asked_of_the_log) == 4


def test_one_question_at_a_time_and_the_next_waits_briefly(
    endless: Path, asked_of_the_log: list[Asked]
) -> None:
    async def ask() -> None:
        log = EventLog(endless, Limits(query_s=0.5, turn_s=0.1))
        slow = asyncio.create_task(log.figures(SLOW))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await log.figures(replace(SLOW, model="als"))
        assert asked_of_the_log == [SLOW]
        with pytest.raises(TooMuch):
            await slow
        await log.figures(replace(SLOW, hourly=False))  # the turn is free again

    asyncio.run(ask())
    assert len(asked_of_the_log) == 2


def test_who_stops_waiting_stops_nothing(tmp_path: Path, asked_of_the_log: list[Asked]) -> None:
    write(tmp_path, [Told("e1")])
    asked = Asked(FIRST, FIRST)

    async def ask() -> list[Row]:
        log = EventLog(tmp_path)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(log.figures(asked), 1e-6)
        return await log.figures(asked)

    assert asyncio.run(ask())[0]["impressions"] == 1
    assert asked_of_the_log == [asked]
