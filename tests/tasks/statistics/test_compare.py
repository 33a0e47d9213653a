"""Comparisons against scipy, statsmodels and users resampled or regressed one by one."""

import numpy as np
import pytest
from scipy.stats import ttest_ind
from statsmodels.api import OLS
from statsmodels.stats import proportion
from statsmodels.stats.multitest import multipletests

from tasks.statistics.compare import adjusted, compare
from tasks.statistics.metrics import Measure
from tasks.statistics.moments import Moments
from tests.tasks.statistics.users import moments_of

CONVERSION = Measure("conversion", "proportion", "converted", "pre_converted")
CTR = Measure("ctr", "ratio", "clicks", "pre_clicks", "shown", "pre_shown")
REVENUE = Measure("revenue", "mean", "revenue", "pre_revenue")


def some_users(seed: int, n: int, lift: float = 0.0) -> dict[str, np.ndarray]:
    """Return users whose clicks depend on each other, and whose past tells of their present."""
    rng = np.random.default_rng(seed)
    taste = rng.gamma(2.0, 0.5, n)
    shown, pre_shown = (rng.poisson(12, n) + 1 for _ in range(2))
    converted = rng.random(n) < 0.05 * taste * (1 + lift)
    pre_converted = rng.random(n) < 0.05 * taste
    pre_revenue = np.rint(100 * pre_converted * rng.gamma(2, 20, n) * taste).astype(int)
    return {
        "shown": shown,
        "clicks": rng.binomial(shown, np.minimum(0.9, 0.1 * taste * (1 + lift))),
        "converted": converted,
        "revenue": np.rint(100 * taste * rng.gamma(2, 20, n) * converted).astype(int),
        "pre_shown": pre_shown,
        "pre_clicks": rng.binomial(pre_shown, np.minimum(0.9, 0.1 * taste)),
        "pre_converted": pre_converted,
        "pre_revenue": pre_revenue,
    }


A, B = some_users(1, 3_000), some_users(2, 2_500, lift=0.2)
CONTROL, TREATMENT = moments_of(**A), moments_of(**B)


def test_a_proportion_is_statsmodels_own() -> None:
    found = compare(CONVERSION, CONTROL, TREATMENT)
    assert found
    counts = (B["converted"].sum(), 2_500, A["converted"].sum(), 3_000)
    judged = proportion.test_proportions_2indep(*counts, method="wald")
    assert found.difference == pytest.approx(judged.diff)
    assert found.p == pytest.approx(judged.pvalue)
    assert (found.low, found.high) == pytest.approx(
        proportion.confint_proportions_2indep(*counts, method="wald")
    )
    assert found.lift == pytest.approx(B["converted"].mean() / A["converted"].mean() - 1)


def test_a_mean_is_welchs() -> None:
    found = compare(REVENUE, CONTROL, TREATMENT)
    judged = ttest_ind(B["revenue"], A["revenue"], equal_var=False)
    assert found
    assert found.p == pytest.approx(judged.pvalue)
    low, high = judged.confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high))


def test_the_error_of_a_ratio_is_that_of_resampled_users() -> None:
    found = compare(CTR, CONTROL, TREATMENT)
    rng = np.random.default_rng(3)

    def ratios(users: dict[str, np.ndarray]) -> np.ndarray:
        n = len(users["shown"])
        times = rng.multinomial(n, np.full(n, 1 / n), size=1_500)
        found: np.ndarray = (times @ users["clicks"]) / (times @ users["shown"])
        return found

    assert found
    assert found.se == pytest.approx((ratios(B) - ratios(A)).std(), rel=0.05)
    naive = np.sqrt(sum(p * (1 - p) / n for p, n in _over_impressions()))
    assert found.se > 1.2 * naive


def _over_impressions() -> list[tuple[float, int]]:
    return [(u["clicks"].sum() / u["shown"].sum(), u["shown"].sum()) for u in (A, B)]


def test_cuped_is_the_regression_on_the_past() -> None:
    plain, found = (compare(REVENUE, CONTROL, TREATMENT, cuped=cuped) for cuped in (False, True))
    both = {name: np.concatenate([A[name], B[name]]) for name in A}
    past = both["pre_revenue"] - both["pre_revenue"].mean()
    slope = OLS(both["revenue"] - both["revenue"].mean(), past).fit().params[0]
    rest = both["revenue"] - slope * past
    a, b = rest[:3_000], rest[3_000:]
    assert plain and found and plain.se and found.se
    assert found.difference == pytest.approx(b.mean() - a.mean())
    assert found.p == pytest.approx(ttest_ind(b, a, equal_var=False).pvalue)


@pytest.mark.parametrize("metric", [CONVERSION, CTR, REVENUE])
def test_cuped_narrows_where_the_past_tells_of_the_present(metric: object) -> None:
    plain = compare(metric, CONTROL, TREATMENT)  # type: ignore[arg-type]
    found = compare(metric, CONTROL, TREATMENT, cuped=True)  # type: ignore[arg-type]
    assert plain and found and plain.se and found.se
    assert found.se < plain.se


def test_figures_that_do_not_exist_are_none() -> None:
    nothing = {name: np.zeros(50, int) for name in A}
    none = moments_of(**nothing)
    assert compare(CTR, none, CONTROL) is None
    assert compare(REVENUE, Moments(), CONTROL) is None
    assert compare(REVENUE, none, none, cuped=True) is None
    found = compare(CONVERSION, none, CONTROL)
    assert found and found.lift is None and found.p is not None
    still = compare(CONVERSION, none, none)
    assert still and still.p is None and still.se is None and still.difference == 0


def test_adjusted_p_is_holms() -> None:
    ps = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.5}
    expected = multipletests(list(ps.values()), method="holm")[1]
    assert list(adjusted(ps).values()) == pytest.approx(list(expected))
    assert adjusted({}) == {}
