"""Lists in Redis against lists as computed: what bytes and digests cannot tell."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from redis import Redis

from nightshelf.contract.values import RankedList
from tasks.artifacts.records import LIST_SCHEMA, Provenance
from tasks.errors import VerificationError
from tasks.io.byte_strings import ByteStrings
from tasks.publish import keyspace, verify
from tasks.publish.encode import encode_list
from tasks.publish.keyspace import Family
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import read_back, stage
from tasks.publish.verify import check_sample
from tasks.runs.run_folder import Run
from tests.tasks.small_models import AS_OF, make_shelves

Row = dict[str, Any]
KEY = "u0003"


@pytest.fixture
def family(tmp_path: Path) -> Family:
    return make_shelves(Run("shop", 1, AS_OF, tmp_path))[0]


def put(client: Redis, family: Family) -> None:
    """Write the keys of a family."""
    client.mset({entry.key: entry.value for entry in family.entries()})


def change_list(
    client: Redis, family: Family, change: Callable[[Row], object], key: str = KEY
) -> None:
    """Change one list in Redis."""
    (row,) = (each for each in pq.read_table(family.path).to_pylist() if each["key"] == key)
    change(row)
    client.set(family.keys.of(key), encode_list(row))


def refusal(client: Redis, family: Family, first: int = 0) -> str:
    with pytest.raises(VerificationError) as raised:
        check_sample(client, family, first=first)
    return str(raised.value)


def test_lists_as_computed_pass_with_their_scores_at_six_digits(
    redis_client: Redis, family: Family
) -> None:
    assert 1 / 3 in pq.read_table(family.path)["scores"][0].as_py(), "more digits than are stored"
    put(redis_client, family)
    check_sample(redis_client, family, first=1)


def test_a_family_without_lists_passes(redis_client: Redis, family: Family) -> None:
    pq.write_table(LIST_SCHEMA.empty_table(), family.path)
    check_sample(redis_client, family, first=1)


def swap_items(row: Row) -> None:
    row["item_ids"][0], row["item_ids"][1] = row["item_ids"][1], row["item_ids"][0]


def another_item(row: Row) -> None:
    row["item_ids"][-1] = "m-9999"


def another_score(row: Row) -> None:
    row["scores"][4] *= 1 + 2e-5


def score_of_zero(row: Row) -> None:
    row["scores"][4] = 0.0


def another_code(row: Row) -> None:
    row["codes"][2] = "popular"


def another_because(row: Row) -> None:
    row["because"][2] = "m-0001"


def one_item_less(row: Row) -> None:
    for column in ("item_ids", "scores", "codes", "because"):
        row[column].pop()


def one_score_less(row: Row) -> None:
    row["scores"].pop()


NO_NUMBER = b'{"items":["a"],"scores":[NaN],"reasons":[["taste"]],"why":[0]}'
CHANGES = [
    swap_items, another_item, another_score, score_of_zero,
    another_code, another_because, one_item_less, one_score_less,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_list_that_differs_is_refused_with_family_and_key(
    redis_client: Redis, family: Family, change: Callable[[Row], None]
) -> None:
    put(redis_client, family)
    change_list(redis_client, family, change)
    said = refusal(redis_client, family)
    assert f"the list of {KEY} as read back" in said
    assert str(family.path) in said
    assert "the live generation is untouched" in said


@pytest.mark.parametrize("value", [None, b"", b"no list", b"{}", NO_NUMBER])
def test_a_list_that_is_gone_or_none_is_refused(
    redis_client: Redis, family: Family, value: bytes | None
) -> None:
    put(redis_client, family)
    redis_client.delete(family.keys.of(KEY))
    if value is not None:
        redis_client.set(family.keys.of(KEY), value)
    assert f"the list of {KEY} as read back" in refusal(redis_client, family)


@pytest.mark.parametrize("name", ["popular", "similar"])
def test_every_family_of_lists_is_named_as_it_is(
    redis_client: Redis, tmp_path: Path, name: str
) -> None:
    shelves = {each.name: each for each in make_shelves(Run("shop", 1, AS_OF, tmp_path))}
    key = {"popular": "category:a b", "similar": "m-0003"}[name]
    put(redis_client, shelves[name])
    change_list(redis_client, shelves[name], another_item, key)
    assert f"the {name} of {key} as read back" in refusal(redis_client, shelves[name])


def test_a_small_family_is_compared_whole_wherever_it_begins(
    redis_client: Redis, family: Family
) -> None:
    put(redis_client, family)
    for first in range(20):
        change_list(redis_client, family, swap_items, f"u{first:04}")
        refusal(redis_client, family, first)
        change_list(redis_client, family, lambda row: row, f"u{first:04}")


def test_a_large_family_is_compared_in_turns(
    redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "SAMPLE", 20)
    family = make_shelves(Run("shop", 1, AS_OF, tmp_path), 60)[0]
    put(redis_client, family)
    change_list(redis_client, family, swap_items, "u0031")
    refused = []
    for first in range(6):
        try:
            check_sample(redis_client, family, first=first)
        except VerificationError:
            refused.append(first)
    assert refused == [1, 4]


def reversed_lists(rows: pa.RecordBatch) -> ByteStrings:
    """Encode lists back to front: a bug that stages and reads back without a difference."""
    lists = [
        RankedList(
            tuple(row["item_ids"][::-1]),
            tuple(row["scores"]),
            tuple((code,) for code in row["codes"]),
        )
        for row in rows.to_pylist()
    ]
    return ByteStrings.of([ranked.to_json() for ranked in lists])


def test_a_bug_in_the_encoder_is_caught_where_the_digest_agrees(
    redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, settings = Run("shop", 1, AS_OF, tmp_path), PublishSettings()
    shelves = make_shelves(run)
    with monkeypatch.context() as patch:
        patch.setattr(keyspace, "encode_lists", reversed_lists)
        staged = stage(run, redis_client, shelves, settings, Provenance(10, ""))
        patch.setattr("tasks.publish.stage.check_sample", lambda *_, **__: None)
        assert read_back(run, redis_client, shelves, staged, settings).digest == staged.digest
    with pytest.raises(VerificationError, match=r"the list of u\d+ as read back is not the one in"):
        read_back(run, redis_client, shelves, staged, settings)


def test_a_file_written_again_after_it_was_staged_is_caught(
    redis_client: Redis, tmp_path: Path
) -> None:
    run, settings = Run("shop", 1, AS_OF, tmp_path), PublishSettings()
    shelves = make_shelves(run)
    staged = stage(run, redis_client, shelves, settings, Provenance(10, ""))
    lists = pq.read_table(shelves[0].path).to_pylist()
    swap_items(lists[3])
    pq.write_table(pa.Table.from_pylist(lists, LIST_SCHEMA), shelves[0].path)
    with pytest.raises(VerificationError, match="written again while it was published"):
        read_back(run, redis_client, shelves, staged, settings)
