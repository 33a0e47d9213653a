"""Tables of numbers behind the report's pictures."""

from math import ceil
from typing import Any

import numpy as np

from tasks.artifacts.records import CleanLog
from tasks.evaluation import list_metrics
from tasks.evaluation.list_metrics import Floats, Ints
from tasks.evaluation.served_lists import Evidence
from tasks.ingest.daily_log import days_of

#: As many categories as a picture has room for; the rest are added up.
TOP_CATEGORIES = 15
#: As many points as a line across half a page can show.
MAX_POINTS = 400
ENTROPY_BINS = 20


def curves(clean: CleanLog, evidence: Evidence, entropies: Floats) -> dict[str, Any]:
    """Return the tables behind the pictures, ready for JSON.

    - `lorenz`: Lorenz curves over the available items, of exposure and of popularity, each with
      its Gini; values at evenly spaced shares of the items from 0 to 1.
    - `categories`: share of the history and of the served places, by category.
    - `entropies`: lists by category entropy, in equal bins from 0 to 1.
    - `days`: events a day from `first` on, each point the mean of `days_a_point` days.
    """
    exposed = evidence.exposure.counts[evidence.available]
    popular = evidence.popularity[evidence.available]
    bins, _ = np.histogram(entropies, bins=ENTROPY_BINS, range=(0.0, 1.0))
    return {
        "lorenz": {
            "exposure": {
                "gini": list_metrics.gini(exposed),
                "values": list_metrics.lorenz(exposed).tolist(),
            },
            "popularity": {
                "gini": list_metrics.gini(popular),
                "values": list_metrics.lorenz(popular).tolist(),
            },
        },
        "categories": _categories(evidence),
        "entropies": bins.tolist(),
        "days": _days(clean),
    }


def _categories(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the categories by falling share of the history, the many small ones as one row."""
    history = _shares(evidence, evidence.popularity)
    served = _shares(evidence, evidence.exposure.counts)
    names = evidence.category_names
    order = sorted(range(len(names)), key=lambda g: (-history[g], -served[g], names[g]))
    top, rest = order[:TOP_CATEGORIES], order[TOP_CATEGORIES:]
    rows = [{"name": names[g], "history": history[g], "served": served[g]} for g in top]
    if rest:
        name = f"{len(rest):,} others"
        sums = {"history": float(history[rest].sum()), "served": float(served[rest].sum())}
        rows.append({"name": name, **sums})
    return rows


def _shares(evidence: Evidence, counts: Ints) -> Floats:
    sums = np.bincount(evidence.categories, counts, minlength=len(evidence.category_names))
    shares: Floats = sums / max(sums.sum(), 1.0)
    return shares


def _days(clean: CleanLog) -> dict[str, Any]:
    """Return the events of each day, a day without events among them."""
    counted = days_of(clean.events)
    if not counted:
        return {"first": None, "last": None, "days_a_point": 1, "events": []}
    days = np.array([day.number for day in counted])
    first, last = np.datetime64(int(days[0]), "D"), np.datetime64(int(days[-1]), "D")
    span = int(days[-1] - days[0]) + 1
    # Whole weeks, since most logs have a weekend.
    step = 1 if span <= MAX_POINTS else 7 * ceil(span / MAX_POINTS / 7)
    sums = np.bincount((days - days[0]) // step, [day.stop - day.start for day in counted])
    lengths = np.full(len(sums), step)
    lengths[-1] = span - step * (len(sums) - 1)
    events = np.round(sums / lengths, 2).tolist()
    return {"first": str(first), "last": str(last), "days_a_point": step, "events": events}
