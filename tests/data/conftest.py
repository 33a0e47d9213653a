import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def real_log() -> Callable[[str], Path]:
    """Return a real log by its path inside the folder of real logs, or skip the test."""
    folder = Path(os.environ.get("NIGHTSHELF_REAL_DATA", ROOT / ".." / "shared" / "data"))

    def find(name: str) -> Path:
        if not (folder / name).exists():
            pytest.skip(f"no real log {name}: set NIGHTSHELF_REAL_DATA to a folder that has it")
        return folder / name

    return find
