"""Sections of the report, each counted again from the night's lists and log."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nightshelf.contract.values import Manifest
from tasks.evaluation.gates import Verdict
from tasks.evaluation.measure import measure
from tasks.recommend.settings import TopNSettings
from tasks.report.build import Report, write_report
from tasks.report.facts import Outcome
from tasks.report.prediction import prediction_facts
from tasks.report.settings import Targets
from tasks.report.trends import MOST_NIGHTS, trend_row, trends_of
from tests.tasks.report.test_build import MEASURED, Page
from tests.tasks.report.test_choice import CHOICE
from tests.tasks.report_night import AS_OF, SEGMENTS, Night, make_night

ITEMS = {f"i{n:02}": (f"c{n % 3}" if n % 5 else None, n != 7) for n in range(20)}
USERS = [f"u{n}" for n in range(30)]


def drawn(seed: int, most: int) -> dict[str, list[str]]:
    """Up to so many different items for each user."""
    rng = np.random.default_rng(seed)
    return {
        user: rng.choice(sorted(ITEMS), rng.integers(2, most), replace=False).tolist()
        for user in USERS
    }


HISTORY = drawn(1, 15)


def night_of(root: Path, generation: int, lists: Mapping[str, Sequence[str]]) -> Night:
    return make_night(
        root,
        catalogue=ITEMS,
        history=HISTORY,
        lists=lists,
        only_in_file=3,
        generation=generation,
    )


def written(night: Night) -> Report:
    metrics = measure(night.run, night.made, TopNSettings(n=12, page_size=12, max_per_category=12))
    outcome = Outcome(metrics, None, Verdict(()), "live")
    return write_report(night.run, night.made, night.staged, outcome, Targets())


def passed(night: Night) -> None:
    """Give a night the manifest of one that has been live."""
    gates = {"jaccard": "pass"}
    manifest = Manifest(night.run.generation, AS_OF.isoformat(), digest="d", gates=gates)
    night.run.path("manifest.json").write_bytes(manifest.to_json())


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Report]:
    """Two nights; the facts and the files of the second."""
    root = tmp_path_factory.mktemp("runs")
    first = night_of(root, 6, LISTS[0])
    written(first)
    passed(first)
    report = written(night_of(root, 7, LISTS[1]))
    return json.loads(report.json.read_bytes()), report


LISTS = [{user: listed[:6] for user, listed in drawn(seed, 12).items()} for seed in (2, 3)]
LISTS[0] = {user: [i for i in listed if i > "i05"] for user, listed in LISTS[0].items()}
LISTS[0] = {user: listed for user, listed in LISTS[0].items() if listed}
PLACES = [Counter(item for listed in lists.values() for item in listed) for lists in LISTS]


def test_most_and_newly_recommended_items(nights: tuple[dict[str, Any], Report]) -> None:
    facts, report = nights
    before, tonight = PLACES
    order = sorted(tonight, key=lambda item: (-tonight[item], item))
    most = [
        (row["item_id"], row["n_lists"], row["n_lists_before"]) for row in facts["most_recommended"]
    ]
    assert most == [(item, tonight[item], before[item]) for item in order[:10]]
    newly = [item for item in order if not before[item]]
    assert newly
    assert [row["item_id"] for row in facts["newly_recommended"]] == newly[:10]
    assert {row["title"] for row in facts["newly_recommended"]} == {f"The {i}" for i in newly[:10]}
    text = Page(report.html.read_text()).text
    assert f"Newly recommended, {len(newly[:10])} of {len(newly)}" in text


def test_categories(nights: tuple[dict[str, Any], Report]) -> None:
    facts, _ = nights
    tonight = PLACES[1]
    taken = Counter(item for items in HISTORY.values() for item in items)
    for row in facts["categories"]:
        own = {item for item, (name, _) in ITEMS.items() if name == row["category"]}
        there = {item for item in own if ITEMS[item][1]}
        assert (row["items"], row["shown"]) == (len(there), len(there & set(tonight)))
        assert row["coverage"] == pytest.approx(len(there & set(tonight)) / len(there))
        share = sum(tonight[item] for item in own) / tonight.total()
        assert row["share_of_places"] == pytest.approx(share)
        assert row["share_of_events"] == pytest.approx(sum(taken[i] for i in own) / taken.total())
    assert len(facts["categories"]) == 4


def test_segments(nights: tuple[dict[str, Any], Report]) -> None:
    facts, _ = nights
    found = {row["segment"]: row for row in facts["segments"]}
    assert found["gold"]["users"] == found["new"]["users"] == 1
    rest = [user for user in USERS if user not in SEGMENTS]
    assert found[None]["users"] == len(rest) + 3
    assert found[None]["lists"] == len(rest)
    assert found[None]["fallback_share"] == pytest.approx(3 / (len(rest) + 3))
    gold = LISTS[1]["u1"]
    assert len(gold) > 1
    shares = [n / len(gold) for n in Counter(ITEMS[item][0] for item in gold).values()]
    entropy = -sum(share * np.log(share) for share in shares) / np.log(min(len(gold), 4))
    assert found["gold"]["diversity"] == pytest.approx(entropy)


def test_samples(nights: tuple[dict[str, Any], Report]) -> None:
    facts, report = nights
    order = sorted(USERS, key=lambda user: (-len(HISTORY[user]), user))
    heavy, light, new = facts["samples"]
    at = (len(USERS) - 1) // 20
    assert (heavy["kind"], heavy["user"]) == ("heavy", order[at])
    assert (light["kind"], light["user"]) == ("light", order[-1 - at])
    for sample in (heavy, light):
        user = sample["user"]
        assert sample["events"] == len(HISTORY[user])
        assert sample["segment"] == SEGMENTS.get(user)
        assert [row["item_id"] for row in sample["history"]] == HISTORY[user][:8]
        assert [row["item_id"] for row in sample["list"]] == LISTS[1][user][:10]
        assert {row["reason"] for row in sample["list"]} == {"suits your overall taste"}
        assert all(row["title"] == f"The {row['item_id']}" for row in sample["list"])
    assert (new["kind"], new["user"], new["history"]) == ("new", None, [])
    assert [row["item_id"] for row in new["list"]] == ["a"]  # of the popular list `all`
    text = Page(report.html.read_text()).text
    assert f"A heavy user, {heavy['user']}: {heavy['events']} events" in text


def test_pictures_load_late_and_name_no_page(tmp_path: Path) -> None:
    night = night_of(tmp_path, 7, LISTS[1])
    path = night.clean.items
    items = pq.read_table(path)
    shown = pa.array(['https://cdn.example/?a=1&b="><script>alert(1)</script>'] * len(items))
    at = items.schema.get_field_index("image_url")
    pq.write_table(items.set_column(at, "image_url", shown), path)
    page = Page(written(night).html.read_text())
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert pictures
    assert "script" not in {tag for tag, _ in page.tags}
    for each in pictures:
        assert (each["loading"], each["referrerpolicy"]) == ("lazy", "no-referrer")
        assert each["src"] == shown[0].as_py()


def test_trends_are_of_the_last_generations_and_read_reports_of_older_versions(
    tmp_path: Path,
) -> None:
    night = night_of(tmp_path, 50, LISTS[1])
    old = {
        "format": 1,
        "night": {"generation": 0, "as_of": AS_OF.isoformat(), "state": "live"},
        "lists": {"coverage": 0.5, "n_users": 10},
        "choice": None,
        "offline_quality": None,
        "memory": None,
        "steps": [{"step": "top_n", "seconds": 2.0}, {"step": "flip", "seconds": 1.0}],
    }
    for number in range(1, 45):
        path = tmp_path / "shop" / str(number) / "report.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(old | {"night": old["night"] | {"generation": number}}))  # type: ignore[operator]
    (tmp_path / "shop/43/report.json").write_text("{")  # cut off by a crash
    (tmp_path / "shop/42/report.json").write_text('{"format": 1, "night": {}}')
    later = tmp_path / "shop/60/report.json"
    later.parent.mkdir()
    later.write_text(json.dumps(old))
    report = written(night)
    facts = json.loads(report.json.read_bytes())
    numbers = [row["generation"] for row in facts["trends"]]
    assert numbers == [*range(16, 42), 44, 50]
    assert len(numbers) <= MOST_NIGHTS
    first, last = facts["trends"][0], facts["trends"][-1]
    assert (first["coverage"], first["seconds"], first["bytes"]) == (0.5, 3.0, None)
    assert last == trend_row(facts)
    assert last["coverage"] == facts["lists"]["coverage"]
    titles = [each.title for each in trends_of(facts["trends"])]
    assert "Catalogue coverage" in titles
    assert "Bytes in Redis" not in titles  # of tonight alone
    page = Page(report.html.read_text())
    labels = [each["aria-label"] or "" for tag, each in page.tags if tag == "svg"]
    assert any(label.startswith("Catalogue coverage: ") for label in labels)


def chosen(
    popular: float, error: float, last: float | None = None, **changes: Any
) -> dict[str, Any]:
    """The facts of a choice whose NDCG@10 is 0.08."""
    facts: dict[str, Any] = {**vars(CHOICE), "seconds": 10.0, "share_of_night": 0.25}
    facts |= {"popular_ndcg": {"by time": popular}, "ahead_error": {"by time": error}}
    facts |= {"ndcg": {"by time": 0.08}, "n_judged": {"by time": 500}, "changed": True}
    if last is not None:
        facts |= {"last_ndcg": {"by time": last}, "last_error": {"by time": error}}
    return facts | changes


@pytest.mark.parametrize(
    ("choice", "headline", "says"),
    [
        (chosen(0.05, 0.01), "better than popularity", "better by 0.0300 ± 0.0196"),
        (chosen(0.07, 0.01), "as well as popularity", "level, +0.0100 ± 0.0196"),
        (chosen(0.12, 0.01), "worse than popularity", "worse by 0.0400 ± 0.0196"),
        (
            chosen(0.05, 0.01, 0.04),
            "better than popularity and last night",
            "Last night's blend has 0.0400: better by 0.0400",
        ),
        (
            chosen(0.05, 0.01, 0.12),
            "better than popularity and worse than last night",
            "Last night's blend has 0.1200: worse by 0.0400",
        ),
        (
            chosen(0.05, 0.0, 0.08, changed=False),
            "better than popularity and as well as last night",
            "Last night's blend is the same.",
        ),
    ],
)
def test_prediction_is_said_with_its_interval(choice: Any, headline: str, says: str) -> None:
    found = prediction_facts(choice, None)
    assert found["headline"] == f"Tonight predicts {headline}"
    assert says in found["sentence"]
    assert "The backtest took 10.0 s, 25.0 % of the night's steps." in found["sentence"]


def test_held_settings_say_so_and_a_backtest_judges_them_all_the_same() -> None:
    held: dict[str, Any] = {"held": True, "why": "The settings are held: choose.hold is set."}
    found = prediction_facts(held, None)
    assert (found["headline"], found["popularity"]) == ("", None)
    assert "was not measured" in found["sentence"]
    assert held["why"] in found["sentence"]
    quality = vars(replace(MEASURED, ahead_error=0.01))
    judged = prediction_facts(held, quality)
    assert judged["headline"] == "Tonight predicts better than popularity"
    assert judged["popularity"]["difference"] == pytest.approx(0.0448)


def test_equal_nights_give_equal_bytes(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        night = night_of(tmp_path / name, 7, LISTS[1])
        metrics = measure(
            night.run, night.made, TopNSettings(n=12, page_size=12, max_per_category=12)
        )
        (night.run.folder / "steps.jsonl").write_text(
            '{"step": "measure", "seconds": 1.5, "peak_bytes": 123456789}\n'
        )
        outcome = Outcome(metrics, None, Verdict(()), "live")
        report = write_report(night.run, night.made, night.staged, outcome, Targets())
        paths = (report.json, report.md, report.html, metrics.catalogue)
        found.append([path.read_bytes() for path in paths])
    assert found[0] == found[1]
    assert b"123 MB" in found[0][2]
