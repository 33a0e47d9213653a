"""The contract, held by golden bytes and by properties."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshelf import contract
from nightshelf.client.event import Event
from nightshelf.contract.keys import (
    MAX_ID_BYTES,
    Keys,
    ParsedKey,
    decode_id,
    encode_id,
    encode_segment,
    family_in,
    is_of_user,
    key_ttl_s,
    parse,
    user_tag,
)
from nightshelf.contract.values import Canary, Manifest, RankedList, instant
from nightshelf.errors import CorruptValue, InvalidKey
from nightshelf.text import reason_text

ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=MAX_ID_BYTES // 12)
finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
reasons = st.lists(ids, min_size=1, max_size=2).map(tuple)
ranked_lists = st.lists(st.tuples(ids, finite, reasons), max_size=20).map(
    lambda rows: RankedList(*zip(*rows, strict=True)) if rows else RankedList((), (), ())
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["items", "scores", "reasons", "why"]), inner)
    ),
)


def test_golden_keys() -> None:
    keys = Keys("shop")
    golden = {
        keys.current: "shelf:{shop}:current",
        keys.generations: "shelf:{shop}:generations",
        keys.fence: "shelf:{shop}:fence",
        keys.blocked: "shelf:{shop}:blocked",
        keys.unavailable: "shelf:{shop}:unavailable",
        keys.refresh_queue: "shelf:{shop}:refresh-queue",
        keys.refreshed(7): "shelf:{shop}:refreshed:7",
        keys.events: "shelf:{shop}:events",
        keys.watch: "shelf:{shop}:watch",
        keys.incidents: "shelf:{shop}:incidents",
        keys.audit: "shelf:{shop}:audit",
        keys.list(7, "als", "a:b c/é"): "shelf:shop:7:list:als:{a%3Ab%20c%2F%C3%A9}",
        keys.popular(7, "all"): "shelf:shop:7:popular:all",
        keys.popular(7, "category:R&B: 90s"): "shelf:shop:7:popular:category:R%26B%3A%2090s",
        keys.popular(7, "segment:gold"): "shelf:shop:7:popular:segment:gold",
        keys.similar(7, "B-2_x.~"): "shelf:shop:7:similar:B-2_x.~",
        keys.user(7, "*"): "shelf:shop:7:user:{%2A}",
        keys.item(7, "\r\n"): "shelf:shop:7:item:%0D%0A",
        keys.masked("a:b"): "shelf:shop:masked:{a%3Ab}",
        keys.recent("u{1}"): "shelf:shop:recent:{u%7B1%7D}",
        keys.recent_item("B2"): "shelf:shop:recent-item:B2",
        keys.row_update("u1"): "shelf:shop:row-update:{u1}",
        keys.item_update("B2"): "shelf:shop:item-update:B2",
        keys.refreshing("u1"): "shelf:shop:refreshing:{u1}",
    }
    assert list(golden) == list(golden.values())
    assert keys.invalidate == "shelf:{shop}:invalidate"
    assert keys.prefix(7) == "shelf:shop:7:"
    for key in golden:
        parsed = parse(key)
        assert parsed is not None
        assert parsed.namespace == "shop"
        assert parsed == parse(key.encode())
        assert is_of_user(key) == (key[-1] == "}")
        template = f"``{_template(key)}``"
        assert template in str(contract.__doc__), template


def _template(key: str) -> str:
    """Return a golden key as the table of the contract's docstring shows it."""
    parsed = parse(key)
    assert parsed is not None
    own = parsed.name is None
    parts = ["shelf", "{<ns>}" if own else "<ns>"]
    parts += ["<gen>"] if parsed.generation and not own else []
    parts += [parsed.family]
    parts += ["<model>"] if parsed.model else []
    parts += ["<gen>"] if parsed.family == "refreshed" else []
    if not own:
        name = "<segment>" if parsed.family == "popular" else "<id>"
        parts.append(f"{{{name}}}" if is_of_user(key) else name)
    return ":".join(parts)


