"""The sample shop's people: what they like, since when they come, and how often."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.sample_shop.catalogue import DAY_US, Floats, Ints
from data.sample_shop.vocabulary import N_STYLES
from data.schema import USERS

SEGMENTS = ("regular", "gift", "trade", "new")
SEGMENT_SHARES = (0.66, 0.24, 0.10)
#: Everyone who signed up within this many days of the log's end is `new`.
NEW_DAYS = 21
#: One to four favourite categories, by these shares.
FAVOURITE_SHARES = (0.25, 0.35, 0.25, 0.15)
#: People who signed up and never looked at anything.
SILENT_SHARE = 0.02
#: Spread of the visits a person makes: half make three or fewer, a few make more than a hundred.
VISITS_SIGMA = 1.7
MAX_VISITS = 160


@dataclass(frozen=True)
class People:
    """Users by number: `favourites` (n, 4) and `loved_style` (n, 4), the first `n_favourites` hold.

    `visits` is the number of sessions in the log; times are microseconds since 1970.
    """

    ids: NDArray[np.str_]
    segment: Ints
    created_us: Ints
    n_favourites: Ints
    favourites: Ints
    loved_style: Ints
    visits: Ints

    def loves(self, n_categories: int) -> Ints:
        """Return the loved style of each user and category, (n, n_categories); -1 where none."""
        user, rank = np.nonzero(np.arange(self.favourites.shape[1]) < self.n_favourites[:, None])
        loved = np.full((len(self.ids), n_categories), -1)
        loved[user, self.favourites[user, rank]] = self.loved_style[user, rank]
        return loved

    def table(self) -> pa.Table:
        """Return the users' table, in order of number."""
        columns = {
            "user_id": self.ids,
            "segment": [SEGMENTS[segment] for segment in self.segment],
            "created_at": pa.array(self.created_us, pa.timestamp("us", tz="UTC")),
        }
        return pa.table(columns, schema=USERS)


def make_people(
    rng: np.random.Generator, n_users: int, n_categories: int, visits_mean: float, end_us: int
) -> People:
    """Invent `n_users`; each segment leans towards categories of its own."""
    segment = rng.choice(len(SEGMENT_SHARES), n_users, p=SEGMENT_SHARES)
    leaning = np.log(rng.gamma(2.0, size=(len(SEGMENT_SHARES), n_categories)))
    # The largest sums of log weight and Gumbel noise are a draw without replacement.
    noise = rng.gumbel(size=(n_users, n_categories))
    most = min(len(FAVOURITE_SHARES), n_categories)
    favourites = np.argsort(-(leaning[segment] + noise), axis=1)[:, :most]
    chosen = rng.choice(len(FAVOURITE_SHARES), n_users, p=FAVOURITE_SHARES) + 1
    days = 0.2 + 700 * rng.random(n_users) ** 1.5
    return People(
        ids=np.char.mod("u%06d", np.arange(1, n_users + 1)),
        segment=np.where(days < NEW_DAYS, SEGMENTS.index("new"), segment),
        created_us=end_us - (days * DAY_US).astype(np.int64),
        n_favourites=np.minimum(chosen, most),
        favourites=favourites,
        loved_style=rng.integers(N_STYLES, size=favourites.shape),
        visits=_visits(rng, n_users, visits_mean),
    )


def _visits(rng: np.random.Generator, n_users: int, mean: float) -> Ints:
    """Return a heavy-tailed number of visits a user, none for the silent."""
    drawn: Floats = rng.lognormal(-(VISITS_SIGMA**2) / 2, VISITS_SIGMA, n_users) * mean
    visits = np.clip(np.ceil(drawn), 1, MAX_VISITS).astype(np.int64)
    return np.where(rng.random(n_users) < SILENT_SHARE, 0, visits)
