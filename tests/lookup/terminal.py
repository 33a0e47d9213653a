"""Running the command as a person and a script do."""

import json
import re
from typing import Any

from typer.testing import CliRunner, Result

from nightshelf.cli.main import app

LISTS = [["get", "ann"], ["similar", "A1"], ["popular"]]
CHANGES = [
    ["rollback"],
    ["promote", "2"],
    ["pin", "1"],
    ["unpin"],
    ["canary", "4", "--share", "5"],
    ["extend"],
    ["retire", "1"],
    ["block", "A1"],
    ["unblock", "A1"],
    ["forget", "ann"],
]
COMMANDS = [*LISTS, ["status"], ["generations"], *([*args, "--yes"] for args in CHANGES)]


def run(url: str, *args: str, **env: str) -> Result:
    return CliRunner().invoke(app, args, env={"REDIS_URL": url, "COLUMNS": "160", **env})


def table_rows(result: Result) -> list[list[str]]:
    """Return the cells of the rows, whose first is a number; columns are two blanks apart."""
    lines = [line.strip() for line in result.stdout.splitlines()]
    return [re.split(r"\s{2,}", line) for line in lines if line[:1].isdigit()]


def document(result: Result) -> Any:
    return json.loads(result.stdout)