@given(ids, ids, st.integers(1, 10**9))
def test_keys_are_parsed_into_what_they_were_built_from(user: str, model: str, at: int) -> None:
    keys = Keys("shop.b-1")
    assert parse(keys.list(at, model, user)) == ParsedKey("shop.b-1", "list", at, model, user)
    for family in ("popular", "similar", "user", "item"):
        name = f"category:{user}" if family == "popular" else user
        key = keys.family(at, family).of(name)
        assert parse(key) == ParsedKey("shop.b-1", family, at, None, name)
        assert family_in(key) == family
    for key in (keys.masked(user), keys.row_update(user), keys.recent_item(user)):
        assert parse(key) == ParsedKey("shop.b-1", key.split(":")[2], name=user)
    assert keys.list(at, model, user).endswith(user_tag(user))
    assert hash_slot_tag(keys.list(at, model, user)) == hash_slot_tag(keys.masked(user))
    assert hash_slot_tag(keys.current) == hash_slot_tag(keys.refreshed(at)) == "shop.b-1"
    assert hash_slot_tag(keys.item(at, user)) == keys.item(at, user)


def hash_slot_tag(key: str) -> str:
    """Return the part of a key that decides its slot, as the specification of Redis Cluster says:

    the text between the first `{` and the first `}` after it, or the key where that is empty.
    """
    rest = key.partition("{")[2]
    tag, closed, _ = rest.partition("}")
    return tag if closed and tag else key


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"\xff",
        b"shelf:shop",
        b"shelf:shop:current",
        b"shelf:{shop}:current:x",
        b"shelf:{Shop}:current",
        b"shelf:{shop}:7:list:als:{u1}",
        b"shelf:{shop}:refreshed:07",
        b"shelf:{shop}:refreshed:x",
        b"shelf:shop:7:list:als:u1",
        b"shelf:shop:7:list:als:{u 1}",
        b"shelf:shop:7:list:{u1}",
        b"shelf:shop:7:user:{}",
        b"shelf:shop:7:user:{%61}",
        b"shelf:shop:7:item:{u1}",
        b"shelf:shop:07:item:u1",
        b"shelf:shop:7:popular:everyone",
        b"shelf:shop:7:mood:u1",
        b"shelf:shop:liked:{u1}",
        b"other:shop:7:item:u1",
    ],
)
def test_keys_of_others_are_not_parsed(key: bytes) -> None:
    assert parse(key) is None


def test_golden_list() -> None:
    ranked = RankedList(
        ("B2", "é", "A7"),
        (0.9123456789, 0.5, 1e-9),
        (("because", "C9"), ("taste",), ("because", "C9")),
    )
    golden = (
        '{"items":["B2","é","A7"],"scores":[0.912346,0.5,1e-09],'
        '"reasons":[["because","C9"],["taste"]],"why":[0,1,0]}'
    ).encode()
    assert ranked.to_json() == golden
    assert RankedList.from_json(golden).reasons == ranked.reasons


def test_golden_reason_of_what_was_explored() -> None:
    ranked = RankedList(("A7",), (0.5,), (("discover", "Toys & Games"),))
    golden = b'{"items":["A7"],"scores":[0.5],"reasons":[["discover","Toys & Games"]],"why":[0]}'
    assert ranked.to_json() == golden
    assert RankedList.from_json(golden) == ranked
    assert ranked.without({"Toys & Games"}) == ranked  # a category, and no item
    assert reason_text(ranked.reasons[0], {"Toys & Games": "a"}) == "something else in Toys & Games"


def test_golden_manifest() -> None:
    manifest = Manifest(
        generation=7,
        as_of="2026-03-01T00:00:00+00:00",
        state="live",
        staged_at="2026-03-01T03:00:00+00:00",
        published_at="2026-03-01T03:05:00+00:00",
        counts={"list": 2},
        n_bytes=120,
        digest="ab",
        config_hash="cd",
        model_hash="ef",
        inputs={"events": "01"},
    )
    golden = (
        b'{"generation":7,"as_of":"2026-03-01T00:00:00+00:00","state":"live",'
        b'"staged_at":"2026-03-01T03:00:00+00:00","published_at":"2026-03-01T03:05:00+00:00",'
        b'"extended_at":"","retired_at":"",'
        b'"models":["als"],"default_model":"als","list_length":50,"ttl_s":259200,'
        b'"counts":{"list":2},"n_bytes":120,"digest":"ab","config_hash":"cd",'
        b'"model_hash":"ef","inputs":{"events":"01"},"contract":1,'
        b'"metrics":{},"gates":{},"canary":null,"counting":null,"choice":null,"experiments":[]}'
    )
    assert manifest.to_json() == golden
    assert Manifest.from_json(golden) == manifest
    canary = Canary(8, 2.5, "als", "2026-03-01T04:00:00+00:00")
    beside = golden.replace(
        b'"canary":null',
        b'"canary":{"generation":8,"share":2.5,"default_model":"als",'
        b'"since":"2026-03-01T04:00:00+00:00"}',
    )
    assert replace(manifest, canary=canary).to_json() == beside
    assert Manifest.from_json(beside) == replace(manifest, canary=canary)


