"""Small disks of their own, to fill and to close: mounted for real, by root."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Disk:
    """A mounted tmpfs."""

    path: Path

    def resize(self, n_bytes: int) -> None:
        """Let it hold so many bytes in all, at least a page."""
        _mount("-o", f"remount,size={max(n_bytes, 4096)}", str(self.path))

    def close(self) -> None:
        """Take no writes any more, from root either."""
        _mount("-o", "remount,ro", str(self.path))

    def open(self) -> None:
        _mount("-o", "remount,rw", str(self.path))

    @property
    def n_free(self) -> int:
        return shutil.disk_usage(self.path).free

    @property
    def n_used(self) -> int:
        return shutil.disk_usage(self.path).used


@contextmanager
def mounted(path: Path, n_bytes: int) -> Iterator[Disk]:
    """Mount a disk; skips the test where that may not be done."""
    path.mkdir()
    try:
        _mount("-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", str(path))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True, timeout=30)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, timeout=30)
