from pathlib import Path

import pytest

from tests.quick import mirrors


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        ("tasks/publish/_jit/resp.py", "tests/tasks/publish"),
        ("lookup/nightshelf/client/core/cache.py", "tests/lookup/client"),
        ("tasks/settings.py", "tests/tasks/test_settings.py"),
        ("tests/tasks/io/test_parquet.py", "tests/tasks/io/test_parquet.py"),
        ("tests/tasks/refresh/collected_events.py", "tests/tasks/refresh"),
        ("examples/django_app.py", None),
        ("tests/conftest.py", None),
    ],
)
def test_the_tests_of_a_changed_file(changed: str, tests: str | None) -> None:
    assert mirrors([Path(changed)]) == ([Path(tests)] if tests else [])


def test_a_folder_stands_for_the_files_in_it() -> None:
    changed = [Path("tasks/io/disk.py"), Path("tests/tasks/io/test_parquet.py")]
    assert mirrors(changed) == [Path("tests/tasks/io")]
