"""`nightshelf why`: each answer that it can give, at a terminal and in a script."""

import json
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from typer.testing import Result

from nightshelf import Shelf
from nightshelf.admin.blocklist import block
from nightshelf.admin.canary import release
from nightshelf.contract.assignment import in_canary
from nightshelf.contract.experiment import Experiment, Variant
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import RankedList
from tasks.explain.saved_model import load_night
from tasks.explain.trace import Place, trace
from tests.lookup.shelves import age
from tests.lookup.terminal import document, run
from tests.nightshelf_ops.night import ITEMS, RULES, SEGMENTS, TTL_S, USERS, make_night

KEYS = Keys("shop")


@dataclass(frozen=True)
class Shop:
    """A live night, with its command."""

    client: Redis
    url: str
    root: Path
    model: str = "als"

    def why(self, *args: str) -> Result:
        return run(self.url, "why", *args, "--run-root", str(self.root))

    def lines(self, *args: str) -> dict[str, str]:
        """Return what follows each label, the first line under ``first``."""
        result = self.why(*args)
        assert (result.exit_code, result.stderr) == (0, "")
        first, *rest = result.stdout.splitlines()
        labelled = (line.partition(": ") for line in rest if ": " in line)
        return {"first": first} | {label: text for label, _, text in labelled}

    def table(self, heading: str, *args: str) -> list[list[str]]:
        """Return the first two cells of the rows under a table's heading."""
        lines = self.why(*args).stdout.splitlines()
        start = next(at for at, line in enumerate(lines) if line.strip().startswith(heading))
        rows = [line.split() for line in lines[start + 2 :]]
        end = next((at for at, row in enumerate(rows) if not row or row[0] == "Share:"), len(rows))
        return [row[:2] for row in rows[:end]]

    def find(self, outcome: str) -> tuple[str, str, Place]:
        """Return a user, and an item that this became of."""
        night = load_night(self.root / "shop/1", self.model)
        for user in USERS:
            for item in ITEMS:
                _, place = trace(night, user, item)
                if place and place.outcome == outcome:
                    return user, item, place
        raise AssertionError(f"the night has nobody for {outcome}")


@pytest.fixture
def shop(redis_client: Redis, redis_url: str, tmp_path: Path) -> Shop:
    """The night, live."""
    make_night(redis_client, tmp_path)
    return Shop(redis_client, redis_url, tmp_path)


def test_an_item_that_is_listed(shop: Shop) -> None:
    user, item, place = shop.find("listed")
    said = shop.lines(user, item)
    segment = f"segment {SEGMENTS[user]}" if user in SEGMENTS else "no segment"
    assert said["first"] == f"{user} is served their own list: 6 items"
    assert said["Made by"].startswith("generation 1, as of 2026-03-01 UTC, config c0ffee, model ")
    assert said["User"] == f"7 events in the log, {segment}"
    assert said["List"].startswith("6 taken from the top by score; ")
    assert said["List"].endswith("their category full (1 in a page of 3)")
    assert said[item] == f"{item.upper()}, in {place.category}"
    assert said["Served"].startswith(f"at place {place.position}, ")
    assert said["Night"] == f"taken at place {place.position}, on page {place.page}"
    assert f"rank {place.rank} of " in said["Score"]
    because = [[str(each.item_id), str(each.item_id).upper()] for each in place.because]
    assert because
    assert shop.table("speaks for it", user, item) == because


