"""The soak's verdict finds what it must, and nothing in a journal that is as it should be."""

from collections import Counter
from typing import Any

from tests.soak.checks import Outages, breaches
from tests.soak.journal import Line

EVEN, ODD = frozenset({"i0", "i2", "i4"}), frozenset({"i1", "i3"})


def available(generation: int) -> tuple[frozenset[str], str]:
    return (ODD if generation % 2 else EVEN), str(generation)


def line(kind: str, began: float, ended: float | None = None, **more: Any) -> Line:
    return {"kind": kind, "at": [began, began + 0.1 if ended is None else ended], **more}


def answer(began: float, *items: str, generation: int | None = 2, **more: Any) -> Line:
    named: dict[str, Any] = {
        "reader": "0",
        "user": "u",
        "source": "list",
        "titles": [f"Lamp #{generation}"],
    }
    return line("answer", began, generation=generation, items=list(items), **(named | more))


def purchase(began: float, item: str, **more: Any) -> Line:
    said: dict[str, Any] = {
        "reader": "0",
        "user": "u",
        "action": "purchase",
        "recorded": True,
        "event_ids": ["e"],
    }
    return line("acted", began, item=item, **(said | more))


def found(*lines: Line, stored: tuple[str, ...] = ("e",)) -> list[str]:
    return list(breaches(list(lines), available, Counter(stored)))


def test_a_good_journal_has_no_breach() -> None:
    assert not found(
        answer(0, "i0", "i2"),
        purchase(1, "i2"),
        answer(2, "i0"),
        line("block", 3, item="i0"),
        answer(4, "i0"),  # within two seconds
        answer(6, "i4"),
        line("unblock", 7, item="i0"),
        answer(7.05, "i0"),
        answer(8, "i3", generation=3),
        line("answer", 9, generation=None, items=[], source="none", titles=[]),
    )


def test_each_breach_is_found() -> None:
    assert found(answer(0, "i0", "i1")), "an item of another generation"
    assert found(answer(0, "i0", titles=["Lamp #2", "Lamp #4"])), "a row of another generation"
    assert found(answer(0, "i0", "i0")), "an item twice"
    assert found(answer(0, "i0", generation=None))
    assert found(line("block", 0, item="i0"), answer(2.2, "i0"))
    assert found(purchase(0, "i0"), answer(0.2, "i0")), "by the reader that tracked it"
    assert found(purchase(0, "i0", reader="1"), answer(2.2, "i0")), "by another"
    assert found(purchase(0, "i0", recorded=False), answer(0.2, "i0"))
    assert found(purchase(0, "i0"), stored=()), "acknowledged and lost"
    assert found(purchase(0, "i0"), stored=("e", "e")), "stored twice"
    assert found(line("exception", 0, said="TypeError"))


def test_nothing_is_heard_while_redis_is_away() -> None:
    away = line("outage", 1, 5, what="freeze")
    assert not found(line("block", 0, item="i0"), away, answer(7.9, "i0"))
    assert found(line("block", 0, item="i0"), away, answer(8.2, "i0"))
    assert not found(purchase(0, "i0", reader="1"), away, answer(7.9, "i0"))
    late = line("outage", 20, 30, what="kill")
    assert not found(purchase(0, "i0", reader="1"), late, answer(22, "i0")), "it could not ask"
    assert found(purchase(0, "i0", reader="1"), late, answer(19, "i0"))
    assert found(line("block", 0, item="i0"), late, answer(22, "i0")), "it had heard before"


def test_heard_is_what_a_definition_by_small_steps_says() -> None:
    spans = [(1.0, 2.0), (2.5, 4.0), (6.5, 7.0)]
    outages = Outages(spans)
    for since in (0.0, 0.5, 1.5, 2.0, 3.0, 4.0, 4.5, 6.6, 7.0):
        for until in (0.5, 2.0, 3.0, 5.9, 6.0, 6.1, 8.9, 9.0, 9.5):
            steps = [since + at / 100 for at in range(round(100 * (until - since)) + 1)]
            free = [not any(a < at < b for a, b in spans) for at in steps]
            runs = "".join("1" if each else " " for each in free).split()
            assert outages.heard(since, until) == any(len(run) > 200 for run in runs)
