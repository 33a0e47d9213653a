"""Cleaning and features of a log that outgrows its memory: held to little, and with room for all.

Each is a process of its own, after a small log that loads compiled code. The one that is held has
`machine.memory_gb`, and a bound that the kernel keeps (RLIMIT_DATA: an allocation beyond it fails)
of so much and `--slack-gb` above that of the small log. Every file must have the same hash. Memory
is the kernel's peak of resident memory in a step, by the run's journal (Linux); the ratio is the
peak with room over the peak of the one that is held.
"""

import resource
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks._log import AS_OF, LogSize, MadeLog, make_log
from tasks.features.build import build_features
from tasks.features.user_shards import shards_of
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import check_inputs
from tasks.io.memory import MachineSettings, limit_memory
from tasks.runs.run_folder import Run
from tasks.settings import Settings

_WARM = LogSize(users=1_000, items=500, events=20_000)


@dataclass(frozen=True)
class Cost:
    """Shards of the features; seconds, peak memory (GB) and hashes of files, by step."""

    shards: int
    seconds: dict[str, float]
    gb: dict[str, float]
    files: dict[str, dict[str, str]]


def main(
    users: Annotated[int, typer.Option(help="Users of the log.")] = 60_000,
    items: Annotated[int, typer.Option(help="Items of the log.")] = 5_000,
    events: Annotated[int, typer.Option(help="Events of the log.")] = 24_000_000,
    memory_gb: Annotated[float, typer.Option(help="Memory of the one that is held.")] = 0.5,
    slack_gb: Annotated[float, typer.Option(help="Matrices, batches, buffers beside it.")] = 1.0,
) -> None:
    """Print seconds and peak memory of both, and the ratio of the peaks."""
    size = LogSize(users, items, events)
    print(f"{size}; held: memory_gb = {memory_gb}")
    with TemporaryDirectory() as folder:
        for name, made in (("warm", _WARM), ("log", size)):
            make_log(Path(folder) / name, made)
        costs = {
            "room": _in_process(folder, None, 0),
            "held": _in_process(folder, memory_gb, slack_gb),
        }
    print(f"  {'step':16}{'room: s':>10}{'GB':>7}{'held: s':>10}{'GB':>7}")
    for step in costs["room"].seconds:
        figures = (f"{each.seconds[step]:10.1f}{each.gb[step]:7.2f}" for each in costs.values())
        print(f"  {step:16}{''.join(figures)}")
    print(f"shards of the features: {costs['room'].shards}, {costs['held'].shards}")
    if costs["room"].files != costs["held"].files:
        raise SystemExit("error: the files differ")
    print("every file has the same hash")
    print(f"ratio: {max(costs['room'].gb.values()) / max(costs['held'].gb.values()):.2f}")


def _in_process(folder: str, memory_gb: float | None, slack_gb: float) -> Cost:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_measured, folder, memory_gb, slack_gb).result()


def _measured(folder: str, memory_gb: float | None, slack_gb: float) -> Cost:
    limit_memory(MachineSettings(memory_gb=memory_gb))
    settings = Settings()
    for name in ("warm", "log"):
        if memory_gb and name == "log":
            most = _data_bytes() + int((memory_gb + slack_gb) * 10**9)
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        log = MadeLog.of(Path(folder) / name)
        found = check_inputs(log.events, log.items, log.users, settings.inputs)
        run = Run("benchmark", 1, AS_OF, Path(folder) / f"{name}-{memory_gb}")
        clean = clean_events(run, found, settings.events, now=AS_OF)
        build_features(run, clean, settings.features)
    lines = {line["step"]: line for line in run.journal()}
    return Cost(
        len(shards_of(clean.n_events)),
        {step: line["seconds"] for step, line in lines.items()},
        {step: (line["peak_bytes"] or 0) / 1e9 for step, line in lines.items()},
        {step: line["files"] for step, line in lines.items()},
    )


def _data_bytes() -> int:
    """Return what the process has of memory that RLIMIT_DATA bounds, touched or not."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmData:"))


if __name__ == "__main__":
    typer.run(main)
