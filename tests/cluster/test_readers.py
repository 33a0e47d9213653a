"""The suite of the client, on three nodes in place of one server: all tests that ask Redis."""

from inspect import signature
from typing import Any

from tests.lookup.client.test_experiments import *  # noqa: F403
from tests.lookup.client.test_pages import *  # noqa: F403
from tests.lookup.client.test_recent_events import *  # noqa: F403
from tests.lookup.client.test_shelf import *  # noqa: F403
from tests.lookup.client.test_tracking import *  # noqa: F403

#: Those that make a client of one server by hand, and those of seconds that compute more than ask.
_LEFT_OUT = (
    *("test_in_the_newer_protocol_too", "test_corrupt_values_count_as_absent"),
    *("test_any_life_of_an_item", "test_any_life_of_a_user", "test_filters_against_brute_force"),
    *("test_no_repeats_whatever_is_acted_on_or_blocked_in_between", "test_many_is_each"),
)


def _asks(name: str, test: Any) -> bool:
    return "redis_client" in signature(test).parameters and name not in _LEFT_OUT


for _name, _test in list(globals().items()):
    if _name.startswith("test_") and not _asks(_name, _test):
        del globals()[_name]
