"""Fault 2: a publisher's process is frozen, sleeps through another's night, and wakes."""

from collections.abc import Callable
from pathlib import Path

from redis import Redis

from tests.faults.nights import contents, live, n_lost, night, shelves_of
from tests.faults.processes import publishing

N_USERS = 500


def test_a_frozen_publisher(
    own_redis_client: Redis,
    own_redis_url: str,
    tmp_path: Path,
    figure: Callable[[int, str], None],
) -> None:
    client = own_redis_client
    night(client, tmp_path, N_USERS)
    words = {}
    for point in ("half written", "before the flip", "inside the flip"):
        with publishing(own_redis_url, tmp_path, N_USERS) as sleeper:
            if point == "half written":
                sleeper.write(0.5)
            else:
                sleeper.reach(point)
            sleeper.freeze()
            newer = night(client, tmp_path, N_USERS)
            sleeper.wake()
            if point != "half written":
                sleeper.go_on()
            words[point] = sleeper.last_words()
        assert live(client) == newer.generation
        assert n_lost(client, contents(shelves_of(newer, N_USERS))) == 0
    assert words == dict.fromkeys(words, "refused fenced")
    figure(
        2,
        f"frozen at {len(words)} points, woken after a newer night: {len(words)} refused (fenced), "
        "the newer one serves whole",
    )
