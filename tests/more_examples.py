"""Properties alone, each with many times its examples, of new seeds: `make properties`.

The suite's own examples are the same until the code changes: it is repeatable, and finds nothing
by being run again. A failure prints `@reproduce_failure`, which makes a test of it.
"""

import pytest
from hypothesis import settings

#: Hypothesis's own name: its decorator refuses a second settings, and stateful tests lack it.
_SETTINGS = "_hypothesis_internal_use_settings"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option `--times`."""
    parser.addoption("--times", type=int, default=10, help="examples over those of the suite")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the properties; a function that is run with several parameters is changed once."""
    tests = {item: getattr(item, "obj", None) for item in items}
    others = [item for item, test in tests.items() if not hasattr(test, _SETTINGS)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if hasattr(tests[item], _SETTINGS)]
    for test in {getattr(tests[item], "__func__", tests[item]) for item in items}:
        own: settings = getattr(test, _SETTINGS)
        n = own.max_examples * config.getoption("--times")
        more = settings(own, max_examples=n, derandomize=False, database=None, print_blob=True)
        setattr(test, _SETTINGS, more)
