"""Features: who took to what and how strongly, and a row for each user and item."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import PositiveFloat

from nightshelf.counting import PURCHASE
from tasks.duck import connect, one_file, query
from tasks.errors import NothingToLearn, SettingsError
from tasks.feature_files import write_items, write_model, write_users
from tasks.lists import UNKNOWN
from tasks.records import CleanLog, Features
from tasks.rollup_types import Ints
from tasks.rollups import gather
from tasks.run import Run, computed
from tasks.tally import Tally, tally_up
from tasks.tally_types import Night

#: Event types without a weight that a warning names.
_NAMED_TYPES = 5
#: Share of the catalogue without a category from which on it is warned of.
_MANY_UNKNOWN = 0.1
#: A user's points stay below this, or sums of them could pass what int64 holds.
_MAX_POINTS = 2.0**62


@dataclass(frozen=True)
class FeatureSettings:
    """What an event says.

    - `weights`: how much an event of a type says for an item, or against it where negative. A type
      that is not named, or weighs 0, teaches the model nothing.
    - `half_life_days`: after so many days an event says half as much.
    - `seen`: types after which an item is not recommended to that user again.
    - `rating_types`, `view_types`: types whose `value` is a rating; types that are views.
    - `purchase_types`: types that are purchases, whose `value` is the revenue; the first is that of
      a tracked conversion. Where none is given: `purchase`, or, where neither `weights` nor `seen`
      has that, the types in `seen` of positive weight that are neither ratings nor views.
    """

    weights: dict[str, float] = field(
        default_factory=lambda: {
            "purchase": 5.0,
            "like": 4.0,
            "add_to_cart": 3.0,
            "wishlist_add": 2.0,
            "rating": 1.0,
            "click": 1.0,
            "view": 1.0,
            "impression": 0.0,
            "dislike": -3.0,
            "return": -5.0,
        }
    )
    half_life_days: PositiveFloat = 60.0
    seen: tuple[str, ...] = ("purchase", "like", "rating", "dislike", "return")
    rating_types: tuple[str, ...] = ("rating", "like", "dislike")
    view_types: tuple[str, ...] = ("view", "click")
    purchase_types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Name the types of purchases where the settings do not."""
        object.__setattr__(self, "purchase_types", self.purchase_types or _purchases(self))

    def unweighed(self, event_types: Mapping[str, int]) -> dict[str, int]:
        """Return the types that `weights` does not name, with their counts, most events first."""
        unnamed = {kind: n for kind, n in event_types.items() if kind not in self.weights}
        return dict(sorted(unnamed.items(), key=lambda each: (-each[1], each[0])))

    def n_teaching(self, event_types: Mapping[str, int]) -> int:
        """Count the events that say something for or against an item."""
        return sum(n for kind, n in event_types.items() if self.weights.get(kind))

    def doubts(self) -> Iterator[str]:
        """Yield a sentence for each default that does not fit weights of other names."""
        weighed = ", ".join(self.weights)
        if self.seen and not self.weights.keys() & set(self.seen):
            yield (
                f"features.seen ({', '.join(self.seen)}) has no type of features.weights "
                f"({weighed}): nothing takes an item off a user's lists. Name those that do"
            )
        other = {*self.rating_types, *self.view_types}
        teaching = (each for each, weight in self.weights.items() if weight > 0)
        if not self.weights.keys() & set(self.purchase_types) and not other.issuperset(teaching):
            yield (
                f"features.purchase_types ({', '.join(self.purchase_types)}) has no type of "
                f"features.weights ({weighed}): tracked conversions teach nothing. Name yours"
            )


@computed
def build_features(run: Run, log: CleanLog, settings: FeatureSettings) -> Features:
    """Turn the clean log into the interaction matrix and the feature rows.

    Each day is added up once, into a rollup that later nights find again (`tasks/rollups.py`); the
    night merges those of its log, each event aged as of tonight. Same log, same settings, same
    bytes, whatever was found. Raises `NothingToLearn` where no event says anything for any item,
    `SettingsError` where weights are too large to add up.
    """
    catalogue = pq.read_table(log.items, columns=["item_id", "category"]).combine_chunks()
    with connect(run) as db:
        found = gather(run, log)
        categories, names = _categories(catalogue)
        night = _night(db, run, list(found.days), settings, categories)
        ids = catalogue.column("item_id").chunk(0)
        told = tally_up(found.older, found.newer, ids, _kinds(settings), night)
        if not told.items.taken.any():
            raise NothingToLearn(nothing_to_learn(log.events, run.as_of, log.event_types, settings))
        _check_weights(told)
        open_log(db, log, settings)
        with ThreadPoolExecutor() as pool:
            model = pool.submit(write_model, run, told, ids)
            users, n_known = write_users(run, db, told, ids, pa.array(names))
            items, n_catalogue = write_items(run, db, told, ids)
    unknown = pc.sum(pc.equal(catalogue.column("category"), UNKNOWN)).as_py() or 0
    return Features(
        **model.result(),
        users=users,
        items=items,
        n_known_users=n_known,
        n_catalogue=n_catalogue,
        n_days=len(found.days),
        n_days_new=found.n_new,
        n_teaching=settings.n_teaching(log.event_types),
        n_uncategorised=unknown,
        unweighed=settings.unweighed(log.event_types),
        warnings=(
            *(f"{doubt}." for doubt in settings.doubts()),
            *unweighed_words(log.event_types, settings),
            *uncategorised_words(unknown, n_catalogue),
        ),
    )


