"""Measure a night's lists before they go live."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow.parquet as pq

from tasks.artifacts.records import Features, Made
from tasks.evaluation import list_metrics
from tasks.evaluation.catalogue_table import write_catalogue
from tasks.evaluation.curves import curves
from tasks.evaluation.drift.distributions import DISTRIBUTIONS, distributions, save
from tasks.evaluation.new_items import NewItems, new_items
from tasks.evaluation.reach import count_candidates, count_in_log, lengths_of
from tasks.evaluation.segments import segment_rows
from tasks.evaluation.served_lists import Evidence, load_evidence
from tasks.io.columns import ID, positions_of
from tasks.io.parquet import read_column
from tasks.recommend.active_users import active_rows
from tasks.recommend.rerank.exposure_cap import count_lists, most_lists
from tasks.recommend.settings import TopNSettings
from tasks.runs.journal import step
from tasks.runs.run_folder import Run

_OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY


@dataclass(frozen=True)
class Metrics:
    """Figures of the night's personal lists, as `tasks/evaluation/list_metrics.py` defines them.

    - `coverage`, `diversity` (category entropy), `personalisation`: 0 to 1, more is better.
    - `intra_list_diversity`: 0 to 2; `novelty_bits`: 0 up; `gini`: 0 equal to 1.
    - `full_share`, `short_share`, `fallback_share`: of the known users, adding up to 1.
    - `top_item_share`: of the lists, those that show the item that most lists show.
    - `popularity_lift`: 1 as popular as what users took by themselves.
    - `n_fallback`: known users without a list of their own; `n_distinct`: items in some list.
    - `n_seen`, `n_unavailable`, `n_breaches`: places in the lists that show what the user has
      seen, what is not available, and more of a category than a page has room for. All must be 0.
    - `n_over_cap`: items that stand in more lists than the exposure cap allows; must be 0.
      `explored_share`: places that explore, 0 to 1. `score_kept`: scores of the lists over those of
      the plain exact ones. Each is none where its rule is not in force.
    - `n_places`: of all lists. `shortest_list`, `median_list`: items. `n_fillable` lists could be
      full, having as many candidates as places; `full_of_fillable`: those of them that are, 0 to 1.
      `filled_share`: of the places that candidates could fill, 0 to 1. The last two are none where
      there is no such list (`tasks/evaluation/reach.py`).
    - `n_in_log`: users with an event, a recent one where inactive users get no list.
    - `n_new`, `n_cold`: available items that began within `topn.new_days`, and those of the model
      without an event; `n_new_shown`, `n_cold_shown` are in some list, `new_share` and `cold_share`
      of the places are theirs, 0 to 1.
    - `families`: lists by family of keys.
    - `curves`: JSON, what the report's pictures show, and its figures by segment. `distributions`:
      JSON, the histograms that later nights compare theirs with. `catalogue`: the items, each with
      its exposure (`tasks/evaluation/catalogue_table.py`).
    """

    coverage: float
    diversity: float
    intra_list_diversity: float
    personalisation: float
    novelty_bits: float
    gini: float
    full_share: float
    short_share: float
    fallback_share: float
    popularity_lift: float
    top_item_share: float
    n_users: int
    n_lists: int
    n_fallback: int
    n_distinct: int
    n_available: int
    n_seen: int
    n_unavailable: int
    n_breaches: int
    n_places: int
    shortest_list: int
    median_list: int
    n_fillable: int
    full_of_fillable: float | None
    filled_share: float | None
    n_in_log: int
    families: dict[str, int]
    curves: Path
    distributions: Path
    catalogue: Path
    n_over_cap: int | None = None
    n_new: int = 0
    n_new_shown: int = 0
    new_share: float = 0.0
    n_cold: int = 0
    n_cold_shown: int = 0
    cold_share: float = 0.0
    explored_share: float | None = None
    score_kept: float | None = None


@step
def measure(
    run: Run,
    made: Made,
    listing: TopNSettings,
) -> Metrics:
    """Measure the default model's lists, and count every place that breaks a rule of theirs.

    Where lists are reranked without the category rule, it still binds what was explored.
    """
    features, evidence = made.features, load_evidence(made)
    exposure, counts = evidence.exposure, evidence.exposure.counts
    n_users = features.n_known_users
    entropies = list_metrics.category_entropies(
        exposure, evidence.categories, evidence.n_categories
    )
    shares = list_metrics.list_shares(exposure.lengths, n_users, listing.n)
    modelled = np.arange(len(evidence.available)) < features.n_items
    reach = lengths_of(exposure.lengths, count_candidates(evidence, modelled), listing.n)
    fresh = new_items(run, features, listing.new_days)
    path, histograms = run.path("curves.json"), run.path(DISTRIBUTIONS)
    tables = curves(made.log, evidence, entropies)
    tables["segments"] = segment_rows(features, evidence, entropies)
    path.write_bytes(orjson.dumps(tables, option=_OPTIONS))
    save(histograms, distributions(run, made, evidence))
    return Metrics(
        coverage=list_metrics.coverage(counts, evidence.available),
        diversity=float(entropies.mean()) if len(entropies) else 0.0,
        intra_list_diversity=list_metrics.intra_list_diversity(exposure, evidence.factors),
        personalisation=list_metrics.personalisation(counts, exposure.n_lists),
        novelty_bits=list_metrics.novelty(counts, evidence.popularity, n_users),
        gini=list_metrics.gini(counts[evidence.available]),
        full_share=shares.full,
        short_share=shares.short,
        fallback_share=shares.fallback,
        popularity_lift=list_metrics.popularity_lift(counts, evidence.popularity),
        top_item_share=list_metrics.top_item_share(counts, exposure.n_lists),
        n_users=n_users,
        n_lists=exposure.n_lists,
        n_fallback=n_users - int(np.count_nonzero(exposure.lengths)),
        n_distinct=int(np.count_nonzero(counts)),
        n_available=int(np.count_nonzero(evidence.available)),
        n_seen=evidence.n_seen,
        n_unavailable=evidence.n_unavailable,
        n_breaches=list_metrics.category_breaches(
            exposure,
            evidence.categories,
            listing.page_size,
            listing.max_per_category,
            evidence.capped if listing.rerank == "cap" else evidence.capped & evidence.explored,
        ),
        n_places=len(exposure.items),
        shortest_list=reach.shortest,
        median_list=reach.median,
        n_fillable=reach.n_fillable,
        full_of_fillable=reach.full_of_fillable,
        filled_share=reach.filled,
        n_in_log=count_in_log(features.users, run.as_of, listing.active_within_days),
        families={
            family: pq.read_metadata(lists.path).num_rows
            for family, lists in (
                ("list", made.own),
                ("popular", made.popular),
                ("similar", made.similar),
            )
            if lists
        },
        curves=path,
        distributions=histograms,
        catalogue=write_catalogue(run, made, evidence, fresh),
        n_over_cap=(
            _over_cap(evidence, run, features, listing) if listing.max_item_share < 1 else None
        ),
        **_new_figures(fresh, evidence),
        explored_share=_explored_share(evidence) if listing.explore_slots else None,
        score_kept=made.own.score_kept,
    )


def _new_figures(found: NewItems, evidence: Evidence) -> dict[str, Any]:
    """Return the figures of new and of cold items."""
    counts = evidence.exposure.counts[positions_of(found.ids, evidence.ids)]
    figures: dict[str, Any] = {}
    for name, flags in (("new", found.new), ("cold", found.cold)):
        shown = counts[flags]
        figures[f"n_{name}"] = len(shown)
        figures[f"n_{name}_shown"] = int(np.count_nonzero(shown))
        figures[f"{name}_share"] = float(shown.sum() / max(counts.sum(), 1))
    return figures


def _over_cap(evidence: Evidence, run: Run, features: Features, listing: TopNSettings) -> int:
    """Count the items in more lists than the exposure cap allows."""
    modelled = np.arange(len(evidence.available)) < features.n_items
    seen = evidence.seen
    if days := listing.active_within_days:
        ids = read_column(features.user_ids, ID)
        seen = seen[active_rows(features.users, ids, run.as_of, days)]
    most = most_lists(listing.max_item_share, count_lists(seen, evidence.available & modelled))
    return int(np.count_nonzero(evidence.exposure.counts > most))


def _explored_share(evidence: Evidence) -> float:
    return float(evidence.explored.mean()) if len(evidence.explored) else 0.0
