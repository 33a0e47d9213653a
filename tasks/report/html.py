"""The report as one HTML page without scripts or external resources."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from nightshelf.text import size_text
from tasks.report.charts import COLOURS, Picture
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
    percent,
    training,
    type_counts,
    with_warnings,
    words,
)

_TEMPLATE = Path(__file__).parent / "templates" / "report.html"
_FIGURES = ("Figure", "Value", "Good", "What it says")
_FILES = ("File", "Because")
#: Captions of the rules: of lists in Redis, of lists never published.
_RULES = ("Rules, checked on what Redis holds", "Rules, checked on the lists as computed")


def to_html(facts: Mapping[str, Any], pictures: Sequence[Picture]) -> str:
    """Return the page; `facts` is the content of report.json."""
    night, model = facts["night"], facts["model"]
    log, lists, memory = facts["input"], facts["lists"], facts["memory"]
    lorenz, categories, entropies, days, seconds = map(figure_html, pictures)
    return Template(_TEMPLATE.read_text()).substitute(
        namespace=escape(night["namespace"]),
        generation=count(night["generation"]),
        as_of=escape(instant(night["as_of"])),
        state=escape(words(night["state"])),
        state_kind="live" if night["state"] == "live" else "waiting",
        verdict=escape(_verdict(facts)),
        standfirst=escape(_standfirst(facts)),
        warnings=_warnings(facts["warnings"]),
        tiles=_tiles(facts),
        lorenz=lorenz,
        categories=categories,
        entropies=entropies,
        days=days,
        seconds=seconds,
        quality=_table("What the lists are like", _FIGURES, table_of(lists, QUALITY)),
        reach=_table("Whom they reach", _FIGURES, table_of(lists, REACH)),
        new_items=f"<p>{escape(new_items(lists, facts['offline_quality']))}</p>",
        choice=_choice(facts["choice"]),
        experiments=_experiments(facts),
        gates=_table(
            "What a generation must show to go live",
            GATE_HEADS,
            gate_rows(facts["gates"]),
        ),
        rules=_table(_RULES[memory is None], _FIGURES, table_of(lists, RULES)),
        offline_quality=_offline_quality(facts["offline_quality"]),
        drift=_drift(facts["drift"]),
        input=_table(
            "What was read",
            ("Input", "Count"),
            [(INPUT_NAMES[k], count(log[k])) for k in INPUT_NAMES],
        ),
        event_types=_counts("Events by type", "Type", type_counts(log)),
        quarantined=_counts("Quarantine by reason", "Reason", log["quarantined_by_reason"]),
        set_aside=_table("Files set aside", _FILES, log["set_aside"].items()),
        memory=_table(
            "In Redis",
            ("What", "Amount"),
            _amounts(memory) if memory else [],
        ),
        model=_table(
            "The model",
            ("What", "Count"),
            [
                ("Name", model["name"]),
                *((name.title(), count(model[name])) for name in ("factors", "users", "items")),
                ("Training", training(model)),
            ],
        ),
        steps=_table(
            "Steps",
            ("Step", "Took"),
            [(words(line["step"]), duration(line["seconds"])) for line in facts["steps"]],
        ),
        measured_on=escape(measured_on(memory)),
    )


def _amounts(memory: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Keys", count(memory["keys"])),
        ("Bytes", size_text(memory["bytes"])),
        ("Bytes a user", size_text(memory["bytes_a_user"])),
        *((f"Keys of family {k}", count(n)) for k, n in memory["keys_by_family"].items()),
        ("Inactive users without a list", count(memory["inactive_users"])),
        ("Saved on them, about", size_text(memory["bytes_saved"])),
    ]


def _verdict(facts: Mapping[str, Any]) -> str:
    blocks = sum(gate["outcome"] == "block" for gate in facts["gates"])
    if blocks:
        kept = f"Blocked by {blocks} gate{'s' * (blocks > 1)}"
        return with_warnings(kept, facts["warnings"])
    missed = [row["figure"].lower() for row in facts["headline"] if not row["met"]]
    if not missed:
        warns = facts["warnings"]
        return with_warnings("Targets met", warns) if warns else "Every target met"
    return with_warnings(f"{' and '.join(missed).capitalize()} off target", facts["warnings"])


def _standfirst(facts: Mapping[str, Any]) -> str:
    log, lists = facts["input"], facts["lists"]
    why = facts["blocked_by"]
    blocked = f"{why[0].upper()}{why[1:]}. " if why else ""
    return (
        f"{blocked}{count(log['events'])} events became {count(lists['n_lists'])} personal lists "
        f"that show {count(lists['n_distinct'])} different items. "
        f"{count(lists['n_fallback'])} of {count(lists['n_users'])} known users get a fallback, "
        f"and {count(log['quarantined'])} bad rows were quarantined."
    )


def _warnings(warnings: Sequence[str]) -> str:
    """Return the warnings as a list, or an empty string."""
    rows = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
    return f'<div class="warnings"><b>Warnings</b><ul>{rows}</ul></div>' if rows else ""


def _choice(choice: Mapping[str, Any] | None) -> str:
    said = "".join(f"<p>{escape(text)}</p>" for text in choice_text(choice))
    tables = [_table(*each, kind="numbers") for each in choice_tables(choice)]
    return said + "".join(tables)


def _experiments(facts: Mapping[str, Any]) -> str:
    """Return the section of models and experiments; an empty string where there is neither."""
    tables = "".join(_table(*each, kind="numbers") for each in experiment_tables(facts))
    head = '<h2 id="experiments">Models and experiments</h2>'
    return f'<section aria-labelledby="experiments">{head}{tables}</section>' if tables else ""


def _offline_quality(quality: Mapping[str, Any] | None) -> str:
    rows = offline_quality_rows(quality)
    table = _table("How lists of days ago have done", HEADS, rows) if rows else ""
    return f"<p>{escape(offline_quality(quality))}</p>{table}"


def _drift(drift: Mapping[str, Any] | None) -> str:
    rows = drift_rows(drift)
    table = _table("Distributions, and how far they moved", DRIFT_HEADS, rows) if rows else ""
    return f"<p>{escape(drift_text(drift))}</p>{table}"


def _tiles(facts: Mapping[str, Any]) -> str:
    lists, memory = facts["lists"], facts["memory"]
    marks = {True: ("met", "✓ met"), False: ("missed", "✗ missed")}
    tiles = []
    for row in facts["headline"]:
        kind, mark = marks[row["met"]]
        note = f'<b class="{kind}">{mark}</b> target: {escape(row["target"])}'
        tiles.append(_tile(row["figure"], row["value"], note, kind))
    total = sum(line["seconds"] for line in facts["steps"])
    full = f"of known users; median {count(lists['median_list'])} items, shortest "
    full += f"{count(lists['shortest_list'])}; {percent(lists['fallback_share'])} fall back"
    tiles.append(_tile("Full lists", percent(lists["full_share"]), escape(full)))
    if memory:
        used = f"{size_text(memory['bytes'])} in {count(memory['keys'])} keys"
        tiles.append(_tile("Memory a user", size_text(memory["bytes_a_user"]), escape(used)))
    tiles.append(_tile("The night took", duration(total), f"{len(facts['steps'])} steps"))
    return "\n".join(tiles)


def _tile(name: str, value: str, note: str, kind: str = "plain") -> str:
    """Return a headline figure; `note` is HTML already."""
    return (
        f'<div class="tile {kind}"><dt>{escape(name)}</dt>'
        f"<dd><strong>{escape(value)}</strong><span>{note}</span></dd></div>"
    )


def figure_html(picture: Picture) -> str:
    """Return a picture as part of the page: its colours by theme, its size by the column."""
    svg = picture.svg
    for colour, variable in COLOURS.items():
        svg = svg.replace(colour, f"var({variable})")
    svg = (
        re.sub(r'\s(xmlns(:xlink)?|width|height|version)="[^"]*"', "", svg[: svg.index(">")])
        + (svg[svg.index(">") :])
    )
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(picture.alt)}"', 1)
    return f"<figure><figcaption>{escape(picture.title)}</figcaption>{svg}</figure>"


def _counts(caption: str, name: str, counts: Mapping[str, int]) -> str:
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    return _table(caption, (name, "Count"), [(key, count(number)) for key, number in rows])


def _table(
    caption: str, header: Sequence[str], rows: Iterable[Sequence[str]], kind: str = ""
) -> str:
    """Return a table, each row headed by its first cell; without rows it says so."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    body = body or f'<tr><td colspan="{len(header)}">None.</td></tr>'
    kinds = {_FIGURES: "figures", GATE_HEADS: "figures", HEADS: "figures", _FILES: "files"}
    kinds[DRIFT_HEADS] = "drift"
    kind = kind or kinds.get(tuple(header), "amounts")
    return (
        f'<div class="scroll"><table class="{kind}"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
