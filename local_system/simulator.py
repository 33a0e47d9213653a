"""The simulator's process: the first night, the compressed days, then visitors without end.

Its output is the terminal's: the screen, and the table of the days.
"""

import os
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from redis import ConnectionPool
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from data.simulator.shop_day import shop_on
from data.simulator.visits import visits_of
from local_system import deployments
from local_system.apps import ByService
from local_system.days import play_days, write_catalogue
from local_system.keys import service_keys
from local_system.player import PATIENT, NotRecorded, Player
from local_system.screen import first_night_text, live_text, screen_text
from local_system.settings import NAMESPACE, UpSettings, read
from nightshelf import Shelf
from nightshelf.client.transport.address import parse_address
from nightshelf.client.transport.connection import open_client

#: Seconds between two lines about the visitors.
_REPORT_S = 60.0
_REDIS_S = 10.0


def main(folder: Path) -> int:
    """Bring the system to its first night, play the days, and then visitors until the end."""
    up = read(folder)
    if up is None:
        raise SystemExit(f"{folder} holds no local system: start it with make up")
    deployments.wait_for_server(os.environ["PREFECT_API_URL"])
    deployments.wait_for_worker(up)
    retry = Retry(ConstantBackoff(0.2), 50)
    address = parse_address(os.environ["REDIS_URL"])
    options = {"socket_timeout": _REDIS_S, "socket_connect_timeout": _REDIS_S, "retry": retry}
    with closing(open_client(address, ConnectionPool, patience_s=_REDIS_S, **options)) as redis:
        redis.ping()
        shelf = Shelf(redis, NAMESPACE, settings=PATIENT)
        print(screen_text(up, os.environ["REDIS_URL"]))
        if shelf.status().live is None:
            began = time.monotonic()
            # Without days to play it is as of the last midnight, as each night is.
            asked = {"as_of": up.shop.end.isoformat()} if up.days else {}
            deployments.run("nightly", **asked)
            print(first_night_text(shelf.status(), time.monotonic() - began))
        if up.days:
            play_days(up, shelf, redis)
            if up.exit:
                return 0
            deployments.schedule_all()
    visit_without_end(up)
    return 0


def visit_without_end(up: UpSettings) -> None:
    """Send a visitor to the HTTP service every `pause_s`; newcomers and new items come daily."""
    app = ByService(f"http://127.0.0.1:{up.port}", service_keys(up.folder).app)
    due, day = 0.0, None
    session = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    for number in count():
        today = datetime.now(UTC).date()
        if day != today:
            day, shop = today, shop_on(today, up.shop, up.traffic)
            write_catalogue(up, shop)
        player = Player(app, shop, up.traffic, f"{session}-{number}")
        for visit in visits_of(shop, up.traffic):
            try:
                player.play(visit, datetime.now(UTC))
            except NotRecorded as error:
                print(f"visitors wait: {error}", file=sys.stderr)
            if time.monotonic() > due:
                print(live_text(player.counts))
                due = time.monotonic() + _REPORT_S
            time.sleep(up.pause_s)


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except (deployments.RunFailed, NotRecorded) as error:
        sys.exit(f"error: {error}")
