"""Values made in bulk, against their definitions, which make one at a time."""

import json
import string
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nightshelf.errors import InvalidKey
from tasks.artifacts.records import LIST_SCHEMA, GenerationFiles
from tasks.publish._jit.bytes import SLACK, put_roomy
from tasks.publish._jit.score_text import score_texts
from tasks.publish.encode import encode_list, encode_lists, encode_row, encode_rows
from tasks.publish.keyspace import Family, families
from tasks.runs.run_folder import Run
from tests.tasks.small_models import AS_OF, make_shelves

#: Everything that UTF-8 can express, and what JSON escapes often.
TEXTS = st.text(max_size=8) | st.text('"\\/\x00\x1f\x7f\u2028é☃\n', max_size=4) | st.just("x" * 600)
PLAIN = st.text(string.ascii_letters + "é☃-", max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
#: Of every magnitude, of few digits, and at most a rounding away from a change of the sixth.
SCORES = (
    FINITE
    | st.builds(
        lambda digits, power: digits * 10.0**power,
        st.integers(-(10**7), 10**7),
        st.integers(-22, 16),
    )
    | st.builds(
        lambda half, power: float(f"{half}5e{power}"),
        st.integers(10**5, 10**6),
        st.integers(-24, 12),
    )
    | st.sampled_from(
        [0.0, -0.0, 1e-7, 1e22, 1e-4, 9.999995e-5, 999999.5, 9.999995e15, 1e16, 5e-324]
    )
)


def lists_of(strings: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    place = st.tuples(strings, SCORES, strings, st.just("") | strings)
    return st.lists(st.lists(place, max_size=6).map(row_of), max_size=4)


def row_of(places: list[tuple[str, float, str, str]]) -> dict[str, Any]:
    columns = list(zip(*places, strict=True)) or [()] * 4
    return dict(zip(LIST_SCHEMA.names[1:], map(list, columns), strict=True))


def batch_of(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, pa.schema(list(LIST_SCHEMA)[1:]))


def by_position(batch: pa.RecordBatch, twice: bool) -> pa.RecordBatch:
    """Return the batch with strings as positions; each distinct one stands `twice` if so asked."""

    def positions(column: pa.ListArray) -> pa.ListArray:
        found = column.values.dictionary_encode()
        n, indices = len(found.dictionary), found.indices.to_numpy()
        if twice:
            indices = indices + n * (np.arange(len(indices)) % 2).astype(np.int32)
        dictionary = pa.concat_arrays([found.dictionary] * (2 if twice else 1))
        values = pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), dictionary)
        return pa.ListArray.from_arrays(column.offsets, values)

    columns = {name: batch.column(name) for name in batch.schema.names}
    return pa.record_batch({k: v if k == "scores" else positions(v) for k, v in columns.items()})


@given(st.lists(SCORES, max_size=20))
@example([1e-7, 1e22, -0.0, 0.1, 100.0, 123456.5, 1234565.0, -2.5e-5, 9.9999951e15])
def test_scores(scores: list[float]) -> None:
    rows, lengths = score_texts(np.array(scores, np.float64))
    found = [text[:length].tobytes() for text, length in zip(rows, lengths, strict=True)]
    assert found == [json.dumps(float(f"{score:.6g}")).encode() for score in scores]


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_json_has_no_word_for(score: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        score_texts(np.array([0.5, score]))


@given(st.binary(max_size=40), st.integers(0, 3), st.integers(0, 3))
def test_what_is_copied_in_pieces_stays_within_its_slack(text: bytes, at: int, start: int) -> None:
    data = np.frombuffer(bytes(start) + text + bytes(SLACK), np.uint8)
    out = np.full(at + len(text) + 2 * SLACK, 0xEE, np.uint8)
    end = put_roomy(out, at, data, start, start + len(text))
    assert (end, out[at:end].tobytes()) == (at + len(text), text)
    assert set(out[:at]) | set(out[end + SLACK - 1 :]) == {0xEE}


@given(lists_of(TEXTS) | lists_of(PLAIN), st.sampled_from(["strings", "positions", "twice"]))
def test_lists(rows: list[dict[str, Any]], held_as: str) -> None:
    batch = batch_of(rows)
    wanted = [encode_list(row) for row in rows]
    if held_as != "strings":
        batch = by_position(batch, held_as == "twice")
    assert list(encode_lists(batch)) == wanted
    assert list(encode_lists(batch.slice(1))) == wanted[1:]


def test_lists_with_gaps_are_left_to_the_definition() -> None:
    row = {
        "item_ids": ["a", None],
        "scores": [1.0, 2.0],
        "codes": ["t", "t"],
        "because": [None, "b"],
    }
    (value,) = encode_lists(batch_of([row]))
    assert value == encode_list(row)


STAMPS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001 - of any zone
COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "text": (pa.string(), TEXTS),
    "float": (pa.float64(), st.floats()),
    "single": (pa.float32(), st.floats(width=32)),
    "whole": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "byte": (pa.uint8(), st.integers(0, 255)),
    "flag": (pa.bool_(), st.booleans()),
    "local": (pa.timestamp("us"), STAMPS),
    "utc": (pa.timestamp("us", "UTC"), STAMPS.map(lambda at: at.replace(tzinfo=UTC))),
    "second": (pa.timestamp("us"), STAMPS.map(lambda at: at.replace(microsecond=0))),
    "texts": (pa.list_(pa.string()), st.lists(st.none() | TEXTS, max_size=3)),
    "day": (pa.date32(), st.dates(date(1, 1, 1))),
    "numbers": (pa.list_(pa.int64()), st.lists(st.integers(0, 9), max_size=2)),
}


