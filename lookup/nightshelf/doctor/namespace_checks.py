"""Checks of a namespace: its generations and their keys."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from nightshelf.admin.key_sample import Sample
from nightshelf.admin.namespace_state import NamespaceState
from nightshelf.admin.wholeness import chance
from nightshelf.contract.keys import VERSION
from nightshelf.contract.values import Manifest, instant
from nightshelf.doctor.facts import Pointer
from nightshelf.doctor.finding import Finding, Outcome
from nightshelf.doctor.health import LATE, SEE, too_old
from nightshelf.text import age_text

_PUBLISH = "run the nightly flow to publish"
_NOTHING_LIVE = Finding("unknown", "nothing is live")
#: A larger share of missing keys than this is a failure.
_FEW = 0.01


def pointer(read: Pointer) -> Finding:
    """Judge what is live: known, agreed upon, readable, and its fallback there."""
    live = read.live
    if live is None:
        return Finding("fail", "nothing is live", _PUBLISH)
    found = f"generation {live.generation} is live"
    if live.contract != VERSION:
        wrong = f"{found}, of contract {live.contract}, where this is {VERSION}"
        return Finding("fail", wrong, "bring nightshelf to the version that published it")
    if not read.agrees:
        remedy = "go on with nightshelf rollback, or publish a new night: both write both"
        return Finding("fail", f"{found}, and its record in generations says otherwise", remedy)
    if live.default_model not in live.models:
        models = ", ".join(live.models) or "none"
        wrong = f"{found}; its default model {live.default_model} is not among its models {models}"
        return Finding("fail", wrong, "nightshelf rollback, and publish a new night")
    if not read.has_witness:
        return Finding(
            "fail", f"{found}, and its list for everyone is gone", "nightshelf rollback, or publish"
        )
    return _models(live, f"{found}, model {live.default_model}")


def _models(live: Manifest, found: str) -> Finding:
    """Warn where the live generation lacks a model that an experiment needs."""
    if n_left_out := round(live.metrics.get("models_left_out", 0)):
        lost = f"{found}; its night left {n_left_out} model{'s' * (n_left_out > 1)} out, and the "
        remedy = f"read the warnings in the report of generation {live.generation}"
        return Finding("warn", f"{lost}default is served instead", remedy)
    return Finding("ok", found)


def keys(sample: Sample, live: Manifest | None, n_beyond: int) -> Finding:
    """Judge whether all of the live generation's keys stand, by the share that was looked at.

    `n_beyond` is how many the refresh has written beyond the night's, less those erased.
    """
    if live is None:
        return _NOTHING_LIVE
    n_found, n_all = sample.n_keys, sum(live.counts.values()) + n_beyond
    expected = n_all * sample.share
    found = f"{n_found:,} of {n_all:,} keys seen, in {sample.share:.0%} of the database"
    if expected - n_found > chance(expected, sample.share):
        share = (expected - n_found) / expected
        remedy = "start a new night, and see maxmemory-policy: what is evicted is gone"
        outcome: Outcome = "fail" if share > _FEW else "warn"
        return Finding(outcome, f"{found}: {share:.2%} are missing", remedy)
    return Finding("ok", found)


def next_night(staged_at: datetime, now: datetime, every_s: float) -> datetime:
    """Return when the next night can be counted on.

    That is one interval after the live one was staged. Where that is past, the night has failed or
    never ran, and so will the next one unless somebody sees to it: then a whole interval from now.
    """
    due = staged_at + timedelta(seconds=every_s)
    return due if due > now else now + timedelta(seconds=every_s)


def life(lives_ms: Sequence[int], live: Manifest | None, now: datetime, every_s: float) -> Finding:
    """Judge whether the live keys last until the next night; `lives_ms` as PTTL gives them."""
    staged_at = instant(live.staged_at) if live else None
    if staged_at is None or not lives_ms:
        return (
            Finding("unknown", "no key of a live generation was found") if live else _NOTHING_LIVE
        )
    until_s = (next_night(staged_at, now, every_s) - now).total_seconds()
    first = sum(ms != -1 and ms < until_s * 1000 for ms in lives_ms) / len(lives_ms)
    share = f"{first:.1%}" if first else "none"
    found = f"{share} of {len(lives_ms):,} keys expire before the next night"
    found += f", counted on in {age_text(until_s)}"
    if first:
        remedy = "nightshelf extend now, and raise NIGHTSHELF_PUBLISH__TTL_S for the nights to come"
        return Finding("fail" if first > 0.5 else "warn", found, remedy)
    forever = sum(ms == -1 for ms in lives_ms)
    if forever:
        found += f"; {forever:,} never expire"
        return Finding("warn", found, "find who writes or PERSISTs them, and publish a new night")
    return Finding("ok", found)


def age(
    live: Manifest | None, now: datetime, every_s: float, max_age_s: float | None = None
) -> Finding:
    """Judge how many nights were missed since the live one was staged, and if it is too old.

    `max_age_s` is 1.25 nights unless given.
    """
    staged_at = instant(live.staged_at) if live else None
    if live is None or staged_at is None:
        return Finding("unknown", "nobody wrote when it was staged") if live else _NOTHING_LIVE
    age_s = (now - staged_at).total_seconds()
    missed = max(0, int(age_s // every_s))
    nights = "1 night is" if missed == 1 else f"{missed or 'no'} nights are"
    allowed_s = LATE * every_s if max_age_s is None else max_age_s
    if old := too_old(live.generation, age_s, allowed_s):
        return Finding("fail", f"{old}: {nights} missing", SEE)
    found = f"made {age_text(age_s)} ago"
    if missed:
        return Finding("warn", f"{found}: {nights} missing", SEE)
    return Finding("ok", f"{found}, no night is missing")


def way_back(to: Manifest | None, now: datetime) -> Finding:
    """Judge whether a rollback has somewhere to go: `to` is where."""
    if to is None:
        remedy = "publish another night: this one is its way back then"
        return Finding("warn", "no older whole generation: rollback would be refused", remedy)
    made = instant(to.staged_at)
    ago = f", made {age_text((now - made).total_seconds())} ago" if made else ""
    return Finding("ok", f"rollback goes to generation {to.generation}{ago}")


def staging(state: NamespaceState, orphans: Sequence[Manifest]) -> Finding:
    """Judge what is staged: debris of dead publishers, and what waits to go live."""
    if orphans:
        found = f"left half staged: generation {_numbers(orphans)}"
        remedy = f"nightshelf retire {orphans[0].generation}; or leave it to the next night"
        return Finding("warn", found, remedy)
    waiting = [
        each
        for each in state.manifests
        if each.state == "staged" and not each.half and each.generation > state.flipped
    ]
    if waiting:
        newest = waiting[0]
        found = f"staged and not live: generation {_numbers(waiting)}{_why(state, newest)}"
        remedy = (
            f"see its report, then nightshelf promote {newest.generation}, or leave it to expire"
        )
        return Finding("warn", found, remedy)
    return Finding("ok", "nothing waits, nothing is left over")


def pin(state: NamespaceState) -> Finding:
    """Judge a pin: while it is there no night goes live."""
    if state.pinned is None:
        return Finding("ok", "not pinned")
    held = [each for each in state.manifests if each.state == "staged" and not each.half]
    n_held = sum(each.generation > state.pinned for each in held)
    nights = "1 night" if n_held == 1 else f"{n_held} nights"
    found = f"pinned to generation {state.pinned}: {nights} held back since"
    return Finding("warn", found, "nightshelf unpin, once the reason for the pin is gone")


def _why(state: NamespaceState, waiting: Manifest) -> str:
    blocking = sorted(name for name, outcome in waiting.gates.items() if outcome == "block")
    if state.canary and state.canary.generation == waiting.generation:
        return f" (a canary, {state.canary.share:g} % of the users)"
    if blocking:
        return f" (blocked by {', '.join(blocking)})"
    return " (held by the pin)" if state.pinned is not None else ""


def _numbers(manifests: Sequence[Manifest]) -> str:
    return ", ".join(str(manifest.generation) for manifest in manifests)
