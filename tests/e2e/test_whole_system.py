"""The whole system as `make up DAYS=3` runs it: three compressed days, judged from outside."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pyarrow.parquet as pq
import pytest
from redis import Redis

from data.simulator.choices import click_chances
from data.simulator.shop_day import shop_on
from local_system.processes import descendants, runs
from local_system.settings import UpSettings, read
from nightshelf import Shelf
from nightshelf.admin import generations
from nightshelf.admin.incidents import incidents
from tests.conftest import ROOT, free_port
from tests.e2e.deployed import troubles
from tests.session.prefect_server import ask

pytestmark = [pytest.mark.timeout(1500), pytest.mark.slow]
DAYS = 3
#: CTR of own lists over that of popular ones, of which the planted taste gives more.
MARGIN = 1.4
_LONGEST_S = 1400
Row = dict[str, Any]


@dataclass(frozen=True)
class Played:
    """A system whose days are over, with all that it has tracked; it still runs."""

    up: UpSettings
    process: "subprocess.Popen[bytes]"
    screen: str
    redis: Redis
    sent: list[Row]
    collected: list[Row]

    @property
    def prefect(self) -> dict[str, str]:
        return {"PREFECT_API_URL": f"http://127.0.0.1:{self.up.ui_port}/api"}

    def of_type(self, *kinds: str) -> list[Row]:
        """Return collected events of some types, in order of time."""
        found = [row for row in self.collected if row["event_type"] in kinds]
        return sorted(found, key=lambda row: (row["ts"], row["event_id"]))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Bring it up on free ports, and wait for the end of its days."""
    folder = tmp_path_factory.mktemp("whole") / "up"
    sizes = ("--users", 300, "--items", 180, "--visits", 300, "--days", DAYS)
    ports = ("--port", free_port(), "--ui-port", free_port(), "--redis-port", free_port())
    command = [sys.executable, "-m", "local_system.up", "--folder", folder, *sizes, *ports]
    env = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    screen = folder.parent / "screen.txt"
    with (
        screen.open("wb") as out,
        subprocess.Popen(
            list(map(str, command)), cwd=ROOT, env=env, stdout=out, stderr=out
        ) as process,
    ):
        try:
            _wait_for_the_table(process, screen, folder)
            up = read(folder)
            assert up
            with closing(Redis.from_url(f"redis://127.0.0.1:{up.redis_port}/0")) as redis:
                yield Played(up, process, screen.read_text(), redis, _sent(up), _collected(up))
        finally:
            left = descendants([process.pid])
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
            for pid in [*left, process.pid]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _wait_for_the_table(process: "subprocess.Popen[bytes]", screen: Path, folder: Path) -> None:
    """Wait until the terminal shows the first visitor after the days."""
    deadline = time.monotonic() + _LONGEST_S
    while time.monotonic() < deadline and process.poll() is None:
        if re.search(r"^visits \d", screen.read_text(), re.M):
            return
        time.sleep(0.2)
    logs = "\n".join(f"== {log}\n{log.read_text()[-3000:]}" for log in folder.glob("logs/*.log"))
    raise AssertionError(f"{screen.read_text()}\n{logs}")


