"""SLIM as a `Model`: the graph's profiles over links that explain each item by those like it."""

from typing import Any

import scipy.sparse as sp

from tasks.models.graph.model import Graph
from tasks.models.slim.links import link
from tasks.models.slim.settings import SlimSettings


class Slim(Graph):
    """Items linked by SLIM (Ning and Karypis, ICDM 2011); what is not linked scores 0.

    Rows are ln(1 + strength / mean strength), as the graph's are.
    """

    Settings = SlimSettings

    @staticmethod
    def linked_by(strengths: sp.csr_matrix, unit: float, settings: Any) -> sp.csr_matrix:  # noqa: D102
        return link(strengths, unit, settings)
