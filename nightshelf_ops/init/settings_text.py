"""The text of `nightshelf.toml`: what was proposed, with the reason beside each setting."""

import json
from collections.abc import Sequence

from nightshelf.cli.options import SHOP
from nightshelf_ops.init.event_types import TypeRules
from nightshelf_ops.init.import_log import Ready
from nightshelf_ops.init.proposal import Proposal
from tasks.choose.settings import ChooseSettings
from tasks.features.settings import FeatureSettings
from tasks.ingest.settings import EventSettings

_LONG_DAYS = 365.0


def settings_text(proposal: Proposal, ready: Ready, command: str, namespace: str) -> str:
    """Return the settings file of a proposal, commented.

    Its tables are the common ones for the default namespace, else those of the namespace alone.
    """
    at = "" if namespace == SHOP else f"namespace.{_key(namespace)}."
    lines = [
        *_inputs(proposal),
        *_events(proposal.rules),
        *_features(proposal.rules),
        *_choose(proposal.rules),
    ]
    tables = [f"[{at}{line[1:]}" if line.startswith("[") else line for line in lines]
    return "\n".join([*_head(proposal, ready, command), *tables, ""])


def _head(proposal: Proposal, ready: Ready, command: str) -> list[str]:
    facts = proposal.facts
    days = f"{facts.first:%Y-%m-%d} to {facts.last:%Y-%m-%d}"
    lines = [
        "Written by nightshelf init. Every setting: docs/settings.md.",
        f"Events: {ready.events} ({facts.n_events:,} of {facts.n_users:,} users and "
        f"{facts.n_items:,} items, {days})",
        f"Items: {ready.items}",
        *([f"Users: {ready.users}"] if ready.users else []),
        f"A night on them: {command}",
    ]
    lines += [f"{f.subject}: {f.value} ({f.sure}; {f.why})" for f in proposal.findings]
    return [f"# {_one_line(line)}" for line in lines]


def _inputs(proposal: Proposal) -> list[str]:
    lines: list[str] = []
    for relation, names in (proposal.as_is.names if proposal.as_is else {}).items():
        if names:
            lines += ["", "# Column of Nightshelf = its name in the files.", f"[inputs.{relation}]"]
            lines += [f"{ours} = {_text(theirs)}" for ours, theirs in names.items()]
    return lines


def _events(rules: TypeRules) -> list[str]:
    given = EventSettings()
    lines: list[str] = []
    if more := [name for name in rules.idle if name not in given.idle]:
        lines += ["# Counted, and otherwise not read: they say nothing about an item."]
        lines += [f"idle = {_list([*given.idle, *more])}"]
    returns = [t.name for t in rules.types if t.meaning == "return"]
    if more := [name for name in returns if name not in given.may_be_negative]:
        lines += ["# Types whose value may be below zero."]
        lines += [f"may_be_negative = {_list([*given.may_be_negative, *more])}"]
    return ["", "[events]", *lines] if lines else []


def _features(rules: TypeRules) -> list[str]:
    lines = [
        "",
        "[features]",
        f"# Days after which an event counts half: {rules.why_half_life}.",
        f"half_life_days = {rules.half_life_days:g}",
        f"# Types after which an item is not shown again to that user{_because(rules.why_seen)}.",
        f"seen = {_list(rules.seen)}",
    ]
    for name, types in rules.names.items():
        tracked = ("click",) if name == "view_types" and "click" not in types else ()
        if types or tracked:
            lines += [f"{name} = {_list([*types, *tracked])}"]
    lines += ["", "# Strength of an event; the model learns nothing from a type of weight 0."]
    lines += ["[features.weights]"]
    for each in rules.types:
        if each.name not in rules.idle:
            known = "" if each.meaning == each.name else f", taken as {each.meaning}"
            lines += [f"{_key(each.name)} = {each.weight}  # {each.n_events:,} events{known}"]
    if all(each.name != "click" for each in rules.types):
        weight = FeatureSettings().weights["click"]
        lines += [f"click = {weight}  # none yet; apps track them as they show lists"]
    return lines


def _choose(rules: TypeRules) -> list[str]:
    if rules.half_life_days in ChooseSettings().half_lives_days:
        return []
    return [
        "",
        "[choose]",
        "# Half-lives that each night compares by a backtest.",
        f"half_lives_days = [{rules.half_life_days}, {_LONG_DAYS}]",
    ]


def _because(why: str) -> str:
    return f" ({why})" if why else ""


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(map(_text, names)) + "]"


def _key(name: str) -> str:
    plain = name.replace("_", "").replace("-", "")
    return name if plain.isascii() and plain.isalnum() else _text(name)


def _text(value: str) -> str:
    """Return a text as a TOML string: JSON's escapes are TOML's, but for the delete character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
