"""Memory for a log: half of what the machine or the container has, or what the settings say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.io import memory
from tasks.io.child_process import in_child_process
from tasks.io.memory import MachineSettings, limit_memory, memory_bytes


@pytest.fixture(autouse=True)
def default() -> Iterator[None]:
    yield
    limit_memory(MachineSettings())


@pytest.mark.parametrize(
    ("bound", "expected"),
    [("2000000000\n", 10**9), ("max\n", None), ("9223372036854771712\n", None), ("", None)],
)
def test_a_container_with_less_than_the_machine_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, expected: int | None
) -> None:
    file = tmp_path / "memory.max"
    file.write_text(bound)
    monkeypatch.setattr(memory, "_CONTAINER", (tmp_path / "none",))
    of_machine = memory_bytes()
    monkeypatch.setattr(memory, "_CONTAINER", (tmp_path / "none", file))
    assert memory_bytes() == (expected or of_machine)
    assert of_machine <= memory._MAX_BYTES


def test_settings_go_before_it_and_are_shared_by_processes() -> None:
    limit_memory(MachineSettings(memory_gb=3))
    assert memory_bytes() == 3 * 10**9
    assert in_child_process(4, lambda _: None, memory_bytes) == 3 * 10**9 // 4
