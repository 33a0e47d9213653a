"""Commands on experiments, and a list that is shown as a variant's users see it."""

from dataclasses import replace

import pytest
from redis import Redis

from nightshelf.admin.generations import current
from tests.lookup.experiments import HALVES, LINKS, OUT, experimenting
from tests.lookup.shelves import SHOP, publish
from tests.lookup.terminal import document, run

LATER = replace(
    HALVES, id="later", traffic=(), start="2126-03-01T00:00:00+00:00", variants=HALVES.variants[:1]
)
ENDED = replace(LATER, id="ended", start="", end="2026-03-01T00:00:00+00:00")


def status(client: Redis) -> list[str]:
    live = current(client, SHOP)
    assert live is not None
    return [each.status for each in live.experiments]


def test_list(redis_client: Redis, redis_url: str) -> None:
    experimenting(redis_client, HALVES, LATER, ENDED)
    result = run(redis_url, "experiment", "list")
    assert result.exit_code == 0
    rows = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "exp-1 2 running 80 % now 50 % als - -" in rows
    assert "links 50 % ease" in rows
    line = "Experiments: exp-1 running, later not started, ended ended"
    assert line in run(redis_url, "status").stdout.splitlines()
    assert "later 2 not started 0 % now 100 % als 2126-03-01 -" in rows
    assert "ended 2 ended 0 % now 100 % als - 2026-03-01" in rows


def test_list_as_json(redis_client: Redis, redis_url: str) -> None:
    experimenting(redis_client)
    assert document(run(redis_url, "experiment", "list", "--json")) == {
        "namespace": "shop",
        "generation": 1,
        "experiments": [
            {
                "id": "exp-1",
                "phase": 2,
                "traffic": [[0, 8000]],
                "variants": [
                    {"name": "now", "model": "als", "buckets": [[0, 5000]], "percent": 50.0},
                    {"name": "links", "model": "ease", "buckets": [[5000, 10000]], "percent": 50.0},
                ],
                "start": "",
                "end": "",
                "status": "running",
                "state": "running",
                "traffic_percent": 80.0,
            }
        ],
    }


def test_none_published_and_nothing_live(redis_client: Redis, redis_url: str) -> None:
    nothing = run(redis_url, "experiment", "list")
    assert nothing.exit_code == 1
    assert "nothing is live in shop" in nothing.stderr
    publish(redis_client)
    assert "No experiment is published" in run(redis_url, "experiment", "list").stdout
    refused = run(redis_url, "experiment", "stop", "exp-1", "--yes", "--json")
    assert refused.exit_code == 1
    assert document(refused) == {
        "error": "refused (unknown): no experiment 'exp-1'; published: none",
        "reason": "unknown",
    }


@pytest.mark.parametrize("as_json", [False, True])
def test_stop(redis_client: Redis, redis_url: str, as_json: bool) -> None:
    experimenting(redis_client, HALVES, LATER)
    options = ["--json"] if as_json else []
    plan = "shop: stop exp-1, phase 2: 80 % of the users get the default model until its next phase"
    said = {"namespace": "shop", "experiment": "exp-1", "phase": 2, "status": "running"}
    dry = run(redis_url, "experiment", "stop", "exp-1", "--dry-run", *options)
    assert status(redis_client) == ["running", "running"]
    assert run(redis_url, "experiment", "stop", "exp-1", *options).exit_code == 2  # nobody to ask
    done = run(redis_url, "experiment", "stop", "exp-1", "--yes", *options)
    assert status(redis_client) == ["stopped", "running"]
    again = run(redis_url, "experiment", "stop", "exp-1", *options)
    assert (dry.exit_code, done.exit_code, again.exit_code) == (0, 0, 0)
    if as_json:
        assert document(dry) == said | {"dry_run": True}
        assert document(done) == document(again) == said | {"status": "stopped", "dry_run": False}
    else:
        assert dry.stdout.splitlines() == [plan, "Dry run: nothing was changed"]
        assert done.stdout.splitlines() == [plan, "shop: exp-1, phase 2, is stopped"]
        assert again.stdout.splitlines() == ["shop: exp-1, phase 2, is stopped"]


def test_get_names_the_variant(redis_client: Redis, redis_url: str) -> None:
    experimenting(redis_client)
    found = run(redis_url, "get", LINKS)
    assert found.stdout.splitlines()[-1] == "experiment exp-1, phase 2, variant links"
    assert "experiment" not in run(redis_url, "get", OUT).stdout
    forced = run(redis_url, "get", OUT, "--forced", "exp-1:links")
    assert forced.stdout.splitlines()[-1].endswith("variant links, as asked for")
    said = document(run(redis_url, "get", OUT, "--forced", "exp-1:links", "--json"))
    names = ("model", "experiment", "variant", "phase", "forced")
    assert [said[name] for name in names] == ["ease", "exp-1", "links", 2, True]
    unknown = run(redis_url, "get", OUT, "--forced", "exp-1:other")
    assert unknown.exit_code == 1
    assert "no variant 'exp-1:other' in shop: see nightshelf experiment list" in unknown.stderr
