"""List the licences of all that the images hold, by licence; exit 1 on one that is not known.

What counts is `deploy/locks/`: tools of development are in no image and no package.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict

from rich.console import Console
from rich.table import Table

from tests.conftest import ROOT

#: Licences whose packages may stand beside Apache-2.0 code, by a word of their names; the user of
#: text-unidecode may choose between Artistic and GPL.
_KNOWN = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|Zlib|Unlicense|0BSD|HPND|CC0|MPL|"
    r"Mozilla Public|LGPL|Lesser General|Public Domain|Artistic"
)


def packages() -> set[str]:
    """Return the names of all packages of the images' locks."""
    locks = (ROOT / f"deploy/locks/{name}.lock" for name in ("night", "service"))
    return {
        name for lock in locks for name in re.findall(r"^([a-z0-9._-]+)==", lock.read_text(), re.M)
    }


def licences() -> dict[str, list[tuple[str, str]]]:
    """Return names and versions of the packages by licence, as their metadata say."""
    command = [
        str(ROOT / ".venv-release/bin/pip-licenses"),
        *("--python", sys.executable, "--format", "json", "--from", "mixed"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wanted, found = packages(), defaultdict(list)
    for each in json.loads(done.stdout):
        name = re.sub(r"[-_.]+", "-", each["Name"]).lower()
        if name in wanted:
            found[each["License"]].append((name, each["Version"]))
    return found


def main() -> int:
    """Print the table; return the exit code."""
    console, found = Console(), licences()
    table = Table("licence", "packages", "")
    for licence, named in sorted(found.items(), key=lambda each: -len(each[1])):
        first = licence.strip().splitlines()[0][:60]
        table.add_row(first, str(len(named)), ", ".join(f"{n} {v}" for n, v in sorted(named)))
    console.print(table)
    listed = {name for named in found.values() for name, _ in named}
    absent = sorted(packages() - listed)
    console.print(f"{len(listed)} packages; not for this platform or Python: {', '.join(absent)}")
    unknown = [name for each in found if not _KNOWN.search(each) for name, _ in found[each]]
    if unknown:
        console.print(f"To look at, since their licence is not known here: {', '.join(unknown)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
