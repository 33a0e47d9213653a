"""Conclusions from all events: ids that are no items, items that are bought again, half-life."""

from collections.abc import Mapping
from dataclasses import replace

import duckdb

from nightshelf_ops.init.event_types import TypeRules, rules_of
from nightshelf_ops.init.findings import Doubts, Question
from nightshelf_ops.init.log import LogFacts

#: Shares of bought items that were bought again: from the first on it is asked, from the second on
#: bought items are shown again.
_SOME_AGAIN, _MANY_AGAIN = 0.1, 0.3
_HALF_LIFE_DAYS = 60.0
#: Share of the rows whose item ids are of the common form, for others to be odd.
_COMMON = 0.95
_NUMBERED = "regexp_matches(item_id, '^[0-9]{3}')"


def odd_items(db: duckdb.DuckDBPyConnection, doubts: Doubts) -> dict[str, str]:
    """Return the condition against ids without a number, where nearly all ids have one."""
    n_rows, n_odd, n_ids = db.execute(
        f"SELECT count(*), count_if(NOT {_NUMBERED}), "
        f"count(DISTINCT item_id) FILTER (NOT {_NUMBERED}) FROM log WHERE item_id IS NOT NULL "
        "AND user_id IS NOT NULL"
    ).fetchall()[0]
    if not 0 < n_odd <= (1 - _COMMON) * n_rows:
        return {}
    found = db.execute(
        f"SELECT item_id FROM log WHERE NOT {_NUMBERED} AND user_id IS NOT NULL GROUP BY 1 "
        "ORDER BY count(*) DESC, 1 LIMIT 6"
    ).fetchall()
    sample = [item for (item,) in found]
    text = f"{n_odd:,} rows are of {n_ids:,} items whose ids differ from all others: "
    options = {"leave out": "they are postage, fees and such", "keep": "they are items as others"}
    question = f"{text}{', '.join(sample)}. Are they items?"
    answer = doubts.ask(Question("odd_items", question, options, "leave out", rank=1))
    doubts.add("odd items", answer, "unsure", text + ", ".join(sample))
    kept = f"{_NUMBERED} OR user_id IS NULL OR item_id IS NULL"
    return {"an item id unlike the others": kept} if answer == "leave out" else {}


def rules_for(
    facts: LogFacts, meaning: Mapping[str, str], doubts: Doubts, *, timed: bool
) -> TypeRules:
    """Return the settings of types, `seen` and half-life, from items that are bought again."""
    share = facts.n_again / facts.n_bought if facts.n_bought else 0.0
    again = share >= _MANY_AGAIN
    if _SOME_AGAIN <= share < 2 * _MANY_AGAIN:
        text = f"{share:.0%} of bought items were bought again. May lists show bought items again?"
        options = {"no": "each item is bought once", "yes": "items are bought again and again"}
        default = "yes" if again else "no"
        again = doubts.ask(Question("again", text, options, default, rank=6)) == "yes"
    half_life, why = _HALF_LIFE_DAYS, "the default; the night compares it with a year"
    if again and facts.days_between:
        half_life = min(max(2 * facts.days_between, 14.0), 365.0)
        why = f"twice the {facts.days_between:g} days between purchases of one item"
    elif not timed:
        why = "there are no times"
    elif facts.days < 2 * _HALF_LIFE_DAYS:
        half_life = float(max(facts.days // 2, 7))
        why = f"half of the log's {facts.days} days"
    rules = rules_of(facts.types, meaning, again, half_life)
    shown = "may be shown again" if again else "are not shown again"
    why_seen = f"bought items {shown}: {share:.0%} were bought again" if facts.n_bought else ""
    return replace(rules, why_half_life=why, why_seen=why_seen)
