"""Tables of the report's page, in its order within a section."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nightshelf.text import size_text
from tasks.report.costs import COST_HEADS, cost_rows
from tasks.report.figures import INPUT_NAMES
from tasks.report.shown_items import CATEGORY_HEADS, MOST_HEADS, NEWLY_HEADS
from tasks.report.text import count, duration, percent, ratio, training, words

Facts = Mapping[str, Any]
Rows = Sequence[Sequence[str]]

SEGMENT_HEADS = ("Segment", "Users", "Lists", "Fallback only", "Category diversity")
STEP_HEADS = ("Step", "Took", "Peak memory")


class Table(NamedTuple):
    """A table: caption, heads and rows of text; the first column names the row.

    `kind` is its CSS class: "numbers" has numbers from the second column on, "amounts" in the
    second, "names" texts, "figures" a figure with its value, direction and meaning.
    """

    caption: str
    heads: Sequence[str]
    rows: Rows
    kind: str = "numbers"


def most_table(facts: Facts) -> Table:
    """Return the items that most lists show."""
    rows = [
        (
            *_item(row),
            count(row["n_lists"]),
            count(row["n_first"]),
            "-" if row["n_lists_before"] is None else count(row["n_lists_before"]),
        )
        for row in facts["most_recommended"]
    ]
    return Table("Most recommended", MOST_HEADS, rows, "items")


def newly_table(facts: Facts) -> Table:
    """Return items in lists tonight and in none of the generation before."""
    found = facts["newly_recommended"]
    rows = [(*_item(row), count(row["n_lists"]), "new" if row["is_new"] else "") for row in found]
    more = f", {len(found)} of {count(found[0]['n_in_all'])}" if found else ""
    return Table(f"Newly recommended{more}", NEWLY_HEADS, rows, "items")


def category_table(facts: Facts) -> Table:
    """Return the categories with coverage and shares."""
    rows = [
        (
            row["category"] or "none",
            count(row["items"]),
            count(row["shown"]),
            "-" if row["coverage"] is None else percent(row["coverage"]),
            percent(row["share_of_places"]),
            percent(row["share_of_events"]),
        )
        for row in facts["categories"]
    ]
    return Table("Coverage by category", CATEGORY_HEADS, rows)


def segment_table(facts: Facts) -> Table | None:
    """Return the segments; none where no user has one."""
    if not any(row["segment"] for row in facts["segments"]):
        return None
    rows = [
        (
            row["segment"] or "no segment",
            count(row["users"]),
            count(row["lists"]),
            percent(row["fallback_share"]),
            "-" if row["diversity"] is None else ratio(row["diversity"]),
        )
        for row in facts["segments"]
    ]
    return Table("By the users' segment", SEGMENT_HEADS, rows)


def cost_table(facts: Facts) -> Table | None:
    """Return the costs of the rules; none where nothing was measured."""
    rows = cost_rows(facts["rule_costs"])
    return Table("Costs of the rules", COST_HEADS, rows, "costs") if rows else None


def step_table(steps: Sequence[Facts]) -> Table:
    """Return the steps with seconds and peak memory, and their sum and highest."""
    peaks = [line.get("peak_bytes") for line in steps]
    rows = [
        (words(line["step"]), duration(line["seconds"]), _size(peak))
        for line, peak in zip(steps, peaks, strict=True)
    ]
    total = sum(line["seconds"] for line in steps)
    highest = max((peak for peak in peaks if peak), default=None)
    rows.append(("all", duration(total), _size(highest)))
    return Table("Steps", STEP_HEADS, rows)


def input_table(log: Facts) -> Table:
    """Return the counts of what was read."""
    rows = [(INPUT_NAMES[name], count(log[name])) for name in INPUT_NAMES]
    return Table("What was read", ("Input", "Count"), rows, "amounts")


def count_table(caption: str, head: str, counts: Mapping[str, int]) -> Table:
    """Return counts by name, the highest first."""
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    cells = [(name, count(number)) for name, number in rows]
    return Table(caption, (head, "Count"), cells, "amounts")


def memory_table(memory: Facts | None) -> Table:
    """Return the generation's memory in Redis; no rows where it is not there."""
    rows = _amounts(memory) if memory else []
    return Table("In Redis", ("What", "Amount"), rows, "amounts")


def model_table(model: Facts) -> Table:
    """Return the model's size and training."""
    sizes = [(name.title(), count(model[name])) for name in ("factors", "users", "items")]
    rows = [("Name", model["name"]), *sizes, ("Training", training(model))]
    return Table("The model", ("What", "Count"), rows, "amounts")


def _amounts(memory: Facts) -> list[tuple[str, str]]:
    return [
        ("Keys", count(memory["keys"])),
        ("Bytes", size_text(memory["bytes"])),
        ("Bytes a user", size_text(memory["bytes_a_user"])),
        *((f"Keys of family {k}", count(n)) for k, n in memory["keys_by_family"].items()),
        ("Inactive users without a list", count(memory["inactive_users"])),
        ("Saved on them, about", size_text(memory["bytes_saved"])),
    ]


def _item(row: Facts) -> tuple[str, str, str]:
    return row["item_id"], row["title"] or "-", row["category"] or "none"


def _size(n_bytes: int | None) -> str:
    return "-" if n_bytes is None else size_text(n_bytes)
