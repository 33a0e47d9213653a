"""The night as `flows/nightly.py` runs it, without Prefect, each step timed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from redis import Redis

from benchmarks._log import AS_OF, MadeLog
from tasks.artifacts.records import Provenance
from tasks.choose.choose import choose_blend, last_choice
from tasks.evaluation import gate_step, measure
from tasks.evaluation.drift import compare
from tasks.ingest import clean as events
from tasks.ingest import contract as inputs
from tasks.pipeline import Pipeline
from tasks.publish import go_live as live
from tasks.publish import memory_estimate
from tasks.publish import stage as publish
from tasks.publish.keyspace import families
from tasks.report import build as report
from tasks.report.facts import Outcome
from tasks.runs import resume
from tasks.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class Clock:
    """Seconds by name of step; `after` is called with each step's name at its end."""

    seconds: dict[str, float] = field(default_factory=dict)
    after: Callable[[str], None] = lambda _: None

    def __call__(self, step: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a step, and count its seconds under its name."""
        with self.of(step.__name__):
            return step(*args, **kwargs)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Count the seconds of a block under a name."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0) + time.perf_counter() - started
        self.after(name)


def whole_night(
    clock: Clock,
    log: MadeLog,
    root: Path,
    redis: Redis,
    settings: Settings,
    as_of: datetime = AS_OF,
) -> None:
    """Run every step of the night; the generation is live in the end."""
    found = clock(inputs.check_inputs, log.events, log.items, log.users, settings.inputs)
    run = clock(publish.open_run, redis, "benchmark", as_of, root)
    clock(resume.take_over, run, found.digests, settings.digest())
    clock(live.clear_orphans, run, redis)
    clean = clock(events.clean_events, run, found, settings.events, now=max(as_of, AS_OF))
    last = last_choice(run)
    chosen = clock(choose_blend, run, clean, settings.choose, settings.recipe, last)
    made = Pipeline(run, clean, chosen.applied(settings.recipe), clock).whole()
    shelves = families(run, made.files)
    clock(memory_estimate.estimate_memory, run, redis, shelves)
    made_from = Provenance(settings.topn.n, settings.digest(), made.model.digest, found.digests)
    staged = clock(publish.stage, run, redis, shelves, settings.publish, made_from)
    clock(publish.read_back, run, redis, shelves, staged, settings.publish)
    metrics = clock(measure.measure, run, made, settings.topn)
    drift = clock(compare.measure_drift, run, metrics.distributions, None, settings.evaluate)
    verdict = clock(gate_step.check_gates, run, redis, made, metrics, None, drift, settings.gates)
    state = clock(live.flip, run, redis).state
    outcome = Outcome(metrics, None, verdict, state, drift)
    clock(report.write_report, run, made, staged, outcome, settings.targets)
    if state != "live":
        raise SystemExit(f"the night did not go live: {state}, {verdict.reasons()}")
