"""`nightshelf init` on faulty files: a true sentence about each, and no row lost in silence."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.features.settings import FeatureSettings
from tasks.settings import load_settings
from tests.nightshelf_ops.init.test_forms import call, document, finding

HEAD = "user_id,item_id,event_type,ts"
DAY = "2024-01-{:02d} 10:00:00"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def csv(name: str, *rows: str, head: str | None = HEAD) -> Path:
    path = Path(name)
    path.write_text("\n".join([*([head] if head else []), *rows, ""]))
    return path


def good(n_rows: int = 28) -> list[str]:
    return [f"u{n % 5},i{n % 7},view,{DAY.format(n % 28 + 1)}" for n in range(n_rows)]


def events(*paths: str | Path) -> tuple[list[dict[str, str]], list[dict[str, object]]]:
    """Return the imported events, and the refusals."""
    found = document(*paths, "--yes", "--force")
    refused = [each for count in found["rows"] for each in count["refused"]]
    return pq.read_table(found["files"][0]).to_pylist(), refused


def error_of(*paths: str | Path) -> str:
    done = call(*paths, "--yes")
    assert done.exit_code == 1, done.output
    assert not Path("nightshelf.toml").exists()
    return " ".join(done.stderr.split())


def test_ids_stay_as_written() -> None:
    rows, refused = events(csv("a.csv", *good(), f"#g0,1.10,view,{DAY.format(1)}"))
    assert len(rows) == 29
    assert not refused
    assert ("#g0", "1.10") in {(row["user_id"], row["item_id"]) for row in rows}
    decimals = csv("b.csv", *(f"u{n},1.{n},view,{DAY.format(1)}" for n in (1, 10, 2)))
    rows, _ = events(decimals)
    assert {row["item_id"] for row in rows} == {"1.1", "1.10", "1.2"}


def test_two_tables_in_a_file_are_no_table() -> None:
    log = csv("log.csv", *good(2), "", f"{HEAD},price", *(f"{row},5" for row in good(3)))
    assert "the first that differs is line 4 (blank lines not counted)" in error_of(log)


def test_a_ragged_line_is_refused_by_its_number() -> None:
    rows, (refused,) = events(csv("log.csv", *good(), f"u1,i1,view,{DAY.format(1)},extra"))
    assert len(rows) == 28
    assert (refused["line"], refused["count"]) == (30, 1)


def test_null_words_and_times_that_stand_for_none() -> None:
    more = [f"NULL,i1,view,{DAY.format(1)}", "u1,i1,view,9999-12-31 23:59:59", "u1,i1,view,soon"]
    rows, refused = events(csv("log.csv", *good(), *more))
    assert len(rows) == 28
    assert sorted(str(each["reason"]) for each in refused) == [
        "a time of the year 9999, which stands for none",
        "ts is no ISO 8601 time",
        "user_id is a null word",
    ]


def test_names_of_zones_are_not_guessed() -> None:
    log = csv("log.csv", *(f"u{n},i{n % 7},view,2024-07-01 10:00:00 BST" for n in range(20)))
    assert "BST names no zone for certain: write an offset" in error_of(log)


def test_files_with_other_names_or_without_a_header_are_read_each_by_itself() -> None:
    one = csv("a.csv", *good(10))
    other = csv("b.csv", *good(10), head=HEAD.replace("user_id", "customer"))
    bare = csv("c.csv", *good(10), head=None)
    rows, refused = events(one, other, bare)
    assert len(rows) == 30
    assert not refused
    assert {row["user_id"] for row in rows} == {f"u{n}" for n in range(5)}


def test_a_star_in_a_name_is_no_pattern() -> None:
    rows, _ = events(csv("x*.csv", *good(5)), csv("xyz.csv", *good(6)))
    assert len(rows) == 11


def test_encodings() -> None:
    for encoding in ("cp1252", "utf-16"):
        log = Path(f"{encoding}.csv")
        log.write_bytes(
            "\n".join([HEAD, *good(), f"u1,café,view,{DAY.format(1)}"]).encode(encoding)
        )
        rows, _ = events(log)
        assert {"café", "i1"} <= {row["item_id"] for row in rows}


def test_backslashes_before_quotes() -> None:
    titled = [f'{row};"A \\"good\\" book; vol {n}"' for n, row in enumerate(good())]
    lines = [row.replace(",", ";", 3) for row in titled]
    rows, _ = events(csv("books.csv", *lines, head=HEAD.replace(",", ";") + ";title"))
    assert len(rows) == 28


def test_ids_that_differ_between_files() -> None:
    """The log has 7.0 where the catalogue has 007: both become 7, and no item is lost."""
    log = csv(
        "log.csv", *(f"u{n % 5},{n % 7 + 1}.0,view,{DAY.format(n % 28 + 1)}" for n in range(28))
    )
    items = csv(
        "items.csv", *(f"00{n},group {n % 2}" for n in range(1, 8)), head="item_id,category"
    )
    found = document(log, items, "--yes")
    assert found["log"]["events_of_unknown_items"] == 0
    assert any(
        "'1.0' where items.csv has '001'" in note or "item_id" in note for note in found["notes"]
    )
    rows = pq.read_table(found["files"][0]).to_pylist()
    known = {row["item_id"] for row in pq.read_table(found["files"][1]).to_pylist()}
    assert {row["item_id"] for row in rows} == known == {str(n) for n in range(1, 8)}


def test_ids_that_would_become_one_stay_apart() -> None:
    """The catalogue has both 7 and 007: they are two items."""
    log = csv(
        "log.csv", *(f"u{n % 5},{n % 7 + 1},view,{DAY.format(n % 28 + 1)}" for n in range(28))
    )
    listed = [*(f"00{n},g" for n in range(1, 8)), "7,h"]
    found = document(log, csv("items.csv", *listed, head="item_id,category"), "--yes")
    ids = {row["item_id"] for row in pq.read_table(found["files"][1]).to_pylist()}
    assert {"7", "007"} <= ids


def test_parquet_of_types_that_a_night_refuses_is_imported() -> None:
    table = pa.table(
        {
            "user_id": pa.array([b"a", b"b", b"a", b"c"]),
            "item_id": pa.array([1.0, 2.0, 3.0, 1.0]),
            "event_type": ["view"] * 4,
            "ts": pa.array([1704103200 + n for n in range(4)], pa.int64()),
        }
    )
    pq.write_table(table, "events.parquet")
    rows, _ = events("events.parquet")
    assert [(row["user_id"], row["item_id"]) for row in rows] == [
        *(("a", "1"), ("b", "2"), ("a", "3"), ("c", "1")),
    ]


def test_what_is_no_log() -> None:
    Path("notes.txt").write_text("Dear all,\nthis is no table, as you see.\nBye\n")
    assert "notes.txt: no table in it" in error_of("notes.txt")
    Path("log.zip").write_bytes(b"PK\x03\x04rest")
    assert "unpack it" in error_of("log.zip")
    assert "absent.csv: it does not exist" in error_of("absent.csv")
    assert "one needs a column of users and one of items" in error_of(
        csv("x.csv", "1,2", head="a,b")
    )
    Path("meta.json").write_text("{'asin': 'B1', 'title': 'T'}\n" * 3)
    assert "Python's" in error_of("meta.json")
    assert "extension for Postgres" in error_of("postgres://user:secret@127.0.0.1:1/db")


def test_answers_are_checked() -> None:
    log = csv("log.csv", *good())
    for answer, sentence in {
        "zone=Mars/Olympus": "no such zone",
        "user=nobody": "no table has such a column",
        "dates=late": "expected 'day first' or 'month first'",
        "colour=red": "no such question; there are user, item,",
        "ended=soon": "expected a day, as 2026-03-01",
    }.items():
        assert sentence in error_of(log, "--answer", answer)


def test_an_earlier_settings_file_stays() -> None:
    Path("nightshelf.toml").write_text("mine")
    done = call(csv("log.csv", *good()), "--yes")
    assert done.exit_code == 1
    assert "--force overwrites it" in done.stderr
    assert Path("nightshelf.toml").read_text() == "mine"


def test_a_dry_run_leaves_nothing() -> None:
    done = call(csv("log.csv", *good()), "--dry-run")
    assert done.exit_code == 0
    assert "Dry run: nothing was written" in done.stdout
    assert [path.name for path in Path().iterdir()] == ["log.csv"]


def test_month_or_day_first_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two orders that fit, the likelier is that in which the log goes forward in time."""
    days = [f"{month:02d}/{day:02d}/2023 10:00" for month in (1, 2, 3) for day in range(1, 13)]
    log = csv("log.csv", *(f"u{n % 5},i{n % 7},view,{day}" for n, day in enumerate(days)))
    found = document(log, "--dry-run")
    (question,) = found["questions"]
    assert (question["key"], question["default"]) == ("dates", "month first")
    assert found["log"]["last"].startswith("2023-03-12")
    found = document(log, "--dry-run", "--answer", "dates=day first")
    assert found["log"]["last"].startswith("2023-12-03")
    assert finding(found, "time") == "ts"


def test_somebody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nightshelf_ops.init.command.at_terminal", lambda: True)
    days = [f"{month:02d}/{day:02d}/2023 10:00" for month in (1, 2, 3) for day in range(1, 13)]
    log = csv("log.csv", *(f"u{n % 5},i{n % 7},view,{day}" for n, day in enumerate(days)))
    done = call(log, stdin="9\nday first\ny\nn\n")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("Which is it?") == 1
    assert "One of 1 to 2, please." in done.stdout
    assert "to 2023-12-03 10:00 UTC" in done.stdout
    assert "day first" in Path("nightshelf.toml").read_text()


def test_settings_of_a_named_namespace_leave_others_alone() -> None:
    found = document(csv("log.csv", *good()), "--yes", "-s", "my.books")
    assert found["files"][0] == ".nightshelf/my.books/events.parquet"
    assert '[namespace."my.books".features.weights]' in Path("nightshelf.toml").read_text()
    assert load_settings("my.books").features.weights == {"view": 1.0, "click": 1.0}
    assert load_settings("shop").features == FeatureSettings()