def test_a_place_that_popularity_adds_most_to(
    redis_client: Redis, redis_url: str, tmp_path: Path
) -> None:
    make_night(redis_client, tmp_path, model="blend")
    shop = Shop(redis_client, redis_url, tmp_path, "blend")
    night = load_night(tmp_path / "shop/1", "blend")
    shown = set()
    for user in USERS:
        for each in Shelf(redis_client, "shop").get(user, RULES.n).items:
            _, place = trace(night, user, each.item_id)
            assert place is not None
            first = place.because[0].item_id
            named = {"again": (each.item_id,), "popular": (None,)}
            assert (first,) == named.get(each.reason[0], each.reason[1:])
            if each.reason[0] in shown:
                continue
            shown.add(each.reason[0])
            rows = shop.table("speaks for it", user, each.item_id)
            names = [because.item_id for because in place.because]
            assert rows == [
                ["recent", "popularity"] if name is None else [name, name.upper()] for name in names
            ]
            said = shop.lines(user, each.item_id)["Served"]
            assert said.endswith("popular with everyone") == (first is None)
            found = document(shop.why(user, each.item_id, "--json"))["place"]["because"]
            assert found[0]["item_id"] == first
            assert sum(each["share"] for each in found) <= 1 + 1e-9
    assert shown == {"again", "because", "popular"}


def test_an_item_that_found_no_room_names_who_took_it(shop: Shop) -> None:
    user, item, place = shop.find("no room")
    said = shop.lines(user, item)
    assert said["Served"] == "no, their list does not have it"
    assert said["Night"].startswith(
        f"passed over on page {place.page}: {place.category} had its 1 of 3 places"
    )
    (rival,) = place.rivals
    assert shop.table("place", user, item) == [[str(rival.position), rival.item_id]]
    served = Shelf(shop.client, "shop").get(user, RULES.n).items
    assert served[rival.position - 1].item_id == rival.item_id


@pytest.mark.parametrize(
    ("outcome", "night"),
    [
        ("seen", "left out as seen: the log has a like or dislike of it by the user"),
        ("unavailable", "left out: the catalogue had it as not available"),
        ("below", "not reached: the list's 6 places were taken before its turn"),
        ("not in the model", "no candidate: no event of anyone's says anything about it, "),
    ],
)
def test_an_item_that_is_not_listed(shop: Shop, outcome: str, night: str) -> None:
    user, item, _ = shop.find(outcome)
    said = shop.lines(user, item)
    assert said["Served"] == "no, their list does not have it"
    assert said["Night"].startswith(night)


def test_an_item_that_nobody_knows(shop: Shop) -> None:
    said = shop.lines("u00", "x99")
    assert said["x99"] == "no such item in the catalogue of this generation"


def test_a_blocked_item_and_what_fills_its_place(shop: Shop) -> None:
    user, item, place = shop.find("listed")
    listed = [each.item_id for each in Shelf(shop.client, "shop").get(user, RULES.n).items]
    block(shop.client, "shop", [item])
    said = shop.lines(user, item)
    assert said["first"] == f"{user} is served their own list: 5 items"
    assert said["Served"] == (
        "no, blocked on every path until it is unblocked; the tail of their list fills in"
    )
    assert said["Night"] == f"taken at place {place.position}, on page {place.page}"

    block(shop.client, "shop", listed)
    said = shop.lines(user, item)
    assert said["Why no list of their own"] == "every item in it is blocked"
    assert said["Served"].endswith("; nothing else is left of the list, so the fallback fills in")
    block(shop.client, "shop", list(ITEMS))
    said = shop.lines(user, item)
    assert said["first"] == f"{user} is served none, a fallback: 0 items"
    assert said["Why this"].startswith("no popular list is left either")


def test_what_the_user_did_since(shop: Shop) -> None:
    assert "Since the night" not in shop.lines("u00", "i00")
    shop.client.zadd(KEYS.masked("u00"), {"i00": 1.0})
    assert shop.lines("u00", "i00")["Since the night"] == "the user has acted on it"


