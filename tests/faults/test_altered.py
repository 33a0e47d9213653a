"""Fault 3: one value among thousands is lost or altered between writing and reading back."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from tasks.artifacts.records import Provenance
from tasks.errors import VerificationError
from tasks.publish.go_live import flip
from tasks.publish.keyspace import Entry
from tasks.publish.stage import open_run, read_back, stage
from tests.faults.nights import SETTINGS, SHOP, contents, live, n_lost, night, shelves_of
from tests.tasks.small_models import AS_OF

N_USERS = 2_000


def one_byte(value: bytes) -> bytes:
    """Return the value with its last letter or digit another."""
    at = max(place for place, byte in enumerate(value) if chr(byte).isalnum())
    return value[:at] + (b"1" if value[at : at + 1] != b"1" else b"2") + value[at + 1 :]


def damages(before: dict[str, bytes], entries: list[Entry]) -> Iterator[dict[str, bytes | None]]:
    """Yield what stands instead, for the first, middle and last key of every family.

    Nothing (the key is dropped), one byte altered, the value of the night before, and two
    neighbours' values in each other's place.
    """
    for family in dict.fromkeys(entry.family for entry in entries):
        ours = [entry for entry in entries if entry.family == family]
        for at in sorted({0, len(ours) // 2, len(ours) - 1}):
            key, value = ours[at].key, ours[at].value
            yield {key: None}
            yield {key: one_byte(value)}
            old = before.get(key.replace(f":{SHOP}:2:", f":{SHOP}:1:"), value)
            if old != value:
                yield {key: old}
            beside = ours[at - 1]  # of the first, the last
            if beside.value != value:
                yield {key: beside.value, beside.key: value}


def put(client: Redis, values: dict[str, bytes | None]) -> None:
    for key, value in values.items():
        if value is None:
            client.delete(key)
        else:
            client.set(key, value)


def test_one_among_thousands(
    redis_client: Redis, tmp_path: Path, figure: Callable[[int, str], None]
) -> None:
    client = redis_client
    before = contents(shelves_of(night(client, tmp_path, N_USERS), N_USERS))
    run = open_run(client, SHOP, AS_OF, tmp_path)
    shelves = shelves_of(run, N_USERS)
    written = stage(run, client, shelves, SETTINGS, Provenance(10, ""))
    entries = [entry for family in shelves for entry in family.entries()]
    right = {entry.key: entry.value for entry in entries}
    n_refused = 0
    for damage in damages(before, entries):
        assert any(right[key] != value for key, value in damage.items())
        put(client, damage)
        with pytest.raises(VerificationError, match="the live generation is untouched"):
            read_back(run, client, shelves, written, SETTINGS)
        n_refused += 1
        assert live(client) == 1
        put(client, {key: right[key] for key in damage})
    assert n_refused > 40
    assert n_lost(client, before) == 0
    read_back(run, client, shelves, written, SETTINGS)  # mended, it passes
    assert flip(run, client).generation == 2
    figure(
        3,
        f"{n_refused} damages to 1 or 2 of {len(entries):,} values, in every family: {n_refused} "
        "refused, live lists untouched",
    )
