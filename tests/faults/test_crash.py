"""Fault 9: a night that dies after any of its steps goes on there when it is started again."""

import json
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from prefect import Task
from redis import Redis

from data.sample_shop.shop import Shop, make_shop
from flows import _steps
from nightshelf import Shelf
from tasks.runs.run_folder import Run, highest_generation
from tests.faults.crash_night import CRASHING, SHOP, WHOLE
from tests.tasks.runs.test_resume import names
from tests.tasks.small_models import read_lists

EVE, NIGHT = 1, 2  # the generations that are live when the crashes begin, and that nothing disturbs
#: What a good night has no use for.
#: Steps that a night without experiments does not take.
IDLE = {"keep_live", "open_phases", "judge_further", "record_phases"}
_READ_EVERY_S = 0.01


class Answer(NamedTuple):
    """A reader's answer for one user."""

    user: str
    source: str
    generation: int | None
    items: list[str]


def test_a_night_goes_on_after_its_last_finished_step(
    prefect_env: dict[str, str],
    redis_url: str,
    redis_client: Redis,
    tmp_path: Path,
    figure: Callable[[int, str], None],
) -> None:
    shop, root = make_shop(tmp_path / "shop", SHOP), tmp_path / "runs"
    root.mkdir()
    env = prefect_env | {"REDIS_URL": redis_url, "NIGHTSHELF_EVALUATE__BACKTEST_DAYS": "3"}
    env |= {"NIGHTSHELF_CHOOSE__HOLD": "true", "PREFECT_LOGGING_TO_API_ENABLED": "false"}
    ends, answers = crash(env, redis_client, shop, root)
    undisturbed, crashes, last = ends[:3], ends[3:-1], ends[-1]
    assert undisturbed == ["0 the day before", "0 the day before", "0 the whole night"]
    assert last == "0 let live"
    n_crashes = len(crashes)
    steps = [end.removeprefix("-9 ") for end in crashes]
    tasks = {name for name, each in vars(_steps).items() if isinstance(each, Task)}
    assert set(steps) == tasks - IDLE, "killed after every step of the night"

    went_on(root)
    digest = digest_of(Run(WHOLE, NIGHT, SHOP.end, root))
    finished = [run for run in runs(root) if run.generation > EVE and digest_of(run)]
    assert len(finished) > 3
    assert {digest_of(run) for run in finished} == {digest}
    n_wrong = len(wrong(answers, root))
    assert (n_wrong, len(answers) > 1_000) == (0, True)
    assert {EVE, highest_generation(root, CRASHING)} <= {answer.generation for answer in answers}
    figure(
        9,
        f"{n_crashes} crashes, every rerun went on after the last finished step and computed none "
        f"twice, digest equal to that of a whole night, {n_wrong} wrong answers to readers",
    )


def crash(
    env: dict[str, str], client: Redis, shop: Shop, root: Path
) -> tuple[list[str], list[Answer]]:
    """Let the nights run; return how each ended, and what a reader was given meanwhile."""
    users = pq.read_table(shop.users, columns=["user_id"])["user_id"].to_pylist()
    command = ["python", "-m", "tests.faults.crash_night", str(shop.events.parent), str(root)]
    choose, shelf = random.Random(0), Shelf(client, CRASHING)
    answers: list[Answer] = []
    with (
        (root / "said").open("wb") as said,
        (root / "log").open("wb") as log,
        subprocess.Popen(command, env=env, stdout=said, stderr=log) as nights,
    ):
        while nights.poll() is None:
            asked = choose.sample(users, 4)
            answers += map(answer, asked, shelf.get_many(asked, 50))
            time.sleep(_READ_EVERY_S)
    assert nights.returncode == 0, (root / "log").read_text()
    first = next(at for at, each in enumerate(answers) if each.generation == EVE)
    return (root / "said").read_text().splitlines(), answers[first:]


def answer(user: str, result: Any) -> Answer:
    items = [item.item_id for item in result.items]
    return Answer(user, result.source, result.generation, items)


def went_on(root: Path) -> None:
    """Each run took over all that those before it had computed, and computed the next at most."""
    whole = names(Run(WHOLE, NIGHT, SHOP.end, root), taken=False)
    assert len(whole) > 3
    _, *crashed, reported, last = runs(root)
    done: list[str] = []
    for run in crashed:
        assert names(run, taken=True) == done
        done += names(run, taken=False)
    assert done == whole, "no finished step was computed twice"
    for run in (reported, last):  # the first was killed after all but its report's
        assert names(run, taken=False) == whole, "a finished night is made anew"


def runs(root: Path) -> list[Run]:
    newest = highest_generation(root, CRASHING)
    return [Run(CRASHING, number, SHOP.end, root) for number in range(EVE, newest + 1)]


def digest_of(run: Run) -> str | None:
    path = run.folder / "manifest.json"
    return str(json.loads(path.read_text())["digest"]) if path.exists() else None


def wrong(answers: list[Answer], root: Path) -> list[Answer]:
    """Return the answers to users with a list that are not it, as an undisturbed night made it."""
    eve, whole = (
        read_lists(Run(WHOLE, number, SHOP.end, root).folder / "lists/lists.parquet")
        for number in (EVE, NIGHT)
    )
    return [
        each
        for each in answers
        for listed in [(eve if each.generation == EVE else whole).get(each.user)]
        if listed and (each.source, each.items) != ("list", listed["item_ids"])
    ]
