"""Records of an evaluation, and its JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import orjson

from tasks.evaluation.compare.bootstrap import NOBODY, Figure

#: By group of users (a bucket, a segment): figures by name.
Groups = Mapping[str, Mapping[str, Figure]]


@dataclass(frozen=True)
class Row:
    """Figures of one model's lists under one rule.

    - `model`, `rule`: names; `served`: whether the rule is that of the settings.
    - `figures`: by name: `ndcg`, `recall`, `hit_rate`, `reciprocal_rank` (its mean is MRR) and
      `average_precision` (MAP), each `_at_10` and at the length of a list, 0 to 1; `diversity`
      (category entropy, 0 to 1) and `novelty_bits` (0 up). More is better.
    - `coverage`: available items in a list of some judged user, 0 to 1; without an interval, as
      fewer distinct users cover fewer items. None where users have no lists.
    - `price`: NDCG@10 less that of the same model by score alone, -1 to 1.
    - `over_popular`: NDCG@10 less that of the popular list by score alone.
    - `buckets`, `segments`: NDCG, recall and hit rate at 10 by group.
    """

    model: str
    rule: str
    served: bool
    coverage: float | None = None
    price: Figure = NOBODY
    over_popular: Figure = NOBODY
    figures: Mapping[str, Figure] = field(default_factory=dict)
    buckets: Groups = field(default_factory=dict)
    segments: Groups = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """All rows of one protocol.

    - `cut`: the end of the known part (ISO 8601); `n_users` are judged, by `n_relevant` items.
    - `rows`: popular first, then each model, its rules in the order in which they apply.
    """

    protocol: str
    cut: str
    n_users: int
    n_relevant: int
    list_length: int
    rows: tuple[Row, ...]

    def row(self, model: str, rule: str) -> Row:
        """Return a row by name; `KeyError` where there is none."""
        return {(row.model, row.rule): row for row in self.rows}[model, rule]

    def served(self, model: str) -> Row:
        """Return a model's row under the rules of the settings, or its last one."""
        rows = [row for row in self.rows if row.model == model]
        return next((row for row in rows if row.served), rows[-1])

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order of the rows."""
        return list(dict.fromkeys(row.model for row in self.rows))


@dataclass(frozen=True)
class Evaluation:
    """An evaluation of a namespace's log up to `as_of` (ISO 8601), a judgement a protocol."""

    namespace: str
    as_of: str
    seed: int
    judgements: tuple[Judgement, ...]

    def to_json(self) -> bytes:
        """Return all of it as indented JSON, ending with a newline."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2) + b"\n"
