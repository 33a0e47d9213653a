"""Scoring: what is left out of it changes no score."""

import numpy as np
import pytest
import scipy.sparse as sp

from tasks.artifacts.scoring import Scoring


@pytest.mark.parametrize("idle", [[], [0], [1, 3], [0, 1, 2, 3]])
@pytest.mark.parametrize("linked", [True, False])
def test_factors_that_are_0_for_everybody_are_left_out_and_no_score_changes(
    idle: list[int], linked: bool
) -> None:
    rng = np.random.default_rng(8)
    users, items = (rng.normal(size=(n, 4)).astype(np.float32) for n in (20, 30))
    users[:, idle] = 0
    users[3] = 0
    links = [sp.random(n, 30, 0.2, "csr", np.float32, random_state=n) for n in (20, 30)]
    scoring = Scoring(users, items, *links) if linked else Scoring(users, items)
    lean = scoring.lean
    assert lean.users.shape[1] == lean.items.shape[1] == 4 - len(idle)
    for user in range(20):
        np.testing.assert_array_equal(lean.scores(user), scoring.scores(user))
