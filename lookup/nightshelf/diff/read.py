"""Read the lists of two generations side by side while Redis serves readers.

Keys are found with SCAN and read with MGET, a thousand at a time. In memory are the users' ids and
one batch of lists.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from heapq import nsmallest

from redis import Redis

from nightshelf.admin.batches import BATCH_KEYS, batched
from nightshelf.admin.namespace_state import NamespaceState
from nightshelf.admin.wholeness import lack, whole
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest, RankedList
from nightshelf.diff.compare import Items, Pair
from nightshelf.errors import CorruptValue, InvalidKey, TransitionRefused

#: Called with the name of the step, the part done and the total.
Progress = Callable[[str, int, int], None]
#: The segment of a user who has none, or no row.
NO_SEGMENT = "none"


def standing(client: Redis, state: NamespaceState, generation: int) -> Manifest:
    """Return a generation all of whose keys stand; `TransitionRefused` for any other.

    The reasons are `unknown`, `incomplete` (half staged) and `expired` (cleared, or its TTL over).
    """
    manifest = state.find(generation)
    if not manifest.retired_at and not manifest.digest:  # recorded when all keys are written
        raise TransitionRefused(
            "incomplete", f"generation {generation} is half staged: compare once its night is done"
        )
    lacks = lack(client, state.namespace, manifest)
    if lacks is None:
        return manifest
    others = [
        str(each.generation)
        for each in state.manifests
        if each.digest and whole(client, state.namespace, each)
    ]
    advice = (
        f"compare generations that are whole: {', '.join(others)} (extend GEN keeps one longer)"
        if others
        else "none is whole: run the nightly flow to publish"
    )
    raise TransitionRefused("expired", f"{lacks}; {advice}")


def of_model(manifest: Manifest, model: str | None) -> Manifest:
    """Return a manifest whose default is `model`; `TransitionRefused` (`unknown`) for none of its.

    Without a model its default stays.
    """
    if model is None or model in manifest.models:
        return replace(manifest, default_model=model or manifest.default_model)
    raise TransitionRefused(
        "unknown",
        f"generation {manifest.generation} has no lists of model {model!r}; its models: "
        f"{', '.join(manifest.models)}",
    )


def find_users(
    client: Redis, namespace: str, a: Manifest, b: Manifest, progress: Progress
) -> list[str]:
    """Return the users with a list in A or B, by their default models, in ascending order."""
    keys = Keys(namespace)
    expected = sum(manifest.counts.get("list", 0) for manifest in (a, b))
    n_found = 0
    users: set[str] = set()
    for manifest in (a, b):
        lists = keys.lists(manifest.generation, manifest.default_model)
        found = client.scan_iter(match=lists.pattern, count=BATCH_KEYS)
        for batch in batched(found):
            # No reader can ask for another key.
            users.update(user for key in batch if (user := lists.id_in(key)) is not None)
            n_found += len(batch)
            progress("finding lists", n_found, max(expected, n_found))
    return sorted(users)


def sampled(users: Sequence[str], n: int) -> list[str]:
    """Return the `n` users with the smallest SHA-256 of the id, in ascending order of ids.

    So the choice is even, the same each time, and nearly the same for another night's users.
    """
    return sorted(nsmallest(n, users, key=lambda user: sha256(user.encode()).digest()))


def read_pairs(
    client: Redis, namespace: str, a: Manifest, b: Manifest, users: Sequence[str]
) -> Iterator[list[Pair]]:
    """Yield the users' lists of both generations, up to `BATCH_KEYS` users at a time."""
    keys = Keys(namespace)
    newest_first = (b.generation, a.generation)
    for batch in batched(users):
        sides = [_lists(client, keys, manifest, batch) for manifest in (a, b)]
        segments = _field_by_id(client, keys.user, newest_first, batch, "segment")
        yield [
            Pair(user, segments.get(user, NO_SEGMENT), ours, theirs, (*broken, *broken_too))
            for user, (ours, broken), (theirs, broken_too) in zip(batch, *sides, strict=True)
        ]


def read_titles(
    client: Redis, namespace: str, a: Manifest, b: Manifest, items: Iterable[str]
) -> dict[str, str]:
    """Return the titles of items by id, as B has them, else A; no entry where there is none."""
    newest_first = (b.generation, a.generation)
    return _field_by_id(client, Keys(namespace).item, newest_first, items, "title")


def _lists(
    client: Redis, keys: Keys, manifest: Manifest, users: Sequence[str]
) -> list[tuple[Items, tuple[str, ...]]]:
    """Return each user's items, and the key in case that its value cannot be read."""
    names = [keys.list(manifest.generation, manifest.default_model, user) for user in users]
    lists: list[tuple[Items, tuple[str, ...]]] = []
    for name, value in zip(names, _values(client, names), strict=True):
        try:
            items = RankedList.from_json(value).items if value is not None else ()
            lists.append((tuple(dict.fromkeys(items)), ()))
        except CorruptValue:
            lists.append(((), (name,)))
    return lists


def _field_by_id(
    client: Redis,
    key_of: Callable[[int, str], str],
    generations: Iterable[int],
    ids: Iterable[str],
    name: str,
) -> dict[str, str]:
    """Return one field of feature rows; the first generation that has a row decides."""
    fields: dict[str, str | None] = {}
    for generation in generations:
        missing = {}
        for raw in ids:
            with suppress(InvalidKey):  # an item of a list that was written by hand
                if raw not in fields:
                    missing[raw] = key_of(generation, raw)
        for batch in batched(missing):
            found = _values(client, [missing[raw] for raw in batch])
            for raw, value in zip(batch, found, strict=True):
                if value is not None:
                    fields[raw] = _field(value, name)
    return {raw: value for raw, value in fields.items() if value}


def _values(client: Redis, keys: list[str]) -> list[bytes | None]:
    return client.mget(keys)  # type: ignore[return-value]  # never text: it decodes nothing


def _field(row: bytes, name: str) -> str | None:
    """Return a field of a feature row as text; `None` where it is null, absent or unreadable."""
    with suppress(ValueError, RecursionError, AttributeError):
        value = json.loads(row).get(name)
        return str(value) if value else None
    return None
