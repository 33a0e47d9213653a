"""Rewrites the tables of `docs/lookup.md` with what the benchmarks of reading print.

A benchmark prints `what: figure` a line. Those become the rows of its table, bare ratios first; the
table stands on the page between two marks that name the benchmark. Run as `make lookup`.
"""

import re
import subprocess
import sys
from pathlib import Path

from benchmarks._page import rewritten

PAGE = Path(__file__).parents[1] / "docs" / "lookup.md"
#: By the benchmark's name, its options.
BENCHMARKS = {"service": (), "lookup": ("--freeze", "10")}
_LINE = re.compile(r"^([^:{]+): (.+)$", re.MULTILINE)
_RATIO = re.compile(r"[\d.]+")


def main() -> None:
    """Run the benchmarks one after another, and rewrite the page once none has failed."""
    page = PAGE.read_text()
    for name, options in BENCHMARKS.items():
        print(f"== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *options]
        printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        print(printed, flush=True)
        page = rewritten(page, name, table(printed))
    PAGE.write_text(page)
    print(f"wrote {PAGE.name}")


def table(printed: str) -> list[str]:
    r"""Return the lines of a Markdown table of what a benchmark printed, its ratios first.

    >>> table("read: 89.1 us\nratio: 1.9\nfailed")
    ['| what | measured |', '| --- | --- |', '| ratio | 1.9 |', '| read | 89.1 us |']
    """
    rows = sorted(_LINE.findall(printed), key=lambda row: not _RATIO.fullmatch(row[1]))
    lines = [("what", "measured"), ("---", "---"), *rows]
    return [f"| {what} | {figure} |" for what, figure in lines]


if __name__ == "__main__":
    main()
