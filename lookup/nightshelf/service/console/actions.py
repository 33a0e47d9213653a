"""Changes to generations by people: the plan that a person confirms, and its execution.

A plan holds a fingerprint of the state that it was made on; where the namespace has moved since,
nothing is done (as for the command, `nightshelf.cli.generations`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from redis import Redis

from nightshelf.admin import lifecycle, retention
from nightshelf.admin.canary import releasing
from nightshelf.admin.namespace_state import NamespaceState, Rule, change, read_state
from nightshelf.admin.plans import extend_text, forward_text, live_text, plan_text
from nightshelf.errors import TransitionRefused
from nightshelf.service.problems import Problem

#: The actions, and what stands on their buttons.
TITLES = {
    "rollback": "Roll back",
    "promote": "Promote",
    "pin": "Pin",
    "unpin": "Unpin",
    "canary": "Canary",
    "mark-bad": "Mark bad",
    "extend": "Extend",
}
#: Actions of which readers of lists see the effect at once.
DANGEROUS = frozenset(("rollback", "promote", "pin", "canary", "mark-bad"))
#: Refusals of `promote` that `force` passes.
FORCED = frozenset(("fenced", "superseded", "pinned"))


@dataclass(frozen=True)
class Asked:
    """An action and its arguments, as the fields of a form or of a query give them."""

    action: str
    generation: int | None = None
    share: float | None = None
    mark_bad: bool = False
    force: bool = False

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> "Asked":
        """Read the fields; `Problem` (404, 422) for an action or an argument that is none."""
        action = fields.get("action", "")
        if action not in TITLES:
            raise Problem(404, f"There is no action {action[:40]!r}.")
        generation = whole_number(fields.get("generation", ""), "generation")
        share = _number(fields.get("share", ""), "share")
        if generation is None and action not in ("rollback", "unpin"):
            raise Problem(422, f"{TITLES[action]}: name a generation.")
        if action == "canary" and not (share is not None and 0 < share <= 100):
            raise Problem(422, "Canary: the share is above 0 and at most 100 percent.")
        flags = (fields.get(name) == "true" for name in ("mark_bad", "force"))
        return cls(action, generation, share, *flags)

    def fields(self) -> dict[str, str]:
        """Return the fields that `of` reads."""
        numbers = {"generation": self.generation, "share": self.share}
        flags = {"mark_bad": self.mark_bad, "force": self.force}
        return (
            {"action": self.action}
            | {name: str(value) for name, value in numbers.items() if value is not None}
            | {name: "true" for name, value in flags.items() if value}
        )


@dataclass(frozen=True)
class Plan:
    """The effect of an action in words; `says` is empty where it would change nothing."""

    asked: Asked
    says: str
    then: str
    fingerprint: str


def plan(client: Redis, namespace: str, asked: Asked) -> Plan:
    """Return the plan of an action on the present state; `TransitionRefused` as the action does."""
    before = read_state(client, namespace)
    if asked.action == "extend":
        manifest = retention.to_extend(before, asked.generation)
        return Plan(asked, extend_text(namespace, manifest), "", fingerprint(before))
    after = _rule(client, namespace, asked)(before)
    moved = after.live is not None and not before.is_live(after.live.generation)
    if asked.action == "rollback" and moved and after.live:
        asked = replace(asked, generation=after.live.generation)  # just the one that is shown
    says = plan_text(before, after) if after != before else ""
    then = forward_text(before, after) if asked.action == "rollback" else ""
    return Plan(asked, says, then, fingerprint(before))


def carry_out(client: Redis, namespace: str, asked: Asked, seen: str) -> tuple[Plan, str]:
    """Do what was confirmed on the state with the fingerprint `seen`; return plan and outcome.

    `TransitionRefused` as the action does, and (`contended`) where the namespace has moved since.
    """
    planned = plan(client, namespace, asked)
    if planned.fingerprint != seen:
        raise TransitionRefused("contended", f"{namespace} moved meanwhile; look again")
    return planned, _done(client, namespace, planned)


def _done(client: Redis, namespace: str, planned: Plan) -> str:
    asked = planned.asked
    if asked.action == "extend":
        return f"{retention.extend(client, namespace, asked.generation):,} keys extended"
    rule = _rule(client, namespace, asked)

    def as_shown(state: NamespaceState) -> NamespaceState:
        if fingerprint(state) != planned.fingerprint:
            raise TransitionRefused("contended", f"{namespace} moved meanwhile; look again")
        return rule(state)

    return live_text(change(client, namespace, as_shown))


def fingerprint(state: NamespaceState) -> str:
    """Return a digest of the states, the pin and the canary: what a plan depends on."""
    live = state.live.generation if state.live else None
    states = [(each.generation, each.state, each.ttl_s) for each in state.manifests]
    return sha256(repr((live, state.pinned, state.canary, states)).encode()).hexdigest()


def _rule(client: Redis, namespace: str, asked: Asked) -> Rule:
    """Return the rule of an action on states; its arguments have been checked."""
    number, share = asked.generation or 0, asked.share or 0.0
    rules: dict[str, Callable[[], Rule]] = {
        "rollback": lambda: lifecycle.rolling_back(
            client, namespace, to=asked.generation, mark_bad=asked.mark_bad
        ),
        "promote": lambda: lifecycle.promoting(client, number, force=asked.force),
        "pin": lambda: lifecycle.pinning(client, number),
        "unpin": lambda: lifecycle.unpinning,
        "canary": lambda: releasing(client, number, share),
        "mark-bad": lambda: lifecycle.marking_bad(number),
    }
    return rules[asked.action]()


def whole_number(text: str, name: str) -> int | None:
    """Return a positive whole number; `None` for an empty text, `Problem` (422) for any other."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text)):
        raise Problem(422, f"{name}: {text[:40]!r} is not a whole number from 1 on.")
    return int(text)


def _number(text: str, name: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise Problem(422, f"{name}: {text[:40]!r} is not a number.") from None
