"""The trace against the definition of a list, against `rank`, and against implicit's reasons."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from implicit.cpu.als import AlternatingLeastSquares
from redis import Redis
from threadpoolctl import threadpool_limits

from tasks.artifacts.factors import Factors
from tasks.errors import RunFolderError
from tasks.explain.saved_model import Night, load_night
from tasks.explain.trace import Person, Place, Rival, Step, steps_of, trace
from tasks.models.als.explain import Explainer
from tasks.models.als.settings import TrainSettings
from tasks.models.als.train import Loss, confidence
from tasks.models.base import NOTHING, Histories
from tasks.recommend.exact_search import rank
from tasks.recommend.settings import TopNSettings
from tests.nightshelf_ops.night import MODEL_SETTINGS, USERS, make_night
from tests.tasks.models.test_explain import strengths
from tests.tasks.small_models import Problem, als_of, dot, matrix, read_lists, unpacked, walked


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Draw a problem with ties, near ties, and any share of the items unavailable or seen."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_users, n_items = draw(st.integers(1, 3)), draw(st.integers(1, 60))
    k = draw(st.sampled_from([1, 2, 5, 32]))
    kind = draw(st.sampled_from(["grid", "real", "near ties"]))

    def factors(n: int) -> Factors:
        if kind == "grid":
            drawn = rng.choice([-1.0, 0.0, 0.5, 1.0], (n, k))
        elif kind == "near ties":
            drawn = 1 + rng.integers(-3, 4, (n, k)) * 2.0**-23
        else:
            drawn = rng.standard_normal((n, k))
        return drawn.astype(np.float32)

    available, seen = (draw(st.sampled_from([0.0, 0.2, 0.8, 1.0])) for _ in "as")
    return Problem(
        users=factors(n_users),
        items=factors(n_items),
        categories=rng.integers(0, draw(st.sampled_from([1, 3, 40])), n_items).astype(np.int32),
        available=rng.random(n_items) < available,
        seen=[set(np.flatnonzero(rng.random(n_items) < 1 - seen)) for _ in range(n_users)],
        unknown=draw(st.sampled_from([None, 0])),
    )


TRAINING = TrainSettings()


def night_of(problem: Problem, rules: TopNSettings, training: TrainSettings = TRAINING) -> Night:
    """Make a night of a problem, in which nobody has a history."""
    users = pa.array([f"u{at}" for at in range(len(problem.users))])
    nothing = matrix([{} for _ in problem.users], len(problem.items))
    catalogue = problem.catalogue
    return Night(
        model=als_of(users, catalogue.ids, problem.users, problem.items, training),
        catalogue=catalogue,
        seen=problem.seen_matrix,
        histories=Histories(nothing, nothing),
        rules=rules,
        seen_types=("like",),
    )


def places(problem: Problem, user: int, rules: TopNSettings) -> list[Place]:
    """Say by definition what becomes of every item: the walk up to it, taken anew for each."""
    scores = [dot(problem.users[user], item) for item in problem.items]
    seen, categories = problem.seen[user], problem.alike
    names, numbers = problem.catalogue.category_names, problem.categories
    scored = [bool(np.any(item != 0)) for item in problem.items]
    known_to_rank = [at for at in range(len(scores)) if scored[at]]
    shown = [at for at in known_to_rank if problem.available[at] and at not in seen]
    ranked = sorted(shown, key=lambda at: (-scores[at], at))
    limits = (rules.n, rules.page_size, rules.max_per_category)
    listed = walked(ranked, categories, *limits)
    found = []
    for item, score in enumerate(scores):
        known: dict[str, Any] = {"score": score, "category": names[numbers[item]]}
        if listed:
            known["last_score"] = scores[listed[-1]]
        if item not in shown:
            out = "not scored" if problem.available[item] else "unavailable"
            found.append(Place("seen" if item in seen else out, **known))
            continue
        known["rank"] = ranked.index(item) + 1
        before = walked(ranked[: ranked.index(item)], categories, *limits)
        if len(before) == rules.n:
            found.append(Place("below", **known))
            continue
        begun = len(before) // rules.page_size * rules.page_size
        known["page"] = begun // rules.page_size + 1
        if item in listed:
            found.append(Place("listed", position=len(before) + 1, **known))
            continue
        rivals = tuple(
            Rival(f"i{at:05}", position, scores[at])
            for position, at in enumerate(before, 1)
            if position > begun and categories[at] == categories[item]
        )
        found.append(Place("no room", rivals=rivals, **known))
    return found


def stepped(expected: list[Place], ids: list[str]) -> list[Step]:
    """Return the steps by definition: all items by score, to the last that the walk came to."""
    by_score = sorted(range(len(ids)), key=lambda at: (-float(str(expected[at].score)), at))
    walked = [n for n, at in enumerate(by_score) if expected[at].outcome in ("listed", "no room")]
    end = walked[-1] + 1 if walked else len(ids)
    return [
        Step(
            ids[at],
            float(str(expected[at].score)),
            str(expected[at].category),
            expected[at].outcome,
            expected[at].position,
            expected[at].page,
        )
        for at in by_score[:end]
    ]


@hypothesis_settings(max_examples=60)
@given(
    problem=problems(),
    n=st.sampled_from([1, 3, 10, 200]),
    page_size=st.integers(1, 12),
    cap=st.integers(1, 6),
)
def test_every_items_place_is_by_definition(
    problem: Problem, n: int, page_size: int, cap: int
) -> None:
    rules = TopNSettings(n, page_size, cap)
    night = night_of(problem, rules)
    user = len(problem.users) - 1
    expected = places(problem, user, rules)
    ids = problem.catalogue.ids.to_pylist()
    traces = [trace(night, f"u{user}", item) for item in ids]
    found = [place for _, place in traces]
    assert found == expected

    ours = sorted(
        (place.position, item, place.score)
        for item, place in enumerate(expected)
        if place.position is not None
    )
    rankable = problem.catalogue.available & problem.scoring.scored
    catalogue = replace(problem.catalogue, available=rankable)
    blocks = rank(problem.scoring, catalogue, problem.seen_matrix, rules)
    assert [(item, score) for _, item, score in ours] == unpacked(blocks)[user]
    assert list(steps_of(night, f"u{user}")) == stepped(expected, ids)

    outcomes = [place.outcome for place in expected]
    (person,) = {person for person, _ in traces}
    assert person == Person(
        n_history=0,
        n_seen=outcomes.count("seen"),
        n_model_items=len(ids),
        n_unavailable=outcomes.count("unavailable"),
        n_candidates=sum(place.rank is not None for place in expected),
        n_listed=outcomes.count("listed"),
        n_no_room=outcomes.count("no room"),
        seen_types=("like",),
        max_per_category=cap,
        page_size=page_size,
        trades=(),
        n_unscored=outcomes.count("not scored"),
    )
    assert trace(night, f"u{user}", None) == (person, None)


def test_those_who_took_the_room_are_of_its_page_alone() -> None:
    """Two of a category in each page of three: what finds no room on page 2 blames page 2."""
    scores = np.arange(9, 0, -1, dtype=np.float32).reshape(-1, 1)
    categories = np.array([0, 0, 1, 0, 0, 0, 1, 0, 1], np.int32)
    problem = Problem(np.ones((1, 1), np.float32), scores, categories, np.ones(9, bool), [set()])
    night = night_of(problem, TopNSettings(n=6, page_size=3, max_per_category=2))
    _, place = trace(night, "u0", "i00005")
    assert place == Place(
        "no room",
        score=4.0,
        rank=6,
        page=2,
        category="c0",
        last_score=3.0,
        rivals=(Rival("i00003", 4, 6.0), Rival("i00004", 5, 5.0)),
    )


def test_who_and_what_is_not_known() -> None:
    ones = np.ones((2, 1), np.float32)
    problem = Problem(ones, ones, np.zeros(2, np.int32), np.ones(2, bool), [set(), set()])
    night = night_of(problem, TopNSettings())
    assert trace(night, "nobody", "i00000") == (None, None)
    person, place = trace(night, "u1", "nothing")
    assert person is not None
    assert place == Place("not in the model")


@pytest.mark.parametrize("alpha", [0.0, 2.0, 40.0])
def test_contributions_are_those_of_implicit(alpha: float) -> None:
    taken = strengths(20, 30)
    training = TrainSettings(
        factors=6, iterations=10, alpha=alpha, dislikes=1.0, regularization=0.1
    )
    loss = Loss(alpha, 1.0, 0.1, 6)
    with threadpool_limits(1, "blas"):
        als = AlternatingLeastSquares(factors=6, iterations=10, regularization=0.1, random_state=1)
        als.fit(confidence(taken, alpha), show_progress=False)
    problem = Problem(
        als.user_factors,
        als.item_factors,
        np.zeros(30, np.int32),
        np.ones(30, bool),
        [set() for _ in range(20)],
    )
    night = night_of(problem, TopNSettings(n=30, page_size=30, max_per_category=30), training)
    night = replace(night, histories=Histories(taken, taken))
    listed = np.tile(np.arange(30, dtype=np.int32), (20, 1))
    reasons = Explainer.of(taken, als.item_factors, loss)(0, listed, np.full(20, 30))
    n_named = 0
    for user, item in np.ndindex(20, 30):
        _, place = trace(night, f"u{user}", f"i{item:05}")
        assert place is not None
        named = [(int(str(each.item_id)[1:]), each.points) for each in place.because]
        assert [at for at, _ in named[:1]] == [reasons[user, item]][: len(named)]
        assert bool(named) == (reasons[user, item] != NOTHING)
        _, pairs, _ = als.explain(user, confidence(taken, alpha), item, N=30)
        shares = {at: points for at, points in pairs if points > 0}
        largest = sorted(shares.values(), reverse=True)[: len(named)]
        assert [points for _, points in named] == pytest.approx(largest, rel=2e-3, abs=1e-5)
        for (at, points), because in zip(named, place.because, strict=True):
            assert shares[at] == pytest.approx(points, rel=2e-3, abs=1e-5)
            total = sum(shares.values())
            assert because.share == pytest.approx(points / total, rel=5e-3, abs=1e-3)
        n_named += len(named)
    assert n_named > 1_000
    assert all(taken[int(user), :].nnz for user in range(20))


@pytest.mark.parametrize("model", MODEL_SETTINGS)
def test_a_night_on_disk_is_traced_as_its_lists_are(
    redis_client: Redis, tmp_path: Path, model: str
) -> None:
    run = make_night(redis_client, tmp_path, model=model)
    night = load_night(run.folder, model)
    lists = read_lists(run.folder / "lists/lists.parquet")
    codes: set[str] = set()
    for user in USERS:
        mine = lists[user]
        columns = (mine[name] for name in ("item_ids", "scores", "codes", "because"))
        for position, (item, score, code, because) in enumerate(zip(*columns, strict=True), 1):
            person, place = trace(night, user, item)
            assert person is not None
            assert place is not None
            assert person.n_listed == len(mine["item_ids"])
            assert (place.outcome, place.position, place.score) == ("listed", position, score)
            first = place.because[0].item_id if place.because else ""
            named = {"again": item, "because": because, "taste": "", "popular": None}[code]
            assert first == named
            codes.add(code)
    assert codes >= (
        {"because"} if model == "graph" else {"again", "because"}
    )  # no item links itself
    assert ("popular" in codes) == (model == "blend")
    person, place = trace(night, "done", "i00")
    assert person is not None
    assert (person.n_candidates, person.n_listed) == (0, 0)
    assert place is not None
    assert (place.outcome, place.last_score) == ("seen", None)
    assert trace(night, "mute", None) == (None, None)
    for item, outcome in {"i18": "unavailable", "i19": "not in the model"}.items():
        _, place = trace(night, "u00", item)
        assert place is not None
        assert place.outcome == outcome


@pytest.fixture(scope="module")
def whole(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder, whole."""
    with Redis.from_url(redis_url) as client:
        return make_night(client, tmp_path_factory.mktemp("runs")).folder


