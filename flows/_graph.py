"""The graph that Prefect draws of a run: an edge where a step uses what another has made.

Prefect would guess edges from equal objects in arguments, such as the run or a number, several for
one record. Here a record and its files lead from the step that made them to each that is given
them, alone or in another record.
"""

import atexit
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

from prefect import Task
from prefect.client.schemas.objects import RunInput, TaskRunResult
from prefect.context import FlowRunContext, TaskRunContext
from prefect.task_engine import run_task_sync
from prefect.utilities.annotations import quote
from prefect.utilities.callables import get_call_parameters

from tasks.runs.run_folder import Run

P = ParamSpec("P")
R = TypeVar("R")

#: Levels of records inside records that are looked through.
_DEPTH = 6


class Step(Task[P, R]):
    """A task whose edges are those of `Makers`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the step, now and in this process, with its edges."""
        if FlowRunContext.get() is None or {"return_state", "wait_for"} & set(kwargs):
            return super().__call__(*args, **kwargs)
        given = get_call_parameters(self.fn, args, kwargs)
        edges = {name: makers.of(value) for name, value in given.items()}
        return run_task_sync(
            task=self,
            parameters={name: quote(value) for name, value in given.items()},
            dependencies={name: found for name, found in edges.items() if found},
        )


class Makers:
    """The task runs that made the records of the flow run that this process is in."""

    def __init__(self) -> None:
        self._flow_run: UUID | None = None
        #: By identity; the object is held, so that no other gets its.
        self._made: dict[int, tuple[object, UUID]] = {}

    def note(self, record: object) -> None:
        """Note a record and its files as made by the task run that this is in."""
        inside, around = TaskRunContext.get(), FlowRunContext.get()
        if inside is None:
            return
        flow_run = around.flow_run.id if around and around.flow_run else None
        if flow_run != self._flow_run:
            self._flow_run, self._made = flow_run, {}
        if isinstance(record, Run) or not is_dataclass(record):
            return
        paths = [value for value in vars(record).values() if isinstance(value, Path)]
        for each in (record, *paths):
            self._made[id(each)] = each, inside.task_run.id

    def follow(self, made: object, source: object, before: object) -> None:
        """Note what of `made` is not of `before` as made by the maker of `source`."""
        if id(source) not in self._made:
            return
        maker, old = self._made[id(source)][1], {id(each) for each in _inside(before)}
        for each in _inside(made):
            if is_dataclass(each) and id(each) not in old:
                self._made[id(each)] = each, maker

    def forget(self) -> None:
        """Let go of all records, with which DuckDB would outlive Python's end."""
        self._made.clear()

    def of(self, value: object) -> set[RunInput]:
        """Return the task runs that made what a value holds."""
        found = (self._made[id(each)][1] for each in _inside(value) if id(each) in self._made)
        return {cast("RunInput", TaskRunResult(id=each)) for each in found}


makers = Makers()
atexit.register(makers.forget)


def _inside(value: object, depth: int = _DEPTH) -> Iterator[object]:
    """Yield a value and what it holds, through records, mappings and sequences."""
    yield value
    if not depth:
        return
    inner: Iterator[object] | tuple[object, ...] = ()
    if is_dataclass(value) and not isinstance(value, type):
        inner = (getattr(value, each.name) for each in fields(value))
    elif isinstance(value, Mapping):
        inner = tuple(value.values())
    elif isinstance(value, list | tuple):
        inner = tuple(value)
    for each in inner:
        yield from _inside(each, depth - 1)
