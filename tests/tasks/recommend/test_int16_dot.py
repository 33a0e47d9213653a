"""Products in the machine's vectors against plain arithmetic, on wide machines and narrow."""

import importlib.util
import os
import subprocess
import sys
from fractions import Fraction
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llvmlite import binding
from numba import njit

from tasks.io.jit_cache import address
from tasks.recommend._jit import int16_dot as kernel_tile
from tasks.recommend._jit.quantize import finest, rounded
from tests.conftest import ROOT
from tests.tasks.recommend.test_topn import KINDS, factors

#: Checks products and hits, and prints whether they were plain, and the address of compiled code.
_CHECKED = """
from tasks.io.jit_cache import address
from tests.tasks.recommend.test_int16_dot import check, kernel_tile
check(kernel_tile, 9, 2, 64)
print(kernel_tile.must_be_plain(), address())
"""


def tile_for(features: dict[str, bool]) -> ModuleType:
    """Load the module anew, as a machine of these features would."""
    spec = importlib.util.spec_from_file_location("another_tile", kernel_tile.__file__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(binding, "get_host_cpu_features", lambda: features)
        spec.loader.exec_module(module)
    return module


def check(tile: ModuleType, n_users: int, n_words: int, p: int) -> None:
    """Fail if a module's products and hits, compiled or not, are not those of plain arithmetic."""
    rng = np.random.default_rng(n_users)
    high = 2**15 if p <= 2 else 5_700
    users = rng.integers(-high + 1, high, (n_users, p)).astype(np.int16)
    items = rng.integers(-high + 1, high, (64 * n_words, p)).astype(np.int16)
    items[7], items[-1] = 0, 1 - high
    team = rng.integers(0, n_users, tile.TEAM)
    wanted = users[team].astype(np.int64) @ items.T.astype(np.int64)
    thresholds = wanted[np.arange(tile.TEAM), rng.integers(0, 64 * n_words, tile.TEAM)].astype(
        np.int32
    )
    laid = tile.packed(items)

    def run(word, users, team, laid, sums, thresholds, bits):  # type: ignore[no-untyped-def]
        tile.products(users, team, laid, word, sums)
        tile.hits(users, team, laid, word, thresholds, bits)

    for way in (run, njit(run)):
        sums, bits = np.zeros((tile.TEAM, 64 * n_words), np.int32), np.zeros(tile.TEAM, np.uint64)
        above = []
        for word in range(n_words):
            way(word, users, team, laid, sums, thresholds, bits)
            eighths = bits.view(np.uint8).reshape(tile.TEAM, 8)
            above.append(np.unpackbits(eighths, 1, bitorder="little"))
        assert sums.tolist() == wanted.tolist()
        assert np.hstack(above).tolist() == (wanted > thresholds[:, None]).astype(int).tolist()


@pytest.mark.parametrize("broken", [False, True], ids=["llvm", "llvmlite changed"])
@pytest.mark.parametrize("features", [{}, {"avx512bw": True}], ids=["narrow", "wide"])
@pytest.mark.parametrize(
    ("n_users", "n_words", "p"), [(1, 1, 2), (9, 2, 64), (40, 3, 66), (6, 1, 4)]
)
def test_products_and_hits_are_those_of_plain_arithmetic(
    features: dict[str, bool],
    n_users: int,
    n_words: int,
    p: int,
    broken: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whole numbers to the limits of 16 bits; a word's neighbours must not touch it."""
    tile = tile_for(features)
    if broken:
        monkeypatch.delattr(tile, "_pairwise")
    check(tile, n_users, n_words, p)
    warned = ["NameError" in record.message for record in caplog.records]
    assert (tile.must_be_plain(), warned) == (broken, [True] * broken)


@pytest.mark.slow
def test_plain_products_are_asked_for_and_cached_apart() -> None:
    """Lists are made of products and hits alone, which are the same ones."""
    env = os.environ | {"NIGHTSHELF_PLAIN_DOT": "1"}
    command = [sys.executable, "-c", _CHECKED]
    made = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=True
    )
    assert made.stderr.count("NIGHTSHELF_PLAIN_DOT is set") == 1
    plain, apart = made.stdout.split()
    assert plain == "True"
    assert apart != address()


@given(
    k=st.sampled_from([1, 2, 5, 32, 64]),
    user_kind=st.sampled_from(KINDS),
    item_kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_product_is_no_further_from_the_score_than_its_rows_tell(
    k: int, user_kind: str, item_kind: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    user = factors(rng, user_kind, 1, k).astype(np.float64)
    items = factors(rng, item_kind, 20, k).astype(np.float64)
    mine = rounded(user, finest(np.abs(user).max(axis=1), k))
    theirs = rounded(items, np.repeat(finest(np.abs(items).max(keepdims=True)[0], k), 20))
    assert mine.numbers.shape[1] % 2 == 0
    for row in range(20):
        score = sum(map(Fraction.__mul__, map(Fraction, user[0]), map(Fraction, items[row])))
        product = int(mine.numbers[0].astype(np.int64) @ theirs.numbers[row].astype(np.int64))
        assert -(2**31) < product < 2**31
        near = Fraction(mine.units[0]) * Fraction(theirs.units[row]) * product
        length = np.linalg.norm(items[row])
        lost = mine.errors[0] * length + mine.lengths[0] * theirs.errors[row]
        slight = 1e-13 * np.linalg.norm(user) * length  # what float64 takes from the bounds
        assert abs(score - near) <= lost + slight
