"""Features: the interaction matrix, and a row for each user and item."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.artifacts.catalogue import UNKNOWN
from tasks.artifacts.records import CleanLog, Features
from tasks.errors import NothingToLearn, SettingsError
from tasks.features.aggregate import Totals
from tasks.features.arrays import EventRules, Ints
from tasks.features.settings import FeatureSettings
from tasks.features.shard_totals import add_up
from tasks.features.tables import write_items, write_model, write_users
from tasks.features.teaching import nothing_to_learn, uncategorised_words, unweighed_words
from tasks.ingest.daily_log import days_of
from tasks.io.columns import AVAILABLE, CATEGORY, EVENT_TYPE, ITEM_ID, TAGS, positions_of
from tasks.io.duckdb_session import connect, one_file, query
from tasks.io.jit import Flags
from tasks.runs.journal import computed
from tasks.runs.run_folder import Run

#: A user's points stay below this, or sums of them could pass what int64 holds.
_MAX_POINTS = 2.0**62
#: A way to add up a log: of a run and its log, the catalogue's ids, the kinds, and the rules.
AddUp = Callable[[Run, CleanLog, pa.StringArray, Sequence[str], EventRules], tuple[Totals, int]]
_OF_ITEMS = [ITEM_ID, CATEGORY, AVAILABLE, TAGS]


@computed
def build_features(run: Run, log: CleanLog, settings: FeatureSettings) -> Features:
    """Turn the clean log into the interaction matrix and the feature rows.

    Each day is added up once, into a rollup that later nights reuse
    (`tasks/features/rollup_plan.py`); the night merges those of its log, each event aged as of
    tonight, in shards of its users if memory asks for it (`tasks/features/shard_totals.py`). Same
    log, same settings, same bytes, whichever rollups and shards there were. Raises `NothingToLearn`
    where no item has positive points, `SettingsError` where weights are too large to add up.
    """
    return features_from(run, log, settings, add_up)


def features_from(run: Run, log: CleanLog, settings: FeatureSettings, total: AddUp) -> Features:
    """Write the features, as `build_features` does, from the totals that `total` returns."""
    catalogue = pq.read_table(log.items, columns=_OF_ITEMS).combine_chunks()
    with connect(run.folder) as db:
        days = [day.number for day in days_of(log.events)]
        categories, names = _categories(catalogue)
        rules = _rules(db, run, days, settings, categories)
        ids = catalogue.column(ITEM_ID).chunk(0)
        totals, n_new = total(run, log, ids, _kinds(settings), rules)
        if not totals.items.taken.any():
            raise NothingToLearn(nothing_to_learn(log.events, run.as_of, log.event_types, settings))
        _check_weights(totals)
        open_log(db, log, settings)
        with ThreadPoolExecutor() as pool:
            model = pool.submit(write_model, run, totals, ids, _cold(catalogue, totals))
            users, n_known = write_users(run, db, totals, ids, pa.array(names))
            items, n_catalogue = write_items(run, db, totals, ids)
    unknown = pc.sum(pc.equal(catalogue.column(CATEGORY), UNKNOWN)).as_py() or 0
    return Features(
        **model.result(),
        users=users,
        items=items,
        n_known_users=n_known,
        n_catalogue=n_catalogue,
        n_days=len(days),
        n_days_new=n_new,
        n_teaching=settings.n_teaching(log.event_types),
        n_uncategorised=unknown,
        unweighed=settings.unweighed(log.event_types),
        warnings=(
            *(f"{doubt}." for doubt in settings.doubts()),
            *unweighed_words(log.event_types, settings),
            *uncategorised_words(unknown, n_catalogue),
        ),
    )


def open_log(db: duckdb.DuckDBPyConnection, log: CleanLog, settings: FeatureSettings) -> None:
    """Make the views events, items and users, and the table weights(event_type, weight)."""
    for name, path in (("events", log.events), ("items", log.items), ("users", log.users)):
        db.read_parquet(one_file(path)).create_view(name)
    weights = pa.table(
        {
            EVENT_TYPE: pa.array(settings.weights.keys(), pa.string()),
            "weight": pa.array(settings.weights.values(), pa.float64()),
        }
    )
    db.from_arrow(weights).create("weights")


def _kinds(settings: FeatureSettings) -> list[str]:
    """Return the event types named by any setting: kinds 1, 2, ...; 0 is all others."""
    named = (settings.seen, settings.rating_types, settings.view_types, settings.purchase_types)
    return sorted(set(settings.weights).union(*named))


def _rules(
    db: duckdb.DuckDBPyConnection,
    run: Run,
    days: Sequence[int],
    settings: FeatureSettings,
    categories: Ints,
) -> EventRules:
    """Return the points of an event of each kind on each day, and how each kind counts."""
    kinds = ["", *_kinds(settings)]
    tonight = run.as_of.astimezone(UTC).date().toordinal() - date(1970, 1, 1).toordinal()
    weights = [settings.weights.get(kind, 0.0) for kind in kinds]
    ages = np.array([tonight - day for day in days], np.int64)
    db.from_arrow(pa.table({"kind": range(len(kinds)), "weight": weights})).create_view("kinds")
    db.from_arrow(pa.table({"day": range(len(days)), "age_days": ages})).create_view("days")
    points, recent = (
        np.asarray(db.execute(query("features/points"), decay).fetchnumpy()["points"], np.int64)
        for decay in (
            {"half_life_days": settings.half_life_days},
            {"half_life_days": settings.profile_half_life_days},
        )
    )
    return EventRules(
        points=points.reshape(len(kinds), len(days)),
        recent_points=recent.reshape(len(kinds), len(days)),
        is_seen=np.array([kind in settings.seen for kind in kinds]),
        is_purchase=np.array([kind in settings.purchase_types for kind in kinds]),
        is_view=np.array([kind in settings.view_types for kind in kinds]),
        is_rating=np.array([kind in settings.rating_types for kind in kinds]),
        category=categories,
        n_categories=int(categories.max(initial=-1)) + 1,
    )


def _categories(catalogue: pa.Table) -> tuple[Ints, list[str]]:
    """Number the categories by name; return each item's number, and the names."""
    categories = catalogue.column(CATEGORY).chunk(0)
    names = categories.unique()
    names = names.take(pc.sort_indices(names))
    return positions_of(categories, names), names


def _cold(catalogue: pa.Table, totals: Totals) -> Flags:
    """Return flags of the items without an event of weight that content can place.

    They are available, and have a category or a tag.
    """
    items = totals.items
    untouched = ~items.taken & (items.points_high == 0) & (items.points_low == 0)
    known = pc.or_(
        pc.not_equal(catalogue.column(CATEGORY), UNKNOWN),
        pc.greater(pc.list_value_length(catalogue.column(TAGS)), 0),
    )
    placed = pc.fill_null(pc.and_kleene(catalogue.column(AVAILABLE), known), False)
    return np.asarray(untouched & placed.to_numpy())


def _check_weights(totals: Totals) -> None:
    most = totals.users.weight.max(initial=0)
    if most > _MAX_POINTS:
        raise SettingsError(
            f"a user's events weigh {most / 2**32:.3g} in all, more than can be added up exactly "
            f"({_MAX_POINTS / 2**32:.3g}); make NIGHTSHELF_FEATURES__WEIGHTS smaller"
        )
