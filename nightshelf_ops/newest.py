"""The newest run of a namespace that may go live."""

from pathlib import Path

from tasks.runs.saved_run import saved_runs


def newest_good(root: Path, namespace: str) -> Path | None:
    """Return the folder of the latest run that passed its gates; `None` without one.

    Of runs as of one time it is the latest. Folders that hold no staged generation are passed over.
    """
    good = [each for each in saved_runs(root, namespace) if each.passed]
    newest = max(good, key=lambda each: (each.run.as_of, each.run.generation), default=None)
    return root / namespace / str(newest.run.generation) if newest else None
