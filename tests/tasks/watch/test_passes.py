"""Passes of the watch on a shop that goes wrong, by a webhook that counts the messages."""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from nightshelf.admin import incidents as in_redis
from nightshelf.client.transport.connection import connect
from tasks.errors import RunFolderError
from tasks.watch.rules import RULES, RuleChange
from tasks.watch.state import StateFile
from tasks.watch.watch import WatchBusy, watch_pass
from tests.tasks.watch.shop import EVERY, KEYS, NOW, ShopUnderWatch, Webhook, under_watch, url_of

Act = Callable[[ShopUnderWatch], object]


def _traffic(**counts: int) -> Act:
    return lambda shop: setattr(shop, "traffic", counts)


def _lists(**lists: Any) -> Act:
    def act(shop: ShopUnderWatch) -> None:
        shop.make_night(2, NOW - timedelta(hours=1), **lists)
        shop.go_live(2)

    return act


def _healthy(shop: ShopUnderWatch) -> None:
    """Bring all back to health."""
    shop.make_night(2, shop.now - timedelta(hours=1))
    shop.go_live(2)
    shop.write_events()
    shop.traffic, shop.metrics.up = {}, True
    for number in (3, 4):
        shutil.rmtree(shop.folder(number), ignore_errors=True)
        shop.client.hdel(KEYS.generations, str(number))


def _aged(hours: float, ttl_h: float = 72) -> Act:
    def act(shop: ShopUnderWatch) -> None:
        made = (shop.now - timedelta(hours=hours)).isoformat()
        shop.go_live(2, staged_at=made, ttl_s=round(ttl_h * 3600))

    return act


def _blocked(shop: ShopUnderWatch) -> None:
    shop.make_night(3, shop.now, gates={"coverage": "block"}, n_events=10)


def _without_pointer(shop: ShopUnderWatch) -> None:
    shop.client.delete(KEYS.current)


#: What breaks each rule, but for redis, doctor and deviation, which have tests of their own.
BREAKS: dict[str, Act] = {
    "pointer": _without_pointer,
    "generation_age": _aged(30),
    "keys_expire": _aged(1, ttl_h=30),
    "last_night": _blocked,
    "models_left_out": ShopUnderWatch.lack_a_model,
    "coverage": _lists(coverage=0.45),
    "diversity": _lists(diversity=0.65),
    "without_list": _lists(fallback_share=0.6),
    "offline_quality": _lists(ndcg=0.095),
    "ctr": lambda shop: shop.write_events(clicks=240),
    "conversion": lambda shop: shop.write_events(bought=9),
    "services_down": lambda shop: setattr(shop.metrics, "up", False),
    "p95": _traffic(slow=100),
    "error_rate": _traffic(errors=30),
    "hit_rate": _traffic(fallbacks=300),
    "fallback_share": _traffic(fallbacks=600),
    "process_hit_rate": _traffic(unkept=300),
}


@pytest.fixture
def webhook() -> Webhook:
    return Webhook()


@pytest.fixture
def shop(redis_client: Redis, tmp_path: Path, webhook: Webhook) -> Iterator[ShopUnderWatch]:
    with under_watch(redis_client, tmp_path, webhook) as made:
        yield made


def only(shop: ShopUnderWatch, *names: str) -> None:
    """Switch all other rules off."""
    off = {name: RuleChange(on=name in names) for name in RULES}
    shop.settings = replace(shop.settings, rules=off)


def test_a_healthy_shop_is_ok(shop: ShopUnderWatch, webhook: Webhook) -> None:
    shop.run(3)
    levels = {each.rule: each.level for each in shop.last.done.figures} if shop.last else {}
    assert levels.pop("deviation") == "unknown"
    assert set(levels.values()) == {"ok"}, shop.last
    assert set(levels) == {name for name, rule in RULES.items() if rule.on} - {"deviation"}
    assert webhook.received == []
    assert in_redis.last_pass(shop.client, "shop") == (shop.last and shop.last.done)


