"""The project's words: terms of the field instead of metaphors, and docstrings that say a thing."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

#: Terms that stand nowhere, in code, prose, settings or output, with what is said in their place.
TERMS = {
    r"\bTold\b|\btold_\w+": "TrackingReceipt, tracked events, totals",
    r"lately": "recent events, recent_*_ttl_s",
    r"\b[Mm]ind\b": "ClientState",
    r"\b[Tt]alk\b|\b[Ll]anding\b|\b[Uu]nanswered\b": "Exchange, InFlight, NoReply",
    r"(?<!in )(?<!single )\b[Ff]lights?\b": "single flight",
    r"[Ll]adder|\b_?[Rr]ungs?\b": "fallback, fallback level",
    r"\b[Hh]earing\b": "invalidation",
    r"withdr[ae]w": "blocklist",
    r"\bdesk|_desk|Desk": "context (CLI), search state (kernel)",
    r"[Cc]rowd": "user block",
    r"\b[Hh]old-?out\b|fores(aw|ight|ee)": "backtest, offline quality, predicted",
    r"[Cc]eiling": "exposure cap",
    r"[Rr]elist": "recompute",
    r"\b_?[Tt]all(y|ies|ied)\b": "aggregate, totals",
    r"[Ff]orecast": "memory estimate",
    r"[Tt]orment": "inject faults",
    r"\bkept from going live\b": "blocked",
    r"[:`](acted|waiting)\b|:fresh\b": "masked items, refresh queue, row update",
}
#: Names that no module, class, function, argument or variable bears: plain English elsewhere.
NAMES = {
    "admit": "gate step",
    "carry": "batches",
    "Look": "pointer",
    "Seen": "pointer snapshot",
    "stock": "item updates, item index",
    "Stock": "item updates, item index",
    "tell": "notify",
    "texts": "byte strings",
    "told": "totals, receipt, tracked events",
    "world": "namespace state",
    "World": "namespace state",
}
#: Names that no module bears.
MODULES = {"ahead", "apart", "entries", "found", "hits", "live", "look", "pieces", "words"}
#: Words that no docstring opens with.
QUESTIONS = {"What", "Who", "Whom", "Whose", "Whoever", "How", "Where", "Whether"}

_SUFFIXES = {".py", ".md", ".sql", ".toml", ".html", ".yaml", ".js", ".mjs", ".sh", ".acl", ".css"}
#: A place is a folder so many levels deep, with all that is in it.
_LEVELS = {"benchmarks": 1, "data": 1, "deploy": 1, "docs": 2, "examples": 1, "flows": 1}
_LEVELS |= {"local_system": 1, "lookup": 3, "nightshelf_ops": 1, "tasks": 2, "tests": 2}
#: This file names the words, the shop sells lamps for desk and ceiling, and history stays.
_UNREAD = {"tests/test_words.py", "data/sample_shop/vocabulary.py", "CHANGELOG.md"}


def _places() -> dict[str, list[Path]]:
    """Return the files to read by place: a package, a room without packages, the root."""
    found = {".": [path for path in ROOT.iterdir() if path.is_file()]}
    for room, levels in _LEVELS.items():
        for path in sorted((ROOT / room).rglob("*.*")):
            place = "/".join(path.relative_to(ROOT).parent.parts[:levels])
            found.setdefault(place, []).append(path)
    return {place: [p for p in paths if _is_read(p)] for place, paths in found.items()}


def _is_read(path: Path) -> bool:
    return path.suffix in _SUFFIXES and path.relative_to(ROOT).as_posix() not in _UNREAD


PLACES = _places()


@pytest.mark.parametrize("place", sorted(PLACES))
def test_words(place: str) -> None:
    found = [f"{path.relative_to(ROOT)}:{each}" for path in PLACES[place] for each in banned(path)]
    assert not found, "\n".join(found)


def banned(path: Path) -> Iterator[str]:
    """Yield each line of a file that says a banned term, or opens a docstring with a question."""
    text = path.read_text()
    for number, line in enumerate(text.splitlines(), 1):
        for term, instead in TERMS.items():
            if said := re.search(term, line):
                yield f"{number}: {said[0]!r}; say {instead}"
    if path.suffix == ".py":
        if path.stem in MODULES | NAMES.keys():
            yield "0: the module's name"
        for node in ast.walk(ast.parse(text)):
            yield from _banned_in(node)


def _banned_in(node: ast.AST) -> Iterator[str]:
    line = getattr(node, "lineno", 1)
    for field in ("name", "id", "arg"):
        if (name := getattr(node, field, None)) in NAMES:
            yield f"{line}: the name {name!r}; say {NAMES[name]}"
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        first = (ast.get_docstring(node) or "").partition("\n")[0]
        if re.match(rf"({'|'.join(QUESTIONS)})\b", first):
            yield f"{line}: a docstring that opens with a question: {first}"


def test_banned_words_are_found(tmp_path: Path) -> None:
    file = tmp_path / "pieces.py"
    file.write_text('"""What is relisted."""\nworld = 1\n')
    assert [said.partition(";")[0] for said in banned(file)] == [
        "1: 'relist'",
        "0: the module's name",
        "1: a docstring that opens with a question: What is relisted.",
        "2: the name 'world'",
    ]
