"""The nights that a night is compared with."""

from tasks.runs.run_folder import Run
from tasks.runs.saved_run import SavedRun, saved_runs


def trailing_nights(run: Run, n_nights: int) -> list[SavedRun]:
    """Return the last `n_nights` nights of the namespace before `run`'s, the oldest first.

    A night counts if its gates let it go live, by its `as_of`, of runs of one night the newest.
    Those that a gate blocked do not: the night after a bad one is compared with good ones.
    """
    by_night: dict[str, SavedRun] = {}
    found = saved_runs(run.root, run.namespace)
    for night in sorted(found, key=lambda night: (night.run.as_of, night.run.generation)):
        if night.passed and night.run.as_of < run.as_of:
            by_night[night.manifest.as_of] = night
    return list(by_night.values())[-n_nights:] if n_nights else []
