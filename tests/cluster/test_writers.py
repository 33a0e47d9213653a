"""Refresh, canary, collecting, pins and rollback, on three nodes in place of one."""

from contextlib import closing
from typing import Any

import pytest

from nightshelf.client.transport.cluster import on_each
from nightshelf.client.transport.connection import connect
from tests.lookup.admin.test_lifecycle import (  # noqa: F401
    test_pins_and_flips_at_once_never_leave_a_pin_behind,
    test_rollback_takes_the_pin_along,
    test_the_way_forward_after_a_rollback,
)
from tests.lookup.shelves import settle
from tests.nightshelf_ops.night import make_night
from tests.tasks.collector.test_collect import (  # noqa: F401
    test_nothing_new_leaves_nothing,
    test_what_a_dead_collector_took_gives_the_same_file_again,
    test_what_apps_told_is_what_the_log_holds,
)
from tests.tasks.refresh.collected_events import refresh
from tests.tasks.refresh.test_refresh import (  # noqa: F401
    night,
    quiet,
    test_lists_are_what_the_night_would_make,
    test_of_two_refreshes_the_later_one_wins,
    test_users_of_a_canary_are_refreshed_there,
    test_who_is_forgotten_meanwhile_stays_forgotten,
)


@pytest.fixture(scope="module")
def made(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A night of long ago, refreshed once with nothing told: its folder, and its keys."""
    root = tmp_path_factory.mktemp("night")
    (root / "events").mkdir()
    with closing(connect(redis_url, timeout_s=10)) as client:
        on_each(client, "FLUSHDB")
        run = make_night(client, root)
        settle(client)
        refresh(client, root)
        keys = list(client.scan_iter())
        return run, {key: (client.dump(key), max(0, client.pttl(key))) for key in keys}
