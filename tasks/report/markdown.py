"""The report as Markdown with its pictures inside, for Prefect's artifact page."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nightshelf.text import size_text
from tasks.report import tables
from tasks.report.charts import Picture
from tasks.report.choice import choice_tables, choice_text
from tasks.report.drift import DRIFT_HEADS, drift_rows, drift_text
from tasks.report.experiments import experiment_tables
from tasks.report.figures import INPUT_NAMES, QUALITY, REACH, RULES, table_of
from tasks.report.quality import HEADS, new_items, offline_quality, offline_quality_rows
from tasks.report.samples import sample_title
from tasks.report.tables import Table
from tasks.report.text import (
    GATE_HEADS,
    count,
    gate_rows,
    instant,
    measured_on,
    saved,
    training,
    type_counts,
    words,
)
from tasks.report.trends import trend_table

_SPECIAL = re.compile(r"([\\`*_\[\]!|~$])")


def escape(text: object) -> str:
    r"""Escape text for Markdown, inside a table too.

    >>> escape("a|b\n<i>")
    'a\\|b &lt;i&gt;'
    """
    flat = " ".join(str(text).split())
    plain = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", plain)


def to_markdown(facts: Mapping[str, Any], pictures: Sequence[Picture]) -> str:
    """Return the report; `facts` is the content of report.json."""
    night, log, memory = facts["night"], facts["input"], facts["memory"]
    headline = [
        (row["figure"], row["value"], row["target"], "✓ met" if row["met"] else "✗ **missed**")
        for row in facts["headline"]
    ]
    figures = ("Figure", "Value", "Good", "What it says")
    parts = [
        f"# {escape(night['namespace'])}, generation {night['generation']}: "
        f"{escape(words(night['state']))}",
        escape(facts["prediction"]["sentence"]),
        f"Events up to {instant(night['as_of'])}.",
        f"**Blocked**: {escape(facts['blocked_by'])}." if facts["blocked_by"] else "",
        "## Warnings" if facts["warnings"] else "",
        "\n".join(f"- {escape(warning)}" for warning in facts["warnings"]),
        _table(("Figure", "Value", "Target", ""), headline, escaped=True),
        "## What people will see",
        *(part for sample in facts["samples"] for part in _sample(sample)),
        "## The items",
        captioned(tables.most_table(facts)),
        captioned(tables.newly_table(facts)),
        captioned(tables.category_table(facts)),
        "## The last generations",
        _table(*trend_table(facts["trends"])),
        "## Tonight's blend",
        *map(escape, choice_text(facts["choice"])),
        *map(captioned, choice_tables(facts["choice"])),
        "## Models and experiments" if facts["models"] or facts["variants"] else "",
        *map(captioned, experiment_tables(facts)),
        "## The gates",
        _table(GATE_HEADS, gate_rows(facts["gates"])),
        "## The lists",
        *_images(pictures[:3]),
        _table(figures, table_of(facts["lists"], QUALITY)),
        _table(figures, table_of(facts["lists"], REACH)),
        captioned(tables.segment_table(facts)),
        escape(new_items(facts["lists"], facts["offline_quality"])),
        _table(figures, table_of(facts["lists"], RULES)),
        captioned(tables.cost_table(facts)),
        escape(offline_quality(facts["offline_quality"])),
        _table(HEADS, offline_quality_rows(facts["offline_quality"])),
        "## Against the nights before",
        escape(drift_text(facts["drift"])),
        _table(DRIFT_HEADS, drift_rows(facts["drift"])),
        "## The log",
        *_images(pictures[3:4]),
        _table(("Input", "Count"), [(INPUT_NAMES[key], count(log[key])) for key in INPUT_NAMES]),
        _counts("Event type", type_counts(log)),
        _counts("Quarantined because", log["quarantined_by_reason"]),
        _table(("File set aside", "Because"), log["set_aside"].items()),
        "## Model and memory",
        f"{facts['model']['name']} with {count(facts['model']['factors'])} factors for "
        f"{count(facts['model']['users'])} users and {count(facts['model']['items'])} items, "
        f"{training(facts['model'])}.",
        f"{count(memory['keys'])} keys, {size_text(memory['bytes'])}: "
        f"**{size_text(memory['bytes_a_user'])} a user**.{saved(memory)}"
        if memory
        else "",
        _counts("Keys of family", memory["keys_by_family"] if memory else {}),
        "## The night",
        *_images(pictures[4:]),
        captioned(tables.step_table(facts["steps"])),
        escape(measured_on(memory)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def captioned(table: Table | None) -> str:
    """Return a table under its caption; an empty string where there is none, or no rows."""
    if table is None or not table.rows:
        return ""
    return f"**{escape(table.caption)}**\n\n{_table(table.heads, table.rows)}"


def _sample(sample: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sample's user, recent history and list."""
    yield f"**{escape(sample_title(sample))}**"
    names = [row["title"] or row["item_id"] for row in sample["history"]]
    if names:
        yield f"Recently: {escape('; '.join(names))}."
    rows = [
        (str(place), row["title"] or row["item_id"], row["category"] or "-", row["reason"])
        for place, row in enumerate(sample["list"], start=1)
    ]
    yield _table(("Place", "Item", "Category", "Reason"), rows)


def _images(pictures: Iterable[Picture]) -> list[str]:
    return [
        f"**{escape(picture.title)}**\n\n![{escape(picture.alt)}]({picture.data_uri})"
        for picture in pictures
    ]


def _counts(name: str, counts: Mapping[str, int]) -> str:
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    return _table((name, "Count"), [(key, count(number)) for key, number in rows])


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], *, escaped: bool = False) -> str:
    """Return a table, or an empty string without rows."""
    cells = [row if escaped else [escape(cell) for cell in row] for row in rows]
    if not cells:
        return ""
    lines = [header, ["---"] * len(header), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
