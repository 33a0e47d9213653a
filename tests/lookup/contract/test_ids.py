"""Ids as apps have them: numbers, UUIDs, bytes, nothing; the same in both clients."""

import logging
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from redis import Redis

from nightshelf import Event, InvalidKey
from nightshelf.contract import ids as ids_module
from nightshelf.contract.ids import id_text
from nightshelf.contract.keys import Keys, encode_id
from tests.lookup.clients import ShelfOf
from tests.lookup.shelves import SHOP, UNKEPT, publish, ranked

KEYS = Keys(SHOP)
NAME = UUID("12345678-1234-5678-1234-567812345678")
#: Ids that are some, and their text.
IDS: list[tuple[Any, str]] = [
    ("7", "7"),
    (7, "7"),
    (-7, "-7"),
    (10**30, str(10**30)),
    (np.int64(7), "7"),
    (np.uint8(7), "7"),
    (np.str_("7"), "7"),
    (b"7", "7"),
    ("é".encode(), "é"),
    (NAME, str(NAME)),
    ("007", "007"),
]
#: What is no id, though apps may have it.
NONE: list[Any] = [None, "", b"", b"\xff", "\udc80", "x" * 600, True, False, 7.0, np.float64(7)]
NONE += [float("nan"), object(), [], {}, (), ("7",)]


@pytest.fixture
def shelf(redis_client: Redis, redis_url: str, shelf_of: ShelfOf) -> Any:
    """A shelf whose every user of `IDS` has a list, and every item of them a row."""
    publish(redis_client)
    for text in {text for _, text in IDS}:
        redis_client.set(KEYS.list(1, "als", text), ranked("A1").to_json())
        redis_client.set(KEYS.similar(1, text), ranked("C1").to_json())
        redis_client.set(KEYS.user(1, text), b'{"segment": "gold"}')
        redis_client.set(KEYS.item(1, text), b'{"title": "Lamp"}')
    return shelf_of(redis_url, settings=UNKEPT)


@pytest.mark.parametrize(("given", "text"), IDS, ids=repr)
def test_an_id_is_its_text_in_every_call(
    redis_client: Redis, shelf: Any, given: Any, text: str
) -> None:
    assert id_text(given) == text
    assert shelf.get(given).items == shelf.get(text).items
    assert shelf.get(given).source == "list"
    assert [each.source for each in shelf.get_many([given, text])] == ["list", "list"]
    assert shelf.similar(given).source == "similar"
    assert shelf.popular(user=given).source == "popular:all"
    assert shelf.user_features(given)["segment"] == "gold"
    assert shelf.user_features([given]) == {given: shelf.user_features(text)}
    assert shelf.item_features([given, text])[given]["title"] == "Lamp"
    receipt = shelf.acted(given, "purchase", given)
    assert receipt.recorded
    assert redis_client.zscore(KEYS.masked(text), text) is not None
    assert shelf.shown(given, shelf.get(text)).recorded
    assert shelf.clicked(given, given).recorded
    entries: Any = redis_client.xrange(KEYS.events)
    assert {entry[b"user_id"] for _, entry in entries} == {text.encode()}


@pytest.mark.parametrize("given", NONE, ids=lambda given: repr(given)[:20])
def test_what_is_no_id_is_a_stranger_and_cannot_be_told_of(shelf: Any, given: Any) -> None:
    stranger = shelf.get("eve")
    assert shelf.get(given).items == stranger.items
    assert shelf.get(given).source == "popular:all"
    assert [each.source for each in shelf.get_many([given])] == ["popular:all"]
    assert shelf.similar(given).source == "popular:all"
    assert shelf.popular(given).source == "popular:all"
    assert shelf.similar("A1", user=given).source == "similar"
    if not isinstance(given, list | tuple | dict):
        assert shelf.user_features(given) == {}
    assert shelf.user_features([given]) == {}
    assert shelf.item_features([given]) == {}
    with pytest.raises(InvalidKey):
        shelf.acted(given, "purchase", "A1")
    with pytest.raises(InvalidKey):
        shelf.clicked(given, "A1")
    with pytest.raises(InvalidKey):
        shelf.shown(given, stranger)
    if given is not None:
        with pytest.raises(InvalidKey):
            shelf.acted("ann", "purchase", given)


def test_arrays_of_users(shelf: Any) -> None:
    users = np.array([7, 8])
    assert [each.source for each in shelf.get_many(users)] == ["list", "popular:all"]
    assert shelf.get_many(np.array([], dtype=np.int64)) == []
    assert set(shelf.user_features(users)) == {7}


def test_a_float_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ids_module, "_said", set())
    with caplog.at_level(logging.WARNING, "nightshelf"):
        for given in (7.0, 8.0, None, "", 7):
            id_text(given)
    assert [record.getMessage() for record in caplog.records] == [
        "7.0 was given as an id and is none: ids are text or whole numbers"
    ]


def test_what_is_told_names_the_type() -> None:
    with pytest.raises(InvalidKey, match=r"not float: 7\.0"):
        Event(7.0, "view")  # type: ignore[arg-type]
    with pytest.raises(InvalidKey, match="not int"):
        encode_id(7)  # type: ignore[arg-type]
