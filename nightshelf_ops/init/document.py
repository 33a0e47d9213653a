"""The JSON document of `nightshelf init`."""

from collections.abc import Mapping
from pathlib import Path

from nightshelf_ops.init.first_night import night_command
from nightshelf_ops.init.import_log import Ready
from nightshelf_ops.init.proposal import Proposal
from tasks.check import Checked


def document(
    proposal: Proposal,
    namespace: str,
    config: Path,
    ready: Ready | None,
    checked: Checked | None,
) -> dict[str, object]:
    """Return a proposal and, once it is written, its files and what a night would find in them."""
    written: dict[str, object] = {}
    if ready and checked:
        imported = ready.imported
        written = {
            "files": [str(path) for path in (ready.events, ready.items, ready.users) if path],
            "config": str(config),
            "as_of": ready.as_of.isoformat(),
            "rows": [count.as_json() for count in imported.rows] if imported else [],
            "counts": imported.counts if imported else {},
            "errors": checked.errors,
            "warnings": checked.warnings,
            "command": night_command(ready, namespace, config),
        }
    return {"namespace": namespace, "dry_run": ready is None, **_proposed(proposal), **written}


def _proposed(proposal: Proposal) -> Mapping[str, object]:
    """Return a proposal in JSON types."""
    facts, rules = proposal.facts, proposal.rules
    return {
        "findings": [vars(finding) for finding in proposal.findings],
        "questions": [
            {
                **{"key": q.key, "text": q.text, "options": dict(q.options)},
                **{"default": q.default},
            }
            for q in proposal.questions
        ],
        "tables": {"used": proposal.used, "left_out": proposal.left_out},
        "notes": proposal.notes,
        "log": {
            **{"rows": facts.n_rows, "events": facts.n_events, "users": facts.n_users},
            **{"items": facts.n_items, "repeated": facts.n_repeated},
            "first": facts.first.isoformat() if facts.first else None,
            "last": facts.last.isoformat() if facts.last else None,
            "events_of_unknown_items": proposal.n_orphans,
        },
        "types": [vars(each) for each in rules.types],
        "seen": list(rules.seen),
        "half_life_days": rules.half_life_days,
        "category_from": proposal.category_from,
        "imported": proposal.as_is is None,
    }