def _sent(up: UpSettings) -> list[Row]:
    """Return the events that Redis has taken, as the simulator wrote them down."""
    files = sorted(up.sent.glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def _collected(up: UpSettings) -> list[Row]:
    """Return the rows of the collector's files, but of those that a merged file replaces."""
    files = [file for day in up.played for file in (up.events / f"date={day}").glob("*.parquet")]
    replaced = set[str]()
    for file in files:
        named = (pq.read_schema(file).metadata or {}).get(b"nightshelf.replaces")
        replaced.update(json.loads(named) if named else ())
    return [
        row
        for file in files
        if file.name not in replaced
        for row in pq.read_table(file, partitioning=None).to_pylist()
    ]


def test_each_tracked_event_is_in_parquet_exactly_once(played: Played) -> None:
    ids = Counter(row["event_id"] for row in played.collected)
    assert set(ids.values()) == {1}
    assert ids.keys() == {row["event_id"] for row in played.sent}
    assert len(ids) == len(played.sent) > DAYS * 3_000
    mine = {row["event_id"]: row for row in played.sent}
    for row in played.collected:
        sent = mine[row["event_id"]]
        for name in ("user_id", "event_type", "item_id", "value", "model", "variant", "position"):
            assert row[name] == sent[name]
        assert row["ts"] == datetime.fromisoformat(sent["at"])


def test_own_lists_are_clicked_more_than_popularity_by_the_planted_margin(played: Played) -> None:
    """Observed CTR against that which the planted taste gives for exactly these impressions."""
    shop = shop_on(played.up.played[-1], played.up.shop, played.up.traffic)
    number = {user: at for at, user in enumerate(shop.people.ids.tolist())}
    shown = played.of_type("impression")
    clicks = {(r["user_id"], r["item_id"], r["ts"].date()) for r in played.of_type("click")}
    assert len(clicks) > 500
    chance = click_chances(
        shop,
        np.array([number[row["user_id"]] for row in shown]),
        shop.places([row["item_id"] for row in shown]),
        np.array([row["position"] for row in shown]),
        played.up.traffic,
    )
    own = np.array([row["model"] not in (None, "popular") for row in shown])
    by_id = Counter(
        (row["event_id"].rsplit("-", 1)[0], row["item_id"]) for row in played.of_type("click")
    )
    clicked = np.array(
        [by_id[row["event_id"].rsplit("-", 1)[0], row["item_id"]] for row in shown], float
    )
    assert clicked.sum() == len(played.of_type("click")), "each click is on what was shown"
    for part in (own, ~own):
        assert part.sum() > 2_000
        noise = np.sqrt((chance[part] * (1 - chance[part])).sum()) / part.sum()
        assert abs(clicked[part].mean() - chance[part].mean()) < 4 * noise
    assert chance[own].mean() > MARGIN * chance[~own].mean(), "what lists know of the taste"
    assert clicked[own].mean() > MARGIN * clicked[~own].mean()


def test_a_bought_item_is_never_shown_again(played: Played) -> None:
    bought = dict[tuple[str, str], datetime]()
    for day in sorted(played.up.events.glob("date=*")):
        if date.fromisoformat(day.name.removeprefix("date=")) < played.up.end:
            table = pq.read_table(day / "part-0.parquet", partitioning=None)
            for row in table.to_pylist():
                if row["event_type"] == "purchase":
                    bought.setdefault((row["user_id"], row["item_id"]), row["ts"])
    before = len(bought)
    for row in played.of_type("purchase"):
        bought.setdefault((row["user_id"], row["item_id"]), row["ts"])
    assert before > 100
    assert len(bought) > before + 100
    again = [
        row
        for row in played.of_type("impression")
        if row["ts"] > bought.get((row["user_id"], row["item_id"]), row["ts"])
    ]
    assert again == []


def test_newcomers_get_lists_of_their_own_and_new_items_are_shown(played: Played) -> None:
    for day in played.up.played:
        mine = [
            r for r in played.of_type("impression") if r["user_id"].startswith(f"n{day:%Y%m%d}")
        ]
        morning = [row for row in mine if row["ts"].date() == day and row["ts"].hour < 14]
        evening = [row for row in mine if row["ts"].date() == day and row["ts"].hour >= 14]
        assert {row["model"] for row in morning} == {None}, "nobody knows them"
        users = {row["user_id"] for row in evening if row["model"]}
        assert len(users) > 0.5 * played.up.traffic.newcomers_a_day
    new = [row for row in played.of_type("impression") if row["item_id"].startswith("a2")]
    assert new


def test_every_run_is_completed_but_the_one_that_was_made_to_fail(played: Played) -> None:
    found = ask(played.prefect, "flow_runs", {"sort": "START_TIME_ASC", "limit": 200})
    flows = {row["id"]: row["name"] for row in ask(played.prefect, "flows", {})}
    ended = [run for run in found if not run["auto_scheduled"]]
    states = Counter((flows[run["flow_id"]], run["state"]["name"]) for run in ended)
    assert states == {
        ("nightly", "Completed"): DAYS + 1,
        ("nightly", "Blocked"): 1,
        ("collect", "Completed"): 2 * DAYS,
        ("refresh", "Completed"): DAYS,
        ("watch", "Completed"): DAYS + 3,
        ("readout", "Completed"): DAYS,
    }
    assert not [run for run in found if run["state"]["name"] in ("Crashed", "Failed")]
    live = generations.current(played.redis, "shop")
    assert live
    assert datetime.fromisoformat(live.as_of).date() == played.up.end + timedelta(days=DAYS)


def test_the_planted_effect_is_found_by_the_experiment(played: Played) -> None:
    folder = played.up.runs / "shop/experiments"
    rows = pq.read_table(folder / "readouts.parquet").to_pylist()
    last = max(row["until"] for row in rows)
    (primary,) = (
        row
        for row in rows
        if (row["experiment"], row["until"]) == ("own-lists", last)
        and (row["role"], row["variant"]) == ("primary", "own")
    )
    assert (primary["metric"], primary["outcome"], primary["valid"]) == ("ctr", "better", True)
    assert primary["lift"] > MARGIN - 1
    shares = pq.read_table(folder / "allocations.parquet").to_pylist()
    assert {row["why"] for row in shares if row["experiment"] == "own-lists"} == {"fixed"}
    assert {row["experiment"] for row in shares} == {"own-lists", "which-model"}


def test_one_alert_is_opened_and_closed_for_the_night_that_was_made_to_fail(
    played: Played,
) -> None:
    (incident,) = incidents(played.redis, "shop")
    assert incident.rule == "last_night"
    assert "is blocked by" in incident.says
    assert "events_ratio" in incident.says
    failed = datetime.combine(played.up.played[1] + timedelta(days=1), datetime.min.time(), UTC)
    assert datetime.fromisoformat(incident.since) == failed + timedelta(minutes=5)
    assert incident.ended
    assert datetime.fromisoformat(incident.ended) == failed + timedelta(minutes=30)
    history = (played.up.runs / "shop/incidents.jsonl").read_text().splitlines()
    assert len(history) == 2


def test_the_terminal_says_it_all_and_holds_no_key(played: Played) -> None:
    for port in (played.up.port, played.up.ui_port, played.up.redis_port):
        assert f"127.0.0.1:{port}" in played.screen
    days = re.findall(r"^(2\d{3}-\d\d-\d\d) .*", played.screen, re.M)
    assert [str(day) for day in played.up.played] == days
    assert "1 opened, 1 closed" in played.screen
    assert re.search(r"better \(\+\d+ %\)", played.screen)
    keys = [file.read_text().strip() for file in (played.up.folder / "keys").iterdir()]
    written = [log.read_text() for log in played.up.logs.glob("*.log")]
    assert not any(key in text for key in keys for text in [played.screen, *written])


def test_the_service_and_its_console_are_up(played: Played) -> None:
    base = f"http://127.0.0.1:{played.up.port}"
    key = (played.up.folder / "keys/app").read_text().strip()
    user = str(shop_on(played.up.end, played.up.shop, played.up.traffic).people.ids[7])
    asked = Request(f"{base}/recommendations/{user}", headers={"Authorization": f"Bearer {key}"})
    with urlopen(asked, timeout=30) as answer:
        assert json.load(answer)["recommendations"]
    with urlopen(f"{base}/console/", timeout=30) as answer:
        assert b"Log in" in answer.read()
    assert Shelf(played.redis, "shop").status().live


def test_asked_to_end_it_ends_and_leaves_no_process(played: Played) -> None:
    """The last test of this file: it ends the system."""
    all_of_it = descendants([played.process.pid])
    assert len(all_of_it) >= 10, "five processes, honcho's own beside each"
    played.process.send_signal(signal.SIGINT)
    assert played.process.wait(60) == 0
    assert [pid for pid in all_of_it if runs(pid)] == []
    logs = {log.stem: troubles(log.read_text()) for log in played.up.logs.glob("*.log")}
    (blocked,) = logs.pop("worker")  # the night on half of the log
    assert blocked.endswith("Engine execution exited with unexpected exception")
    names = ("prefect", "redis", "service", "simulator", "system")
    assert logs == {name: [] for name in names}
