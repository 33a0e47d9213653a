"""EASE as a `Model`: the graph's profiles over links that explain each item by all others."""

from typing import Any

import scipy.sparse as sp

from tasks.models.ease.links import link
from tasks.models.ease.settings import EaseSettings
from tasks.models.graph.links import damped
from tasks.models.graph.model import Graph


class Ease(Graph):
    """Items linked by EASE (Steck, WWW 2019); what is not linked scores 0.

    Rows are ln(1 + strength / mean strength), as the graph's are.
    """

    Settings = EaseSettings

    @staticmethod
    def linked_by(strengths: sp.csr_matrix, unit: float, settings: Any) -> sp.csr_matrix:  # noqa: D102
        return link(damped(strengths, unit), settings)
