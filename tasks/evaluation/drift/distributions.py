"""The distributions of a night that drift is measured on."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from tasks.artifacts.list_tables import read_lists
from tasks.artifacts.records import CleanLog, Features, Made
from tasks.evaluation.drift import histograms
from tasks.evaluation.drift.histograms import Histogram
from tasks.evaluation.list_metrics import Ints
from tasks.evaluation.served_lists import Evidence
from tasks.io.columns import AVAILABLE
from tasks.io.duckdb_session import connect, one_file, query
from tasks.runs.run_folder import Run

#: Increased when a distribution's bins or its meaning change: other versions are not compared.
VERSION = 1
#: File of a run with its histograms.
DISTRIBUTIONS = "distributions.json"
Subject = Literal["features", "lists"]
SUBJECTS: tuple[Subject, ...] = ("features", "lists")
#: Distributions by their name, for the features and for the lists.
Distributions = Mapping[Subject, Mapping[str, Histogram]]

#: A recent event is at most so many days old.
RECENT_DAYS = 7
#: Event types, the most frequent first, whose events a user are a distribution of their own.
_MOST_TYPES = 8


def distributions(run: Run, made: Made, evidence: Evidence) -> Distributions:
    """Return the histograms of a night's log, features and default lists."""
    return {
        "features": _of_features(made.features, run.as_of) | _of_log(made.log, run),
        "lists": _of_places(evidence, run.as_of) | _of_files(made.own.path),
    }


def save(path: Path, found: Distributions) -> None:
    """Write the histograms as JSON, with the version of their bins."""
    path.write_bytes(orjson.dumps({"version": VERSION, **found}, option=orjson.OPT_INDENT_2))


def load(path: Path) -> Distributions | None:
    """Read the histograms of a run; none where it has none, or has them with other bins."""
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    if not isinstance(found, dict) or found.pop("version", None) != VERSION:
        return None
    return found


def _of_features(features: Features, as_of: datetime) -> dict[str, Histogram]:
    users = pq.read_table(features.users, columns=["events", "last_seen"], partitioning=None)
    events = users["events"].fill_null(0).to_numpy()
    matrix = sparse.csr_array(sparse.load_npz(features.interactions))
    available = pq.read_table(features.items, columns=[AVAILABLE], partitioning=None)[AVAILABLE]
    n_available = sum(chunk.true_count for chunk in available.chunks)
    return {
        "events_a_user": histograms.of_numbers(events[events > 0]),
        "interactions_a_user": histograms.of_numbers(np.diff(matrix.indptr)),
        "days_since_last_event": histograms.of_numbers(
            _days_before(as_of, users["last_seen"].drop_null())
        ),
        "users_an_item": histograms.of_numbers(
            np.bincount(matrix.indices, minlength=matrix.shape[1])
        ),
        "items_available": {
            "available": float(n_available),
            "not available": float(len(available) - n_available),
        },
    }


def _of_log(log: CleanLog, run: Run) -> dict[str, Histogram]:
    since = {"since": run.as_of - timedelta(days=RECENT_DAYS)}
    with connect(run.folder) as db:
        db.read_parquet(one_file(log.events)).create_view("events")
        counts = db.execute(query("evaluation/recent_counts"), since).fetchall()
        users = db.execute(query("evaluation/recent_users"), since).fetchall()
    by_type = {kind: n for kind, _, n in counts if kind is not None}
    by_item = np.array([n for kind, _, n in counts if kind is None], np.int64)
    return {
        "recent_events_by_type": histograms.of_names(by_type),
        "recent_events_by_item_rank": histograms.of_ranks(by_item),
        **_events_a_user(by_type, users),
    }


def _events_a_user(
    by_type: Mapping[str, int], users: list[tuple[str, int, int]]
) -> dict[str, Histogram]:
    most = sorted(by_type, key=lambda kind: (-by_type[kind], kind))[:_MOST_TYPES]
    found = {}
    for kind in most:
        n_events, n_users = np.array([row[1:] for row in users if row[0] == kind]).T
        found[f"recent_events_a_user:{kind}"] = histograms.of_numbers(n_events, n_users)
    return found


def _of_places(evidence: Evidence, as_of: datetime) -> dict[str, Histogram]:
    """Return histograms of the lists' places by the item that they show."""
    shown = evidence.exposure.counts
    by_category = np.bincount(evidence.categories, shown, len(evidence.category_names))
    born = pa.array(evidence.created).drop_null()
    known = ~np.isnat(evidence.created)
    ages = _days_before(as_of, pa.chunked_array([born]))
    unknown = float(shown[~known].sum())
    return {
        "shown_by_category": histograms.of_names(
            dict(zip(evidence.category_names, by_category.tolist(), strict=True))
        ),
        "shown_by_popularity": _by_tenth(evidence.popularity, shown),
        "shown_item_age_days": histograms.of_numbers(ages, shown[known])
        | {histograms.UNKNOWN: unknown},
    }


def _by_tenth(popularity: Ints, shown: Ints) -> Histogram:
    """Return the places by the tenth of the items that theirs is in, the most popular first."""
    order = np.argsort(-popularity, kind="stable")
    tenths = np.arange(len(order)) * 10 // max(len(order), 1)
    mass = np.bincount(tenths, shown[order], 10)
    return {str(k): float(each) for k, each in enumerate(mass, 1)}


def _of_files(lists: Path) -> dict[str, Histogram]:
    """Return histograms of the lists' scores and of the codes of their reasons."""
    scores: list[Histogram] = []
    codes: list[Histogram] = []
    for rows in read_lists(lists, ["scores", "codes"]):
        scores.append(histograms.of_scores(rows["scores"].flatten().to_numpy()))
        said = rows["codes"].flatten()
        counts = np.bincount(said.indices.to_numpy(), minlength=len(said.dictionary))
        codes.append(dict(zip(said.dictionary.to_pylist(), counts.tolist(), strict=True)))
    return {
        "list_scores": histograms.added(scores),
        "reasons": histograms.of_names(histograms.added(codes)),
    }


def _days_before(as_of: datetime, times: pa.ChunkedArray) -> histograms.Floats:
    """Return the days from each time (UTC) to `as_of`, 0 for a later one."""
    end = np.datetime64(as_of.replace(tzinfo=None), "us")
    ages = (end - times.to_numpy().astype("datetime64[us]")) / np.timedelta64(1, "D")
    days: histograms.Floats = np.maximum(ages, 0.0)
    return days
