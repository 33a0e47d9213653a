"""Comparison of two generations on a bounded sample of users, quick enough for a page."""

from itertools import islice
from typing import Any

from redis import Redis

from nightshelf.admin.key_sample import walk
from nightshelf.admin.namespace_state import NamespaceState, read_state
from nightshelf.admin.retention import whole_until
from nightshelf.admin.wholeness import n_in_database
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from nightshelf.diff.compare import Comparison
from nightshelf.diff.document import Shown, figures, manifest_fields
from nightshelf.diff.read import read_pairs, read_titles
from nightshelf.errors import TransitionRefused

#: Users of each generation whose lists are read, the first that a bounded walk over keys meets.
N_USERS, _MAX_BATCHES = 1_000, 50
#: Items a table, and users side by side.
_TOP, _CHANGED = 10, 3


def compare(client: Redis, namespace: str, a: int, b: int) -> dict[str, Any]:
    """Return the document of `nightshelf.diff.document` for a sample of the users.

    A database of up to 50,000 keys is walked in full, of a larger one a part, which is as good as
    random. Raises `TransitionRefused` (`unknown`, `incomplete`, `expired`).
    """
    state = read_state(client, namespace)
    before, after = _readable(state, a), _readable(state, b)
    keys, n_total = Keys(namespace), n_in_database(client)
    found: set[str] = set()
    for manifest in (before, after):
        lists = keys.lists(manifest.generation, manifest.default_model)
        sample = walk(client, lists, n_total, max_batches=_MAX_BATCHES)
        names = (lists.id_in(key.encode()) for key in sample.families.get("list", ()))
        found |= set(islice((name for name in names if name is not None), N_USERS))
    users = sorted(found)
    comparison = Comparison(_CHANGED)
    for pairs in read_pairs(client, namespace, before, after, users):
        comparison.add(pairs)
    shown = Shown(comparison, _TOP)
    titles = read_titles(client, namespace, before, after, shown.items())
    return {
        **manifest_fields(before, after),
        "users_read": len(users),
        "users_in_all": max(len(users), *(each.counts.get("list", 0) for each in (before, after))),
        **figures(comparison),
        **shown.fields(titles),
    }


def _readable(state: NamespaceState, generation: int) -> Manifest:
    """Return a generation whose keys stand by its age; they are not counted, as that takes longer.

    Raises `TransitionRefused` (`unknown`, `incomplete`, `expired`).
    """
    manifest = state.find(generation)
    if not manifest.retired_at and not manifest.digest:
        says = f"generation {generation} is half staged: compare once its night is done"
        raise TransitionRefused("incomplete", says)
    until = whole_until(manifest)
    if until is None or until <= state.now:
        says = f"keys of generation {generation} have left Redis, so its lists cannot be compared"
        raise TransitionRefused("expired", says)
    return manifest
