"""The report's pictures: SVG on a transparent background, legible on light and dark.

Equal numbers give equal bytes. Text stays text, in the page's own font.
"""

import io
import re
import warnings
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from tasks.report.text import words

#: Colour -> CSS variable by which a page replaces it.
COLOURS = {"#c65d3b": "--served", "#5f87ad": "--history", "#82868f": "--quiet"}
_SERVED, _HISTORY, _QUIET = COLOURS
_WIDTH_IN = 4.6
_LABEL_CHARACTERS = 26

_STYLE: dict[Any, Any] = {
    "date.converter": "concise",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a category may be called "$5 or less"
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": _QUIET,
    "axes.edgecolor": _QUIET,
    "axes.labelcolor": _QUIET,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _QUIET,
    "ytick.color": _QUIET,
    "legend.frameon": False,
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True)
class Picture:
    """A picture: its title, its alternative text, and its SVG."""

    title: str
    alt: str
    svg: str

    @property
    def data_uri(self) -> str:
        """The SVG for an `<img>` or a Markdown image."""
        return "data:image/svg+xml;base64," + b64encode(self.svg.encode()).decode()


def all_pictures(curves: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> list[Picture]:
    """Draw the pictures of a report from `curves.json` and the journal, in their order."""
    return [
        exposure(curves["lorenz"]),
        categories(curves["categories"]),
        entropies(curves["entropies"]),
        days(curves["days"]),
        seconds(steps),
    ]


def exposure(lorenz: Mapping[str, Any]) -> Picture:
    """Draw the Lorenz curves of exposure and of popularity."""
    served, history = lorenz["exposure"], lorenz["popularity"]

    def paint(axes: Axes) -> None:
        x = np.linspace(0, 1, len(served["values"]))
        axes.plot([0, 1], [0, 1], color=_QUIET, linewidth=0.8, linestyle=(0, (3, 3)))
        label = f"what users took (Gini {history['gini']:.2f})"
        axes.plot(x, history["values"], color=_HISTORY, linewidth=1.6, label=label)
        label = f"what the lists show (Gini {served['gini']:.2f})"
        axes.plot(x, served["values"], color=_SERVED, linewidth=2.2, label=label)
        axes.fill_between(x, x, served["values"], color=_SERVED, alpha=0.1, linewidth=0)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.set_xlabel("items, from the least to the most shown")
        axes.set_ylabel("share of all places")
        axes.xaxis.set_major_formatter(_PERCENT)
        axes.yaxis.set_major_formatter(_PERCENT)
        axes.legend(loc="upper left")

    return Picture(
        "Who gets the places",
        f"Lorenz curves: Gini {served['gini']:.2f} for what the lists show, "
        f"{history['gini']:.2f} for what users took; the dashed diagonal is perfect equality.",
        drawn("exposure", 3.2, paint),
    )


def categories(rows: Sequence[Mapping[str, Any]]) -> Picture:
    """Draw each category's share of the history and of the lists."""

    def paint(axes: Axes) -> None:
        at = np.arange(len(rows))
        shares = {name: [row[name] for row in rows] for name in ("served", "history")}
        axes.barh(at - 0.19, shares["history"], 0.36, color=_HISTORY, label="what users took")
        axes.barh(at + 0.19, shares["served"], 0.36, color=_SERVED, label="what the lists show")
        axes.set_yticks(at, [_label(row["name"]) for row in rows])
        axes.xaxis.set_major_formatter(_PERCENT)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
        _bars(axes)

    shares = "; ".join(
        f"{row['name']}: {row['history']:.0%} taken, {row['served']:.0%} shown" for row in rows[:3]
    )
    return Picture(
        "Categories: taken and shown",
        f"Share of what users took beside share of what the lists show. {shares or 'None'}.",
        drawn("categories", max(1.6, 0.34 * len(rows) + 0.6), paint),
    )


def entropies(bins: Sequence[int]) -> Picture:
    """Draw the histogram of the lists' category entropy."""
    at = np.linspace(0, 1, len(bins) + 1)

    def paint(axes: Axes) -> None:
        axes.bar(at[:-1], bins, width=np.diff(at) * 0.9, align="edge", color=_SERVED)
        axes.set_xlim(0, 1)
        axes.set_xlabel("category entropy: 0 one category, 1 as even as can be")
        axes.set_ylabel("lists")
        axes.yaxis.set_major_formatter(_COUNT)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))

    above = sum(count for count, left in zip(bins, at[:-1], strict=True) if left >= 0.7 - 1e-9)
    return Picture(
        "How diverse each list is",
        f"Histogram of category entropy over {sum(bins):,} lists; {above:,} of them reach 0.7.",
        drawn("entropies", 2.6, paint),
    )


def days(curve: Mapping[str, Any]) -> Picture:
    """Draw the events a day over the whole log."""
    step, events = curve["days_a_point"], curve["events"]

    def paint(axes: Axes) -> None:
        if events:
            first = np.datetime64(curve["first"], "D")
            x = first + np.arange(len(events)) * np.timedelta64(step, "D")
            axes.fill_between(x, events, color=_HISTORY, alpha=0.2, linewidth=0)
            axes.plot(x, events, color=_HISTORY, linewidth=1.4)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("events a day" if step == 1 else f"events a day, mean of {step} days")
        axes.yaxis.set_major_formatter(_COUNT)

    alt = "The log is empty."
    if events:
        alt = f"From {curve['first']} to {curve['last']}, at most {max(events):,.0f} events a day."
    return Picture("The log, day by day", alt, drawn("days", 2.6, paint))


def seconds(steps: Sequence[Mapping[str, Any]]) -> Picture:
    """Draw the seconds of each step."""

    def paint(axes: Axes) -> None:
        bars = axes.barh(np.arange(len(steps)), [line["seconds"] for line in steps], color=_HISTORY)
        axes.bar_label(bars, [f"{line['seconds']:,.1f} s" for line in steps], padding=3)
        axes.set_yticks(np.arange(len(steps)), [_label(words(line["step"])) for line in steps])
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
        axes.margins(x=0.15)
        _bars(axes)

    slowest = max(steps, key=lambda line: line["seconds"], default=None)
    alt = "No step has been noted."
    if slowest:
        alt = f"The slowest step is {words(slowest['step'])}, {slowest['seconds']:,.1f} seconds."
    height = max(1.6, 0.26 * len(steps) + 0.3)
    return Picture("Where the night went", alt, drawn("seconds", height, paint))


_PERCENT = PercentFormatter(1, decimals=0, symbol=" %")
_COUNT = FuncFormatter(lambda value, _: f"{value:,.0f}")


def _bars(axes: Axes) -> None:
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _label(text: str) -> str:
    """Return a label cut to fit, without characters that XML refuses."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return plain if len(plain) <= _LABEL_CHARACTERS else plain[: _LABEL_CHARACTERS - 1] + "…"


def drawn(name: str, height_in: float, paint: Callable[[Axes], None]) -> str:
    """Return a picture as SVG; `name` makes its inner ids unique on the page."""
    with rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # The page's fonts may have glyphs that the measuring one lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
        paint(figure.subplots())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    return re.sub(r'<g id="[^"]*"', "<g", svg)
