"""The state machine of incidents, against a definition by windows of readings."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tasks.watch.incidents import Streak, level_after

#: Seconds since the reading before, and the level.
readings = st.lists(
    st.tuples(st.integers(1, 20), st.sampled_from(["ok", "ok", "warning", "critical", "unknown"])),
    max_size=60,
)
Timed = Sequence[tuple[float, str]]


def machine(timed: Timed, for_s: float, clear_s: float) -> list[str | None]:
    """Return the incident's level after each reading, by the state machine."""
    streak, level, levels = Streak(), None, []
    for at, reading in timed:
        streak = streak.then(reading, at)
        level = level_after(level, streak, at, for_s=for_s, clear_s=clear_s)
        levels.append(level)
    return levels


def by_windows(timed: Timed, for_s: float, clear_s: float) -> list[str | None]:
    """Return the same by definition: look back over all readings each time."""

    def throughout(last: int, seconds: float, *levels: str) -> bool:
        for first in range(last, -1, -1):
            if timed[first][1] not in levels:
                return False
            if timed[last][0] - timed[first][0] >= seconds:
                return True
        return False

    levels: list[str | None] = []
    for at in range(len(timed)):
        before = levels[-1] if levels else None
        if throughout(at, for_s, "critical"):
            levels.append("critical")
        elif before is None:
            levels.append("warning" if throughout(at, for_s, "warning", "critical") else None)
        else:
            levels.append(None if throughout(at, clear_s, "ok") else before)
    return levels


def timed_of(steps: Sequence[tuple[int, str]]) -> Timed:
    at, timed = 1000.0, []
    for step, level in steps:
        at += step
        timed.append((at, level))
    return timed


@given(readings, st.integers(0, 40), st.integers(0, 40))
def test_the_machine_does_as_defined(
    steps: list[tuple[int, str]], for_s: int, clear_s: int
) -> None:
    timed = timed_of(steps)
    levels = machine(timed, for_s, clear_s)
    assert levels == by_windows(timed, for_s, clear_s)
    for (_, reading), before, after in zip(timed, [None, *levels], levels, strict=False):
        if reading == "unknown":
            assert before == after, "what is unknown opens nothing and ends nothing"
        if before == "critical":
            assert after != "warning", "a level never goes down"


@given(st.integers(1, 59), st.sampled_from(["warning", "critical"]))
def test_a_blip_opens_nothing_and_a_good_moment_ends_nothing(blip_s: int, level: str) -> None:
    blip = [(1, "ok"), (10, level), (blip_s, level), (1, "ok")] * 5
    assert set(machine(timed_of(blip), for_s=60, clear_s=60)) == {None}
    opened = [(1, level), (60, level)]
    good = [(1, "ok"), (blip_s, "ok"), (1, level)] * 5
    assert machine(timed_of(opened + good), for_s=60, clear_s=60)[1:] == [level] * 16


def test_it_opens_gets_worse_and_ends_once() -> None:
    steps = [(60, "warning")] * 3 + [(60, "critical")] * 3 + [(60, "warning")] + [(60, "ok")] * 4
    levels = machine(timed_of(steps), for_s=120, clear_s=120)
    assert levels == [None, None] + ["warning"] * 3 + ["critical"] * 4 + [None] * 2
