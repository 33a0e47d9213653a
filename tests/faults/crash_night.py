"""Nights that die: each child is a whole night, killed right after one of the calls of its steps.

`python -m tests.faults.crash_night SHOP ROOT` runs, with the same log and settings:

- in the namespace `whole` the night of the day before, and a night which nothing disturbs and which
  notes the order of its steps;
- the night of the day before in the namespace `crashing`, so that there is something to lose;
- for every step that was noted, a night in `crashing` that is killed as soon as the step is done;
- a night in `crashing` that is let live.

Each night is forked, so that imports are paid for once. These steps run in the flow without
Prefect's task around them, which would be most of a night's time. A line a night: the step, and
how the process ended.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

from prefect import Task

from data.sample_shop.shop import ShopSettings
from flows import _steps as steps
from flows import nightly as night

SHOP = ShopSettings(n_users=120, n_items=150, n_days=14)
WHOLE, CRASHING = "whole", "crashing"

#: Called with the name of a step of `flows/_steps.py` each time that one is done.
Done = Callable[[str], None]


def main(shop: Path, root: Path) -> None:
    """Run all the nights, one after the other."""
    calls = root / "calls"

    def note(step: str) -> None:
        with calls.open("a") as lines:
            lines.write(f"{step}\n")

    eve = SHOP.end - timedelta(days=1)
    for namespace in (WHOLE, CRASHING):
        say("the day before", fork(shop, root, namespace, eve, lambda step: None))
    say("the whole night", fork(shop, root, WHOLE, SHOP.end, note))
    steps = calls.read_text().split()
    for count, step in enumerate(steps, start=1):
        say(step, fork(shop, root, CRASHING, SHOP.end, dying_after(count)))
    say("let live", fork(shop, root, CRASHING, SHOP.end, lambda step: None))


def fork(shop: Path, root: Path, namespace: str, as_of: datetime, done: Done) -> int:
    """Run a night in a process of its own; return its exit code, or the signal below zero."""
    child = os.fork()
    if child == 0:
        for name, task in vars(steps).copy().items():
            if isinstance(task, Task):
                setattr(steps, name, _telling(name, task.fn, done))
        logs = (shop / "events", shop / "items.parquet", shop / "users.parquet")
        try:
            night.nightly(*logs, namespace, as_of, root)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def dying_after(count: int) -> Done:
    """Return what kills its process when it is called for the `count`th time."""
    calls = []

    def done(step: str) -> None:
        calls.append(step)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    return done


def say(step: str, code: int) -> None:
    print(f"{code} {step}", flush=True)


def _telling(name: str, step: Callable[..., Any], done: Done) -> Callable[..., Any]:
    @wraps(step)
    def reported(*args: Any, **kwargs: Any) -> Any:
        record = step(*args, **kwargs)
        done(name)
        return record

    return reported


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
