"""A generation's keys and values, byte for byte."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from tasks.artifacts.records import LIST_SCHEMA, GenerationFiles
from tasks.publish.keyspace import Digest, Entry, families
from tasks.runs.run_folder import Run
from tests.tasks.small_models import AS_OF, make_shelves

RUN = Run("shop", 7, AS_OF, Path("unused"))


def entries_of(root: Path, name: str, table: pa.Table) -> list[Entry]:
    """Encode a table as the family that it is a file of."""
    path = root / "one.parquet"
    pq.write_table(table, path)
    shelves = families(RUN, GenerationFiles({"als": path}, path, path, path, path))
    return list(next(family for family in shelves if family.name == name).entries())


LIST = {
    "key": "ann/é",
    "item_ids": ["B2", "A7", "C1"],
    "scores": [0.912345678, 0.4, -0.0],
    "codes": ["because", "taste", "because"],
    "because": ["C9", "", "C9"],
}


def test_a_list_byte_for_byte(tmp_path: Path) -> None:
    (entry,) = entries_of(tmp_path, "list", pa.Table.from_pylist([LIST], LIST_SCHEMA))
    assert entry == (
        "list",
        "shelf:shop:7:list:als:{ann%2F%C3%A9}",
        b'{"items":["B2","A7","C1"],"scores":[0.912346,0.4,-0.0],'
        b'"reasons":[["because","C9"],["taste"]],"why":[0,1,0]}',
    )


def test_a_feature_row_byte_for_byte(tmp_path: Path) -> None:
    at = datetime(2026, 2, 28, 23, 59, 59, 250_000, tzinfo=UTC)
    columns = {
        "item_id": pa.array(["B2"]),
        "title": pa.array(["Lamp ☃"]),
        "price": pa.array([12.5]),
        "available": pa.array([True]),
        "created_at": pa.array([at], pa.timestamp("us", "UTC")),
        "first_seen": pa.array([at.replace(tzinfo=None)], pa.timestamp("us")),
        "tags": pa.array([["a", "b"]]),
        "avg_rating": pa.array([None], pa.float64()),
        "num_ratings": pa.array([3]),
    }
    (entry,) = entries_of(tmp_path, "item", pa.table(columns))
    assert entry == (
        "item",
        "shelf:shop:7:item:B2",
        '{"title":"Lamp ☃","price":12.5,"available":true,'
        '"created_at":"2026-02-28T23:59:59.250000Z","first_seen":"2026-02-28T23:59:59.250000Z",'
        '"tags":["a","b"],"avg_rating":null,"num_ratings":3}'.encode(),
    )


def test_the_families_come_in_one_order_under_their_own_keys(tmp_path: Path) -> None:
    run = Run("homepage", 12, AS_OF, tmp_path)
    shelves = make_shelves(run, n_users=3)
    assert [family.name for family in shelves] == ["list", "popular", "similar", "user", "item"]
    assert [family.holds_lists for family in shelves] == [True, True, True, False, False]
    keys = [entry.key for family in shelves for entry in family.entries()]
    assert keys[:5] == [
        "shelf:homepage:12:list:als:{u0000}",
        "shelf:homepage:12:list:als:{u0001}",
        "shelf:homepage:12:list:als:{u0002}",
        "shelf:homepage:12:popular:all",
        "shelf:homepage:12:popular:category:a%20b",
    ]
    assert keys == [
        family.keys.of(raw) for family in shelves for batch in family.ids(2) for raw in batch
    ]
    assert len(keys) == len(set(keys)) == 14


Pairs = list[tuple[str, bytes]]
PAIRS = st.lists(st.tuples(st.text(max_size=4), st.binary(max_size=4)), max_size=4)


def digest(pairs: Pairs, generation: int = 1) -> str:
    prefix = f"shelf:shop:{generation}:"
    made = Digest(prefix)
    for tail, value in pairs:
        made.add(prefix + tail, value)
    return made.hexdigest()


@given(PAIRS, st.integers(1, 10**9))
def test_a_digest_does_not_depend_on_the_generation(pairs: Pairs, generation: int) -> None:
    assert digest(pairs, generation) == digest(pairs)


@given(PAIRS, PAIRS)
def test_different_generations_have_different_digests(one: Pairs, other: Pairs) -> None:
    assert (digest(one) == digest(other)) == (one == other)


def test_a_digest_knows_where_keys_and_values_end() -> None:
    """The same bytes in the same order, cut elsewhere."""
    cuts: list[Pairs] = [
        [("ab", b"cd")],
        [("a", b"bcd")],
        [("abc", b"d")],
        [("ab", b"c"), ("", b"d")],
        [("ab", b""), ("c", b"d")],
        [("a", b"b"), ("c", b"d")],
        [("", b"abcd")],
        [("a", b"b1 1 cd")],
        [("ab", b"cd"), ("", b"")],
    ]
    assert len({digest(pairs) for pairs in cuts}) == len(cuts)


def test_a_digest_is_this_one() -> None:
    """Golden: BLAKE3 of `1 1 a` + `x` + `2 0 é`, lengths in bytes."""
    assert digest([("a", b"x"), ("é", b"")]) == (
        "3c561d92fc00390370f4548cefbab29daacd3b7dca353e36b3c6eea2246c59f1"
    )
