"""The choice on logs of a known nature: it finds what rules them, and nothing of the future."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from nightshelf.contract.values import Manifest
from tasks.choose import backtest
from tasks.choose.choice import Choice
from tasks.choose.choose import choose_blend, last_choice
from tasks.choose.settings import ChooseSettings
from tasks.models.blend.settings import BlendParts, Weights
from tasks.recipe import Recipe
from tasks.recommend import exact_search
from tasks.runs.run_folder import Run
from tasks.settings import Settings
from tests.tasks.small_models import AS_OF, Event, make_log

N_ITEMS, N_DAYS = 60, 40
SETTINGS = ChooseSettings(days=(5,), least_judged=100)


def recipe() -> Recipe:
    """Return the default recipe, with small factors and one category's room on a page."""
    whole = Settings().recipe
    (parts,) = whole.models.values()
    small = replace(parts, ials=replace(parts.ials, factors=8, iterations=5))
    return replace(whole, models={"blend": small}, topn=replace(whole.topn, max_per_category=10))


def taste_log(rng: np.random.Generator) -> list[Event]:
    """Return a log of 300 users who keep to one of six groups of items; all days are alike."""
    events = []
    for user in range(300):
        for _ in range(rng.integers(4, 12)):
            item = user % 6 * 10 + int(rng.integers(10))
            when = AS_OF - timedelta(days=float(rng.random() * N_DAYS))
            events.append((f"u{user:03}", f"i{item:02}", "view", when))
    return events


