"""Each gate at its limit, what it compares with, and what it says when it blocks."""

from dataclasses import replace
from pathlib import Path

import pytest

from tasks.evaluation.backtest import Quality
from tasks.evaluation.drift.compare import Drift, Shift
from tasks.evaluation.gates import GATES, figures, judge
from tasks.evaluation.measure import measure
from tasks.evaluation.settings import GateName, GateSettings
from tasks.recommend.settings import TopNSettings
from tests.tasks.report_night import make_night

NIGHT = {
    "lists": 1_000.0,
    "full_share": 0.9,
    "full_of_fillable": 0.9,
    "filled_share": 0.95,
    "own_share": 0.9,
    "coverage_of_possible": 0.6,
    "unweighed_share": 0.001,
    "coverage": 0.6,
    "diversity": 0.7,
    "ndcg_at_10": 0.08,
    "backtest_days": 7,
    "judged_users": 200,
    **{"choice_ndcg_at_10": 0.08, "choice_days": 7, "choice_users": 200},
    "choice_over_popularity": 1.2,
    "top_item_share": 0.3,
    "quarantined_share": 0.001,
    "events": 50_000.0,
    "events:view": 800.0,
    "events:purchase": 200.0,
}
OFFLINE_QUALITY = {"ndcg_at_10": 0.01, "backtest_days": 7.0, "judged_users": 200.0}
OVERLAP = {"jaccard": 0.5, "rank_biased_overlap": 0.6}
DRIFT = ("feature_drift", "list_drift", "ndcg_trend")
ABSOLUTE = (
    "filled_share",
    "full_share",
    "own_share",
    "coverage",
    "unweighed_share",
    "top_item_share",
    "quarantined_share",
    "over_popularity",
)
STRICT = GateSettings(warn=())
NO_DRIFT = Drift(Path())


def drift(feature_drift: float = 0.5, list_drift: float = 0.5, ndcg_trend: float = 1.0) -> Drift:
    """Distributions that have moved so far, each with one that has not."""
    moves = (("reasons", 0.0), ("shown_by_category", list_drift / 10))
    lists = tuple(Shift(name, psi, 0.1, "mugs", 0.5, 0.25, (), 0.1) for name, psi in moves)
    # Moves more, and as usual.
    features = (
        Shift("days_since_last_event", 0.5, 0.1, "0", 0.4, 0.1, (), 100.0),
        Shift("events_a_user", feature_drift / 10, 0.1, "3", 0.2, 0.1, (), 0.1),
    )
    return Drift(Path(), (4, 5, 6), features, lists, 0.08, ndcg_trend)


def outcomes(change: dict[str, float], settings: GateSettings = STRICT) -> dict[str, str]:
    overlap = {name: change.get(name, value) for name, value in OVERLAP.items()}
    moved = {name: value for name, value in change.items() if name in DRIFT}
    verdict = judge(NIGHT | change, NIGHT, overlap, drift(**moved), settings)
    return {gate.name: gate.outcome for gate in verdict.gates}


def test_a_night_like_the_last_passes_every_gate() -> None:
    assert outcomes({}) == dict.fromkeys(GATES, "pass")


@pytest.mark.parametrize(
    ("gate", "passes", "blocks"),
    [
        ("filled_share", {"filled_share": 0.3}, {"filled_share": 0.29}),
        ("full_share", {"full_of_fillable": 0.5}, {"full_of_fillable": 0.49}),
        ("own_share", {"own_share": 0.1}, {"own_share": 0.09}),
        ("coverage", {"coverage_of_possible": 0.02}, {"coverage_of_possible": 0.019}),
        ("unweighed_share", {"unweighed_share": 0.01}, {"unweighed_share": 0.011}),
        ("lists_ratio", {"lists": 700.0}, {"lists": 699.0}),
        ("full_share_drop", {"full_share": 0.75}, {"full_share": 0.69}),
        ("coverage_ratio", {"coverage": 0.31}, {"coverage": 0.29}),
        ("diversity_ratio", {"diversity": 0.5}, {"diversity": 0.48}),
        ("ndcg_ratio", {"ndcg_at_10": 0.065}, {"ndcg_at_10": 0.063}),
        (
            "choice_ndcg_ratio",
            {"choice_ndcg_at_10": 0.065},
            {"choice_ndcg_at_10": 0.063},
        ),
        (
            "over_popularity",
            {"choice_over_popularity": 1.0},
            {"choice_over_popularity": 0.99},
        ),
        ("jaccard", {"jaccard": 0.05}, {"jaccard": 0.049}),
        ("rank_biased_overlap", {"rank_biased_overlap": 0.05}, {"rank_biased_overlap": 0.049}),
        ("top_item_share", {"top_item_share": 0.95}, {"top_item_share": 0.96}),
        ("quarantined_share", {"quarantined_share": 0.005}, {"quarantined_share": 0.0051}),
        ("events_ratio", {"events": 35_000.0}, {"events": 25_000.0}),
        ("events_ratio", {"events": 80_000.0}, {"events": 100_000.0}),
        ("event_mix_shift", {"events:purchase": 780.0}, {"events:purchase": 3_200.0}),
        ("event_mix_shift", {"events:new": 400.0}, {"events:new": 500.0}),
        ("feature_drift", {"feature_drift": 2.9}, {"feature_drift": 3.1}),
        ("list_drift", {"list_drift": 1.4}, {"list_drift": 1.6}),
        ("ndcg_trend", {"ndcg_trend": 0.95}, {"ndcg_trend": 0.94}),
    ],
)
def test_each_gate_blocks_past_its_limit_and_no_other_does(
    gate: GateName, passes: dict[str, float], blocks: dict[str, float]
) -> None:
    assert outcomes(passes)[gate] == "pass"
    assert outcomes(blocks) == dict.fromkeys(GATES, "pass") | {gate: "block"}
    assert outcomes(blocks, GateSettings(warn=(gate,)))[gate] == "warn"


