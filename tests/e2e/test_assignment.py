"""Python, SQL, shell and Node assign the same users to the same buckets and variants."""

import json
import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime

import duckdb
import pytest

from nightshelf.contract.assignment import bucket
from nightshelf.contract.experiment import Experiment, Variant, assigned
from tests.conftest import ROOT
from tests.lookup.experiments import HALVES

N_USERS = 10_000
#: Salt, user and bucket, as in docs/lookup.md.
VECTORS = [
    ("exp-1", "u1", 7600),
    ("exp-1", "u2", 7193),
    ("exp-2", "u1", 7379),
    ("réf:ü", "1", 8101),
    ("exp-1", "", 1354),
]


def of_every_plane() -> list[str]:
    """Return ids of three to eight characters, of planes drawn at random, the same each time.

    Without NUL and line ends, which no line of a shell holds, and surrogates, which no UTF-8 does.
    """
    rng = random.Random(20260301)
    left_out = {0x0, 0xA, *range(0xD800, 0xE000)}

    def sign() -> str:
        while (code := rng.randrange(17) << 16 | rng.randrange(1 << 16)) in left_out:
            pass
        return chr(code if rng.random() < 0.7 else rng.randrange(0x20, 0x7F))

    return ["".join(sign() for _ in range(rng.randint(3, 8))) for _ in range(N_USERS)]


USERS = of_every_plane()


def test_every_plane_is_among_them() -> None:
    assert {ord(sign) >> 16 for user in USERS for sign in user} == set(range(17))
    assert len(set(USERS)) == N_USERS


def run(*command: str, given: str) -> list[str]:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed, so its example was not run")
    done = subprocess.run(
        command, cwd=ROOT / "examples", input=given.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.decode().splitlines()


def by_sql(salt: str, users: list[str]) -> list[int]:
    """Return the buckets by the expression of docs/lookup.md."""
    page = (ROOT / "docs/lookup.md").read_text()
    (statement,) = [part for part in page.split("```sql\n") if part.startswith("SELECT user_id")]
    with duckdb.connect() as db:
        db.execute("CREATE TABLE users AS SELECT unnest($users) AS user_id", {"users": users})
        found = db.execute(statement.partition("```")[0], {"salt": salt}).fetchall()
    return [drawn for _, drawn in found]


def by_shell(salt: str, users: list[str]) -> list[int]:
    command = ["sh", "-c", '. ./assign.sh; buckets "$1"', "sh", salt]
    return [*map(int, run(*command, given="".join(f"{user}\n" for user in users)))]


_NODE = """
import { readFileSync } from "node:fs";
import { assigned, bucket } from "./assign.mjs";
const { salt, users, experiments } = JSON.parse(readFileSync(0));
const variant = (user) => assigned(experiments, user) ?? null;
console.log(JSON.stringify(users.map(experiments ? variant : (user) => bucket(salt, user))));
"""


def by_node(salt: str, users: list[str]) -> list[int]:
    given = json.dumps({"salt": salt, "users": users})
    (line,) = run("node", "--input-type=module", "-e", _NODE, given=given)
    found: list[int] = json.loads(line)
    return found


@pytest.mark.parametrize("buckets_of", [by_sql, by_shell, by_node])
def test_languages_agree(buckets_of: Callable[[str, list[str]], list[int]]) -> None:
    for salt, user, expected in VECTORS:
        assert bucket(salt, user) == expected
        assert buckets_of(salt, [user]) == [expected]
    assert buckets_of("réf:variant", USERS) == [bucket("réf:variant", user) for user in USERS]


EXPERIMENTS = (
    replace(HALVES, id="stopped", traffic=((0, 10_000),), status="stopped"),
    replace(HALVES, id="over", traffic=((0, 10_000),), end="2026-03-01T00:00:00+00:00"),
    replace(HALVES, id="not yet", traffic=((0, 10_000),), start="2126-03-01T00:00:00+00:00"),
    Experiment(
        "réf",
        4,
        ((0, 1_000), (6_000, 8_000)),
        (
            Variant("now", "als", ((0, 3_000), (9_000, 9_500))),
            Variant("links", "ease", ((3_000, 6_000),)),
            Variant("new", "graph", ((5_000, 8_000),)),
        ),
        "2026-03-01T00:00:00+00:00",
        "2126-03-01T00:00:00+00:00",
    ),
    HALVES,
)


def test_node_assigns_the_same_variants() -> None:
    given = {"users": USERS, "experiments": [asdict(each) for each in EXPERIMENTS]}
    (line,) = run("node", "--input-type=module", "-e", _NODE, given=json.dumps(given))
    at = datetime.now(UTC)
    expected = [assigned(EXPERIMENTS, user, at) for user in USERS]
    found = [each and {**each, "forced": False} for each in json.loads(line)]
    assert found == [each and asdict(each) for each in expected]
    assert {each and each.variant for each in expected} == {"now", "links", "new", None}


def test_the_shell_assigns_the_same_models() -> None:
    if not shutil.which("jq"):
        pytest.skip("jq is not installed, so its example was not run")
    manifest = json.dumps({"experiments": [asdict(each) for each in EXPERIMENTS]})
    at, models = datetime.now(UTC), set[str | None]()
    for user in USERS[:12]:
        expected = assigned(EXPERIMENTS, user, at)
        models.add(expected.model if expected else None)
        command = ["sh", "-c", '. ./assign.sh; model_of "$1"', "sh", user]
        assert run(*command, given=manifest) == ([expected.model] if expected else [])
    assert len(models) >= 3
    for without in ("{}", '{"experiments":[]}'):
        assert run("sh", "-c", '. ./assign.sh; model_of "$1"', "sh", "u1", given=without) == []