@pytest.mark.parametrize("rule", BREAKS)
def test_each_rule_gives_one_opening_and_one_closing_message(
    shop: ShopUnderWatch, webhook: Webhook, rule: str
) -> None:
    only(shop, rule)
    shop.run(2)
    passes = math.ceil(RULES[rule].for_s / EVERY.seconds)
    BREAKS[rule](shop)
    shop.run(passes)  # bad, for less than the dwell time
    assert shop.reading(rule).level in ("warning", "critical"), shop.reading(rule)
    _healthy(shop)
    shop.run(4)
    assert webhook.received == [], "a blip is no incident"

    BREAKS[rule](shop)
    shop.run(passes + 6)
    (opened,) = webhook.received
    assert opened["title"].startswith(("[warning] shop: ", "[critical] shop: "))
    for part in ("Since 2026-03-01 ", "What to do: ", RULES[rule].runbook, f"Incident {rule}-"):
        assert part in opened["message"]
    (incident,) = in_redis.incidents(shop.client, "shop")
    assert (incident.rule, incident.ended, incident.sent) == (rule, None, {"opened": "sent"})

    _healthy(shop)
    shop.run(6)
    opened, ended = webhook.received
    assert ended["title"].startswith(f"[over] shop: {RULES[rule].title}")
    assert f"It was: {incident.says}" in ended["message"]
    (incident,) = in_redis.incidents(shop.client, "shop")
    assert incident.ended
    assert incident.sent == {"opened": "sent", "ended": "sent"}
    log = (shop.root / "runs/shop/incidents.jsonl").read_text().splitlines()
    assert [json.loads(line)["what"] for line in log] == [incident.level, "ended"]
    state = StateFile.of(shop.root / "runs", "shop").read()
    assert state is not None
    assert state.tracked == (), "nothing is kept of an incident that is over"


def test_before_the_first_night_nothing_is_wrong(
    redis_client: Redis, tmp_path: Path, webhook: Webhook
) -> None:
    with under_watch(redis_client, tmp_path, webhook) as shop:
        redis_client.flushdb()
        shutil.rmtree(shop.root / "runs")
        shop.begin_night(1, hours_ago=0.1)
        shop.run(3)
        assert shop.reading("pointer").says == (
            "Live generation missing: unknown (no night has gone live yet)"
        )
        assert webhook.received == []


def test_a_redis_that_came_back_empty_is_found(shop: ShopUnderWatch, webhook: Webhook) -> None:
    only(shop, "pointer")
    shop.run()
    shop.client.flushdb()
    shop.run(2)
    assert webhook.titles == [
        "[critical] shop: Live generation missing: nights have been made, and none is live"
    ]


def test_a_night_that_stands_still_has_failed(shop: ShopUnderWatch) -> None:
    shop.begin_night(3, hours_ago=1)
    shop.run()
    assert (
        shop.reading("last_night").level,
        "is under way" in shop.reading("last_night").says,
    ) == (
        "ok",
        True,
    )
    shop.begin_night(3, hours_ago=4)
    shop.run()
    assert "night 3 has written nothing for 4 h" in shop.reading("last_night").says
    assert shop.reading("last_night").level == "warning"


def test_redis_that_is_lost_is_an_incident_too(
    own_redis_url: str, tmp_path: Path, webhook: Webhook, dead_url: str
) -> None:
    with (
        closing(Redis.from_url(own_redis_url)) as client,
        closing(Redis.from_url(dead_url)) as dead,
        under_watch(client, tmp_path, webhook) as shop,
    ):
        shop.run(2)
        shop.run(4, client=dead)
        (opened,) = webhook.received
        assert opened["title"].startswith("[critical] shop: Redis not reachable: 127.0.0.1:")
        assert "refused" in opened["title"]
        assert shop.reading("generation_age").level == "unknown"
        assert in_redis.incidents(client, "shop") == []
        shop.run(1)
        assert [each.rule for each in in_redis.incidents(client, "shop")] == ["redis"]
        shop.run(4)
        assert [title.split()[0] for title in webhook.titles] == ["[critical]", "[over]"]
        (incident,) = in_redis.incidents(client, "shop")
        assert incident.ended


def test_a_server_that_evicts_is_found(
    own_redis_url: str, tmp_path: Path, webhook: Webhook
) -> None:
    with (
        closing(Redis.from_url(own_redis_url)) as client,
        under_watch(client, tmp_path, webhook) as shop,
    ):
        client.config_set("maxmemory", 10**9)
        client.config_set("maxmemory-policy", "allkeys-lru")
        shop.run(2)
        assert shop.reading("doctor").level == "warning", shop.reading("doctor")
        assert len(webhook.received) == 1
        client.config_set("maxmemory-policy", "noeviction")
        shop.run(6)
        assert [title.split()[0] for title in webhook.titles] == ["[warning]", "[over]"]


def test_a_figure_far_from_its_median_is_one_incident(
    shop: ShopUnderWatch, webhook: Webhook
) -> None:
    only(shop, "deviation", "coverage", "diversity", "hit_rate")
    for number in range(3, 8):  # nights as good as the first
        shop.make_night(number, NOW - timedelta(days=9 - number), coverage=0.7 + 0.001 * number)
    live = {"coverage": 0.56, "diversity": 0.7}
    shop.make_night(8, NOW - timedelta(hours=1), **live)  # type: ignore[arg-type]
    shop.go_live(8)
    shop.run(7)
    (opened,) = webhook.received
    assert opened["title"] == (
        "[warning] shop: Largest deviation from the trailing median: 4.1, over 4 "
        "(Catalogue coverage 56 %, usually 70.4 %)"
    )
    assert shop.reading("coverage").level == "ok"
    assert shop.reading("coverage").median == pytest.approx(0.7045)
    shop.make_night(8, NOW - timedelta(hours=1), coverage=0.69)
    shop.go_live(8)
    shop.run(4)
    assert [title.split()[0] for title in webhook.titles] == ["[warning]", "[over]"]