def unweighed_words(event_types: Mapping[str, int], settings: FeatureSettings) -> Iterator[str]:
    """Say, where any do, which event types have no weight, with counts and shares, and what to do.

    `event_types` gives the events of each type that are read; idle types are not among them.
    """
    found, n_events = settings.unweighed(event_types), sum(event_types.values())
    if not found:
        return
    named = [f"{kind!r} ({n:,}, {n / n_events:.1%})" for kind, n in found.items()]
    rest = len(named) - _NAMED_TYPES
    more = f" and {rest:,} more types" if rest > 0 else ""
    yield (
        f"{sum(found.values()):,} of {n_events:,} events teach nothing, since no weight is set for "
        f"their type: {', '.join(named[:_NAMED_TYPES])}{more}. Name them in [features.weights], "
        "with 0 if they are to teach nothing, or in events.idle."
    )


def uncategorised_words(n_unknown: int, n_items: int) -> Iterator[str]:
    """Say that many items have no category, which takes the cap and the diversity their meaning."""
    if n_unknown and n_unknown >= _MANY_UNKNOWN * n_items:
        yield (
            f"{n_unknown:,} of {n_items:,} items ({n_unknown / n_items:.1%}) have no category: a "
            "page may hold any number of them, and category diversity counts them as one category."
        )


def open_log(db: duckdb.DuckDBPyConnection, log: CleanLog, settings: FeatureSettings) -> None:
    """Make the views events, items and users, and the table weights(event_type, weight)."""
    for name, path in (("events", log.events), ("items", log.items), ("users", log.users)):
        db.read_parquet(one_file(path)).create_view(name)
    weights = pa.table(
        {
            "event_type": pa.array(settings.weights.keys(), pa.string()),
            "weight": pa.array(settings.weights.values(), pa.float64()),
        }
    )
    db.from_arrow(weights).create("weights")


def _purchases(settings: FeatureSettings) -> tuple[str, ...]:
    """Return the types that are purchases by all that is known of them; at least one."""
    if PURCHASE in settings.weights or PURCHASE in settings.seen:
        return (PURCHASE,)
    other = {*settings.rating_types, *settings.view_types}
    bought = [each for each in settings.seen if settings.weights.get(each, 0) > 0]
    return tuple(each for each in bought if each not in other) or (PURCHASE,)


def _kinds(settings: FeatureSettings) -> list[str]:
    """Return the event types that count for something: kinds 1, 2, ...; 0 is all others."""
    named = (settings.seen, settings.rating_types, settings.view_types, settings.purchase_types)
    return sorted(set(settings.weights).union(*named))


def _night(
    db: duckdb.DuckDBPyConnection,
    run: Run,
    days: list[int],
    settings: FeatureSettings,
    categories: Ints,
) -> Night:
    """Say what an event of each kind is worth on each day, and what it counts for."""
    kinds = ["", *_kinds(settings)]
    tonight = run.as_of.astimezone(UTC).date().toordinal() - date(1970, 1, 1).toordinal()
    weights = [settings.weights.get(kind, 0.0) for kind in kinds]
    ages = np.array([tonight - day for day in days], np.int64)
    db.from_arrow(pa.table({"kind": range(len(kinds)), "weight": weights})).create_view("kinds")
    db.from_arrow(pa.table({"day": range(len(days)), "age_days": ages})).create_view("days")
    decay = {"half_life_days": settings.half_life_days}
    points = np.asarray(db.execute(query("points"), decay).fetchnumpy()["points"], np.int64)
    return Night(
        points=points.reshape(len(kinds), len(days)),
        is_seen=np.array([kind in settings.seen for kind in kinds]),
        is_purchase=np.array([kind in settings.purchase_types for kind in kinds]),
        is_view=np.array([kind in settings.view_types for kind in kinds]),
        is_rating=np.array([kind in settings.rating_types for kind in kinds]),
        category=categories,
        n_categories=int(categories.max(initial=-1)) + 1,
    )


def _categories(catalogue: pa.Table) -> tuple[Ints, list[str]]:
    """Number the categories in order of their names; return each item's number, and the names."""
    names = catalogue.column("category").chunk(0).unique()
    names = names.take(pc.sort_indices(names))
    return np.asarray(pc.index_in(catalogue.column("category").chunk(0), names)), names


def _check_weights(told: Tally) -> None:
    most = told.users.weight.max(initial=0)
    if most > _MAX_POINTS:
        raise SettingsError(
            f"a user's events weigh {most / 2**32:.3g} in all, more than can be added up exactly "
            f"({_MAX_POINTS / 2**32:.3g}); make NIGHTSHELF_FEATURES__WEIGHTS smaller"
        )


def nothing_to_learn(
    where: object, as_of: datetime, types: Mapping[str, int], settings: FeatureSettings
) -> str:
    """Say which event types there are, and that none of them teaches anything."""
    found = ", ".join(f"{kind} ({n:,})" for kind, n in types.items()) or "no events"
    return (
        f"{where}: up to {as_of:%Y-%m-%d %H:%M} UTC it holds {found}; none says "
        f"anything for an item. Types with a positive weight: "
        f"{', '.join(kind for kind, weight in settings.weights.items() if weight > 0)}. "
        "Check --as-of, or name your types in NIGHTSHELF_FEATURES__WEIGHTS."
    )
