"""Files of a log: told by ending or content, found through links, read once, named if left out."""

import os
import shutil
from pathlib import Path

import pytest

from tasks.errors import InputError
from tasks.io.find_files import find_files
from tests.tasks.logs import clean, event, item, write


def names(root: Path) -> list[str]:
    return [file.relative_to(root).as_posix() for file in find_files("events", root).files]


def test_files_are_found_in_a_fixed_order_and_all_others_are_named(tmp_path: Path) -> None:
    wanted = [
        "date=2026-02-01/a.parquet",
        "date=2026-02-01/b.snappy.parquet",
        "date=2026-02-02/folder.parquet/a.parquet",
    ]
    hidden = [
        "_SUCCESS",
        "_temporary/a.parquet",
        "date=2026-02-01/.a.parquet.crc",
        "date=2026-02-01/.b.parquet",
        "date=2026-02-01/_metadata.parquet",
        ".hidden/a.parquet",
    ]
    left_out = "date=2026-02-01/notes.txt"
    for name in reversed([*wanted, *hidden, left_out]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_files("events", tmp_path)
    assert found.files == [tmp_path / name for name in wanted]
    assert found.left_out == {str(tmp_path / left_out): "no Parquet file but empty"}
    assert not found.broken


def test_parquet_is_told_by_its_ending_or_its_first_bytes(tmp_path: Path) -> None:
    parquet = write(tmp_path / "a.parquet", [event()])
    for name in ("b.PARQUET", "c.parq", "000000_0", "d.pq", "e"):
        shutil.copy(parquet, tmp_path / name)
    others = {
        "log.csv": (b"user_id,item_id\r\nu1,i1\n", "no Parquet file but text: user_id,item_id"),
        "log.csv.gz": (b"\x1f\x8b\x08abc", "no Parquet file but gzip"),
        "f.orc": (b"ORC\x00", "no Parquet file but ORC"),
        "000001_0": (b"", "no Parquet file but empty"),
        "noise": (b"\x00\x01", "no Parquet file but of no known format"),
    }
    for name, (content, _) in others.items():
        (tmp_path / name).write_bytes(content)
    found = find_files("events", tmp_path)
    assert [file.name for file in found.files] == [
        *("000000_0", "a.parquet", "b.PARQUET", "c.parq", "d.pq", "e")
    ]
    assert found.left_out == {str(tmp_path / name): says for name, (_, says) in others.items()}


def test_every_row_of_other_endings_is_read_and_what_is_left_out_is_warned_of(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "log"
    for number, name in enumerate(("a.parquet", "b.PARQUET", "c.parq", "000000_0")):
        write(folder / name, [event(user_id=f"u{number}")])
    (folder / "notes.txt").write_text("by hand")
    log = clean(tmp_path, folder)
    assert log.n_events == 4
    assert log.warnings == (
        f"events: 1 left out: {folder}/notes.txt (no Parquet file but text: by hand)",
    )


def test_links_are_followed_and_each_folder_is_read_once(tmp_path: Path) -> None:
    log, elsewhere = tmp_path / "log", tmp_path / "mount"
    write(log / "date=2026-02-01/a.parquet", [event()])
    write(elsewhere / "date=2026-02-02/b.parquet", [event(user_id="u2")])
    write(elsewhere / "c.parquet", [event(user_id="u3")])
    (log / "date=2026-02-02").symlink_to(elsewhere / "date=2026-02-02")
    (log / "c.parquet").symlink_to(elsewhere / "c.parquet")
    (log / "again").symlink_to(log / "date=2026-02-01")
    (log / "date=2026-02-01/up").symlink_to("..")
    (log / "d.parquet").symlink_to("c.parquet")
    assert names(log) == ["c.parquet", "date=2026-02-01/a.parquet", "date=2026-02-02/b.parquet"]
    left_out = find_files("events", log).left_out
    assert set(left_out) == {
        str(log / name) for name in ("again", "date=2026-02-01/up", "d.parquet")
    }
    assert all(" is read already" in reason for reason in left_out.values())
    assert clean(tmp_path, log).n_events == 3

    (tmp_path / "root").symlink_to(log)
    assert len(names(tmp_path / "root")) == 3


def test_a_link_to_nothing_is_broken_and_so_is_one_to_itself(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [event()])
    (tmp_path / "date=2026-02-02").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    found = find_files("events", tmp_path)
    assert found.broken == {
        str(tmp_path / "date=2026-02-02"): "a link to nothing (gone)",
        str(tmp_path / "loop"): "a link to nothing (loop)",
    }


def test_what_is_neither_file_nor_folder_is_not_opened(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [event()])
    os.mkfifo(tmp_path / "pipe.parquet")
    found = find_files("events", tmp_path)
    assert found.left_out == {str(tmp_path / "pipe.parquet"): "neither a file nor a folder"}


@pytest.mark.parametrize("content", [None, b"", b"PAR1"])
def test_one_file_may_have_any_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / ".log.dat"
    write(path, [item()]) if content is None else path.write_bytes(content)
    assert find_files("events", path).files == [path]


def test_a_csv_is_refused_with_the_command_that_imports_it(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id\n1,2\n")
    for given in (path, tmp_path):
        with pytest.raises(InputError) as refused:
            find_files("events", given)
        assert "no Parquet file but text: user_id,item_id" in str(refused.value)
        assert ".venv/bin/python -m data.importers.csv --help" in str(refused.value)


def test_a_path_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as missing:
        find_files("events", tmp_path / "nowhere")
    expected = f"events: {tmp_path}/nowhere does not exist; expected a Parquet file or a folder"
    assert str(missing.value) == expected
    with pytest.raises(InputError) as empty:
        find_files("items", tmp_path)
    assert f"items: no Parquet file under {tmp_path}" in str(empty.value)
