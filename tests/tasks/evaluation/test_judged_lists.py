"""Lists of judged users: those of the night, of a file and of the definition; and their hits."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.artifacts.records import Made
from tasks.artifacts.scoring import Scoring
from tasks.evaluation.judged_lists import (
    Audience,
    Listed,
    audience_of,
    file_lists,
    filled,
    hits_of,
    model_lists,
    popular_lists,
    unruled,
)
from tasks.evaluation.protocols import Split, by_time
from tasks.models.registry import MODELS
from tasks.pipeline import Pipeline
from tasks.recommend.settings import TopNSettings
from tasks.runs.run_folder import Run
from tests.tasks.evaluation.test_backtest import DAYS, RECIPE, random_log
from tests.tasks.small_models import AS_OF, make_log, read_lists

RULE = TopNSettings(n=12, page_size=4, max_per_category=2)
STRANGERS = [("new1", "i00", "view", AS_OF), ("new2", "i01", "view", AS_OF)]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Split, Audience, Made]:
    run = Run("shop", 1, AS_OF, tmp_path_factory.mktemp("night"))
    items = {f"i{at:02}": {"category": f"c{at % 5}"} for at in range(30)}
    log = make_log(run, [*random_log(0), *STRANGERS], items)
    split = by_time(run, log, RECIPE.features, DAYS, 1_000)
    pipeline = Pipeline(split.run, split.known, replace(RECIPE, topn=RULE, similar=None))
    made = pipeline.whole()
    return split, audience_of(split, made.features, RECIPE.features, RECIPE.popularity), made


def scoring_of(made: Made) -> Scoring:
    model = MODELS[made.default].kind.load(made.model.settings.parent)
    return Scoring(model.users, model.items)


def named(audience: Audience, lists: Listed) -> dict[str, list[str]]:
    ids = audience.catalogue.ids.to_pylist()
    users = audience.user_ids.to_pylist()
    return {
        user: [ids[item] for item in row if item >= 0]
        for user, row in zip(users, lists.tolist(), strict=True)
    }


def test_known_users_get_the_nights_own_lists_and_strangers_the_popular_one(
    night: tuple[Split, Audience, Made],
) -> None:
    _, audience, made = night
    scoring = scoring_of(made)
    got = named(audience, model_lists(audience, scoring, RULE))
    own, popular = (read_lists(lists.path) for lists in (made.own, made.popular))
    strangers = set(got) - set(own)
    assert strangers == {"new1", "new2"}
    for user, items in got.items():
        row = popular["all"] if user in strangers else own[user]
        assert items == row["item_ids"], user


def test_lists_of_a_file_are_read_by_user(night: tuple[Split, Audience, Made]) -> None:
    _, audience, made = night
    own, popular = read_lists(made.own.path), popular_lists(audience, RULE)
    lists = file_lists(audience, made.own.path, RULE.n)
    for user, items in named(audience, lists).items():
        assert items == own.get(user, {"item_ids": []})["item_ids"]
    whole = named(audience, filled(lists, popular))
    assert all(items == own[user]["item_ids"] for user, items in whole.items() if user in own)
    assert whole["new1"] == named(audience, popular)["new1"] != []
    assert file_lists(audience, made.own.path, 3).tolist() == lists[:, :3].tolist()


def test_lists_by_score_alone_are_those_of_a_sort(night: tuple[Split, Audience, Made]) -> None:
    _, audience, made = night
    scoring = scoring_of(made)
    got = model_lists(audience, scoring, unruled(RULE))
    seen, known = audience.seen.toarray() != 0, audience.known.tolist()
    scores = scoring.users.astype(np.float64) @ scoring.items.T.astype(np.float64)
    for user in known:
        allowed = np.flatnonzero(~seen[user] & audience.catalogue.available)
        best = allowed[np.argsort(-scores[audience.rows[user], allowed], kind="stable")]
        assert got[user].tolist()[: len(best)] == best[: RULE.n].tolist()


def test_rules_over_all_lists_change_what_they_are_for(
    night: tuple[Split, Audience, Made],
) -> None:
    _, audience, made = night
    scoring = scoring_of(made)
    capped = replace(RULE, max_item_share=0.3)
    lists = model_lists(audience, scoring, capped)[audience.known]
    n_users = len(audience.known)
    assert np.bincount(lists[lists >= 0]).max() <= 0.3 * n_users
    explored = model_lists(audience, scoring, replace(RULE, explore_slots=2))
    assert explored.tolist() != model_lists(audience, scoring, RULE).tolist()


def test_hits_are_the_relevant_items(night: tuple[Split, Audience, Made]) -> None:
    split, audience, _ = night
    lists = popular_lists(audience, RULE)
    hits, users = hits_of(audience, lists), split.user_ids.to_pylist()
    relevant = {
        (users[row], item)
        for row, item in zip(split.rows.tolist(), split.item_ids.to_pylist(), strict=True)
    }
    for row, (user, items) in enumerate(named(audience, lists).items()):
        expected = [(user, item) in relevant for item in items]
        assert hits[row].tolist()[: len(items)] == expected
        assert not hits[row, len(items) :].any()
    assert hits.any()
    assert audience.n_relevant.sum() == len(relevant)