NEEDED = [
    "settings.json",
    "model/als/settings.json",
    "model/als/user_factors.parquet",
    "model/als/item_factors.parquet",
    "features/items.parquet",
    "features/seen.npz",
    "features/interactions.npz",
    "features/recent.npz",
    "model/als/facts.json",
    "model/als/links.npz",
    "model/als/profiles.npz",
]


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "other"])
def test_a_folder_that_is_half_or_damaged(
    whole: Path, tmp_path: Path, name: str, damage: str
) -> None:
    for path in NEEDED:
        copy = tmp_path / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((whole / path).read_bytes())
    load_night(tmp_path, "als")
    content = (whole / name).read_bytes()
    if damage == "gone":
        (tmp_path / name).unlink()
    else:
        left = {"empty": b"", "cut": content[: len(content) // 2], "other": b"[]"}[damage]
        (tmp_path / name).write_bytes(left)
    with pytest.raises(RunFolderError) as refused:
        load_night(tmp_path, "als")
    assert (f"{tmp_path} lacks {name}" if damage == "gone" else str(tmp_path)) in str(refused.value)


@pytest.mark.parametrize("made", [True, False])
def test_a_folder_that_is_none(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "1"
    if made:
        folder.mkdir()
    with pytest.raises(RunFolderError, match=r"lacks settings\.json"):
        load_night(folder, "als")


def test_settings_of_a_later_version_are_passed_over(whole: Path, tmp_path: Path) -> None:
    for path in NEEDED:
        copy = tmp_path / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((whole / path).read_bytes())
    settings = json.loads((whole / "settings.json").read_text())
    settings["topn"]["to_come"] = 1
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    assert load_night(tmp_path, "als").rules == load_night(whole, "als").rules
    assert sp.issparse(load_night(tmp_path, "als").seen)
