"""A readout as one HTML page without scripts, its intervals drawn, and as Markdown."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from tasks.readout.records import Readout
from tasks.readout.tables import Table, tables
from tasks.report.charts import COLOURS, Picture, drawn
from tasks.report.html import figure_html
from tasks.report.markdown import escape as escape_markdown
from tasks.report.text import instant

_TEMPLATE = Path(__file__).parent / "templates" / "readout.html"
_SERVED, _HISTORY, _QUIET = COLOURS
_BAR_IN, _FRAME_IN = 0.3, 0.7
_PERCENT = PercentFormatter(1, decimals=None, symbol=" %")


def to_html(found: Readout, namespace: str) -> str:
    """Return the page; equal readouts give equal bytes."""
    first, *rest = found.sentences or ("Nothing to say",)
    return Template(_TEMPLATE.read_text()).substitute(
        namespace=escape(namespace),
        experiment=escape(found.experiment),
        until=escape(instant(found.until)),
        verdict=escape(first),
        hypothesis=escape(found.hypothesis),
        sentences="".join(f"<li>{escape(each)}.</li>" for each in rest),
        pictures="".join(map(figure_html, pictures(found))),
        tables="".join(map(_table, tables(found))),
    )


def to_markdown(found: Readout, namespace: str) -> str:
    """Return the readout for Prefect's artifact page."""
    parts = [
        f"# {escape_markdown(namespace)}, experiment {escape_markdown(found.experiment)}",
        f"Exposures up to {instant(found.until)}. {escape_markdown(found.hypothesis)}",
        "\n".join(f"- {escape_markdown(each)}" for each in found.sentences),
        *(f"![{escape_markdown(p.alt)}]({p.data_uri})" for p in pictures(found)),
        *map(_markdown_table, tables(found)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def pictures(found: Readout) -> list[Picture]:
    """Draw intervals: of each metric's lift, and of the primary metric by segment and day."""
    metrics = [
        (f"{f.metric}, {f.variant}", f.best.lift, f.best.lift_low, f.best.lift_high)
        for f in found.figures
    ]
    made = [intervals("Lift by metric", "lifts", metrics)]
    for kind, title in (("segment", "By segment (exploratory)"), ("day", "By day (exploratory)")):
        parts = [
            (f"{p.part}, {p.variant}", p.difference, p.low, p.high)
            for p in found.parts
            if p.kind == kind
        ]
        made.append(intervals(title, kind, parts, relative=False))
    return [each for each in made if each is not None]


def intervals(
    title: str,
    name: str,
    rows: Sequence[tuple[str, float | None, float | None, float | None]],
    *,
    relative: bool = True,
) -> Picture | None:
    """Draw an interval a row, and the line of no difference; `None` without any."""
    whole = [
        (label, middle, low, high)
        for label, middle, low, high in rows
        if middle is not None and low is not None and high is not None
    ]
    if not whole:
        return None

    def paint(axes: Axes) -> None:
        at = np.arange(len(whole))
        middles = np.array([row[1] for row in whole])
        ends = np.array([(row[1] - row[2], row[3] - row[1]) for row in whole]).clip(0).T
        axes.axvline(0, color=_QUIET, linewidth=0.8, linestyle=(0, (3, 3)))
        axes.errorbar(middles, at, xerr=ends, fmt="o", color=_SERVED, markersize=4, linewidth=1.4)
        axes.set_yticks(at, [row[0][:26] for row in whole])
        axes.set_ylim(len(whole) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        if relative:
            axes.xaxis.set_major_formatter(_PERCENT)

    said = "; ".join(f"{label}: {low:+.3g} to {high:+.3g}" for label, _, low, high in whole)
    return Picture(title, said, drawn(name, _FRAME_IN + _BAR_IN * len(whole), paint))


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in table.heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    return (
        f"<h2>{escape(table.title)}</h2><p>{escape(table.about)}.</p><div class=scroll><table>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _markdown_table(table: Table) -> str:
    rows = [table.heads, ["---"] * len(table.heads)]
    rows += [[escape_markdown(cell) for cell in row] for row in table.rows]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return f"## {table.title}\n\n{escape_markdown(table.about)}.\n\n" + "\n".join(lines)