def test_an_earlier_manifest_and_a_later_canary_are_understood() -> None:
    earlier = b'{"generation":7,"as_of":"","metrics":{},"gates":{}}'
    assert Manifest.from_json(earlier) == Manifest(7, "")
    later = (
        b'{"generation":7,"as_of":"","canary":'
        b'{"generation":8,"share":5,"default_model":"als","since":"","mood":"calm"}}'
    )
    assert Manifest.from_json(later).canary == Canary(8, 5, "als", "")


def test_manifest_passes_over_fields_of_a_later_version() -> None:
    value = b'{"generation":7,"as_of":"2026-03-01T00:00:00+00:00","mood":"calm"}'
    assert Manifest.from_json(value) == Manifest(7, "2026-03-01T00:00:00+00:00")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"7",
        b"[]",
        b'["generation"]',
        b"{}",
        b'{"generation":"7","as_of":""}',
        b'{"generation":7,"as_of":"","models":[1]}',
        b'{"generation":7,"as_of":"","canary":[1]}',
        b'{"generation":7,"as_of":"","canary":{"generation":8,"share":5}}',
        *(
            b'{"generation":7,"as_of":"","canary":'
            b'{"generation":%b,"share":%b,"default_model":%b,"since":""}}' % odd
            for odd in [
                (b'"8"', b"5", b'"als"'),
                (b"8", b'"5"', b'"als"'),
                (b"8", b"NaN", b'"als"'),
                (b"8", b"5", b"1"),
            ]
        ),
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_manifest_that_is_none(value: bytes) -> None:
    with pytest.raises(CorruptValue):
        Manifest.from_json(value)


def test_golden_event() -> None:
    at = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone(timedelta(hours=2)))
    event = Event(
        "ann é",
        "impression",
        "A1",
        0.1,
        generation=44,
        model="als",
        experiment="exp-1",
        variant="b",
        phase=3,
        position=2,
        latency_ms=12,
        at=at,
        event_id="e1",
    )
    fields = event.fields()
    assert dict(zip(fields[::2], fields[1::2], strict=True)) == {
        "event_id": "e1",
        "user_id": "ann é",
        "event_type": "impression",
        "ts": "2026-03-04T03:06:07+00:00",
        "item_id": "A1",
        "value": "0.1",
        "generation": "44",
        "model": "als",
        "experiment": "exp-1",
        "variant": "b",
        "phase": "3",
        "position": "2",
        "latency_ms": "12.0",
    }


def test_golden_ttls() -> None:
    key = Keys("shop").list(7, "als", "ann")
    assert key_ttl_s("list", key, 259_200) == 249_919
    assert key_ttl_s("popular", Keys("shop").popular(7, "all"), 259_200) == 518_400


@given(ids, st.integers(10, 10**7), st.sampled_from(["list", "similar", "user", "item"]))
def test_ttl_within_a_tenth_and_repeatable(name: str, base_ttl_s: int, family: str) -> None:
    ttl_s = key_ttl_s(family, name, base_ttl_s)
    assert 0.9 * base_ttl_s - 0.5 <= ttl_s <= 1.1 * base_ttl_s + 0.5
    assert ttl_s == key_ttl_s(family, name, base_ttl_s)