def test_the_first_night_has_nothing_to_compare_with() -> None:
    verdict = judge(NIGHT, {}, {}, NO_DRIFT, STRICT)
    expected = dict.fromkeys(GATES, "no comparison") | dict.fromkeys(ABSOLUTE, "pass")
    assert {gate.name: gate.outcome for gate in verdict.gates} == expected
    assert not verdict.blocked


@pytest.mark.parametrize(
    ("gate", "absurd"),
    [
        ("filled_share", {"filled_share": 3 / 50, "full_of_fillable": 0.0}),  # lists of three
        ("own_share", {"lists": 0.0, "own_share": 0.0}),  # nobody has a list
        ("coverage", {"coverage_of_possible": 0.001}),
        ("unweighed_share", {"unweighed_share": 0.98}),  # two events in a hundred teach
        ("unweighed_share", {"unweighed_share": 0.054}),  # the sample shop's purchases, renamed
    ],
)
def test_an_absurd_first_night_does_not_go_live(gate: str, absurd: dict[str, float]) -> None:
    verdict = judge(NIGHT | absurd, {}, {}, NO_DRIFT, GateSettings())
    assert [each.name for each in verdict.gates if each.outcome == "block"] == [gate]


@pytest.mark.parametrize(
    "honest",
    [
        # Online Retail, MovieLens latest-small, MovieTweetings 100k, the sample shop
        {"own_share": 0.9897, "coverage_of_possible": 0.5147, "unweighed_share": 0.0},
        {"own_share": 1.0, "coverage_of_possible": 0.1956, "unweighed_share": 0.0},
        {"own_share": 0.964, "coverage_of_possible": 0.1468, "unweighed_share": 0.0},
        # sixty items in four categories: no list is full, half of each is
        {"filled_share": 0.5, "full_of_fillable": 0.0},
    ],
)
def test_an_honest_first_night_goes_live(honest: dict[str, float]) -> None:
    assert not judge(NIGHT | honest, {}, {}, NO_DRIFT, GateSettings()).blocked


def test_where_no_list_could_be_full_none_is_asked_to_be() -> None:
    small = {name: value for name, value in NIGHT.items() if name != "full_of_fillable"}
    outcomes = {gate.name: gate.outcome for gate in judge(small, {}, {}, NO_DRIFT, STRICT).gates}
    assert outcomes["full_share"] == "no comparison"


@pytest.mark.parametrize(
    ("tonight", "live"),
    [
        ({}, OFFLINE_QUALITY),
        (OFFLINE_QUALITY, {}),
        ({}, {}),
        (OFFLINE_QUALITY, OFFLINE_QUALITY | {"backtest_days": 30}),
        (OFFLINE_QUALITY, OFFLINE_QUALITY | {"ndcg_at_10": 0.0}),
        (OFFLINE_QUALITY | {"judged_users": 199}, OFFLINE_QUALITY),
        (OFFLINE_QUALITY, OFFLINE_QUALITY | {"judged_users": 199}),
    ],
)
def test_offline_quality_is_compared_only_with_its_like_and_where_enough_users_judge(
    tonight: dict[str, float], live: dict[str, float]
) -> None:
    bare = {name: figure for name, figure in NIGHT.items() if name not in OFFLINE_QUALITY}
    verdict = judge(bare | tonight, bare | live, OVERLAP, drift(), STRICT)
    outcomes = {gate.name: gate.outcome for gate in verdict.gates}
    assert outcomes == dict.fromkeys(GATES, "pass") | {"ndcg_ratio": "no comparison"}


