"""Fault 7: the server is killed while a night writes, and comes back empty, or with its RDB."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from nightshelf import Shelf
from nightshelf.admin import generations
from tasks.publish.republish import republish
from tasks.runs.saved_run import SavedRun
from tests.faults.nights import SETTINGS, SHOP, contents, live, n_lost, night, shelves_of, user
from tests.faults.processes import publishing
from tests.faults.servers import serving
from tests.lookup.shelves import UNKEPT

N_USERS = 500
N_ASKED = 200


def answered(shelf: Shelf) -> set[str]:
    """Ask for many users' lists; return where the answers came from."""
    results = [shelf.get(user(at)) for at in range(N_ASKED)]
    assert all(result.items for result in results), "a reader always gets a list"
    return {result.source for result in results}


@pytest.mark.parametrize("kind", ["valkey", "redis"])
def test_a_server_lost_in_mid_publish(
    kind: str, tmp_path: Path, figure: Callable[..., None]
) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    with serving(kind, saved) as server, closing(Redis.from_url(server.url)) as client:
        shelf = Shelf.from_url(server.url, SHOP, settings=UNKEPT)
        first = night(client, tmp_path, N_USERS)
        values, digest = contents(shelves_of(first, N_USERS)), digest_of(client)
        client.save()
        assert answered(shelf) == {"list"}

        for comes_back in ("with its RDB", "empty"):
            with publishing(server.url, tmp_path, N_USERS) as publisher:
                publisher.write(0.5)
                server.kill()
            assert answered(shelf) == {"last-good"}, "while it is away"
            if comes_back == "empty":
                server.forget()
            server.start()
            if comes_back == "with its RDB":
                assert (live(client), n_lost(client, values)) == (first.generation, 0)

        assert live(client) is None
        again = republish(client, SavedRun.open(first.folder), SETTINGS)
        assert again.generation > first.generation + 2, "numbers of the dead are not given again"
        assert digest_of(client) == digest
        old, new = (f":{number}:" for number in (first.generation, again.generation))
        assert n_lost(client, {key.replace(old, new, 1): values[key] for key in values}) == 0
        with closing(Redis.from_url(server.url)) as fresh:
            assert answered(Shelf(fresh, SHOP)) == {"list"}
            name = (Shelf(fresh, SHOP).status().server or "").capitalize()
    figure(
        7,
        f"away: {N_ASKED} of {N_ASKED} reads answered from the last good copy; back with its RDB: "
        f"0 of {len(values):,} keys lost; back empty: republished, digest as before",
        name,
    )


def digest_of(client: Redis) -> str:
    manifest = generations.current(client, SHOP)
    assert manifest is not None
    return manifest.digest
