"""Text of the drift: each distribution against the nights before."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.report.quality import figure
from tasks.report.text import percent, words

DRIFT_HEADS = ("Distribution", "PSI", "Usual", "Nights", "What moved most", "Jensen-Shannon")
_BARS = "▁▂▃▄▅▆▇█"
#: The index that fills a bar: by custom a shift that is large.
_FULL = 0.25


def drift_text(drift: Mapping[str, Any] | None) -> str:
    """Describe the comparison of distributions and of offline quality.

    >>> drift_text(None)
    'Nothing was compared with the nights before: only nights that are published are.'
    """
    if drift is None:
        return "Nothing was compared with the nights before: only nights that are published are."
    n = len(drift["nights"])
    if not drift["features"]:
        return f"Not compared with the nights before: {n} of them passed their gates, 3 are needed."
    trend = ""
    if drift["ndcg_trend"] is not None:
        trend = f" Their median NDCG@10 is {figure(drift['ndcg_median'])}; tonight's, with two "
        trend += f"standard errors on top, is {percent(drift['ndcg_trend'])} of it."
    return (
        f"Compared with the {n} last nights that passed their gates, taken together. PSI "
        "(population stability index) and Jensen-Shannon distance are 0 where a distribution is as "
        f"it was; usual is the highest PSI of the nights before, at least 0.025.{trend}"
    )


def drift_rows(drift: Mapping[str, Any] | None) -> list[tuple[str, ...]]:
    """Return rows of a distribution, its index tonight and in the nights before, and its move."""
    if drift is None:
        return []
    return [
        (
            words(shift["name"]).replace(":", ": "),
            f"{shift['psi']:.3f}",
            f"{shift['usual']:.3f}",
            sparkline([*shift["past"], shift["psi"]]),
            f"{shift['moved']}: {percent(shift['before'])} before, {percent(shift['tonight'])}",
            f"{shift['js']:.3f}",
        )
        for shift in sorted([*drift["features"], *drift["lists"]], key=_by_move)
    ]


def sparkline(values: Sequence[float]) -> str:
    """Draw an index a night as bars, the highest from 0.25 on.

    >>> sparkline([0.0, 0.05, 0.12, 0.9])
    '▁▂▄█'
    """
    return "".join(_BARS[min(int(value / _FULL * len(_BARS)), len(_BARS) - 1)] for value in values)


def _by_move(shift: Mapping[str, Any]) -> tuple[float, str]:
    """Order by the index over the usual, the highest first."""
    return -shift["psi"] / shift["usual"], shift["name"]