def test_ttls_spread_evenly() -> None:
    keys = Keys("shop")
    ttls_s = [key_ttl_s("list", keys.list(7, "als", f"u{i}"), 100_000) for i in range(20_000)]
    tenths = [0] * 10
    for ttl_s in ttls_s:
        tenths[min(9, (ttl_s - 90_000) // 2_000)] += 1
    # Binomial(20,000, 1/10): sd 42; six of them on either side.
    assert all(abs(count - 2_000) < 6 * 42 for count in tenths)


@given(ids)
def test_ids_round_trip_and_cannot_leave_their_key(raw: str) -> None:
    encoded = encode_id(raw)
    assert decode_id(encoded) == raw
    assert encoded.isascii()
    assert not set(encoded) & set(":*?[]\\{}\"' \t\r\n/")


@given(ids, ids, st.data())
def test_distinct_ids_have_distinct_keys(one: str, other: str, data: st.DataObject) -> None:
    keys = Keys("shop")
    families = [
        lambda name: keys.list(7, "als", name),
        lambda name: keys.list(7, name, "als"),
        lambda name: keys.popular(7, f"category:{name}"),
        lambda name: keys.popular(7, f"segment:{name}"),
        lambda name: keys.similar(7, name),
        lambda name: keys.user(7, name),
        lambda name: keys.item(7, name),
    ]
    at, other_at = (data.draw(st.integers(0, len(families) - 1)) for _ in range(2))
    models = {at, other_at} == {0, 1}  # the same pair of names, the other way round
    same = (at, one) == (other_at, other) or (models and one == other == "als")
    assert (families[at](one) == families[other_at](other)) == same


@pytest.mark.parametrize(
    "raw", ["", "x" * (MAX_ID_BYTES + 1), "é" * (MAX_ID_BYTES // 6 + 1), "\ud800"]
)
def test_ids_that_are_none(raw: str) -> None:
    with pytest.raises(InvalidKey):
        encode_id(raw)


def test_longest_id() -> None:
    assert len(encode_id("x" * MAX_ID_BYTES)) == MAX_ID_BYTES


@pytest.mark.parametrize("segment", ["", "everyone", "all:", "category", "category:", "shop:x"])
def test_segments_that_are_none(segment: str) -> None:
    with pytest.raises(InvalidKey):
        encode_segment(segment)


@pytest.mark.parametrize("namespace", ["", "Shop", "a:b", "a b", "-a", "a" * 65, "a\n"])
def test_namespaces_that_are_none(namespace: str) -> None:
    with pytest.raises(InvalidKey):
        Keys(namespace)


@given(ranked_lists)
def test_lists_round_trip_to_six_digits(ranked: RankedList) -> None:
    decoded = RankedList.from_json(ranked.to_json())
    assert (decoded.items, decoded.reasons) == (ranked.items, ranked.reasons)
    assert decoded.scores == pytest.approx(ranked.scores, rel=5e-6, abs=0)
    assert RankedList.from_json(decoded.to_json()) == decoded


@given(ranked_lists)
def test_each_reason_is_stored_once(ranked: RankedList) -> None:
    stored = json.loads(ranked.to_json())["reasons"]
    assert sorted(map(tuple, stored)) == sorted(set(ranked.reasons))


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_scores_that_are_no_json_are_not_written(score: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        RankedList(("a",), (score,), (("taste",),)).to_json()


@given(st.binary(max_size=40) | json_values.map(lambda value: json.dumps(value).encode()))
def test_values_of_others_are_corrupt_and_nothing_else(value: bytes) -> None:
    try:
        decoded = RankedList.from_json(value)
    except CorruptValue:
        return
    assert len(decoded.items) == len(decoded.scores) == len(decoded.reasons)


@pytest.mark.parametrize(
    "value",
    [
        b'{"items":["a"],"scores":[],"reasons":[],"why":[]}',
        b'{"items":["a"],"scores":[1],"reasons":[["taste"]],"why":[1]}',
        b'{"items":[1],"scores":[1],"reasons":[["taste"]],"why":[0]}',
        b'{"items":["a"],"scores":["1"],"reasons":[["taste"]],"why":[0]}',
        b'{"items":["a"],"scores":[NaN],"reasons":[["taste"]],"why":[0]}',
        b'{"items":["a"],"scores":[1' + b"0" * 400 + b'],"reasons":[["taste"]],"why":[0]}',
        b'{"items":["a"],"scores":[1],"reasons":[[null]],"why":[0]}',
        b'{"items":["a"],"scores":[1],"reasons":[["taste"]]',
        b"[" * 100_000,
    ],
)
def test_lists_that_are_none(value: bytes) -> None:
    with pytest.raises(CorruptValue):
        RankedList.from_json(value)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-03-01T00:00:00", None])
def test_instants_that_are_none(text: str) -> None:
    assert instant(text) is None