@pytest.mark.parametrize(
    ("user", "source", "known", "absence", "this"),
    [
        (
            "nobody",
            "popular:all",
            "not known, neither by the log nor by the users file",
            "no factors, since the night saw no event of theirs",
            "without a segment, what is popular with everyone is all there is",
        ),
        (
            "mute",
            "popular:segment:gold",
            "0 events in the log, segment gold",
            "no factors, since the night saw no event of theirs",
            "gold is the user's segment, and has a popular list",
        ),
        (
            "done",
            "popular:favorites",
            "18 events in the log, no segment",
            "no candidate is left: 18 items seen, 1 unavailable",
            "what is popular in the user's favourite categories, from each in turn",
        ),
    ],
)
def test_a_fallback_with_its_reason(
    shop: Shop, user: str, source: str, known: str, absence: str, this: str
) -> None:
    said = shop.lines(user, "i19")
    assert said["first"].startswith(f"{user} is served {source}, a fallback: ")
    assert said["User"] == known
    assert said["Why no list of their own"] == absence
    assert said["Why this"] == this
    assert said["Served"] == f"no, {source} does not have it"


def test_a_segment_without_a_list(shop: Shop) -> None:
    shop.client.delete(KEYS.popular(1, "segment:gold"))
    said = shop.lines("mute")
    assert said["first"].startswith("mute is served popular:all, a fallback: ")
    assert said["Why this"] == "segment gold has no popular list, or all of it is blocked"


def test_a_list_that_is_gone(shop: Shop) -> None:
    shop.client.delete(KEYS.list(1, "als", "u01"))
    said = shop.lines("u01")
    assert said["first"].startswith("u01 is served popular:favorites, a fallback: ")
    gone = "the night made one of 6 items, and its key "
    assert said["Why no list of their own"] == gone + (
        "is gone before its time: deleted (forget?), or evicted"
    )
    age(shop.client, 1, timedelta(seconds=TTL_S))
    assert said["History"]
    assert shop.lines("u01")["Why no list of their own"] == f"{gone}has expired"


def test_a_user_who_was_not_here_for_long(shop: Shop) -> None:
    settings = shop.root / "shop/1/settings.json"
    said = json.loads(settings.read_text())
    shop.client.delete(KEYS.list(1, "als", "u01"))
    for days, absence in (
        (1, "last seen 2026-02-27 18:00, more than 1 days before the night"),
        (2, "the night made one of 6 items"),
    ):
        said["topn"]["active_within_days"] = days
        settings.write_text(json.dumps(said))
        assert shop.lines("u01")["Why no list of their own"].startswith(absence)


def test_a_list_that_cannot_be_read(shop: Shop) -> None:
    shop.client.set(KEYS.list(1, "als", "u01"), b"[1, 2")
    said = shop.lines("u01")["Why no list of their own"]
    assert said == "Redis holds one that cannot be read; republish the run's folder"


def test_all_keys_gone_but_the_pointer(shop: Shop) -> None:
    """As after an eviction: what should answer is named all the same."""
    shop.client.delete(*shop.client.scan_iter(match=f"{KEYS.prefix(1)}*"))
    said = shop.lines("u01", "i00")
    assert said["first"] == "u01 is served none, a fallback: 0 items"
    assert said["Made by"].startswith("generation 1, ")
    assert "gone before its time" in said["Why no list of their own"]
    assert said["Why this"].startswith("no popular list is left either")


def test_nothing_is_live(shop: Shop) -> None:
    shop.client.flushdb()
    result = shop.why("u01", "i00")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "nothing is live in shop: run the nightly flow to publish\n"


def test_no_folder_or_that_of_other_lists(shop: Shop) -> None:
    shutil.move(shop.root / "shop", shop.root / "moved")
    said = shop.lines("u00", "i00")
    assert said["No trace"].startswith(f"{shop.root}/shop/1 holds no manifest.json ")
    assert said["No trace"].endswith("; name the folder of the runs with --run-root")
    assert said["first"] == "u00 is served their own list: 6 items"
    assert "Night" not in said
    assert shop.lines("nobody")["Why no list of their own"] == "Redis holds none"

    (shop.root / "moved").rename(shop.root / "shop")
    manifest = shop.root / "shop/1/manifest.json"
    raw = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**raw, "digest": "another"}))
    said = shop.lines("u00", "i00")
    assert "is of other lists (digest another) than those that are served" in said["No trace"]
    assert "Night" not in said


