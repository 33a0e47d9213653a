"""Queries on the event log from an event loop: one at a time, results cached."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from nightshelf.service.dashboard import connection
from nightshelf.service.dashboard.connection import TooMuch
from nightshelf.service.dashboard.event_log import Busy, EventLog, Limits
from nightshelf.service.dashboard.query import Asked, Row, Unreadable, figures
from tests.lookup.service.event_log import FIRST, LoggedEvent, write

SLOW = Asked(FIRST, FIRST, hourly=True)


def test_a_question_ends_when_its_time_is_up(endless: Path) -> None:
    started = time.monotonic()
    with pytest.raises(TooMuch):
        figures(endless, SLOW, 0.2)
    assert time.monotonic() - started < 5


def test_what_does_not_fit_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_MEMORY", "1MB")
    write(tmp_path, [LoggedEvent(str(n)) for n in range(20_000)])
    with pytest.raises(TooMuch):
        figures(tmp_path, Asked(FIRST, FIRST), 60.0)


def test_the_same_question_is_asked_once_a_minute(
    tmp_path: Path, asked_of_the_log: list[Asked]
) -> None:
    write(tmp_path, [LoggedEvent("e1")])
    one, other = Asked(FIRST, FIRST), Asked(FIRST, FIRST, hourly=True)

    async def ask() -> list[list[Row]]:
        log = EventLog(tmp_path)
        together = await asyncio.gather(*(log.figures(one) for _ in range(5)), log.figures(other))
        write(tmp_path, [LoggedEvent("e2")], "later.parquet")
        return [*together, await log.figures(one)]

    *same, by_hour, again = asyncio.run(ask())
    assert asked_of_the_log == [one, other]
    assert same == [again] * 5
    assert by_hour[1]["hour"] == 12


def test_answers_are_forgotten_and_failures_never_kept(
    tmp_path: Path, asked_of_the_log: list[Asked]
) -> None:
    asked = Asked(FIRST, FIRST)

    async def ask() -> list[Row]:
        log = EventLog(tmp_path, Limits(kept_s=1e-6))
        assert await log.figures(asked) == []
        assert await log.figures(asked) == []
        log = EventLog(tmp_path)
        write(tmp_path, [LoggedEvent("e1")])
        path = tmp_path / "date=2026-03-01/part-0.parquet"
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        with pytest.raises(Unreadable):
            await log.figures(asked)
        path.write_bytes(whole)
        return await log.figures(asked)

    assert asyncio.run(ask())[0]["impressions"] == 1
    assert len(asked_of_the_log) == 4


def test_one_question_at_a_time_and_the_next_waits_briefly(
    endless: Path, asked_of_the_log: list[Asked]
) -> None:
    async def ask() -> None:
        log = EventLog(endless, Limits(query_s=0.5, turn_s=0.1))
        slow = asyncio.create_task(log.figures(SLOW))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await log.figures(replace(SLOW, model="als"))
        assert asked_of_the_log == [SLOW]
        with pytest.raises(TooMuch):
            await slow
        await log.figures(replace(SLOW, hourly=False))  # the turn is free again

    asyncio.run(ask())
    assert len(asked_of_the_log) == 2


def test_who_stops_waiting_stops_nothing(tmp_path: Path, asked_of_the_log: list[Asked]) -> None:
    write(tmp_path, [LoggedEvent("e1")])
    asked = Asked(FIRST, FIRST)

    async def ask() -> list[Row]:
        log = EventLog(tmp_path)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(log.figures(asked), 1e-6)
        return await log.figures(asked)

    assert asyncio.run(ask())[0]["impressions"] == 1
    assert asked_of_the_log == [asked]
