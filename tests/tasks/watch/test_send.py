"""Messages that cannot be sent, a watch that dies while it sends, and secrets."""

import json
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis import Redis

from nightshelf.admin import incidents as in_redis
from nightshelf.client.transport.connection import connect
from tasks.watch.message import Message
from tasks.watch.receivers import apprise_senders, receiver_name
from tasks.watch.rules import RULES, RuleChange
from tasks.watch.send import Send, try_all
from tasks.watch.watch import watch_pass
from tests.tasks.watch.shop import EVERY, ShopUnderWatch, Webhook, under_watch, url_of


class Killed(BaseException):
    """The end of the watch's process."""


@pytest.fixture
def webhook() -> Webhook:
    return Webhook()


@pytest.fixture
def shop(redis_client: Redis, tmp_path: Path, webhook: Webhook) -> Iterator[ShopUnderWatch]:
    with under_watch(redis_client, tmp_path, webhook) as made:
        off = {name: RuleChange(on=name == "error_rate") for name in RULES}
        made.settings = replace(made.settings, rules=off)
        made.run()
        made.traffic = {"errors": 30}
        made.run()
        yield made


def heads(webhook: Webhook) -> list[str]:
    return [title.split()[0] for title in webhook.titles]


def run_with(shop: ShopUnderWatch, senders: dict[str, Send]) -> None:
    """Do one pass with other senders."""
    shop.now += EVERY
    shop.metrics.count(**shop.traffic)
    with closing(connect(url_of(shop.client), timeout_s=2)) as client:
        watch_pass(client, shop.watched, shop.settings, senders, shop.now)


def test_a_refused_message_is_tried_again_with_backoff(
    shop: ShopUnderWatch, webhook: Webhook
) -> None:
    webhook.refuses = True
    done = shop.run(13)  # an hour: attempts after 0, 5, 15, 35 minutes
    attempts = [number for number, each in enumerate(done) if each.warnings]
    assert attempts == [0, 1, 3, 7]
    assert "not sent, tried again later: the receiver did not accept it" in done[0].warnings[0]
    (incident,) = in_redis.incidents(shop.client, "shop")
    assert incident.sent == {"opened": "waiting (0 of 1 sent)"}
    shop.traffic = {}
    shop.run(4)
    webhook.refuses = False
    shop.run(14)
    assert heads(webhook) == ["[warning]", "[over]"], "late, and still in order"


def test_what_is_never_accepted_is_given_up(shop: ShopUnderWatch, webhook: Webhook) -> None:
    shop.settings = replace(shop.settings, give_up_s=1800.0)
    webhook.refuses = True
    shop.run(10)
    (incident,) = in_redis.incidents(shop.client, "shop")
    assert incident.sent == {"opened": "given up (0 of 1 sent)"}


def test_one_receiver_does_not_hold_up_another(shop: ShopUnderWatch, webhook: Webhook) -> None:
    dead = SecretStr("json://127.0.0.1:1/")
    shop.settings = replace(shop.settings, notify=(dead, *shop.settings.notify))
    shop.run(1)
    shop.traffic = {}
    shop.run(4)
    assert heads(webhook) == ["[warning]", "[over]"]


@pytest.mark.parametrize("sent", [False, True], ids=["before it is sent", "after it is sent"])
def test_a_watch_that_dies_while_it_sends(
    shop: ShopUnderWatch, webhook: Webhook, sent: bool
) -> None:
    (name, send), *_ = apprise_senders(shop.settings.notify).items()

    def die(message: Message) -> None:
        if sent:
            send(message)
        raise Killed

    with pytest.raises(Killed):
        run_with(shop, {name: die})
    shop.run(2)
    shop.traffic = {}
    shop.run(4)
    assert heads(webhook) == ["[warning]"] * (1 + sent) + ["[over]"]
    last_opening = webhook.received[sent]["message"]
    assert "Sent again: the watch was stopped while it sent this" in last_opening
    assert "Sent again" not in webhook.received[-1]["message"]


def test_a_watch_that_dies_before_it_writes_judges_again(
    shop: ShopUnderWatch, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("tasks.watch.watch._judge", die)
        shop.run()
    shop.run(2)
    shop.traffic = {}
    shop.run(4)
    assert heads(webhook) == ["[warning]", "[over]"]


def test_a_receiver_that_is_taken_out_is_waited_for_no_longer(
    shop: ShopUnderWatch, webhook: Webhook
) -> None:
    webhook.refuses = True
    shop.run()
    shop.settings = replace(shop.settings, notify=())
    (done,) = shop.run()
    assert "is no longer in the settings" in done.warnings[0]
    (incident,) = in_redis.incidents(shop.client, "shop")
    assert incident.sent == {"opened": "given up (0 of 1 sent)"}


def test_no_secret_is_repeated(
    shop: ShopUnderWatch,
    webhook: Webhook,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = SecretStr("nonsense://ops:s3cret@nowhere/t0ken")
    shop.settings = replace(shop.settings, notify=(wrong, *shop.settings.notify))
    webhook.refuses = True
    done = shop.run(2)
    webhook.refuses = False
    done += shop.run(4)
    outcomes = try_all(apprise_senders(shop.settings.notify), Message("t", "b", "test"))
    assert list(outcomes.values()) == ["Apprise knows no such address; see its documentation", None]
    files = [path for path in (shop.root / "runs/shop").rglob("*") if path.suffix != ".parquet"]
    texts_of_files = [path.read_text() for path in files if path.is_file()]
    stored = [each.to_json() for each in in_redis.incidents(shop.client, "shop")]
    logs = [f"{each.getMessage()} {each.args} {each.exc_text}" for each in caplog.records]
    spoken = [repr(shop.settings), repr(done), repr(outcomes), *capfd.readouterr()]
    everything = "\n".join([*spoken, *logs, *stored, *texts_of_files, json.dumps(outcomes)])
    for secret in ("s3cret", "t0ken", "k3y"):
        assert secret not in everything
    assert receiver_name(wrong).startswith("nonsense-")
    assert len(webhook.received) >= 2
