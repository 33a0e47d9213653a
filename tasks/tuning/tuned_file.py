"""The settings file that a search leaves, with its evidence as comments."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.errors import SettingsError
from tasks.settings_file import DEFAULT
from tasks.tuning.tune import Judged, Tuned

TUNED = Path("nightshelf.tuned.toml")


def refuse_to_overwrite(path: Path, *, force: bool) -> None:
    """Raise `SettingsError` where the file stands already, or is the night's own."""
    if path.resolve().name == DEFAULT.name:
        raise SettingsError(
            f"{path} is the settings file of the nights, which nightshelf tune never writes: name "
            "another, and copy what you want from it"
        )
    if path.exists() and not force:
        raise SettingsError(f"{path} stands already: --force overwrites it, or name another --out")


def save(tuned: Tuned, path: Path, *, force: bool = False) -> None:
    """Write the settings; what a search found is never written over another file unasked."""
    refuse_to_overwrite(path, force=force)
    path.write_text(text_of(tuned))


def text_of(tuned: Tuned) -> str:
    """Return the file's text: evidence, then a table a section."""
    return "\n".join([*(f"# {line}".rstrip() for line in evidence(tuned)), *_tables(tuned)]) + "\n"


def evidence(tuned: Tuned) -> Iterator[str]:
    """Yield the lines that say how the settings were found, and how they did."""
    ask, width = tuned.ask, 18
    until = f"{tuned.as_of:%Y-%m-%d}"
    yield f"Settings of {tuned.namespace} by nightshelf tune, from its log up to {until}."
    yield ""
    yield f"NDCG@10, standard error in brackets, {held_out(ask.days, tuned.n_judged)}:"
    yield " " * (width + 2) + "".join(f"{name:>{width}}" for name in tuned.before)
    for title, figures, sign in (
        ("the night's choice", tuned.before, ""),
        ("these settings", tuned.after, ""),
        ("difference", tuned.difference, "+"),
        ("popular list", tuned.popular, ""),
    ):
        cells = (f"{each.mean:{sign}.4f} ({each.error:.4f})" for each in figures.values())
        yield f"  {title:{width}}" + "".join(f"{cell:>{width}}" for cell in cells)
    yield f"Of the night's choice {gain_text(tuned.gain)}{_noise(tuned)}."
    yield ""
    yield (
        f"Chosen from {len(tuned.trials)} trials by what was held out before those, "
        f"{held_out(ask.days, tuned.n_tuned)}; seed {ask.seed}."
    )


def held_out(days: int, n_users: Mapping[str, int]) -> str:
    """Describe what lists are judged by.

    >>> held_out(7, {"by time": 1468, "last event": 2000})
    'by time: 1,468 users in 7 days, last event: the newest item of 2,000 users'
    """
    words = {
        "by time": f"{{n:,}} users in {days} days",
        "last event": "the newest item of {n:,} users",
    }
    return ", ".join(f"{name}: {words[name].format(n=n)}" for name, n in n_users.items())


def gain_text(gain: Judged) -> str:
    """Describe a gain.

    >>> gain_text(Judged(0.0213, 0.008))
    '+2.1 % (0.8)'
    """
    return f"{100 * gain.mean:+.1f} % ({100 * gain.error:.1f})"


def _noise(tuned: Tuned) -> str:
    if tuned.under:
        return f", but under the popular list {' and '.join(tuned.under)}"
    return "" if tuned.certain else " (within two standard errors: may be chance)"


def _tables(tuned: Tuned) -> Iterator[str]:
    section = ""
    for name, value in sorted(tuned.values.items()):
        table, _, field = name.partition(".")
        if table != section:
            yield ""
            yield f"[{table}]"
            section = table
        yield f"{field} = {_toml(value)}  # without: {_toml(tuned.current[name])}"
    yield from ("", "# The night keeps these half-lives and weights, and chooses none itself.")
    yield from ("[choose]", "hold = true")


def _toml(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
