"""Logs of the processes: a file each, rotated by size."""

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from honcho.printer import Message

#: A log's size at which it is rotated, and the older ones that stay.
MAX_BYTES, N_OLDER = 5_000_000, 3


class LogFiles:
    """Printer of honcho that writes each process's lines to `<folder>/<process>.log`."""

    #: Set by honcho: the longest name.
    width = 0

    def __init__(self, folder: Path, shown: str, max_bytes: int = MAX_BYTES) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._shown, self._max_bytes = folder, shown, max_bytes
        self._files: dict[str, RotatingFileHandler] = {}

    def write(self, message: Message) -> None:
        """Write a line of a process; those of `shown` go to the terminal too."""
        text = message.data.decode("utf-8", "replace") if isinstance(message.data, bytes) else None
        text = (message.data if text is None else text).rstrip("\n")
        name = message.name or "system"
        handler = self._files.get(name) or self._open(name)
        handler.emit(logging.makeLogRecord({"msg": text}))
        if name == self._shown:
            print(text, file=sys.stdout, flush=True)

    def close(self) -> None:
        """Close all files."""
        for handler in self._files.values():
            handler.close()

    def _open(self, name: str) -> RotatingFileHandler:
        path = self._folder / f"{name}.log"
        handler = RotatingFileHandler(
            path, maxBytes=self._max_bytes, backupCount=N_OLDER, encoding="utf-8"
        )
        self._files[name] = handler
        return handler
