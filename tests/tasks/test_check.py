"""The check before a night: the night's own verdict, all findings at once, nothing written."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from nightshelf.cli.main import app
from tasks.check import check
from tasks.errors import NothingToLearn, TooManyBadRows
from tasks.ingest.settings import EventSettings
from tests.tasks.logs import AS_OF, YESTERDAY, clean, event, item, learn, read, write

NAMES = "relation", "n_files", "n_rows", "n_idle", "n_later", "n_bad", "n_good"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def files(root: Path, n_bad: int = 0) -> tuple[Path, Path]:
    rows = [event(user_id=f"u{n}", item_id="gone" if n < n_bad else "i1") for n in range(200)]
    return write(root / "events.parquet", rows), write(root / "items.parquet", [item()])


def nightshelf(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def test_rows_add_up_to_what_the_files_hold(tmp_path: Path) -> None:
    rows = [
        *(event(user_id=f"u{n}") for n in range(400)),
        *(event(event_type="impression") for _ in range(3)),
        *(event(ts=AS_OF.replace(hour=1)) for _ in range(2)),
        event(item_id="gone"),
    ]
    checked = check(
        write(tmp_path / "e.parquet", rows),
        write(tmp_path / "i.parquet", [item()]),
        write(tmp_path / "u.parquet", [{"user_id": "u1"}]),
        "shop",
        AS_OF,
    )
    assert checked.errors == []
    assert [tuple(vars(row).values()) for row in checked.rows] == [
        ("events", 1, 406, 3, 2, 1, 400),
        ("items", 1, 1, 0, 0, 0, 1),
        ("users", 1, 1, 0, 0, 0, 1),
    ]
    for row in checked.rows:
        assert row.n_rows == row.n_idle + row.n_later + row.n_bad + row.n_good
    (warning,) = checked.warnings
    assert "events: 1 for 'unknown item', as row 405 of " in warning
    assert '"item_id":"gone"' in warning


def test_the_verdict_is_the_nights(tmp_path: Path) -> None:
    events, items = files(tmp_path, n_bad=3)
    with pytest.raises(TooManyBadRows) as night:
        clean(tmp_path, events, items, settings=EventSettings())
    (error,) = check(events, items, None, "shop", AS_OF).errors
    said = "events: 3 of 200 rows (1.50%) are bad, more than the 1.00% allowed: unknown item: 3. "
    assert error.startswith(said)
    assert str(night.value).startswith(said)


def test_a_log_that_teaches_nothing_is_an_error_in_the_nights_words(tmp_path: Path) -> None:
    path = write(tmp_path / "e.parquet", [event(event_type="page"), event(event_type="basket")])
    items = write(tmp_path / "i.parquet", [item()])
    with pytest.raises(NothingToLearn) as night:
        learn(tmp_path, clean(tmp_path, path, items))
    (error,) = check(path, items, None, "shop", AS_OF).errors
    assert error.partition(": ")[2] == str(night.value).partition(": ")[2]


def test_types_without_a_weight_are_told_of(tmp_path: Path) -> None:
    rows = [event(user_id=f"u{n}", event_type="basket" if n % 4 else "view") for n in range(100)]
    checked = check(
        write(tmp_path / "e.parquet", rows),
        write(tmp_path / "i.parquet", [item()]),
        None,
        "shop",
        AS_OF,
    )
    assert checked.warnings == [
        "events: 75 of 100 events teach nothing, since no weight is set for their type: 'basket' "
        "(75, 75.0%). Name them in [features.weights], with 0 if they are to teach nothing, or in "
        "events.idle."
    ]


def test_what_settings_leave_in_doubt_is_told(tmp_path: Path) -> None:
    config = tmp_path / "shops.toml"
    config.write_text("[namespace.books.features.weights]\nview = 1.0\nlend = 5.0\n")
    found = check(*files(tmp_path), None, "books", AS_OF, config)
    assert found.errors == []
    assert [said.split(" (")[0] for said in found.warnings] == [
        "features.seen",
        "features.purchase_types",
    ]
    assert check(*files(tmp_path), None, "shop", AS_OF, config).warnings == []


def test_everything_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "nightshelf.toml").write_text("[topn]\nn = 'many'\n")
    events, _ = files(tmp_path)
    bad_items = write(tmp_path / "bad.parquet", [{"item_id": 1.5}], item_id=pa.float64())
    found = nightshelf("--events", events, "--items", bad_items, "--users", "gone", "-s", "A b")
    assert found.exit_code == 1
    for said in (
        "error: namespace 'A b'",
        "topn.n",
        f"error: items {bad_items}: column 'item_id' is double",
        f"error: items {bad_items}: column 'category' is missing",
        "error: users: gone does not exist",
        "would fail: 5 errors, 0 warnings",
    ):
        assert said in found.stdout


def test_json_is_one_document_and_the_exit_code_tells(tmp_path: Path) -> None:
    events, items = files(tmp_path)
    found = nightshelf("--events", events, "--items", items, "--as-of", "2026-03-01", "--json")
    document = json.loads(found.stdout)
    assert found.exit_code == 0
    assert document["namespace"] == "shop"
    assert document["as_of"] == "2026-03-01 00:00:00+00:00"
    assert (document["errors"], document["warnings"]) == ([], [])
    assert set(document["rows"][0]) == set(NAMES)


def test_bad_rows_are_written_where_asked(tmp_path: Path) -> None:
    events, items = files(tmp_path, n_bad=5)
    before = set(tmp_path.iterdir())
    found = nightshelf("--events", events, "--items", items, "--quarantine", "bad.parquet")
    assert found.exit_code == 1
    assert [row["reason"] for row in read(tmp_path / "bad.parquet")] == ["unknown item"] * 5
    assert set(tmp_path.iterdir()) - before == {tmp_path / "bad.parquet"}


def test_a_bad_row_shows_what_it_says(tmp_path: Path) -> None:
    rows = [event(ts=text) for text in ("2024-07-01 10:00:00 BST", "2024-07-01")]
    path = write(tmp_path / "e.parquet", rows, ts=pa.string())
    items = write(tmp_path / "i.parquet", [item()])
    (error,) = check(path, items, None, "shop", YESTERDAY).errors
    assert '"ts":"2024-07-01 10:00:00 BST"' in error
