"""Changes by operators: roll back, pin, promote, mark bad.

Each has a rule beside it (`rolling_back`, `pinning`, ...), so that what it would do can be shown
before it is done. Rules and states: docs/decisions/0004-fence.md.
"""

from dataclasses import replace

from redis import Redis

from nightshelf.admin.canary import ending
from nightshelf.admin.generations import flipped, refuse_unless_next
from nightshelf.admin.namespace_state import NamespaceState, Rule, change, read_state
from nightshelf.admin.wholeness import refuse_unless_whole, whole
from nightshelf.contract.values import Manifest
from nightshelf.errors import TransitionRefused


def rollback(
    client: Redis, namespace: str, *, to: int | None = None, mark_bad: bool = False
) -> Manifest:
    """Make an earlier generation live again: `to`, or the newest whole one below the live one.

    The generation left behind becomes `replaced`, or `bad` with `mark_bad`, so a second call goes
    further back; `promote` goes forward again. One call goes one way, even where its answer is lost
    or another operator rolls back at once. A pin moves along. While a canary is out, a rollback
    without `to` ends it and leaves the live generation where it is.

    Raises `TransitionRefused` (`unknown`, `not-staged`, `bad`, `expired`, `nothing-older`, `live`,
    `contended`).
    """
    rule = rolling_back(client, namespace, to=to, mark_bad=mark_bad)
    return _live(change(client, namespace, rule))


def rolling_back(client: Redis, namespace: str, *, to: int | None, mark_bad: bool) -> Rule:
    """Return the rule of `rollback`: target, and what is left for bad, are chosen here and now."""
    seen = read_state(client, namespace)
    if to is None and seen.canary:
        return ending(seen.canary.generation, mark_bad=mark_bad)
    number = _earlier(client, seen, to).generation
    left = seen.live.generation if seen.live else None
    if mark_bad and left == number:
        raise TransitionRefused(
            "live", f"generation {number} is live: roll back to another to mark it bad"
        )

    def rule(state: NamespaceState) -> NamespaceState:
        after = _gone_back(client, state, number)
        if mark_bad and left is not None and not after.is_live(left):
            after = after.altered(left, state="bad")
        return after

    return rule


def pin(client: Redis, namespace: str, generation: int) -> Manifest:
    """Hold a generation live against every flip, until it is unpinned; return its manifest.

    One that is not live is rolled back to in the same step. A pin does not stop the keys' TTL: see
    `nightshelf.admin.retention.extend`. Raises `TransitionRefused` (`unknown`, `not-staged`, `bad`,
    `expired`, `contended`).
    """
    return _live(change(client, namespace, pinning(client, generation)))


def pinning(client: Redis, generation: int) -> Rule:
    """Return the rule of `pin`."""
    return lambda state: replace(_gone_back(client, state, generation), pinned=generation)


def unpin(client: Redis, namespace: str) -> None:
    """Let the next flip through again; what is live stays so."""
    change(client, namespace, unpinning)


def unpinning(state: NamespaceState) -> NamespaceState:
    """Return the state without its pin: the rule of `unpin`."""
    return replace(state, pinned=None)


def promote(client: Redis, namespace: str, generation: int, *, force: bool = False) -> Manifest:
    """Make a whole generation live by hand: one that a gate or a pin held back, or a rollback left.

    `force` passes the fence (`fenced`; one that has been live is past it) and the age
    (`superseded`: what is live has seen more), and takes a pin along (`pinned`); nothing passes the
    rest.
    Raises `TransitionRefused` (`unknown`, `not-staged`, `bad`, `incomplete`, `expired`, `fenced`,
    `pinned`, `contended`).
    """
    return _live(change(client, namespace, promoting(client, generation, force=force)))


def promoting(client: Redis, generation: int, *, force: bool) -> Rule:
    """Return the rule of `promote`."""

    def rule(state: NamespaceState) -> NamespaceState:
        if state.find(generation).state in ("staged", "bad"):
            after = flipped(state, generation, force=force)
        else:
            after = _live_again(state, generation, force=force)
        if not state.is_live(generation):
            refuse_unless_whole(client, state, generation)
        return after

    return rule


def _live_again(state: NamespaceState, generation: int, *, force: bool) -> NamespaceState:
    """Return the state with a generation live that was so before; it keeps its publication."""
    if state.is_live(generation):
        return state
    if not force:
        refuse_unless_next(state, state.find(generation))
    return state.moved(generation, "previous")


def mark_bad(client: Redis, namespace: str, generation: int) -> None:
    """Mark a generation bad: it is never flipped, promoted or rolled back to.

    Nor do later nights start warm from it or `republish` bring it back. Raises `TransitionRefused`
    (`unknown`, `contended`, and `live`: roll back from that one).
    """
    change(client, namespace, marking_bad(generation))


def marking_bad(generation: int) -> Rule:
    """Return the rule of `mark_bad`."""

    def rule(state: NamespaceState) -> NamespaceState:
        if state.is_live(generation):
            raise TransitionRefused(
                "live", f"generation {generation} is live: roll back, and mark it bad with that"
            )
        return ending(generation, mark_bad=True)(state)

    return rule


def _gone_back(client: Redis, state: NamespaceState, generation: int) -> NamespaceState:
    if state.is_live(generation):  # an answer was lost, or another operator was first
        return state
    _earlier(client, state, generation)
    return state.moved(generation, "replaced")


def _earlier(client: Redis, state: NamespaceState, to: int | None) -> Manifest:
    """Choose what to go back to: `to`, or the newest whole one below the live one."""
    if to is not None:
        target = state.find(to)
        if target.state == "bad":
            raise TransitionRefused("bad", f"generation {to} is marked bad: it never goes live")
        if target.state == "staged":
            raise TransitionRefused(
                "not-staged", f"generation {to} is staged: it has never been live; promote it"
            )
        refuse_unless_whole(client, state, to)
        return target
    for older in state.manifests:
        below = state.live is not None and older.generation < state.live.generation
        been_live = older.state not in ("staged", "bad")
        if below and been_live and whole(client, state.namespace, older):
            return older
    raise TransitionRefused("nothing-older", f"{state.namespace} has no older whole generation")


def _live(state: NamespaceState) -> Manifest:
    assert state.live is not None, "the rules here end with a generation live"
    return state.live