def test_what_becomes_worse_is_said_once_more(shop: ShopUnderWatch, webhook: Webhook) -> None:
    only(shop, "error_rate")
    shop.run()
    shop.traffic = {"errors": 20}
    shop.run(3)
    shop.traffic = {"errors": 200}
    shop.run(3)
    shop.traffic = {"errors": 20}
    shop.run(3)
    shop.traffic = {}
    shop.run(4)
    heads = [title.partition("]")[0] for title in webhook.titles]
    assert heads == ["[warning", "[now critical", "[over"]


def test_a_small_sample_is_unknown(shop: ShopUnderWatch, webhook: Webhook) -> None:
    only(shop, "ctr", "error_rate")
    shop.write_events(impressions=900, clicks=0)
    shop.run()
    shop.traffic = {"n": 90, "errors": 90}
    shop.run(10)
    for rule, says in (("ctr", "of 900 impressions"), ("error_rate", "of 90 requests")):
        reading = shop.reading(rule)
        assert (reading.level, reading.value) == ("unknown", None)
        assert says in reading.says
        assert "are needed" in reading.says
    assert webhook.received == []


def test_the_message_says_what_changed(shop: ShopUnderWatch, webhook: Webhook) -> None:
    shop.settings = replace(
        shop.settings,
        runbook_url="https://git.example/main",
        report_url="https://shop.example/runs/",
        console_url="https://shop.example/c",
    )
    shop.make_night(2, NOW - timedelta(hours=1), coverage=0.3, n_events=400)
    shop.go_live(2)
    shop.run(2)
    (opened,) = webhook.received
    assert opened["type"] == "failure"
    assert opened["title"] == "[critical] shop: Catalogue coverage: 30 %, below 40 % (generation 2)"
    assert opened["message"].split("\n") == [
        "Since 2026-03-01 12:05 UTC.",
        "",
        "What changed:",
        "- generation 2 (as of 2026-03-01 UTC); the last good night before it is generation 1 "
        "(as of 2026-02-28 UTC)",
        "- input files: events changed",
        "- events: 1,000 -> 400 (-60%)",
        "- events of type view: 1,000 -> 400 (-60%)",
        "- catalogue coverage: 70 % -> 30 %",
        "- lists: 10 -> 10, other bytes (nightshelf diff shows which)",
        "",
        "What to do: Compare the night with the one before: nightshelf diff; roll back if it is "
        "wrong.",
        "https://git.example/main/docs/runbook.md#the-nights-lists-are-worse",
        "",
        "Report: https://shop.example/runs/shop/2/report.html",
        "Console: https://shop.example/c",
        "",
        "Incident coverage-20260301T120500Z, opened. All: nightshelf alerts -s shop",
    ]


def test_a_rule_that_is_switched_off_ends_its_incident(
    shop: ShopUnderWatch, webhook: Webhook
) -> None:
    shop.traffic = {"errors": 30}
    shop.run(3)
    shop.settings = replace(shop.settings, rules={"error_rate": RuleChange(on=False)})
    shop.run(2)
    assert webhook.titles[1:] == ["[over] shop: rule error_rate is off in the settings"]


def test_a_lost_run_folder_goes_on_from_redis(shop: ShopUnderWatch, webhook: Webhook) -> None:
    shop.traffic = {"errors": 30}
    shop.run(3)
    shutil.rmtree(shop.root / "runs/shop/watch")
    shop.run(4)
    shop.traffic = {}
    shop.run(4)
    assert [title.split()[0] for title in webhook.titles] == ["[warning]", "[over]"]


def test_two_passes_at_once_do_not_meet(shop: ShopUnderWatch) -> None:
    with (
        StateFile.of(shop.root / "runs", "shop").locked() as mine,
        pytest.raises(WatchBusy, match="another pass of the watch of shop is under way"),
    ):
        assert mine
        shop.run()


def test_a_broken_state_is_named(shop: ShopUnderWatch) -> None:
    file = StateFile.of(shop.root / "runs", "shop")
    file.path.write_text("{")
    with pytest.raises(RunFolderError, match=r"state\.json cannot be read .*: delete it"):
        shop.run()


def test_a_clock_that_goes_back_changes_nothing(shop: ShopUnderWatch, webhook: Webhook) -> None:
    shop.traffic = {"errors": 30}
    shop.run(1)
    later = shop.now
    with connect(url_of(shop.client)) as client:
        shop.metrics.count(errors=30)
        done = watch_pass(client, shop.watched, shop.settings, {}, later - timedelta(days=1))
    assert done.done.at == later.isoformat()
    assert webhook.received == []
