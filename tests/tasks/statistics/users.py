"""Users of an experiment as arrays, and their moments."""

from itertools import combinations_with_replacement

import numpy.typing as npt

from tasks.statistics.moments import Moments, pair


def moments_of(**variables: npt.NDArray[object]) -> Moments:  # type: ignore[type-var]
    """Return the moments of users whose variables are given, a whole number a user."""
    values = {name: [int(each) for each in array] for name, array in variables.items()}
    return Moments(
        len(next(iter(values.values()))),
        {name: sum(users) for name, users in values.items()},
        {
            pair(a, b): sum(x * y for x, y in zip(values[a], values[b], strict=True))
            for a, b in combinations_with_replacement(sorted(values), 2)
        },
    )
