"""The soak's journal: a line of JSON for everything that anybody did or was answered.

Times are of the monotonic clock, which all processes of a machine share. `at` holds when a call
began and when it had returned.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

Line = dict[str, Any]


class Journal:
    """The journal of one process; its threads may write at once."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / f"{name}.jsonl").open("a")
        self._lock = Lock()

    def note(self, kind: str, began: float, **more: Any) -> None:
        """Write a line on a call that began then and has returned now."""
        line = {"kind": kind, "at": [began, time.monotonic()], **more}
        with self._lock:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    @contextmanager
    def noting(self, kind: str, **more: Any) -> Iterator[Line]:
        """Write a line on the block, with what the block adds to it; also where it raises."""
        began, added = time.monotonic(), dict[str, Any]()
        try:
            yield added
        finally:
            self.note(kind, began, **more, **added)


def load(folder: Path) -> list[Line]:
    """Return every line of all journals, by the time of its beginning."""
    lines = [
        json.loads(text)
        for path in sorted(folder.glob("*.jsonl"))
        for text in path.read_text().splitlines()
    ]
    return sorted(lines, key=lambda line: line["at"][0])
