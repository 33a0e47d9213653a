"""A search as Markdown with pictures: its result, its trials, and what each setting did."""

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from optuna.distributions import FloatDistribution

from tasks.report.charts import COLOURS, Picture, drawn
from tasks.report.markdown import escape
from tasks.tuning.search import Trial
from tasks.tuning.search_space import SPACE
from tasks.tuning.tune import Tuned
from tasks.tuning.tuned_file import gain_text, held_out

_BEST, _TRIED, _ = COLOURS
_SHOWN = 10
#: Of a trial, the mean over protocols; 1 is as good.
_FIGURE = "NDCG@10 over the night's"


def to_markdown(tuned: Tuned) -> str:
    """Return the page of a search."""
    verdict = "better" if tuned.certain else "better, within noise" if tuned.better else "no better"
    best = sorted(tuned.trials, key=lambda trial: (-trial.figure, trial.number))[:_SHOWN]
    days = tuned.ask.days
    parts = [
        f"# Tuning of {escape(tuned.namespace)}: {verdict}",
        f"{len(tuned.trials)} trials, judged to {tuned.as_of:%Y-%m-%d} "
        f"({held_out(days, tuned.n_judged)}), chosen by what was held out before those "
        f"({held_out(days, tuned.n_tuned)}). Of the night's choice {gain_text(tuned.gain)}.",
        _table(("NDCG@10", *tuned.before), _judged(tuned)),
        _table(("setting", "the night's choice", "found"), _settings(tuned)),
        "## Trials",
        *(f"![{picture.alt}]({picture.data_uri})" for picture in pictures(tuned)),
        _table(("trial", _FIGURE, *SPACE), map(_trial, best)),
    ]
    return "\n\n".join(parts) + "\n"


def pictures(tuned: Tuned) -> list[Picture]:
    """Draw the trials in their order, and by the value of each setting."""
    if not tuned.trials:
        return []
    return [_history(tuned.trials), *(_by_value(name, tuned.trials) for name in SPACE)]


def _history(trials: Sequence[Trial]) -> Picture:
    figures = [trial.figure for trial in trials]
    best = [max(figures[: n + 1]) for n in range(len(figures))]

    def paint(axes: Axes) -> None:
        axes.scatter(range(len(figures)), figures, s=12, color=_TRIED, label="trial")
        axes.step(range(len(best)), best, where="post", color=_BEST, label="best so far")
        axes.set_xlabel("trial")
        axes.set_ylabel(_FIGURE)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.legend(loc="lower right")

    alt = f"Figures of {len(figures)} trials; the best is {max(figures):.4f}."
    return Picture("Trials", alt, drawn("trials", 2.6, paint))


def _by_value(name: str, trials: Sequence[Trial]) -> Picture:
    values = [trial.values[name] for trial in trials]
    logarithmic = isinstance(SPACE[name], FloatDistribution)

    def paint(axes: Axes) -> None:
        axes.scatter(values, [trial.figure for trial in trials], s=12, color=_TRIED)
        axes.set_xlabel(name)
        axes.set_ylabel(_FIGURE)
        if logarithmic:
            axes.set_xscale("log")

    return Picture(name, f"Figure of each trial by its {name}.", drawn(name, 2.2, paint))


def _judged(tuned: Tuned) -> Iterable[tuple[str, ...]]:
    for name, judged in (
        ("the night's choice", tuned.before),
        ("settings found", tuned.after),
        ("difference", tuned.difference),
        ("popular list", tuned.popular),
    ):
        yield (name, *(f"{each.mean:.4f} ± {each.error:.4f}" for each in judged.values()))


def _settings(tuned: Tuned) -> Iterable[tuple[str, ...]]:
    for name in SPACE:
        yield name, f"{tuned.current[name]:g}", f"{tuned.values[name]:g}"


def _trial(trial: Trial) -> tuple[str, ...]:
    return (str(trial.number), f"{trial.figure:.4f}", *(f"{trial.values[n]:g}" for n in SPACE))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