def test_a_held_choice_is_not_compared() -> None:
    held = {name: figure for name, figure in NIGHT.items() if not name.startswith("choice_")}
    gates = ("choice_ndcg_ratio", "over_popularity")
    for tonight, live, compared in ((held, NIGHT, 0), (NIGHT, held, 1), (held, held, 0)):
        verdict = judge(tonight, live, OVERLAP, drift(), STRICT)
        found = {gate.name: gate.outcome for gate in verdict.gates}
        expected = dict.fromkeys(gates, "no comparison")
        expected |= {"over_popularity": "pass"} if compared else {}
        assert found == dict.fromkeys(GATES, "pass") | expected
    other_days = NIGHT | {"choice_days": 14}
    verdict = judge(other_days, NIGHT, OVERLAP, drift(), STRICT)
    outcomes = {gate.name: gate.outcome for gate in verdict.gates}
    assert outcomes["choice_ndcg_ratio"] == "no comparison"


def test_a_choice_behind_popularity_warns_by_default() -> None:
    behind = NIGHT | {"choice_over_popularity": 0.84}
    verdict = judge(behind, NIGHT, OVERLAP, drift(), GateSettings())
    assert not verdict.blocked
    (warning,) = verdict.warnings()
    assert warning.startswith("Offline quality of the chosen blend (NDCG@10 and a standard error)")
    assert ": 84 %, expected at least 100 % (" in warning


def test_what_was_predicted_is_a_figure_where_it_was_measured(tmp_path: Path) -> None:
    night = make_night(tmp_path, catalogue={}, history={}, lists={})
    metrics = measure(night.run, night.made, TopNSettings())
    blank = Quality(7, "2026-02-22T00:00:00+00:00", tmp_path)
    judged = replace(blank, n_users=3, lists={"ndcg_at_10": 0.25})
    plain = figures(night.clean, night.features, metrics, None)
    assert figures(night.clean, night.features, metrics, blank) == plain
    predicted = {"ndcg_at_10": 0.25, "backtest_days": 7, "judged_users": 3}
    assert figures(night.clean, night.features, metrics, judged) == plain | predicted
    chosen = {"choice_ndcg_at_10": 0.25, "choice_days": 7}
    assert figures(night.clean, night.features, metrics, None, chosen) == plain | chosen


def test_no_lists_at_all_block() -> None:
    empty = dict.fromkeys(NIGHT, 0.0)
    assert judge(empty, NIGHT, {"jaccard": 0.0}, NO_DRIFT, STRICT).blocked


def test_the_reasons_give_figure_and_limit() -> None:
    verdict = judge(NIGHT | {"lists": 500.0, "events": 100_000.0}, NIGHT, OVERLAP, drift(), STRICT)
    assert verdict.blocked
    assert verdict.reasons() == (
        "Number of lists, of the live generation's: 50 %, expected at least 70 %; Events read, "
        "duplicates too, of the live generation's night: 200 %, expected at least 70 % and at "
        "most 160 %"
    )


def test_what_may_help_stands_beside_the_figure() -> None:
    verdict = judge(NIGHT | {"unweighed_share": 0.23}, NIGHT, OVERLAP, drift(), STRICT)
    assert verdict.reasons() == (
        "Events whose type has no weight, and which teach nothing: 23 %, expected at "
        "most 1 % (name the types in [features.weights], with 0 if they are to teach nothing, or "
        "in events.idle)"
    )
    warned = judge(NIGHT | {"top_item_share": 0.96}, NIGHT, OVERLAP, drift(), GateSettings())
    assert warned.warnings() == (
        "Lists that show the most shown item: 96 %, expected at most 95 %",
    )


def test_a_warning_alone_does_not_block() -> None:
    verdict = judge(NIGHT | {"top_item_share": 1.0}, NIGHT, OVERLAP, drift(), GateSettings())
    assert [gate.outcome for gate in verdict.gates if gate.outcome != "pass"] == ["warn"]
    assert not verdict.blocked


def test_drift_warns_by_default_and_names_the_distribution_that_moved_most() -> None:
    moved = drift(feature_drift=4.0, list_drift=5.0, ndcg_trend=0.9)
    verdict = judge(NIGHT, NIGHT, OVERLAP, moved, GateSettings())
    assert not verdict.blocked
    assert verdict.warnings() == (
        "Drift of log and features from the nights before, most in events a user (PSI 0.400; "
        "share of '3' from 10.0 % to 20.0 %): 4 times the usual, expected at most 3 times the "
        "usual",
        "Drift of the lists from the nights before, most in shown by category (PSI 0.500; share of "
        "'mugs' from 25.0 % to 50.0 %): 5 times the usual, expected at most 1.5 times the usual",
        "Offline quality (NDCG@10 and two standard errors), of the median of the nights before: "
        "90 %, expected at least 95 %",
    )
