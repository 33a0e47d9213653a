"""A readout's tables, as text: for the terminal, Markdown and the page."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tasks.readout.records import Figure, Readout


class Table(NamedTuple):
    """A table: title, remark, heads and rows of text; the first `n_names` columns are names."""

    title: str
    about: str
    heads: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    n_names: int


def tables(found: Readout) -> Iterator[Table]:
    """Yield the tables of a readout; one without rows is left out."""
    for table in (_ratios(found), _variants(found), _figures(found), *_rest(found)):
        if table.rows:
            yield table


def _ratios(found: Readout) -> Table:
    shown = [each for each in found.sample_ratios if each.failed or each.part.startswith("phase")]
    rows = [
        (
            each.part,
            ", ".join(f"{name} {n:,}" for name, n in sorted(each.users.items())),
            "too few" if each.p is None else f"{each.p:.2g}",
            "FAILED" if each.failed else "ok",
        )
        for each in shown
    ]
    n = len(found.sample_ratios) - len(shown)
    about = f"users by variant against their shares; {n} more parts (days, segments) are ok"
    return Table("Sample ratio", about, ("part", "users", "p", ""), rows, 2)


def _variants(found: Readout) -> Table:
    rows = [
        (
            v.metric,
            v.variant,
            f"{v.users:,}",
            number(v.value),
            f"{number(v.low)} to {number(v.high)}",
        )
        for v in found.values
    ]
    heads = ("metric", "variant", "users", "value", "95 % interval")
    return Table("Variants", "each by itself, users of all phases", heads, rows, 2)


def _figures(found: Readout) -> Table:
    rows = [_row(each) for each in found.figures]
    heads = ("metric", "variant", "role", "lift", "interval of the lift", "p", "p (Holm)")
    about = (
        f"against {found.control}; CUPED takes out activity before the exposure; Holm corrects for "
        "all variants and metrics but guardrails"
    )
    return Table("Comparisons", about, heads, rows, 3)


def _row(figure: Figure) -> tuple[str, ...]:
    best = figure.best
    name = figure.metric + ", CUPED" * bool(figure.adjusted)
    return (
        name,
        figure.variant,
        figure.role,
        share(best.lift),
        between(share(best.lift_low), share(best.lift_high)),
        "" if best.p is None else f"{best.p:.2g}",
        "" if figure.p_holm is None else f"{figure.p_holm:.2g}",
    )


def _rest(found: Readout) -> Iterator[Table]:
    rows = [
        (b.variant, number(b.posterior.mean), f"{b.posterior.p_best:.1%}", number(b.posterior.loss))
        for b in found.beliefs
    ]
    metric = found.beliefs[0].metric if found.beliefs else ""
    heads: tuple[str, ...] = ("variant", "mean", "probability to be best", "expected loss")
    yield Table("Bayesian view", f"Beta-binomial of {metric}; no verdict is by it", heads, rows, 1)
    guarded = [
        (g.metric, g.variant, number(g.difference), between(number(g.low), number(g.high)),
         "BREACHED" if g.breached else "ok")
        for g in found.guardrails
    ]  # fmt: skip
    heads = ("guardrail", "variant", "difference", "confidence sequence", "")
    yield Table("Guardrails", "intervals hold at all looks at once", heads, guarded, 2)
    titles = {
        "phase": ("By phase", "all users of the phase"),
        "segment": ("By segment", "exploratory: of many segments some differ by chance"),
        "day": ("By day after the first", "exploratory: an effect that fades is one of novelty"),
    }
    for kind, (title, about) in titles.items():
        parts = [
            (p.part, p.variant, f"{p.users:,}", share(p.lift), number(p.difference),
             between(number(p.low), number(p.high)))
            for p in found.parts if p.kind == kind
        ]  # fmt: skip
        heads = (kind, "variant", "users", "lift", "difference", "95 % interval")
        yield Table(title, about, heads, parts, 2)


def number(value: float | None) -> str:
    """Return a figure with four digits, or nothing."""
    return "" if value is None else f"{value:,.4g}"


def share(value: float | None) -> str:
    """Return a relative figure with its sign.

    >>> share(0.0312)
    '+3.1 %'
    """
    return "" if value is None else f"{100 * value:+.1f} %"


def between(low: str, high: str) -> str:
    """Return an interval, or nothing."""
    return f"{low} to {high}" if low and high else ""
