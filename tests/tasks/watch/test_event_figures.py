"""Figures of the event log's last hours, against counting by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.watch.event_figures import event_figures

NOW = datetime(2026, 3, 1, 2, tzinfo=UTC)
events = st.lists(
    st.tuples(
        st.sampled_from(["impression", "click", "order", "view"]),
        st.integers(-30, 600),
        st.none() | st.integers(0, 20),
    ),
    max_size=40,
)


@settings(max_examples=25)
@given(events)
def test_they_are_of_each_event_once(
    tmp_path_factory: object, made: list[tuple[str, int, int | None]]
) -> None:
    folder = Path(str(tmp_path_factory.mktemp("log")))  # type: ignore[attr-defined]
    firsts = {number: (kind, ago) for kind, ago, number in reversed(made) if number is not None}
    rows = [
        {
            "event_type": firsts[number][0] if number is not None else kind,
            "ts": NOW - timedelta(minutes=firsts[number][1] if number is not None else ago),
            "event_id": None if number is None else f"e{number}",
        }
        for kind, ago, number in made
    ]
    for row in rows:
        day = folder / f"date={row['ts']:%Y-%m-%d}"
        day.mkdir(exist_ok=True)
        schema = pa.schema([("event_type", pa.string()), ("ts", pa.timestamp("us", "UTC"))])
        if row["event_id"] is not None:
            schema = schema.append(pa.field("event_id", pa.string()))
        table = pa.Table.from_pylist([row], schema)
        pq.write_table(table, day / f"tracked-{len(list(day.iterdir()))}.parquet")
    inside = [row for row in rows if NOW - timedelta(hours=6) < row["ts"] <= NOW]  # type: ignore[operator]
    once = {row["event_id"] or number: row["event_type"] for number, row in enumerate(inside)}
    n = {kind: list(once.values()).count(kind) for kind in ("impression", "click", "order")}
    found = event_figures(folder, 6, ["order"], NOW)
    ctr, bought = found["ctr"], found["conversion"]
    assert ctr.value == (n["click"] / n["impression"] if n["impression"] else None)
    assert bought.value == (n["order"] / n["click"] if n["click"] else None)
    if inside:
        assert (ctr.sample, bought.sample) == (n["impression"], n["click"])


def test_no_log_and_a_broken_file_are_unknown(tmp_path: Path) -> None:
    assert "no event log is named" in event_figures(None, 6, [], NOW)["ctr"].says
    assert "has no events of the last 6 h" in event_figures(tmp_path, 6, [], NOW)["ctr"].says
    day = tmp_path / "date=2026-03-01"
    day.mkdir()
    (day / ".tracked-1.parquet.partial").write_text("half")
    assert "has no events" in event_figures(tmp_path, 6, [], NOW)["ctr"].says
    (day / "tracked-1.parquet").write_text("broken")
    assert "cannot be read" in event_figures(tmp_path, 6, [], NOW)["ctr"].says