@given(st.data(), st.lists(st.sampled_from(list(COLUMNS)), min_size=1, unique=True))
def test_feature_rows(data: st.DataObject, names: list[str]) -> None:
    n = data.draw(st.integers(0, 4))
    arrays = [
        pa.array([data.draw(st.none() | COLUMNS[name][1]) for _ in range(n)], COLUMNS[name][0])
        for name in names
    ]
    batch = pa.record_batch(arrays, names)
    wanted = [encode_row(row) for row in batch.to_pylist()]
    assert list(encode_rows(batch)) == wanted
    assert list(encode_rows(batch.slice(1))) == wanted[1:]


def test_every_entry_of_a_night_is_its_definition(tmp_path: Path) -> None:
    for family in make_shelves(Run("shop", 3, AS_OF, tmp_path), 50):
        rows = pq.read_table(family.path).to_pylist()
        assert list(family.entries()) == [family.entry(row) for row in rows]


def list_family(root: Path, rows: list[dict[str, Any]], **writing: Any) -> Family:
    path = root / "lists.parquet"
    pq.write_table(pa.Table.from_pylist(rows, LIST_SCHEMA), path, **writing)
    return families(
        Run("shop", 1, AS_OF, root), GenerationFiles({"als": path}, None, None, None, None)
    )[0]


ROWS = [
    {"key": f"u {at}" if at % 3 else f"u{at}"}
    | row_of([(f"i{at * item}", 1 / (1 + item), "because", f"i{at % 5}") for item in range(9)])
    for at in range(40)
]


@pytest.mark.parametrize(
    "writing", [{}, {"row_group_size": 7}, {"use_dictionary": False}, {"data_page_version": "2.0"}]
)
def test_files_written_in_any_way(tmp_path: Path, writing: dict[str, Any]) -> None:
    """In groups of rows with dictionaries of their own, and with none."""
    family = list_family(tmp_path, ROWS, **writing)
    assert list(family.entries()) == [family.entry(row) for row in ROWS]


def test_row_groups_that_outgrew_their_dictionary(tmp_path: Path) -> None:
    """Their first pages are positions, their last plain, in each column of strings."""

    def sizes(family: Family) -> list[int]:
        group = pq.read_metadata(family.path).row_group(0)
        return [group.column(at).total_uncompressed_size for at in (1, 3, 4)]

    small = {"data_page_size": 64, "write_batch_size": 8}
    within = sizes(list_family(tmp_path, ROWS, **small))
    without = sizes(list_family(tmp_path, ROWS, use_dictionary=False, **small))
    family = list_family(tmp_path, ROWS, dictionary_pagesize_limit=1, **small)
    for few, outgrown, plain in zip(within, sizes(family), without, strict=True):
        assert few != outgrown != plain
    assert list(family.entries()) == [family.entry(row) for row in ROWS]


@pytest.mark.parametrize("user", ["", "é" * 100, "x" * 513])
def test_a_key_that_cannot_be(tmp_path: Path, user: str) -> None:
    family = list_family(tmp_path, [{"key": "fine"} | row_of([]), {"key": user} | row_of([])])
    with pytest.raises(InvalidKey):
        list(family.entries())
