"""Facts of the inspector of a user, against what was written and what readers get."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from redis import Redis

from nightshelf import Shelf
from nightshelf.admin.blocklist import block
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Canary
from nightshelf.errors import InvalidKey
from nightshelf.service.console.user_facts import read_user
from tests.lookup.experiments import LINKS, experimenting, set_live
from tests.lookup.shelves import SHOP, publish, ranked, staged

KEYS = Keys(SHOP)


def _seen_events(client: Redis, now_s: float) -> None:
    entries = {
        '["e1","click","B2"]': now_s - 60,
        '["e2","purchase","C2",12.5]': now_s - 30,
    }
    client.zadd(KEYS.recent("ann"), entries)
    client.zadd(KEYS.masked("ann"), {"C2": now_s - 30, "Z9": now_s - 3_000})


def test_the_list_is_that_of_an_app(redis_client: Redis) -> None:
    publish(redis_client)
    facts = read_user(redis_client, SHOP, "ann")
    served = Shelf(redis_client, SHOP).get("ann")
    assert replace(facts.served, age_s=None) == replace(served, age_s=None)
    assert [(each.rank, each.item_id, each.score, each.reason) for each in facts.page] == [
        (1, "A1", 1.0, "because of [bold]Shade\x1b[2J"),
        (2, "B1", 0.5, "because of [bold]Shade\x1b[2J"),
        (3, "C1", 0.333333, "because of [bold]Shade\x1b[2J"),
    ]
    assert [(each.title, each.category) for each in facts.page] == [
        ("Lamp 1", "Lamps"),
        (None, None),
        ("[bold]Shade\x1b[2J", "Lamps"),
    ]
    assert (facts.n_stored, facts.hidden) == (3, ())
    assert not facts.known, "ann has no row"


def test_the_generation_before(redis_client: Redis) -> None:
    for number in (1, 2):
        publish(redis_client, number)
    redis_client.set(KEYS.list(2, "als", "ann"), ranked("B1", "N", "A1").to_json())
    first, *_ = read_user(redis_client, SHOP, "ann").comparisons
    assert (first.a, first.b) == ("generation 1", "generation 2, list")
    assert first.counts == {"stayed": 0, "moved": 2, "new": 1, "gone": 1}
    assert [(row["a"]["mark"], row["b"]["mark"]) for row in first.ranks] == [
        ("moved", "moved"),
        ("moved", "new"),
        ("left", "moved"),
    ]
    assert [row["a"]["to"] for row in first.ranks] == [3, 1, None]


def test_no_generation_before_or_none_with_the_user(redis_client: Redis) -> None:
    publish(redis_client)
    assert "no generation before" in read_user(redis_client, SHOP, "ann").comparisons[0].missing
    bad = staged(redis_client)
    publish(redis_client, 3)
    redis_client.delete(KEYS.list(1, "als", "ann"))
    first = read_user(redis_client, SHOP, "ann").comparisons[0]
    assert first.missing == "Generation 1 has no list of this user in Redis."
    assert first.a != f"generation {bad}", "readers never had what was only staged"


def test_other_models_and_the_experiment(redis_client: Redis) -> None:
    experimenting(redis_client)
    facts = read_user(redis_client, SHOP, LINKS)
    assert (facts.served.model, facts.served.variant) == ("ease", "links")
    assert [each.item_id for each in facts.page] == [f"ease-{n}" for n in range(5)]
    _, other = facts.comparisons
    assert (other.name, other.counts) == (
        "Model als",
        {"stayed": 0, "moved": 0, "new": 5, "gone": 5},
    )
    redis_client.delete(KEYS.list(1, "als", LINKS))
    _, other = read_user(redis_client, SHOP, LINKS).comparisons
    assert other.missing == "als has no list of this user."


def test_history_and_masks(redis_client: Redis) -> None:
    for number in (1, 2):
        publish(redis_client, number)
    redis_client.set(KEYS.list(2, "als", "ann"), ranked("A2", "B2", "C2", "D2").to_json())
    now_s = datetime.now(UTC).timestamp()
    _seen_events(redis_client, now_s)
    block(redis_client, SHOP, ["A2"])
    redis_client.sadd(KEYS.unavailable, "B2")
    facts = read_user(redis_client, SHOP, "ann")
    happened = [(each.what, each.item_id, each.value, each.masks) for each in facts.history]
    assert happened == [
        ("purchase", "C2", 12.5, True),
        ("click", "B2", None, False),
        ("", "Z9", None, True),
    ]
    assert facts.history[0].at.timestamp() == pytest.approx(now_s - 30, abs=1e-3)
    assert [(each.item_id, each.marks) for each in facts.hidden] == [
        ("A2", ("blocked",)),
        ("B2", ("unavailable",)),
        ("C2", ("acted on",)),
    ]
    assert [each.item_id for each in facts.page] == ["D2"]


def test_rows_as_the_night_wrote_them_and_now(redis_client: Redis) -> None:
    publish(redis_client)
    night = {"segment": "gold", "events": 3, "last_seen": None, "recent_views": ["C1"]}
    redis_client.set(KEYS.user(1, "ann"), json.dumps(night))
    redis_client.set(KEYS.row_update("ann"), json.dumps(night | {"events": 5}))
    facts = read_user(redis_client, SHOP, "ann")
    fields = {each.name: (each.night, each.now, each.changed) for each in facts.fields}
    assert fields["events"] == (3, 5, True)
    assert fields["segment"] == ("gold", "gold", False)
    assert (facts.known, facts.segment) == (True, "gold")
    assert facts.viewed == (("C1", "[bold]Shade\x1b[2J"),)


def test_a_fallback_is_beside_the_models_lists(redis_client: Redis) -> None:
    publish(redis_client)
    facts = read_user(redis_client, SHOP, "bob")
    assert facts.served.source == "popular:segment:gold"
    assert [each.reason for each in facts.page] == ["popular in gold"] * 2
    before, model = facts.comparisons
    assert before.missing
    assert model.missing == "als has no list of this user."
    assert facts.n_stored is None


def test_nothing_live_and_values_that_cannot_be_read(redis_client: Redis) -> None:
    facts = read_user(redis_client, SHOP, "ann")
    assert (facts.made, facts.served.source, facts.comparisons) == (None, "none", ())
    publish(redis_client)
    redis_client.set(KEYS.list(1, "als", "ann"), b"[]")
    redis_client.set(KEYS.user(1, "ann"), b"\xff")
    redis_client.zadd(KEYS.recent("ann"), {"no entry": 1.0})
    facts = read_user(redis_client, SHOP, "ann")
    assert facts.served.source == "popular:all"
    assert (facts.fields, facts.history) == ((), ())


@pytest.mark.parametrize("user", ["", "a" * 600, "\ud800"])
def test_what_is_no_id_is_refused(redis_client: Redis, user: str) -> None:
    with pytest.raises(InvalidKey):
        read_user(redis_client, SHOP, user)


def test_a_canarys_user_sees_the_canary(redis_client: Redis) -> None:
    publish(redis_client)
    number = staged(redis_client)
    set_live(redis_client, canary=Canary(number, 100.0, "als", datetime.now(UTC).isoformat()))
    facts = read_user(redis_client, SHOP, "ann")
    assert facts.is_canary
    assert facts.made is not None and facts.made.generation == number
    assert facts.comparisons[0].a == "generation 1"


def test_what_is_read_does_not_grow_with_the_keys(redis_client: Redis) -> None:
    """A page asks for keys by name: no command walks the key space."""
    publish(redis_client)
    publish(redis_client, 2)
    redis_client.config_resetstat()
    read_user(redis_client, SHOP, "ann", 50)
    asked = {name.removeprefix("cmdstat_") for name in redis_client.info("commandstats")}
    assert asked <= {
        "get", "hgetall", "zrange", "smembers", "time", "info", "client|setinfo", "hello",
        "config|resetstat", "mget", "select", "config",
    }  # fmt: skip
