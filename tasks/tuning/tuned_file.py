"""The settings file that a search leaves, with its evidence as comments."""

from collections.abc import Iterator
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
    ask = tuned.ask
    until, users = f"{tuned.as_of:%Y-%m-%d}", f"{tuned.n_judged:,} users"
    yield f"Settings of {tuned.namespace} by nightshelf tune, from its log up to {until}."
    yield ""
    yield f"NDCG@10 of the last {ask.days} days ({users}), standard error in brackets:"
    yield f"  the night's choice {_figure(tuned.before)}"
    yield f"  these settings     {_figure(tuned.after)}"
    yield f"  difference         {_figure(tuned.gain, sign='+')}{_noise(tuned)}"
    yield f"  popular list       {_figure(tuned.popular)}"
    yield ""
    yield (
        f"Chosen from {len(tuned.trials)} trials by the {ask.days} days before those "
        f"({tuned.n_tuned:,} users), seed {ask.seed}."
    )


def _noise(tuned: Tuned) -> str:
    return "" if tuned.certain else "  (within two standard errors: may be chance)"


def _figure(judged: Judged, sign: str = "") -> str:
    return f"{judged.ndcg:{sign}.4f} ({judged.error:.4f})"


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