def trend_log(rng: np.random.Generator) -> list[Event]:
    """Return a log of 300 users who all take to the items of eight days, some more than others."""
    events = []
    for user in range(300):
        for _ in range(rng.integers(4, 12)):
            day = float(rng.random() * N_DAYS)
            item = int(day // 8) * 12 + min(int(rng.geometric(0.3)), 12) - 1
            events.append((f"u{user:03}", f"i{item:02}", "view", AS_OF - timedelta(days=day)))
    return events


def choose(
    root: Path,
    events: list[Event],
    settings: ChooseSettings = SETTINGS,
    last: Choice | None = None,
) -> Choice:
    run = Run("shop", 1, AS_OF, root)
    items = {f"i{at:02}": {"category": "c"} for at in range(N_ITEMS)}
    log = make_log(run, events, items)
    weighing = replace(recipe().features, weights={"view": 1.0}, seen=())
    return choose_blend(run, log, settings, replace(recipe(), features=weighing), last)


def test_a_log_of_tastes_is_not_given_to_popularity(tmp_path: Path) -> None:
    choice = choose(tmp_path, taste_log(np.random.default_rng(1)))
    assert not choice.held
    assert choice.weights["popular"] < max(choice.weights["als"], choice.weights["graph"])
    for protocol in ("by time", "last event"):
        assert choice.ndcg[protocol] > 2 * choice.popular_ndcg[protocol]
        assert choice.n_judged[protocol] >= 100
    assert not (tmp_path / "shop/1/choose").exists(), "the backtest's files are gone"


def test_a_log_of_trends_is_given_to_popularity(tmp_path: Path) -> None:
    by_time = replace(SETTINGS, protocol="by time")
    choice = choose(tmp_path, trend_log(np.random.default_rng(1)), by_time)
    assert choice.weights["popular"] >= max(choice.weights["als"], choice.weights["graph"])
    assert choice.spans["popular"] == min(SETTINGS.popular_half_lives_days)
    assert set(choice.ndcg) == {"by time"}


def test_the_evidence_holds_every_candidate_and_the_choice_stands_in_it(tmp_path: Path) -> None:
    choice = choose(tmp_path, taste_log(np.random.default_rng(2)))
    facts = json.loads(choice.evidence.read_bytes())
    assert len(facts["candidates"]) == choice.n_candidates
    spans = [each["half_lives_days"] for each in facts["candidates"]]
    assert {each["profile"] for each in spans} - {0} == {7, 60}, "of 40 days, no more is told apart"
    assert {each["learning"] for each in spans} - {0} == {60}
    worths = [each["worth"] for each in facts["candidates"]]
    assert worths == sorted(worths, reverse=True)
    (mine,) = (
        each for each in facts["candidates"] if each["standard_errors_behind_the_choice"] == 0
        and each["ndcg_at_10"] == choice.ndcg and each["weights"] == choice.weights
    )  # fmt: skip
    assert worths[0] - mine["worth"] < 0.2
    for name in choice.ndcg:
        users = [each["users"].get(name, 0) for each in mine["by_history"].values()]
        assert sum(users) == choice.n_judged[name]


def test_equal_logs_are_given_equal_choices_to_the_byte(tmp_path: Path) -> None:
    events = taste_log(np.random.default_rng(3))
    first, second = (choose(tmp_path / name, events) for name in ("one", "two"))
    assert first.evidence.read_bytes() == second.evidence.read_bytes()


def test_a_leak_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The days held out change no list; a backtest that learns from them does too well."""
    events = trend_log(np.random.default_rng(4))
    cut = AS_OF - timedelta(days=5)
    by_time = replace(SETTINGS, protocol="by time")

    def lists(name: str, log: list[Event]) -> bytes:
        kept: list[bytes] = []
        original = exact_search.rank

        def rank(*args: object) -> object:
            for block in original(*args):  # type: ignore[arg-type]
                kept.append(block.items.tobytes())
                yield block

        with monkeypatch.context() as patched:
            patched.setattr(backtest, "rank", rank)
            choose(tmp_path / name, log, by_time)
        return kept[0]

    later = [(user, "i00" if ts > cut else item, kind, ts) for user, item, kind, ts in events]
    assert lists("honest", events) == lists("other future", later)
    honest = choose(tmp_path / "fair", events, by_time)
    with monkeypatch.context() as patched:
        patched.setattr("tasks.evaluation.protocols.log_until", lambda _, log: log)
        leaking = choose(tmp_path / "leak", events, by_time)
    assert leaking.popular_ndcg["by time"] > 1.2 * honest.popular_ndcg["by time"]


def test_last_nights_choice_stands_within_the_noise(tmp_path: Path) -> None:
    events = taste_log(np.random.default_rng(5))
    settings = replace(
        SETTINGS,
        half_lives_days=(60.0,),
        profile_half_lives_days=(7.0,),
        popular_half_lives_days=(7.0,),
    )
    first = choose(tmp_path / "one", events, settings)
    facts = json.loads(first.evidence.read_bytes())
    other = next(each for each in facts["candidates"] if each["weights"] != first.weights)
    assert other["standard_errors_behind_the_choice"] < 1
    before = replace(first, weights=other["weights"])
    second = choose(tmp_path / "two", events, settings, before)
    assert second.weights == other["weights"]
    assert not second.changed
    far = replace(first, weights=Weights(0.0, 0.0, 1.0)._asdict())
    third = choose(tmp_path / "three", events, settings, far)
    assert third.weights == first.weights
    assert third.changed


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (replace(SETTINGS, hold=True), "choose.hold is set"),
        (replace(SETTINGS, least_judged=100_000), "too few users"),
    ],
)
def test_settings_are_held(tmp_path: Path, settings: ChooseSettings, why: str) -> None:
    choice = choose(tmp_path, taste_log(np.random.default_rng(6)), settings)
    assert choice.held
    assert why in choice.why
    assert choice.applied(recipe()) == recipe()


def test_the_choice_is_applied_to_the_recipe(tmp_path: Path) -> None:
    choice = Choice(
        evidence=tmp_path / "choice.json",
        why="",
        spans={"learning": 365.0, "profile": 60.0, "popular": 3.0},
        fallback_days=30.0,
        weights={"als": 0.5, "graph": 1.0, "popular": 0.5},
        by_history={"1": [0.0, 0.0, 1.0]},
        held=False,
    )
    made = choice.applied(recipe())
    parts = made.models["blend"]
    assert isinstance(parts, BlendParts)
    assert (made.features.half_life_days, made.features.profile_half_life_days) == (365, 60)
    assert (made.popular_half_life_days, made.popularity.half_life_days) == (3, 30)
    assert parts.blend.weights == Weights(0.5, 1.0, 0.5)
    assert parts.blend.of_users(np.array([1, 2])).tolist() == [[0, 0, 1], [0.5, 1, 0.5]]


def test_few_who_return_among_strangers_have_no_say(tmp_path: Path) -> None:
    """By time 200 strangers and 40 others all take to one item; who was there before has tastes."""
    early = AS_OF - timedelta(days=10)
    events = [each for each in taste_log(np.random.default_rng(9)) if each[3] < early]
    known = sorted({user for user, *_ in events})[:40]
    for user in [*known, *(f"s{at:03}" for at in range(200))]:
        events += [(user, f"i{at:02}", "view", AS_OF - timedelta(days=1)) for at in (58, 59)]
    many = replace(SETTINGS, least_judged=500)
    choice = choose(tmp_path, events, many)
    assert set(choice.ndcg) == {"last event"}
    assert not choice.held
    assert choice.weights["popular"] < max(choice.weights["als"], choice.weights["graph"])
    only = choose(tmp_path / "only", events, replace(many, protocol="by time"))
    assert only.held
    assert "too few users" in only.why


@pytest.mark.parametrize("sample", [40, 10_000])
def test_a_bounded_sample_of_users_is_learnt_from(tmp_path: Path, sample: int) -> None:
    few = replace(SETTINGS, n_users=sample, least_judged=50)
    choice = choose(tmp_path, taste_log(np.random.default_rng(7)), few)
    assert max(choice.n_judged.values(), default=0) <= sample


def leave(root: Path, generation: int, days: int, choice: Choice, outcome: str) -> None:
    run = Run("shop", generation, AS_OF - timedelta(days=days), root)
    run.path("choice.json").write_bytes(choice.evidence.read_bytes())
    manifest = Manifest(generation, run.as_of.isoformat(), digest="d", gates={"lists": outcome})
    run.path("manifest.json").write_bytes(manifest.to_json())


def test_the_choice_of_the_night_before_is_found(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log: Callable[[int], list[Event]] = lambda seed: taste_log(np.random.default_rng(seed))  # noqa: E731
    choice = choose(tmp_path_factory.mktemp("choice"), log(8))
    tonight = Run("shop", 9, AS_OF, tmp_path)
    assert last_choice(tonight) is None
    for generation, days, outcome in ((1, 3, "pass"), (2, 2, "warn"), (3, 1, "block")):
        leave(tmp_path, generation, days, choice, outcome)
    found = last_choice(tonight)
    assert found is not None
    assert found.evidence == tmp_path / "shop/2/choice.json"
    assert replace(found, evidence=choice.evidence) == choice
    again = last_choice(tonight, {2})
    assert again is not None
    assert again.evidence.parent.name == "1"
