"""The rule of the choice, on figures made by hand."""

import numpy as np
import pytest

from tasks.choose.rule import Figures, Objective, Rule, standard_error

RNG = np.random.default_rng(5)
NOISE = RNG.normal(0, 0.1, 400)


def figures(time: float, last: float, noise: float = 1.0) -> Figures:
    """Return figures of 400 users by each protocol around two means, noise common to all."""
    return {"by time": time + noise * NOISE, "last event": last + noise * NOISE}


def test_worth_is_the_mean_over_the_best_of_each_protocol() -> None:
    flat = {"a": figures(0.2, 0.1, 0), "b": figures(0.1, 0.4, 0)}
    objective = Objective.of(flat.values())
    assert objective.tops == {"by time": pytest.approx(0.2), "last event": pytest.approx(0.4)}
    assert objective.worth(flat["a"]) == pytest.approx((1 + 0.25) / 2)
    assert objective.worth(flat["b"]) == pytest.approx((0.5 + 1) / 2)


def test_a_protocol_without_users_has_no_say() -> None:
    none = {"by time": np.zeros(0), "last event": np.array([0.0, 1.0])}
    assert Objective.of([none]).tops == {"last event": 0.5}
    assert Objective.of([none]).worth(none) == 1


def test_the_error_is_that_of_paired_differences_by_stratum() -> None:
    objective = Objective({"by time": 0.5, "last event": 0.25})
    one = {name: RNG.random(50 + 30 * at) for at, name in enumerate(("by time", "last event"))}
    other = {name: each + RNG.normal(0.02, 0.1, len(each)) for name, each in one.items()}
    d, e = (other[name] - one[name] for name in one)
    mean = d.mean() / 0.5 + e.mean() / 0.25
    variance = d.var() / 50 / 0.5**2 + e.var() / 80 / 0.25**2
    assert objective.behind(one, other) == pytest.approx(mean / np.sqrt(variance))
    assert objective.behind(one, one) == 0
    assert objective.behind(figures(0.1, 0.1, 0), figures(0.2, 0.2, 0)) == np.inf


def test_the_simplest_within_one_error_of_the_best_is_taken() -> None:
    spread = RNG.normal(0, 0.1, 400)
    judged = {
        "simple": {"by time": 0.2 + NOISE},
        "near": {"by time": 0.304 + NOISE + spread},
        "best": {"by time": 0.306 + NOISE - spread},
    }
    order = list(judged)
    rule = Rule(Objective.of(judged.values()), judged["simple"])
    assert rule.best(judged.__getitem__, order, None) == "near"
    assert rule.best(judged.__getitem__, order[::-1], None) == "best"
    assert rule.best(judged.__getitem__, order, "best") == "best", "last night's stands"
    assert rule.best(judged.__getitem__, order, "simple") == "near", "unless it is far behind"


def test_of_candidates_none_of_which_is_simpler_the_first_or_else_the_best_is_taken() -> None:
    spread = RNG.normal(0, 0.1, 400)
    spread -= spread.mean()
    judged = {
        "first": {"by time": 0.2 + NOISE},
        "near": {"by time": 0.304 + NOISE + spread},
        "best": {"by time": 0.306 + NOISE - spread},
    }
    rule = Rule(Objective.of(judged.values()), judged["first"])
    order = rule.first_or_by_worth(judged.__getitem__, list(judged))
    assert order == ["first", "best", "near"]
    assert rule.best(judged.__getitem__, order, None) == "best"
    order = rule.first_or_by_worth(judged.__getitem__, ["near", "first", "best"])
    assert rule.best(judged.__getitem__, order, None) == "near"


def test_nothing_under_popularity_is_taken_however_good_it_is_otherwise() -> None:
    judged = {"popular": figures(0.3, 0.1), "fits": figures(0.2, 0.9), "some": figures(0.3, 0.2)}
    rule = Rule(Objective.of(judged.values()), judged["popular"])
    assert rule.objective.worth(judged["fits"]) > rule.objective.worth(judged["some"])
    assert rule.best(judged.__getitem__, list(judged), None) == "some"


def test_a_bucket_has_its_own_choice_only_where_it_is_clear_or_needed() -> None:
    spread = RNG.normal(0, 1, 400)
    common, noisy = (
        figures(0.3, 0.3),
        {n: e + 0.01 + spread - spread.mean() for n, e in figures(0.3, 0.3).items()},
    )
    judged = {"common": common, "noisy": noisy}
    rule = Rule(Objective.of(judged.values()), figures(0.1, 0.1))
    order = ["noisy", "common"]
    assert rule.own(judged.__getitem__, order, "common", None) == "common"
    judged["noisy"] = figures(0.33, 0.33)
    assert rule.own(judged.__getitem__, order, "common", None) == "noisy"
    least = figures(0.31, 0.31)
    judged["noisy"] = {n: e + 0.02 + spread / 10 for n, e in figures(0.3, 0.3).items()}
    assert rule.own(judged.__getitem__, order, "common", None) in order
    needed = Rule(rule.objective, least)
    assert standard_error(common["by time"]) < 0.01
    assert needed.own(judged.__getitem__, order, "common", None) == "noisy"
