"""Peak memory: of the block alone, of blocks inside it too, and nothing where it is not told."""

from pathlib import Path

import numpy as np
import pytest

from tasks.runs import peak_memory as module
from tasks.runs.peak_memory import peak_memory

SIZE = 200_000_000


def fill(n_bytes: int) -> int:
    """Touch so many bytes, and let them go."""
    return int(np.ones(n_bytes, np.uint8).sum())


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells the peak")
def test_a_peak_is_of_its_block_and_of_those_inside() -> None:
    with peak_memory() as before:
        fill(1)
    with peak_memory() as outer:
        with peak_memory() as small:
            fill(1)
        with peak_memory() as large:
            fill(SIZE)
        with peak_memory() as last:
            fill(1)
    peaks = [each.n_bytes for each in (before, outer, small, large, last)]
    assert all(peaks)
    first, whole, little, much, after = (peak or 0 for peak in peaks)
    assert much > little + 0.9 * SIZE
    assert whole == max(much, whole) >= much
    assert after < much - 0.9 * SIZE
    assert first < much


def test_without_the_system_s_word_there_is_no_figure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_RESET", tmp_path / "nowhere/clear_refs")
    with peak_memory() as peak:
        fill(1)
    assert peak.n_bytes is None
