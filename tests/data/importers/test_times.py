"""Times are ISO 8601 or of a declared unit; all else is named, with what to write instead."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data.importers.csv_import import CsvMap, import_csv
from data.schema import Imported, InputError


def imported(folder: Path, times: list[str], ts: str = "ts", where: str = "") -> Imported:
    log = folder / "log.csv"
    log.write_text("u;i;ts\n" + "".join(f"u{n};i;{time}\n" for n, time in enumerate(times)))
    event = {"user_id": "u", "item_id": "i", "event_type": "'view'", "ts": ts}
    keep = {where: where} if where else {}
    return import_csv([log], folder / "out", CsvMap(event, {"category": "'c'"}, keep=keep))


@pytest.mark.parametrize(
    "time",
    [
        *("2024-01-02", "2024-01-02 00:00", "2024-01-02T00:00:00Z", "2024-01-02 00:00:00.000"),
        *("2024-01-02 05:30:00+05:30", "2024-01-01T19:00:00-0500", "2024-01-02 00:00:00 UTC"),
        *("2024-01-02 01:00:00 +01", " 2024-01-02 "),
    ],
)
def test_iso_8601(tmp_path: Path, time: str) -> None:
    events = pq.read_table(imported(tmp_path, [time]).events)
    assert events["ts"].to_pylist() == [datetime(2024, 1, 2, tzinfo=UTC)]


@pytest.mark.parametrize(
    "time",
    [
        *("2024-07-01 10:00:00 BST", "2024-07-01 10:00 Europe/London", "infinity", "epoch", "now"),
        *("44-03-15 (BC)", "2024-02-30", "2024-01-01 25:00", "1500000000", "10:00", "2024"),
        *("2024-01-01T10:00:00+99:99", "yesterday", "01/02/2024", "today"),
    ],
)
def test_other_texts_are_refused_with_a_sample(tmp_path: Path, time: str) -> None:
    done = imported(tmp_path, ["2024-01-01", time])
    assert done.rows[0].lines() == [
        "2 rows read = 1 kept + 1 refused",
        f"  1 refused: ts is no ISO 8601 time (log.csv line 3: {time!r})",
    ]


def test_the_future_and_the_years_before_1970_are_refused(tmp_path: Path) -> None:
    done = imported(tmp_path, ["2024-01-01", "2999-12-31", "0001-01-01"])
    assert done.rows[0].lines()[1:] == [
        "  1 refused: ts in the future (log.csv line 3: '2999-12-31')",
        "  1 refused: ts before 1970 (log.csv line 4: '0001-01-01')",
    ]
    assert done.as_of.isoformat() == "2024-01-02"


def test_the_times_of_items_have_a_remedy_of_their_own(tmp_path: Path) -> None:
    log, items = tmp_path / "log.csv", tmp_path / "items.csv"
    log.write_text("u,i,ts\nu1,i1,2024-01-01\n")
    items.write_text("i,since\ni1,2023-01-01\ni2,9999-12-31\n")
    event = {"user_id": "u", "item_id": "i", "event_type": "'view'", "ts": "ts"}
    item = {"item_id": "i", "category": "'c'", "created_at": "since"}
    with pytest.raises(InputError, match=r'to make such times null: --item "created_at=(.*)"') as e:
        import_csv([log], tmp_path / "out", CsvMap(event, item), items)
    item["created_at"] = str(e.value).split('"created_at=')[1].removesuffix('"')
    done = import_csv([log], tmp_path / "out", CsvMap(event, item), items)
    assert pq.read_table(done.items)["created_at"].null_count == 1


@pytest.mark.parametrize(
    ("time", "ts", "message"),
    [
        ("1500000000117", "to_timestamp(ts)", r"line 2: .*year 49503.*ts=epoch_ms\(ts\)"),
        ("1500000000117000", "to_timestamp(ts)", r"--event ts: .*ts=make_timestamp\(ts\)"),
        ("1500000000117000000", "to_timestamp(ts)", r"ts=make_timestamp_ns\(ts\)"),
        ("1500000000117", "ts", r"no row is left.*ts looks like milliseconds.*epoch_ms\(ts\)"),
        ("1500000000", "ts", r"ts looks like seconds: .*to_timestamp\(ts\)"),
        ("1500000000", "ts + 1", r"is no time but BIGINT: .*to_timestamp\(ts\)"),
        ("9999-12-31 23:59:59", "ts", r"line 3: '9999-12-31 23:59:59' lies in the year 9999"),
        ("x", "TIMESTAMP 'infinity'", r"line 2: 'infinity' lies in no year"),
        ("x", "TIMESTAMP '0044-03-15 (BC)'", r"line 2: .*BC"),
        ("12/31/2024 08:26", "ts", r"strptime\(ts, '%m/%d/%Y %H:%M'\)"),
        ("20240131", "ts", r"strptime\(ts, '%Y%m%d'\)"),
        ("x", "strptime(ts, '%Y')", r"--event ts: Could not parse"),
    ],
)
def test_an_import_with_such_times_ends_in_a_line_and_leaves_nothing(
    tmp_path: Path, time: str, ts: str, message: str
) -> None:
    first = time if "year 9999" not in message else "2024-01-01"
    (tmp_path / "out").mkdir()
    before = tmp_path / "out" / "events.parquet"
    before.write_bytes(b"of an earlier import")
    with pytest.raises(InputError, match=message) as caught:
        imported(tmp_path, [first, time], ts)
    assert "\n" not in str(caught.value)
    assert before.read_bytes() == b"of an earlier import"
    assert list((tmp_path / "out").iterdir()) == [before]


def test_the_remedies_work(tmp_path: Path) -> None:
    """Each is what an error of the test above proposes."""
    assert imported(tmp_path, ["1500000000117"], "epoch_ms(ts)").as_of.year == 2017
    assert imported(tmp_path, ["1500000000117000"], "make_timestamp(ts)").as_of.year == 2017
    assert imported(tmp_path, ["1500000000117000000"], "make_timestamp_ns(ts)").as_of.year == 2017
    where = "year(TRY_CAST(ts AS DATE)) < 9999"
    done = imported(tmp_path, ["2024-01-01", "9999-12-31 23:59:59"], where=where)
    assert done.rows[0].n_refused == 1


def test_seconds_read_as_milliseconds_are_named(tmp_path: Path) -> None:
    assert "of 1970-01-18" in imported(tmp_path, ["1500000000"], "epoch_ms(ts)").notes[0]
