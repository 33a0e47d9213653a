"""Commands that the pages of the documentation print, as a reader types them."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

DOCS = ROOT / "docs"
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_HEREDOC = re.compile(r"<<'(\w+)'$")


def pages() -> list[Path]:
    """Return the pages that have commands to type, but for decisions and generated ones."""
    found = [*DOCS.glob("*.md"), *DOCS.glob("how-to/*.md"), *DOCS.glob("tutorials/*.md")]
    return sorted(page for page in found if commands(page.read_text()))


def blocks(text: str, *languages: str) -> list[str]:
    """Return the fenced blocks of a page in some languages, without the fence's indent."""
    return [
        re.sub(rf"^{fence[1]}", "", fence[3], flags=re.MULTILINE)
        for fence in _BLOCK.finditer(text)
        if fence[2] in languages
    ]


def commands(text: str) -> list[str]:
    """Return the commands of a page's console blocks in order.

    >>> commands("```console\\n$ ls \\\\\\n>   -l\\na  b\\n>>> 1 + 1\\n2\\n```")
    ['ls \\\\\\n  -l', '>>> 1 + 1']
    """
    return [each for block in blocks(text, "console") for each in _typed(block)]


def _typed(block: str) -> Iterator[str]:
    lines = iter(block.splitlines())
    typed: list[str] = []
    for line in lines:
        if line.startswith(("$ ", ">>> ")):
            if typed:
                yield "\n".join(typed)
            typed = [line.removeprefix("$ ")]
            if end := _HEREDOC.search(line):
                for inside in lines:
                    typed.append(inside)
                    if inside == end[1]:
                        break
        elif typed and (line.startswith("> ") or _is_open(typed)):
            typed.append(line.removeprefix("> "))
    if typed:
        yield "\n".join(typed)


def _is_open(typed: list[str]) -> bool:
    """Report whether a command goes on in the next line: by a backslash, or inside quotes."""
    text = "\n".join(typed)
    bare = re.sub(r'\\.|\'[^\']*\'|"(?:\\.|[^"\\])*"', "", text, flags=re.DOTALL)
    return typed[-1].endswith("\\") or "'" in bare or '"' in bare
