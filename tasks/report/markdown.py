"""The report as Markdown with its pictures inside, for Prefect's artifact page."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nightshelf.text import size_text
from tasks.report.charts import Picture
from tasks.report.choice import choice_tables, choice_text
from tasks.report.drift import DRIFT_HEADS, drift_rows, drift_text
from tasks.report.experiments import experiment_tables
from tasks.report.figures import INPUT_NAMES, QUALITY, REACH, RULES, table_of
from tasks.report.quality import HEADS, new_items, offline_quality, offline_quality_rows
from tasks.report.text import (
    GATE_HEADS,
    count,
    duration,
    gate_rows,
    instant,
    measured_on,
    saved,
    training,
    type_counts,
    words,
)

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
    total = sum(line["seconds"] for line in facts["steps"])
    headline = [
        (row["figure"], row["value"], row["target"], "✓ met" if row["met"] else "✗ **missed**")
        for row in facts["headline"]
    ]
    figures = ("Figure", "Value", "Good", "What it says")
    parts = [
        f"# {escape(night['namespace'])}, generation {night['generation']}: "
        f"{escape(words(night['state']))}",
        f"Events up to {instant(night['as_of'])}.",
        f"**Blocked**: {escape(facts['blocked_by'])}." if facts["blocked_by"] else "",
        "## Warnings" if facts["warnings"] else "",
        "\n".join(f"- {escape(warning)}" for warning in facts["warnings"]),
        _table(("Figure", "Value", "Target", ""), headline, escaped=True),
        "## Tonight's blend",
        *map(escape, choice_text(facts["choice"])),
        *(
            f"**{each.caption}**\n\n{_table(each.heads, each.rows)}"
            for each in choice_tables(facts["choice"])
        ),
        "## Models and experiments" if facts["models"] or facts["variants"] else "",
        *(
            f"**{each.caption}**\n\n{_table(each.heads, each.rows)}"
            for each in experiment_tables(facts)
        ),
        "## The gates",
        _table(GATE_HEADS, gate_rows(facts["gates"])),
        "## The lists",
        *_images(pictures[:3]),
        _table(figures, table_of(facts["lists"], QUALITY)),
        _table(figures, table_of(facts["lists"], REACH)),
        escape(new_items(facts["lists"], facts["offline_quality"])),
        _table(figures, table_of(facts["lists"], RULES)),
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
        _table(
            ("Step", "Took"),
            [(words(line["step"]), duration(line["seconds"])) for line in facts["steps"]]
            + [("all", duration(total))],
        ),
        escape(measured_on(memory)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


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
