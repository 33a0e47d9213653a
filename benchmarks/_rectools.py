"""RecTools' `recommend` on factors that are trained already; it is no dependency of ours.

It asks for NumPy below 2 and pandas below 3 up to Python 3.12, but runs with later ones:
`pip install --no-deps rectools typeguard "attrs<24"` into a copy of the environment.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from tasks.artifacts.factors import Factors


def rectools(
    users: Factors, items: Factors, seen: sp.csr_matrix, n: int
) -> Callable[[], npt.NDArray[np.int64]] | None:
    """Return what recommends `n` items to each user, none of them seen, as flat positions.

    BLAS is held to one thread, as implicit asks, which does the work. `None` where RecTools is not
    installed.
    """
    if find_spec("rectools") is None:
        return None
    columns, of = import_module("rectools").Columns, import_module("rectools.dataset")
    ids, cells = np.arange(len(users)), seen.tocoo()
    table = pd.DataFrame({columns.User: cells.row, columns.Item: cells.col})
    table[columns.Weight], table[columns.Datetime] = 1.0, pd.Timestamp(0)
    dataset = of.Dataset(of.IdMap(ids), of.IdMap(np.arange(len(items))), of.Interactions(table))
    trained = AlternatingLeastSquares(factors=items.shape[1])
    trained.user_factors, trained.item_factors = users, items
    model = import_module("rectools.models").ImplicitALSWrapperModel(trained)
    model.model, model.is_fitted = trained, True  # as `fit` leaves it

    def recommend() -> npt.NDArray[np.int64]:
        with threadpool_limits(1, "blas"):
            found = model.recommend(ids, dataset, k=n, filter_viewed=True)
        return np.asarray(found[columns.Item], np.int64)

    return recommend
