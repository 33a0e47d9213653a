"""Tables of the models that a night publishes, and of the experiments that serve them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tasks.artifacts.records import Made
from tasks.evaluation.further_models import FurtherModels
from tasks.evaluation.measure import Metrics
from tasks.experiments.tonight import Tonight
from tasks.report.tables import Table
from tasks.report.text import count, percent, ratio

_MODEL_HEADS = (
    "Model",
    "Coverage",
    "Diversity",
    "Within a list",
    "Personalisation",
    "Lists",
    "Full lists",
    "Outcome",
)
_VARIANT_HEADS = ("Experiment", "Phase", "Variant", "Users", "Model", "Served", "Allocation")
_FIGURES = (
    "coverage",
    "diversity",
    "intra_list_diversity",
    "personalisation",
    "n_lists",
    "full_share",
)

Facts = Mapping[str, Any]


class VariantRow(NamedTuple):
    """A variant of a running experiment: its share of the users in the experiment, and its model.

    `served` differs from `model` where that is not published: then it is the default.
    """

    experiment: str
    phase: int
    variant: str
    share: float
    model: str
    served: str
    why: str


def model_facts(made: Made, metrics: Metrics, further: FurtherModels) -> list[dict[str, Any]]:
    """Return the figures of each model, the default first; none where it is the only one."""
    if not further.judged and not further.left_out:
        return []
    found = [_model(made.default, metrics, "the default")]
    for each in further.judged:
        warns = len(each.verdict.warnings())
        found.append(_model(each.name, each.metrics, f"{warns} warn" if warns else "passed"))
    found += [
        {"model": name, "outcome": f"left out: {why}"} for name, why in further.left_out.items()
    ]
    return found


def variant_rows(tonight: Tonight, models: Sequence[str]) -> tuple[VariantRow, ...]:
    """Return the variants of the experiments that run; `models` are those published."""
    return tuple(
        VariantRow(
            experiment=each.definition.id,
            phase=each.phase.number,
            variant=variant.name,
            share=each.phase.shares[variant.name],
            model=variant.model,
            served=variant.model if variant.model in models else models[0],
            why=each.shares.why if each.shares else "fixed",
        )
        for each in tonight.planned
        if not each.stopped
        for variant in each.phase.variants
    )


def experiment_tables(facts: Facts) -> Iterator[Table]:
    """Yield the tables of models and of variants, those without rows left out."""
    if facts["models"]:
        yield Table("The models", _MODEL_HEADS, [_model_cells(row) for row in facts["models"]])
    if facts["variants"]:
        rows = [_variant_cells(row) for row in facts["variants"]]
        yield Table("Variants, and the models that they are served", _VARIANT_HEADS, rows)


def _model(name: str, metrics: Metrics, outcome: str) -> dict[str, Any]:
    return {"model": name, **{f: getattr(metrics, f) for f in _FIGURES}, "outcome": outcome}


def _model_cells(row: Facts) -> tuple[str, ...]:
    if "coverage" not in row:
        return (row["model"], *["-"] * len(_FIGURES), row["outcome"])
    forms = (percent, ratio, ratio, percent, count, percent)
    cells = (form(row[name]) for name, form in zip(_FIGURES, forms, strict=True))
    return (row["model"], *cells, row["outcome"])


def _variant_cells(row: Facts) -> tuple[str, ...]:
    named = (row["experiment"], count(row["phase"]), row["variant"], percent(row["share"]))
    return (*named, row["model"], row["served"], row["why"])
