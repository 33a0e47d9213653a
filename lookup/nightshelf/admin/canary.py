"""Canary: a second generation, served to a share of the users.

The live generation's manifest holds it, so readers get it with the pointer, and any move of the
pointer ends it (docs/decisions/0011-canary.md).
"""

from redis import Redis

from nightshelf.admin.generations import complete
from nightshelf.admin.namespace_state import NamespaceState, Rule, change
from nightshelf.admin.wholeness import refuse_unless_whole
from nightshelf.contract.values import Canary, Manifest
from nightshelf.errors import TransitionRefused


def release(client: Redis, namespace: str, generation: int, share: float) -> None:
    """Serve `share` percent of the users another whole generation in place of the live one.

    It is staged, or has been live: after a rollback a few users can be served the generation left.

    `nightshelf.contract.assignment.in_canary` draws the users. A canary ends when a generation goes
    live, this one or another, or by a rollback; a second call changes the share. `ValueError` for a
    share that is not above 0 and at most 100; `TransitionRefused` (`unknown`, `not-staged`, `bad`,
    `incomplete`, `expired`, `nothing-live`, `contended`).
    """
    change(client, namespace, releasing(client, generation, share))


def releasing(client: Redis, generation: int, share: float) -> Rule:
    """Return the rule of `release`."""
    percent = checked_share(share)

    def rule(state: NamespaceState) -> NamespaceState:
        if state.live is None:
            raise TransitionRefused("nothing-live", "a canary stands beside what is live: promote")
        target = _beside(state, generation)
        refuse_unless_whole(client, state, generation)
        since = state.now.isoformat(timespec="seconds")
        out = Canary(generation, percent, target.default_model, since)
        return state.altered(state.live.generation, canary=out)

    return rule


def _beside(state: NamespaceState, generation: int) -> Manifest:
    """Return a generation that may stand beside the live one: staged whole, or live once."""
    found = state.find(generation)
    been_live = found.state in ("previous", "replaced")
    return found if been_live else complete(found)


def checked_share(percent: float) -> float:
    """Return a share, in percent; `ValueError` unless it is above 0 and at most 100."""
    if not 0 < percent <= 100:
        raise ValueError(f"a canary's share must be above 0 and at most 100 percent, not {percent}")
    return percent


def ending(generation: int, *, mark_bad: bool) -> Rule:
    """Return the rule that ends a generation's canary, if it is out; `mark_bad` gives it up."""

    def rule(state: NamespaceState) -> NamespaceState:
        after = state
        if state.live and state.canary and state.canary.generation == generation:
            after = state.altered(state.live.generation, canary=None)
        if mark_bad and not after.is_live(generation):
            after = after.altered(generation, state="bad")
        return after

    return rule
