"""The report as one HTML page without scripts; only pictures of items are loaded from elsewhere."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from nightshelf.text import size_text
from tasks.report import tables
from tasks.report.charts import COLOURS, Picture
from tasks.report.choice import choice_tables, choice_text
from tasks.report.drift import DRIFT_HEADS, drift_rows, drift_text
from tasks.report.experiments import experiment_tables
from tasks.report.figures import QUALITY, REACH, RULES, table_of
from tasks.report.quality import HEADS, new_items, offline_quality, offline_quality_rows
from tasks.report.samples import sample_title
from tasks.report.tables import Table, count_table
from tasks.report.text import (
    GATE_HEADS,
    count,
    duration,
    gate_rows,
    instant,
    measured_on,
    percent,
    type_counts,
    with_warnings,
    words,
)
from tasks.report.trends import HEIGHT, WIDTH, trend_table, trends_of

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_FIGURES = ("Figure", "Value", "Good", "What it says")
#: Captions of the rules: of lists in Redis, of lists never published.
_RULES = ("Rules, checked on what Redis holds", "Rules, checked on the lists as computed")

Facts = Mapping[str, Any]


def to_html(facts: Facts, pictures: Sequence[Picture]) -> str:
    """Return the page; `facts` is the content of report.json."""
    names = ("lorenz", "categories", "entropies", "days", "seconds")
    return _ENVIRONMENT.get_template("report.html").render(
        night=facts["night"],
        as_of=instant(facts["night"]["as_of"]),
        state=words(facts["night"]["state"]),
        prediction=facts["prediction"],
        verdict=verdict(facts),
        standfirst=standfirst(facts),
        warnings=facts["warnings"],
        tiles=_tiles(facts),
        samples=[sample | {"title": sample_title(sample)} for sample in facts["samples"]],
        trends=trends_of(facts["trends"]),
        trend_size=(WIDTH, HEIGHT),
        n_nights=len(facts["trends"]),
        pictures=dict(zip(names, map(figure_html, pictures), strict=True)),
        paragraphs=_paragraphs(facts),
        tables=_tables(facts),
    )


def _paragraphs(facts: Facts) -> dict[str, Any]:
    return {
        "new_items": new_items(facts["lists"], facts["offline_quality"]),
        "choice": choice_text(facts["choice"]),
        "quality": offline_quality(facts["offline_quality"]),
        "drift": drift_text(facts["drift"]),
        "measured_on": measured_on(facts["memory"]),
    }


def _tables(facts: Facts) -> dict[str, Any]:
    lists, log, memory = facts["lists"], facts["input"], facts["memory"]
    return {
        "trends": Table("The last generations", *trend_table(facts["trends"])),
        "most": tables.most_table(facts),
        "newly": tables.newly_table(facts),
        "categories": tables.category_table(facts),
        "segments": tables.segment_table(facts),
        "costs": tables.cost_table(facts),
        "lists": _figures("What the lists are like", table_of(lists, QUALITY)),
        "reach": _figures("Whom they reach", table_of(lists, REACH)),
        "rules": _figures(_RULES[memory is None], table_of(lists, RULES)),
        "quality": Table(
            "How lists of days ago have done",
            HEADS,
            offline_quality_rows(facts["offline_quality"]),
            "figures",
        ),
        "choice": list(choice_tables(facts["choice"])),
        "experiments": list(experiment_tables(facts)),
        "gates": Table(
            "What a generation must show to go live",
            GATE_HEADS,
            gate_rows(facts["gates"]),
            "figures",
        ),
        "drift": Table(
            "Distributions, and how far they moved",
            DRIFT_HEADS,
            drift_rows(facts["drift"]),
            "drift",
        ),
        "input": tables.input_table(log),
        "types": count_table("Events by type", "Type", type_counts(log)),
        "quarantine": count_table("Quarantine by reason", "Reason", log["quarantined_by_reason"]),
        "files": Table(
            "Files set aside", ("File", "Because"), [*log["set_aside"].items()], "names"
        ),
        "memory": tables.memory_table(memory),
        "model": tables.model_table(facts["model"]),
        "steps": tables.step_table(facts["steps"]),
    }


def _figures(caption: str, rows: Sequence[Sequence[str]]) -> Table:
    return Table(caption, _FIGURES, rows, "figures")


def verdict(facts: Facts) -> str:
    """Describe the targets met, or the gates that block, in a few words."""
    blocks = sum(gate["outcome"] == "block" for gate in facts["gates"])
    if blocks:
        kept = f"Blocked by {blocks} gate{'s' * (blocks > 1)}"
        return with_warnings(kept, facts["warnings"])
    missed = [row["figure"].lower() for row in facts["headline"] if not row["met"]]
    if not missed:
        warns = facts["warnings"]
        return with_warnings("Targets met", warns) if warns else "Every target met"
    return with_warnings(f"{' and '.join(missed).capitalize()} off target", facts["warnings"])


def standfirst(facts: Facts) -> str:
    """Describe what the log became, in a sentence or two."""
    log, lists = facts["input"], facts["lists"]
    why = facts["blocked_by"]
    blocked = f"{why[0].upper()}{why[1:]}. " if why else ""
    return (
        f"{blocked}{count(log['events'])} events became {count(lists['n_lists'])} personal lists "
        f"that show {count(lists['n_distinct'])} different items. "
        f"{count(lists['n_fallback'])} of {count(lists['n_users'])} known users get a fallback, "
        f"and {count(log['quarantined'])} bad rows were quarantined."
    )


def _tiles(facts: Facts) -> list[dict[str, Any]]:
    """Return the headline figures: name, value, note, and `met` where there is a target."""
    lists, memory = facts["lists"], facts["memory"]
    tiles = [
        {
            "name": row["figure"],
            "value": row["value"],
            "note": f"target: {row['target']}",
            "met": row["met"],
        }
        for row in facts["headline"]
    ]
    total = sum(line["seconds"] for line in facts["steps"])
    full = f"of known users; median {count(lists['median_list'])} items, shortest "
    full += f"{count(lists['shortest_list'])}; {percent(lists['fallback_share'])} fall back"
    others = [("Full lists", percent(lists["full_share"]), full)]
    if memory:
        used = f"{size_text(memory['bytes'])} in {count(memory['keys'])} keys"
        others.append(("Memory a user", size_text(memory["bytes_a_user"]), used))
    others.append(("The night took", duration(total), f"{len(facts['steps'])} steps"))
    plain = [
        {"name": name, "value": value, "note": note, "met": None} for name, value, note in others
    ]
    return tiles + plain


def figure_html(picture: Picture) -> Markup:
    """Return a picture as part of the page: its colours by theme, its size by the column."""
    svg = picture.svg
    for colour, variable in COLOURS.items():
        svg = svg.replace(colour, f"var({variable})")
    svg = (
        re.sub(r'\s(xmlns(:xlink)?|width|height|version)="[^"]*"', "", svg[: svg.index(">")])
        + (svg[svg.index(">") :])
    )
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(picture.alt)}"', 1)
    caption = f"<figcaption>{escape(picture.title)}</figcaption>"
    return Markup(f"<figure>{caption}{svg}</figure>")  # noqa: S704 - its texts are escaped
