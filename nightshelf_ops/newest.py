"""The newest run of a namespace that could be live: what a server that came back empty needs."""

from pathlib import Path

from tasks.errors import RunFolderError
from tasks.runs.saved_run import open_source


def newest_good(root: Path, namespace: str) -> Path | None:
    """Return the folder of the run that has seen the most and passed its gates; `None` without one.

    Of runs as of one time it is the latest. Folders that hold no staged generation are passed over.
    """
    good = []
    for folder in (root / namespace).glob("*"):
        try:
            run, manifest = open_source(folder)
        except (RunFolderError, OSError):
            continue
        if manifest.gates and "block" not in manifest.gates.values():
            good.append((run.as_of, run.generation, folder))
    return max(good)[2] if good else None
