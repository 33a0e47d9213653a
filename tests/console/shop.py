"""A small shop for the console's tests: two generations by hand, and what their runs left.

Titles, a category and a user's id hold markup and every reserved character.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from redis import Redis

from nightshelf.contract.keys import Keys
from nightshelf.contract.values import RankedList
from tests.lookup.shelves import SHOP, publish

#: An id with every reserved character of RFC 3986, a space, markup and letters beyond ASCII.
ODD_USER = "ann:/?#[]@!$&'()*+,;= %2F<b>\"é{}"
EVIL = "<script>alert(1)</script>"
FIGURES = ("coverage", "diversity", "personalisation", "gini")


def plant(client: Redis, runs: Path) -> None:
    """Publish generations 1 and 2 on an empty server, and write their run folders."""
    client.flushdb()
    for number in (1, 2):
        metrics = {"coverage": 0.4 + number / 10, "diversity": 0.7}
        publish(client, number, metrics=metrics, gates={"coverage": "pass", "jaccard": "warn"})
        _odd_user(client, number)
        _run_folder(runs, number)


def _odd_user(client: Redis, number: int) -> None:
    keys = Keys(SHOP)
    odd = RankedList((f"A{number}", "evil"), (0.9, 0.5), (("taste",), ("because", "evil")))
    client.set(keys.list(number, "als", ODD_USER), odd.to_json(), ex=3600)
    row = {"title": EVIL, "category": EVIL}
    client.set(keys.item(number, "evil"), json.dumps(row), ex=3600)


def _run_folder(runs: Path, number: int) -> None:
    folder = runs / SHOP / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    as_of = (datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=number)).isoformat()
    report: dict[str, Any] = {
        "format": 1,
        "night": {"generation": number, "namespace": SHOP, "as_of": as_of, "state": "live"},
        "lists": {"coverage": 0.4 + number / 10, "diversity": 0.7, "gini": 0.5},
        "gates": [
            {
                "name": "coverage",
                "value": 0.4 + number / 10,
                "limit": "at least 0.02",
                "outcome": "pass",
                "says": f"share of the available items {EVIL}",
            }
        ],
        "blocked_by": [],
        "prediction": {"headline": f"Better than popularity {EVIL}", "sentence": "By 0.1."},
        "warnings": [],
    }
    (folder / "report.json").write_text(json.dumps(report))
