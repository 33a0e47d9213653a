"""The catalogue with its exposure: each figure counted again from the lists and the log."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from nightshelf.contract.values import Manifest
from tasks.evaluation.catalogue_table import CATALOGUE_SCHEMA, catalogue_before
from tasks.evaluation.measure import measure
from tasks.recommend.settings import TopNSettings
from tests.tasks.report_night import AS_OF, Night, make_night
from tests.tasks.small_models import make_log

ITEMS = {f"i{n:02}": (f"c{n % 3}", n != 4) for n in range(12)}
USERS = [f"u{n}" for n in range(9)]


def drawn_lists(seed: int) -> dict[str, list[str]]:
    """A list of up to five items for each user; some are empty."""
    rng = np.random.default_rng(seed)
    return {
        user: rng.choice(sorted(ITEMS), rng.integers(0, 6), replace=False).tolist()
        for user in USERS
    }


def night_of(root: Path, generation: int, lists: Mapping[str, Sequence[str]]) -> Night:
    """A night whose log has old and recent events, and pictures for some items."""
    night = make_night(
        root,
        catalogue=ITEMS,
        history={user: ["i00", "i01"] for user in USERS},
        lists=lists,
        generation=generation,
    )
    pictures = {
        item: {
            "category": category,
            "available": there,
            "image_url": f"/{item}.png" if n % 2 else None,
        }
        for n, (item, (category, there)) in enumerate(ITEMS.items())
    }
    log = make_log(night.run, events(), pictures)
    return replace(night, clean=log)


def events() -> list[tuple[str, str, str, datetime]]:
    rng = np.random.default_rng(1)
    ages = rng.integers(1, 60, 200)
    items = rng.choice(sorted(ITEMS)[:8], 200)
    return [
        ("u0", str(item), "view", AS_OF - timedelta(days=int(age)))
        for item, age in zip(items, ages, strict=True)
    ]


def measured(night: Night) -> list[dict[str, Any]]:
    metrics = measure(night.run, night.made, TopNSettings(n=5, page_size=5, max_per_category=5))
    table = pq.read_table(metrics.catalogue)
    assert table.schema.equals(CATALOGUE_SCHEMA)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def passed(night: Night, outcome: str = "pass") -> None:
    """Give a night the manifest of one that was staged and judged."""
    manifest = Manifest(
        night.run.generation, AS_OF.isoformat(), digest="d", gates={"jaccard": outcome}
    )
    night.run.path("manifest.json").write_bytes(manifest.to_json())


def test_counts_are_those_of_lists_and_log(tmp_path: Path) -> None:
    lists = drawn_lists(2)
    rows = measured(night_of(tmp_path, 7, lists))
    places = Counter(item for listed in lists.values() for item in listed)
    firsts = Counter(listed[0] for listed in lists.values() if listed)
    recent = Counter(item for _, item, _, ts in events() if ts >= AS_OF - timedelta(days=30))
    assert [row["item_id"] for row in rows] == sorted(ITEMS)
    for at, row in enumerate(rows):
        item = row["item_id"]
        assert (row["title"], row["category"]) == (item.upper(), ITEMS[item][0])
        assert row["image_url"] == (f"/{item}.png" if at % 2 else None)
        assert row["available"] == ITEMS[item][1]
        assert (row["n_lists"], row["n_first"]) == (places[item], firsts[item])
        assert row["n_events"] == recent[item]
        assert row["n_lists_before"] is None


def test_lists_before_are_of_the_newest_generation_that_passed(tmp_path: Path) -> None:
    before, blocked = drawn_lists(3), drawn_lists(4)
    for generation, lists, outcome in (
        (3, drawn_lists(5), "pass"),
        (4, before, "pass"),
        (6, blocked, "block"),
    ):
        night = night_of(tmp_path, generation, lists)
        measured(night)
        passed(night, outcome)
    tonight = night_of(tmp_path, 7, drawn_lists(2))
    assert catalogue_before(tonight.run) == tmp_path / "shop/4/catalogue.parquet"
    places = Counter(item for listed in before.values() for item in listed)
    rows = measured(tonight)
    assert [row["n_lists_before"] for row in rows] == [places[row["item_id"]] for row in rows]
    (tmp_path / "shop/4/catalogue.parquet").unlink()  # as a night of an older version has it
    assert {row["n_lists_before"] for row in measured(tonight)} == {None}