def test_the_users_of_a_canary(shop: Shop) -> None:
    make_night(shop.client, shop.root, live=False)
    release(shop.client, "shop", 2, 50)
    inside = next(user for user in USERS if in_canary(user, 2, 50))
    outside = next(user for user in USERS if not in_canary(user, 2, 50))
    assert shop.lines(inside)["Made by"].startswith("canary generation 2, ")
    assert shop.lines(outside)["Made by"].startswith("generation 1, ")


def test_as_json(shop: Shop) -> None:
    user, item, place = shop.find("listed")
    found: dict[str, Any] = document(shop.why(user, item, "--json"))
    assert set(found) == {
        "namespace",
        "user",
        "item",
        "served",
        "manifest",
        "canary",
        "own",
        "row",
        "blocked",
        "acted",
        "person",
        "place",
        "missing",
        "rows",
        "position",
    }
    assert found["position"] == found["place"]["position"] == place.position
    assert found["place"]["score"] == place.score
    assert (found["own"], found["missing"]) == ("served", None)
    assert found["person"]["n_listed"] == 6
    assert found["rows"][item]["title"] == item.upper()
    stranger = document(shop.why("nobody", "--json"))
    assert (stranger["person"], stranger["place"], stranger["item"]) == (None, None, None)
    assert stranger["own"] == "absent"


def test_a_list_in_an_experiment_is_traced_by_its_own_model(
    redis_client: Redis, redis_url: str, tmp_path: Path
) -> None:
    variants = (Variant("now", "als", ((0, 5000),)), Variant("linked", "graph", ((5000, 10000),)))
    trial = Experiment("trial", 3, ((0, 10000),), variants)
    make_night(redis_client, tmp_path, further=("graph",), experiments=(trial,))
    for variant in variants:
        user = next(u for u in USERS if trial.variant_of(u) == variant)
        shop = Shop(redis_client, redis_url, tmp_path, variant.model)
        said = shop.lines(user)
        assert said["Experiment"] == (
            f"trial, phase 3, variant {variant.name}, served {variant.model}"
        )
        found: dict[str, Any] = document(shop.why(user, "i10", "--json"))
        assert (found["served"]["model"], found["missing"]) == (variant.model, None)
        assert found["served"]["variant"] == variant.name
        person, place = trace(load_night(tmp_path / "shop/1", variant.model), user, "i10")
        assert person
        assert place
        assert found["person"]["n_listed"] == person.n_listed == len(found["served"]["items"])
        assert found["place"]["score"] == place.score


def test_a_title_does_not_steer_the_terminal(shop: Shop) -> None:
    row = json.dumps({"title": "[bold]Lamp\x1b[2J", "category": "c0"})
    shop.client.set(KEYS.item(1, "i00"), row)
    said = shop.lines("u00", "i00")["i00"]
    assert said == "[bold]Lamp\N{REPLACEMENT CHARACTER}[2J, in c0"


def test_what_cannot_be_asked_or_read(shop: Shop, dead_url: str) -> None:
    result = shop.why("u" * 600)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "over 512" in result.stderr
    shop.client.set(KEYS.user(1, "u00"), b"[]")
    result = shop.why("u00")
    assert result.exit_code == 1
    assert "holds what cannot be read: not a feature row" in result.stderr
    result = run(dead_url, "why", "u00")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("cannot use Redis at 127.0.0.1:")


def test_a_list_of_another_hand_is_served_and_traced_apart(shop: Shop) -> None:
    """Redis is described as it stands, the night beside it as it was."""
    user, item, _ = shop.find("below")
    ours = RankedList((item,), (1.0,), (("taste",),)).to_json()
    shop.client.set(KEYS.list(1, "als", user), ours)
    said = shop.lines(user, item)
    assert said["Served"] == "at place 1, suits your overall taste"
    assert said["Night"].startswith("not reached")
