"""`nightshelf why`: a user's served list, and why an item is in it or not."""

from dataclasses import asdict
from pathlib import Path

from nightshelf.cli.context import Context
from nightshelf_ops import why_view
from nightshelf_ops.answer import find_answer

#: What the document tells of an answer and of its items.
_SERVED = ("source", "generation", "model", "age_s", "experiment", "variant", "phase")
_ITEM = ("item_id", "score", "reason")


def show_answer(context: Context, user: str, item: str | None, runs: Path) -> None:
    """Print the answer, as tables or as JSON."""
    context.open_shelf()  # raises where nothing is live
    found = find_answer(context.client, context.namespace, user, item, runs)
    if context.as_json:
        about = {name: getattr(found.served, name) for name in _SERVED}
        items = [{name: getattr(item, name) for name in _ITEM} for item in found.served.items]
        served = {"items": items, **about}
        known = {name: value for name, value in asdict(found).items() if name != "expired"}
        context.document(**{**known, "served": served}, position=found.position)
    else:
        why_view.show(found, context.namespace)
