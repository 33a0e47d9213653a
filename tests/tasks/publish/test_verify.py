"""Lists as served against lists as computed: what bytes and digests cannot tell."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from redis import Redis

from nightshelf.contract.values import RankedList
from tasks.artifacts.records import LIST_SCHEMA
from tasks.errors import VerificationError
from tasks.io.byte_strings import Texts
from tasks.publish import keyspace, verify
from tasks.publish.keyspace import Family, decode_lists
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import read_back, stage
from tasks.publish.verify import SAMPLE, check_sample
from tasks.runs.run_folder import Run
from tests.tasks.small_models import AS_OF, make_shelves

Row = dict[str, Any]
KEY = "u0003"


@pytest.fixture
def family(tmp_path: Path) -> Family:
    return make_shelves(Run("shop", 1, AS_OF, tmp_path))[0]


def served(family: Family, change: Callable[[Row], object] | None = None, key: str = KEY) -> Path:
    """Write what is read back from Redis, with one list changed."""
    names = [name for batch in family.ids(1_000) for name in batch]
    lists = decode_lists(names, [entry.value for entry in family.entries()]).to_pylist()
    for row in lists:
        if change and row["key"] == key:
            change(row)
    path = family.path.with_name("served.parquet")
    pq.write_table(pa.Table.from_pylist(lists, LIST_SCHEMA), path)
    return path


def refusal(family: Family, path: Path, seed: int = 1) -> str:
    with pytest.raises(VerificationError) as raised:
        check_sample(family, path, seed=seed)
    return str(raised.value)


def test_lists_as_computed_pass_with_their_scores_at_six_digits(family: Family) -> None:
    path = served(family)
    one, two = (pq.read_table(each)["scores"].to_pylist() for each in (family.path, path))
    assert one != two, "1/3 has more digits than are stored"
    check_sample(family, path, seed=1)


def test_the_order_of_the_rows_does_not_matter(family: Family) -> None:
    path = served(family)
    pq.write_table(pq.read_table(path).sort_by([("key", "descending")]), path)
    check_sample(family, path, seed=1)


def test_a_family_without_lists_passes(family: Family) -> None:
    pq.write_table(LIST_SCHEMA.empty_table(), family.path)
    check_sample(family, family.path, seed=1)


def swap_items(row: Row) -> None:
    row["item_ids"][0], row["item_ids"][1] = row["item_ids"][1], row["item_ids"][0]


def another_item(row: Row) -> None:
    row["item_ids"][-1] = "m-9999"


def another_score(row: Row) -> None:
    row["scores"][4] *= 1 + 2e-5


def score_of_zero(row: Row) -> None:
    row["scores"][4] = 0.0


def score_that_is_none(row: Row) -> None:
    row["scores"][4] = float("nan")


def another_code(row: Row) -> None:
    row["codes"][2] = "popular"


def another_because(row: Row) -> None:
    row["because"][2] = "m-0001"


def one_item_less(row: Row) -> None:
    for column in ("item_ids", "scores", "codes", "because"):
        row[column].pop()


def one_score_less(row: Row) -> None:
    row["scores"].pop()


def another_key(row: Row) -> None:
    row["key"] = "somebody"


CHANGES = [
    swap_items, another_item, another_score, score_of_zero, score_that_is_none,
    another_code, another_because, one_item_less, one_score_less, another_key,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_list_that_differs_is_refused_with_family_and_key(
    family: Family, change: Callable[[Row], None]
) -> None:
    said = refusal(family, served(family, change))
    assert f"the list of {KEY} as read back" in said
    assert str(family.path) in said
    assert "the live generation is untouched" in said


@pytest.mark.parametrize("name", ["popular", "similar"])
def test_every_family_of_lists_is_named_as_it_is(tmp_path: Path, name: str) -> None:
    shelves = {each.name: each for each in make_shelves(Run("shop", 1, AS_OF, tmp_path))}
    key = {"popular": "category:a b", "similar": "m-0003"}[name]
    said = refusal(shelves[name], served(shelves[name], another_item, key))
    assert f"the {name} of {key} as read back" in said


def test_a_small_family_is_compared_whole_whatever_the_seed(family: Family) -> None:
    for seed in range(20):
        refusal(family, served(family, swap_items, f"u{seed:04}"), seed)


def test_the_seed_decides_which_lists_of_a_large_family_are_compared(tmp_path: Path) -> None:
    n_users = 3 * SAMPLE
    family = make_shelves(Run("shop", 1, AS_OF, tmp_path), n_users)[0]
    nothing = family.path.with_name("nothing.parquet")
    pq.write_table(LIST_SCHEMA.empty_table(), nothing)

    def compared(seed: int) -> set[str]:
        """Return the lists without which the sample of this seed fails."""
        chosen: set[str] = set()
        rows = {row["key"]: row for row in pq.read_table(family.path).to_pylist()}
        while True:
            left = [rows[key] for key in sorted(chosen)]
            pq.write_table(pa.Table.from_pylist(left, LIST_SCHEMA), nothing)
            try:
                check_sample(family, nothing, seed=seed)
            except VerificationError as error:
                found = re.search(r"the list of (\S+) as", str(error))
                assert found
                chosen.add(found[1])
            else:
                return chosen

    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(verify, "SAMPLE", 20)
        patch.setattr(verify, "_RUN", 5)
        one, again, other = compared(1), compared(1), compared(2)
    assert one == again
    assert len(one) == len(other) == 20
    assert len(one & other) < 10


def reversed_lists(rows: pa.RecordBatch) -> Texts:
    """Encode lists back to front: a bug that stages and reads back without a difference."""
    lists = [
        RankedList(
            tuple(row["item_ids"][::-1]),
            tuple(row["scores"]),
            tuple((code,) for code in row["codes"]),
        )
        for row in rows.to_pylist()
    ]
    return Texts.of([ranked.to_json() for ranked in lists])


def test_a_bug_in_the_encoder_is_caught_where_the_digest_agrees(
    redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, settings = Run("shop", 1, AS_OF, tmp_path), PublishSettings()
    shelves = make_shelves(run)
    with monkeypatch.context() as patch:
        patch.setattr(keyspace, "encode_lists", reversed_lists)
        staged = stage(run, redis_client, shelves, settings, list_length=10, config_hash="")
        patch.setattr("tasks.publish.stage.check_sample", lambda *_, **__: None)
        assert read_back(run, redis_client, shelves, staged, settings).digest == staged.digest
    with pytest.raises(VerificationError, match=r"the list of u\d+ as read back is not the one in"):
        read_back(run, redis_client, shelves, staged, settings)


def test_a_file_written_again_after_it_was_staged_is_caught(
    redis_client: Redis, tmp_path: Path
) -> None:
    run, settings = Run("shop", 1, AS_OF, tmp_path), PublishSettings()
    shelves = make_shelves(run)
    staged = stage(run, redis_client, shelves, settings, list_length=10, config_hash="")
    lists = pq.read_table(shelves[0].path).to_pylist()
    swap_items(lists[3])
    pq.write_table(pa.Table.from_pylist(lists, LIST_SCHEMA), shelves[0].path)
    with pytest.raises(VerificationError, match="written again while it was published"):
        read_back(run, redis_client, shelves, staged, settings)
