"""Tables of an evaluation, for the terminal and as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.evaluation.compare.bootstrap import Figure
from tasks.evaluation.compare.figures import DEPTH, NDCG
from tasks.evaluation.compare.results import Evaluation, Groups, Judgement, Row

_NONE = "-"
TITLES = {
    "by-time": "By time",
    "last-event": "Last event",
    "one-against-99": "One against 99",
}
_FIGURES = {
    "recall": "recall",
    "average_precision": "MAP",
    "reciprocal_rank": "MRR",
    "hit_rate": "hit rate",
}


@dataclass(frozen=True)
class Table:
    """A table of text: a title, a sentence, the heads and the cells; the first two are names."""

    title: str
    about: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    n_names: int = 2


def tables_of(evaluation: Evaluation) -> list[Table]:
    """Return the tables of each protocol: rules, then buckets and segments where lists have any."""
    found = []
    for judged in evaluation.judgements:
        found.append(_rules(judged))
        if judged.protocol != "one-against-99":
            found.append(_by_group(judged, "bucket"))
            if judged.rows[0].segments:
                found.append(_by_group(judged, "segment"))
    return found


def to_markdown(evaluation: Evaluation) -> str:
    """Return the evaluation as a page."""
    lines = [
        f"# Evaluation of {evaluation.namespace}, as of {evaluation.as_of}",
        "",
        "Means over the judged users, with 95 % intervals (bootstrap over users, seed "
        f"{evaluation.seed}).",
    ]
    for table in tables_of(evaluation):
        lines += ["", f"## {table.title}", "", *markdown(table)]
    return "\n".join(lines) + "\n"


def markdown(table: Table) -> list[str]:
    """Return a table's sentence and lines."""
    rule = ["---"] * table.n_names + ["---:"] * (len(table.heads) - table.n_names)
    cells = [table.heads, rule, *table.rows]
    return [table.about, "", *("| " + " | ".join(row) + " |" for row in cells)]


def _rules(judged: Judgement) -> Table:
    """Return the table of all rows: a model under a rule each."""
    lists = judged.protocol != "one-against-99"
    heads = ["model", "rule", f"NDCG@{DEPTH}", "95 %", *(f"{n}@{DEPTH}" for n in _FIGURES.values())]
    if lists:
        heads += ["price", "over popular", "coverage", "diversity", "novelty"]
    about = (
        f"{judged.n_users:,} users judged by {judged.n_relevant:,} items; models know the log up "
        f"to {judged.cut[:16].replace('T', ' ')}"
    )
    about += f". Lists of {judged.list_length}; * is served." if lists else "."
    rows = [_row(row, lists=lists) for row in judged.rows]
    return Table(TITLES[judged.protocol], about, heads, rows)


def _row(row: Row, *, lists: bool) -> list[str]:
    ndcg = row.figures[NDCG]
    names = [row.model, row.rule + " *" * row.served]
    cells = [*names, figure(ndcg), interval(ndcg)]
    cells += [figure(row.figures[f"{name}_at_{DEPTH}"]) for name in _FIGURES]
    if not lists:
        return cells
    priced = row.price.mean if row.rule != "score alone" else None
    cells += [signed(priced), signed(row.over_popular.mean if row.model != "popular" else None)]
    cells.append(_NONE if row.coverage is None else f"{row.coverage:.1%}")
    return [*cells, figure(row.figures["diversity"], 3), figure(row.figures["novelty_bits"], 2)]


def _by_group(judged: Judgement, kind: str) -> Table:
    """Return NDCG@10 of each model's served lists by group of users."""
    served = [judged.served(model) for model in judged.models]
    groups: list[Groups] = [row.buckets if kind == "bucket" else row.segments for row in served]
    rows = []
    for name in groups[0]:
        figures = [of[name][NDCG] for of in groups]
        if figures[0].n_users:
            cells = [f"{figure(each)} ({interval(each)})" for each in figures]
            rows.append([name, f"{figures[0].n_users:,}", *cells])
    about = f"NDCG@{DEPTH} of each model's lists under the settings' rules, by " + (
        "different items that a user is known for." if kind == "bucket" else "segment."
    )
    heads = ["items" if kind == "bucket" else "segment", "users", *judged.models]
    title = f"{TITLES[judged.protocol]}, by {'history' if kind == 'bucket' else kind}"
    return Table(title, about, heads, rows, n_names=1)


def figure(found: Figure, digits: int = 4) -> str:
    """Return the mean of a figure."""
    return _NONE if found.mean is None else f"{found.mean:.{digits}f}"


def interval(found: Figure) -> str:
    """Return the interval of a figure.

    >>> interval(Figure(0.1, 0.09, 0.1234, 5))
    '0.090 to 0.123'
    """
    if found.low is None or found.high is None:
        return _NONE
    return f"{found.low:.3f} to {found.high:.3f}"


def signed(value: float | None) -> str:
    """Return a difference with its sign.

    >>> signed(0.01234), signed(-0.5)
    ('+0.0123', '-0.5000')
    """
    return _NONE if value is None else f"{value:+.4f}"
