"""Where the public logs lie."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of the public logs; skip where they are absent."""
    folder = Path(os.environ.get("NIGHTSHELF_REAL_DATA", ROOT / "../shared/data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no public logs at {folder}; name their folder in NIGHTSHELF_REAL_DATA")
    return folder
