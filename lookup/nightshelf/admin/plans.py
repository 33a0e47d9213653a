"""Plans of changes to generations, and their outcome, one line each."""

from nightshelf.admin.namespace_state import NamespaceState
from nightshelf.contract.values import Manifest
from nightshelf.text import age_text, minute_text


def plan_text(before: NamespaceState, after: NamespaceState) -> str:
    """Describe a change of the namespace."""
    parts = []
    if after.live is not None and not before.is_live(after.live.generation):
        back = before.live is not None and after.live.generation < before.live.generation
        way = "back to" if back else "on to"
        left = _generation(before.live) if before.live else "nothing live"
        parts.append(f"from {left} {way} {_generation(after.live)}")
    if before.canary and not after.canary:
        parts.append(f"the canary of generation {before.canary.generation} ends")
    if after.canary and after.canary != before.canary:
        out = after.canary
        parts.append(f"generation {out.generation} as a canary for {out.share:g} % of the users")
    for old, new in zip(before.manifests, after.manifests, strict=True):
        if new.state == "bad" != old.state:
            parts.append(f"generation {new.generation} is marked bad")
    if after.pinned != before.pinned and after.pinned is not None:
        parts.append(f"pinned to generation {after.pinned}: no night goes live")
    elif after.pinned != before.pinned:
        parts.append(f"no longer pinned to generation {before.pinned}: the next night goes live")
    return f"{before.namespace}: {'; '.join(parts)}"


def forward_text(before: NamespaceState, after: NamespaceState) -> str:
    """Describe how to undo a rollback; empty where it cannot be undone."""
    left = before.live
    if left is None or after.is_live(left.generation):
        return ""
    if after.find(left.generation).state == "bad":
        return f"Generation {left.generation} never goes live again; the next night does"
    where = "" if after.namespace == "shop" else f" -s {after.namespace}"
    promote = f"nightshelf promote {left.generation}{where}"
    if after.pinned is not None:
        return f"Forward again: nightshelf unpin{where}, then {promote}, or the next night"
    return f"Forward again: {promote}, or the next night"


def live_text(state: NamespaceState) -> str:
    """Describe the live generation, its pin and its canary."""
    if state.live is None:
        return f"{state.namespace}: nothing is live"
    held = ", pinned" if state.pinned is not None else ""
    out = state.canary
    beside = f", {out.generation} a canary for {out.share:g} %" if out else ""
    return f"{state.namespace}: generation {state.live.generation} is live{held}{beside}"


def extend_text(namespace: str, manifest: Manifest) -> str:
    """Describe an extension."""
    ttl = age_text(manifest.ttl_s)
    return f"{namespace}: every key of {_generation(manifest)} gets its TTL of {ttl} again"


def retire_text(namespace: str, manifest: Manifest) -> str:
    """Describe a deletion."""
    n_keys = sum(manifest.counts.values())
    return f"{namespace}: delete the {n_keys:,} keys of {_generation(manifest)}, for good"


def _generation(manifest: Manifest) -> str:
    return f"generation {manifest.generation} (as of {minute_text(manifest.as_of)})"
