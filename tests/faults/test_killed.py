"""Fault 1: the publisher's process is killed, and readers go on reading."""

from collections.abc import Callable
from pathlib import Path

from redis import Redis

from nightshelf.contract.keys import Keys
from tests.faults.nights import SHOP, eventually, live, manifest_of, next_night, night
from tests.faults.processes import Publisher, publishing
from tests.faults.readers import reading

N_USERS = 2_000
READS_PER_S = 400

#: Where it is killed -> how to get there, and whether its generation is live then.
KILLS: dict[str, tuple[Callable[[Publisher], None], bool]] = {
    "10 %": (lambda publisher: publisher.write(0.10), False),
    "50 %": (lambda publisher: publisher.write(0.50), False),
    "95 %": (lambda publisher: publisher.write(0.95), False),
    "before the flip": (lambda publisher: publisher.reach("inside the flip"), False),
    "after the flip": (lambda publisher: publisher.reach("after the flip"), True),
}


def n_keys(client: Redis, generation: int) -> int:
    return sum(1 for _ in client.scan_iter(Keys(SHOP).generation(generation).pattern, count=1_000))


def test_a_killed_publisher(
    own_redis_client: Redis,
    own_redis_url: str,
    tmp_path: Path,
    figure: Callable[[int, str], None],
) -> None:
    client = own_redis_client
    n_whole = 4 * N_USERS + 2
    night(client, tmp_path, N_USERS)
    been_live, n_left = {1}, 0
    with reading(own_redis_url, N_USERS, READS_PER_S) as readers:
        for point, (go_there, flipped) in KILLS.items():
            before = live(client)
            assert before is not None
            killed = before + 1
            with publishing(own_redis_url, tmp_path, N_USERS) as publisher:
                go_there(publisher)
                publisher.kill()
            been_live |= {killed} if flipped else set()
            now = killed if flipped else before
            assert live(client) == now
            eventually(lambda now=now: readers.all_at(now))  # type: ignore[misc]
            stands = n_keys(client, killed)
            if "%" in point:
                # A busy machine may kill it after its last key; it has not proven them all yet.
                assert float(point[:-2]) / 100 <= stands / n_whole <= 1
                assert not manifest_of(client, killed).digest, "killed while it wrote"
            else:
                assert stands == n_whole
            after = next_night(client, tmp_path, N_USERS).generation
            been_live.add(after)
            eventually(lambda after=after: readers.all_at(after))  # type: ignore[misc]
            if not flipped:
                n_left += n_keys(client, killed)
    assert not readers.mixed
    assert not readers.missed
    assert readers.seen <= been_live
    assert n_left == 0
    assert readers.n_answers > 1_000
    figure(
        1,
        f"{len(KILLS)} kills, 4 readers throughout: {len(readers.mixed)} answers mixed, "
        f"{len(readers.missed)} missed; keys left of the dead after the next night: "
        f"{n_left}",
    )
