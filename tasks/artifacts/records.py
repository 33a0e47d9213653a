"""Records that steps hand over: paths, counts and ids, never the data itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from nightshelf.contract.chosen_blend import ChosenBlend
from nightshelf.contract.experiment import Experiment
from nightshelf.contract.feature_rules import Counting

#: The three list files. Grain: one key of the family.
#: `key` is a user id, a segment or an item id; the four list columns have equal lengths,
#: best first; `because` is empty where the reason's code needs nothing.
LIST_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("item_ids", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float64())),
        ("codes", pa.list_(pa.string())),
        ("because", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True)
class CleanLog:
    """Cleaned input of a night: three relations.

    - `events`: user_id, item_id, event_type, ts, value, session_id; grain: one distinct event with
      ts before `as_of`, and arrival not after it.
    - `items`: item_id, category, title, price, available, created_at, tags, image_url (http(s) or
      relative); grain: item.
    - `users`: user_id, segment, created_at; grain: user of the users file (empty where none).
    - `warnings`: findings that let the night go on, each a sentence with counts and a sample.
    """

    events: Path
    items: Path
    users: Path
    quarantine: Path
    rows_read: int
    n_events: int
    n_items: int
    n_duplicates: int
    n_after_as_of: int
    n_quarantined: int
    quarantined: dict[str, int]
    event_types: dict[str, int]
    set_aside: dict[str, str]
    n_idle: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Features:
    """Interactions to learn from, and feature rows to publish.

    - `interactions`: scipy CSR (npz), users x items, float32; the decayed, weighted sum of a
      user's events with an item. Rows are in the order of `user_ids`, columns of `item_ids`.
    - `recent`: the same cells, decayed by the half-life of a profile.
    - `seen`: scipy CSR (npz) of the same shape, 1 where a list must not show the item.
    - `user_ids`, `item_ids`: Parquet, one column `id`, in ascending order. Of the items, `n_cold`
      are cold: no event of them has a weight, and their columns are empty.
    - `users`: user_id, segment, created_at, first_seen, last_seen, events, total_purchases,
      num_ratings, avg_rating, favorite_categories, recent_views; grain: every user known, by log
      or file.
    - `items`: item_id, title, category, price, available, created_at, tags, first_seen,
      popularity_score, avg_rating, num_ratings; grain: every item of the catalogue, by item_id.
    - `n_days`, `n_days_new`: UTC days with an event, and those of them added up tonight.
    - `n_teaching`: events whose type has a weight other than 0. `unweighed`: event type -> events,
      of the types that have none; a weight of 0 is said on purpose, and is in neither.
    - `n_uncategorised`: items of the catalogue whose category is unknown.
    - `warnings`: findings that let the night go on, each a sentence with counts.
    """

    interactions: Path
    recent: Path
    seen: Path
    user_ids: Path
    item_ids: Path
    users: Path
    items: Path
    n_users: int
    n_items: int
    n_interactions: int
    n_known_users: int
    n_catalogue: int
    n_days: int
    n_days_new: int
    n_cold: int = 0
    n_teaching: int = 0
    n_uncategorised: int = 0
    unweighed: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def n_unweighed(self) -> int:
        """Events whose type has no weight."""
        return sum(self.unweighed.values())


@dataclass(frozen=True)
class Popularity:
    """Recent popularity as Parquet: `item_id`, `score` (0 at least); grain: item of the catalogue.

    A score halves every `half_life_days`.
    """

    path: Path
    half_life_days: float


@dataclass(frozen=True)
class TrainedModel:
    """A saved model: its factors, links, facts and settings, and the night that it started from.

    Factors are Parquet, `id` and `factors` (k float32), in the order of `Features`; `profiles` and
    `links` are scipy CSR (npz), without entries where the model links no items. `name` is the
    model's in the registry, `settings` those that it was trained with, `digest` SHA-256 over
    factors and links. `started_from` is the generation whose factors training started from;
    none where it began anew.
    """

    name: str
    user_factors: Path
    item_factors: Path
    profiles: Path
    links: Path
    n_users: int
    n_items: int
    n_factors: int
    settings: Path
    facts: Path
    began: Path
    digest: str
    n_iterations: int = 0
    started_from: int | None = None


@dataclass(frozen=True)
class Lists:
    """A file of lists (`LIST_SCHEMA`), as computed.

    `score_kept` is the sum of the scores over that of the plain exact lists, where other rules than
    theirs are in force. `n_inactive` users of the model have no list since they were not here.
    """

    path: Path
    n_lists: int
    n_full: int
    score_kept: float | None = None
    n_inactive: int = 0


@dataclass(frozen=True)
class GenerationFiles:
    """Parquet files that a generation is published from; kinds that it lacks are none.

    `lists` are by name of the model, the default first.
    """

    lists: Mapping[str, Path]
    popular: Path | None
    similar: Path | None
    users: Path | None
    items: Path | None


@dataclass(frozen=True)
class Made:
    """All that is computed of a run before Redis; without `similar` where none were asked for.

    `models` and their `lists` are by name, the default first; `left_out` gives the reason of each
    further model that failed.
    """

    log: CleanLog
    features: Features
    models: Mapping[str, TrainedModel]
    lists: Mapping[str, Lists]
    popular: Lists
    similar: Lists | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def default(self) -> str:
        """Name of the default model."""
        return next(iter(self.models))

    @property
    def model(self) -> TrainedModel:
        """The default model."""
        return self.models[self.default]

    @property
    def own(self) -> Lists:
        """The default model's lists."""
        return self.lists[self.default]

    @property
    def further(self) -> list[str]:
        """Names of the models beside the default."""
        return [name for name in self.models if name != self.default]

    def of(self, name: str) -> "Made":
        """Return the same with one model alone, as the default."""
        return replace(self, models={name: self.models[name]}, lists={name: self.lists[name]})

    def without(self, failed: Mapping[str, str]) -> "Made":
        """Return the same without models that failed, each with its reason."""
        return replace(
            self,
            models={name: each for name, each in self.models.items() if name not in failed},
            lists={name: each for name, each in self.lists.items() if name not in failed},
            left_out={**self.left_out, **failed},
        )

    @property
    def files(self) -> GenerationFiles:
        """Files to publish."""
        return GenerationFiles(
            lists={name: lists.path for name, lists in self.lists.items()},
            popular=self.popular.path,
            similar=self.similar.path if self.similar else None,
            users=self.features.users,
            items=self.features.items,
        )


@dataclass(frozen=True)
class Provenance:
    """Input, settings and model that a generation was made from, as its manifest names them.

    `experiments` are those that readers take part in once it is live.
    """

    list_length: int
    config_hash: str
    model_hash: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    counting: Counting | None = None
    choice: ChosenBlend | None = None
    experiments: tuple[Experiment, ...] = ()


@dataclass(frozen=True)
class Staged:
    """A generation written to Redis and not yet seen by any reader."""

    manifest: Path
    n_keys: int
    n_bytes: int
    digest: str


@dataclass(frozen=True)
class ReadBack:
    """A staged generation whose keys Redis has returned, each byte, as the digest proves."""

    n_keys: int
    digest: str
