"""An event log with slow queries, and the queries that reach it."""

from pathlib import Path

import pytest

from nightshelf.service.dashboard import event_log, query
from nightshelf.service.dashboard.query import Asked, Row, figures
from tests.lookup.service.event_log import LoggedEvent, write

#: Takes hours, and needs what the true one does.
ENDLESS = """
SELECT count(*) FROM range(1000000000) AS a, range(1000000) AS b
WHERE a.range % 7 = b.range AND $hourly AND $model IS NULL AND len($files) < $max_rows
    AND len($purchases) > 0
"""


@pytest.fixture
def endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of two events, whose hourly queries (for all models) never end."""
    statement = tmp_path / "endless.sql"
    statement.write_text(ENDLESS)
    write(tmp_path, [LoggedEvent("e1"), LoggedEvent("e2", event_type="click")])
    monkeypatch.setattr(query, "_STATEMENT", statement)
    return tmp_path


@pytest.fixture
def asked_of_the_log(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """Queries that have reached the worker thread so far."""
    reached: list[Asked] = []

    def noted(folder: Path, asked: Asked, limit_s: float) -> list[Row]:
        reached.append(asked)
        return figures(folder, asked, limit_s)

    monkeypatch.setattr(event_log, "figures", noted)
    return reached
